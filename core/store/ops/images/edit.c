/* Deletion of images; removal of old events, idempotency keys and quarantined hashes. */
#include "core/store/store_internal.h"

/* Runs a statement whose one parameter is an id, and counts the rows. */
static int edit_delete_rows(struct op *op, const char *sql, int64_t id, int64_t *count)
{
    int result = op_run_with_id(op, sql, id);

    *count += result < 0 ? 0 : op->d->changes(op->db);
    return result;
}

static int edit_end_quarantine(struct op *op, const char *sha256)
{
    struct db_statement *s = db_query(op->db, "DELETE FROM quarantine WHERE sha256 = ?");

    db_bind_text(op->db, s, 1, sha256);
    return db_finish(op->db, s);
}

/* The galleries keep the newest unknown faces in memory. */
static int edit_remove_unknown_faces(struct op *op, int64_t image)
{
    enum { FACES = 256 }; /* more than KITH_MAX_FACES may be */
    struct db_statement *s =
        db_query(op->db, "SELECT id FROM faces WHERE image_id = ? AND person <= 0 AND embedding IS NOT NULL LIMIT 256");
    int64_t faces[FACES];
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, image);
    while (count < FACES && (result = db_step(op->db, s)) == DB_ROW)
        faces[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++)
        result = op_gallery_log(op, GALLERY_FACE_REMOVED, 0, faces[i]);
    return result < 0 ? result : 0;
}

int op_delete_image(struct op *op, const struct image *image)
{
    struct deleted *d = &op->reply->deleted;
    int64_t others = 0, before = d->images;

    if (edit_remove_unknown_faces(op, image->id) < 0 || op_words_image_deleted(op, image->id) < 0 ||
        edit_delete_rows(op,
                         "DELETE FROM decide_again WHERE kind = 2 AND subject IN (SELECT id FROM faces WHERE "
                         "image_id = ?)",
                         image->id, &others) < 0 ||
        edit_delete_rows(op, "DELETE FROM faces WHERE image_id = ?", image->id, &d->faces) < 0 ||
        edit_delete_rows(op, "DELETE FROM idempotency WHERE image_id = ? AND image_id > 0", image->id, &others) < 0 ||
        (image->sha256 && edit_end_quarantine(op, image->sha256) < 0) ||
        edit_delete_rows(op, "DELETE FROM images WHERE id = ?", image->id, &d->images) < 0 ||
        op_erase(op, image->sha256, image->spooled ? image->path : NULL) < 0)
        return DB_ERROR;
    if (d->images == before) /* another node was first */
        return 0;
    d->files += image->spooled;
    op->reply->changed++;
    op_moved(op, image->status, image->verdict, -1, 0);
    if (op_doubt_forget(op, image->id) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_IMAGE_DELETED, image->id, 0);
}

int op_delete(struct op *op, const struct msg *msg)
{
    const struct store_id *m = (const struct store_id *)msg;
    struct image *image = arena_alloc(op->arena, sizeof *image);
    int result = op_load_image(op, m->id, image);

    if (result < 0)
        return result;
    if (result == 0)
        return op_refuse(op, STORE_NOT_FOUND, "there is no image %lld", (long long)m->id);
    op->reply->images = image;
    op->reply->image_count = 1;
    return op_delete_image(op, image);
}

/* Deletes at most a batch of the events beyond `keep`. */
static int edit_prune_events(struct op *op, int64_t keep)
{
    enum { BATCH = 5000 };
    struct db_statement *s = db_query(op->db, "SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM events");
    int64_t first = 0, last = 0, to;
    int result;

    if ((result = db_step(op->db, s)) == DB_ROW) {
        first = op->d->column_int(s, 0);
        last = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    to = last - keep < first + BATCH - 1 ? last - keep : first + BATCH - 1;
    if (result < 0 || to < first)
        return result < 0 ? result : 0;
    s = db_query(op->db, "DELETE FROM events WHERE id BETWEEN ? AND ?");
    op->d->bind_int(s, 1, first);
    op->d->bind_int(s, 2, to);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    op->reply->changed = op->d->changes(op->db);
    op->reply->more = to < last - keep;
    return 0;
}

/* Deletes a batch of the events before `before_ms`; they are in the order of their times, roughly. */
static int edit_prune_old_events(struct op *op, int64_t before_ms)
{
    enum { BATCH = 5000 };
    struct db_statement *s = db_query(
        op->db,
        "SELECT COALESCE(MAX(id), 0), COUNT(*) FROM (SELECT id, at FROM events ORDER BY id LIMIT 5000) b WHERE at < ?");
    int64_t last = 0, count = 0;
    int result;

    op->d->bind_int(s, 1, before_ms);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        last = op->d->column_int(s, 0);
        count = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    if (result < 0 || !last)
        return result < 0 ? result : 0;
    s = db_query(op->db, "DELETE FROM events WHERE id <= ? AND at < ?");
    op->d->bind_int(s, 1, last);
    op->d->bind_int(s, 2, before_ms);
    op->reply->more |= count == BATCH;
    return db_finish(op->db, s);
}

/* Gives free pages of the embedded database back to the disk: a bounded number. Files that an older kith made have no
 * such pages (“kith compact”). */
static int edit_shrink(struct op *op)
{
    return db_run(op->db, "{PRAGMA incremental_vacuum(2000)|SELECT 1}");
}

int op_prune(struct op *op, const struct msg *msg)
{
    const struct store_prune *m = (const struct store_prune *)msg;
    struct db_statement *s;

    if (edit_prune_events(op, m->events_keep) < 0 || edit_prune_old_events(op, m->events_before_ms) < 0 ||
        op_prune_audit(op, m->audit_before_ms) < 0 || op_prune_erasers(op, m->erasers_before_ms) < 0 ||
        edit_shrink(op) < 0)
        return DB_ERROR;
    s = db_query(op->db, "DELETE FROM idempotency WHERE created_at < ?");
    op->d->bind_int(s, 1, m->idempotency_before_ms);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    s = db_query(op->db, "DELETE FROM quarantine WHERE until_ms < ?");
    op->d->bind_int(s, 1, op->now_ms);
    if (db_finish(op->db, s) < 0 || op_forget_nodes(op) < 0)
        return DB_ERROR;
    if (op_adopt_people(op) < 0 || op_prune_merges(op, m->merges_before_ms) < 0)
        return DB_ERROR;
    return op_gallery_log_compact(op, m->gallery_log_before_ms);
}
