#include "core/store/threads/threads.h"

#include "core/actor/system.h"
#include "core/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    GROUP_MAX = 1024,    /* requests of one transaction: enough to make the cost of a commit vanish */
    GROUP_PATHS = 16384, /* and paths of them: few enough to answer soon */
    GROUP_TRIES = 4,
    RETRY_MIN_MS = 100,
    RETRY_MAX_MS = 3000,
    COUNT_MS = 5000 /* how long others' changes of the counts may go unseen */
};

/* --- queues --- */

static int weight_of(const struct request *r)
{
    return r->m->type == STORE_SUBMIT ? ((const struct store_submit *)r->m)->count : 1;
}

static struct request *take(struct queue *q, int max)
{
    struct request *first, *last;
    int paths = 0;

    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->stopping)
        pthread_cond_wait(&q->some, &q->lock);
    first = last = q->first; /* when stopping, what waits is still done: it was asked before */
    for (int i = 1; last && last->next && i < max && (paths += weight_of(last)) < GROUP_PATHS; i++)
        last = last->next;
    if (last) {
        q->first = last->next;
        if (!q->first)
            q->last = NULL;
        last->next = NULL;
    }
    pthread_mutex_unlock(&q->lock);
    return first;
}

void threads_put(struct queue *q, struct request *r)
{
    pthread_mutex_lock(&q->lock);
    if (q->last)
        q->last->next = r;
    else
        q->first = r;
    q->last = r;
    pthread_cond_signal(&q->some);
    pthread_mutex_unlock(&q->lock);
}

/* --- connections --- */

static int count_pending(struct store_thread *w, int64_t now_ms)
{
    struct store_reply *reply = STORE_MESSAGE(STORE_REPLY, store_reply);
    struct op op = {.db = w->db, .d = w->db->driver, .reply = reply, .arena = &reply->m.arena};
    int result = op_tally(&op, NULL);

    w->pending = reply->tally[IMAGE_PENDING];
    w->pending_ms = now_ms;
    msg_unref(&reply->m.head);
    return result;
}

static int open_slot(struct store_thread *w)
{
    struct db_statement *s = db_query(w->db, "{INSERT OR IGNORE|INSERT IGNORE} INTO tally VALUES(?, 0, 0, 0, 0, 0)");

    w->db->driver->bind_int(s, 1, w->slot);
    return db_finish(w->db, s);
}

static int connect_now(struct store_thread *w)
{
    struct threads *t = w->of;

    db_close(w->db);
    w->db = t->server ? db_open_mariadb(&t->address, &w->error)
                      : db_open_sqlite(t->file,
                                       !w->writes   ? DB_READER
                                       : t->o.guest ? DB_GUEST
                                                    : DB_WRITER,
                                       &w->error);
    if (!w->db)
        return w->error.code;
    w->error.code = 0;
    if ((w->writes || t->server) && schema_migrate(w->db, &w->error) < 0) {
        if (!w->error.code)
            w->error.code = -EAGAIN;
    } else if (w->writes && (open_slot(w) < 0 || count_pending(w, 0) < 0)) {
        error_set(&w->error, w->db->gone ? -EAGAIN : -EIO, "%s", w->db->driver->error(w->db));
    }
    if (w->error.code < 0) {
        db_close(w->db);
        w->db = NULL;
    }
    return w->error.code;
}

/* Whether there is a connection; makes one when it is time to try. */
static bool connected(struct store_thread *w)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (w->db && !w->db->gone)
        return true;
    if (w->db) {
        error_set(&w->error, -EAGAIN, "the connection to the database is lost: %s", w->db->driver->error(w->db));
        db_close(w->db);
        w->db = NULL;
    }
    if (now_ms < w->retry_ms)
        return false;
    if (connect_now(w) == 0) {
        w->wait_ms = 0;
        return true;
    }
    w->wait_ms = w->wait_ms ? w->wait_ms * 2 : RETRY_MIN_MS;
    if (w->wait_ms > RETRY_MAX_MS)
        w->wait_ms = RETRY_MAX_MS;
    /* from when it failed: the try itself may have taken long; nodes that lost it together come back apart */
    w->retry_ms = clock_monotonic_ms() + w->wait_ms / 2 + (uint64_t)random() % (w->wait_ms / 2 + 1);
    return false;
}

/* --- replies --- */

/* The same message may be tried again after a failed transaction: its reply starts from nothing. */
static void renew_reply(struct request *r)
{
    msg_unref(r->reply ? &r->reply->m.head : NULL);
    r->reply = STORE_MESSAGE(STORE_REPLY, store_reply);
}

