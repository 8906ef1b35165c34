/* Rows of faces as structs. The faces of a page of images, and the names of their candidates, are read with few
 * statements: each one is a round trip to a server. */
#include "core/store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids that one statement reads. */
enum { FACE_ROWS_IDS = 64 };
#define FACE_ROWS_8      "?, ?, ?, ?, ?, ?, ?, ?"
#define FACE_ROWS_32     FACE_ROWS_8 ", " FACE_ROWS_8 ", " FACE_ROWS_8 ", " FACE_ROWS_8
#define FACE_ROWS_IN_IDS " IN (" FACE_ROWS_32 ", " FACE_ROWS_32 ")"

/* --- candidates --- */

/* Candidates are stored as "person distance similarity template;" each, of the time when the face was decided. */
int op_read_candidates(struct op *op, const char *text, struct candidate **list)
{
    int max = 0, count = 0;

    for (const char *c = text; *c; c++)
        max += *c == ';';
    *list = arena_alloc(op->arena, (size_t)max * sizeof **list + 1);
    while (*text && count < max) {
        struct candidate *c = &(*list)[count++];
        char *end;

        c->person = strtoll(text, &end, 10);
        c->distance = strtod(end, &end);
        c->similarity = strtod(end, &end);
        c->template = strtoll(end, &end, 10); /* 0 where an older version has written it */
        text = end + strcspn(end, ";");
        text += *text == ';';
    }
    return count;
}

char *op_candidates_text(struct op *op, const struct candidate *c, int count)
{
    enum { CANDIDATE_BYTES = 96 };
    char *text = arena_alloc(op->arena, (size_t)count * CANDIDATE_BYTES + 1);
    size_t n = 0;

    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, CANDIDATE_BYTES, "%lld %.6g %.6g %lld;", (long long)c[i].person, c[i].distance,
                              c[i].similarity, (long long)c[i].template);
    return text;
}

struct named {        /* a person */
    int64_t id, now;  /* `now`: whom a merge made of the person */
    const char *name; /* NULL: deleted */
};

static int face_rows_compare(const void *a, const void *b)
{
    const struct named *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* Writes the people of a face to `list`, when it is given. Returns how many. */
static int face_rows_people_of(const struct face *f, struct named *list)
{
    int n = 0;

    for (int c = 0; c < f->candidate_count; c++, n++)
        if (list)
            list[n].id = f->candidates[c].person;
    if (f->decision.denied && list)
        list[n].id = f->decision.denied;
    return n + (f->decision.denied != 0);
}

/* The people of all candidates and explanations, each once, sorted by id. */
static struct named *face_rows_list_people(struct op *op, const struct image *images, int count, int *people)
{
    struct named *list;
    int max = 0, n = 0;

    for (int i = 0; i < count; i++)
        for (int f = 0; f < images[i].face_count; f++)
            max += face_rows_people_of(&images[i].faces[f], NULL);
    list = arena_alloc(op->arena, (size_t)max * sizeof *list + 1);
    for (int i = 0; i < count; i++)
        for (int f = 0; f < images[i].face_count; f++)
            n += face_rows_people_of(&images[i].faces[f], list + n);
    qsort(list, (size_t)n, sizeof *list, face_rows_compare);
    *people = 0;
    for (int i = 0; i < n; i++)
        if (i == 0 || list[i].id != list[*people - 1].id)
            list[(*people)++] = list[i];
    return list;
}

static void face_rows_bind_ids(struct op *op, struct db_statement *s, const int64_t *ids, int count)
{
    for (int i = 0; i < FACE_ROWS_IDS; i++) /* no row has the id 0 */
        op->d->bind_int(s, i + 1, i < count ? ids[i] : 0);
}

/* Reads the names of at most FACE_ROWS_IDS people. */
static int face_rows_read_names(struct op *op, struct named *people, int count)
{
    struct db_statement *s = db_query(op->db, "SELECT id, name FROM person WHERE id" FACE_ROWS_IN_IDS);
    int64_t ids[FACE_ROWS_IDS];
    int result;

    for (int i = 0; i < count; i++)
        ids[i] = people[i].id;
    face_rows_bind_ids(op, s, ids, count);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        struct named *found = bsearch(&(struct named){.id = op->d->column_int(s, 0)}, people, (size_t)count,
                                      sizeof *people, face_rows_compare);

        if (found)
            found->name = op_text(op, s, 1);
    }
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        people[i].now = people[i].id;
        if (!people[i].name) /* merged or deleted: few are */
            result = op_person_shown(op, &people[i].now, &people[i].name);
    }
    return result;
}

static const struct named *face_rows_find(const struct named *people, int count, int64_t id)
{
    return bsearch(&(struct named){.id = id}, people, (size_t)count, sizeof *people, face_rows_compare);
}

static bool face_rows_has(const struct candidate *list, int count, int64_t person)
{
    for (int i = 0; i < count; i++)
        if (list[i].person == person)
            return true;
    return false;
}

