/* Settings from the environment, `.env` and flags: loaded, or refused with one line. Lines of an input that begin with
 * “-” are flags, with “.” lines of `.env`, the others variables. */
#include "core/base/settings/settings.h"
#include "test/fuzz/fuzz.h"

#include <stdio.h>
#include <unistd.h>

enum { LINES_MAX = 64 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char folder[] = "/tmp/kith-fuzz-XXXXXX";

    (void)argc, (void)argv;
    fuzz_require(mkdtemp(folder) && chdir(folder) == 0);
    return 0;
}

static void fuzz_load(int argc, char **argv, char **environment)
{
    int rest = 0;
    struct error error = {0};
    struct settings_book *book = settings_load(argc, argv, &rest, environment, &error);
    struct buf out = {0};
    const char *names[256], *texts[256];

    fuzz_require(book || (error.text[0] && !strchr(error.text, '\n')));
    if (!book)
        return;
    fuzz_require(rest >= 0 && rest <= argc);
    fuzz_require(settings_of(book)->workers >= 0);
    settings_print(book, &out);
    fuzz_require(out.len > 0);
    for (int i = settings_texts(book, names, texts, 256) - 1; i >= 0; i--)
        fuzz_require(names[i] && texts[i]);
    buf_free(&out);
    settings_free(book);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char *lines[LINES_MAX], *argv[LINES_MAX + 1] = {(char *)(uintptr_t) "kith"}, *environment[LINES_MAX + 1] = {0};
    int count = 0, argc = 1, variables = 0;
    FILE *dotenv = fopen(".env", "we");
    int64_t ms;

    fuzz_require(dotenv != NULL);
    while (count < LINES_MAX - 1 && (lines[count] = fuzz_line(&in))) {
        char *line = lines[count++];

        if (line[0] == '-')
            argv[argc++] = line;
        else if (line[0] == '.')
            fprintf(dotenv, "%s\n", line + 1);
        else
            environment[variables++] = line;
        if (settings_duration(line, &ms) == 0)
            fuzz_require(ms >= 0);
    }
    fclose(dotenv);
    fuzz_load(argc, argv, environment);
    while (count > 0)
        free(lines[--count]);
    return 0;
}
