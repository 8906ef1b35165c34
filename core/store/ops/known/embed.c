/* Embedding anew for the model in use: photos that have no template of it. A node claims one photo at a time, with a
 * lease and a fencing token, `embed_claims`, as a processor claims an image: of several nodes one embeds it, and the
 * photo of a node that died is claimed again when the lease is over. Words are embedded so, too (words/embed_words.c).
 */
#include "core/store/store_internal.h"

/* Another node has an unexpired claim: the asker comes back. */
static int embed_find_claimed(struct op *op)
{
    struct db_statement *s =
        db_query(op->db, "SELECT 1 FROM person_images WHERE embed_until > ? AND embed_until > 0 LIMIT 1");
    int result;

    op->d->bind_int(s, 1, op->now_ms);
    op->reply->more = (result = db_step(op->db, s)) == DB_ROW;
    op->d->reset(s);
    return result < 0 ? result : 0;
}

static int embed_claim(struct op *op, struct photo *photo, int64_t lease_ms)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE person_images SET embed_claims = embed_claims + 1, embed_until = ? WHERE id = ?");

    photo->claim++;
    op->d->bind_int(s, 1, op->now_ms + lease_ms);
    op->d->bind_int(s, 2, photo->id);
    return db_finish(op->db, s);
}

/* The next one after the photo `after`, if there is one. */
int op_claim_photo(struct op *op, const struct msg *msg)
{
    const struct store_claim_embedding *m = (const struct store_claim_embedding *)msg;
    struct db_statement *s = db_query(
        op->db,
        "SELECT pi.id, pi.person_id, pi.image_name, pi.path, pi.sha256, pi.face_box, pi.embed_claims FROM "
        "person_images pi WHERE pi.id > ? AND pi.path IS NOT NULL AND pi.person_id > 0 AND pi.embed_until <= ? AND "
        "(pi.refused_model IS NULL OR pi.refused_model <> ?) AND NOT EXISTS(SELECT 1 FROM templates t WHERE t.photo_id "
        "= pi.id AND t.model = ?) ORDER BY pi.id LIMIT 1{| FOR UPDATE SKIP LOCKED}");
    struct store_reply *r = op->reply;
    int result;

    r->photos = arena_alloc(op->arena, sizeof *r->photos);
    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, op->now_ms);
    db_bind_text(op->db, s, 3, m->model);
    db_bind_text(op->db, s, 4, m->model);
    if ((result = db_step(op->db, s)) == DB_ROW)
        r->photos[r->photo_count++] = (struct photo){.id = op->d->column_int(s, 0),
                                                     .person = op->d->column_int(s, 1),
                                                     .name = op_text(op, s, 2),
                                                     .path = op_path(op, s, 3),
                                                     .sha256 = op_text(op, s, 4),
                                                     .face_box = op_text(op, s, 5),
                                                     .claim = op->d->column_int(s, 6)};
    op->d->reset(s);
    if (result < 0)
        return result;
    return r->photo_count ? embed_claim(op, r->photos, m->lease_ms) : embed_find_claimed(op);
}

/* The node has no template of the photo or the word: the model gives none, and is not asked again, or the file could
 * not be read. Changes nothing when another node has claimed it since. */
int op_not_embedded(struct op *op, const struct msg *msg)
{
    const struct store_embed *m = (const struct store_embed *)msg;
    struct db_statement *s =
        m->word ? db_query(op->db, "UPDATE words SET refused_model = COALESCE(?, refused_model), embed_until = 0 WHERE "
                                   "id = ? AND embed_claims = ?")
                : db_query(op->db, "UPDATE person_images SET refused_model = COALESCE(?, refused_model), embed_until = "
                                   "0 WHERE id = ? AND embed_claims = ?");

    op_bind_text(op, s, 1, m->model, MODEL_BYTES);
    op->d->bind_int(s, 2, m->word ? m->word : m->photo);
    op->d->bind_int(s, 3, m->claim);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    op->reply->changed = op->d->changes(op->db);
    return 0;
}

/* How many people there are, and how many of them have photos or templates, but none of the model. */
int op_template_counts(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct db_statement *s = db_query(
        op->db, "SELECT COUNT(*), (SELECT COUNT(*) FROM person q WHERE NOT EXISTS(SELECT 1 FROM templates t WHERE "
                "t.person_id = q.id AND t.model = ? AND t.counter = 0) AND (EXISTS(SELECT 1 FROM person_images i WHERE "
                "i.person_id = q.id) OR EXISTS(SELECT 1 FROM templates o WHERE o.person_id = q.id AND o.counter = 0))) "
                "FROM person");
    int result;

    db_bind_text(op->db, s, 1, m->model ? m->model : "");
    if ((result = db_step(op->db, s)) == DB_ROW) {
        op->reply->all_people = op->d->column_int(s, 0);
        op->reply->without_template = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}
