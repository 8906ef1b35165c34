/* Photos that have no template of the model in use. */
#include "core/store/store_internal.h"

/* Those whose file may be read, after the photo `after`. */
int op_unembedded_photos(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(
        op->db,
        "SELECT pi.id, pi.person_id, pi.image_name, pi.path, pi.sha256, pi.face_box FROM person_images pi WHERE "
        "pi.id > ? AND pi.path IS NOT NULL AND pi.person_id > 0 AND (pi.refused_model IS NULL OR "
        "pi.refused_model <> ?) AND NOT EXISTS(SELECT 1 FROM templates t WHERE t.photo_id = pi.id AND t.model = "
        "?) ORDER BY pi.id LIMIT ?");
    int result = DB_DONE;

    op->d->bind_int(s, 1, m->after);
    db_bind_text(op->db, s, 2, m->model ? m->model : "");
    db_bind_text(op->db, s, 3, m->model ? m->model : "");
    op->d->bind_int(s, 4, m->limit);
    r->photos = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct photo) + 1);
    while (r->photo_count < m->limit && (result = db_step(op->db, s)) == DB_ROW)
        r->photos[r->photo_count++] = (struct photo){.id = op->d->column_int(s, 0),
                                                     .person = op->d->column_int(s, 1),
                                                     .name = op_text(op, s, 2),
                                                     .path = op_path(op, s, 3),
                                                     .sha256 = op_text(op, s, 4),
                                                     .face_box = op_text(op, s, 5)};
    op->d->reset(s);
    r->more = r->photo_count == m->limit;
    return result < 0 ? result : 0;
}

/* The model `text` gave no template of the photo: it is not asked again. */
int op_photo_not_embedded(struct op *op, const struct msg *msg)
{
    const struct store_text *m = (const struct store_text *)msg;
    struct db_statement *s = db_query(op->db, "UPDATE person_images SET refused_model = ? WHERE id = ?");

    op_bind_text(op, s, 1, m->text, MODEL_BYTES);
    op->d->bind_int(s, 2, m->id);
    return db_finish(op->db, s);
}

/* How many people there are, and how many of them have photos or templates, but none of the model. */
int op_template_counts(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct db_statement *s = db_query(
        op->db, "SELECT COUNT(*), (SELECT COUNT(*) FROM person q WHERE NOT EXISTS(SELECT 1 FROM templates t WHERE "
                "t.person_id = q.id AND t.model = ? AND t.counter = 0) AND (EXISTS(SELECT 1 FROM person_images i WHERE "
                "i.person_id = q.id) OR EXISTS(SELECT 1 FROM templates o WHERE o.person_id = q.id AND o.counter = 0))) "
                "FROM person");
    int result;

    db_bind_text(op->db, s, 1, m->model ? m->model : "");
    if ((result = db_step(op->db, s)) == DB_ROW) {
        op->reply->all_people = op->d->column_int(s, 0);
        op->reply->without_template = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}
