/* kith: who is in this picture? */
#include "cli/cli.h"

#include "core/base/cpu.h"
#include "core/base/must.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const struct command {
    const char *name, *arguments, *meaning; /* meaning: its second line is for the flags */
    const char *flags;                      /* of the command, separated by spaces; "=" ends one that takes a value */
    int (*run)(const struct invocation *in);
} commands[];

static int main_print_version(const struct invocation *in)
{
    (void)in;
    puts("kith " KITH_VERSION);
    return 0;
}

/* Aligns columns by characters, not by bytes. */
static void main_print_command(const struct command *c)
{
    enum { ARGUMENTS = 19, MEANING = 33 };
    size_t length = strcspn(c->meaning, "\n");
    int hidden = 0;

    for (const char *at = c->arguments; *at; at++)
        hidden += (*at & 0xc0) == 0x80; /* a continuation byte of UTF-8 */
    printf("  %-10s %-*s %.*s\n", c->name, ARGUMENTS + hidden, c->arguments, (int)length, c->meaning);
    if (c->meaning[length])
        printf("%*s%s\n", MEANING, "", c->meaning + length + 1);
}

static int main_print_help(const struct invocation *in)
{
    struct buf out = {0};

    if (in->count == 1 && strcmp(in->arguments[0], "settings") == 0) {
        settings_help(&out);
        fwrite(out.data, 1, out.len, stdout);
        buf_free(&out);
        return 0;
    }
    puts("kith — who is in this picture?\n\nusage: kith COMMAND [--setting=value …]\n");
    for (const struct command *c = commands; c->name; c++)
        main_print_command(c);
    puts("\nEach setting is a flag (--api-listen=…), an environment variable (KITH_API_LISTEN=…) or a line of .env;\n"
         "“kith help settings” lists them all, “kith config” shows those in force.");
    return 0;
}

static const struct command commands[] = {
    {"serve", "", "accept images over HTTP, recognise the people in them, show the results", "", cli_serve},
    {"enroll", "DIR",
     "enrol the people in DIR with a running kith: NAME/*.jpg, or name_1.jpg\n"
     "--flat: each file name is a person's name, also IMG_2563.jpg",
     "", cli_enroll},
    {"retry", "[ID …]",
     "requeue these images, or all failed ones that another try may cure, the oldest try first\n"
     "--older 10m, --limit N, --reason TEXT: only those; --now: without their pause; --dry-run; --direct: in the "
     "database",
     "reason= older= limit= now dry-run direct", cli_retry},
    {"look-again", "[pause|resume|…]",
     "look at images again in the background, with what people said about them kept; status, pause, resume, cancel\n"
     "--all, --verdict unknown|no_face, --person ID, --not-model current, --from-ms N, --to-ms N: which; --dry-run",
     "all verdict= person= not-model= from-ms= to-ms= dry-run", cli_look_again},
    {"nodes", "", "show the nodes of the cluster of a running kith", "", cli_nodes},
    {"key", "create|list|revoke", "API keys: create --role submit,read,admin [--name TEXT] [--expires 30d]",
     "role= name= expires=", cli_key},
    {"backup", "FILE", "copy the embedded database, also while kith runs", "", cli_backup},
    {"compact", "", "give the free pages of the embedded database back to the disk, while kith does not run", "",
     cli_compact},
    {"forget", "[WHAT …]",
     "delete, then search for what is left: image:7, person:3, a name, a path, a sha256\n"
     "--verify: search only; --files FOLDER:…: also in these, as of MariaDB and NATS; --direct: without a running "
     "kith\n"
     "--older 30d [--unknown] [--dry-run]: images by age",
     "verify files= direct older= unknown dry-run", cli_forget},
    {"config", "", "print the settings in force and the source of each", "", cli_config},
    {"schema", "mariadb|sqlite", "print the SQL of the database schema, to apply it by hand", "", cli_schema},
    {"plugin", "check FILE.so", "check that a recogniser plug-in fits this kith and works", "", cli_plugin},
    {"eval", "DIR",
     "measure the accuracy of the recogniser on labelled photos DIR/NAME/*.jpg\n"
     "--pairs FILE, --json, --sizes 50,100, --repeats 5, --enroll 2 (photos of each), --groups 8, --part 1/2 (every "
     "second "
     "person), --cache FILE",
     "pairs= json sizes= repeats= enroll= groups= part= cache=", cli_eval},
    {"bench", "[PHOTO|DIR …]",
     "measure recognition by stage, search, decisions and accepting on this machine\n"
     "--only photos|search|accept, --templates 1000000, --seconds 5, --json",
     "only= templates= seconds= json", cli_bench},
    {"version", "", "print the version", "", main_print_version},
    {"help", "[settings]", "print this, or all settings", "", main_print_help},
    {NULL, NULL, NULL, NULL, NULL}};

