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

/* The last parameters are whether images for review are left out, the cursor, and the limit. MariaDB reads an index of
 * (state, id) from its end for “state = ?”, and skips all that is behind the cursor; for “state IN (?, -1)” in the
 * order of the index it begins at the cursor. Its subquery counts, because it would read all of doubts for NOT EXISTS.
 */
#define LIST_IMAGES(condition, order)                                                                                  \
    "SELECT " IMAGE_COLUMNS " FROM images i LEFT JOIN person p ON p.id = i.person WHERE " condition                    \
    " (? = 0 OR (SELECT COUNT(*) FROM doubts d WHERE d.image_id = i.id) = 0) AND i.id < ? ORDER BY " order             \
    "i.id DESC LIMIT ?"
/* Images for review have a table of their own, which is read first. */
#define LIST_REVIEW(condition)                                                                                         \
    "SELECT " IMAGE_COLUMNS                                                                                            \
    " FROM doubts d {CROSS JOIN|STRAIGHT_JOIN} images i ON i.id = d.image_id LEFT JOIN person "                        \
    "p ON p.id = i.person WHERE " condition " i.state + 0 = 1 AND d.image_id < ? ORDER BY d.image_id DESC LIMIT ?"
#define LIST_FAILED                                                                                                    \
    "SELECT " IMAGE_COLUMNS " FROM (SELECT id FROM (SELECT id FROM images WHERE state = 2 AND id < ? ORDER BY id "     \
    "DESC LIMIT ?) a UNION ALL SELECT id FROM (SELECT id FROM images WHERE state = 4 AND id < ? ORDER BY id DESC "     \
    "LIMIT ?) b) f JOIN images i ON i.id = f.id LEFT JOIN person p ON p.id = i.person ORDER BY i.id DESC LIMIT ?"

/* Failed images have two states. The newest of both are among the newest of each. */
static struct db_statement *images_prepare_failed(struct op *op, int64_t before, int64_t limit)
{
    struct db_statement *s = db_query(op->db, LIST_FAILED);

    op->d->bind_int(s, 1, before);
    op->d->bind_int(s, 2, limit);
    op->d->bind_int(s, 3, before);
    op->d->bind_int(s, 4, limit);
    op->d->bind_int(s, 5, limit);
    return s;
}

static struct db_statement *images_prepare_review(struct op *op, const struct store_list *m, int64_t before,
                                                  int64_t limit)
{
    struct db_statement *s = db_query(op->db, m->person > 0 ? LIST_REVIEW("d.person = ? AND") : LIST_REVIEW(""));
    int at = 0;

    if (m->person > 0)
        op->d->bind_int(s, ++at, m->person);
    op->d->bind_int(s, ++at, before);
    op->d->bind_int(s, ++at, limit);
    return s;
}

/* With a person, whose index it uses, the other filters are checked in each row. */
static struct db_statement *images_prepare_of_person(struct op *op, const struct store_list *m, int *at)
{
    struct db_statement *s = db_query(op->db, LIST_IMAGES("i.person = ? AND i.person > 0 AND (? <= 0 OR i.verdict = ?) "
                                                          "AND (? < 0 OR CASE WHEN i.state = 4 THEN 2 ELSE i.state "
                                                          "END = ?) AND",
                                                          ""));

    op->d->bind_int(s, ++*at, m->person);
    op->d->bind_int(s, ++*at, m->verdict);
    op->d->bind_int(s, ++*at, m->verdict);
    op->d->bind_int(s, ++*at, m->status);
    op->d->bind_int(s, ++*at, m->status);
    return s;
}

/* The newest first. Each filter has an index; “state + 0” keeps a database from using that of the state, of which there
 * may be a million images, for a rare verdict. */
static struct db_statement *images_prepare_list(struct op *op, const struct store_list *m)
{
    int64_t before = m->after ? m->after : INT64_MAX, limit = m->limit + 1;
    struct db_statement *s;
    int at = 0;

    if (m->review > 0)
        return images_prepare_review(op, m, before, limit);
    if (m->person > 0) {
        s = images_prepare_of_person(op, m, &at);
    } else if (m->verdict > 0) {
        s = db_query(op->db,
                     LIST_IMAGES("{i.verdict = ? AND i.verdict > 0|i.verdict IN (?, -1)} AND i.state + 0 = 1 AND",
                                 "{|i.verdict DESC, }"));
        op->d->bind_int(s, ++at, m->verdict);
    } else if (m->status == IMAGE_FAILED && m->retryable == 0) {
        return images_prepare_failed(op, before, limit);
    } else if (m->status >= 0) {
        s = db_query(op->db, LIST_IMAGES("i.state {= ?|IN (?, -1)} AND", "{|i.state DESC, }"));
        op->d->bind_int(s, ++at, m->retryable > 0 ? STATE_RETRYABLE : m->status);
    } else {
        s = db_query(op->db, LIST_IMAGES("", ""));
    }
    op->d->bind_int(s, at + 1, m->review < 0);
    op->d->bind_int(s, at + 2, before);
    op->d->bind_int(s, at + 3, limit);
    return s;
}

/* Only processed images have a verdict, and only known ones a name in doubt. */
static bool images_are_none(const struct store_list *m)
{
    if ((m->verdict > 0 || m->review > 0) && m->status >= 0 && m->status != IMAGE_PROCESSED)
        return true;
    return m->review > 0 && m->verdict > 0 && m->verdict != VERDICT_KNOWN;
}

int op_images(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s;
    int result = 0;

    if (images_are_none(m))
        return 0;
    s = images_prepare_list(op, m);
    r->images = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof(struct image));
    while (r->image_count <= m->limit && (result = db_step(op->db, s)) == DB_ROW)
        op_image_row(op, s, &r->images[r->image_count++]);
    op->d->reset(s);
    if (result < 0)
        return result;
    if (r->image_count > m->limit) {
        r->image_count = m->limit;
        r->next = r->images[m->limit - 1].id;
    }
    return op_load_faces_of(op, r->images, r->image_count) < 0 ? DB_ERROR : 0;
}
