/* Merging two people: one batch a request; the caller repeats it while `more`. */
#include "core/store/ops/merge/merge_internal.h"
#include "core/store/ops/words/words_internal.h"

#include <assert.h>

static_assert(MERGE_PHOTO == 4 && MERGE_PARKED_PHOTO == 7 && MERGE_RUNNING == 1 && MERGE_UNDOING == 3 &&
                  WORD_NOT == 4 && WORD_NAME_OFF == 5,
              "numbers in the statements below");

/* --- templates --- */

/* The template of `into` of the same photo and model, or 0. */
static int merge_find_same_photo(struct op *op, int64_t template, int64_t into, int64_t *same)
{
    struct db_statement *s =
        db_query(op->db, "SELECT o.id FROM templates t JOIN person_images a ON a.id = t.photo_id JOIN person_images b "
                         "ON b.sha256 = a.sha256 AND b.person_id = ? JOIN templates o ON o.photo_id = b.id AND o.model "
                         "= t.model AND o.counter = 0 AND o.person_id = b.person_id WHERE t.id = ? ORDER BY o.id LIMIT "
                         "1");
    int result;

    *same = 0;
    op->d->bind_int(s, 1, into);
    op->d->bind_int(s, 2, template);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *same = op->d->column_int(s, 0);
    op->d->reset(s);
    return result;
}

static int merge_template(struct op *op, const struct merge *m, int64_t template, int64_t *parked)
{
    int64_t same;

    if (merge_find_same_photo(op, template, m->into, &same) < 0)
        return DB_ERROR;
    if (!same) {
        if (merge_move_template(op, template, m->person, m->into, false) < 0)
            return DB_ERROR;
        return merge_record(op, m->id, MERGE_TEMPLATE, template, 0);
    }
    ++*parked;
    if (merge_park_template(op, template, m->person, false) < 0 ||
        MERGE_RUN(op, "UPDATE faces SET template_id = ? WHERE template_id = ? AND template_id > 0", same, template) < 0)
        return DB_ERROR;
    return merge_record(op, m->id, MERGE_PARKED_TEMPLATE, template, same);
}

static int merge_read_ids(struct op *op, struct db_statement *s, int64_t *ids, int64_t *others, int max)
{
    int count = 0, result = DB_DONE;

    while (count < max && (result = db_step(op->db, s)) == DB_ROW) {
        ids[count] = op->d->column_int(s, 0);
        others[count++] = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

static int merge_templates(struct op *op, const struct merge *m)
{
    struct db_statement *s = db_query(
        op->db, "SELECT id, photo_id FROM templates WHERE person_id = ? AND counter = 0 ORDER BY id LIMIT 100");
    int64_t ids[MERGE_TEMPLATES], photos[MERGE_TEMPLATES], parked = 0;
    int count;

    op->d->bind_int(s, 1, m->person);
    if ((count = merge_read_ids(op, s, ids, photos, MERGE_TEMPLATES)) <= 0)
        return count;
    for (int i = 0; i < count; i++)
        if (merge_template(op, m, ids[i], &parked) < 0)
            return DB_ERROR;
    return merge_count(op, m->id, 0, count - parked, parked) < 0 ? DB_ERROR : count;
}

/* --- faces --- */

struct merge_face {
    struct place_face face;
    bool denied; /* it has a word that it is not the person into whom is merged */
};

/* A face that was named by hand follows its word (merge_words.c). */
static int merge_face(struct op *op, const struct merge *m, const struct merge_face *f)
{
    if (f->denied && f->face.word != WORD_NAMED)
        return merge_deny_face(op, m, &f->face, m->into);
    if (merge_move_face(op, m, f->face.id, f->face.image, m->into) < 0)
        return DB_ERROR;
    return merge_record(op, m->id, MERGE_FACE, f->face.id, f->face.word);
}

static int merge_faces(struct op *op, const struct merge *m)
{
    struct db_statement *s = db_query(op->db, "SELECT f.id, f.image_id, f.word, f.unknown_person, " MERGE_IS_DENIED
                                              " FROM faces f WHERE f.person = ? ORDER BY f.id LIMIT 500");
    struct merge_face faces[MERGE_FACES];
    int count = 0, moved = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->into);
    op->d->bind_int(s, 2, m->person);
    for (; count < MERGE_FACES && (result = db_step(op->db, s)) == DB_ROW; count++)
        faces[count] = (struct merge_face){.face = {.id = op->d->column_int(s, 0),
                                                    .image = op->d->column_int(s, 1),
                                                    .person = m->person,
                                                    .word = (int)op->d->column_int(s, 2),
                                                    .unknown_person = op->d->column_int(s, 3)},
                                           .denied = op->d->column_int(s, 4) != 0};
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        moved += !faces[i].denied || faces[i].face.word == WORD_NAMED;
        result = merge_face(op, m, &faces[i]);
    }
    return result < 0 || merge_count(op, m->id, moved, 0, 0) < 0 ? DB_ERROR : count;
}

