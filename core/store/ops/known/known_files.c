/* Rows of the known-people folder: one a file, with its content and what has become of it (enum known_state). */
#include "core/store/store_internal.h"

#include <string.h>

#define KNOWN_COLUMNS                                                                                                  \
    "k.path, k.person_name, k.size, k.mtime_ns, k.taken, k.reason, k.sha256, k.model, k.faces, k.ctime_ns, "           \
    "k.born_ns, "                                                                                                      \
    "k.photo_id, k.gone_at, k.state, pi.person_id, p.name, k.path_key, k.newest_photo, CASE WHEN k.state = 3 AND "     \
    "EXISTS(SELECT 1 FROM person_images x WHERE x.sha256 = k.sha256) THEN 1 ELSE 0 END FROM known_files k LEFT JOIN "  \
    "person_images pi "                                                                                                \
    "ON "                                                                                                              \
    "pi.id = k.photo_id LEFT JOIN person p ON p.id = pi.person_id "

static void known_read_row(struct op *op, struct db_statement *s, struct known_file *f)
{
    *f = (struct known_file){.path = op_text(op, s, 0),
                             .person_name = op_text(op, s, 1),
                             .size = op->d->column_int(s, 2),
                             .mtime_ns = op->d->column_int(s, 3),
                             .taken = op->d->column_int(s, 4) != 0,
                             .reason = op_text(op, s, 5),
                             .sha256 = op_text(op, s, 6),
                             .model = op_text(op, s, 7),
                             .faces = op_text(op, s, 8),
                             .ctime_ns = op->d->column_int(s, 9),
                             .born_ns = op->d->column_int(s, 10),
                             .photo = op->d->column_int(s, 11),
                             .gone_ms = op->d->column_int(s, 12),
                             .state = (enum known_state)op->d->column_int(s, 13),
                             .person = op->d->column_int(s, 14),
                             .person_now = op_text(op, s, 15),
                             .newest_photo = op->d->column_int(s, 17),
                             .blocked = op->d->column_int(s, 18) != 0};
    if (f->state == KNOWN_UNSEEN && f->taken)
        f->state = KNOWN_ENROLLED;
    else if (f->state == KNOWN_UNSEEN || f->state >= KNOWN_STATES)
        f->state = KNOWN_REFUSED;
}

