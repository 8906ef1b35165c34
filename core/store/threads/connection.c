/* Opening and replacing the connection of a thread. */
#include "core/store/threads/threads_internal.h"

#include "core/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum { RETRY_MIN_MS = 100, RETRY_MAX_MS = 3000 };

int connection_count_pending(struct store_thread *w, int64_t now_ms)
{
    struct store_reply *reply = STORE_MESSAGE(STORE_REPLY, store_reply);
    struct op op = {.db = w->db, .d = w->db->driver, .reply = reply, .arena = &reply->m.arena};
    int result = op_status_counts(&op, NULL);

    w->pending = reply->counts.by_status[IMAGE_PENDING];
    w->pending_ms = now_ms;
    msg_unref(&reply->m.head);
    return result;
}

static int connection_open_slot(struct store_thread *w)
{
    struct db_statement *s = db_query(w->db, "{INSERT OR IGNORE|INSERT IGNORE} INTO status_counts(id, pending, "
                                             "processed, failed, processing, unknown) VALUES(?, 0, 0, 0, 0, 0)");

    w->db->driver->bind_int(s, 1, w->slot);
    return db_finish(w->db, s);
}

/* After an upgrade this may be all people: each batch is a transaction of its own, so that other nodes do not wait. */
static int connection_adopt_people(struct store_thread *w)
{
    int result;

    do {
        struct store_reply *reply = STORE_MESSAGE(STORE_REPLY, store_reply);
        struct op op = {.db = w->db, .d = w->db->driver, .reply = reply, .arena = &reply->m.arena};

        if ((result = db_run(w->db, "{BEGIN IMMEDIATE|START TRANSACTION}")) >= 0)
            result = op_adopt_people_batch(&op);
        if (db_run(w->db, result < 0 ? "ROLLBACK" : "COMMIT") < 0)
            result = DB_ERROR;
        msg_unref(&reply->m.head);
    } while (result > 0);
    return result == DB_CONFLICT ? 0 : result; /* the next change of people adopts the others */
}

int connection_open(struct store_thread *w)
{
    struct threads *t = w->of;

    db_close(w->db);
    w->db = t->server ? db_open_mariadb(&t->address, &w->error)
                      : db_open_sqlite(t->file,
                                       !w->writes          ? DB_READER
                                       : t->o.without_lock ? DB_WRITER_BESIDE
                                                           : DB_WRITER,
                                       &w->error);
    if (!w->db)
        return w->error.code;
    w->db->steps = INT_MIN; /* injected errors hit operations only */
    w->error.code = 0;
    if ((w->writes || t->server) && schema_migrate(w->db, &w->error) < 0) {
        if (!w->error.code)
            w->error.code = -EAGAIN;
    } else if (w->writes &&
               (connection_open_slot(w) < 0 || connection_adopt_people(w) < 0 || connection_count_pending(w, 0) < 0)) {
        error_set(&w->error, w->db->gone ? -EAGAIN : -EIO, "%s", w->db->driver->error(w->db));
    }
    if (w->error.code < 0 && (w->db->failure == DB_DAMAGED || w->db->unprepared == DB_DAMAGED))
        db_explain_damage(&w->error, t->file, w->db->driver->error(w->db));
    if (w->error.code < 0) {
        db_close(w->db);
        w->db = NULL;
    }
    return w->error.code;
}

bool connection_ready(struct store_thread *w)
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
    if (connection_open(w) == 0) {
        w->wait_ms = 0;
        return true;
    }
    w->wait_ms = w->wait_ms ? w->wait_ms * 2 : RETRY_MIN_MS;
    if (w->wait_ms > RETRY_MAX_MS)
        w->wait_ms = RETRY_MAX_MS;
    /* counted from the failure, as the try may have taken long; random, so that nodes do not return all at once */
    w->retry_ms = clock_monotonic_ms() + w->wait_ms / 2 + (uint64_t)random() % (w->wait_ms / 2 + 1);
    return false;
}
