#include "core/store/ops/images/face_places.h"

#include "core/base/must.h"
#include "core/store/ops/words/words_internal.h"

#include <stdlib.h>
#include <string.h>

static struct known_place *face_places_add(struct op *op, struct known_places *p)
{
    if ((p->count & (p->count - 1)) == 0) { /* 0 or a power of two: the list is full */
        struct known_place *more = arena_alloc(op->arena, (size_t)(p->count ? p->count * 2 : 1) * sizeof *more);

        if (p->count)
            memcpy(more, p->list, (size_t)p->count * sizeof *more);
        p->list = more;
    }
    p->list[p->count] = (struct known_place){.found = -1};
    return &p->list[p->count++];
}

int face_places_read_stored(struct op *op, int64_t image, struct known_places *p)
{
    struct db_statement *s = db_query(
        op->db, "SELECT id, place, word, person, x, y, width, height FROM faces WHERE image_id = ? ORDER BY id");
    int result;

    op->d->bind_int(s, 1, image);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        struct known_place *k = face_places_add(op, p);

        k->id = op->d->column_int(s, 0);
        k->place = op->d->column_int(s, 1);
        k->word = (int)op->d->column_int(s, 2);
        k->person = op->d->column_int(s, 3);
        for (int i = 0; i < 4; i++)
            k->box[i] = op->d->column_real(s, 4 + i);
    }
    op->d->reset(s);
    p->stored = p->count;
    return result < 0 ? result : 0;
}

static struct known_place *face_places_find(struct known_places *p, int64_t place)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i].place == place)
            return &p->list[i];
    return NULL;
}

/* The people of the words may have been merged or deleted by another node since this transaction began. */
static int face_places_follow_people(struct op *op, struct known_places *p)
{
    for (int i = 0; i < p->count; i++) {
        struct known_place *k = &p->list[i];

        if (k->word != WORD_NAMED)
            continue;
        if (op_person_now(op, &k->person) < 0)
            return DB_ERROR;
        if (!k->person)
            k->word = WORD_NONE;
    }
    return 0;
}

/* A recogniser that takes paths alone gives no hash: words then belong to the image. Words that a merge parked have a
 * negative kind. They decide nothing, but their place is one: the same face has it in all images. */
int face_places_read_words(struct op *op, int64_t image, const char *sha256, struct known_places *p)
{
    struct db_statement *s =
        sha256 ? db_query(op->db, "SELECT face_id, kind, person_id, x, y, width, height FROM words WHERE sha256 = ? "
                                  "ORDER BY id")
               : db_query(op->db, "SELECT face_id, kind, person_id, x, y, width, height FROM words WHERE image_id = ? "
                                  "AND sha256 IS NULL ORDER BY id");
    int result;

    if (sha256)
        db_bind_text(op->db, s, 1, sha256);
    else
        op->d->bind_int(s, 1, image);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        int64_t place = op->d->column_int(s, 0);
        int kind = (int)op->d->column_int(s, 1);
        struct known_place *k = face_places_find(p, place);

        if (!k) {
            k = face_places_add(op, p);
            k->place = place;
            for (int i = 0; i < 4; i++)
                k->box[i] = op->d->column_real(s, 3 + i);
        }
        k->drawn |= kind == WORD_DRAWN;
        if (kind > 0 && kind <= WORD_NOT_A_FACE) {
            k->word = kind;
            k->person = op->d->column_int(s, 2);
        }
    }
    op->d->reset(s);
    return result < 0 ? result : face_places_follow_people(op, p);
}

struct pair {
    double overlap;
    int place, face;
};

static int pair_compare(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->overlap != y->overlap)
        return x->overlap > y->overlap ? -1 : 1;
    return x->place != y->place ? x->place - y->place : x->face - y->face;
}

/* Assigns the places from `first` to `last`. `taken`: of each face. */
static void face_places_assign(struct known_places *p, int first, int last, const struct face *faces, int count,
                               bool *taken)
{
    struct pair *pairs = NULL;
    size_t n = 0, capacity = 0;

    for (int i = first; i < last; i++)
        for (int f = 0; f < count; f++) {
            const double box[4] = {(double)faces[f].x, (double)faces[f].y, (double)faces[f].width,
                                   (double)faces[f].height};
            double overlap = place_overlap(p->list[i].box, box);

            if (overlap < PLACE_OVERLAP)
                continue;
            if (n == capacity && !(pairs = realloc(pairs, (capacity = capacity * 2 + 16) * sizeof *pairs)))
                out_of_memory();
            pairs[n++] = (struct pair){.overlap = overlap, .place = i, .face = f};
        }
    if (n)
        qsort(pairs, n, sizeof *pairs, pair_compare);
    for (size_t i = 0; i < n; i++)
        if (p->list[pairs[i].place].found < 0 && !taken[pairs[i].face]) {
            p->list[pairs[i].place].found = pairs[i].face;
            taken[pairs[i].face] = true;
        }
    free(pairs);
}

void face_places_match(struct op *op, struct known_places *p, const struct face *faces, int count)
{
    bool *taken = arena_alloc(op->arena, (size_t)count + 1);

    face_places_assign(p, 0, p->stored, faces, count, taken);
    /* A place without a stored face may be that of a stored face to which no word was applied yet. */
    memset(taken, 0, (size_t)count + 1);
    for (int i = 0; i < p->stored; i++)
        if (p->list[i].place && p->list[i].found >= 0)
            taken[p->list[i].found] = true;
    face_places_assign(p, p->stored, p->count, faces, count, taken);
}
