/* Puts failed images back, deletes images, and keeps house: expired leases, old events, orphans of the spool, old
 * thumbnails. All in small pieces, so that nobody waits long for the store. */
#include "actors/upkeep/retry.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIMER_REAP = 1, TIMER_SWEEP, TIMER_PRUNE, TIMER_RETRY };
enum { ORPHANS_MAX = 256, FOLDERS = 256, DELETE_AGE_MS = 10000 };

struct redeemer {
    int folder; /* of the spool, the next to sweep */
};

struct msg_swept { /* old files of one folder of the spool */
    struct msg head;
    const struct redeemer_config *config;
    int folder;
    char *paths[ORPHANS_MAX];
    int count, next;
};

struct msg_removed { /* a file to remove if it is as old as it should be, and the thumbnails of its bytes */
    struct msg head;
    const struct redeemer_config *config;
    char path[PATH_MAX];
    char sha256[SHA256_HEX_BYTES];
    int64_t age_ms;
};

/* --- on a files' thread --- */

static int64_t age_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 ? -1 : clock_wall_ms() - (st.st_mtim.tv_sec * 1000LL + st.st_mtim.tv_nsec / 1000000);
}

static void remove_thumbs(const struct redeemer_config *config, const char *folder, const char *prefix, int64_t age_ms)
{
    char path[PATH_MAX];
    DIR *dir;
    struct dirent *entry;

    snprintf(path, sizeof path, "%s/%.2s", config->thumbs, folder);
    if (!(dir = opendir(path)))
        return;
    while ((entry = readdir(dir))) {
        snprintf(path, sizeof path, "%s/%.2s/%s", config->thumbs, folder, entry->d_name);
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && age_of(path) >= age_ms)
            unlink(path);
    }
    closedir(dir);
}

static void sweep_work(struct msg *m)
{
    struct msg_swept *s = (struct msg_swept *)m;
    char folder[PATH_MAX], path[PATH_MAX + 256], two[3];
    DIR *dir;
    struct dirent *entry;

    snprintf(two, sizeof two, "%02x", s->folder & 0xff);
    remove_thumbs(s->config, two, "", s->config->thumb_age_ms);
    snprintf(folder, sizeof folder, "%s/%s", s->config->spool->folder, s->folder ? two : "tmp");
    for (int pass = s->folder ? 1 : 0; pass < 2; pass++) { /* with the first folder also tmp/, of crashed uploads */
        if (pass == 1)
            snprintf(folder, sizeof folder, "%s/%s", s->config->spool->folder, two);
        if (!(dir = opendir(folder)))
            continue;
        while (s->count < ORPHANS_MAX && (entry = readdir(dir))) {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            if (entry->d_name[0] != '.' && age_of(path) >= s->config->orphan_age_ms)
                s->paths[s->count++] = strdup(path);
        }
        closedir(dir);
    }
}

static void destroy_swept(struct msg *m)
{
    struct msg_swept *s = (struct msg_swept *)m;

    for (int i = 0; i < s->count; i++)
        free(s->paths[i]);
}

/* One that was uploaded again meanwhile is young again: it stays. */
static void remove_work(struct msg *m)
{
    struct msg_removed *r = (struct msg_removed *)m;

    if (r->path[0] && age_of(r->path) >= r->age_ms)
        unlink(r->path);
    if (r->sha256[0])
        remove_thumbs(r->config, r->sha256, r->sha256, 0);
}

/* --- files --- */

static int run(struct actor *self, struct msg *m, offload_work_fn work)
{
    const struct redeemer_config *config = actor_config(self);

    return offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), m, work);
}

static void remove_file(struct actor *self, const char *path, const char *sha256, int64_t age_ms)
{
    struct msg_removed *m = (struct msg_removed *)msg_new(MSG_JANITOR_REMOVED, sizeof *m);

    m->config = actor_config(self);
    m->age_ms = age_ms;
    snprintf(m->path, sizeof m->path, "%s", path ? path : "");
    snprintf(m->sha256, sizeof m->sha256, "%s", sha256 ? sha256 : "");
    run(self, &m->head, remove_work); /* full: the sweep finds it later */
}

static void look_at_next(struct actor *self, struct msg_swept *s);

static void on_in_use(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct redeemer_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct msg_swept *s = context;

    if (status == ACTOR_OK && r->status == STORE_OK && r->changed == 0) {
        log_event(LOG_INFO, "orphan removed", LOG_STR("path", s->paths[s->next - 1]));
        remove_file(self, s->paths[s->next - 1], NULL, config->orphan_age_ms);
    }
    look_at_next(self, s);
}