/* Names of which the person was the second one: the person `into` is, or nobody. */
static int merge_doubts(struct op *op, const struct merge *m)
{
    int64_t faces[DOUBT_BATCH];
    int count = words_doubt_rivals(op, &(struct doubt_change){.person = m->person, .now = m->into}, faces);

    for (int i = 0; i < count; i++)
        if (merge_record(op, m->id, MERGE_DOUBT, faces[i], 0) < 0)
            return DB_ERROR;
    return count;
}

/* --- the rest --- */

/* Counter-examples without a word: an older version kept them when their image was deleted. */
static int merge_counters(struct op *op, const struct merge *m)
{
    struct db_statement *s = db_query(
        op->db, "SELECT id, photo_id FROM templates WHERE person_id = ? AND counter = 1 ORDER BY id LIMIT 100");
    int64_t ids[MERGE_TEMPLATES], photos[MERGE_TEMPLATES];
    int count;

    op->d->bind_int(s, 1, m->person);
    count = merge_read_ids(op, s, ids, photos, MERGE_TEMPLATES);
    for (int i = 0; i < count; i++)
        if (merge_move_template(op, ids[i], m->person, m->into, true) < 0 ||
            merge_record(op, m->id, MERGE_COUNTER, ids[i], 0) < 0)
            return DB_ERROR;
    return count;
}

/* A photo that both have is parked, unless a template of another model needs it. */
static int merge_photos(struct op *op, const struct merge *m)
{
    if (MERGE_RUN(op,
                  "INSERT INTO merge_rows(merge_id, kind, row_id, other) SELECT ?, 7, a.id, 0 FROM person_images a "
                  "WHERE a.person_id = ? AND EXISTS(SELECT 1 FROM templates t WHERE t.photo_id = a.id AND t.person_id "
                  "= 0) AND "
                  "NOT EXISTS(SELECT 1 FROM templates t WHERE t.photo_id = a.id AND t.person_id > 0)",
                  m->id, m->person) < 0 ||
        MERGE_RUN(op,
                  "UPDATE person_images SET person_id = NULL WHERE id IN (SELECT row_id FROM merge_rows WHERE merge_id "
                  "= ? AND kind = 7)",
                  m->id) < 0 ||
        MERGE_RUN(op,
                  "INSERT INTO merge_rows(merge_id, kind, row_id, other) SELECT ?, 4, id, 0 FROM person_images WHERE "
                  "person_id = ?",
                  m->id, m->person) < 0 ||
        MERGE_RUN(op, "UPDATE person_images SET person_id = ? WHERE person_id = ?", m->into, m->person) < 0)
        return DB_ERROR;
    return MERGE_RUN(op,
                     "UPDATE merges SET photos = (SELECT COUNT(*) FROM merge_rows WHERE merge_id = ? AND kind = 4) "
                     "WHERE id = ?",
                     m->id, m->id);
}

/* Notes and portrait of the person that goes are those of the other one when it has none. */
static int merge_describe(struct op *op, const struct merge *m)
{
    struct db_statement *s = db_query(op->db, "UPDATE person SET notes = ? WHERE id = ? AND notes IS NULL");

    db_bind_text(op->db, s, 1, m->notes);
    op->d->bind_int(s, 2, m->into);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    return MERGE_RUN(op,
                     "UPDATE person SET portrait_photo = ?, portrait_face = ? WHERE id = ? AND portrait_photo = 0 AND "
                     "portrait_face = 0",
                     m->portrait_photo, m->portrait_face, m->into);
}

/* The removals of the templates stay in the log: a gallery that has them still must read those first. */
static int merge_end(struct op *op, const struct merge *m)
{
    if (merge_photos(op, m) < 0 || merge_describe(op, m) < 0 ||
        op_run_with_id(op, "DELETE FROM person WHERE id = ?", m->person) < 0 ||
        op_run_with_id(op, "DELETE FROM person_names WHERE person_id = ?", m->person) < 0 ||
        op_run_with_id(op, "DELETE FROM gallery_log WHERE person_id = ? AND kind = 3", m->person) < 0 ||
        op_gallery_log(op, GALLERY_PERSON_REMOVED, m->person, 0) < 0 || merge_review(op, m->into) < 0 ||
        merge_set_state(op, m->id, MERGE_DONE) < 0 || op_event(op, EVENT_PERSON_DELETED, 0, m->person) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON, 0, m->into);
}

