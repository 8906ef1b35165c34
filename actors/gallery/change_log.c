#include "actors/gallery/change_log.h"

#include "actors/gallery/jobs.h"
#include "core/actor/actor.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

static struct metric restarts_total = {
    .name = "kith_gallery_reloads_total",
    .help = "Times the gallery was read anew because its position was not in the store's log of changes any more."};

void change_log_register_metrics(void)
{
    metric_register(&restarts_total);
}

static void change_log_ask(struct change_log *log);

static void change_log_begin(struct change_log *log)
{
    log->state = LOG_READING;
    log->found = false;
    log->reading++;
    change_log_ask(log);
}

static void change_log_end(struct change_log *log, bool ok)
{
    bool reread = log->state == LOG_REREAD;

    log->state = LOG_IDLE;
    log->events->end(log->self, log->reading, ok, log->found);
    if (reread && log->state == LOG_IDLE) /* `end` may have begun it already */
        change_log_begin(log);
}

/* Whether the page misses changes that come after the cursor. */
static bool change_log_is_lost(const struct change_log *log, const struct store_reply *r)
{
    bool overtaken = r->log_removal > log->cursor && r->log_removal > log->removal;

    return log->cursor > 0 && (overtaken || r->rewound);
}

static bool change_log_restart(struct change_log *log, const struct store_reply *r)
{
    log_event(LOG_WARN, "gallery reload",
              LOG_STR("reason", r->rewound ? "an older copy of the database was restored"
                                           : "its position is not in the log of changes"),
              LOG_INT("position", log->cursor), LOG_INT("removed", r->log_removal));
    metric_add(&restarts_total, 1);
    if (!log->events->restart(log->self))
        return false;
    log->cursor = log->mark = 0;
    log->generation++;
    log->found = true; /* also when the log is empty now */
    return true;
}

/* Whether the page has a change after which stored faces must be compared again. */
static bool change_log_decides(const struct store_reply *r)
{
    for (int i = 0; i < r->change_count; i++)
        if (r->changes[i].kind != GALLERY_FACE_REMOVED)
            return true;
    return false;
}

/* False: the page cannot be used. */
static bool change_log_accept(struct change_log *log, const struct store_reply *r)
{
    if (log->cursor == 0)
        log->removal = r->log_removal;
    if (r->change_count) {
        if (!log->events->page(log->self, r, log->cursor))
            return false;
        if (change_log_decides(r)) {
            log->generation++;
            log->found = true;
        }
    }
    log->cursor = r->next;
    log->mark = r->mark;
    return true;
}

static void change_log_on_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct change_log *log = context;

    (void)self;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        change_log_end(log, false);
    } else if (change_log_is_lost(log, r)) {
        if (change_log_restart(log, r))
            change_log_ask(log);
        else
            change_log_end(log, false);
    } else if (!change_log_accept(log, r)) {
        change_log_end(log, false);
    } else if (r->more) {
        change_log_ask(log);
    } else {
        change_log_end(log, true);
    }
}

static void change_log_ask(struct change_log *log)
{
    struct store_list *m = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);

    m->after = log->cursor;
    m->mark = log->mark;
    m->limit = (int)log->page;
    actor_ask(log->self, "store", &m->m.head, GALLERY_ASK_MS, change_log_on_page, log);
}

uint64_t change_log_request(struct change_log *log)
{
    if (log->state == LOG_IDLE) {
        change_log_begin(log);
        return log->reading;
    }
    log->state = LOG_REREAD;
    return log->reading + 1;
}
