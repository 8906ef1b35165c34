/* Files of the known-people folder that have moved: the photo keeps its templates and may change its person. */
#include "core/store/ops/words/words_internal.h"

#include <stdio.h>

struct moved_photo {
    int64_t person;
    const char *sha256;
    bool spooled;
};

static int known_move_read_photo(struct op *op, int64_t photo, struct moved_photo *found)
{
    struct db_statement *s = db_query(op->db, "SELECT person_id, sha256, spooled FROM person_images WHERE id = ?");
    int result;

    op->d->bind_int(s, 1, photo);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *found = (struct moved_photo){
            .person = op->d->column_int(s, 0), .sha256 = op_text(op, s, 1), .spooled = op->d->column_int(s, 2) != 0};
    op->d->reset(s);
    if (result < 0)
        return result;
    return result == DB_ROW ? 0 : op_refuse(op, STORE_NOT_FOUND, "there is no photo %lld", (long long)photo);
}

/* Renames the person when all photos come from the folder and nobody has the new name. False: not renamed. */
static int known_move_rename(struct op *op, int64_t person, const char *name, bool *renamed)
{
    struct store_person rename = {.id = person, .name = name};
    struct db_statement *s =
        db_query(op->db, "SELECT COUNT(*) FROM person_images pi WHERE pi.person_id = ? AND NOT EXISTS(SELECT 1 FROM "
                         "known_files k WHERE k.photo_id = pi.id)");
    int64_t others = 1;
    int result;

    op->d->bind_int(s, 1, person);
    if ((result = db_step(op->db, s)) == DB_ROW)
        others = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0 || others)
        return result < 0 ? result : 0;
    result = op_person_rename(op, &rename.m.head);
    *renamed = result >= 0;
    if (result != DB_REFUSED)
        return result;
    op->reply->status = STORE_OK; /* a person of that name exists: the photos go there */
    op->reply->error[0] = 0;
    return 0;
}

static int known_move_choose_person(struct op *op, const struct store_known *m, int64_t from, int64_t *to)
{
    bool renamed = false, made;
    int result = 0;

    *to = from;
    if (m->to_person == PERSON_UNKNOWN)
        return 0;
    if (m->to_person > 0 && (result = op_person_exists(op, m->to_person)) == DB_ROW) {
        *to = m->to_person;
        return 0;
    }
    if (result < 0 || (m->whole_folder && (result = known_move_rename(op, from, m->file.person_name, &renamed)) < 0))
        return result;
    if (renamed)
        return 0;
    if ((result = op_person_by_name(op, m->file.person_name, to, &made)) < 0)
        return result;
    return made ? op_run_with_id(op, "UPDATE person SET from_folder = 1 WHERE id = ?", *to) : 0;
}

/* The row that has the path keeps its photo under a key of its own, until it is known where that photo is now. */
static int known_move_displace(struct op *op, const struct known_file *f)
{
    struct db_statement *s = db_query(op->db, "SELECT photo_id FROM known_files WHERE path_key = ?");
    uint8_t key[PATH_KEY_BYTES], aside[PATH_KEY_BYTES];
    int64_t photo = 0;
    char text[64];
    int result;

    op_text_key(f->path, key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    if ((result = db_step(op->db, s)) == DB_ROW)
        photo = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0 || photo <= 0 || photo == f->photo)
        return result < 0 ? result : 0;
    snprintf(text, sizeof text, "photo %lld", (long long)photo);
    op_text_key(text, aside);
    s = db_query(op->db, "UPDATE {OR REPLACE |}known_files SET path_key = ?, state = ? WHERE path_key = ?");
    op->d->bind_blob(s, 1, aside, sizeof aside, 0);
    op->d->bind_int(s, 2, KNOWN_REPLACED);
    op->d->bind_blob(s, 3, key, sizeof key, 0);
    return db_finish(op->db, s);
}

static int known_move_rows(struct op *op, const struct store_known *m)
{
    struct db_statement *s;
    uint8_t key[PATH_KEY_BYTES];

    if (known_move_displace(op, &m->file) < 0)
        return DB_ERROR;
    op_text_key(m->file.path, key);
    s = db_query(op->db, "DELETE FROM known_files WHERE photo_id = ? AND path_key <> ?");
    op->d->bind_int(s, 1, m->file.photo);
    op->d->bind_blob(s, 2, key, sizeof key, 0);
    return db_finish(op->db, s);
}

/* The person has the same photo already, uploaded perhaps: then this one is superfluous. */
static int known_move_find_same(struct op *op, const struct store_known *m, const char *sha256, int64_t to,
                                int64_t *photo)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id FROM person_images WHERE sha256 = ? AND person_id = ? AND id <> ? LIMIT 1");
    int result;

    db_bind_text(op->db, s, 1, sha256);
    op->d->bind_int(s, 2, to);
    op->d->bind_int(s, 3, m->file.photo);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *photo = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

