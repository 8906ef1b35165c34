/* The threads behind the actor "store", and the group commit.
 *
 *   actor ──ask──▶ writes ──▶ writer thread: BEGIN, a savepoint each, COMMIT ──▶ all answered
 *           ╲────▶ reads  ──▶ reader thread: one at a time ──▶ answered
 *
 * A request waits in a list that the actor's asks bound; whatever waits when the writer is free becomes one
 * transaction, so under load commits grow instead of queues.
 */
#include "core/store/store.h"

#include "core/actor/system.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one transaction: enough to make the cost of a commit vanish, few enough to answer soon. */
enum { GROUP_MAX = 1024 };

struct request {
    struct request *next;
    struct msg *m; /* held by the actor's side: released on the loop */
    struct store_reply *reply;
    actor_token token;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct request *first, *last; /* under lock */
    bool stopping;
    pthread_t thread;
    bool running;
};

struct store {
    struct db *writer, *reader;
    struct actor_system *system;
    struct actor *actor;
    struct queue writes, reads;
    int lock_fd;
    int64_t queue_limit;
    int64_t pending; /* writer thread: rows that wait, for the limit */
};

struct msg_done { /* what a thread posts: a list of answered requests */
    struct msg head;
    struct request *first;
    bool made_events, broken;
};

static const op_fn ops[] = {
    [STORE_SUBMIT - STORE_SUBMIT] = op_submit,
    [STORE_CLAIM - STORE_SUBMIT] = op_claim,
    [STORE_RENEW - STORE_SUBMIT] = op_renew,
    [STORE_FINISH - STORE_SUBMIT] = op_finish,
    [STORE_REAP - STORE_SUBMIT] = op_reap,
    [STORE_RETRY - STORE_SUBMIT] = op_retry,
    [STORE_DELETE - STORE_SUBMIT] = op_delete,
    [STORE_PERSON_ADD - STORE_SUBMIT] = op_person_add,
    [STORE_PERSON_RENAME - STORE_SUBMIT] = op_person_rename,
    [STORE_PERSON_DELETE - STORE_SUBMIT] = op_person_delete,
    [STORE_PHOTO_ADD - STORE_SUBMIT] = op_photo_add,
    [STORE_PHOTO_DELETE - STORE_SUBMIT] = op_photo_delete,
    [STORE_NAME_FACE - STORE_SUBMIT] = op_name_face,
    [STORE_RESOLVE - STORE_SUBMIT] = op_resolve,
    [STORE_KNOWN_FILE - STORE_SUBMIT] = op_known_file,
    [STORE_QUARANTINE - STORE_SUBMIT] = op_quarantine,
    [STORE_PRUNE - STORE_SUBMIT] = op_prune,
    [STORE_IMAGE - STORE_SUBMIT] = op_image,
    [STORE_IMAGES - STORE_SUBMIT] = op_images,
    [STORE_EVENTS - STORE_SUBMIT] = op_events,
    [STORE_TALLY - STORE_SUBMIT] = op_tally,
    [STORE_PEOPLE - STORE_SUBMIT] = op_people,
    [STORE_PHOTOS - STORE_SUBMIT] = op_photos,
    [STORE_TEMPLATES - STORE_SUBMIT] = op_templates,
    [STORE_UNKNOWN_FACES - STORE_SUBMIT] = op_unknown_faces,
    [STORE_FACE - STORE_SUBMIT] = op_face,
    [STORE_KNOWN_FILES - STORE_SUBMIT] = op_known_files,
    [STORE_PATH_IN_USE - STORE_SUBMIT] = op_path_in_use,
    [STORE_QUARANTINED - STORE_SUBMIT] = op_quarantined,
};

static void free_arena(struct msg *m)
{
    arena_free(&((struct store_message_head *)m)->arena);
}

void *store_message_new(uint32_t type, size_t size)
{
    struct msg *m = msg_new(type, size);

    assert(size >= sizeof(struct store_message_head));
    m->destroy = free_arena;
    return m;
}

/* --- threads --- */

static struct request *take_all(struct queue *q, int max)
{
    struct request *first, *last;

    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->stopping)
        pthread_cond_wait(&q->some, &q->lock);
    first = last = q->first; /* when stopping, what waits is still done: it was asked before */
    for (int i = 1; last && last->next && i < max; i++)
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

static void put(struct queue *q, struct request *r)
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

static struct op op_for(struct db *db, struct request *r)
{
    return (struct op){
        .db = db, .d = db->driver, .reply = r->reply, .arena = &r->reply->m.arena, .now_ms = clock_wall_ms()};
}

static void fail_reply(struct store_reply *reply, int result, const char *words)
{
    reply->status = result == DB_FULL ? STORE_NO_SPACE : STORE_BROKEN;
    snprintf(reply->error, sizeof reply->error, "%s", result == DB_FULL ? "the disk of the database is full" : words);
    reply->image_count = reply->face_count = reply->person_count = reply->photo_count = reply->template_count = 0;
    reply->changed = 0;
}