static void fail_reply(struct store_reply *r, int result, const char *words)
{
    r->status = result == DB_FULL                         ? STORE_NO_SPACE
                : result == DB_GONE || result == DB_AGAIN ? STORE_AWAY
                                                          : STORE_BROKEN;
    r->permanent = false;
    snprintf(r->error, sizeof r->error, "%s", result == DB_FULL ? "the disk of the database is full" : words);
    r->image_count = r->face_count = r->person_count = r->photo_count = r->template_count = 0;
    r->changed = 0;
}

/* A refused request changed nothing: what the operation filled in before it refused does not hold. */
static void clear_refused_reply(struct store_reply *r)
{
    r->image_count = r->face_count = r->person_count = r->photo_count = r->template_count = 0;
    r->id = r->changed = 0;
    r->more = false;
}

/* Nobody's write is in: says so to each, with what the database said. */
static void fail_all(struct request *first, int result, const char *words)
{
    for (struct request *r = first; r; r = r->next) {
        if (!r->reply)
            renew_reply(r);
        if (r->reply->status == STORE_OK || r->reply->status == STORE_BROKEN || result == DB_GONE)
            fail_reply(r->reply, result, words);
    }
}

/* --- writing --- */

struct group { /* one transaction under way */
    struct store_thread *w;
    int64_t now_ms;
    struct op sum; /* what all of it adds to the counts */
    bool again;
};

static struct op op_for(struct group *g, struct store_reply *reply)
{
    return (struct op){.db = g->w->db,
                       .d = g->w->db->driver,
                       .reply = reply,
                       .arena = &reply->m.arena,
                       .now_ms = g->now_ms,
                       .rows_waiting = g->w->pending,
                       .queue_limit = g->w->of->o.queue_limit,
                       .again = g->again};
}

static void add_up(struct group *g, const struct op *op)
{
    for (int i = 0; i < IMAGE_STATUSES; i++)
        g->sum.tally[i] += op->tally[i];
    g->sum.unknown += op->unknown;
    g->w->pending += op->tally[IMAGE_PENDING];
    g->sum.made_events |= op->made_events;
}

/* Runs one operation. A statement that failed fails the operation, whether or not the operation looked at its result.
 */
static int run_operation(struct op *op, const struct msg *m)
{
    int result;

    db_begin_operation(op->db);
    result = store_ops[m->type - STORE_SUBMIT](op, m);
    return op->db->failure ? op->db->failure : result;
}

static int run_one(struct group *g, struct request *r)
{
    struct op op = op_for(g, r->reply);
    int64_t changes = g->w->db->driver->total_changes(g->w->db);
    int result = run_operation(&op, r->m);

    if (result == DB_REFUSED)
        clear_refused_reply(r->reply);
    if (result == DB_REFUSED && g->w->db->driver->total_changes(g->w->db) == changes)
        return 0; /* it wrote nothing: there is nothing to roll back */
    if (result >= 0)
        add_up(g, &op);
    return result;
}

/* Submissions that stand together in the queue are one insert. Returns the last of them in `r`. */
static int run_submissions(struct group *g, struct request **r)
{
    const struct store_submit *m[GROUP_MAX];
    struct store_reply *replies[GROUP_MAX];
    struct op op;
    int count = 0, result;

    for (struct request *at = *r; at && at->m->type == STORE_SUBMIT && count < GROUP_MAX; at = at->next) {
        renew_reply(at);
        m[count] = (const struct store_submit *)at->m;
        replies[count++] = at->reply;
        *r = at;
    }
    op = op_for(g, replies[0]);
    db_begin_operation(op.db);
    result = op_submit_many(&op, m, replies, count);
    if (op.db->failure)
        result = op.db->failure;
    if (result >= 0)
        add_up(g, &op);
    return result;
}

static int run_together(struct group *g, struct request *first)
{
    int result = 0;

    for (struct request *r = first; r && result >= 0; r = r->next) {
        if (r->m->type == STORE_SUBMIT) {
            result = run_submissions(g, &r);
        } else {
            renew_reply(r);
            result = run_one(g, r);
        }
    }
    return result;
}

