/* Images that are looked at again in the background: with another model, with better settings.
 *
 * A row of `operations` has the filter and how far it is, so that any node goes on after a restart. Each step requeues
 * a few images, as a retry on request does, and only while few images wait: those that were just submitted come first.
 * What a person said about a face survives the new run (replace_faces.c). One operation runs or is paused at a time. */
#include "core/store/store_internal.h"

enum { BATCH = 500, COUNT_BATCH = 5000 };

/* --- the images of a filter, in the order of their ids --- */

#define PLAIN    "0"
#define MODELLED "(SELECT COUNT(*) FROM faces f WHERE f.image_id = i.id AND f.model <> ?)"
#define SELECT_IMAGES(models, condition)                                                                               \
    "SELECT i.id, i.status, i.verdict, i.created_at, i.state, " models " FROM images i WHERE " condition               \
    " i.id > ? AND i.id <= ? ORDER BY i.id LIMIT ?"
#define OF_PERSON  "i.person = ? AND i.person > 0 AND"
#define OF_VERDICT "i.verdict = ? AND i.verdict > 0 AND"

/* The index of the person or the verdict serves it; the other filters are checked in each row. */
static struct db_statement *look_again_prepare(struct op *op, const struct look_again_filter *f, int64_t after,
                                               int64_t last, int limit)
{
    bool models = f->not_model != NULL, person = f->person > 0, verdict = !person && f->verdict > 0;
    struct db_statement *s = db_query(op->db, models && person    ? SELECT_IMAGES(MODELLED, OF_PERSON)
                                              : models && verdict ? SELECT_IMAGES(MODELLED, OF_VERDICT)
                                              : models            ? SELECT_IMAGES(MODELLED, "")
                                              : person            ? SELECT_IMAGES(PLAIN, OF_PERSON)
                                              : verdict           ? SELECT_IMAGES(PLAIN, OF_VERDICT)
                                                                  : SELECT_IMAGES(PLAIN, ""));
    int at = 0;

    if (models)
        op_bind_text(op, s, ++at, f->not_model, MODEL_BYTES);
    if (person || verdict)
        op->d->bind_int(s, ++at, person ? f->person : f->verdict);
    op->d->bind_int(s, ++at, after);
    op->d->bind_int(s, ++at, last);
    op->d->bind_int(s, ++at, limit);
    return s;
}

static bool look_again_wants(struct op *op, struct db_statement *s, const struct look_again_filter *f)
{
    int64_t verdict = op->d->column_int(s, 2), created_ms = op->d->column_int(s, 3), state = op->d->column_int(s, 4);

    if (state == IMAGE_PENDING || state == IMAGE_PROCESSING)
        return false; /* it is looked at anyway */
    if (f->verdict > 0 && (verdict != f->verdict || state != IMAGE_PROCESSED))
        return false;
    if (created_ms < f->from_ms || (f->to_ms && created_ms > f->to_ms))
        return false;
    return !f->not_model || op->d->column_int(s, 5) > 0;
}

/* Reads a page and filters it here, so that the time of a page is bounded. */
int op_look_again_count(struct op *op, const struct msg *msg)
{
    const struct store_look_again *m = (const struct store_look_again *)msg;
    struct db_statement *s = look_again_prepare(op, &m->filter, m->after, INT64_MAX, COUNT_BATCH);
    int seen = 0, result;

    while ((result = db_step(op->db, s)) == DB_ROW) {
        seen++;
        op->reply->next = op->d->column_int(s, 0);
        op->reply->changed += look_again_wants(op, s, &m->filter);
    }
    op->d->reset(s);
    op->reply->more = seen == COUNT_BATCH;
    return result < 0 ? result : 0;
}

/* --- the row of the operation --- */

#define OPERATION                                                                                                      \
    "SELECT id, state, verdict, person_id, not_model, from_ms, to_ms, total, done, after_image, last_image, "          \
    "created_at, finished_at, run_after FROM operations "

/* Reads the first row of the statement into the reply; `run_after` may be NULL. 1: there is one, 0: none, or negative.
 */
static int look_again_read(struct op *op, struct db_statement *s, int64_t *run_after)
{
    struct operation *o = NULL;
    int result = db_step(op->db, s);

    if (result == DB_ROW) {
        const struct db_driver *d = op->d;

        o = arena_alloc(op->arena, sizeof *o);
        *o = (struct operation){.id = d->column_int(s, 0),
                                .state = (int)d->column_int(s, 1),
                                .filter = {.verdict = (int)d->column_int(s, 2),
                                           .person = d->column_int(s, 3),
                                           .not_model = op_text(op, s, 4),
                                           .from_ms = d->column_int(s, 5),
                                           .to_ms = d->column_int(s, 6)},
                                .total = d->column_int(s, 7),
                                .done = d->column_int(s, 8),
                                .after = d->column_int(s, 9),
                                .last = d->column_int(s, 10),
                                .created_ms = d->column_int(s, 11),
                                .finished_ms = d->column_int(s, 12)};
        if (run_after)
            *run_after = d->column_int(s, 13);
    }
    op->d->reset(s);
    op->reply->operation = o;
    return result < 0 ? result : result == DB_ROW;
}

int op_operation(struct op *op, const struct msg *msg)
{
    int result = look_again_read(op, db_query(op->db, OPERATION "ORDER BY id DESC LIMIT 1"), NULL);

    (void)msg;
    return result < 0 ? result : 0;
}

