/* Files: those of the known-people folder, the spool, and quarantined bytes. */
#include "core/store/store_internal.h"

int op_known_file(struct op *op, const struct msg *msg)
{
    const struct known_file *f = &((const struct store_known *)msg)->file;
    struct db_statement *s =
        db_query(op->db, "REPLACE INTO known_files(path_key, path, person_name, size, mtime_ns, taken, reason) "
                         "VALUES(?, ?, ?, ?, ?, ?, ?)");
    uint8_t key[PATH_KEY_BYTES];

    op_text_key(f->path, key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    db_bind_text(op->db, s, 2, f->path);
    op_bind_text(op, s, 3, f->person_name, 0);
    op->d->bind_int(s, 4, f->size);
    op->d->bind_int(s, 5, f->mtime_ns);
    op->d->bind_int(s, 6, f->taken);
    op_bind_text(op, s, 7, f->reason, 0);
    return db_finish(op->db, s);
}

int op_known_files(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(
        op->db, "SELECT path, person_name, size, mtime_ns, taken, reason FROM known_files ORDER BY path LIMIT ?");
    int result = DB_DONE;

    op->d->bind_int(s, 1, m->limit);
    r->files = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct known_file) + 1);
    while (r->file_count < m->limit && (result = db_step(op->db, s)) == DB_ROW)
        r->files[r->file_count++] = (struct known_file){.path = op_text(op, s, 0),
                                                        .person_name = op_text(op, s, 1),
                                                        .size = op->d->column_int(s, 2),
                                                        .mtime_ns = op->d->column_int(s, 3),
                                                        .taken = op->d->column_int(s, 4) != 0,
                                                        .reason = op_text(op, s, 5)};
    op->d->reset(s);
    return result < 0 ? result : 0;
}

int op_path_used(struct op *op, const char *path)
{
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM images WHERE " WHERE_PATH);
    uint8_t key[PATH_KEY_BYTES];
    int result;

    op_text_key(path, key);
    op_bind_path(op, s, 1, path, key);
    result = db_step(op->db, s);
    op->d->reset(s);
    if (result == DB_DONE) {
        s = db_query(op->db, "SELECT 1 FROM person_images WHERE path = ? LIMIT 1");
        db_bind_text(op->db, s, 1, path);
        result = db_step(op->db, s);
        op->d->reset(s);
    }
    return result;
}

/* Whether a spooled file belongs to an image or a photo. */
int op_path_in_use(struct op *op, const struct msg *msg)
{
    int result = op_path_used(op, ((const struct store_text *)msg)->text);

    op->reply->changed = result == DB_ROW;
    return result < 0 ? result : 0;
}

int op_quarantined(struct op *op, const struct msg *msg)
{
    enum { MAX = 1000 };
    struct db_statement *s = db_query(op->db, "SELECT sha256 FROM quarantine WHERE until_ms > ? LIMIT 1000");
    const char **texts = arena_alloc(op->arena, MAX * sizeof *texts);
    int result = DB_DONE;

    (void)msg;
    op->d->bind_int(s, 1, op->now_ms);
    while (op->reply->text_count < MAX && (result = db_step(op->db, s)) == DB_ROW)
        texts[op->reply->text_count++] = op_text(op, s, 0);
    op->d->reset(s);
    op->reply->texts = texts;
    return result < 0 ? result : 0;
}

int op_quarantine(struct op *op, const struct msg *msg)
{
    const struct store_text *m = (const struct store_text *)msg;
    struct db_statement *s = db_query(op->db, "REPLACE INTO quarantine(sha256, until_ms) VALUES(?, ?)");

    db_bind_text(op->db, s, 1, m->text);
    op->d->bind_int(s, 2, op->now_ms + m->for_ms);
    return db_finish(op->db, s);
}