/* Each operation in a savepoint: one that fails or refuses is rolled back to it, the others go on. */
static int run_apart(struct group *g, struct request *first)
{
    struct db *db = g->w->db;
    int result = 0;

    for (struct request *r = first; r && result >= 0; r = r->next) {
        renew_reply(r);
        if ((result = db_run(db, "SAVEPOINT one")) < 0)
            return result;
        if ((result = run_one(g, r)) < 0) {
            if (result != DB_REFUSED)
                fail_reply(r->reply, result, db->driver->error(db));
            r->reply->permanent = result == DB_ERROR; /* alone in its savepoint: its values are the cause */
            if (db->gone || db->again || result == DB_FULL || result == DB_IO || !db->driver->in_transaction(db))
                return result; /* it is not this one's fault alone */
            result = db_run(db, "ROLLBACK TO SAVEPOINT one");
        }
        if (result >= 0)
            result = db_run(db, "RELEASE SAVEPOINT one");
    }
    return result;
}

static int write_tally(struct group *g)
{
    struct db *db = g->w->db;
    struct db_statement *s = db_query(
        db, "UPDATE tally SET pending = pending + ?, processed = processed + ?, failed = failed + ?, processing = "
            "processing + ?, unknown = unknown + ? WHERE id = ?");
    bool any = g->sum.unknown != 0;

    for (int i = 0; i < IMAGE_STATUSES; i++) {
        any |= g->sum.tally[i] != 0;
        db->driver->bind_int(s, i + 1, g->sum.tally[i]);
    }
    db->driver->bind_int(s, 5, g->sum.unknown);
    db->driver->bind_int(s, 6, g->w->slot);
    if (any)
        return db_finish(db, s);
    db->driver->reset(s);
    return 0;
}

/* One transaction, tried to its commit; on a failure nothing of it is in, unless DB_GONE comes of the commit itself:
 * then nobody knows, and `g->again` says so. */
static int try_group(struct group *g, struct request *first, int (*run)(struct group *g, struct request *first))
{
    struct threads *t = g->w->of;
    struct db *db = g->w->db;
    int64_t pending_before = g->w->pending;
    int result;

    db->again = 0;
    db->steps = INT_MIN; /* injected errors hit operations and what follows them, not the BEGIN */
    g->sum = (struct op){0};
    result = db_run(db, "{BEGIN IMMEDIATE|START TRANSACTION}");
    if (result >= 0) {
        g->now_ms = db->driver->clock_ms(db);
        result = g->now_ms < 0 ? (int)g->now_ms : 0;
    }
    if (result >= 0 && t->server && g->now_ms - g->w->pending_ms > COUNT_MS)
        result = count_pending(g->w, g->now_ms);
    if (result >= 0)
        result = run(g, first);
    if (result >= 0)
        result = write_tally(g);
    if (result >= 0 && (result = db_run(db, "COMMIT")) == DB_GONE)
        g->again = true;
    if (result >= 0)
        return result;
    g->w->pending = pending_before;
    result = db->gone ? DB_GONE : db->again ? DB_AGAIN : result;
    if (!db->gone && db->driver->in_transaction(db))
        db_run(db, "ROLLBACK");
    return result;
}

static void pause_ms(unsigned ms)
{
    struct timespec t = {.tv_nsec = (long)ms * 1000000};

    nanosleep(&t, NULL);
}

/* A savepoint copies every page it touches, which is a third of the cost of a small write. Almost no request fails,
 * so the group is first run without savepoints. If an operation fails, or refuses after it has written, the transaction
 * is rolled back and the group runs again with a savepoint for each operation. */
