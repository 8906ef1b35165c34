/* What identifies a database: the id of its cluster, marks in the log of gallery changes, and the nodes that work on
 * it.
 *
 * A copy of a database has the id of the original. Each node therefore writes a row with a random number of its run,
 * again and again, and says in its heartbeats that it does. A node whose row is not here works on another database.
 *
 * The id is made with the schema and never changes. A mark is a random number beside the number of a change. A reader
 * keeps the number and the mark of the last change that it has read. An older database that was restored has another
 * mark, or none, at that number, even when the number was given out again: op_gallery_changes then reports `rewound`.
 */
#include "core/store/store_internal.h"

#include <sys/random.h>

enum { MARKS_KEPT = 100000 }; /* a reader that is further behind reads the whole log again */

int op_cluster(struct op *op, const struct msg *msg)
{
    struct db_statement *s = db_query(op->db, "SELECT cluster FROM cluster_identity WHERE id = 1");
    int result = db_step(op->db, s);

    (void)msg;
    if (result == DB_ROW) {
        const char **texts = arena_alloc(op->arena, sizeof *texts);

        texts[0] = op_text(op, s, 0);
        op->reply->texts = texts;
        op->reply->text_count = 1;
    }
    op->d->reset(s);
    if (result == DB_DONE)
        return op_refuse(op, STORE_NOT_FOUND, "the table cluster_identity has no row");
    return result < 0 ? result : 0;
}

int op_register_node(struct op *op, const struct msg *msg)
{
    enum { NODES_MAX = 1024 }; /* as peers.c keeps at most */
    const struct store_node *m = (const struct store_node *)msg;
    struct node_row *rows = arena_alloc(op->arena, NODES_MAX * sizeof *rows);
    struct db_statement *s = db_query(op->db, "REPLACE INTO nodes(node, boot, seen_at) VALUES(?, ?, ?)");
    int result;

    db_bind_text(op->db, s, 1, m->node);
    op->d->bind_int(s, 2, m->boot);
    op->d->bind_int(s, 3, op->now_ms);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    s = db_query(op->db, "SELECT node, boot, seen_at FROM nodes ORDER BY seen_at DESC, node LIMIT 1024");
    while ((result = db_step(op->db, s)) == DB_ROW && op->reply->node_count < NODES_MAX)
        rows[op->reply->node_count++] =
            (struct node_row){op_text(op, s, 0), op->d->column_int(s, 1), op->now_ms - op->d->column_int(s, 2)};
    op->d->reset(s);
    op->reply->nodes = rows;
    return result < 0 ? result : 0;
}

int op_forget_nodes(struct op *op)
{
    enum { DAY_MS = 86400000 };
    struct db_statement *s = db_query(op->db, "DELETE FROM nodes WHERE seen_at < ?");

    op->d->bind_int(s, 1, op->now_ms - DAY_MS);
    return db_finish(op->db, s);
}

int op_gallery_mark(struct op *op, int64_t n)
{
    struct db_statement *s = db_query(op->db, "DELETE FROM gallery_marks WHERE n = ?");
    int64_t mark = 0;

    if (getrandom(&mark, sizeof mark, 0) < 0 || mark == 0)
        mark = op->now_ms;
    op->d->bind_int(s, 1, n - MARKS_KEPT);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    s = db_query(op->db, "REPLACE INTO gallery_marks(n, mark) VALUES(?, ?)");
    op->d->bind_int(s, 1, n);
    op->d->bind_int(s, 2, mark & INT64_MAX);
    return db_finish(op->db, s);
}

int op_gallery_position(struct op *op, int64_t after, int64_t mark, int64_t *head)
{
    struct db_statement *s =
        db_query(op->db, "SELECT h.n, COALESCE(m.mark, 0), COALESCE(a.mark, 0) FROM gallery_head h LEFT JOIN "
                         "gallery_marks m ON m.n = h.n LEFT JOIN gallery_marks a ON a.n = ? WHERE h.id = 1");
    int result;

    op->d->bind_int(s, 1, after);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        *head = op->d->column_int(s, 0);
        op->reply->mark = op->d->column_int(s, 1);
        op->reply->rewound = after > 0 && (*head < after || op->d->column_int(s, 2) != mark);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}
