/* The actor "store": passes requests to its threads and sends their answers; opening and closing. */
#include "core/store/store.h"

#include "core/actor/system.h"
#include "core/base/disk.h"
#include "core/base/log/log.h"
#include "core/base/must.h"
#include "core/store/threads/threads.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct store {
    struct threads threads;
    int lock_fd;
    uint64_t recount_begun_ms;
    bool reads_away, writes_away; /* the database cannot be reached, or a server refuses writes; one was logged */
    bool damaged;                 /* its file is damaged, and the program was told to end */
};

static void store_message_free(struct msg *m)
{
    arena_free(&((struct store_message_head *)m)->arena);
}

void *store_message_new(uint32_t type, size_t size)
{
    struct msg *m = msg_new(type, size);

    assert(size >= sizeof(struct store_message_head));
    m->destroy = store_message_free;
    return m;
}

/* --- answers --- */

static struct store *store_of(struct actor *self)
{
    return (struct store *)(uintptr_t)actor_config(self);
}

static void store_log_reachability(struct store *store, const struct msg_done *done)
{
    const bool before = store->reads_away || store->writes_away;

    *(done->first->m->type < STORE_FIRST_READ ? &store->writes_away : &store->reads_away) = done->away;
    if ((store->reads_away || store->writes_away) == before)
        return;
    if (done->away)
        log_event(LOG_ERROR, "database away", LOG_STR("reason", done->cause));
    else
        log_event(LOG_INFO, "database back", LOG_STR("database", store->threads.server ? "mariadb" : "sqlite"));
}

/* Nothing can be repaired here, and a restart of the actor would meet the same page: the program ends. */
static void store_end_damaged(struct actor *self, const struct msg_done *done)
{
    struct store *store = store_of(self);
    struct error error;

    if (store->damaged)
        return;
    store->damaged = true;
    db_explain_damage(&error, store->threads.file, done->cause);
    if (store->threads.o.give_up)
        store->threads.o.give_up(store->threads.o.context, error.text);
}

static void store_answer_all(struct actor *self, struct msg_done *done)
{
    store_log_reachability(store_of(self), done);
    if (done->damaged)
        store_end_damaged(self, done);
    else if (done->cause[0] && !done->away)
        log_event(LOG_ERROR, "transaction failed", LOG_STR("reason", done->cause));
    for (struct request *r = done->first; r; r = r->next) {
        if (r->cause[0])
            log_event(LOG_ERROR, "database refused", LOG_INT("operation", r->m->type - STORE_SUBMIT),
                      LOG_STR("reason", r->cause));
        /* A big page is held by its reader, who asked for it; a mailbox need not count it. */
        actor_answer(self, r->token, &r->reply->m.head);
        r->reply = NULL;
    }
    requests_free(done->first);
    done->first = NULL;
    if (done->made_events)
        actor_tell(self, "events", msg_new(STORE_CHANGED, sizeof(struct msg)));
    if (done->broken)
        actor_fail(self, "the database cannot write: stopping before more is promised");
}

/* Reads that serve one HTTP request. The others may serve several askers at once. */
static bool store_is_clients_read(uint32_t type)
{
    return type == STORE_IMAGE || type == STORE_IMAGES || type == STORE_PEOPLE || type == STORE_PHOTOS ||
           type == STORE_UNKNOWN_PEOPLE || type == STORE_FACE || type == STORE_MERGES || type == STORE_PORTRAIT;
}

/* --- recounts --- */

enum { TIMER_RECOUNT = 1 };
enum {
    RECOUNT_FIRST_MS = 1000,
    RECOUNT_TIMEOUT_MS = 600000,
    RECOUNT_SHARE = 100 /* a recount takes at most this part of the time */
};

static void store_on_corrected(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;

    (void)self, (void)context;
    if (status == ACTOR_OK && r->changed)
        log_event(LOG_INFO, "status counts corrected", LOG_STR("cause", "another program changed images"));
}

static void store_on_recounted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    const struct store *store = store_of(self);
    uint64_t took_ms = actor_now_ms(self) - store->recount_begun_ms, wait_ms = (uint64_t)store->threads.o.recount_ms;

    (void)context;
    actor_after(self, took_ms * RECOUNT_SHARE > wait_ms ? took_ms * RECOUNT_SHARE : wait_ms, TIMER_RECOUNT);
    if (status == ACTOR_OK && r->status == STORE_OK && r->changed) {
        struct store_counts *m = STORE_MESSAGE(STORE_CORRECT_COUNTS, store_counts);

        m->counts = r->counts;
        m->corrections = r->next;
        actor_ask(self, "store", &m->m.head, RECOUNT_TIMEOUT_MS, store_on_corrected, NULL);
    }
}

static void store_timer(struct actor *self, uint32_t timer_id)
{
    (void)timer_id;
    store_of(self)->recount_begun_ms = actor_now_ms(self);
    actor_ask(self, "store", &STORE_MESSAGE(STORE_RECOUNT, store_list)->m.head, RECOUNT_TIMEOUT_MS, store_on_recounted,
              NULL);
}

static int store_start(struct actor *self)
{
    if (store_of(self)->threads.o.recount_ms)
        actor_after(self, RECOUNT_FIRST_MS, TIMER_RECOUNT);
    return 0;
}

/* --- the actor --- */