static void look_at_next(struct actor *self, struct msg_swept *s)
{
    const struct redeemer_config *config = actor_config(self);
    struct store_text *m;

    if (s->next == s->count) {
        msg_unref(&s->head);
        actor_after(self, config->sweep_ms, TIMER_SWEEP);
        return;
    }
    m = STORE_MESSAGE(STORE_PATH_IN_USE, store_text);
    m->text = arena_text(&m->m.arena, s->paths[s->next++]);
    actor_ask(self, "store", &m->m.head, config->store_ms, on_in_use, s);
}

static void sweep(struct actor *self)
{
    const struct redeemer_config *config = actor_config(self);
    struct redeemer *r = actor_state(self);
    struct msg_swept *m = (struct msg_swept *)msg_new(MSG_JANITOR_SWEPT, sizeof *m);

    m->head.destroy = destroy_swept;
    m->config = config;
    m->folder = r->folder;
    r->folder = (r->folder + 1) % FOLDERS;
    if (run(self, &m->head, sweep_work) < 0)
        actor_after(self, config->sweep_ms, TIMER_SWEEP);
}

/* --- the store's housekeeping --- */

static void on_reaped(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct redeemer_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    bool well = status == ACTOR_OK && r->status == STORE_OK;

    (void)context;
    if (well && r->changed) {
        log_event(LOG_WARN, "leases ran out", LOG_INT("images", r->changed));
        msg_tell(self, config->processor, MSG_NUDGE);
    }
    actor_after(self, well && r->more ? 1 : config->reap_ms, TIMER_REAP);
}

static void reap(struct actor *self)
{
    const struct redeemer_config *config = actor_config(self);
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);

    m->max_tries = config->tries;
    m->max_crashes = config->crashes;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_reaped, NULL);
}

static void on_pruned(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct redeemer_config *config = actor_config(self);
    bool more = status == ACTOR_OK && ((const struct store_reply *)reply)->more;

    (void)context;
    actor_after(self, more ? 50 : config->prune_ms, TIMER_PRUNE);
}

static void prune(struct actor *self)
{
    const struct redeemer_config *config = actor_config(self);
    struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

    m->events_keep = config->events_keep;
    m->idempotency_before_ms = clock_wall_ms() - config->idempotency_ms;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_pruned, NULL);
}

/* --- retry: one, or those that failed, batch by batch --- */

struct retry { /* several; the policy's own has no call */
    struct call *call;
    char *reason;
    int64_t older_ms, limit, done;
    bool dry;
};

static void free_retry(struct retry *r)
{
    if (r->call)
        call_free(r->call);
    free(r->reason);
    free(r);
}

static void on_batch(struct actor *self, void *context, int status, const struct msg *reply);

static void ask_batch(struct actor *self, struct retry *r, int64_t after)
{
    const struct redeemer_config *config = actor_config(self);
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    m->after = after;
    m->reason = arena_text(&m->m.arena, r->reason);
    m->older_ms = r->older_ms;
    m->limit = r->limit ? r->limit - r->done : 0;
    m->dry = r->dry;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_batch, r);
}

static void on_batch(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct redeemer_config *config = actor_config(self);
    const struct store_reply *s = (const struct store_reply *)reply;
    struct retry *r = context;
    struct buf out = {0};
    bool well = status == ACTOR_OK && s->status == STORE_OK;

    if (well) {
        r->done += s->changed;
        if (s->changed && !r->dry)
            msg_tell(self, config->processor, MSG_NUDGE);
        if (s->more) {
            ask_batch(self, r, s->next);
            return;
        }
        if (r->done && !r->dry)
            log_event(LOG_INFO, "retried", LOG_INT("images", r->done), LOG_STR("reason", r->reason));
    }
    if (!r->call) {
        actor_after(self, config->retry_ms, TIMER_RETRY);
    } else if (!reply_failed(r->call->request, status, reply)) {
        buf_printf(&out, "{\"retried\":%lld,\"dry_run\":%s}", (long long)r->done, r->dry ? "true" : "false");
        reply_json(r->call->request, 200, &out);
    }
    free_retry(r);
}

static struct retry *retry_new(struct call *call)
{
    struct retry *r = calloc(1, sizeof *r);

    if (!r)
        abort();
    r->call = call;
    return r;
}