static void face_rows_name_face(struct face *face, const struct named *people, int count)
{
    struct candidate *list = (struct candidate *)(uintptr_t)face->candidates; /* made by op_face_row() */
    const struct named *found;
    int kept = 0;

    for (int i = 0; i < face->candidate_count; i++) {
        found = face_rows_find(people, count, list[i].person);
        if (!found || !found->name || face_rows_has(list, kept, found->now))
            continue;
        list[kept] = list[i];
        list[kept].person = found->now;
        list[kept++].name = found->name;
    }
    face->candidate_count = kept;
    if (face->decision.denied && (found = face_rows_find(people, count, face->decision.denied)))
        face->decision.denied = found->name ? found->now : 0;
}

int op_name_candidates(struct op *op, struct image *images, int count)
{
    int people, result = 0;
    struct named *list = face_rows_list_people(op, images, count, &people);

    for (int i = 0; i < people && result >= 0; i += FACE_ROWS_IDS)
        result = face_rows_read_names(op, list + i, people - i < FACE_ROWS_IDS ? people - i : FACE_ROWS_IDS);
    for (int i = 0; i < count && result >= 0; i++)
        for (int f = 0; f < images[i].face_count; f++)
            face_rows_name_face(&images[i].faces[f], list, people);
    return result < 0 ? result : 0;
}

/* --- faces --- */

void op_face_row(struct op *op, struct db_statement *s, struct face *face)
{
    const struct db_driver *d = op->d;
    const char *candidates;
    const void *blob;
    size_t len;

    face->id = d->column_int(s, 0);
    face->image = d->column_int(s, 1);
    face->x = (float)d->column_real(s, 2);
    face->y = (float)d->column_real(s, 3);
    face->width = (float)d->column_real(s, 4);
    face->height = (float)d->column_real(s, 5);
    if ((blob = d->column_blob(s, 6, &len))) {
        face->landmark_count = (int)(len / (2 * sizeof(float)));
        face->landmarks = (const float *)(const void *)arena_copy(op->arena, blob, len);
    }
    face->quality = (float)d->column_real(s, 7);
    face->model = op_text(op, s, 8);
    if ((blob = d->column_blob(s, 9, &len))) {
        face->dimension = (int)(len / sizeof(float));
        face->embedding = (const float *)(const void *)arena_copy(op->arena, blob, len);
    }
    face->person = d->column_int(s, 10);
    face->distance = d->column_real(s, 11);
    face->similarity = d->column_real(s, 12);
    candidates = op_text(op, s, 13);
    face->person_name = op_text(op, s, 14);
    face->unknown_person = d->column_int(s, 15);
    face->decision = decision_read(op_text(op, s, 16));
    face->template = d->column_int(s, 17);
    face->word = (int)d->column_int(s, 18);
    face->place = d->column_int(s, 19);
    face->label = op_text(op, s, 20);
    face->doubt = (int)d->column_int(s, 21) & DOUBT_ALL;
    face->rival = d->column_int(s, 22);
    face->candidates = NULL;
    face->candidate_count = 0;
    if (candidates) {
        struct candidate *list;

        face->candidate_count = op_read_candidates(op, candidates, &list);
        face->candidates = list;
    }
}

/* Room for one face more. */
static struct face *face_rows_add(struct op *op, struct image *image)
{
    if ((image->face_count & (image->face_count - 1)) == 0) { /* 0 or a power of two: the list is full */
        struct face *more =
            arena_alloc(op->arena, (size_t)(image->face_count ? 2 * image->face_count : 1) * sizeof *more);

        if (image->face_count)
            memcpy(more, image->faces, (size_t)image->face_count * sizeof *more);
        image->faces = more;
    }
    return &image->faces[image->face_count++];
}

/* Reads the faces of at most FACE_ROWS_IDS images. */
static int face_rows_read(struct op *op, struct image *images, int count)
{
    struct db_statement *s =
        count == 1
            ? db_query(op->db, "SELECT " FACE_COLUMNS " FROM faces f LEFT JOIN person p ON p.id = f.person WHERE "
                               "f.image_id = ? ORDER BY f.word = 3, f.id")
            : db_query(op->db, "SELECT " FACE_COLUMNS " FROM faces f LEFT JOIN person p ON p.id = f.person WHERE "
                               "f.image_id" FACE_ROWS_IN_IDS " ORDER BY f.word = 3, f.id");
    int64_t ids[FACE_ROWS_IDS];
    int result;

    for (int i = 0; i < count; i++) {
        ids[i] = images[i].id;
        images[i].face_count = 0;
    }
    if (count == 1)
        op->d->bind_int(s, 1, ids[0]);
    else
        face_rows_bind_ids(op, s, ids, count);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        int64_t id = op->d->column_int(s, 1);
        int i = 0;

        while (i < count && images[i].id != id)
            i++;
        if (i < count)
            op_face_row(op, s, face_rows_add(op, &images[i]));
    }
    op->d->reset(s);
    return result;
}

int op_load_faces_of(struct op *op, struct image *images, int count)
{
    int result = 0;

    for (int i = 0; i < count && result >= 0; i += FACE_ROWS_IDS)
        result = face_rows_read(op, images + i, count - i < FACE_ROWS_IDS ? count - i : FACE_ROWS_IDS);
    if (result < 0 || op_name_candidates(op, images, count) < 0)
        return DB_ERROR;
    for (int i = 0; i < count && result >= 0; i++)
        result = op_words_load(op, &images[i]);
    return result < 0 ? result : 0;
}

int op_load_faces(struct op *op, struct image *image)
{
    return op_load_faces_of(op, image, 1);
}
