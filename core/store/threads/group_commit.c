/* A writer: all requests that wait are one transaction. */
#include "core/store/threads/threads_internal.h"

#include "core/actor/system.h"
#include "core/base/disk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    GROUP_TRIES = 4,
    COUNT_MS = 5000,     /* after which changes of the counts by other nodes are read */
    CLOCK_STEP_MS = 1000 /* by which the clock was set back, rather than slowed down */
};

struct op operation_for(struct group *g, struct store_reply *reply)
{
    return (struct op){.db = g->w->db,
                       .d = g->w->db->driver,
                       .reply = reply,
                       .arena = &reply->m.arena,
                       .now_ms = g->now_ms,
                       .rows_waiting = g->w->pending,
                       .queue_limit = g->w->of->o.queue_limit,
                       .spool = g->w->of->o.spool,
                       .once_a_picture = g->w->of->o.once_a_picture,
                       .all_keyed = !g->unkeyed_images,
                       .doubt = g->w->of->o.doubt,
                       .disk_low = g->disk_low,
                       .outcome_unknown = g->outcome_unknown};
}

static void group_add_counts(struct group *g, const struct op *op)
{
    op_add_counts(&g->sum.counts, &op->counts);
    g->w->pending += op->counts.by_status[IMAGE_PENDING];
    g->sum.made_events |= op->made_events;
    g->sum.erased |= op->erased;
}

/* Runs one operation. A statement that failed fails the operation, whether or not the operation looked at its result.
 */
int operation_run(struct op *op, const struct msg *m)
{
    int result;

    db_begin_operation(op->db);
    result = store_ops[m->type - STORE_SUBMIT](op, m);
    return op->db->failure ? op->db->failure : result;
}

static int group_run_operation(struct group *g, struct request *r)
{
    struct op op = operation_for(g, r->reply);
    int64_t changes = g->w->db->driver->total_changes(g->w->db);
    int result = operation_run(&op, r->m);

    if (result == DB_REFUSED)
        reply_clear_refused(r->reply);
    if (result == DB_REFUSED && g->w->db->driver->total_changes(g->w->db) == changes)
        return 0; /* it wrote nothing: there is nothing to roll back */
    if (result >= 0)
        group_add_counts(g, &op);
    return result;
}

/* Consecutive submissions are one INSERT. Returns the last of them in `r`. */
static int group_run_submits(struct group *g, struct request **r)
{
    const struct store_submit *m[GROUP_MAX];
    struct store_reply *replies[GROUP_MAX];
    struct op op;
    int count = 0, result;

    for (struct request *at = *r; at && at->m->type == STORE_SUBMIT && count < GROUP_MAX; at = at->next) {
        reply_renew(at);
        m[count] = (const struct store_submit *)at->m;
        replies[count++] = at->reply;
        *r = at;
    }
    op = operation_for(g, replies[0]);
    db_begin_operation(op.db);
    result = op_submit_many(&op, m, replies, count);
    if (op.db->failure)
        result = op.db->failure;
    if (result >= 0)
        group_add_counts(g, &op);
    return result;
}

static int group_run_plain(struct group *g, struct request *first)
{
    int result = 0;

    for (struct request *r = first; r && result >= 0; r = r->next) {
        if (r->m->type == STORE_SUBMIT) {
            result = group_run_submits(g, &r);
        } else {
            reply_renew(r);
            result = group_run_operation(g, r);
        }
    }
    return result;
}

/* Each operation in a savepoint: when it fails or refuses, only its changes are rolled back. */
static int group_run_savepoints(struct group *g, struct request *first)
{
    struct db *db = g->w->db;
    int result = 0;

    for (struct request *r = first; r && result >= 0; r = r->next) {
        reply_renew(r);
        if ((result = db_run(db, "SAVEPOINT one")) < 0)
            return result;
        if ((result = group_run_operation(g, r)) < 0) {
            if (result != DB_REFUSED) {
                reply_fail(r->reply, result, false);
                snprintf(r->cause, sizeof r->cause, "%s", db->cause);
            }
            if (db->gone || db->conflict || result == DB_CONFLICT || result == DB_FULL || result == DB_IO ||
                result == DB_DAMAGED || !db->driver->in_transaction(db))
                return result; /* the whole transaction has failed */
            result = db_run(db, "ROLLBACK TO SAVEPOINT one");
        }
        if (result >= 0)
            result = db_run(db, "RELEASE SAVEPOINT one");
    }
    return result;
}

static int group_write_counts(struct group *g)
{
    struct db *db = g->w->db;
    struct db_statement *s;

    if (op_counts_are_zero(&g->sum.counts))
        return 0;
    s = db_query(
        db,
        "UPDATE status_counts SET pending = pending + ?, processed = processed + ?, failed = failed + ?, processing = "
        "processing + ?, unknown = unknown + ?, no_face = no_face + ?, review = review + ? WHERE id = ?");
    op_bind_counts(db->driver, s, &g->sum.counts);
    db->driver->bind_int(s, 8, g->w->slot);
    return db_finish(db, s);
}

/* SQLite's times are those of this machine's clock. When it was set back, images that wait and leases would be due too
 * late by as much: they follow it. A clock that is set ahead needs nothing: an early end of a lease costs one try. */
