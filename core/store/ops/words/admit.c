/* Which names the gallery may give to a face: none that a word denies it, and with KITH_ONCE_A_PICTURE none that a more
 * similar face of the picture has. The next candidate that passes takes its place. */
#include "core/store/ops/words/words_internal.h"

static void admit_block(struct blocked *b, int64_t person)
{
    if (b->count < BLOCKED_MAX)
        b->people[b->count++] = person;
}

bool words_blocks(const struct blocked *b, int64_t person)
{
    for (int i = 0; i < b->count; i++)
        if (b->people[i] == person)
            return true;
    return false;
}

int words_read_blocked(struct op *op, int64_t place, struct blocked *b)
{
    struct word *words;
    int count = place ? words_of_place(op, place, &words) : 0;

    for (int i = 0; i < count; i++)
        if (words[i].kind == WORD_NOT || words[i].kind == WORD_NAME_OFF)
            admit_block(b, words[i].person);
    return count < 0 ? count : 0;
}

/* The face keeps its person, gets that of the next candidate, or none. Similarity 0.5 is the threshold. */
static int admit_choose(struct op *op, const struct blocked *b, struct face *f)
{
    if (f->person <= 0 || !words_blocks(b, f->person))
        return 0;
    f->decision.denied = f->person;
    for (int i = 0; i < f->candidate_count; i++) {
        const struct candidate *c = &f->candidates[i];
        int64_t person = c->person;

        if (c->similarity < 0.5)
            continue;
        if (op_person_now(op, &person) < 0) /* who may have been merged or deleted since */
            return DB_ERROR;
        if (!person || words_blocks(b, person))
            continue;
        f->person = person;
        f->distance = c->distance;
        f->similarity = c->similarity;
        f->template = c->template;
        return 0;
    }
    f->person = PERSON_UNKNOWN;
    f->template = 0;
    f->decision.rule = DECIDED_BY_DENIAL;
    return 0;
}

int words_admit(struct op *op, int64_t place, struct face *f)
{
    struct blocked blocked = {.count = 0};

    if (f->person > 0 && (words_read_blocked(op, place, &blocked) < 0 || admit_choose(op, &blocked, f) < 0))
        return DB_ERROR;
    return words_doubt(op, &blocked, &(struct doubt_change){.person = 0}, f);
}

int words_check_template(struct op *op, const struct face *f)
{
    struct db_statement *s;
    int result;

    if (f->person <= 0 || !f->template)
        return 0;
    s = db_query(op->db, "SELECT 1 FROM templates WHERE id = ? AND person_id = ?");
    op->d->bind_int(s, 1, f->template);
    op->d->bind_int(s, 2, f->person);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result == DB_DONE ? op_decide_again(op, AGAIN_FACE, f->id) : result < 0 ? result : 0;
}

/* --- once a picture --- */

static int admit_compare(const struct face *x, const struct face *y)
{
    if ((x->word == WORD_NAMED) != (y->word == WORD_NAMED))
        return x->word == WORD_NAMED ? -1 : 1;
    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int admit_store(struct op *op, const struct face *f)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE faces SET person = ?, distance = ?, similarity = ?, decision = ?, "
                         "template_id = ?, doubt = ?, rival = ? WHERE id = ? AND word = 0");
    char decision[DECISION_BYTES];

    decision_write(&f->decision, decision);
    op->d->bind_int(s, 1, f->person);
    op->d->bind_real(s, 2, f->distance);
    op->d->bind_real(s, 3, f->similarity);
    db_bind_text(op->db, s, 4, f->decision.rule ? arena_text(op->arena, decision) : NULL);
    op->d->bind_int(s, 5, f->template);
    op->d->bind_int(s, 6, f->doubt);
    op->d->bind_int(s, 7, f->rival);
    op->d->bind_int(s, 8, f->id);
    op->reply->changed++;
    return db_finish(op->db, s);
}

/* The most similar face that has not been examined. */
static struct face *admit_next(struct face *faces, const bool *done, int count)
{
    struct face *best = NULL;

    for (int i = 0; i < count; i++)
        if (!done[i] && (!best || admit_compare(&faces[i], best) < 0))
            best = &faces[i];
    return best;
}

/* A face that had to give up its name may get it back now. */
static int admit_reconsider(struct op *op, struct image *i)
{
    for (int n = 0; n < i->face_count; n++) {
        struct face *f = &i->faces[n];
        int64_t person;

        if (f->word || f->person > 0 || f->decision.rule != DECIDED_BY_DENIAL || !f->candidate_count ||
            f->candidates[0].similarity < 0.5)
            continue;
        person = f->candidates[0].person;
        if (op_person_now(op, &person) < 0)
            return DB_ERROR;
        if (!person)
            continue;
        f->person = person;
        f->distance = f->candidates[0].distance;
        f->similarity = f->candidates[0].similarity;
        f->template = f->candidates[0].template;
    }
    return 0;
}

/* A face whose person is taken gets its next candidate, with which it is compared with the others again. */
static int admit_share_out(struct op *op, struct image *i, bool *moved)
{
    struct blocked taken = {.count = 0};
    bool *done = arena_alloc(op->arena, (size_t)i->face_count);
    int64_t *before = arena_alloc(op->arena, (size_t)i->face_count * sizeof *before);
    struct face *f;

    for (int n = 0; n < i->face_count; n++)
        before[n] = i->faces[n].person;
    if (admit_reconsider(op, i) < 0)
        return DB_ERROR;
    while ((f = admit_next(i->faces, done, i->face_count))) {
        struct blocked blocked = taken;
        int64_t person = f->person;

        if (f->word == WORD_NONE && f->person > 0 &&
            (words_read_blocked(op, f->place, &blocked) < 0 || admit_choose(op, &blocked, f) < 0))
            return DB_ERROR;
        if (f->person != person)
            continue;
        done[f - i->faces] = true;
        if (f->person > 0)
            admit_block(&taken, f->person);
        if (f->person == before[f - i->faces])
            continue;
        *moved = true;
        if (words_doubt(op, &blocked, &(struct doubt_change){.person = 0}, f) < 0 || admit_store(op, f) < 0 ||
            words_check_template(op, f) < 0)
            return DB_ERROR;
    }
    return 0;
}

int words_once_a_picture(struct op *op, int64_t image)
{
    struct image *i = arena_alloc(op->arena, sizeof *i);
    bool moved = false;

    i->id = image;
    if (!op->once_a_picture)
        return 0;
    if (op_load_faces(op, i) < 0)
        return DB_ERROR;
    if (i->face_count > 1 && admit_share_out(op, i, &moved) < 0)
        return DB_ERROR;
    return moved ? op_judge_image(op, image) : 0;
}
