/* What merges keep, and until when: the rows that undoing needs, and the name under which the folder of known people
 * may still have a person. */
#include "core/store/ops/merge/merge_internal.h"

#include <assert.h>

static_assert(MERGE_PARKED_TEMPLATE == 6 && MERGE_PARKED_PHOTO == 7 && MERGE_PARKED_COUNTER == 8 &&
                  MERGE_PARKED_WORD == 9 && MERGE_DONE == 2 && MERGE_KEPT == 5 && MERGE_PRUNING == 6,
              "numbers in the statements below");

enum { FORGET_BATCH = 5000, FORGET_HOPS = 16 };

/* Deletes the parked rows of a merge; the nodes remove the files of the photos. */
static int forget_parked(struct op *op, int64_t id)
{
    if (op_erase_parked(op, id) < 0 ||
        MERGE_RUN(op,
                  "DELETE FROM templates WHERE person_id = 0 AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = "
                  "? AND kind IN (6, 8))",
                  id) < 0 ||
        MERGE_RUN(op,
                  "DELETE FROM person_images WHERE person_id IS NULL AND id IN (SELECT row_id FROM merge_rows WHERE "
                  "merge_id = ? AND kind = 7)",
                  id) < 0)
        return DB_ERROR;
    return MERGE_RUN(op,
                     "DELETE FROM words WHERE kind < 0 AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = ? AND "
                     "kind = 9)",
                     id);
}

/* Deletes a batch of the rows of a merge. Returns whether there may be more. */
static int forget_rows(struct op *op, int64_t id)
{
    struct db_statement *s =
        db_query(op->db, "SELECT kind, COALESCE(MAX(row_id), 0) FROM (SELECT kind, row_id FROM merge_rows WHERE "
                         "merge_id = ? ORDER BY kind, row_id LIMIT 5000) batch GROUP BY kind ORDER BY kind LIMIT 1");
    int64_t kind = 0, row = 0;
    int result;

    op->d->bind_int(s, 1, id);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        kind = op->d->column_int(s, 0);
        row = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    if (result != DB_ROW)
        return result;
    result = MERGE_RUN(op, "DELETE FROM merge_rows WHERE merge_id = ? AND kind = ? AND row_id <= ?", id, kind, row);
    return result < 0 ? result : 1;
}

int op_prune_merges(struct op *op, int64_t before_ms)
{
    struct db_statement *s = db_query(op->db, "SELECT " MERGE_COLUMNS
                                              "WHERE m.state IN (2, 6) AND m.said_at < ? ORDER BY m.said_at LIMIT 1");
    struct merge m = {0};
    int result;

    op->d->bind_int(s, 1, before_ms);
    if ((result = db_step(op->db, s)) == DB_ROW)
        merge_read_row(op, s, &m);
    op->d->reset(s);
    if (result != DB_ROW)
        return result;
    op->reply->more = true;
    if (m.state == MERGE_DONE) /* from here on it is not undone: some of its rows would be missing */
        return forget_parked(op, m.id) < 0 ? DB_ERROR : merge_set_state(op, m.id, MERGE_PRUNING);
    if ((result = forget_rows(op, m.id)) != 0)
        return result < 0 ? result : 0;
    return MERGE_RUN(op, "UPDATE merges SET state = 5, notes = NULL WHERE id = ?", m.id);
}

static int forget_merge(struct op *op, int64_t id)
{
    if (forget_parked(op, id) < 0 || MERGE_RUN(op, "DELETE FROM merge_rows WHERE merge_id = ?", id) < 0)
        return DB_ERROR;
    return MERGE_RUN(op, "DELETE FROM merges WHERE id = ?", id);
}

/* Deletes one merge of the person. `gone`: the person who was merged into this one and is not there any more; 0: none.
 * DB_ROW, DB_DONE when there was no merge, or negative. */
static int forget_next_merge(struct op *op, int64_t person, int64_t *gone)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, person_id FROM merges WHERE into_id = ? OR person_id = ? ORDER BY id LIMIT 1");
    int64_t id = 0;
    int result, there;

    *gone = 0;
    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, person);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        id = op->d->column_int(s, 0);
        *gone = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    if (result != DB_ROW)
        return result;
    if ((there = op_person_exists(op, *gone)) < 0 || forget_merge(op, id) < 0)
        return DB_ERROR;
    if (there == DB_ROW || *gone == person)
        *gone = 0;
    return DB_ROW;
}

/* Who was merged into someone who was merged into the person is the same one: those merges go too. */
int op_forget_merges(struct op *op, int64_t person)
{
    struct same_person {
        int64_t id;
        struct same_person *next;
    } *open = arena_alloc(op->arena, sizeof *open);

    *open = (struct same_person){.id = person};
    while (open) {
        struct same_person *more;
        int64_t gone;
        int result = forget_next_merge(op, open->id, &gone);

        if (result < 0)
            return result;
        if (result == DB_DONE) {
            open = open->next;
        } else if (gone) {
            more = arena_alloc(op->arena, sizeof *more);
            *more = (struct same_person){.id = gone, .next = open};
            open = more;
        }
    }
    return 0;
}

int op_person_now(struct op *op, int64_t *id)
{
    for (int hop = 0; hop < FORGET_HOPS; hop++) {
        struct merge m = {0};
        int result = op_person_exists(op, *id);

        if (result != DB_DONE)
            return result < 0 ? result : 0;
        if (merge_load_latest(op, *id, &m) < 0)
            return DB_ERROR;
        *id = merge_is_done(&m) ? m.into : 0;
        if (!*id)
            return 0;
    }
    *id = 0;
    return 0;
}

/* DB_ROW, DB_DONE or negative. */
static int forget_read_name(struct op *op, int64_t id, const char **name)
{
    struct db_statement *s = db_query(op->db, "SELECT name FROM person WHERE id = ?");
    int result;

    op->d->bind_int(s, 1, id);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *name = op_text(op, s, 0);
    op->d->reset(s);
    return result;
}

int op_person_shown(struct op *op, int64_t *id, const char **name)
{
    *name = NULL;
    for (int hop = 0; hop<FORGET_HOPS && * id> 0; hop++) {
        struct merge m = {0};
        int result = forget_read_name(op, *id, name);

        if (result != DB_DONE)
            return result < 0 ? result : 0;
        if (merge_load_latest(op, *id, &m) < 0)
            return DB_ERROR;
        *id = merge_is_done(&m) ? m.into : 0;
    }
    *id = 0;
    return 0;
}

int op_person_of_folder(struct op *op, const char *name, int64_t *id, bool *made)
{
    struct db_statement *s = db_query(
        op->db, "SELECT into_id FROM merges WHERE name_alike = ? AND state IN (2, 5, 6) ORDER BY id DESC LIMIT 1");
    uint8_t key[PATH_KEY_BYTES];
    int result;

    *id = 0;
    *made = false;
    op_text_key(op_alike_name(op, name), key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *id = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result == DB_ROW && (result = op_find_alike(op, name, 0)) == 0 && (result = op_person_now(op, id)) >= 0 && *id)
        return 0;
    return result < 0 ? result : op_person_by_name(op, name, id, made);
}
