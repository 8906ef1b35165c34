/* Faces that must be decided again.
 *
 * When a template goes, or a word about a face, the faces whose name came through it keep that name until a gallery has
 * decided them again. The work is a row of decide_again, stored with the change. The galleries read the oldest row's
 * faces page by page; a decided face does not have the template any more, and the row goes when no face is left. A
 * gallery decides them when it has read the change `n`: before, it still has the template. */
#include "core/store/store_internal.h"

static int again_count_faces(struct op *op, int64_t template)
{
    struct db_statement *s = db_query(op->db, "SELECT COUNT(*) FROM faces WHERE template_id = ? AND template_id > 0");
    int result;

    op->d->bind_int(s, 1, template);
    if ((result = db_step(op->db, s)) == DB_ROW)
        op->reply->deciding += op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

int op_decide_again(struct op *op, enum again_kind kind, int64_t subject)
{
    struct db_statement *s;
    int64_t before = op->reply->deciding;

    if (kind == AGAIN_FACE)
        op->reply->deciding++;
    else if (again_count_faces(op, subject) < 0)
        return DB_ERROR;
    if (op->reply->deciding == before)
        return 0;
    s = db_query(op->db,
                 "INSERT INTO decide_again(kind, subject, n) VALUES(?, ?, (SELECT n FROM gallery_head WHERE id = "
                 "1))");
    op->d->bind_int(s, 1, kind);
    op->d->bind_int(s, 2, subject);
    return db_finish(op->db, s);
}

/* The faces are counted when the row is gone: the runs of other nodes that named a face by the template have locked it
 * until they end (finish_people.c), and those that end later do not find it. */
int op_delete_template(struct op *op, int64_t template, int64_t person)
{
    if (op_delete_unused_template(op, template, person) < 0)
        return DB_ERROR;
    return op_decide_again(op, AGAIN_TEMPLATE, template);
}

int op_decided_again(struct op *op, int64_t row)
{
    return op_run_with_id(op, "DELETE FROM decide_again WHERE id = ?", row);
}

/* The oldest row: its id, or 0. */
static int again_read_row(struct op *op, int64_t head, int64_t *id, int64_t *kind, int64_t *subject)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, kind, subject FROM decide_again WHERE n <= ? ORDER BY id LIMIT 1");
    int result;

    *id = 0;
    op->d->bind_int(s, 1, head);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        *id = op->d->column_int(s, 0);
        *kind = op->d->column_int(s, 1);
        *subject = op->d->column_int(s, 2);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* A page of the faces of a template. The row is done with the last page. */
static int again_read_template(struct op *op, const struct store_list *m, int64_t row, int64_t template)
{
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, EMBEDDED_FACES "template_id = ? AND template_id > 0 AND id > ? AND word = "
                                        "0 ORDER BY id LIMIT ?");
    int result;

    op->d->bind_int(s, 1, template);
    op->d->bind_int(s, 2, m->after);
    op->d->bind_int(s, 3, m->limit);
    if ((result = op_embedded_faces(op, s, m->limit)) < 0 || r->more)
        return result;
    r->again_rows = arena_alloc(op->arena, sizeof *r->again_rows);
    r->again_rows[r->again_count++] = row;
    return 0;
}

/* A page of rows that name a face each. */
static int again_read_faces(struct op *op, const struct store_list *m)
{
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT id FROM decide_again WHERE kind = 2 AND n <= ? ORDER BY id LIMIT ?");
    int result = DB_DONE;

    r->again_rows = arena_alloc(op->arena, (size_t)m->limit * sizeof *r->again_rows + 1);
    op->d->bind_int(s, 1, m->head);
    op->d->bind_int(s, 2, m->limit);
    while (r->again_count < m->limit && (result = db_step(op->db, s)) == DB_ROW)
        r->again_rows[r->again_count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0 || r->again_count == 0)
        return result < 0 ? result : 0;
    s = db_query(op->db,
                 EMBEDDED_FACES "id IN (SELECT subject FROM decide_again WHERE kind = 2 AND n <= ? AND id <= ?) "
                                "AND word = 0 ORDER BY id LIMIT ?");
    op->d->bind_int(s, 1, m->head);
    op->d->bind_int(s, 2, r->again_rows[r->again_count - 1]);
    op->d->bind_int(s, 3, m->limit);
    result = op_embedded_faces(op, s, m->limit);
    r->more = false;
    return result;
}

/* A page of the faces that this gallery can decide. `id`: the oldest row, 0 when there is none; `again_rows`: the rows
 * that are done when the faces are decided. */
int op_again_faces(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    int64_t kind = 0, subject = 0;
    int result = again_read_row(op, m->head, &op->reply->id, &kind, &subject);

    if (result < 0 || !op->reply->id)
        return result;
    return kind == AGAIN_FACE ? again_read_faces(op, m) : again_read_template(op, m, op->reply->id, subject);
}
