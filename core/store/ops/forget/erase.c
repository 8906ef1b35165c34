/* What deletions leave to the nodes: the files of the spool, the thumbnails in each node's cache, the log of an
 * embedded database.
 *
 * A deletion stores one row for each node that has joined, in its own transaction. A node reads its rows, removes what
 * they name, and deletes them. So a crash loses no removal, and a node that was down does it when it is back. A node
 * that was away for too long is forgotten with its rows (op_prune_erasers); it empties its caches before it joins
 * again. There is no cursor: with several writers a lower id may become visible after a higher one. */
#include "core/store/store_internal.h"

static int erase_insert(struct op *op, struct db_statement *s)
{
    op->d->bind_int(s, 1, op->now_ms);
    return db_finish(op->db, s);
}

int op_erase(struct op *op, const char *sha256, const char *path)
{
    struct db_statement *s = db_query(
        op->db, "INSERT INTO erasures(node, made_at, sha256, path) SELECT node, ?, ?, ? FROM erasers ORDER BY node");

    db_bind_text(op->db, s, 2, sha256);
    db_bind_text(op->db, s, 3, op_stored_path(op, path));
    return erase_insert(op, s);
}

/* A photo of the known-people folder has a path outside of the spool, which the nodes leave alone. The paths are copied
 * in their stored form. */
int op_erase_photos(struct op *op, int64_t person, int64_t last)
{
    struct db_statement *s = db_query(
        op->db, "INSERT INTO erasures(node, made_at, sha256, path) SELECT e.node, ?, p.sha256, p.path FROM erasers e "
                "CROSS JOIN person_images p WHERE p.person_id = ? AND p.id <= ? ORDER BY p.id, e.node");

    op->d->bind_int(s, 2, person);
    op->d->bind_int(s, 3, last);
    return erase_insert(op, s);
}

/* The photos that a merge parked. */
int op_erase_parked(struct op *op, int64_t merge)
{
    struct db_statement *s = db_query(
        op->db,
        "INSERT INTO erasures(node, made_at, sha256, path) SELECT e.node, ?, p.sha256, p.path FROM merge_rows r "
        "JOIN person_images p ON p.id = r.row_id AND p.person_id IS NULL CROSS JOIN erasers e WHERE r.merge_id "
        "= ? AND r.kind = 7 ORDER BY p.id, e.node");

    op->d->bind_int(s, 2, merge);
    return erase_insert(op, s);
}

int op_eraser_join(struct op *op, const struct msg *msg)
{
    const struct store_eraser *m = (const struct store_eraser *)msg;
    struct db_statement *s = db_query(op->db, "REPLACE INTO erasers(node, seen_at) VALUES(?, ?)");

    db_bind_text(op->db, s, 1, m->node);
    op->d->bind_int(s, 2, op->now_ms);
    op->reply->changed = 1;
    return db_finish(op->db, s);
}

static int erase_has_joined(struct op *op, const char *node)
{
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM erasers WHERE node = ?");
    int result;

    db_bind_text(op->db, s, 1, node);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result;
}

int op_erasures(struct op *op, const struct msg *msg)
{
    const struct store_eraser *m = (const struct store_eraser *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s;
    int result = erase_has_joined(op, m->node);

    if (result < 0)
        return result;
    r->changed = result == DB_ROW;
    r->erasures = arena_alloc(op->arena, (size_t)m->count * sizeof *r->erasures + 1);
    s = db_query(op->db, "SELECT id, sha256, path FROM erasures WHERE node = ? ORDER BY id LIMIT ?");
    db_bind_text(op->db, s, 1, m->node);
    op->d->bind_int(s, 2, m->count);
    while (r->erasure_count < m->count && (result = db_step(op->db, s)) == DB_ROW)
        r->erasures[r->erasure_count++] =
            (struct erasure){.id = op->d->column_int(s, 0), .sha256 = op_text(op, s, 1), .path = op_path(op, s, 2)};
    op->d->reset(s);
    for (int i = 0; i < r->erasure_count && result >= 0; i++)
        if (r->erasures[i].path && (result = op_path_used(op, r->erasures[i].path)) == DB_ROW)
            r->erasures[i].in_use = true;
    return result < 0 ? result : 0;
}

int op_erased(struct op *op, const struct msg *msg)
{
    const struct store_eraser *m = (const struct store_eraser *)msg;
    struct db_statement *s = db_query(op->db, "UPDATE erasers SET seen_at = ? WHERE node = ?");

    op->d->bind_int(s, 1, op->now_ms);
    db_bind_text(op->db, s, 2, m->node);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    for (int i = 0; i < m->count; i++)
        if (op_run_with_id(op, "DELETE FROM erasures WHERE id = ?", m->ids[i]) < 0)
            return DB_ERROR;
    op->reply->changed = m->count;
    op->erased = true;
    return 0;
}

int op_prune_erasers(struct op *op, int64_t before_ms)
{
    struct db_statement *s = db_query(op->db, "DELETE FROM erasers WHERE seen_at < ?");
    int result;

    op->d->bind_int(s, 1, before_ms);
    if ((result = db_finish(op->db, s)) < 0 || op->d->changes(op->db) == 0)
        return result;
    return db_run(op->db, "DELETE FROM erasures WHERE node NOT IN (SELECT node FROM erasers)");
}