static const struct command *main_find_command(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return main_find_command("help");
    return strcmp(name, "--version") == 0 ? main_find_command("version") : NULL;
}

const char *cli_flag(const struct invocation *in, const char *name)
{
    for (int i = 0; i < in->flag_count; i++)
        if (strcmp(in->flags[i][0], name) == 0)
            return in->flags[i][1];
    return NULL;
}

/* 0: the command has no such flag; 1: a flag without a value; 2: a flag with a value. */
static int main_flag_kind(const struct command *c, const char *name, size_t len)
{
    for (const char *at = c->flags; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        int kind = at[n - 1] == '=' ? 2 : 1;

        if (n - (size_t)(kind - 1) == len && memcmp(at, name, len) == 0)
            return kind;
        at += n;
    }
    return 0;
}

/* Moves the command's flags from the arguments to `in->flags`. 0, or 2: one is wrong, which was reported. */
static int main_read_flags(const struct command *c, struct invocation *in)
{
    enum { MAX = sizeof in->flags / sizeof in->flags[0] };
    int kept = 0;

    for (int i = 0; i < in->count; i++) {
        char *at = in->arguments[i], *value;
        int kind;

        if (strncmp(at, "--", 2) != 0) {
            in->arguments[kept++] = at;
            continue;
        }
        value = strchr(at, '=');
        kind = main_flag_kind(c, at + 2, value ? (size_t)(value - at) - 2 : strlen(at) - 2);
        if (kind == 0 || in->flag_count == MAX)
            return cli_refuse("there is no setting “%s”; “kith help settings” lists them", at);
        if (kind == 1 && value)
            return cli_refuse("%s: takes no value", at);
        if (kind == 2 && !value && i + 1 == in->count)
            return cli_refuse("%s: needs a value", at);
        if (value)
            *value = 0;
        in->flags[in->flag_count][0] = at + 2;
        in->flags[in->flag_count++][1] = kind == 1 ? "" : value ? value + 1 : in->arguments[++i];
    }
    in->count = kept;
    return 0;
}

/* Jansson takes a failed allocation for a text that is not JSON: a good request would be refused. */
static void *main_allocate_json(size_t size)
{
    return must(malloc(size));
}

int main(int argc, char **argv)
{
    struct invocation in = {0};
    struct error error;
    const struct command *command;
    int rest = 0, code;

    if (argc == 2 && strcmp(argv[1], "worker") == 0)
        return cli_worker();
    if (argc < 2)
        return main_print_help(&in), 2;
    command = main_find_command(argv[1]);
    if (!command)
        return cli_refuse("there is no command “%s”; “kith help” lists them", argv[1]);
    if (command->run == main_print_version)
        return main_print_version(&in);
    in.book = settings_load(argc - 1, argv + 1, &rest, environ, &error);
    if (!in.book)
        return cli_refuse("%s", error.text);
    in.settings = settings_of(in.book);
    json_set_alloc_funcs(main_allocate_json, free);
    cpu_limit((enum cpu_level)cpu_level_of(in.settings->instructions));
    in.count = rest;
    in.arguments = argv + 1;
    code = main_read_flags(command, &in);
    if (code == 0)
        code = command->run(&in);
    settings_free(in.book);
    return code;
}
