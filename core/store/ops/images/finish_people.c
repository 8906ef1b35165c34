#include "core/store/ops/images/finish_people.h"

enum { BATCH = 8 }; /* faces that one statement is about */

/* MariaDB locks the rows: a transaction that deletes or merges the person, or deletes the template, waits for the end
 * of this one and then finds the face. */
#define ONE "?"
#define ID8 "?, ?, ?, ?, ?, ?, ?, ?"
#define READ(ids)                                                                                                      \
    "{|(}SELECT 0, id, 0 FROM person WHERE id IN (" ids "){| LOCK IN SHARE MODE)} UNION ALL {|(}SELECT 1, id, "        \
    "person_id FROM templates WHERE id IN (" ids "){| LOCK IN SHARE MODE)}"

struct batch {
    struct face *faces[BATCH];
    int64_t owners[BATCH]; /* of the faces' templates; 0: there is none */
    bool there[BATCH];     /* the person is */
    bool *stale[BATCH];
    int count;
};

static void batch_read_row(struct op *op, struct db_statement *s, struct batch *b)
{
    bool template = op->d->column_int(s, 0) != 0;
    int64_t id = op->d->column_int(s, 1);

    for (int i = 0; i < b->count; i++)
        if (!template)
            b->there[i] |= b->faces[i]->person == id;
        else if (b->faces[i]->template == id)
            b->owners[i] = op->d->column_int(s, 2);
}

static int batch_read(struct op *op, struct batch *b)
{
    const int size = b->count == 1 ? 1 : BATCH;
    struct db_statement *s = db_query(op->db, size == 1 ? READ(ONE) : READ(ID8));
    int result;

    for (int i = 0; i < size; i++) {
        op->d->bind_int(s, i + 1, i < b->count ? b->faces[i]->person : 0);
        op->d->bind_int(s, size + i + 1, i < b->count ? b->faces[i]->template : 0);
    }
    while ((result = db_step(op->db, s)) == DB_ROW)
        batch_read_row(op, s, b);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

static int batch_follow(struct op *op, struct batch *b)
{
    int result = b->count ? batch_read(op, b) : 0;

    for (int i = 0; i < b->count && result >= 0; i++) {
        struct face *f = b->faces[i];

        if (!b->there[i] && (result = op_person_now(op, &f->person)) < 0)
            break;
        if (f->person == 0) {
            f->person = PERSON_UNKNOWN;
            f->template = 0;
        }
        *b->stale[i] = f->template && b->owners[i] != f->person;
    }
    b->count = 0;
    return result;
}

int finish_people_follow(struct op *op, struct face *faces, int count, bool *stale)
{
    struct batch b = {.count = 0};
    int result = 0;

    for (int i = 0; i < count && result >= 0; i++) {
        stale[i] = false;
        if (faces[i].person <= 0)
            continue;
        b.faces[b.count] = &faces[i];
        b.owners[b.count] = 0;
        b.there[b.count] = false;
        b.stale[b.count++] = &stale[i];
        if (b.count == BATCH)
            result = batch_follow(op, &b);
    }
    return result < 0 ? result : batch_follow(op, &b);
}
