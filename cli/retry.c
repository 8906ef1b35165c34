/* kith retry: requeues the failed images that another try may cure, by a running kith or directly in the database.
 * Pending images do not change, and an image that fails again is paused, so it may run periodically. */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/records/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int retry_one(struct client *c, const char *id)
{
    char path[128];
    json_t *json;
    long status;

    snprintf(path, sizeof path, "/v1/images/%.64s/retry", id);
    status = client_call(c, "POST", path, NULL, NULL, 0, &json);
    if (status == 200)
        printf("image %s: pending again\n", id);
    else if (status)
        fprintf(stderr, "kith: image %s: %s\n", id, client_detail(json));
    json_decref(json);
    return status == 200 ? 0 : 1;
}

struct filter {
    const char *reason;
    int64_t older_ms, limit;
    bool now, dry;
};

static void retry_print(const struct filter *f, int64_t count)
{
    printf("%lld image%s%s%s%s: %s\n", (long long)count, count == 1 ? "" : "s", f->reason ? " that failed by “" : "",
           f->reason ? f->reason : "", f->reason ? "”" : "", f->dry ? "would be pending again" : "pending again");
}

static int retry_by_api(struct client *c, const struct filter *f)
{
    struct buf path = {0};
    json_t *json;
    long status;

    buf_printf(&path, "/v1/images/retry?status=failed&older_ms=%lld", (long long)f->older_ms);
    if (f->limit)
        buf_printf(&path, "&limit=%lld", (long long)f->limit);
    if (f->reason) {
        buf_str(&path, "&reason=");
        client_escape(c, f->reason, &path);
    }
    if (f->now)
        buf_str(&path, "&now=true");
    if (f->dry)
        buf_str(&path, "&dry_run=true");
    buf_add(&path, "", 1);
    status = client_call(c, "POST", path.data, NULL, NULL, 0, &json);
    if (status == 200)
        retry_print(f, json_integer_value(json_object_get(json, "retried")));
    else if (status)
        fprintf(stderr, "kith: %s\n", client_detail(json));
    json_decref(json);
    buf_free(&path);
    return status == 200 ? 0 : 1;
}

/* A running kith finds the images by its poll (KITH_QUEUE_POLL). */
static int retry_in_database(const struct settings *settings, const struct filter *f)
{
    struct records *r = records_open(settings);
    const struct store_reply *reply = NULL;
    struct retry_cursor after = {0};
    int64_t count = 0;

    do {
        struct store_retry *m;

        if (!r)
            return 1;
        m = STORE_MESSAGE(STORE_RETRY, store_retry);
        m->after = after;
        m->reason = arena_text(&m->m.arena, f->reason);
        m->older_ms = f->older_ms;
        m->limit = f->limit ? f->limit - count : 0;
        m->pause_ms = settings->retry_pause;
        m->pause_max_ms = settings->retry_pause_max;
        m->now = f->now;
        m->dry = f->dry;
        reply = records_ask(r, &m->m.head);
        if (reply) {
            count += reply->changed;
            after = reply->retry_next;
        }
    } while (reply && reply->more);
    records_close(r);
    if (reply)
        retry_print(f, count);
    return reply ? 0 : 1;
}

static int retry_read_filter(const struct invocation *in, struct filter *f)
{
    const char *older = cli_flag(in, "older"), *limit = cli_flag(in, "limit");

    f->reason = cli_flag(in, "reason");
    f->now = cli_flag(in, "now") != NULL;
    f->dry = cli_flag(in, "dry-run") != NULL;
    if (older && settings_duration(older, &f->older_ms) < 0)
        return cli_refuse("--older: “%s” is not a duration (30s, 5m, 2h, 7d)", older);
    if (limit && (f->limit = atoll(limit)) < 1)
        return cli_refuse("--limit: “%s” is not a number of images", limit);
    if (in->count && (older || limit || f->reason || f->now || f->dry || cli_flag(in, "direct")))
        return cli_refuse("retry takes ids, or --reason, --older, --limit, --now, --dry-run and --direct");
    return 0;
}

int cli_retry(const struct invocation *in)
{
    struct filter f = {0};
    struct client *c;
    int code = retry_read_filter(in, &f);

    if (code)
        return code;
    if (cli_flag(in, "direct"))
        return retry_in_database(in->settings, &f);
    if (!(c = client_new(in->settings)))
        return 1;
    for (int i = 0; i < in->count; i++)
        code |= retry_one(c, in->arguments[i]);
    if (in->count == 0)
        code = retry_by_api(c, &f);
    client_free(c);
    return code;
}