static int known_move_photo(struct op *op, const struct store_known *m, const struct moved_photo *photo, int64_t to,
                            int64_t *stays)
{
    struct db_statement *s;

    if (!photo->spooled) {
        s = db_query(op->db, "UPDATE person_images SET path = ?, image_name = ? WHERE id = ?");
        db_bind_text(op->db, s, 1, m->photo_path ? m->photo_path : m->file.path);
        op_bind_text(op, s, 2, m->photo_name, PHOTO_NAME_BYTES);
        op->d->bind_int(s, 3, m->file.photo);
        if (db_finish(op->db, s) < 0)
            return DB_ERROR;
    }
    if (to == photo->person)
        return 0;
    if (photo->spooled)
        return op_refuse(op, STORE_CONFLICT, "the same photo was uploaded for person %lld", (long long)photo->person);
    op->reply->moved = true;
    if (known_move_find_same(op, m, photo->sha256, to, stays) < 0)
        return DB_ERROR;
    return *stays == m->file.photo ? op_move_photo(op, m->file.photo, photo->person, to)
                                   : op_remove_photo(op, m->file.photo, photo->person);
}

/* Writes the row of the new path. */
int op_known_move(struct op *op, const struct msg *msg)
{
    const struct store_known *m = (const struct store_known *)msg;
    struct store_known row = {.file = m->file};
    struct moved_photo photo = {0};
    int64_t to, stays = m->file.photo;
    int result = op_lock_gallery(op);

    if (result < 0 || (result = known_move_read_photo(op, m->file.photo, &photo)) < 0 ||
        (result = known_move_choose_person(op, m, photo.person, &to)) < 0 || (result = known_move_rows(op, m)) < 0 ||
        (result = known_move_photo(op, m, &photo, to, &stays)) < 0)
        return result;
    op->reply->id = to;
    row.file.photo = stays;
    row.file.state = KNOWN_ENROLLED;
    row.file.taken = true;
    return op_known_file(op, &row.m.head);
}

/* --- people that the folder made --- */

#define HAS_NOTHING                                                                                                    \
    "from_folder = 1 AND NOT EXISTS(SELECT 1 FROM person_images i WHERE i.person_id = person.id) AND NOT "             \
    "EXISTS(SELECT 1 FROM templates t WHERE t.person_id = person.id) AND NOT EXISTS(SELECT 1 FROM faces f WHERE "      \
    "f.person = person.id) AND NOT EXISTS(SELECT 1 FROM words w WHERE w.person_id = person.id) AND NOT "               \
    "EXISTS(SELECT 1 FROM images m WHERE m.person = person.id) AND notes IS NULL AND NOT EXISTS(SELECT 1 FROM merges " \
    "g WHERE "                                                                                                         \
    "g.into_id = person.id AND g.state NOT IN (4, 5)) AND NOT EXISTS(SELECT 1 FROM merges h WHERE h.person_id = "      \
    "person.id AND h.state IN (1, 3))" /* 1: RUNNING, 3: UNDOING, 4: UNDONE, 5: KEPT */

/* The faces of other people with whom the person was in doubt. 1: all of them, 0: a batch, and there are more. */
static int known_end_doubts(struct op *op, int64_t person)
{
    int64_t faces[DOUBT_BATCH];
    int count = words_doubt_rivals(op, &(struct doubt_change){.person = person}, faces);

    return count < 0 ? count : count < DOUBT_BATCH;
}

/* Deletes the person, or a batch of the doubts; the next sweep goes on. 1: deleted, 0: not yet, or negative. */
static int known_sweep_person(struct op *op, int64_t person)
{
    int result = known_end_doubts(op, person);

    if (result <= 0)
        return result;
    if (op_run_with_id(op, "DELETE FROM person WHERE id = ?", person) < 0 ||
        op_run_with_id(op, "DELETE FROM person_names WHERE person_id = ?", person) < 0 ||
        op_forget_merges(op, person) < 0 ||
        op_run_with_id(op, "DELETE FROM gallery_log WHERE person_id = ?", person) < 0 ||
        op_gallery_log(op, GALLERY_PERSON_REMOVED, person, 0) < 0 || op_event(op, EVENT_PERSON_DELETED, 0, person) < 0)
        return DB_ERROR;
    return 1;
}

int op_person_sweep(struct op *op)
{
    enum { BATCH = 100 };
    struct db_statement *s = db_query(op->db, "SELECT id FROM person WHERE " HAS_NOTHING " LIMIT 100");
    int64_t ids[BATCH];
    int count = 0, changed = 0, result = DB_DONE;

    while (count < BATCH && (result = db_step(op->db, s)) == DB_ROW)
        ids[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0)
        return result;
    for (int i = 0; i < count; i++) {
        if ((result = known_sweep_person(op, ids[i])) < 0)
            return DB_ERROR;
        changed += result;
    }
    op->reply->changed = changed;
    return 0;
}
