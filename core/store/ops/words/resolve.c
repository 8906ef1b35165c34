/* Decisions of the gallery about stored faces. */
#include "core/store/ops/words/words_internal.h"

static int resolve_set_person(struct op *op, const struct face *f)
{
    struct db_statement *s = db_query(op->db, "UPDATE faces SET person = ?, distance = ?, similarity = ?, candidates = "
                                              "?, decision = ?, template_id = ?, doubt = ?, rival = ? WHERE id = ?");
    char decision[DECISION_BYTES];

    decision_write(&f->decision, decision);
    op->d->bind_int(s, 1, f->person);
    op->d->bind_real(s, 2, f->distance);
    op->d->bind_real(s, 3, f->similarity);
    db_bind_text(op->db, s, 4, op_candidates_text(op, f->candidates, f->candidate_count));
    db_bind_text(op->db, s, 5, f->decision.rule ? decision : NULL);
    op->d->bind_int(s, 6, f->template);
    op->d->bind_int(s, 7, f->doubt);
    op->d->bind_int(s, 8, f->rival);
    op->d->bind_int(s, 9, f->id);
    return db_finish(op->db, s);
}

/* A face of an unknown person who is ignored is ignored. The id of such a person is stored as a negative number. */
static int resolve_set_unknown_person(struct op *op, int64_t face, int64_t unknown_person)
{
    struct db_statement *s;
    int ignored = op_unknown_is_ignored(op, unknown_person);

    if (ignored < 0)
        return ignored;
    s = db_query(op->db,
                 "UPDATE faces SET unknown_person = CASE WHEN ? > 0 OR word > 0 THEN -? ELSE ? END, word = CASE "
                 "WHEN ? > 0 AND word = 0 THEN 2 ELSE word END WHERE id = ? AND unknown_person = 0 AND person = -1");
    op->d->bind_int(s, 1, ignored);
    op->d->bind_int(s, 2, unknown_person);
    op->d->bind_int(s, 3, unknown_person);
    op->d->bind_int(s, 4, ignored);
    op->d->bind_int(s, 5, face);
    return db_finish(op->db, s);
}

/* Reads what is stored of a face that is still as the gallery saw it. 1: it is, 0: it has changed since. */
static int resolve_read_face(struct op *op, const struct resolved *r, struct face *f)
{
    struct db_statement *s =
        db_query(op->db, "SELECT place, quality, width, doubt FROM faces WHERE id = ? AND person = ? AND word = 0");
    int result;

    op->d->bind_int(s, 1, r->face);
    op->d->bind_int(s, 2, r->was);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        f->place = op->d->column_int(s, 0);
        f->quality = (float)op->d->column_real(s, 1);
        f->width = (float)op->d->column_real(s, 2);
        f->doubt = (int)op->d->column_int(s, 3);
    }
    op->d->reset(s);
    return result;
}

static int resolve_face(struct op *op, const struct resolved *r)
{
    struct face f = {.id = r->face,
                     .person = r->person,
                     .distance = r->distance,
                     .similarity = r->similarity,
                     .template = r->template,
                     .candidates = r->candidates,
                     .candidate_count = r->candidate_count,
                     .decision = r->decision};
    int doubt, result = resolve_read_face(op, r, &f);

    if (result != DB_ROW || (r->person > 0 && (result = op_person_exists(op, r->person)) != DB_ROW))
        return result < 0 ? result : 0;
    doubt = f.doubt;
    if (words_admit(op, f.place, &f) < 0)
        return DB_ERROR;
    if (f.person == r->was && !r->again)
        return 0;
    if (resolve_set_person(op, &f) < 0 || words_check_template(op, &f) < 0)
        return DB_ERROR;
    if (f.person != r->was) {
        op->reply->changed++;
        if (op_judge_image(op, r->image) < 0)
            return DB_ERROR;
    } else if (f.doubt != doubt && (op_doubt_image(op, r->image) < 0 || op_event(op, EVENT_IMAGE, r->image, 0) < 0)) {
        return DB_ERROR;
    }
    if (f.person > 0)
        return words_once_a_picture(op, r->image);
    return r->unknown_person ? resolve_set_unknown_person(op, r->face, r->unknown_person) : 0;
}

/* A face whose person has changed since, or which a word decides, is left as it is. */
int op_resolve(struct op *op, const struct msg *msg)
{
    const struct store_resolve *m = (const struct store_resolve *)msg;

    for (int i = 0; i < m->count; i++) {
        const struct resolved *r = &m->faces[i];
        int result = r->person == r->was && !r->again ? resolve_set_unknown_person(op, r->face, r->unknown_person)
                                                      : resolve_face(op, r);

        if (result < 0)
            return result;
    }
    for (int i = 0; i < m->again_count; i++)
        if (op_decided_again(op, m->again_rows[i]) < 0)
            return DB_ERROR;
    return 0;
}
