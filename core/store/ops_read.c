/* Reads: one row, pages by key, never a scan. */
#include "core/store/internal.h"

#include <stdlib.h>
#include <string.h>

int op_image(struct op *op, const struct msg *msg)
{
    int result;

    op->reply->images = arena_alloc(op->arena, sizeof(struct image));
    result = op_load_image(op, ((const struct store_id *)msg)->id, op->reply->images);
    op->reply->image_count = result == 1;
    return result == 0
               ? op_refuse(op, STORE_NOT_FOUND, "there is no image %lld", (long long)((const struct store_id *)msg)->id)
           : result < 0 ? result
                        : 0;
}

#define LIST_IMAGES(condition)                                                                                         \
    "SELECT " IMAGE_COLUMNS " FROM images i LEFT JOIN person p ON p.id = i.person WHERE " condition                    \
    " i.id < ? ORDER BY i.id DESC LIMIT ?"

/* The newest first. Each filter has its index; two filters together walk the index of the narrower one. */
static struct db_statement *list_statement(struct op *op, const struct store_list *m, int *bound)
{
    struct db_statement *s;
    int at = 0;

    if (m->person > 0 && m->status >= 0) {
        s = db_query(op->db, LIST_IMAGES("i.person = ? AND i.person > 0 AND i.status = ? AND"));
        op->d->bind_int(s, ++at, m->person);
        op->d->bind_int(s, ++at, m->status);
    } else if (m->person > 0) {
        s = db_query(op->db, LIST_IMAGES("i.person = ? AND i.person > 0 AND"));
        op->d->bind_int(s, ++at, m->person);
    } else if (m->verdict > 0) {
        s = db_query(op->db, LIST_IMAGES("i.verdict = ? AND i.verdict > 0 AND"));
        op->d->bind_int(s, ++at, m->verdict);
    } else if (m->status >= 0) {
        s = db_query(op->db, LIST_IMAGES("i.status = ? AND"));
        op->d->bind_int(s, ++at, m->status);
    } else {
        s = db_query(op->db, LIST_IMAGES(""));
    }
    *bound = at;
    return s;
}

int op_images(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    int at, result = 0;
    struct db_statement *s = list_statement(op, m, &at);

    r->images = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof(struct image));
    op->d->bind_int(s, at + 1, m->after ? m->after : INT64_MAX);
    op->d->bind_int(s, at + 2, m->limit + 1);
    while (r->image_count <= m->limit && (result = op->d->step(s)) == DB_ROW)
        op_image_row(op, s, &r->images[r->image_count++]);
    op->d->reset(s);
    if (result < 0)
        return result;
    if (r->image_count > m->limit) {
        r->image_count = m->limit;
        r->next = r->images[m->limit - 1].id;
    }
    for (int i = 0; i < r->image_count; i++)
        if (op_load_faces(op, &r->images[i]) < 0)
            return DB_ERROR;
    return 0;
}

/* Events after a number, each image and person once, as it is now, under the number of its last event. */
static bool has_later(const struct event *events, int count, int i)
{
    for (int j = i + 1; j < count; j++)
        if (events[j].image == events[i].image && events[j].person == events[i].person)
            return true;
    return false;
}

int op_events(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(op->db, "SELECT COALESCE(MIN(id), 0) FROM events");
    struct event *events;
    int count = 0, kept = 0;

    if (op->d->step(s) == DB_ROW)
        r->first_event = op->d->column_int(s, 0);
    op->d->reset(s);
    s = db_query(op->db, "SELECT COALESCE(MAX(id), 0) FROM events");
    if (op->d->step(s) == DB_ROW)
        r->last_event = op->d->column_int(s, 0);
    op->d->reset(s);
    events = arena_alloc(op->arena, (size_t)m->limit * sizeof *events + 1);
    s = db_query(op->db, "SELECT id, kind, image_id, person_id FROM events WHERE id > ? ORDER BY id LIMIT ?");
    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit);
    for (; count < m->limit && op->d->step(s) == DB_ROW; count++)
        events[count] = (struct event){.id = op->d->column_int(s, 0),
                                       .kind = (int)op->d->column_int(s, 1),
                                       .image = op->d->column_int(s, 2),
                                       .person = op->d->column_int(s, 3)};
    op->d->reset(s);
    r->next = count ? events[count - 1].id : m->after;
    r->more = count == m->limit;
    r->images = arena_alloc(op->arena, (size_t)count * sizeof(struct image) + 1);
    for (int i = 0; i < count; i++) {
        struct image *image = &r->images[kept];

        if (has_later(events, count, i))
            continue;
        if (events[i].kind == EVENT_IMAGE && op_load_image(op, events[i].image, image) != 1)
            events[i].kind =
                EVENT_IMAGE_DELETED; /* its own event comes on a later page; saying it twice harms nobody */
        events[kept++] = events[i];
    }
    r->events = events;
    r->event_count = r->image_count = kept;
    return 0;
}

int op_tally(struct op *op, const struct msg *msg)
{
    struct db_statement *s = db_query(op->db, "SELECT pending, processed, failed, processing, unknown FROM tally");

    (void)msg;
    if (op->d->step(s) == DB_ROW) {
        for (int i = 0; i < IMAGE_STATUSES; i++)
            op->reply->tally[i] = op->d->column_int(s, i);
        op->reply->unknown = op->d->column_int(s, 4);
    }
    op->d->reset(s);
    return 0;
}