static int look_again_read_current(struct op *op, int64_t *run_after)
{
    return look_again_read(op, db_query(op->db, OPERATION "WHERE state IN (1, 2) ORDER BY id LIMIT 1{| FOR UPDATE}"),
                           run_after);
}

static int look_again_write(struct op *op, const struct operation *o, int64_t run_after)
{
    struct db_statement *s = db_query(op->db, "UPDATE operations SET state = ?, done = ?, after_image = ?, run_after = "
                                              "?, finished_at = ? WHERE id = ?");

    op->d->bind_int(s, 1, o->state);
    op->d->bind_int(s, 2, o->done);
    op->d->bind_int(s, 3, o->after);
    op->d->bind_int(s, 4, run_after);
    op->d->bind_int(s, 5, o->finished_ms);
    op->d->bind_int(s, 6, o->id);
    return db_finish(op->db, s);
}

/* --- actions --- */

static int look_again_read_last_image(struct op *op, int64_t *last)
{
    struct db_statement *s = db_query(op->db, "SELECT COALESCE(MAX(id), 0) FROM images");
    int result;

    if ((result = db_step(op->db, s)) == DB_ROW)
        *last = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

static int look_again_begin(struct op *op, const struct store_look_again *m)
{
    const struct look_again_filter *f = &m->filter;
    struct db_statement *s;
    int64_t last = 0;
    int result = look_again_read_last_image(op, &last);

    if (result < 0)
        return result;
    s = db_query(op->db, "INSERT INTO operations(state, verdict, person_id, not_model, from_ms, to_ms, total, "
                         "last_image, created_at) VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?)");
    op->d->bind_int(s, 1, f->verdict);
    op->d->bind_int(s, 2, f->person);
    op_bind_text(op, s, 3, f->not_model, MODEL_BYTES);
    op->d->bind_int(s, 4, f->from_ms);
    op->d->bind_int(s, 5, f->to_ms);
    op->d->bind_int(s, 6, m->total);
    op->d->bind_int(s, 7, last);
    op->d->bind_int(s, 8, op->now_ms);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    op->reply->changed = 1;
    result = look_again_read_current(op, NULL);
    return result < 0 ? result : 0;
}

/* Puts at most `max` of the next images back; sets `after` and `done`, and the state when no image is left. */
static int look_again_put_back(struct op *op, struct operation *o, int64_t max)
{
    struct db_statement *s = look_again_prepare(op, &o->filter, o->after, o->last, BATCH);
    struct {
        int64_t id;
        int status, verdict;
    } found[BATCH];
    int seen = 0, count = 0, result = DB_DONE;

    while (seen < BATCH && count < max && (result = db_step(op->db, s)) == DB_ROW) {
        seen++;
        o->after = op->d->column_int(s, 0);
        if (!look_again_wants(op, s, &o->filter))
            continue;
        found[count].id = o->after;
        found[count].status = (int)op->d->column_int(s, 1);
        found[count++].verdict = (int)op->d->column_int(s, 2);
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    for (int i = 0; i < count; i++)
        if (op_requeue(op, found[i].id, found[i].status, found[i].verdict, 0) < 0)
            return DB_ERROR;
    o->done += op->reply->changed;
    if (seen < BATCH && count < max) {
        o->state = OPERATION_DONE;
        o->finished_ms = op->now_ms;
    }
    return 0;
}

static int look_again_step(struct op *op, const struct store_look_again *m, int64_t run_after)
{
    struct operation *o = op->reply->operation;
    int result;

    if (!o || o->state != OPERATION_RUNNING || run_after > op->now_ms || op->rows_waiting >= m->max)
        return 0;
    if ((result = look_again_put_back(op, o, m->max)) < 0)
        return result;
    return look_again_write(op, o, op->now_ms + m->step_ms);
}

/* Pauses, resumes or cancels; a repetition changes nothing. */
static int look_again_set_state(struct op *op, enum look_again_action action)
{
    struct operation *o = op->reply->operation;
    int state = action == LOOK_AGAIN_PAUSE    ? OPERATION_PAUSED
                : action == LOOK_AGAIN_RESUME ? OPERATION_RUNNING
                                              : OPERATION_CANCELLED;

    if (!o)
        return op_refuse(op, STORE_NOT_FOUND, "no images are being looked at again");
    if (o->state == state)
        return 0;
    o->state = state;
    o->finished_ms = state == OPERATION_CANCELLED ? op->now_ms : 0;
    op->reply->changed = 1;
    return look_again_write(op, o, op->now_ms);
}

int op_look_again(struct op *op, const struct msg *msg)
{
    const struct store_look_again *m = (const struct store_look_again *)msg;
    int64_t run_after = 0;
    int result = look_again_read_current(op, &run_after);

    if (result < 0)
        return result;
    if (m->action == LOOK_AGAIN_STEP)
        return look_again_step(op, m, run_after);
    if (m->action != LOOK_AGAIN_BEGIN)
        return look_again_set_state(op, m->action);
    if (op->reply->operation && op->outcome_unknown) {
        op->reply->changed = 1; /* stored before; only the answer was lost */
        return 0;
    }
    if (op->reply->operation)
        return op_refuse(op, STORE_CONFLICT,
                         "images are being looked at again already (operation %lld); cancel that first",
                         (long long)op->reply->operation->id);
    return look_again_begin(op, m);
}
