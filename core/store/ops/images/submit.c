/* Submissions: all that wait are one INSERT of many rows; a path that exists keeps its row. An image that failed
 * because its file was missing waits again: the file may have come. Whether the file of another one has changed is
 * found out behind this (posted.c): no disk is read here. */
#include "core/store/store_internal.h"

#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one statement. Few sizes, so that each statement is prepared once. */
enum { MANY = 256, SOME = 16, KEY = PATH_KEY_BYTES };

#define ROW    "(?, ?, -1, 0, ?, ?, ?, ?, ?)"
#define ROW4   ROW ", " ROW ", " ROW ", " ROW
#define ROW16  ROW4 ", " ROW4 ", " ROW4 ", " ROW4
#define ROW64  ROW16 ", " ROW16 ", " ROW16 ", " ROW16
#define ROW256 ROW64 ", " ROW64 ", " ROW64 ", " ROW64
#define INSERT_ROWS(rows)                                                                                              \
    "{INSERT OR IGNORE|INSERT IGNORE} INTO images(path, path_key, person, status, sha256, spooled, filename, "         \
    "run_after, created_at) VALUES" rows " RETURNING id, path_key"

struct entry { /* one path of one submission */
    const struct store_submit *from;
    struct image *image;
    struct arena *arena; /* of the reply that has the image */
    const char *path;    /* as it is stored */
    uint8_t key[KEY];
};

static int submit_find_path(struct op *op, const char *path, const uint8_t *key, struct image *image)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, status, verdict, retryable, spooled, finished_at, file_size, file_mtime_ns, "
                         "filename FROM images WHERE " WHERE_PATH);
    int result;

    op_bind_path(op, s, 1, path, key);
    result = db_step(op->db, s);
    if (result == DB_ROW) {
        image->id = op->d->column_int(s, 0);
        image->status = (int)op->d->column_int(s, 1);
        image->verdict = (int)op->d->column_int(s, 2);
        image->cure = (int)op->d->column_int(s, 3);
        image->spooled = op->d->column_int(s, 4) != 0;
        image->finished_ms = op->d->column_int(s, 5);
        image->file = (struct file_stamp){op->d->column_int(s, 6), op->d->column_int(s, 7)};
        image->filename = op_text(op, s, 8);
        image->existing = true;
    }
    op->d->reset(s);
    return result;
}

/* Bytes that came without a name, or by path, get the name of this upload. */
static int submit_name(struct op *op, const struct entry *e)
{
    struct db_statement *s;

    if (!e->from->filename || e->image->filename || !e->image->spooled)
        return 0;
    s = db_query(op->db, "UPDATE images SET filename = ? WHERE id = ?");
    db_bind_text(op->db, s, 1, e->from->filename);
    op->d->bind_int(s, 2, e->image->id);
    e->image->filename = arena_text(op->arena, e->from->filename);
    return db_finish(op->db, s);
}

/* The row of a path that exists already. 0, or negative. */
static int submit_existing(struct op *op, const struct entry *e)
{
    struct image *image = e->image;
    int result;

    op->arena = e->arena;
    image->filename = NULL;
    result = submit_find_path(op, e->path, e->key, image);
    if (result != DB_ROW)
        return result < 0 ? result : DB_ERROR;
    if ((result = submit_name(op, e)) < 0)
        return result;
    if (image->status != IMAGE_FAILED || image->cure != CURE_FILE)
        return 0;
    if (op_requeue(op, image->id, image->status, image->verdict, 0) < 0)
        return DB_ERROR;
    image->status = IMAGE_PENDING;
    image->verdict = VERDICT_NONE;
    image->again = true;
    return 0;
}

/* Marks the entries whose rows the statement returns as inserted. They come in the order of `e`, with few exceptions.
 */
