/* A reader: one operation at a time, in one transaction. */
#include "core/store/threads/threads_internal.h"

#include "core/actor/system.h"

#include <limits.h>
#include <stdio.h>

static int reader_run_one(struct store_thread *w, struct request *r)
{
    struct group g = {.w = w};
    struct op op;
    int result, end = 0;

    reply_renew(r);
    w->db->steps = INT_MIN;
    if ((g.now_ms = w->db->driver->clock_ms(w->db)) < 0)
        return (int)g.now_ms;
    op = operation_for(&g, r->reply);
    /* In SQLite all statements of an operation see one snapshot; MariaDB's read what is committed at their start. */
    if ((result = db_run(w->db, "{BEGIN|START TRANSACTION READ ONLY}")) < 0)
        return result;
    result = operation_run(&op, r->m);
    if (!w->db->gone)
        end = db_run(w->db, "COMMIT");
    if (end < 0 && !w->db->gone && w->db->driver->in_transaction(w->db))
        db_run(w->db, "ROLLBACK"); /* else the next BEGIN would fail */
    if (result >= 0 && end < 0)
        result = end;
    return w->db->gone ? DB_GONE : result == DB_REFUSED ? 0 : result;
}

void *reader_run(void *arg)
{
    struct store_thread *w = arg;
    struct request *r;

    while ((r = queue_take(w->queue, w->number, 1))) {
        struct msg_done *done = done_new(r);
        int result = DB_GONE;

        if (r->skip_cancelled && cancel_is_set(r->m->cancel)) { /* the client has left */
            reply_fail_all(r, DB_CONFLICT, false);
            actor_post(w->of->system, w->of->actor, &done->head);
            continue;
        }
        for (int n = 0; n < 2 && result == DB_GONE && connection_ready(w); n++) /* a read can be repeated */
            result = reader_run_one(w, r);
        done->away = result == DB_GONE;
        done->damaged = result == DB_DAMAGED;
        if (result < 0) {
            snprintf(done->cause, sizeof done->cause, "%s", w->db ? w->db->cause : w->error.text);
            reply_fail_all(r, result, false);
        }
        actor_post(w->of->system, w->of->actor, &done->head);
    }
    return NULL;
}
