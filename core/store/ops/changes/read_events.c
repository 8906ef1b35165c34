/* Reads of events, in the order of their numbers.
 *
 * An event gets its number when it is inserted and becomes visible when its transaction commits. With several writers a
 * lower number may become visible later than a higher one. A reader that went past a gap would miss it for ever, so a
 * gap is passed only when no transaction can fill it any more:
 *
 *   an uncommitted row is in the gap     wait, however long its transaction takes (a read of uncommitted rows shows it)
 *   none, and what follows is young      wait: a number may be taken and its row not inserted yet
 *   none, and what follows is older      the transaction was rolled back: pass
 *
 * A restored older database gives numbers out again. A reader therefore also keeps a mark, the time of the last event
 * up to its number: the number was given out again later, so its event has another time.
 */
#include "core/store/store_internal.h"

enum {
    SETTLE_MS = 4000,  /* longer than one INSERT takes between the number and the row */
    BEGIN_ROWS = 10000 /* how far below the last number a new reader searches for uncommitted events */
};

/* Whether a later entry of the page is about the same image and person. */
static bool events_repeat(const struct event *events, int count, int i)
{
    for (int j = i + 1; j < count; j++)
        if (events[j].image == events[i].image && events[j].person == events[i].person)
            return true;
    return false;
}

/* --- uncommitted rows; MariaDB only --- */

