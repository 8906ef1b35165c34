#include "actors/upkeep/eraser.h"

#include "actors/messages.h"
#include "actors/upkeep/spool_files.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_POLL = 1, TIMER_SEEN };
enum { BATCH = 200, WARN_MS = 60000 };
enum { AGAIN_MS = 200 }; /* many deletions in a row are one batch: each empties the log of the database */

static struct metric erased_total = {.name = "kith_erased_total", .help = "Deletions whose files this node removed."};
static struct metric waiting = {.name = "kith_erasures_waiting",
                                .help = "Deletions whose files this node has yet to remove; at most one batch.",
                                .kind = METRIC_GAUGE};

struct eraser {
    bool busy;   /* a batch is under way */
    bool again;  /* told of a deletion meanwhile */
    bool report; /* the log of the database is to be emptied, or the node is to be seen */
    uint64_t warned_ms;
};

struct erase_item {
    int64_t id;
    char *path, *sha256; /* owned, or NULL */
    int result;          /* of spool_remove_image */
};

struct erase_job { /* MSG_ERASER_WORKED */
    struct msg head;
    const struct eraser_config *config;
    bool everything; /* the whole cache of thumbnails; no items */
    struct erase_item items[BATCH];
    int count;
};

static void eraser_destroy_job(struct msg *m)
{
    struct erase_job *job = (struct erase_job *)m;

    for (int i = 0; i < job->count; i++) {
        free(job->items[i].path);
        free(job->items[i].sha256);
    }
}

static void eraser_work(struct msg *m)
{
    struct erase_job *job = (struct erase_job *)m;
    char file[PATH_MAX];

    if (job->everything)
        spool_remove_all_thumbnails(job->config->thumbs);
    for (int i = 0; i < job->count; i++) {
        struct erase_item *item = &job->items[i];
        bool ours = item->path && spool_find_file(job->config->spool, item->path, file);

        item->result = spool_remove_image(job->config->thumbs, ours ? file : NULL, item->sha256, job->config->young_ms);
    }
}

/* --- one batch --- */

static void eraser_end(struct actor *self, bool at_once)
{
    const struct eraser_config *config = actor_config(self);
    struct eraser *e = actor_state(self);

    actor_after(self, at_once ? 0 : e->again ? AGAIN_MS : config->poll_ms, TIMER_POLL);
    e->busy = e->again = false;
}

static bool eraser_succeeded(int status, const struct msg *reply)
{
    return status == ACTOR_OK && ((const struct store_reply *)reply)->status == STORE_OK;
}

static void eraser_on_erased(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct eraser *e = actor_state(self);

    if (eraser_succeeded(status, reply)) {
        metric_add(&erased_total, ((const struct store_reply *)reply)->changed);
        e->report = ((const struct store_reply *)reply)->more;
    }
    eraser_end(self, context != NULL);
}

/* `job`: its finished items; NULL: none. */
static void eraser_report(struct actor *self, const struct erase_job *job)
{
    const struct eraser_config *config = actor_config(self);
    struct store_eraser *m = STORE_MESSAGE(STORE_ERASED, store_eraser);
    int64_t *ids = arena_alloc(&m->m.arena, BATCH * sizeof *ids);

    for (int i = 0; job && i < job->count; i++)
        if (job->items[i].result == 0)
            ids[m->count++] = job->items[i].id;
    m->ids = ids;
    m->node = config->node;
    /* a full batch: there may be more */
    actor_ask(self, "store", &m->m.head, config->store_ms, eraser_on_erased, m->count == BATCH ? self : NULL);
}

static void eraser_on_joined(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    eraser_end(self, eraser_succeeded(status, reply));
}

static void eraser_join(struct actor *self)
{
    const struct eraser_config *config = actor_config(self);
    struct store_eraser *m = STORE_MESSAGE(STORE_ERASER_JOIN, store_eraser);

    m->node = config->node;
    actor_ask(self, "store", &m->m.head, config->store_ms, eraser_on_joined, NULL);
}

