/* kith look-again: has a running kith look at images again in the background, shows how far that is, or pauses, resumes
 * or cancels it. */
#include "cli/cli.h"
#include "cli/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void look_again_print(const json_t *json)
{
    const json_t *o = json_object_get(json, "operation");

    if (json_is_true(json_object_get(json, "dry_run")))
        printf("%lld images would be looked at again\n",
               (long long)json_integer_value(json_object_get(json, "images")));
    else if (!json_is_object(o))
        puts("no images have been looked at again");
    else
        printf("%s: %lld of %lld images are pending again\n", json_string_value(json_object_get(o, "state")),
               (long long)json_integer_value(json_object_get(o, "done")),
               (long long)json_integer_value(json_object_get(o, "images")));
}

/* Flags of the command line as parameters of the query. */
static int look_again_add_filter(const struct invocation *in, struct client *c, struct buf *path)
{
    static const struct {
        const char *flag, *parameter;
    } texts[] = {{"verdict", "verdict"},
                 {"person", "person"},
                 {"not-model", "not_model"},
                 {"from-ms", "from_ms"},
                 {"to-ms", "to_ms"}};
    char separator = '?';

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *value = cli_flag(in, texts[i].flag);

        if (!value)
            continue;
        buf_printf(path, "%c%s=", separator, texts[i].parameter);
        client_escape(c, value, path);
        separator = '&';
    }
    if (cli_flag(in, "dry-run")) {
        buf_printf(path, "%cdry_run=true", separator);
        separator = '&';
    }
    if (separator == '?' && !cli_flag(in, "all"))
        return cli_refuse("look-again: say which images: --all, --verdict, --person, --not-model, --from-ms, --to-ms");
    return 0;
}

int cli_look_again(const struct invocation *in)
{
    const char *word = in->count ? in->arguments[0] : NULL;
    bool acts = word && (strcmp(word, "pause") == 0 || strcmp(word, "resume") == 0 || strcmp(word, "cancel") == 0);
    struct client *c;
    struct buf path = {0};
    json_t *json = NULL;
    long status = 0;
    int code = 0;

    if (word && !acts && strcmp(word, "status") != 0)
        return cli_refuse("look-again takes status, pause, resume, cancel, or the images by flags");
    if (!(c = client_new(in->settings)))
        return 1;
    buf_str(&path, "/v1/images/look-again");
    if (acts)
        buf_printf(&path, "/%s", word);
    else if (!word)
        code = look_again_add_filter(in, c, &path);
    buf_add(&path, "", 1);
    if (code == 0) {
        status = client_call(c, word && !acts ? "GET" : "POST", path.data, NULL, NULL, 0, &json);
        if (status == 200 || status == 202)
            look_again_print(json);
        else if (status)
            fprintf(stderr, "kith: %s\n", client_detail(json));
        code = status == 200 || status == 202 ? 0 : 1;
        json_decref(json);
    }
    buf_free(&path);
    client_free(c);
    return code;
}