/* The next statement reads uncommitted rows, in a transaction of its own. */
static int events_begin_uncommitted(struct op *op)
{
    int result = db_run(op->db, "COMMIT");

    return result < 0 ? result : db_run(op->db, "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
}

/* The reader's transaction, which its thread commits. */
static int events_end_uncommitted(struct op *op)
{
    return db_run(op->db, "START TRANSACTION READ ONLY");
}

/* 1 when a row from `from` to before `to` exists that may be committed or not, 0 or negative. */
static int events_gap_has_rows(struct op *op, int64_t from, int64_t to)
{
    struct db_statement *s;
    int result = events_begin_uncommitted(op), found;

    if (result < 0)
        return result;
    s = db_query(op->db, "SELECT 1 FROM events WHERE id >= ? AND id < ? LIMIT 1");
    op->d->bind_int(s, 1, from);
    op->d->bind_int(s, 2, to);
    found = db_step(op->db, s);
    op->d->reset(s);
    if (found < 0)
        return found;
    result = events_end_uncommitted(op);
    return result < 0 ? result : found == DB_ROW;
}

static int events_read_ids(struct op *op, int64_t after, int64_t *ids)
{
    struct db_statement *s = db_query(op->db, "SELECT id FROM events WHERE id > ? ORDER BY id LIMIT 10000");
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, after);
    while (count < BEGIN_ROWS && (result = db_step(op->db, s)) == DB_ROW)
        ids[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* Lowers `settled` below the first event that is uncommitted. The uncommitted rows are read first: a row that commits
 * between the two reads is then committed in the second. */
static int events_settle_below_uncommitted(struct op *op, int64_t last, int64_t *settled)
{
    int64_t after = last - BEGIN_ROWS, *all = arena_alloc(op->arena, BEGIN_ROWS * sizeof *all),
            *committed = arena_alloc(op->arena, BEGIN_ROWS * sizeof *committed);
    int all_count, committed_count, result = events_begin_uncommitted(op);

    if (result < 0 || (result = all_count = events_read_ids(op, after, all)) < 0 ||
        (result = events_end_uncommitted(op)) < 0 ||
        (result = committed_count = events_read_ids(op, after, committed)) < 0)
        return result;
    for (int i = 0, k = 0; i < all_count && all[i] <= *settled; i++) {
        while (k < committed_count && committed[k] < all[i])
            k++;
        if (k == committed_count || committed[k] != all[i])
            *settled = all[i] - 1;
    }
    return 0;
}

/* --- reading --- */

/* A new reader begins at `settled_event`: the records that it has read hold everything up to there. */
static int events_read_ends(struct op *op, bool begins)
{
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(op->db, "SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM events");
    int result;

    if ((result = db_step(op->db, s)) == DB_ROW) {
        r->first_event = op->d->column_int(s, 0);
        r->last_event = r->settled_event = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    if (result < 0 || op->d->dialect == DIALECT_SQLITE || !begins)
        return result;
    s = db_query(op->db, "SELECT COALESCE(MAX(id), 0) FROM events WHERE id > ? AND at < ?");
    op->d->bind_int(s, 1, r->last_event - 1000);
    op->d->bind_int(s, 2, op->now_ms - SETTLE_MS);
    if ((result = db_step(op->db, s)) == DB_ROW && op->d->column_int(s, 0) > 0)
        r->settled_event = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : events_settle_below_uncommitted(op, r->last_event, &r->settled_event);
}

/* The time of the last event up to `id`; 0: none is stored. A negative db_result, or 0. */
static int events_read_mark(struct op *op, int64_t id, int64_t *mark)
{
    struct db_statement *s = db_query(op->db, "SELECT at FROM events WHERE id <= ? ORDER BY id DESC LIMIT 1");
    int result;

    *mark = 0;
    op->d->bind_int(s, 1, id);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *mark = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* Whether the reader cannot go on behind `after`: events were pruned, or the database is not the one that it read. */
static int events_check_rewound(struct op *op, const struct store_list *m)
{
    struct store_reply *r = op->reply;
    int64_t mark;
    int result = 0;

    r->rewound = m->after > r->last_event || (r->first_event > m->after + 1 && m->after < r->last_event);
    if (r->rewound || m->mark == 0)
        return 0;
    result = events_read_mark(op, m->after, &mark);
    r->rewound = mark != m->mark;
    return result;
}

/* Whether the gap from `from` to before `event`, which has been there since `at_ms`, may still be filled. */
static int events_may_come(struct op *op, int64_t from, int64_t event, int64_t at_ms)
{
    if (event == from || op->d->dialect == DIALECT_SQLITE)
        return 0;
    return at_ms > op->now_ms - SETTLE_MS ? 1 : events_gap_has_rows(op, from, event);
}

static int events_read_page(struct op *op, const struct store_list *m, struct event *events)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, kind, image_id, person_id, at FROM events WHERE id > ? ORDER BY id LIMIT ?");
    int64_t expected = m->after < INT64_MAX ? m->after + 1 : INT64_MAX;
    int count = 0, result = DB_DONE, waits = 0;

    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit);
    while (count < m->limit && (result = db_step(op->db, s)) == DB_ROW) {
        struct event e = {.id = op->d->column_int(s, 0),
                          .kind = (int)op->d->column_int(s, 1),
                          .image = op->d->column_int(s, 2),
                          .person = op->d->column_int(s, 3),
                          .at_ms = op->d->column_int(s, 4)};

        if ((waits = events_may_come(op, expected, e.id, e.at_ms)))
            break;
        expected = e.id + 1;
        events[count++] = e;
    }
    op->d->reset(s);
    op->reply->waits = waits > 0;
    return result < 0 ? result : waits < 0 ? waits : count;
}

/* Each image and person of the page once, as it is now, under the number of its last event. */
static int events_load(struct op *op, struct event *events, int count)
{
    struct store_reply *r = op->reply;
    int kept = 0, result;

    r->images = arena_alloc(op->arena, (size_t)count * sizeof(struct image) + 1);
    for (int i = 0; i < count; i++) {
        struct image *image = &r->images[kept];

        if (events_repeat(events, count, i))
            continue;
        if (events[i].kind == EVENT_IMAGE && (result = op_load_image(op, events[i].image, image)) != 1) {
            if (result < 0)
                return result;
            events[i].kind = EVENT_IMAGE_DELETED; /* its own event is on a later page; a repetition is harmless */
        }
        events[kept++] = events[i];
    }
    r->events = events;
    r->event_count = r->image_count = kept;
    return 0;
}

int op_read_events(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    const bool begins = m->after == INT64_MAX;
    struct store_reply *r = op->reply;
    struct event *events = arena_alloc(op->arena, (size_t)m->limit * sizeof *events + 1);
    int count = 0, result;

    if ((result = events_read_ends(op, begins)) < 0 || (!begins && (result = events_check_rewound(op, m)) < 0))
        return result;
    r->next = begins ? r->settled_event : r->rewound ? r->last_event : m->after;
    if (!begins && !r->rewound && (result = count = events_read_page(op, m, events)) < 0)
        return result;
    if (count)
        r->next = events[count - 1].id;
    r->more = count > 0 && count == m->limit;
    if ((result = events_read_mark(op, r->next, &r->mark)) < 0)
        return result;
    return events_load(op, events, count);
}
