/* kith forget: deletes images and people, then searches for what is left of them: in every table, in the files of the
 * data folder and of the spool (the database, its log and its free pages, caches), in the messages that NATS stores,
 * and in the folders of --files. --verify only searches.
 *
 * The records are read directly. The deletion itself is asked of a running kith, or with --direct done in the database:
 * the nodes then remove the files when they run. */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/records/forget_search.h"
#include "core/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- deleting --- */

static bool forget_by_api(struct client *c, const char *kind, int64_t id)
{
    char path[64];
    json_t *json;
    long status;

    snprintf(path, sizeof path, "/v1/%s/%lld", kind, (long long)id);
    status = client_call(c, "DELETE", path, NULL, NULL, 0, &json);
    if (status / 100 != 2 && status)
        fprintf(stderr, "kith: %s %lld: %s\n", kind, (long long)id, client_detail(json));
    json_decref(json);
    return status / 100 == 2;
}

static bool forget_in_records(struct records *r, uint32_t type, int64_t id)
{
    const struct store_reply *reply;

    do {
        struct store_id *m = store_message_new(type, sizeof *m);

        m->id = id;
        m->said_by = "kith forget";
        reply = records_ask(r, &m->m.head);
    } while (reply && reply->more);
    return reply != NULL;
}

static bool forget_one(struct client *c, struct records *r, bool person, int64_t id)
{
    const char *kind = person ? "people" : "images";
    bool done = c ? forget_by_api(c, kind, id) : forget_in_records(r, person ? STORE_PERSON_DELETE : STORE_DELETE, id);

    if (done)
        printf("%s %lld: deleted\n", person ? "person" : "image", (long long)id);
    return done;
}

static int forget_delete(const struct invocation *in, struct records *r, const struct targets *t)
{
    struct client *c = cli_flag(in, "direct") ? NULL : client_new(in->settings);
    bool done = true;

    for (int i = 0; i < t->image_count && done; i++)
        done = forget_one(c, r, false, t->images[i]);
    for (int i = 0; i < t->person_count && done; i++)
        done = forget_one(c, r, true, t->people[i]);
    client_free(c);
    return done ? 0 : 1;
}

/* --- by age --- */

static int forget_older(const struct invocation *in, const char *older)
{
    bool dry = cli_flag(in, "dry-run") != NULL;
    const struct store_reply *reply;
    int64_t age_ms, count = 0, after = 0;
    struct records *r;

    if (settings_duration(older, &age_ms) < 0)
        return cli_refuse("--older: “%s” is not a duration (30s, 5m, 2h, 7d)", older);
    if (in->count)
        return cli_refuse("forget takes names of what to delete, or --older");
    if (!(r = records_open(in->settings)))
        return 1;
    do {
        struct store_expire *m = STORE_MESSAGE(STORE_EXPIRE, store_expire);

        m->before_ms = clock_wall_ms() - age_ms;
        m->unknown_only = cli_flag(in, "unknown") != NULL;
        m->after = after;
        m->dry = dry;
        if ((reply = records_ask(r, &m->m.head))) {
            count += reply->changed;
            after = reply->next;
        }
    } while (reply && reply->more);
    records_close(r);
    if (reply)
        printf("%lld image%s %s\n", (long long)count, count == 1 ? "" : "s", dry ? "would be deleted" : "deleted");
    return reply ? 0 : 1;
}

int cli_forget(const struct invocation *in)
{
    bool verify = cli_flag(in, "verify") != NULL;
    struct targets t = {0};
    struct records *r;
    int code = 0;

    if (cli_flag(in, "older") && cli_flag(in, "files"))
        return cli_refuse("--files has no meaning with --older, which searches nothing");
    if (cli_flag(in, "older"))
        return forget_older(in, cli_flag(in, "older"));
    if (in->count == 0 || cli_flag(in, "unknown") || cli_flag(in, "dry-run"))
        return cli_refuse("forget needs what to delete: image:7, person:3, a name, a path or a sha256; or --older 30d "
                          "[--unknown] [--dry-run]");
    if (!(r = records_open(in->settings)))
        return 1;
    for (int i = 0; i < in->count && code == 0; i++) {
        int found = targets_add(&t, r, in->arguments[i]);

        if (found < 0)
            code = 1;
        else if (found == 0 && !verify)
            code = cli_refuse("there is no image or person “%s”; --verify searches for what may be left of it",
                              in->arguments[i]);
    }
    if (code == 0 && !verify)
        code = forget_delete(in, r, &t);
    if (code == 0)
        code = forget_verify(in, r, &t, !verify && !cli_flag(in, "direct"));
    targets_free(&t);
    records_close(r);
    return code;
}
