/* kith eval DIR: how far this recogniser can be trusted, on photos of people whose names are known.
 *
 * DIR/NAME/photo. Every photo is looked at by workers as `serve` would (what was found is kept in a cache in the data
 * folder), then measured: are two the same (verification), and who is it, or nobody we know (open-set identification)?
 * Decisions are those of `serve`, by the same code and the same settings.
 */
#include "cli/eval/eval_common.h"
#include "cli/eval/eval_open.h"
#include "cli/eval/eval_pairs.h"

#include "core/base/hash.h"
#include "core/base/must.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One cache a folder and recogniser, in the data folder. */
static const char *cache_name(const struct evaluation *e, char *file, size_t size)
{
    char folder[PATH_MAX], name[SHA256_HEX_BYTES], real[PATH_MAX];
    struct buf text = {0};

    if (cli_flag(e->in, "cache"))
        return cli_flag(e->in, "cache");
    if (!realpath(e->folder, real))
        return NULL;
    buf_printf(&text, "%s\n%s", real, e->in->settings->recognizer);
    sha256_hex(text.data, text.len, name);
    buf_free(&text);
    mkdir(e->in->settings->data, 0755);
    if (snprintf(folder, sizeof folder, "%s/eval", e->in->settings->data) >= (int)sizeof folder ||
        (mkdir(folder, 0700) < 0 && errno != EEXIST) ||
        snprintf(file, size, "%s/%.16s.cache", folder, name) >= (int)size)
        return NULL;
    return file;
}

static int count_kinds(const struct evaluation *e, bool unreadable)
{
    int n = 0;

    for (int i = 0; i < e->all.count; i++)
        n += !e->all.list[i].embedding && (e->all.list[i].reason != NULL) == unreadable;
    return n;
}

static void print_photos(struct evaluation *e)
{
    enum { SHOWN = 10 };
    int none = count_kinds(e, false), bad = count_kinds(e, true), shown = 0;
    const struct portraits *p = &e->all;

    if (e->json) {
        buf_printf(&e->out, "{\"recognizer\":\"%s %s\",\"model\":", p->model.name, p->model.version);
        buf_json(&e->out, p->model.model);
        buf_printf(&e->out,
                   ",\"photos\":%d,\"people\":%d,\"without_face\":%d,\"unreadable\":%d,\"cached\":%d,"
                   "\"seconds\":%.2f,\"not_found\":[",
                   p->count, p->people, none, bad, p->cached, p->wall_s);
        for (int i = 0; i < p->count; i++)
            if (!p->list[i].embedding) {
                buf_str(&e->out, shown++ ? ",{\"photo\":" : "{\"photo\":");
                buf_json(&e->out, p->list[i].path);
                buf_str(&e->out, ",\"reason\":");
                buf_json(&e->out, p->list[i].reason ? p->list[i].reason : "no face found");
                buf_str(&e->out, "}");
            }
        buf_str(&e->out, "]");
        return;
    }
    printf("%s %s, %s\n%d photos of %d people", p->model.name, p->model.version, p->model.model, p->count, p->people);
    if (p->cached)
        printf(", %d of them from the cache", p->cached);
    printf("\n  in %d no face was found (%.2f %%), %d could not be read\n", none, 100.0 * none / p->count, bad);
    for (int i = 0; i < p->count && shown < SHOWN; i++)
        if (!p->list[i].embedding) {
            printf("    %s: %s\n", p->list[i].path, p->list[i].reason ? p->list[i].reason : "no face found");
            shown++;
        }
    if (none + bad > shown)
        printf("    … and %d more (--json lists them all)\n", none + bad - shown);
}

/* --part=K/N: of N parts of the people in the order of their names, only part K. Sets *part and *parts; 0, or 2. */
static int eval_parse_part(const struct evaluation *e, int *part, int *parts)
{
    const char *text = cli_flag(e->in, "part");
    int end = 0;

    *part = *parts = 1;
    if (text && (sscanf(text, "%d/%d%n", part, parts, &end) != 2 || text[end] || *parts < 1 || *parts > 1000 ||
                 *part < 1 || *part > *parts))
        return cli_refuse("--part=%s: must be K/N with N of 1 to 1000 and K of 1 to N", text);
    return 0;
}

/* Every `parts`-th person belongs to a part. */
static void gather(struct evaluation *e, int part, int parts)
{
    int person = -1;

    e->faces = malloc((size_t)e->all.count * sizeof(struct portrait *) + 1);
    if (!e->faces)
        out_of_memory();
    for (int i = 0; i < e->all.count; i++) {
        person += i == 0 || strcmp(e->all.list[i - 1].person, e->all.list[i].person) != 0;
        if (e->all.list[i].embedding && person % parts == part - 1)
            e->faces[e->count++] = &e->all.list[i];
    }
}

/* A flag that is a whole number. 0, or 2 when it is refused. */
static int eval_parse_number(const struct evaluation *e, const char *flag, int least, int most, int *value)
{
    const char *text = cli_flag(e->in, flag);
    char *end;
    long n;

    if (!text)
        return 0;
    n = strtol(text, &end, 10);
    if (end == text || *end || n < least || n > most)
        return cli_refuse("--%s=%s: must be %d to %d", flag, text, least, most);
    *value = (int)n;
    return 0;
}

static const char *pairs_name(const struct evaluation *e, char *file, size_t size)
{
    struct stat st;

    if (cli_flag(e->in, "pairs"))
        return cli_flag(e->in, "pairs");
    if (snprintf(file, size, "%s/pairs.txt", e->folder) < (int)size && stat(file, &st) == 0)
        return file;
    return NULL;
}

static int eval_parse_options(const struct evaluation *e, struct open_set_options *o, int *part, int *parts)
{
    const char *sizes = cli_flag(e->in, "sizes");

    *o = (struct open_set_options){.sizes = sizes ? sizes : "50,100,200,400", .repeats = 5, .enrolled = 2, .groups = 8};
    return eval_parse_number(e, "repeats", 1, 1000, &o->repeats) ||
                   eval_parse_number(e, "enroll", 1, 100, &o->enrolled) ||
                   eval_parse_number(e, "groups", 1, 100, &o->groups) || eval_parse_part(e, part, parts)
               ? 2
               : 0;
}

static int measure(struct evaluation *e)
{
    char pairs[PATH_MAX];
    struct open_set_options options;
    int code, part, parts;

    if ((code = eval_parse_options(e, &options, &part, &parts)))
        return code;
    gather(e, part, parts);
    print_photos(e);
    if (e->count < 2) {
        fprintf(stderr, "kith: nothing to measure: a face was found in %d of %d photos\n", e->count, e->all.count);
        return 1;
    }
    if ((code = eval_pairs(e, pairs_name(e, pairs, sizeof pairs))) == 0)
        code = eval_open_set(e, &options);
    if (code == 0 && e->json) {
        buf_str(&e->out, "}\n");
        fwrite(e->out.data, 1, e->out.len, stdout);
    }
    return code;
}

int cli_eval(const struct invocation *in)
{
    struct evaluation e = {.in = in, .json = cli_flag(in, "json") != NULL};
    char cache[PATH_MAX];
    int code;

    if (in->count != 1)
        return cli_refuse("eval needs one folder of labelled photos: kith eval DIR, with DIR/NAME/photo");
    e.folder = in->arguments[0];
    if ((code = portraits_list(&e.all, e.folder)) == 0 &&
        (code = portraits_look(&e.all, in, cache_name(&e, cache, sizeof cache))) == 0)
        code = measure(&e);
    portraits_free(&e.all);
    buf_free(&e.out);
    free(e.faces);
    return code;
}