/* --- the request --- */

static int merge_insert(struct op *op, const struct store_merge *msg)
{
    struct db_statement *s =
        db_query(op->db, "INSERT INTO merges(person_id, into_id, state, name, name_alike, notes, portrait_photo, "
                         "portrait_face, said_by, said_at) SELECT id, ?, 1, name, name_alike, notes, portrait_photo, "
                         "portrait_face, ?, ? FROM person WHERE id = ?");

    op->d->bind_int(s, 1, msg->into);
    op_bind_text(op, s, 2, msg->said_by, PHOTO_NAME_BYTES);
    op->d->bind_int(s, 3, op->now_ms);
    op->d->bind_int(s, 4, msg->person);
    return db_finish(op->db, s);
}

/* The person is not there: the same request came before, or there is none. */
static int merge_repeated(struct op *op, const struct store_merge *msg, const struct merge *m)
{
    if (m->into != msg->into || !merge_is_done(m))
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)msg->person);
    merge_reply(op, m);
    return 0;
}

static bool merge_is_open(const struct merge *m)
{
    return m->state == MERGE_RUNNING || m->state == MERGE_UNDOING;
}

/* The merge under way of another person into this one. DB_ROW, DB_DONE or negative. */
static int merge_find_open_into(struct op *op, int64_t person, struct merge *m)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " MERGE_COLUMNS "WHERE m.into_id = ? AND m.state IN (1, 3) ORDER BY m.id LIMIT 1");
    int result;

    op->d->bind_int(s, 1, person);
    if ((result = db_step(op->db, s)) == DB_ROW)
        merge_read_row(op, s, m);
    op->d->reset(s);
    return result;
}

static int merge_refuse_open(struct op *op, const struct merge *m)
{
    return op_refuse(op, STORE_CONFLICT, "person %lld is being merged into person %lld", (long long)m->person,
                     (long long)m->into);
}

/* Finds the merge under way, or begins it. 0: `m` is RUNNING; DB_DONE with a reply: `m->id` is 0. */
static int merge_begin(struct op *op, const struct store_merge *msg, struct merge *m)
{
    struct merge other = {0};
    int there, result;

    if (op_adopt_people(op) < 0 || merge_lock_people(op, msg->person, msg->into) < 0 ||
        (there = op_person_exists(op, msg->person)) < 0 || merge_load_latest(op, msg->person, m) < 0 ||
        merge_load_latest(op, msg->into, &other) < 0)
        return DB_ERROR;
    if (there != DB_ROW) {
        result = merge_repeated(op, msg, m);
        m->id = 0;
        return result;
    }
    if ((result = op_person_exists(op, msg->into)) != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)msg->into);
    if (merge_is_open(&other))
        return merge_refuse_open(op, &other);
    if (merge_is_open(m) && (m->into != msg->into || m->state == MERGE_UNDOING))
        return op_refuse(op, STORE_CONFLICT, "merge %lld of person %lld into person %lld is not finished: repeat it",
                         (long long)m->id, (long long)m->person, (long long)m->into);
    if (m->state == MERGE_RUNNING)
        return 0;
    if ((result = merge_find_open_into(op, msg->person, &other)) != DB_DONE)
        return result < 0 ? result : merge_refuse_open(op, &other);
    if (merge_insert(op, msg) < 0)
        return DB_ERROR;
    return merge_load(op, op->d->last_id(op->db), m) == DB_ROW ? 0 : DB_ERROR;
}

int op_merge(struct op *op, const struct msg *message)
{
    const struct store_merge *msg = (const struct store_merge *)message;
    struct merge m = {0};
    int result, count;

    if (msg->person == msg->into)
        return op_refuse(op, STORE_CONFLICT, "a person cannot be merged into itself");
    if ((result = merge_begin(op, msg, &m)) < 0 || m.id == 0)
        return result;
    if ((count = merge_templates(op, &m)) < 0 || (count < MERGE_TEMPLATES && (count = merge_faces(op, &m)) < 0) ||
        (count == 0 && (count = merge_words(op, &m)) < 0) || (count == 0 && (count = merge_counters(op, &m)) < 0) ||
        (count == 0 && (count = merge_doubts(op, &m)) < 0))
        return DB_ERROR;
    op->reply->changed = 1;
    op->reply->more = count > 0;
    if ((!op->reply->more && merge_end(op, &m) < 0) ||
        op_batch_done(op, &(struct unfinished){UNFINISHED_MERGE, m.person, m.into, msg->said_by}) < 0)
        return DB_ERROR;
    if (merge_load(op, m.id, &m) != DB_ROW)
        return DB_ERROR;
    merge_reply(op, &m);
    return 0;
}
