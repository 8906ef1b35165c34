/* Reads of images: one, a page by key. */
#include "core/store/store_internal.h"

int op_image(struct op *op, const struct msg *msg)
{
    int result;

    op->reply->images = arena_alloc(op->arena, sizeof(struct image));
    result = op_load_image(op, ((const struct store_id *)msg)->id, op->reply->images);
    op->reply->image_count = result == 1;
    return result == 0
               ? op_refuse(op, STORE_NOT_FOUND, "there is no image %lld", (long long)((const struct store_id *)msg)->id)
           : result < 0 ? result
                        : 0;
}

#define LIST_IMAGES(condition)                                                                                         \
    "SELECT " IMAGE_COLUMNS " FROM images i LEFT JOIN person p ON p.id = i.person WHERE " condition                    \
    " i.id < ? ORDER BY i.id DESC LIMIT ?"

/* The newest first. Each filter has an index; two filters together use the index of the more selective one. */
static struct db_statement *images_prepare_list(struct op *op, const struct store_list *m, int *bound)
{
    struct db_statement *s;
    int at = 0;

    if (m->person > 0 && m->status >= 0) {
        s = db_query(op->db, LIST_IMAGES("i.person = ? AND i.person > 0 AND i.status = ? AND"));
        op->d->bind_int(s, ++at, m->person);
        op->d->bind_int(s, ++at, m->status);
    } else if (m->person > 0) {
        s = db_query(op->db, LIST_IMAGES("i.person = ? AND i.person > 0 AND"));
        op->d->bind_int(s, ++at, m->person);
    } else if (m->verdict > 0) {
        s = db_query(op->db, LIST_IMAGES("i.verdict = ? AND i.verdict > 0 AND"));
        op->d->bind_int(s, ++at, m->verdict);
    } else if (m->status >= 0) {
        s = db_query(op->db, LIST_IMAGES("i.status = ? AND"));
        op->d->bind_int(s, ++at, m->status);
    } else {
        s = db_query(op->db, LIST_IMAGES(""));
    }
    *bound = at;
    return s;
}

int op_images(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    int at, result = 0;
    struct db_statement *s = images_prepare_list(op, m, &at);

    r->images = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof(struct image));
    op->d->bind_int(s, at + 1, m->after ? m->after : INT64_MAX);
    op->d->bind_int(s, at + 2, m->limit + 1);
    while (r->image_count <= m->limit && (result = db_step(op->db, s)) == DB_ROW)
        op_image_row(op, s, &r->images[r->image_count++]);
    op->d->reset(s);
    if (result < 0)
        return result;
    if (r->image_count > m->limit) {
        r->image_count = m->limit;
        r->next = r->images[m->limit - 1].id;
    }
    for (int i = 0; i < r->image_count; i++)
        if (op_load_faces(op, &r->images[i]) < 0)
            return DB_ERROR;
    return 0;
}
