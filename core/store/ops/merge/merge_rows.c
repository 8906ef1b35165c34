/* Rows of merges, and the steps that merging and undoing share. */
#include "core/store/ops/merge/merge_internal.h"
#include "core/store/ops/words/words_internal.h"

void merge_read_row(struct op *op, struct db_statement *s, struct merge *m)
{
    const struct db_driver *d = op->d;

    *m = (struct merge){.id = d->column_int(s, 0),
                        .person = d->column_int(s, 1),
                        .into = d->column_int(s, 2),
                        .state = d->column_int(s, 3),
                        .name = op_text(op, s, 4),
                        .notes = op_text(op, s, 5),
                        .portrait_photo = d->column_int(s, 6),
                        .portrait_face = d->column_int(s, 7),
                        .faces = d->column_int(s, 8),
                        .photos = d->column_int(s, 9),
                        .templates = d->column_int(s, 10),
                        .words = d->column_int(s, 11),
                        .duplicates = d->column_int(s, 12),
                        .said_by = op_text(op, s, 13),
                        .said_ms = d->column_int(s, 14)};
}

static int merge_load_by(struct op *op, const char *sql, int64_t value, struct merge *m)
{
    struct db_statement *s = db_query(op->db, sql);
    int result;

    op->d->bind_int(s, 1, value);
    if ((result = db_step(op->db, s)) == DB_ROW)
        merge_read_row(op, s, m);
    op->d->reset(s);
    return result;
}

int merge_load(struct op *op, int64_t id, struct merge *m)
{
    return merge_load_by(op, "SELECT " MERGE_COLUMNS "WHERE m.id = ?", id, m);
}

bool merge_is_done(const struct merge *m)
{
    return m->state == MERGE_DONE || m->state >= MERGE_KEPT;
}

int merge_load_latest(struct op *op, int64_t person, struct merge *m)
{
    return merge_load_by(op, "SELECT " MERGE_COLUMNS "WHERE m.person_id = ? ORDER BY m.id DESC LIMIT 1", person, m);
}

int merge_run(struct op *op, const char *sql, const int64_t *values, int count)
{
    struct db_statement *s = db_query(op->db, sql);

    for (int i = 0; i < count; i++)
        op->d->bind_int(s, i + 1, values[i]);
    return db_finish(op->db, s);
}

int merge_set_state(struct op *op, int64_t id, enum merge_state state)
{
    return MERGE_RUN(op, "UPDATE merges SET state = ? WHERE id = ?", state, id);
}

int merge_count(struct op *op, int64_t id, int64_t faces, int64_t templates, int64_t duplicates)
{
    return MERGE_RUN(op,
                     "UPDATE merges SET faces = faces + ?, templates = templates + ?, duplicates = duplicates + ? "
                     "WHERE id = ?",
                     faces, templates, duplicates, id);
}

int merge_record(struct op *op, int64_t id, enum merge_kind kind, int64_t row, int64_t other)
{
    return MERGE_RUN(op, "REPLACE INTO merge_rows(merge_id, kind, row_id, other) VALUES(?, ?, ?, ?)", id, kind, row,
                     other);
}

int merge_forget_record(struct op *op, int64_t id, enum merge_kind kind, int64_t row)
{
    return MERGE_RUN(op, "DELETE FROM merge_rows WHERE merge_id = ? AND kind = ? AND row_id = ?", id, kind, row);
}

int merge_lock_people(struct op *op, int64_t first, int64_t second)
{
    return MERGE_RUN(op, "SELECT id FROM person WHERE id IN (?, ?) ORDER BY id{| FOR UPDATE}", first, second);
}

int merge_move_face(struct op *op, const struct merge *m, int64_t face, int64_t image, int64_t person)
{
    const struct doubt_change change = {.person = person == m->into ? m->person : 0, .now = m->into};
    int result = MERGE_RUN(op, "UPDATE faces SET person = ? WHERE id = ?", person, face);

    if (result < 0 || words_doubt_again(op, face, &change) < 0 || op_judge_image(op, image) < 0)
        return DB_ERROR;
    return words_once_a_picture(op, image);
}

static enum gallery_change_kind merge_removal(bool counter)
{
    return counter ? GALLERY_COUNTER_REMOVED : GALLERY_TEMPLATE_REMOVED;
}

int merge_move_template(struct op *op, int64_t template, int64_t from, int64_t to, bool counter)
{
    if (MERGE_RUN(op, "UPDATE templates SET person_id = ? WHERE id = ?", to, template) < 0 ||
        (from && op_gallery_log(op, merge_removal(counter), from, template) < 0))
        return DB_ERROR;
    return op_gallery_log(op, counter ? GALLERY_COUNTER_ADDED : GALLERY_TEMPLATE_ADDED, to, template);
}

int merge_park_template(struct op *op, int64_t template, int64_t person, bool counter)
{
    int result = MERGE_RUN(op, "UPDATE templates SET person_id = 0 WHERE id = ?", template);

    return result < 0 ? result : op_gallery_log(op, merge_removal(counter), person, template);
}

int merge_review(struct op *op, int64_t person)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id FROM templates WHERE person_id = ? AND counter = 1 ORDER BY id LIMIT 1");
    int64_t counter = 0;
    int result;

    op->d->bind_int(s, 1, person);
    if ((result = db_step(op->db, s)) == DB_ROW)
        counter = op->d->column_int(s, 0);
    op->d->reset(s);
    return result == DB_ROW ? op_gallery_log(op, GALLERY_COUNTER_ADDED, person, counter) : result;
}

void merge_reply(struct op *op, const struct merge *m)
{
    struct store_reply *r = op->reply;

    r->merges = arena_alloc(op->arena, sizeof *r->merges);
    r->merge_count = 1;
    merge_fill(m, r->merges);
}

void merge_fill(const struct merge *m, struct person_merge *to)
{
    *to = (struct person_merge){.id = m->id,
                                .person = m->person,
                                .into = m->into,
                                .name = m->name,
                                .said_by = m->said_by,
                                .said_ms = m->said_ms,
                                .faces = m->faces,
                                .photos = m->photos,
                                .templates = m->templates,
                                .words = m->words,
                                .duplicates = m->duplicates,
                                .done = m->state != MERGE_RUNNING && m->state != MERGE_UNDOING,
                                .undone = m->state == MERGE_UNDONE || m->state == MERGE_UNDOING,
                                .kept = m->state >= MERGE_KEPT};
}

int op_merges(struct op *op, const struct msg *msg)
{
    const struct store_list *list = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(op->db, "SELECT " MERGE_COLUMNS "WHERE m.id < ? ORDER BY m.id DESC LIMIT ?");
    struct merge m;
    int result = DB_DONE;

    op->d->bind_int(s, 1, list->after ? list->after : INT64_MAX);
    op->d->bind_int(s, 2, list->limit + 1);
    r->merges = arena_alloc(op->arena, (size_t)(list->limit + 1) * sizeof *r->merges);
    while (r->merge_count <= list->limit && (result = db_step(op->db, s)) == DB_ROW) {
        merge_read_row(op, s, &m);
        merge_fill(&m, &r->merges[r->merge_count++]);
    }
    op->d->reset(s);
    if (r->merge_count > list->limit) {
        r->merge_count = list->limit;
        r->next = r->merges[list->limit - 1].id;
    }
    return result < 0 ? result : 0;
}