static int submit_read_inserted(struct op *op, struct db_statement *s, struct entry *e, int count)
{
    int at = 0, result;

    while ((result = db_step(op->db, s)) == DB_ROW) {
        size_t len;
        const void *key = op->d->column_blob(s, 1, &len);

        for (int tried = 0; tried < count && (e[at].image->id || memcmp(e[at].key, key, KEY) != 0); tried++)
            at = (at + 1) % count;
        e[at].image->id = op->d->column_int(s, 0);
        e[at].image->status = IMAGE_PENDING;
    }
    op->d->reset(s);
    return result;
}

/* Few submissions have a trace, so the INSERT has no column for it. */
static int submit_write_trace(struct op *op, const struct entry *e)
{
    struct db_statement *s = db_query(op->db, "UPDATE images SET trace = ? WHERE id = ?");

    op_bind_text(op, s, 1, e->from->trace, TRACE_BYTES);
    op->d->bind_int(s, 2, e->image->id);
    return db_finish(op->db, s);
}

static int submit_insert_rows(struct op *op, struct entry *e, int count)
{
    struct db_statement *s = db_query(op->db, count == MANY   ? INSERT_ROWS(ROW256)
                                              : count == SOME ? INSERT_ROWS(ROW16)
                                                              : INSERT_ROWS(ROW));
    int64_t fresh[MANY];
    int at = 0, n = 0, result;

    for (int i = 0; i < count; i++) {
        db_bind_text(op->db, s, ++at, e[i].path);
        op->d->bind_blob(s, ++at, e[i].key, KEY, 0);
        db_bind_text(op->db, s, ++at, e[i].from->sha256);
        op->d->bind_int(s, ++at, e[i].from->spooled);
        db_bind_text(op->db, s, ++at, e[i].from->filename);
        op->d->bind_int(s, ++at, op->now_ms);
        op->d->bind_int(s, ++at, op->now_ms);
    }
    if ((result = submit_read_inserted(op, s, e, count)) < 0)
        return result;
    for (int i = 0; i < count; i++) {
        if (e[i].image->id) {
            fresh[n++] = e[i].image->id;
            if (e[i].from->trace && submit_write_trace(op, &e[i]) < 0)
                return DB_ERROR;
            op_moved(op, -1, 0, IMAGE_PENDING, VERDICT_NONE);
        } else if ((result = submit_existing(op, &e[i])) < 0) {
            return result;
        }
    }
    return op_events(op, EVENT_IMAGE, fresh, n);
}

/* Answers a repeated idempotency key: the same ids, or a refusal when the request differs. 1: answered, 0: a new key.
 */
static int submit_replay(struct op *op, const struct store_submit *m, struct store_reply *r)
{
    struct db_statement *s = db_query(op->db, "SELECT request_hash, images FROM idempotency WHERE idem_key = ?");
    const char *hash, *at;
    int result;

    op_bind_text(op, s, 1, m->idempotency_key, IDEMPOTENCY_KEY_BYTES);
    result = db_step(op->db, s);
    hash = result == DB_ROW ? op_text(op, s, 0) : "";
    at = result == DB_ROW ? op_text(op, s, 1) : "";
    op->d->reset(s);
    if (result != DB_ROW)
        return result;
    if (strcmp(hash, m->request_hash) != 0) {
        op_refuse(op, STORE_MISMATCH, "this Idempotency-Key was used for another request");
        return 1;
    }
    for (int i = 0; i < m->count && *at; i++) {
        char *end;
        struct image *image = &r->images[r->image_count++];
        const char *path;
        uint8_t key[KEY];

        image->id = strtoll(at, &end, 10);
        at = end + 1;
        image->path = arena_text(op->arena, m->paths[i]);
        image->existing = true;
        path = op_stored_path(op, image->path);
        op_text_key(path, key);
        submit_find_path(op, path, key, image);
    }
    return 1;
}

