/* The audit trail: who changed what, and when. It holds ids and no names of people, so that a deleted person's name is
 * not kept here; a list shows the present names. */
#include "core/store/store_internal.h"

enum { WHO_BYTES = 255, ACTION_BYTES = 64, DETAIL_BYTES = 255 };

int op_audit(struct op *op, const struct audit_entry *e)
{
    struct db_statement *s =
        db_query(op->db, "INSERT INTO audit(at, who, action, person_id, image_id, face_id, detail) "
                         "VALUES(?, ?, ?, ?, ?, ?, ?)");

    op->d->bind_int(s, 1, e->at_ms ? e->at_ms : op->now_ms);
    op_bind_text(op, s, 2, e->who, WHO_BYTES);
    op_bind_text(op, s, 3, e->action, ACTION_BYTES);
    op->d->bind_int(s, 4, e->person);
    op->d->bind_int(s, 5, e->image);
    op->d->bind_int(s, 6, e->face);
    op_bind_text(op, s, 7, e->detail, DETAIL_BYTES);
    return db_finish(op->db, s);
}

int op_audit_add(struct op *op, const struct msg *msg)
{
    op->reply->changed = 1;
    return op_audit(op, &((const struct store_audit *)msg)->entry);
}

#define LIST_AUDIT(condition)                                                                                          \
    "SELECT a.id, a.at, a.who, a.action, a.person_id, a.image_id, a.face_id, a.detail, p.name FROM audit a LEFT JOIN " \
    "person p ON p.id = a.person_id WHERE " condition                                                                  \
    " a.id < ? AND a.at >= ? AND a.at < ? AND (? IS NULL OR a.who = ?) AND (? IS NULL OR a.action = ?) AND (? = 0 OR " \
    "a.image_id = ?) ORDER BY a.id DESC LIMIT ?"

/* The most selective filter uses its index; the others are conditions on its rows. */
static struct db_statement *audit_prepare(struct op *op, const struct store_audit_list *m, int *bound)
{
    struct db_statement *s;

    *bound = 1;
    if (m->person) {
        s = db_query(op->db, LIST_AUDIT("a.person_id = ? AND a.person_id > 0 AND"));
        op->d->bind_int(s, 1, m->person);
    } else if (m->image) {
        s = db_query(op->db, LIST_AUDIT("a.image_id = ? AND a.image_id > 0 AND"));
        op->d->bind_int(s, 1, m->image);
    } else if (m->who) {
        s = db_query(op->db, LIST_AUDIT("a.who = ? AND"));
        db_bind_text(op->db, s, 1, m->who);
    } else if (m->action) {
        s = db_query(op->db, LIST_AUDIT("a.action = ? AND"));
        db_bind_text(op->db, s, 1, m->action);
    } else {
        s = db_query(op->db, LIST_AUDIT(""));
        *bound = 0;
    }
    return s;
}

static void audit_bind(struct op *op, struct db_statement *s, const struct store_audit_list *m, int at)
{
    op->d->bind_int(s, ++at, m->after ? m->after : INT64_MAX);
    op->d->bind_int(s, ++at, m->since_ms);
    op->d->bind_int(s, ++at, m->until_ms ? m->until_ms : INT64_MAX);
    for (int i = 0; i < 2; i++)
        db_bind_text(op->db, s, ++at, m->who);
    for (int i = 0; i < 2; i++)
        db_bind_text(op->db, s, ++at, m->action);
    for (int i = 0; i < 2; i++)
        op->d->bind_int(s, ++at, m->image);
    op->d->bind_int(s, ++at, m->limit + 1);
}

int op_audit_list(struct op *op, const struct msg *msg)
{
    const struct store_audit_list *m = (const struct store_audit_list *)msg;
    struct store_reply *r = op->reply;
    int at, result = DB_DONE;
    struct db_statement *s = audit_prepare(op, m, &at);

    audit_bind(op, s, m, at);
    r->audit = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof *r->audit);
    while (r->audit_count <= m->limit && (result = db_step(op->db, s)) == DB_ROW)
        r->audit[r->audit_count++] = (struct audit_entry){.id = op->d->column_int(s, 0),
                                                          .at_ms = op->d->column_int(s, 1),
                                                          .who = op_text(op, s, 2),
                                                          .action = op_text(op, s, 3),
                                                          .person = op->d->column_int(s, 4),
                                                          .image = op->d->column_int(s, 5),
                                                          .face = op->d->column_int(s, 6),
                                                          .detail = op_text(op, s, 7),
                                                          .person_name = op_text(op, s, 8)};
    op->d->reset(s);
    if (r->audit_count > m->limit) {
        r->audit_count = m->limit;
        r->next = r->audit[m->limit - 1].id;
    }
    return result < 0 ? result : 0;
}

/* Deletes a batch of the rows before `before_ms`; 0: none. */
int op_prune_audit(struct op *op, int64_t before_ms)
{
    struct db_statement *s;

    if (!before_ms)
        return 0;
    s = db_query(op->db, "DELETE FROM audit WHERE at < ? AND id <= (SELECT last FROM (SELECT MAX(id) AS last FROM "
                         "(SELECT id FROM audit ORDER BY id LIMIT 5000) b) l)");
    op->d->bind_int(s, 1, before_ms);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    op->reply->more |= op->d->changes(op->db) == 5000;
    return 0;
}