static void store_receive(struct actor *self, const struct msg *m)
{
    struct threads *t = &store_of(self)->threads;
    struct request *r;

    if (m->type == STORE_DONE) {
        store_answer_all(self, (struct msg_done *)(uintptr_t)m);
        return;
    }
    r = calloc(1, sizeof *r);
    if (!r)
        out_of_memory();
    r->m = msg_ref(m);
    r->skip_cancelled = store_is_clients_read(m->type);
    r->sender = actor_sender(self);
    r->token = actor_defer(self);
    queue_put(m->type < STORE_FIRST_READ ? &t->writes : &t->reads, r);
}

static const uint32_t store_accepts[] = {STORE_DONE, 0};

static const struct actor_ops store_actor = {.name = "store",
                                             .accepts = store_accepts,
                                             .accepts_first = STORE_SUBMIT,
                                             .accepts_last = STORE_REPLY - 1,
                                             .start = store_start,
                                             .receive = store_receive,
                                             .timer = store_timer};

/* --- opening and closing --- */

bool store_schema(const char *database, void (*line)(void *context, const char *sql), void *context)
{
    bool mariadb = strcmp(database, "mariadb") == 0;

    if (!mariadb && strcmp(database, "sqlite") != 0)
        return false;
    schema_print(mariadb ? DIALECT_MARIADB : DIALECT_SQLITE, line, context);
    return true;
}

static int store_lock_folder(struct store *store, const char *folder, struct error *error)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/kith.lock", folder);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (store->lock_fd < 0)
        return error_set(error, -errno, "KITH_DATA: %s: %s", path, strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(error, -EBUSY, "KITH_DATA: another kith uses %s", folder);
    return 0;
}

/* Each node counts in rows of its own, so that commits do not wait for each other. Two nodes with the same hash wait.
 */
static int64_t store_counts_slot(const char *node)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *node; node++)
        hash = (hash ^ (uint8_t)*node) * 16777619u;
    return 1 + (int64_t)(hash % 1000000) * WRITERS_MAX;
}

static int store_prepare(struct store *store, const struct store_options *o, struct error *error)
{
    struct threads *t = &store->threads;

    t->o = *o;
    if ((mkdir(o->folder, 0750) < 0 && errno != EEXIST) || disk_sync_parent(o->folder) < 0)
        return error_set(error, -errno, "KITH_DATA: cannot make %s: %s", o->folder, strerror(errno));
    if (!o->without_lock && store_lock_folder(store, o->folder, error) < 0)
        return -1;
    if (strcmp(o->database, "sqlite") == 0) {
        snprintf(t->file, sizeof t->file, "%s/kith.db", o->folder);
        return 0;
    }
    t->server = true;
    t->address.timeout_s = o->timeout_ms ? (unsigned)((o->timeout_ms + 999) / 1000) : 5;
    t->address.password = o->password;
    t->address.password_file = o->password_file;
    t->address.relaxed = o->relaxed;
    t->address.ca = o->ca;
    t->counts_slot = store_counts_slot(o->node ? o->node : "");
    return db_address_parse(o->database, &t->address, error);
}

struct store *store_open(const struct store_options *options, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    int status;

    if (!store)
        out_of_memory();
    store->lock_fd = -1;
    if (store_prepare(store, options, error) < 0)
        goto fail;
    status = threads_open(&store->threads, error);
    if (status == -EAGAIN && store->threads.server) { /* requests are refused until it can be reached */
        store->reads_away = store->writes_away = true;
        log_event(LOG_ERROR, "database away", LOG_STR("reason", error->text));
    } else if (status < 0) {
        goto fail;
    }
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

    store->threads.system = system;
    store->threads.actor = actor_spawn(system, &spec);
    threads_start(&store->threads);
}

void store_detach(struct store *store)
{
    threads_stop(&store->threads);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    threads_close(&store->threads);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store);
}

int store_backup(const char *folder, const char *file, int64_t *bytes, struct error *error)
{
    char from[4096], part[4096];
    struct stat st = {0};
    int fd, status;

    snprintf(from, sizeof from, "%s/kith.db", folder);
    snprintf(part, sizeof part, "%s.part", file);
    if (access(from, R_OK) < 0)
        return error_set(error, -errno, "KITH_DATA: %s: %s", from, strerror(errno));
    if ((fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return error_set(error, -errno, "%s: %s", file, strerror(errno));
    close(fd);
    unlink(part);
    status = db_backup_sqlite(from, part, error);
    if (status == 0 && (stat(part, &st) < 0 || rename(part, file) < 0))
        status = error_set(error, -errno, "%s: %s", file, strerror(errno));
    if (status < 0) {
        unlink(part);
        unlink(file);
        return status;
    }
    *bytes = st.st_size;
    return 0;
}

int store_compact(const char *folder, int64_t *before, int64_t *after, struct error *error)
{
    struct store owner = {.lock_fd = -1};
    char file[4096];
    struct stat st = {0};
    int status;

    snprintf(file, sizeof file, "%s/kith.db", folder);
    if (stat(file, &st) < 0)
        return error_set(error, -errno, "KITH_DATA: %s: %s", file, strerror(errno));
    *before = st.st_size;
    if ((status = store_lock_folder(&owner, folder, error)) < 0)
        return status;
    status = db_compact_sqlite(file, error);
    if (status == 0 && stat(file, &st) < 0)
        status = error_set(error, -errno, "%s: %s", file, strerror(errno));
    *after = st.st_size;
    close(owner.lock_fd);
    return status;
}