static void retry_those(struct actor *self, struct http_request *request)
{
    char text[HTTP_QUERY_MAX];
    struct retry *r;

    if (http_request_query(request, "status", text, sizeof text) && strcmp(text, "failed") != 0) {
        http_problem(request, 400, "wrong-value", "Only ?status=failed can be retried all at once.");
        return;
    }
    r = retry_new(call_new(self, request, OP_RETRY_ALL));
    if (!query_number(request, "older_ms", 0, INT64_MAX / 2, &r->older_ms) ||
        !query_number(request, "limit", 1, INT64_MAX, &r->limit) || !query_bool(request, "dry_run", &r->dry)) {
        free_retry(r);
        return;
    }
    if (http_request_query(request, "reason", text, sizeof text) && text[0])
        r->reason = strdup(text);
    ask_batch(self, r, 0);
}

static void on_retried(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct redeemer_config *config = actor_config(self);
    const struct store_reply *s = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    if (!reply_failed(call->request, status, reply)) {
        if (s->changed)
            msg_tell(self, config->processor, MSG_NUDGE);
        json_image(&out, &s->images[0], false);
        log_event(LOG_INFO, "retried", LOG_INT("image", call->id));
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void retry_one(struct actor *self, struct http_request *request, int64_t id)
{
    const struct redeemer_config *config = actor_config(self);
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);
    struct call *call = call_new(self, request, OP_RETRY);

    call->id = m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_retried, call);
}

/* --- deleting --- */

static void on_still_used(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (status == ACTOR_OK && r->status == STORE_OK && r->changed == 0)
        remove_file(self, call->path, NULL, DELETE_AGE_MS);
    http_reply(call->request, 204, NULL, NULL, 0);
    call_free(call);
}

static void on_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct redeemer_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct store_text *m;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    log_event(LOG_INFO, "deleted", LOG_INT("image", r->images[0].id));
    if (r->images[0].sha256)
        remove_file(self, NULL, r->images[0].sha256, 0);
    if (!r->images[0].spooled) {
        http_reply(call->request, 204, NULL, NULL, 0);
        call_free(call);
        return;
    }
    call->path = strdup(r->images[0].path);
    m = STORE_MESSAGE(STORE_PATH_IN_USE, store_text);
    m->text = arena_text(&m->m.arena, call->path);
    actor_ask(self, "store", &m->m.head, config->store_ms, on_still_used, call);
}

static void on_http(struct actor *self, struct http_request *request)
{
    const struct redeemer_config *config = actor_config(self);
    int op = (int)http_request_route(request)->op;
    struct store_id *m;
    int64_t id = 0;

    if (op == OP_RETRY_ALL) {
        retry_those(self, request);
        return;
    }
    if (!part_number(request, 0, &id))
        return;
    if (op == OP_RETRY) {
        retry_one(self, request, id);
        return;
    }
    m = STORE_MESSAGE(STORE_DELETE, store_id);
    m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_deleted, call_new(self, request, op));
}

/* --- the actor --- */

static int redeemer_start(struct actor *self)
{
    const struct redeemer_config *config = actor_config(self);

    actor_after(self, config->reap_ms, TIMER_REAP);
    actor_after(self, config->sweep_ms, TIMER_SWEEP);
    actor_after(self, config->prune_ms, TIMER_PRUNE);
    if (config->retry_ms)
        actor_after(self, config->retry_ms, TIMER_RETRY);
    return 0;
}

static void redeemer_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        on_http(self, ((const struct msg_http *)m)->request);
    else if (m->type == MSG_JANITOR_SWEPT)
        look_at_next(self, (struct msg_swept *)msg_ref(m));
}

static void redeemer_timer(struct actor *self, uint32_t timer)
{
    if (timer == TIMER_REAP)
        reap(self);
    else if (timer == TIMER_SWEEP)
        sweep(self);
    else if (timer == TIMER_PRUNE)
        prune(self);
    else
        ask_batch(self, retry_new(NULL), 0);
}

static const uint32_t redeemer_accepts[] = {MSG_HTTP, MSG_JANITOR_SWEPT, MSG_JANITOR_REMOVED, 0};

const struct actor_ops redeemer_actor = {
    .name = "redeemer",
    .state_size = sizeof(struct redeemer),
    .start = redeemer_start,
    .accepts = redeemer_accepts,
    .receive = redeemer_receive,
    .timer = redeemer_timer,
};
