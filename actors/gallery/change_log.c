#include "actors/gallery/change_log.h"

#include "actors/gallery/jobs.h"
#include "core/actor/actor.h"

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
    log->complete |= ok;
    log->events->end(log->self, log->reading, ok, log->found);
    if (reread && log->state == LOG_IDLE) /* `end` may have begun it already */
        change_log_begin(log);
}

static bool change_log_rewind(struct change_log *log)
{
    if (!log->events->rewind(log->self))
        return false;
    log->cursor = log->mark = 0;
    log->generation++;
    log->found = true;
    log->complete = false;
    return true;
}

static void change_log_on_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct change_log *log = context;

    if (status != ACTOR_OK || r->status != STORE_OK || (r->change_count && !log->events->page(self, r, log->cursor))) {
        change_log_end(log, false);
        return;
    }
    if (r->rewound) {
        if (change_log_rewind(log))
            change_log_ask(log);
        else
            change_log_end(log, false);
        return;
    }
    log->cursor = r->next;
    log->mark = r->mark;
    if (r->change_count) {
        log->generation++;
        log->found = true;
    }
    if (r->more)
        change_log_ask(log);
    else
        change_log_end(log, true);
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