/* The same message may be tried again after a failed transaction: its reply starts from nothing. */
static void renew_reply(struct request *r)
{
    msg_unref(r->reply ? &r->reply->m.head : NULL);
    r->reply = STORE_MESSAGE(STORE_REPLY, store_reply);
}

/* Nobody's write is in: says so to each, with what the database said. */
static void fail_all(struct request *first, int result, const char *words)
{
    for (struct request *r = first; r; r = r->next) {
        if (!r->reply)
            renew_reply(r);
        if (r->reply->status == STORE_OK || r->reply->status == STORE_BROKEN)
            fail_reply(r->reply, result, words);
    }
}

static int run_one(struct store *store, struct request *r, struct op *sum)
{
    struct op op = op_for(store->writer, r);
    int result;

    op.rows_waiting = store->pending;
    op.queue_limit = store->queue_limit;
    if ((result = ops[r->m->type - STORE_SUBMIT](&op, r->m)) < 0)
        return result;
    for (int i = 0; i < IMAGE_STATUSES; i++)
        sum->tally[i] += op.tally[i];
    sum->unknown += op.unknown;
    store->pending += op.tally[IMAGE_PENDING];
    sum->made_events |= op.made_events;
    return 0;
}

static int run_in_savepoint(struct store *store, struct request *r, struct op *sum)
{
    struct db *db = store->writer;
    int result;

    if ((result = db_run(db, "SAVEPOINT one")) < 0)
        return result;
    result = run_one(store, r, sum);
    if (result < 0) {
        fail_reply(r->reply, result, db->driver->error(db));
        if (!db->driver->in_transaction(db))
            return result; /* the database rolled all of it back by itself */
        if (db_run(db, "ROLLBACK TO one") < 0)
            return result;
    }
    return db_run(db, "RELEASE one") < 0 || result == DB_FULL || result == DB_IO ? DB_FULL : 0;
}

static int write_tally(struct db *db, const struct op *sum)
{
    struct db_statement *s = db_query(
        db, "UPDATE tally SET pending = pending + ?, processed = processed + ?, failed = failed + ?, processing = "
            "processing + ?, unknown = unknown + ?");
    bool any = sum->unknown != 0;

    for (int i = 0; i < IMAGE_STATUSES; i++) {
        any |= sum->tally[i] != 0;
        db->driver->bind_int(s, i + 1, sum->tally[i]);
    }
    db->driver->bind_int(s, 5, sum->unknown);
    if (any)
        return db_finish(db, s);
    db->driver->reset(s);
    return 0;
}

/* One transaction, tried to its commit; on a failure nothing of it is in. `each` runs one request. */
static int try_group(struct store *store, struct request *first, struct msg_done *done,
                     int (*each)(struct store *store, struct request *r, struct op *sum))
{
    struct db *db = store->writer;
    struct op sum = {0};
    int64_t pending_before = store->pending;
    int result = db_run(db, "BEGIN IMMEDIATE");

    for (struct request *r = first; r && result >= 0; r = r->next) {
        renew_reply(r);
        result = each(store, r, &sum);
    }
    if (result >= 0)
        result = write_tally(db, &sum);
    if (result >= 0)
        result = db_run(db, "COMMIT");
    if (result < 0) {
        store->pending = pending_before;
        fail_all(first, result, db->driver->error(db));
        if (db->driver->in_transaction(db))
            db_run(db, "ROLLBACK");
    } else {
        done->made_events = sum.made_events;
    }
    return result;
}

/* A savepoint copies every page it touches, which is a third of the cost of a small write. Almost no request fails:
 * so the group is tried without; when one fails, again with a savepoint each, and only that one is refused. */
static void commit_group(struct store *store, struct request *first, struct msg_done *done)
{
    int result = try_group(store, first, done, run_one);

    if (result < 0 && result != DB_FULL && result != DB_IO)
        result = try_group(store, first, done, run_in_savepoint);
    done->broken = result == DB_IO;
}

static void *run_writer(void *arg)
{
    struct store *store = arg;
    struct request *first;

    while ((first = take_all(&store->writes, GROUP_MAX))) {
        struct msg_done *done = (struct msg_done *)msg_new(STORE_DONE, sizeof *done);

        commit_group(store, first, done);
        done->first = first;
        actor_post(store->system, store->actor, &done->head);
    }
    return NULL;
}

static void *run_reader(void *arg)
{
    struct store *store = arg;
    struct request *r;

    while ((r = take_all(&store->reads, 1))) {
        struct msg_done *done = (struct msg_done *)msg_new(STORE_DONE, sizeof *done);
        struct op op;
        int result;

        renew_reply(r);
        op = op_for(store->reader, r);
        db_run(store->reader, "BEGIN"); /* one view for all statements of an operation */
        result = ops[r->m->type - STORE_SUBMIT](&op, r->m);
        if (result < 0)
            fail_reply(r->reply, result, store->reader->driver->error(store->reader));
        db_run(store->reader, "COMMIT");
        done->first = r;
        actor_post(store->system, store->actor, &done->head);
    }
    return NULL;
}

