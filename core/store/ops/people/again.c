/* Faces that must be decided again.
 *
 * When a template goes, or a word about a face, the faces whose name came through it keep that name until a gallery has
 * decided them again. The work is a row of decide_again, stored with the change. The galleries read the oldest row's
 * faces page by page; a decided face does not have the template any more, and the row goes when no face is left. */
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
    s = db_query(op->db, "INSERT INTO decide_again(kind, subject) VALUES(?, ?)");
    op->d->bind_int(s, 1, kind);
    op->d->bind_int(s, 2, subject);
    return db_finish(op->db, s);
}

int op_decided_again(struct op *op, int64_t row)
{
    return op_run_with_id(op, "DELETE FROM decide_again WHERE id = ?", row);
}

/* The oldest row, into the reply's `id`. */
static int again_read_row(struct op *op, int64_t *kind, int64_t *subject)
{
    struct db_statement *s = db_query(op->db, "SELECT id, kind, subject FROM decide_again ORDER BY id LIMIT 1");
    int result = db_step(op->db, s);

    if (result == DB_ROW) {
        op->reply->id = op->d->column_int(s, 0);
        *kind = op->d->column_int(s, 1);
        *subject = op->d->column_int(s, 2);
    }
    op->d->reset(s);
    return result;
}

/* One page of the oldest row's faces after the face `after`; `id` is the row, 0 when there is none. */
int op_again_faces(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct db_statement *s;
    int64_t kind, subject;
    int result = again_read_row(op, &kind, &subject);

    if (result != DB_ROW)
        return result < 0 ? result : 0;
    s = db_query(op->db, kind == AGAIN_FACE ? EMBEDDED_FACES "id = ? AND id > ? AND word = 0 ORDER BY id LIMIT ?"
                                            : EMBEDDED_FACES
                             "template_id = ? AND template_id > 0 AND id > ? AND word = 0 ORDER BY id "
                             "LIMIT ?");
    op->d->bind_int(s, 1, subject);
    op->d->bind_int(s, 2, m->after);
    op->d->bind_int(s, 3, m->limit);
    return op_embedded_faces(op, s, m->limit);
}
