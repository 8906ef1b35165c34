/* Deletes the faces of an unknown person: boxes, embeddings, words. Their images stay and are judged by what is left.
 */
#include "core/store/store_internal.h"

enum { UNKNOWN_BATCH = 100 };

struct unknown_face {
    int64_t id, image;
};

static int unknown_delete_face(struct op *op, const struct unknown_face *face)
{
    struct image *image = arena_alloc(op->arena, sizeof *image);
    int result = op_load_image(op, face->image, image);

    if (result < 0)
        return result;
    if (op_gallery_log(op, GALLERY_FACE_REMOVED, 0, face->id) < 0 ||
        op_run_with_id(op, "DELETE FROM decide_again WHERE kind = 2 AND subject = ?", face->id) < 0 ||
        op_words_face_deleted(op, face->id) < 0 || op_run_with_id(op, "DELETE FROM faces WHERE id = ?", face->id) < 0)
        return DB_ERROR;
    op->reply->deleted.faces++;
    if (result == 0)
        return 0;
    return op_judge_image(op, face->image) < 0 ? DB_ERROR : op_erase(op, image->sha256, NULL);
}

/* The faces of the unknown person that are ignored have its negative number. */
static int unknown_read_faces(struct op *op, int64_t id, struct unknown_face faces[static UNKNOWN_BATCH])
{
    struct db_statement *s = db_query(op->db, "SELECT id, image_id FROM faces WHERE unknown_person IN (?, ?) AND "
                                              "unknown_person <> 0 AND person = -1 ORDER BY id LIMIT 100");
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, id);
    op->d->bind_int(s, 2, -id);
    while (count < UNKNOWN_BATCH && (result = db_step(op->db, s)) == DB_ROW)
        faces[count++] = (struct unknown_face){op->d->column_int(s, 0), op->d->column_int(s, 1)};
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* One batch; the caller repeats the request while `more`. `person` of the message is 1 but for the first batch: then no
 * face may be left, and that is no error. */
int op_forget_unknown(struct op *op, const struct msg *msg)
{
    const struct store_id *m = (const struct store_id *)msg;
    struct unknown_face faces[UNKNOWN_BATCH];
    int count = unknown_read_faces(op, m->id, faces), result;

    if (count < 0)
        return count;
    if (count == 0 && !m->person)
        return op_refuse(op, STORE_NOT_FOUND, "there is no unknown person %lld", (long long)m->id);
    for (int i = 0; i < count; i++)
        if ((result = unknown_delete_face(op, &faces[i])) < 0)
            return result;
    op->reply->changed = count;
    op->reply->more = count == UNKNOWN_BATCH;
    if (!op->reply->more && op_words_unknown_deleted(op, m->id) < 0)
        return DB_ERROR;
    return op_batch_done(op, &(struct unfinished){UNFINISHED_DELETE_UNKNOWN, m->id, 0, m->said_by});
}