static void commit_group(struct store_thread *w, struct request *first, struct msg_done *done)
{
    struct group g = {.w = w};
    int result = DB_GONE;

    for (int n = 0; n < GROUP_TRIES && (result == DB_GONE || result == DB_AGAIN); n++) {
        if (!connected(w)) {
            result = DB_GONE;
            break;
        }
        if (result == DB_AGAIN)
            pause_ms((unsigned)random() % 30 + 1);
        result = try_group(&g, first, run_together);
        if (result == DB_ERROR || result == DB_REFUSED)
            result = try_group(&g, first, run_apart);
    }
    done->made_events = result >= 0 && g.sum.made_events;
    done->broken = result == DB_IO;
    done->away = result == DB_GONE;
    if (result < 0) {
        snprintf(done->words, sizeof done->words, "%s%s", w->db ? w->db->driver->error(w->db) : w->error.text,
                 g.again ? "; whether it is stored is not known: repeat it, nothing is stored twice" : "");
        fail_all(first, result, done->words);
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

/* One that nobody receives any more, at the end of the program. */
static void destroy_done(struct msg *m)
{
    requests_free(((struct msg_done *)m)->first);
}

static struct msg_done *done_new(struct request *first)
{
    struct msg_done *done = (struct msg_done *)msg_new(STORE_DONE, sizeof *done);

    done->head.destroy = destroy_done;
    done->first = first;
    return done;
}

static void *run_writer(void *arg)
{
    struct store_thread *w = arg;
    struct request *first;

    while ((first = take(w->queue, GROUP_MAX))) {
        struct msg_done *done = done_new(first);

        commit_group(w, first, done);
        actor_post(w->of->system, w->of->actor, &done->head);
    }
    return NULL;
}

/* --- reading --- */

static int read_one(struct store_thread *w, struct request *r)
{
    struct group g = {.w = w};
    struct op op;
    int result, end = 0;

    renew_reply(r);
    w->db->steps = INT_MIN;
    if ((g.now_ms = w->db->driver->clock_ms(w->db)) < 0)
        return (int)g.now_ms;
    op = op_for(&g, r->reply);
    /* One view for all statements of an operation. */
    if ((result = db_run(w->db, "{BEGIN|START TRANSACTION READ ONLY}")) < 0)
        return result;
    result = run_operation(&op, r->m);
    if (!w->db->gone)
        end = db_run(w->db, "COMMIT");
    if (end < 0 && !w->db->gone && w->db->driver->in_transaction(w->db))
        db_run(w->db, "ROLLBACK"); /* else the next BEGIN would fail */
    if (result >= 0 && end < 0)
        result = end;
    return w->db->gone ? DB_GONE : result == DB_REFUSED ? 0 : result;
}

static void *run_reader(void *arg)
{
    struct store_thread *w = arg;
    struct request *r;

    while ((r = take(w->queue, 1))) {
        struct msg_done *done = done_new(r);
        int result = DB_GONE;

        for (int n = 0; n < 2 && result == DB_GONE && connected(w); n++) /* a read can be repeated */
            result = read_one(w, r);
        done->away = result == DB_GONE;
        if (result < 0) {
            snprintf(done->words, sizeof done->words, "%s", w->db ? w->db->driver->error(w->db) : w->error.text);
            fail_all(r, result, done->words);
        }
        actor_post(w->of->system, w->of->actor, &done->head);
    }
    return NULL;
}

/* --- life --- */

int threads_open(struct threads *t, struct error *error)
{
    struct queue *queues[] = {&t->writes, &t->reads};
    int status;

    for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&queues[i]->lock, NULL);
        pthread_cond_init(&queues[i]->some, NULL);
    }
    t->reader_count = t->server ? READERS_MAX : 1;
    t->writer_count = t->server ? WRITERS_MAX : 1;
    for (int i = 0; i < t->writer_count; i++)
        t->writers[i] = (struct store_thread){.of = t, .queue = &t->writes, .writes = true, .slot = t->tally_slot + i};
    for (int i = 0; i < t->reader_count; i++)
        t->readers[i] = (struct store_thread){.of = t, .queue = &t->reads};
    if ((status = connect_now(&t->writers[0])) < 0) {
        *error = t->writers[0].error;
        return status;
    }
    if (!t->server && (status = connect_now(&t->readers[0])) < 0)
        *error = t->readers[0].error;
    return status;
}

static void start(struct store_thread *w, void *(*run)(void *arg), const char *name)
{
    if (pthread_create(&w->thread, NULL, run, w))
        abort();
    pthread_setname_np(w->thread, name);
    w->running = true;
}

void threads_start(struct threads *t)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are the loop's business */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < t->writer_count; i++)
        start(&t->writers[i], run_writer, "store-write");
    for (int i = 0; i < t->reader_count; i++)
        start(&t->readers[i], run_reader, "store-read");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_queue(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->some);
    pthread_mutex_unlock(&q->lock);
}

static void join(struct store_thread *w)
{
    if (w->running)
        pthread_join(w->thread, NULL);
    w->running = false;
}

void threads_stop(struct threads *t)
{
    if (!t->writer_count)
        return;
    stop_queue(&t->writes);
    stop_queue(&t->reads);
    for (int i = 0; i < t->reader_count; i++)
        join(&t->readers[i]);
    for (int i = 0; i < t->writer_count; i++)
        join(&t->writers[i]);
}

void threads_close(struct threads *t)
{
    if (!t->writer_count)
        return;
    threads_stop(t);
    for (int i = 0; i < t->reader_count; i++)
        db_close(t->readers[i].db);
    for (int i = 0; i < t->writer_count; i++)
        db_close(t->writers[i].db); /* the last: SQLite's checkpoints */
    pthread_mutex_destroy(&t->writes.lock);
    pthread_cond_destroy(&t->writes.some);
    pthread_mutex_destroy(&t->reads.lock);
    pthread_cond_destroy(&t->reads.some);
}
