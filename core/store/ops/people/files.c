/* Files: those of the spool, and quarantined bytes. */
#include "core/store/store_internal.h"

static int files_find_path(struct op *op, const char *path)
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

/* A row that another program wrote may name the file with its folder: its file must stay, too. */
int op_path_used(struct op *op, const char *path)
{
    const char *stored = op_stored_path(op, path);
    int result = files_find_path(op, stored);

    return result == DB_DONE && stored != path ? files_find_path(op, path) : result;
}

/* Whether a spooled file belongs to an image or a photo. */
int op_path_in_use(struct op *op, const struct msg *msg)
{
    int result = op_path_used(op, ((const struct store_text *)msg)->text);

    op->reply->changed = result == DB_ROW;
    return result < 0 ? result : 0;
}

/* The hashes that were added last come first. `more`: there are others. */
int op_quarantined(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct db_statement *s =
        db_query(op->db, "SELECT sha256 FROM quarantine WHERE until_ms > ? ORDER BY until_ms DESC, sha256 LIMIT ?");
    const char **texts = arena_alloc(op->arena, (size_t)m->limit * sizeof *texts + 1);
    int result;

    op->d->bind_int(s, 1, op->now_ms);
    op->d->bind_int(s, 2, m->limit + 1);
    while ((result = db_step(op->db, s)) == DB_ROW && !op->reply->more) {
        op->reply->more = op->reply->text_count == m->limit;
        if (!op->reply->more)
            texts[op->reply->text_count++] = op_text(op, s, 0);
    }
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