static int group_follow_clock(struct group *g)
{
    struct db *db = g->w->db;
    int64_t back_ms = g->w->clock_ms - g->now_ms;
    struct db_statement *s;

    if (g->w->of->server || back_ms < CLOCK_STEP_MS)
        return 0;
    s = db_query(db, "UPDATE images SET run_after = run_after - ? WHERE status IN (0, 3) AND run_after > ? AND "
                     "run_after < ?");
    db->driver->bind_int(s, 1, back_ms);
    db->driver->bind_int(s, 2, g->now_ms);
    db->driver->bind_int(s, 3, RUN_NEVER);
    return db_finish(db, s);
}

/* Executes one transaction. After a failure nothing is stored, unless COMMIT itself returned DB_GONE: then
 * `g->outcome_unknown` is set. */
static int group_try(struct group *g, struct request *first, int (*run)(struct group *g, struct request *first))
{
    struct threads *t = g->w->of;
    struct db *db = g->w->db;
    int64_t pending_before = g->w->pending;
    int result;

    db->conflict = 0;
    db->steps = INT_MIN; /* injected errors hit operations and what follows them, not the BEGIN */
    g->sum = (struct op){0};
    g->unkeyed_images = true;
    result = db_run(db, "{BEGIN IMMEDIATE|START TRANSACTION}");
    if (result >= 0) {
        g->now_ms = t->server ? op_server_clock(db, &g->unkeyed_images) : db->driver->clock_ms(db);
        result = g->now_ms < 0 ? (int)g->now_ms : 0;
    }
    if (result >= 0 && t->server && g->now_ms - g->w->pending_ms > COUNT_MS)
        result = connection_count_pending(g->w, g->now_ms);
    if (result >= 0)
        result = group_follow_clock(g);
    if (result >= 0)
        result = run(g, first);
    if (result >= 0)
        result = group_write_counts(g);
    if (result >= 0 && (result = db_run(db, "COMMIT")) == DB_GONE)
        g->outcome_unknown = true;
    if (result >= 0) {
        g->w->clock_ms = g->now_ms;
        return result;
    }
    g->w->pending = pending_before;
    result = db->gone ? DB_GONE : db->conflict ? DB_CONFLICT : result;
    if (!db->gone && db->driver->in_transaction(db))
        db_run(db, "ROLLBACK");
    return result;
}

static void group_pause(unsigned ms)
{
    struct timespec t = {.tv_nsec = (long)ms * 1000000};

    nanosleep(&t, NULL);
}

/* What was deleted is in the log of an embedded database until the log is emptied. `more` in the reply of STORE_ERASED:
 * ask again. */
static void group_truncate_log(struct group *g, struct request *first)
{
    const struct db_driver *d = g->w->db->driver;
    bool done = !d->truncate_log || d->truncate_log(g->w->db) > 0;

    for (struct request *r = first; r; r = r->next)
        if (r->m->type == STORE_ERASED)
            r->reply->more = !done;
}

/* A savepoint copies every page it touches, which is a third of the cost of a small write. Almost no request fails,
 * so the group is first run without savepoints. If an operation fails, or refuses after it has written, the transaction
 * is rolled back and the group runs again with a savepoint for each operation. */
static void group_commit(struct store_thread *w, struct request *first, struct msg_done *done)
{
    const struct store_options *o = &w->of->o;
    struct group g = {.w = w};
    int result = DB_GONE;

    g.disk_low = !w->of->server && disk_is_low(o->folder, o->disk_reserve, 0);
    /* SQLite has waited for the lock already (busy_timeout). */
    for (int n = 0; n < GROUP_TRIES && (n == 0 || result == DB_GONE || (result == DB_CONFLICT && w->of->server)); n++) {
        if (!connection_ready(w)) {
            result = DB_GONE;
            break;
        }
        if (result == DB_CONFLICT)
            group_pause((unsigned)random() % 30 + 1);
        result = group_try(&g, first, group_run_plain);
        if (result == DB_ERROR || result == DB_INVALID || result == DB_REFUSED)
            result = group_try(&g, first, group_run_savepoints);
    }
    done->made_events = result >= 0 && g.sum.made_events;
    if (result >= 0 && g.sum.erased)
        group_truncate_log(&g, first);
    done->broken = result == DB_IO;
    done->damaged = result == DB_DAMAGED;
    done->away = result == DB_GONE;
    if (result < 0) {
        snprintf(done->cause, sizeof done->cause, "%s%s", w->db ? w->db->cause : w->error.text,
                 g.outcome_unknown ? "; COMMIT was sent and not answered" : "");
        reply_fail_all(first, result, g.outcome_unknown);
    }
}

void requests_free(struct request *first)
{
    struct request *next;

    for (; first; first = next) {
        next = first->next;
        msg_unref(first->m);
        msg_unref(first->reply ? &first->reply->m.head : NULL);
        free(first);
    }
}

/* Frees a message that is not received, at the end of the program. */
static void group_commit_destroy_done(struct msg *m)
{
    requests_free(((struct msg_done *)m)->first);
}

struct msg_done *done_new(struct request *first)
{
    struct msg_done *done = (struct msg_done *)msg_new(STORE_DONE, sizeof *done);

    done->head.destroy = group_commit_destroy_done;
    done->first = first;
    return done;
}

void *writer_run(void *arg)
{
    struct store_thread *w = arg;
    struct request *first;

    while ((first = queue_take(w->queue, w->number, GROUP_MAX))) {
        struct msg_done *done = done_new(first);

        group_commit(w, first, done);
        queue_release(w->queue, w->number);
        actor_post(w->of->system, w->of->actor, &done->head);
    }
    return NULL;
}
