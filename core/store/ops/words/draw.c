/* A box that a client drew where the recogniser found no face, or that names one that it found. */
#include "core/store/ops/words/words_internal.h"

#include <string.h>

/* The face of the image that overlaps most with the box: its id, or 0. */
static int draw_find_face(const struct image *image, const struct face *drawn, int64_t *id)
{
    const double box[4] = {(double)drawn->x, (double)drawn->y, (double)drawn->width, (double)drawn->height};
    double most = 0;

    *id = 0;
    for (int i = 0; i < image->face_count; i++) {
        const struct face *f = &image->faces[i];
        const double other[4] = {(double)f->x, (double)f->y, (double)f->width, (double)f->height};
        double shared = place_overlap(box, other);

        if (shared >= PLACE_OVERLAP && shared > most) {
            most = shared;
            *id = f->id;
        }
    }
    return 0;
}

static int draw_insert(struct op *op, int64_t image, const struct face *f, int64_t *id)
{
    struct db_statement *s = db_query(op->db, "INSERT INTO faces(image_id, x, y, width, height, landmarks, quality, "
                                              "model, embedding, place) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    op->d->bind_int(s, 1, image);
    op->d->bind_real(s, 2, (double)f->x);
    op->d->bind_real(s, 3, (double)f->y);
    op->d->bind_real(s, 4, (double)f->width);
    op->d->bind_real(s, 5, (double)f->height);
    op->d->bind_blob(s, 6, f->landmarks, (size_t)f->landmark_count * 2 * sizeof(float), 0);
    op->d->bind_real(s, 7, (double)f->quality);
    op_bind_text(op, s, 8, f->model ? f->model : "", MODEL_BYTES);
    op->d->bind_blob(s, 9, f->embedding, (size_t)f->dimension * sizeof(float), 0);
    op->d->bind_int(s, 10, f->place);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    *id = op->d->last_id(op->db);
    return 0;
}

/* An image in which no face was found has one now. */
static int draw_judge(struct op *op, const struct image *image)
{
    if (image->status == IMAGE_FAILED) {
        if (op_run_with_id(op,
                           "UPDATE images SET status = 0, verdict = 2, run_after = 9223372036854775807, reason = NULL "
                           "WHERE id = ? AND status = 2",
                           image->id) < 0)
            return DB_ERROR;
        op_moved(op, IMAGE_FAILED, image->verdict, IMAGE_PENDING, VERDICT_UNKNOWN);
    }
    return op_judge_image(op, image->id);
}

/* The other images of the content, where no face is in that place, get the face too. */
static int draw_spread(struct op *op, const struct face *face, const char *sha256)
{
    enum { BATCH = 1000 }; /* others get it when they are looked at again */
    struct db_statement *s = db_query(
        op->db,
        "SELECT i.id FROM images i WHERE i.sha256 = ? AND (i.status = 1 OR i.verdict > 0) AND NOT EXISTS(SELECT "
        "1 FROM faces f WHERE f.image_id = i.id AND f.place = ?) ORDER BY i.id LIMIT 1000");
    int64_t images[BATCH], id;
    int count = 0, result = DB_DONE;

    db_bind_text(op->db, s, 1, sha256);
    op->d->bind_int(s, 2, face->place);
    while (count < BATCH && (result = db_step(op->db, s)) == DB_ROW)
        images[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        struct image other = {0};

        if (draw_insert(op, images[i], face, &id) < 0 || op_decide_again(op, AGAIN_FACE, id) < 0 ||
            op_load_image(op, images[i], &other) < 0)
            return DB_ERROR;
        op->reply->changed++;
        result = draw_judge(op, &other);
    }
    return result < 0 ? result : 0;
}

/* Loads the image. Refuses when its file is not the one in which the box was drawn. */
static int draw_load(struct op *op, const struct store_draw *m, struct image *image)
{
    int result = op_load_image(op, m->image, image);

    if (result != 1)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no image %lld", (long long)m->image);
    if (m->sha256 && image->sha256 && strcmp(m->sha256, image->sha256) != 0)
        return op_refuse(op, STORE_CONFLICT, "the file of image %lld has changed since it was looked at",
                         (long long)m->image);
    if (image->status == IMAGE_PROCESSING || (image->status == IMAGE_PENDING && image->verdict == VERDICT_NONE))
        return op_refuse(op, STORE_CONFLICT, "image %lld has not been looked at yet", (long long)m->image);
    return 0;
}

/* Makes the face of the box, or finds it among those of the image. */
static int draw_make_face(struct op *op, const struct store_draw *m, const struct image *image, struct face *face)
{
    int64_t id;
    bool found;

    draw_find_face(image, m->face, &id);
    found = id != 0;
    if (!found && draw_insert(op, image->id, m->face, &id) < 0)
        return DB_ERROR;
    if (op_load_face(op, id, face) != DB_ROW)
        return DB_ERROR;
    if (found)
        return 0;
    op->reply->changed++;
    if (place_of(op, face, image) < 0 ||
        words_add(op, face, image->sha256, &(struct word){.kind = WORD_DRAWN, .said_by = m->said_by}) < 0 ||
        op_decide_again(op, AGAIN_FACE, id) < 0 || draw_judge(op, image) < 0)
        return DB_ERROR;
    return image->sha256 ? draw_spread(op, face, image->sha256) : 0;
}

int op_draw_face(struct op *op, const struct msg *msg)
{
    const struct store_draw *m = (const struct store_draw *)msg;
    struct image *image = arena_alloc(op->arena, sizeof *image);
    struct face *face = arena_alloc(op->arena, sizeof *face);
    int64_t person = 0;
    int result = draw_load(op, m, image);

    if (result < 0 || (m->named && (result = words_resolve_person(op, m->person, m->person_name, &person)) < 0))
        return result;
    if (draw_make_face(op, m, image, face) < 0 ||
        (m->named && words_name(op, face, image, person, !m->no_template, m->said_by) < 0))
        return DB_ERROR;
    *image = (struct image){0};
    op->reply->id = face->id;
    op->reply->images = image;
    op->reply->image_count = 1;
    return op_load_image(op, m->image, image) < 0 ? DB_ERROR : 0;
}
