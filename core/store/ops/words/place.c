/* Which faces have which words: a word belongs to a box in a picture of one content, and so to the face there in each
 * image of that content. */
#include "core/store/ops/words/words_internal.h"

/* Images of the same content that get a new word at once; others get it when they are looked at again. */
enum { SAME_CONTENT_MAX = 1000 };

double place_overlap(const double a[static 4], const double b[static 4])
{
    double left = a[0] > b[0] ? a[0] : b[0], right = a[0] + a[2] < b[0] + b[2] ? a[0] + a[2] : b[0] + b[2];
    double top = a[1] > b[1] ? a[1] : b[1], bottom = a[1] + a[3] < b[1] + b[3] ? a[1] + a[3] : b[1] + b[3];
    double shared = right > left && bottom > top ? (right - left) * (bottom - top) : 0;

    if (a[2] <= 0 && b[2] <= 0)
        return 1;
    return shared > 0 ? shared / (a[2] * a[3] + b[2] * b[3] - shared) : 0;
}

static int place_set(struct op *op, int64_t face, int64_t place)
{
    struct db_statement *s = db_query(op->db, "UPDATE faces SET place = ? WHERE id = ?");

    op->d->bind_int(s, 1, place);
    op->d->bind_int(s, 2, face);
    return db_finish(op->db, s);
}

/* The face of the image that overlaps most with the box, at least by PLACE_OVERLAP, and has no place; 0: none. */
static int place_find_face(struct op *op, int64_t image, const double box[static 4], int64_t *face)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, x, y, width, height FROM faces WHERE image_id = ? AND place = 0 ORDER BY id");
    double most = 0;
    int result;

    *face = 0;
    op->d->bind_int(s, 1, image);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        double other[4], shared;

        for (int i = 0; i < 4; i++)
            other[i] = op->d->column_real(s, 1 + i);
        shared = place_overlap(box, other);
        if (shared >= PLACE_OVERLAP && shared > most) {
            most = shared;
            *face = op->d->column_int(s, 0);
        }
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* Gives the place to the same face in the other images of the content. */
static int place_spread(struct op *op, const struct face *face, const char *sha256)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id FROM images WHERE sha256 = ? AND id <> ? ORDER BY id LIMIT 1000");
    const double box[4] = {(double)face->x, (double)face->y, (double)face->width, (double)face->height};
    int64_t images[SAME_CONTENT_MAX], same;
    int count = 0, result = DB_DONE;

    db_bind_text(op->db, s, 1, sha256);
    op->d->bind_int(s, 2, face->image);
    while (count < SAME_CONTENT_MAX && (result = db_step(op->db, s)) == DB_ROW)
        images[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        result = place_find_face(op, images[i], box, &same);
        if (result >= 0 && same)
            result = place_set(op, same, face->place);
    }
    return result < 0 ? result : 0;
}

int place_of(struct op *op, struct face *face, const struct image *image)
{
    if (face->place)
        return 0;
    face->place = face->id;
    if (place_set(op, face->id, face->place) < 0)
        return DB_ERROR;
    return image->sha256 ? place_spread(op, face, image->sha256) : 0;
}

int place_tidy(struct op *op, int64_t place)
{
    return op_run_with_id(op,
                          "UPDATE faces SET place = 0 WHERE place = ? AND NOT EXISTS(SELECT 1 FROM words w WHERE "
                          "w.face_id = faces.place)",
                          place);
}