static int submit_store_key(struct op *op, const struct store_submit *m, const struct store_reply *r)
{
    enum { DIGITS = 21 };
    struct db_statement *s =
        db_query(op->db, "INSERT INTO idempotency(idem_key, request_hash, images, created_at, image_id) "
                         "VALUES(?, ?, ?, ?, ?)");
    char *ids = arena_alloc(op->arena, (size_t)m->count * DIGITS + 1);
    size_t n = 0;

    for (int i = 0; i < r->image_count; i++)
        n += (size_t)snprintf(ids + n, DIGITS + 1, "%lld,", (long long)r->images[i].id);
    op_bind_text(op, s, 1, m->idempotency_key, IDEMPOTENCY_KEY_BYTES);
    db_bind_text(op->db, s, 2, m->request_hash);
    db_bind_text(op->db, s, 3, ids);
    op->d->bind_int(s, 4, op->now_ms);
    op->d->bind_int(s, 5, r->image_count == 1 ? r->images[0].id : 0);
    return db_finish(op->db, s);
}

/* Whether the submission is to be inserted: its key is new and the queue has room. 1, 0, or negative. */
static int submit_admit(struct op *op, const struct store_submit *m, struct store_reply *r, int64_t before)
{
    int result;

    r->images = arena_alloc(op->arena, (size_t)m->count * sizeof(struct image) + 1);
    if (m->idempotency_key && (result = submit_replay(op, m, r)))
        return result < 0 ? result : 0;
    if (op->disk_low) {
        op_refuse_disk_low(op);
        return 0;
    }
    if (op->rows_waiting + before + m->count > op->queue_limit) {
        op_refuse(op, STORE_NO_SPACE, "more than %lld images wait (KITH_QUEUE_LIMIT)", (long long)op->queue_limit);
        return 0;
    }
    for (int i = 0; i < m->count; i++) {
        r->images[i].path = arena_text(op->arena, m->paths[i]);
        r->images[i].filename = arena_text(op->arena, m->filename);
        r->image_count++;
    }
    return 1;
}

static int submit_insert_all(struct op *op, struct entry *e, int count)
{
    int result = 0;

    for (int at = 0, n; at < count && result >= 0; at += n) {
        n = count - at >= MANY ? MANY : count - at >= SOME ? SOME : 1;
        result = submit_insert_rows(op, e + at, n);
    }
    return result;
}

int op_submit_many(struct op *op, const struct store_submit *const *m, struct store_reply *const *replies, int count)
{
    bool *admitted = calloc((size_t)count, sizeof *admitted);
    struct entry *entries;
    int total = 0, n = 0, result = 0;

    for (int i = 0; i < count; i++)
        total += m[i]->count;
    entries = calloc((size_t)total + 1, sizeof *entries);
    if (!entries || !admitted)
        out_of_memory();
    for (int i = 0; i < count && result >= 0; i++) {
        op->reply = replies[i];
        op->arena = &replies[i]->m.arena;
        result = submit_admit(op, m[i], replies[i], n);
        admitted[i] = result == 1;
        for (int k = 0; admitted[i] && k < m[i]->count; k++) {
            entries[n] = (struct entry){.from = m[i],
                                        .image = &replies[i]->images[k],
                                        .arena = op->arena,
                                        .path = op_stored_path(op, m[i]->paths[k])};
            op_text_key(entries[n].path, entries[n].key);
            n++;
        }
    }
    /* SQLite has an index of the paths themselves: rows of other programs are found without a key. */
    if (result >= 0 && n && op->d->dialect == DIALECT_MARIADB)
        result = op_adopt_images(op);
    if (result >= 0)
        result = submit_insert_all(op, entries, n);
    for (int i = 0; i < count && result >= 0; i++) {
        op->reply = replies[i];
        op->arena = &replies[i]->m.arena;
        if (admitted[i] && m[i]->idempotency_key)
            result = submit_store_key(op, m[i], replies[i]);
    }
    free(entries);
    free(admitted);
    return result < 0 ? result : 0;
}

int op_submit(struct op *op, const struct msg *msg)
{
    const struct store_submit *m = (const struct store_submit *)msg;
    struct store_reply *reply = op->reply;

    return op_submit_many(op, &m, &reply, 1);
}
