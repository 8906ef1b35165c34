/* Reads of events, in the order of their numbers. */
#include "core/store/store_internal.h"

/* Longer than any transaction of ours lasts between its insert and its commit. */
enum { SETTLE_MS = 4000 };

/* Events after a number, each image and person once, as it is now, under the number of its last event. */
static bool has_later(const struct event *events, int count, int i)
{
    for (int j = i + 1; j < count; j++)
        if (events[j].image == events[i].image && events[j].person == events[i].person)
            return true;
    return false;
}

static int read_ends(struct op *op, bool begins)
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
    /* One who begins now begins a little earlier: below the last number others may not have committed yet. */
    s = db_query(op->db, "SELECT COALESCE(MAX(id), 0) FROM events WHERE id > ? AND at < ?");
    op->d->bind_int(s, 1, r->last_event - 1000);
    op->d->bind_int(s, 2, op->now_ms - SETTLE_MS);
    if ((result = db_step(op->db, s)) == DB_ROW && op->d->column_int(s, 0) > 0)
        r->settled_event = op->d->column_int(s, 0);
    op->d->reset(s);
    return result;
}

/* Several nodes write at once, and a number given out earlier may be committed later. So a gap in the numbers is waited
 * for, until what follows it is old enough that whoever had the missing number has rolled back. */
static int read_numbers(struct op *op, const struct store_list *m, struct event *events)
{
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT id, kind, image_id, person_id, at FROM events WHERE id > ? ORDER BY id LIMIT ?");
    int64_t expected = m->after < INT64_MAX ? m->after + 1 : INT64_MAX;
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit);
    while (count < m->limit && (result = db_step(op->db, s)) == DB_ROW) {
        int64_t id = op->d->column_int(s, 0);

        if (id != expected && op->d->dialect == DIALECT_MARIADB && op->d->column_int(s, 4) > op->now_ms - SETTLE_MS) {
            r->waits = true;
            break;
        }
        expected = id + 1;
        events[count++] = (struct event){.id = id,
                                         .kind = (int)op->d->column_int(s, 1),
                                         .image = op->d->column_int(s, 2),
                                         .person = op->d->column_int(s, 3)};
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

int op_read_events(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct event *events = arena_alloc(op->arena, (size_t)m->limit * sizeof *events + 1);
    int count, kept = 0, result;

    if ((result = read_ends(op, m->after == INT64_MAX)) < 0 || (count = read_numbers(op, m, events)) < 0)
        return result < 0 ? result : count;
    r->next = count ? events[count - 1].id : m->after;
    r->more = count == m->limit;
    r->images = arena_alloc(op->arena, (size_t)count * sizeof(struct image) + 1);
    for (int i = 0; i < count; i++) {
        struct image *image = &r->images[kept];

        if (has_later(events, count, i))
            continue;
        if (events[i].kind == EVENT_IMAGE && (result = op_load_image(op, events[i].image, image)) != 1) {
            if (result < 0)
                return result;
            events[i].kind =
                EVENT_IMAGE_DELETED; /* its own event comes on a later page; saying it twice harms nobody */
        }
        events[kept++] = events[i];
    }
    r->events = events;
    r->event_count = r->image_count = kept;
    return 0;
}