int op_people(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT p.id, p.name, (SELECT COUNT(*) FROM person_images pi WHERE "
                         "pi.person_id = p.id) FROM person p WHERE p.id > ? ORDER BY p.id LIMIT ?");

    r->people = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof(struct person));
    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit + 1);
    while (r->person_count <= m->limit && op->d->step(s) == DB_ROW)
        r->people[r->person_count++] = (struct person){
            .id = op->d->column_int(s, 0), .name = op_text(op, s, 1), .photos = op->d->column_int(s, 2)};
    op->d->reset(s);
    if (r->person_count > m->limit) {
        r->person_count = m->limit;
        r->next = r->people[m->limit - 1].id;
    }
    return 0;
}

int op_photos(struct op *op, const struct msg *msg)
{
    enum { MAX = 1000 };
    int64_t person = ((const struct store_id *)msg)->id;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(op->db, "SELECT id, name FROM person WHERE id = ?");

    op->d->bind_int(s, 1, person);
    r->people = arena_alloc(op->arena, sizeof(struct person));
    if (op->d->step(s) == DB_ROW) {
        *r->people = (struct person){.id = person, .name = op_text(op, s, 1)};
        r->person_count = 1;
    }
    op->d->reset(s);
    if (!r->person_count)
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)person);
    s = db_query(op->db,
                 "SELECT id, image_name, path, created_at FROM person_images WHERE person_id = ? ORDER BY id LIMIT "
                 "1000");
    op->d->bind_int(s, 1, person);
    r->photos = arena_alloc(op->arena, MAX * sizeof(struct photo));
    while (r->photo_count < MAX && op->d->step(s) == DB_ROW)
        r->photos[r->photo_count++] = (struct photo){.id = op->d->column_int(s, 0),
                                                     .person = person,
                                                     .name = op_text(op, s, 1),
                                                     .path = op_text(op, s, 2),
                                                     .created_ms = op->d->column_int(s, 3)};
    op->d->reset(s);
    r->people->photos = r->photo_count;
    return 0;
}

int op_templates(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT id, person_id, model, embedding FROM templates WHERE id > ? ORDER BY id LIMIT ?");

    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit);
    r->templates = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct template) + 1);
    while (r->template_count < m->limit && op->d->step(s) == DB_ROW) {
        struct template *t = &r->templates[r->template_count];
        size_t len;
        const void *blob = op->d->column_blob(s, 3, &len);

        r->next = t->id = op->d->column_int(s, 0);
        t->person = op->d->column_int(s, 1);
        t->model = op_text(op, s, 2);
        t->dimension = (int)(len / sizeof(float));
        t->embedding = (const float *)(const void *)arena_copy(op->arena, blob, len);
        r->template_count++;
    }
    op->d->reset(s);
    r->more = r->template_count == m->limit;
    return 0;
}

/* Faces nobody knows, by id: what is decided again after an enrolment. */
int op_unknown_faces(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT id, image_id, model, embedding FROM faces WHERE person = -1 AND id > "
                         "? ORDER BY id LIMIT ?");

    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit);
    r->faces = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct face) + 1);
    while (r->face_count < m->limit && op->d->step(s) == DB_ROW) {
        struct face *f = &r->faces[r->face_count++];
        size_t len;
        const void *blob;

        r->next = f->id = op->d->column_int(s, 0);
        f->image = op->d->column_int(s, 1);
        f->model = op_text(op, s, 2);
        if ((blob = op->d->column_blob(s, 3, &len))) {
            f->dimension = (int)(len / sizeof(float));
            f->embedding = (const float *)(const void *)arena_copy(op->arena, blob, len);
        }
    }
    op->d->reset(s);
    r->more = r->face_count == m->limit;
    return 0;
}

int op_known_files(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(
        op->db, "SELECT path, person_name, size, mtime_ns, taken, reason FROM known_files ORDER BY path LIMIT ?");

    op->d->bind_int(s, 1, m->limit);
    r->files = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct known_file) + 1);
    while (r->file_count < m->limit && op->d->step(s) == DB_ROW)
        r->files[r->file_count++] = (struct known_file){.path = op_text(op, s, 0),
                                                        .person_name = op_text(op, s, 1),
                                                        .size = op->d->column_int(s, 2),
                                                        .mtime_ns = op->d->column_int(s, 3),
                                                        .taken = op->d->column_int(s, 4) != 0,
                                                        .reason = op_text(op, s, 5)};
    op->d->reset(s);
    return 0;
}

/* Whether a spooled file still belongs to an image or a photo. */
int op_path_in_use(struct op *op, const struct msg *msg)
{
    static const char *const queries[] = {"SELECT 1 FROM images WHERE path = ? LIMIT 1",
                                          "SELECT 1 FROM person_images WHERE path = ? LIMIT 1"};

    for (int i = 0; i < 2; i++) {
        struct db_statement *s = db_query(op->db, queries[i]);

        db_bind_text(op->db, s, 1, ((const struct store_text *)msg)->text);
        op->reply->changed += op->d->step(s) == DB_ROW;
        op->d->reset(s);
    }
    return 0;
}

int op_quarantined(struct op *op, const struct msg *msg)
{
    enum { MAX = 1000 };
    struct db_statement *s = db_query(op->db, "SELECT sha256 FROM quarantine WHERE until_ms > ? LIMIT 1000");
    const char **texts = arena_alloc(op->arena, MAX * sizeof *texts);

    (void)msg;
    op->d->bind_int(s, 1, op->now_ms);
    while (op->reply->text_count < MAX && op->d->step(s) == DB_ROW)
        texts[op->reply->text_count++] = op_text(op, s, 0);
    op->d->reset(s);
    op->reply->texts = texts;
    return 0;
}
