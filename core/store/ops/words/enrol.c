/* Templates and counter-examples that words make: one for each word and model. */
#include "core/store/ops/words/words_internal.h"

#include <string.h>

static int enrol_remove_template(struct op *op, const struct word *w, int64_t template)
{
    op->reply->deleted.templates++;
    if (w->kind > 0 && w->kind != WORD_NOT) {
        if (op_gallery_log(op, GALLERY_TEMPLATE_REMOVED, w->person, template) < 0)
            return DB_ERROR;
        return op_delete_template(op, template, w->person);
    }
    /* What a counter-example refuted is compared again by the galleries' next pass. No gallery has a template that a
     * merge parked. */
    if (w->kind == WORD_NOT && op_gallery_log(op, GALLERY_COUNTER_REMOVED, w->person, template) < 0)
        return DB_ERROR;
    return op_delete_unused_template(op, template, w->person);
}

int words_remove_templates(struct op *op, const struct word *w)
{
    enum { MODELS_MAX = 64 };
    struct db_statement *s = db_query(op->db, "SELECT id FROM templates WHERE word_id = ? AND word_id > 0 LIMIT 64");
    int64_t ids[MODELS_MAX];
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, w->id);
    while (count < MODELS_MAX && (result = db_step(op->db, s)) == DB_ROW)
        ids[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++)
        result = enrol_remove_template(op, w, ids[i]);
    return result < 0 ? result : 0;
}

/* The template of the word for the model: its id, or 0; `same`: it has this embedding. */
static int enrol_find(struct op *op, const struct word *w, const struct face *face, int64_t *template, bool *same)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, embedding FROM templates WHERE word_id = ? AND word_id > 0 AND model = ?");
    size_t len = 0;
    const void *blob;
    int result;

    *template = 0;
    op->d->bind_int(s, 1, w->id);
    op_bind_text(op, s, 2, face->model, MODEL_BYTES);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        *template = op->d->column_int(s, 0);
        blob = op->d->column_blob(s, 1, &len);
        *same = blob && len == (size_t)face->dimension * sizeof(float) && memcmp(blob, face->embedding, len) == 0;
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

static int enrol_insert(struct op *op, const struct word *w, const struct face *face)
{
    struct db_statement *s = db_query(op->db, "INSERT INTO templates(person_id, photo_id, model, embedding, counter, "
                                              "word_id) VALUES(?, 0, ?, ?, ?, ?)");

    op->d->bind_int(s, 1, w->person);
    op_bind_text(op, s, 2, face->model, MODEL_BYTES);
    op->d->bind_blob(s, 3, face->embedding, (size_t)face->dimension * sizeof(float), 0);
    op->d->bind_int(s, 4, w->kind == WORD_NOT);
    op->d->bind_int(s, 5, w->id);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    return op_gallery_log(op, w->kind == WORD_NOT ? GALLERY_COUNTER_ADDED : GALLERY_TEMPLATE_ADDED, w->person,
                          op->d->last_id(op->db));
}

int words_enrol(struct op *op, const struct word *w, const struct face *face)
{
    int64_t template;
    bool same = false;

    if (!w->enrols || !face->embedding || (w->kind != WORD_NAMED && w->kind != WORD_NOT))
        return 0;
    if (enrol_find(op, w, face, &template, &same) < 0)
        return DB_ERROR;
    if (template && same)
        return 0;
    if (template && enrol_remove_template(op, w, template) < 0)
        return DB_ERROR;
    return enrol_insert(op, w, face);
}

int words_enrol_place(struct op *op, int64_t place, const struct face *face)
{
    struct word *words;
    int count = words_of_place(op, place, &words);

    for (int i = 0; i < count; i++)
        if (words_enrol(op, &words[i], face) < 0)
            return DB_ERROR;
    return count < 0 ? count : 0;
}