int op_known_files(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(op->db, "SELECT " KNOWN_COLUMNS "ORDER BY k.path LIMIT ?");
    int result = DB_DONE, capacity = 0;

    op->d->bind_int(s, 1, m->limit);
    while (r->file_count < m->limit && (result = db_step(op->db, s)) == DB_ROW) {
        if (r->file_count == capacity) { /* the limit is far more than most folders have */
            struct known_file *more = arena_alloc(op->arena, (size_t)(capacity * 2 + 256) * sizeof *more);

            if (r->file_count)
                memcpy(more, r->files, (size_t)r->file_count * sizeof *more);
            r->files = more;
            capacity = capacity * 2 + 256;
        }
        known_read_row(op, s, &r->files[r->file_count++]);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* The photo of the row at `path`, and how many other rows have it. */
static int known_find_photo(struct op *op, const char *path, int64_t *photo, int64_t *others)
{
    struct db_statement *s = db_query(op->db, "SELECT k.photo_id, (SELECT COUNT(*) FROM known_files o WHERE o.photo_id "
                                              "= k.photo_id) - 1 FROM known_files k WHERE k.path_key = ?");
    uint8_t key[PATH_KEY_BYTES];
    int result;

    *photo = *others = 0;
    op_text_key(path, key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        *photo = op->d->column_int(s, 0);
        *others = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* Deletes the photo when the folder has made it: an uploaded photo of the same bytes stays. */
static int known_remove_photo(struct op *op, int64_t photo)
{
    struct db_statement *s = db_query(op->db, "SELECT person_id FROM person_images WHERE id = ? AND spooled = 0");
    int64_t person = 0;
    int result;

    op->d->bind_int(s, 1, photo);
    if ((result = db_step(op->db, s)) == DB_ROW)
        person = op->d->column_int(s, 0);
    op->d->reset(s);
    return result == DB_ROW ? op_remove_photo(op, photo, person) : result < 0 ? result : 0;
}

static int known_write_row(struct op *op, const struct known_file *f)
{
    struct db_statement *s = db_query(
        op->db, "REPLACE INTO known_files(path_key, path, person_name, size, mtime_ns, taken, reason, sha256, model, "
                "faces, ctime_ns, born_ns, photo_id, gone_at, state, newest_photo) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, "
                "?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(id), 0) FROM person_images))");
    uint8_t key[PATH_KEY_BYTES];

    op_text_key(f->path, key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    db_bind_text(op->db, s, 2, f->path);
    op_bind_text(op, s, 3, f->person_name, 0);
    op->d->bind_int(s, 4, f->size);
    op->d->bind_int(s, 5, f->mtime_ns);
    op->d->bind_int(s, 6, f->taken);
    op_bind_text(op, s, 7, f->reason, 0);
    db_bind_text(op->db, s, 8, f->sha256);
    op_bind_text(op, s, 9, f->model, MODEL_BYTES);
    op_bind_text(op, s, 10, f->faces, 0);
    op->d->bind_int(s, 11, f->ctime_ns);
    op->d->bind_int(s, 12, f->born_ns);
    op->d->bind_int(s, 13, f->photo);
    op->d->bind_int(s, 14, f->gone_ms);
    op->d->bind_int(s, 15, f->state);
    return db_finish(op->db, s);
}

/* The row as it is now. A photo that was made of the file's earlier content goes. */
int op_known_file(struct op *op, const struct msg *msg)
{
    const struct known_file *f = &((const struct store_known *)msg)->file;
    int64_t photo, others;

    if (known_find_photo(op, f->path, &photo, &others) < 0 || known_write_row(op, f) < 0)
        return DB_ERROR;
    return photo > 0 && photo != f->photo && others == 0 ? known_remove_photo(op, photo) : 0;
}

/* Deletes the row, and its photo when no other row has it. */
int op_known_forget(struct op *op, const struct msg *msg)
{
    const struct known_file *f = &((const struct store_known *)msg)->file;
    struct db_statement *s;
    int64_t photo, others, rows;
    uint8_t key[PATH_KEY_BYTES];
    bool replaced = f->state == KNOWN_REPLACED;

    if (!replaced && known_find_photo(op, f->path, &photo, &others) < 0)
        return DB_ERROR;
    if (replaced) {
        photo = f->photo;
        s = db_query(op->db, "DELETE FROM known_files WHERE photo_id = ? AND state = ?");
        op->d->bind_int(s, 1, photo);
        op->d->bind_int(s, 2, KNOWN_REPLACED);
    } else {
        op_text_key(f->path, key);
        s = db_query(op->db, "DELETE FROM known_files WHERE path_key = ?");
        op->d->bind_blob(s, 1, key, sizeof key, 0);
    }
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    if (photo <= 0 || op->d->changes(op->db) == 0)
        return 0;
    s = db_query(op->db, "SELECT COUNT(*) FROM known_files WHERE photo_id = ?");
    op->d->bind_int(s, 1, photo);
    rows = db_step(op->db, s) == DB_ROW ? op->d->column_int(s, 0) : -1;
    op->d->reset(s);
    op->reply->changed = rows == 0;
    return rows < 0 ? DB_ERROR : rows ? 0 : known_remove_photo(op, photo);
}

static int known_update_row(struct op *op, const struct known_file *f)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE known_files SET size = ?, mtime_ns = ?, ctime_ns = ?, born_ns = ?, "
                         "state = ?, gone_at = ? WHERE path_key = ?");
    uint8_t key[PATH_KEY_BYTES];

    op_text_key(f->path, key);
    op->d->bind_int(s, 1, f->size);
    op->d->bind_int(s, 2, f->mtime_ns);
    op->d->bind_int(s, 3, f->ctime_ns);
    op->d->bind_int(s, 4, f->born_ns);
    op->d->bind_int(s, 5, f->state);
    op->d->bind_int(s, 6, f->gone_ms ? op->now_ms : 0);
    op->d->bind_blob(s, 7, key, sizeof key, 0);
    return db_finish(op->db, s);
}

int op_known_update(struct op *op, const struct msg *msg)
{
    const struct store_known_update *m = (const struct store_known_update *)msg;

    for (int i = 0; i < m->count; i++)
        if (known_update_row(op, &m->files[i]) < 0)
            return DB_ERROR;
    return m->sweep ? op_person_sweep(op) : 0;
}

/* --- the report --- */

static int known_count_rows(struct op *op)
{
    struct db_statement *s =
        db_query(op->db, "SELECT k.state, COUNT(*), SUM(CASE WHEN pi.id IS NULL THEN 1 ELSE 0 END) FROM known_files k "
                         "LEFT JOIN person_images pi ON pi.id = k.photo_id GROUP BY k.state");
    int result;

    while ((result = db_step(op->db, s)) == DB_ROW) {
        int64_t state = op->d->column_int(s, 0), count = op->d->column_int(s, 1), alone = op->d->column_int(s, 2);

        if (state < 0 || state >= KNOWN_STATES)
            continue;
        if (state == KNOWN_ENROLLED) {
            op->reply->known_forgotten += alone;
            count -= alone;
        }
        op->reply->known_counts[state] += count;
    }
    op->d->reset(s);
    return result;
}

/* The bit KNOWN_STATES of `states` stands for enrolled files whose photo was deleted. */
int op_known_report(struct op *op, const struct msg *msg)
{
    static const uint8_t from_start[PATH_KEY_BYTES];
    const struct store_known_report *m = (const struct store_known_report *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s;
    const void *key;
    size_t len;
    int result = known_count_rows(op);

    if (result < 0)
        return result;
    s = db_query(op->db, "SELECT " KNOWN_COLUMNS "WHERE k.path_key > ? AND ((1 << (CASE WHEN k.state = 1 AND pi.id IS "
                         "NULL THEN 6 ELSE k.state END)) & ?) <> 0 ORDER BY k.path_key LIMIT ?");
    op->d->bind_blob(s, 1, m->after ? m->after : from_start, PATH_KEY_BYTES, 0);
    op->d->bind_int(s, 2, m->states);
    op->d->bind_int(s, 3, m->limit + 1);
    r->files = arena_alloc(op->arena, (size_t)m->limit * sizeof *r->files + 1);
    while ((result = db_step(op->db, s)) == DB_ROW && r->file_count < m->limit) {
        known_read_row(op, s, &r->files[r->file_count++]);
        key = op->d->column_blob(s, 16, &len);
        if (key && len == sizeof r->next_key)
            memcpy(r->next_key, key, len);
    }
    r->more = result == DB_ROW;
    op->d->reset(s);
    return result < 0 ? result : 0;
}
