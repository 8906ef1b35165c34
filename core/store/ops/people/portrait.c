/* The picture that shows a person: the one that was chosen while it is the person's; else the best face that was named
 * by hand, the first photo, or the best face that the gallery named. */
#include "core/store/store_internal.h"

enum { PORTRAIT_FACE, PORTRAIT_PHOTO };

/* Of the newest faces only: a person may have a million. */
#define PORTRAIT_FACE_COLUMNS                                                                                          \
    "i.path, i.sha256, i.id, f.x, f.y, f.width, f.height, i.spooled, i.file_size, i.file_mtime_ns"
#define PORTRAIT_BEST(word)                                                                                            \
    "SELECT " PORTRAIT_FACE_COLUMNS " FROM (SELECT id FROM faces WHERE person = ? AND " word                           \
    " ORDER BY id DESC LIMIT 100) n JOIN faces f ON f.id = n.id JOIN images i ON i.id = f.image_id ORDER BY "          \
    "f.quality "                                                                                                       \
    "DESC, f.id LIMIT 1"
#define PORTRAIT_PHOTO_COLUMNS "path, sha256, 0, 0, 0, 0, 0, spooled, 0, 0"

/* In the order of preference; each has the person as its only parameter. */
static const struct {
    const char *sql;
    int kind;
} portraits[] = {
    {"SELECT " PORTRAIT_FACE_COLUMNS " FROM person p JOIN faces f ON f.id = p.portrait_face AND f.person = p.id JOIN "
     "images i ON i.id = f.image_id WHERE p.id = ?",
     PORTRAIT_FACE},
    {"SELECT pi.path, pi.sha256, 0, 0, 0, 0, 0, pi.spooled, 0, 0 FROM person p JOIN person_images pi ON pi.id = "
     "p.portrait_photo AND "
     "pi.person_id = p.id WHERE p.id = ? AND pi.path IS NOT NULL",
     PORTRAIT_PHOTO},
    {PORTRAIT_BEST("word = 1"), PORTRAIT_FACE},
    {"SELECT " PORTRAIT_PHOTO_COLUMNS
     " FROM person_images WHERE person_id = ? AND path IS NOT NULL ORDER BY id LIMIT 1",
     PORTRAIT_PHOTO},
    {PORTRAIT_BEST("word = 0"), PORTRAIT_FACE},
};

static void portrait_read(struct op *op, struct db_statement *s, int kind)
{
    struct image *image = arena_alloc(op->arena, sizeof *image);

    *image = (struct image){.path = op_path(op, s, 0),
                            .sha256 = op_text(op, s, 1),
                            .id = op->d->column_int(s, 2),
                            .spooled = op->d->column_int(s, 7) != 0,
                            .file = {op->d->column_int(s, 8), op->d->column_int(s, 9)}};
    if (kind == PORTRAIT_FACE) {
        image->faces = arena_alloc(op->arena, sizeof *image->faces);
        image->face_count = 1;
        *image->faces = (struct face){.x = (float)op->d->column_real(s, 3),
                                      .y = (float)op->d->column_real(s, 4),
                                      .width = (float)op->d->column_real(s, 5),
                                      .height = (float)op->d->column_real(s, 6)};
    }
    op->reply->images = image;
    op->reply->image_count = 1;
}

int op_portrait(struct op *op, const struct msg *msg)
{
    int64_t person = ((const struct store_id *)msg)->id;
    int result = op_read_person(op, person);

    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)person);
    for (size_t i = 0; i < sizeof portraits / sizeof portraits[0]; i++) {
        struct db_statement *s = db_query(op->db, portraits[i].sql);

        op->d->bind_int(s, 1, person);
        if ((result = db_step(op->db, s)) == DB_ROW)
            portrait_read(op, s, portraits[i].kind);
        op->d->reset(s);
        if (result != DB_DONE)
            return result < 0 ? result : 0;
    }
    return op_refuse(op, STORE_NOT_FOUND, "person %lld has no photo and no face", (long long)person);
}
