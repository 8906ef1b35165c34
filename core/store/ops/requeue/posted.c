/* A path that is posted again while it has a row: the image is looked at again when its file is another one than was
 * looked at.
 *
 * The poster has read the stamp of the file before. An image that waits is opened by a run that begins later: it finds
 * that file, or a newer one. A run under way may have opened the file before, so the row keeps the stamp, and the end
 * of the run compares it with that of the file it has read (finish.c). The begin of a run forgets it (claim.c). */
#include "core/store/store_internal.h"

static int posted_read(struct op *op, int64_t id, struct image *image)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.id = ?{| FOR UPDATE}");

    op->d->bind_int(s, 1, id);
    return op_image_rows(op, s, image, 1);
}

static int posted_note(struct op *op, const struct image *image, struct file_stamp file)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE images SET posted_size = ?, posted_mtime_ns = ? WHERE id = ? AND status = 3");

    op->d->bind_int(s, 1, file.size);
    op->d->bind_int(s, 2, file.mtime_ns);
    op->d->bind_int(s, 3, image->id);
    return db_finish(op->db, s);
}

static int posted_look_again(struct op *op, struct image *image)
{
    int result = op_requeue(op, image->id, image->status, image->verdict, 0);

    image->status = IMAGE_PENDING;
    image->verdict = VERDICT_NONE;
    image->existing = image->again = true;
    op->reply->image_count++;
    return result;
}

int op_posted_again(struct op *op, const struct msg *msg)
{
    const struct store_posted *m = (const struct store_posted *)msg;
    int result = 0;

    op->reply->images = arena_alloc(op->arena, (size_t)m->count * sizeof(struct image) + 1);
    for (int i = 0; i < m->count && result >= 0; i++) {
        struct image *image = &op->reply->images[op->reply->image_count];
        int shown;

        if ((result = posted_read(op, m->files[i].id, image)) != 1)
            continue; /* it was deleted */
        shown = image_shown_status(image);
        if (shown == IMAGE_PROCESSING)
            result = posted_note(op, image, m->files[i].file);
        else if (shown != IMAGE_PENDING && image_file_differs(image, m->files[i].file))
            result = posted_look_again(op, image);
    }
    return result < 0 ? result : 0;
}