static void eraser_warn(struct actor *self, const struct erase_job *job)
{
    struct eraser *e = actor_state(self);

    for (int i = 0; i < job->count; i++)
        if (job->items[i].result < 0 && job->items[i].result != -EAGAIN &&
            (!e->warned_ms || actor_now_ms(self) - e->warned_ms >= WARN_MS)) {
            e->warned_ms = actor_now_ms(self);
            log_event(LOG_ERROR, "deleted file not removed", LOG_STR("path", job->items[i].path),
                      LOG_STR("reason", strerror(-job->items[i].result)));
        }
}

static void eraser_on_worked(struct actor *self, const struct erase_job *job)
{
    if (job->everything) {
        eraser_join(self);
        return;
    }
    eraser_warn(self, job);
    for (int i = 0; i < job->count; i++)
        if (job->items[i].result == 0) {
            eraser_report(self, job);
            return;
        }
    eraser_end(self, false);
}

/* Takes `job`. */
static void eraser_run(struct actor *self, struct erase_job *job)
{
    const struct eraser_config *config = actor_config(self);

    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &job->head, eraser_work) < 0)
        eraser_end(self, false); /* too many jobs wait */
}

static void eraser_on_erasures(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct eraser *e = actor_state(self);
    struct erase_job *job;

    (void)context;
    if (!eraser_succeeded(status, reply)) {
        eraser_end(self, false);
        return;
    }
    metric_set(&waiting, r->erasure_count);
    if (r->changed && r->erasure_count == 0) {
        if (e->report)
            eraser_report(self, NULL);
        else
            eraser_end(self, false);
        return;
    }
    job = (struct erase_job *)msg_new(MSG_ERASER_WORKED, sizeof *job);
    job->head.destroy = eraser_destroy_job;
    job->config = actor_config(self);
    job->everything = !r->changed;
    for (; r->changed && job->count < r->erasure_count; job->count++) {
        const struct erasure *from = &r->erasures[job->count];

        job->items[job->count] = (struct erase_item){.id = from->id,
                                                     .path = from->path && !from->in_use ? strdup(from->path) : NULL,
                                                     .sha256 = from->sha256 ? strdup(from->sha256) : NULL};
    }
    eraser_run(self, job);
}

static void eraser_begin(struct actor *self)
{
    const struct eraser_config *config = actor_config(self);
    struct eraser *e = actor_state(self);
    struct store_eraser *m;

    if (e->busy) {
        e->again = true;
        return;
    }
    e->busy = true;
    m = STORE_MESSAGE(STORE_ERASURES, store_eraser);
    m->node = config->node;
    m->count = BATCH;
    actor_ask(self, "store", &m->m.head, config->store_ms, eraser_on_erasures, NULL);
}

/* --- the actor --- */

static int eraser_start(struct actor *self)
{
    const struct eraser_config *config = actor_config(self);

    metric_register(&erased_total);
    metric_register(&waiting);
    actor_after(self, config->seen_ms, TIMER_SEEN);
    eraser_begin(self);
    return 0;
}

static void eraser_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_ERASE)
        eraser_begin(self);
    else
        eraser_on_worked(self, (const struct erase_job *)m);
}

static void eraser_timer(struct actor *self, uint32_t timer)
{
    const struct eraser_config *config = actor_config(self);

    if (timer == TIMER_POLL) {
        eraser_begin(self);
        return;
    }
    ((struct eraser *)actor_state(self))->report = true;
    actor_after(self, config->seen_ms, TIMER_SEEN);
}

static const uint32_t eraser_accepts[] = {MSG_ERASE, MSG_ERASER_WORKED, 0};

const struct actor_ops eraser_actor = {
    .name = "eraser",
    .state_size = sizeof(struct eraser),
    .start = eraser_start,
    .accepts = eraser_accepts,
    .receive = eraser_receive,
    .timer = eraser_timer,
};
