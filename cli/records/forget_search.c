#include "cli/records/forget_search.h"

#include "core/base/clock.h"
#include "core/bus/bus_settings.h"
#include "core/bus/stream_messages.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WAIT_MS = 40000, LOOK_MS = 500 }; /* the file of a young upload stays for ten seconds */

struct search {
    const struct invocation *in;
    struct records *records;
    const struct targets *targets;
    struct raw_search *raw;
    bool quiet; /* the search is repeated: only the last one is printed */
    int files;  /* files and messages in which something was found */
};

static void forget_print_line(void *context, const char *line)
{
    if (!((const struct search *)context)->quiet)
        printf("left: %s\n", line);
}

static void forget_print_file(void *context, const char *what, const char *file)
{
    struct search *s = context;

    s->files++;
    if (!s->quiet)
        printf("left: file %s: %s\n", file, what);
}

/* The tables and the files of kith itself. The number of places where something is left, or -1: reported. */
static int forget_search_own(struct search *s)
{
    int tables = targets_search_tables(s->targets, s->records, forget_print_line, s);

    s->files = 0;
    raw_search_folder(s->raw, s->in->settings->data, forget_print_file, s);
    if (s->in->settings->spool[0])
        raw_search_folder(s->raw, s->in->settings->spool, forget_print_file, s);
    return tables < 0 ? -1 : tables + s->files;
}

/* --- what others hold --- */

/* The folders of --files, separated by colons. -1: one cannot be read. */
static int forget_search_folders(struct search *s)
{
    const char *list = cli_flag(s->in, "files");
    char folder[PATH_MAX];

    for (size_t n; list && *list; list += n + (list[n] == ':')) {
        DIR *dir;

        n = strcspn(list, ":");
        snprintf(folder, sizeof folder, "%.*s", (int)n, list);
        if (!n)
            continue;
        if (!(dir = opendir(folder))) {
            fprintf(stderr, "kith: --files: %s: %s\n", folder, strerror(errno));
            return -1;
        }
        closedir(dir);
        raw_search_folder(s->raw, folder, forget_print_file, s);
    }
    return 0;
}

static void forget_print_message(void *context, const char *what, const char *stream)
{
    struct search *s = context;

    s->files++;
    printf("left: NATS stream %s: a message with %s\n", stream, what);
}

static void forget_on_message(void *context, const char *stream, const char *subject, const void *data, size_t len)
{
    struct search *s = context;

    raw_search_bytes(s->raw, stream, subject, strlen(subject), forget_print_message, s);
    raw_search_bytes(s->raw, stream, data, len, forget_print_message, s);
}

static int forget_search_nats(struct search *s)
{
    struct bus_options options = bus_settings(s->in->book);
    struct error error;

    if (!s->in->settings->nats[0])
        return 0;
    options.name = "kith forget";
    if (stream_messages_read(&options, s->in->settings->nats_prefix, forget_on_message, s, &error) >= 0)
        return 0;
    fprintf(stderr, "kith: %s\n", error.text);
    return -1;
}

/* All columns of the database, other folders, NATS. */
static int forget_search_others(struct search *s)
{
    int columns = targets_search_columns(s->targets, s->records, forget_print_line, s);

    s->files = 0;
    if (columns < 0 || forget_search_folders(s) < 0 || forget_search_nats(s) < 0)
        return -1;
    return columns + s->files;
}

/* --- */

static void forget_print_scope(const struct search *s)
{
    bool server = strcmp(s->in->settings->database, "sqlite") != 0;

    if (!cli_flag(s->in, "files") && (server || s->in->settings->nats[0]))
        fprintf(stderr, "kith: the files of %s are not searched; --files FOLDER:… searches those that can be read\n",
                server ? "the MariaDB server and of NATS" : "NATS");
}

int forget_verify(const struct invocation *in, struct records *r, const struct targets *t, bool wait)
{
    struct search s = {.in = in, .records = r, .targets = t, .raw = raw_search_new(), .quiet = true};
    uint64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    int own, others;

    targets_fill_search(t, s.raw);
    while (wait && forget_search_own(&s) > 0 && clock_monotonic_ms() < end_ms)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    s.quiet = false;
    own = forget_search_own(&s);
    others = own < 0 ? -1 : forget_search_others(&s);
    raw_search_free(s.raw);
    forget_print_scope(&s);
    if (own || others)
        return 1;
    printf("nothing is left\n");
    return 0;
}
