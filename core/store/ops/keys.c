/* API keys. */
#include "core/store/store_internal.h"

#include <stdio.h>

enum { KEYS_MAX = 1000 };

/* Keys are made and revoked by “kith key” only, so its operations write the audit trail themselves. */
static int keys_audit(struct op *op, const char *action, int64_t id, const char *roles)
{
    char detail[128];

    snprintf(detail, sizeof detail, "key %lld%s%s", (long long)id, roles ? ", roles " : "", roles ? roles : "");
    return op_audit(op, &(struct audit_entry){.who = "kith key", .action = action, .detail = detail});
}

int op_key_add(struct op *op, const struct msg *msg)
{
    const struct store_key *m = (const struct store_key *)msg;
    struct db_statement *s = db_query(op->db, "SELECT COUNT(*) FROM api_keys");
    int result = db_step(op->db, s);
    int64_t count = result == DB_ROW ? op->d->column_int(s, 0) : 0;

    op->d->reset(s);
    if (result < 0)
        return result;
    if (count >= KEYS_MAX)
        return op_refuse(op, STORE_CONFLICT, "there are %d keys already; revoke some", KEYS_MAX);
    s = db_query(op->db, "INSERT INTO api_keys(name, roles, hash, created_at, expires_at) VALUES(?, ?, ?, ?, ?)");
    db_bind_text(op->db, s, 1, m->name);
    db_bind_text(op->db, s, 2, m->roles);
    db_bind_text(op->db, s, 3, m->hash);
    op->d->bind_int(s, 4, op->now_ms);
    op->d->bind_int(s, 5, m->expires_ms);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    op->reply->id = op->d->last_id(op->db);
    op->reply->changed = 1;
    return keys_audit(op, "key added", op->reply->id, m->roles);
}

int op_key_revoke(struct op *op, const struct msg *msg)
{
    const struct store_id *m = (const struct store_id *)msg;
    struct db_statement *s = db_query(op->db, "DELETE FROM api_keys WHERE id = ?");

    op->d->bind_int(s, 1, m->id);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    if (op->d->changes(op->db) == 0)
        return op_refuse(op, STORE_NOT_FOUND, "there is no key %lld", (long long)m->id);
    op->reply->changed = 1;
    return keys_audit(op, "key revoked", m->id, NULL);
}

int op_keys(struct op *op, const struct msg *msg)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, name, roles, hash, created_at, expires_at FROM api_keys ORDER BY id LIMIT 1000");
    struct store_reply *r = op->reply;
    int result = DB_DONE;

    (void)msg;
    r->keys = arena_alloc(op->arena, KEYS_MAX * sizeof *r->keys);
    while (r->key_count < KEYS_MAX && (result = db_step(op->db, s)) == DB_ROW)
        r->keys[r->key_count++] = (struct api_key){.id = op->d->column_int(s, 0),
                                                   .name = op_text(op, s, 1),
                                                   .roles = op_text(op, s, 2),
                                                   .hash = op_text(op, s, 3),
                                                   .created_ms = op->d->column_int(s, 4),
                                                   .expires_ms = op->d->column_int(s, 5)};
    op->d->reset(s);
    return result < 0 ? result : 0;
}
