/* Operations in several transactions: deletions of people, merges, words about unknown people. The caller repeats the
 * request while the reply says `more`. A batch that is not the last one stores a row here, in its own transaction; the
 * last one deletes it. When the caller ends before that, a janitor continues from the row (STORE_CONTINUE). A newer
 * operation on the same person replaces the row: it counts more than the one that was cut short. */
#include "core/store/store_internal.h"

#include <stdio.h>

/* What the subject of a row is. */
enum unfinished_scope { SCOPE_PERSON = 1, SCOPE_UNKNOWN_PERSON };

static enum unfinished_scope unfinished_scope(enum unfinished_kind kind)
{
    return kind <= UNFINISHED_UNDO ? SCOPE_PERSON : SCOPE_UNKNOWN_PERSON;
}

static int unfinished_store(struct op *op, const struct unfinished *u)
{
    struct db_statement *s = db_query(
        op->db, "REPLACE INTO unfinished(scope, subject, kind, other, said_by, batch_at) VALUES(?, ?, ?, ?, ?, ?)");

    op->d->bind_int(s, 1, unfinished_scope(u->kind));
    op->d->bind_int(s, 2, u->subject);
    op->d->bind_int(s, 3, u->kind);
    op->d->bind_int(s, 4, u->other);
    op_bind_text(op, s, 5, u->said_by, PHOTO_NAME_BYTES);
    op->d->bind_int(s, 6, op->now_ms);
    return db_finish(op->db, s);
}

static int unfinished_delete(struct op *op, const struct unfinished *u)
{
    struct db_statement *s = db_query(op->db, "DELETE FROM unfinished WHERE scope = ? AND subject = ?");

    op->d->bind_int(s, 1, unfinished_scope(u->kind));
    op->d->bind_int(s, 2, u->subject);
    return db_finish(op->db, s);
}

int op_batch_done(struct op *op, const struct unfinished *u)
{
    return op->reply->more ? unfinished_store(op, u) : unfinished_delete(op, u);
}

/* --- continuing --- */

/* The oldest row before `before_ms`. DB_ROW, DB_DONE or negative. */
static int unfinished_find(struct op *op, int64_t before_ms, int64_t *scope, int64_t *subject)
{
    struct db_statement *s = db_query(op->db, "SELECT scope, subject FROM unfinished WHERE batch_at < ? ORDER BY "
                                              "batch_at, scope, subject LIMIT 1");
    int result;

    op->d->bind_int(s, 1, before_ms);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        *scope = op->d->column_int(s, 0);
        *subject = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    return result;
}

/* Reads the row and locks it: two nodes do not continue the same operation at once. */
static int unfinished_load(struct op *op, int64_t scope, int64_t subject, struct unfinished *u)
{
    struct db_statement *s = db_query(op->db, "SELECT kind, other, said_by FROM unfinished WHERE scope = ? AND subject "
                                              "= ?{| FOR UPDATE}");
    int result;

    op->d->bind_int(s, 1, scope);
    op->d->bind_int(s, 2, subject);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *u = (struct unfinished){.kind = (enum unfinished_kind)op->d->column_int(s, 0),
                                 .subject = subject,
                                 .other = op->d->column_int(s, 1),
                                 .said_by = op_text(op, s, 2)};
    op->d->reset(s);
    return result;
}

/* Runs the next batch of the operation, which may refuse. */
static int unfinished_run(struct op *op, const struct unfinished *u)
{
    struct store_id id = {.id = u->subject, .person = 1, .said_by = u->said_by};
    struct store_merge merge = {.person = u->subject, .into = u->other, .merge = u->other, .said_by = u->said_by};
    struct store_name_face name = {.face = u->subject, .person = u->other, .next_batch = true, .said_by = u->said_by};
    struct store_word word = {.kind = WORD_IGNORED,
                              .take_back = u->kind == UNFINISHED_UNIGNORE,
                              .face = u->subject,
                              .next_batch = true,
                              .said_by = u->said_by};

    switch (u->kind) {
    case UNFINISHED_DELETE_PERSON:
        return op_person_delete(op, &id.m.head);
    case UNFINISHED_MERGE:
        return op_merge(op, &merge.m.head);
    case UNFINISHED_UNDO:
        return op_merge_undo(op, &merge.m.head);
    case UNFINISHED_DELETE_UNKNOWN:
        return op_forget_unknown(op, &id.m.head);
    case UNFINISHED_NAME:
        return op_name_unknown_person(op, &name.m.head);
    case UNFINISHED_IGNORE:
    case UNFINISHED_UNIGNORE:
        return op_ignore_unknown_person(op, &word.m.head);
    }
    return unfinished_delete(op, u); /* of a newer version */
}

/* The operation cannot go on: its person is gone, or takes part in another merge. These refusals come before the first
 * write. The first kind ends it, the second one postpones it. */
static int unfinished_refused(struct op *op, const struct unfinished *u)
{
    bool gone = op->reply->status == STORE_NOT_FOUND;

    op->reply->status = STORE_OK;
    op->reply->error[0] = 0;
    return gone ? unfinished_delete(op, u) : unfinished_store(op, u);
}

static int unfinished_audit(struct op *op, const struct unfinished *u)
{
    static const char *const actions[] = {[UNFINISHED_DELETE_PERSON] = "person deleted",
                                          [UNFINISHED_MERGE] = "people merged",
                                          [UNFINISHED_UNDO] = "merge undone",
                                          [UNFINISHED_DELETE_UNKNOWN] = "unknown person deleted",
                                          [UNFINISHED_NAME] = "unknown person named",
                                          [UNFINISHED_IGNORE] = "unknown person ignored",
                                          [UNFINISHED_UNIGNORE] = "unknown person ignored no more"};
    struct audit_entry entry = {.who = u->said_by ? u->said_by : "anybody", .action = actions[u->kind]};
    char detail[64];

    if (u->kind == UNFINISHED_MERGE || u->kind == UNFINISHED_UNDO) {
        entry.person = op->reply->merges[0].into;
        snprintf(detail, sizeof detail, "merge %lld", (long long)op->reply->merges[0].id);
        entry.detail = detail;
    } else if (unfinished_scope(u->kind) == SCOPE_UNKNOWN_PERSON) {
        entry.person = u->other;
        snprintf(detail, sizeof detail, "unknown_person %lld", (long long)u->subject);
        entry.detail = detail;
    } else {
        entry.person = u->subject;
    }
    op->reply->texts = &actions[u->kind];
    op->reply->text_count = 1;
    return op_audit(op, &entry);
}

int op_continue(struct op *op, const struct msg *msg)
{
    const struct store_continue *m = (const struct store_continue *)msg;
    struct unfinished u;
    int64_t scope = 0, subject = 0;
    int result = unfinished_find(op, m->before_ms, &scope, &subject);

    if (result == DB_ROW)
        result = unfinished_load(op, scope, subject, &u);
    if (result != DB_ROW)
        return result < 0 ? result : 0;
    result = unfinished_run(op, &u);
    op->reply->id = subject;
    op->reply->changed = result >= 0;
    if (result == DB_REFUSED)
        return unfinished_refused(op, &u);
    if (result < 0 || op->reply->more)
        return result < 0 ? result : 0;
    /* A merge that was ended already has not deleted the row. */
    return unfinished_delete(op, &u) < 0 ? DB_ERROR : unfinished_audit(op, &u);
}
