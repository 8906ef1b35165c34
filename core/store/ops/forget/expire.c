/* Deletion of images by age (KITH_KEEP_IMAGES, KITH_KEEP_UNKNOWN). Ids grow with the time of submission, so the oldest
 * are read by id. An image with a face about which a person said something stays; so does one that is not finished. */
#include "core/store/store_internal.h"

#include <stdio.h>

enum { BATCH = 200, SCAN = 2000 };

/* Reads the ids of one batch. Sets the cursor and `more` of the reply. The number, or negative. */
static int expire_read(struct op *op, const struct store_expire *m, int64_t ids[static BATCH])
{
    struct db_statement *s = db_query(
        op->db, "SELECT i.id, i.finished_at, i.status, i.verdict, i.created_at, (EXISTS (SELECT 1 FROM faces f WHERE "
                "f.image_id = i.id AND f.word <> 0) OR EXISTS (SELECT 1 FROM words w WHERE w.image_id = i.id)) FROM "
                "images i WHERE i.id > ? ORDER BY i.id LIMIT 2000");
    int count = 0, seen = 0, result = DB_DONE;
    bool young = false;

    op->d->bind_int(s, 1, m->after);
    while (count < BATCH && seen < SCAN && !young && (result = db_step(op->db, s)) == DB_ROW) {
        int64_t finished = op->d->column_int(s, 1);

        seen++;
        young = op->d->column_int(s, 4) >= m->before_ms;
        op->reply->next = op->d->column_int(s, 0);
        if (finished > 0 && finished < m->before_ms && op->d->column_int(s, 2) != IMAGE_PROCESSING &&
            (!m->unknown_only || op->d->column_int(s, 3) == VERDICT_UNKNOWN) && op->d->column_int(s, 5) == 0)
            ids[count++] = op->reply->next;
    }
    op->d->reset(s);
    op->reply->more = result == DB_ROW && !young;
    return result < 0 ? result : count;
}

int op_expire(struct op *op, const struct msg *msg)
{
    const struct store_expire *m = (const struct store_expire *)msg;
    int64_t ids[BATCH];
    struct image image;
    char detail[64];
    int count = expire_read(op, m, ids), result;

    if (count < 0 || m->dry) {
        op->reply->changed = count;
        return count < 0 ? count : 0;
    }
    for (int i = 0; i < count; i++)
        if ((result = op_load_image(op, ids[i], &image)) < 0 ||
            (result == 1 && (result = op_delete_image(op, &image)) < 0))
            return result;
    if (count == 0)
        return 0;
    snprintf(detail, sizeof detail, "%d images", count);
    return op_audit(op, &(struct audit_entry){.who = m->unknown_only ? "KITH_KEEP_UNKNOWN" : "KITH_KEEP_IMAGES",
                                              .action = "images expired",
                                              .detail = detail});
}
