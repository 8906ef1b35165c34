/* Words that have no template of the model in use: names and counter-examples, and boxes that a client drew. The face
 * is looked for in the box of the word, in the picture where it was said. The words stay as they are. Claims are those
 * of known/embed.c. */
#include "core/store/ops/words/words_internal.h"

#include <string.h>

static int embed_words_find_claimed(struct op *op)
{
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM words WHERE embed_until > ? AND embed_until > 0 LIMIT 1");
    int result;

    op->d->bind_int(s, 1, op->now_ms);
    op->reply->more = (result = db_step(op->db, s)) == DB_ROW;
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* A drawn box needs an embedding of the model also without a name: the face may be one of a person who is known. */
static struct db_statement *embed_words_prepare(struct op *op, const struct store_claim_embedding *m)
{
    struct db_statement *s = db_query(
        op->db,
        "SELECT w.id, w.kind, w.face_id, w.image_id, w.x, w.y, w.width, w.height, w.embed_claims FROM words w WHERE "
        "w.id > ? AND w.embed_until <= ? AND (w.refused_model IS NULL OR w.refused_model <> ?) AND ((w.kind IN (1, 4) "
        "AND w.enrols = 1 AND NOT EXISTS(SELECT 1 FROM templates t WHERE t.word_id = w.id AND t.word_id > 0 AND "
        "t.model "
        "= ?)) OR (w.kind = 6 AND EXISTS(SELECT 1 FROM faces f WHERE f.place = w.face_id AND f.place > 0 AND f.model "
        "<> "
        "?))) ORDER BY w.id LIMIT 1{| FOR UPDATE SKIP LOCKED}");

    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, op->now_ms);
    for (int i = 3; i <= 5; i++)
        db_bind_text(op->db, s, i, m->model);
    return s;
}

static int embed_words_claim(struct op *op, struct word *w, int64_t lease_ms)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE words SET embed_claims = embed_claims + 1, embed_until = ? WHERE id = ?");

    w->claim++;
    op->d->bind_int(s, 1, op->now_ms + lease_ms);
    op->d->bind_int(s, 2, w->id);
    return db_finish(op->db, s);
}

/* The image of the word, without faces; none: the word is of a place alone. */
static int embed_words_read_image(struct op *op, int64_t id)
{
    struct db_statement *s = db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.id = ?");
    struct store_reply *r = op->reply;

    r->images = arena_alloc(op->arena, sizeof *r->images);
    op->d->bind_int(s, 1, id);
    return (r->image_count = op_image_rows(op, s, r->images, 1)) < 0 ? DB_ERROR : 0;
}

int op_claim_word(struct op *op, const struct msg *msg)
{
    const struct store_claim_embedding *m = (const struct store_claim_embedding *)msg;
    struct db_statement *s = embed_words_prepare(op, m);
    struct store_reply *r = op->reply;
    int result;

    r->words = arena_alloc(op->arena, sizeof *r->words);
    if ((result = db_step(op->db, s)) == DB_ROW)
        r->words[r->word_count++] = (struct word){.id = op->d->column_int(s, 0),
                                                  .kind = (int)op->d->column_int(s, 1),
                                                  .place = op->d->column_int(s, 2),
                                                  .image = op->d->column_int(s, 3),
                                                  .x = op->d->column_real(s, 4),
                                                  .y = op->d->column_real(s, 5),
                                                  .width = op->d->column_real(s, 6),
                                                  .height = op->d->column_real(s, 7),
                                                  .claim = op->d->column_int(s, 8)};
    op->d->reset(s);
    if (result < 0)
        return result;
    if (!r->word_count)
        return embed_words_find_claimed(op);
    return embed_words_claim(op, r->words, m->lease_ms) < 0 ? DB_ERROR : embed_words_read_image(op, r->words->image);
}

/* A drawn face is found by no recogniser, so no new run gives it an embedding of the model. */
static int embed_words_update_faces(struct op *op, int64_t place, const struct face *f)
{
    struct db_statement *s = db_query(op->db, "UPDATE faces SET landmarks = ?, quality = ?, model = ?, embedding = ? "
                                              "WHERE place = ? AND place > 0 AND model <> ?");
    struct place_face *faces;
    int count;

    op->d->bind_blob(s, 1, f->landmarks, (size_t)f->landmark_count * 2 * sizeof(float), 0);
    op->d->bind_real(s, 2, (double)f->quality);
    op_bind_text(op, s, 3, f->model, MODEL_BYTES);
    op->d->bind_blob(s, 4, f->embedding, (size_t)f->dimension * sizeof(float), 0);
    op->d->bind_int(s, 5, place);
    op_bind_text(op, s, 6, f->model, MODEL_BYTES);
    if (db_finish(op->db, s) < 0 || (count = words_faces(op, place, &faces)) < 0)
        return DB_ERROR;
    for (int i = 0; i < count; i++)
        if (!faces[i].word && op_decide_again(op, AGAIN_FACE, faces[i].id) < 0)
            return DB_ERROR;
    return 0;
}

/* Locks the word. 0, refused or negative. */
static int embed_words_load(struct op *op, const struct store_embed *m, int64_t *place)
{
    struct db_statement *s =
        db_query(op->db, "SELECT face_id, sha256, embed_claims FROM words WHERE id = ? AND kind > 0{| FOR UPDATE}");
    const char *sha256 = NULL;
    int64_t claim = 0;
    int result;

    op->d->bind_int(s, 1, m->word);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        *place = op->d->column_int(s, 0);
        sha256 = op_text(op, s, 1);
        claim = op->d->column_int(s, 2);
    }
    op->d->reset(s);
    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "the word %lld was taken back", (long long)m->word);
    if (claim != m->claim)
        return op_refuse(op, STORE_CONFLICT, "another node embeds the face of word %lld", (long long)m->word);
    if (sha256 && m->sha256 && strcmp(sha256, m->sha256) != 0)
        return op_refuse(op, STORE_MISMATCH, "the file has other bytes than the picture in which the face was named");
    return 0;
}

int op_embed_word(struct op *op, const struct msg *msg)
{
    const struct store_embed *m = (const struct store_embed *)msg;
    struct word *words;
    int64_t place = 0;
    int count, result = embed_words_load(op, m, &place);

    if (result < 0)
        return result;
    if (words_enrol_place(op, place, m->face) < 0 || (count = words_of_place(op, place, &words)) < 0 ||
        op_run_with_id(op, "UPDATE words SET embed_until = 0 WHERE id = ?", m->word) < 0)
        return DB_ERROR;
    op->reply->changed = 1;
    return words_find(words, count, WORD_DRAWN, 0) ? embed_words_update_faces(op, place, m->face) : 0;
}