/* --- the actor --- */

static void answer_all(struct actor *self, const struct msg_done *done)
{
    struct request *next;

    for (struct request *r = done->first; r; r = next) {
        next = r->next;
        /* A big page is held by its reader, who asked for it; a mailbox need not count it. */
        actor_answer(self, r->token, &r->reply->m.head);
        msg_unref(r->m);
        free(r);
    }
    if (done->made_events)
        actor_tell(self, "events", msg_new(STORE_CHANGED, sizeof(struct msg)));
    if (done->broken)
        actor_fail(self, "the database cannot write: stopping before more is promised");
}

static void store_receive(struct actor *self, const struct msg *m)
{
    struct store *store = (struct store *)(uintptr_t)actor_config(self);
    struct request *r;

    if (m->type == STORE_DONE) {
        answer_all(self, (const struct msg_done *)m);
        return;
    }
    assert(m->type >= STORE_SUBMIT && m->type < STORE_REPLY);
    r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->m = msg_ref(m);
    r->token = actor_defer(self);
    put(m->type < STORE_FIRST_READ ? &store->writes : &store->reads, r);
}

static const struct actor_ops store_actor = {.name = "store", .receive = store_receive};

/* --- opening and closing --- */

static int lock_folder(struct store *store, const char *folder, struct error *error)
{
    char path[4096];

    if (mkdir(folder, 0750) < 0 && errno != EEXIST)
        return error_set(error, -errno, "KITH_DATA: cannot make %s: %s", folder, strerror(errno));
    snprintf(path, sizeof path, "%s/kith.lock", folder);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (store->lock_fd < 0)
        return error_set(error, -errno, "KITH_DATA: %s: %s", path, strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(error, -EBUSY, "KITH_DATA: another kith uses %s", folder);
    return 0;
}

static int read_pending(struct store *store)
{
    struct request r = {.reply = STORE_MESSAGE(STORE_REPLY, store_reply)};
    struct op op = op_for(store->writer, &r);
    int result = op_tally(&op, NULL);

    store->pending = r.reply->tally[IMAGE_PENDING];
    msg_unref(&r.reply->m.head);
    return result;
}

struct store *store_open(const struct store_options *options, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    char file[4096];

    if (!store)
        abort();
    store->lock_fd = -1;
    store->queue_limit = options->queue_limit;
    pthread_mutex_init(&store->writes.lock, NULL);
    pthread_cond_init(&store->writes.some, NULL);
    pthread_mutex_init(&store->reads.lock, NULL);
    pthread_cond_init(&store->reads.some, NULL);
    if (strcmp(options->database, "sqlite") != 0) {
        error_set(error, -EINVAL, "KITH_DATABASE: this version stores in sqlite; “%s” is not supported yet",
                  strncmp(options->database, "mariadb://", 10) == 0 ? "mariadb" : options->database);
        goto fail;
    }
    if (lock_folder(store, options->folder, error) < 0)
        goto fail;
    snprintf(file, sizeof file, "%s/kith.db", options->folder);
    store->writer = db_open_sqlite(file, 1, error);
    if (!store->writer || schema_migrate(store->writer, error) < 0)
        goto fail;
    store->reader = db_open_sqlite(file, 0, error);
    if (!store->reader || read_pending(store) < 0)
        goto fail;
    return store;
fail:
    store_close(store);
    return NULL;
}

void store_attach(struct store *store, struct actor_system *system)
{
    struct actor_spec spec = {.name = "store",
                              .ops = &store_actor,
                              .config = store,
                              .mailbox_max = 65536,
                              .mailbox_max_bytes = (size_t)256 << 20};
    sigset_t all, before;

    store->system = system;
    store->actor = actor_spawn(system, &spec);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&store->writes.thread, NULL, run_writer, store) ||
        pthread_create(&store->reads.thread, NULL, run_reader, store))
        abort();
    pthread_setname_np(store->writes.thread, "store-write");
    pthread_setname_np(store->reads.thread, "store-read");
    store->writes.running = store->reads.running = true;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_queue(struct queue *q)
{
    if (!q->running)
        return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_signal(&q->some);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
    q->running = false;
}

void store_detach(struct store *store)
{
    stop_queue(&store->writes);
    stop_queue(&store->reads);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_detach(store);
    db_close(store->reader);
    db_close(store->writer); /* the last: it checkpoints */
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    pthread_mutex_destroy(&store->writes.lock);
    pthread_cond_destroy(&store->writes.some);
    pthread_mutex_destroy(&store->reads.lock);
    pthread_cond_destroy(&store->reads.some);
    free(store);
}
