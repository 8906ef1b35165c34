/* Accepting images: many paths, one transaction; a path that is there already keeps its row. */
#include "core/store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find_path(struct op *op, const char *path, struct image *image)
{
    struct db_statement *s = db_query(op->db, "SELECT id, status, verdict FROM images WHERE path = ? LIMIT 1");
    int result;

    db_bind_text(op->db, s, 1, path);
    result = op->d->step(s);
    if (result == DB_ROW) {
        image->id = op->d->column_int(s, 0);
        image->status = (int)op->d->column_int(s, 1);
        image->verdict = (int)op->d->column_int(s, 2);
        image->existing = true;
    }
    op->d->reset(s);
    return result;
}

static int insert(struct op *op, const struct store_submit *m, const char *path, struct image *image)
{
    struct db_statement *s = db_query(op->db, "INSERT INTO images(path, person, status, sha256, spooled, run_after, "
                                              "created_at) VALUES(?, -1, 0, ?, ?, ?, ?)");
    int result;

    db_bind_text(op->db, s, 1, path);
    db_bind_text(op->db, s, 2, m->sha256);
    op->d->bind_int(s, 3, m->spooled);
    op->d->bind_int(s, 4, op->now_ms);
    op->d->bind_int(s, 5, op->now_ms);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    image->id = op->d->last_id(op->db);
    image->status = IMAGE_PENDING;
    op_moved(op, -1, 0, IMAGE_PENDING, VERDICT_NONE);
    return op_event(op, EVENT_IMAGE, image->id, 0);
}

/* The same key again: the same ids, or a refusal when the request was another one. 1: answered, 0: not seen yet. */
static int replay(struct op *op, const struct store_submit *m)
{
    struct db_statement *s = db_query(op->db, "SELECT request_hash, images FROM idempotency WHERE idem_key = ?");
    const char *hash, *at;
    int result;

    db_bind_text(op->db, s, 1, m->idempotency_key);
    result = op->d->step(s);
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
        struct image *image = &op->reply->images[op->reply->image_count++];

        image->id = strtoll(at, &end, 10);
        at = end + 1;
        image->path = arena_text(op->arena, m->paths[i]);
        image->existing = true;
        find_path(op, m->paths[i], image);
    }
    return 1;
}

static int remember(struct op *op, const struct store_submit *m)
{
    enum { DIGITS = 21 };
    struct db_statement *s =
        db_query(op->db, "INSERT INTO idempotency(idem_key, request_hash, images, created_at) VALUES(?, ?, ?, ?)");
    char *ids = arena_alloc(op->arena, (size_t)m->count * DIGITS + 1);
    size_t n = 0;

    for (int i = 0; i < op->reply->image_count; i++)
        n += (size_t)snprintf(ids + n, DIGITS + 1, "%lld,", (long long)op->reply->images[i].id);
    db_bind_text(op->db, s, 1, m->idempotency_key);
    db_bind_text(op->db, s, 2, m->request_hash);
    db_bind_text(op->db, s, 3, ids);
    op->d->bind_int(s, 4, op->now_ms);
    return db_finish(op->db, s);
}

int op_submit(struct op *op, const struct msg *msg)
{
    const struct store_submit *m = (const struct store_submit *)msg;
    int result;

    op->reply->images = arena_alloc(op->arena, (size_t)m->count * sizeof(struct image) + 1);
    if (m->idempotency_key && (result = replay(op, m)))
        return result < 0 ? result : 0;
    if (op->rows_waiting + m->count > op->queue_limit)
        return op_refuse(op, STORE_NO_SPACE, "more than %lld images wait (KITH_QUEUE_LIMIT)",
                         (long long)op->queue_limit);
    for (int i = 0; i < m->count; i++) {
        struct image *image = &op->reply->images[op->reply->image_count++];

        image->path = arena_text(op->arena, m->paths[i]);
        result = find_path(op, m->paths[i], image);
        if (result == DB_DONE)
            result = insert(op, m, m->paths[i], image);
        if (result < 0)
            return result;
    }
    return m->idempotency_key ? remember(op, m) : 0;
}
