/* Reads: one row, pages by key, never a scan. */
#include "core/store/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* Longer than any transaction of ours lasts between its insert and its commit. */
enum { SETTLE_MS = 4000 };

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
    while (r->image_count <= m->limit && (result = db_step(op->db, s)) == DB_ROW)
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

int op_tally(struct op *op, const struct msg *msg)
{
    struct db_statement *s = db_query(
        op->db,
        "SELECT {|CAST(}SUM(pending){| AS SIGNED)}, {|CAST(}SUM(processed){| AS SIGNED)}, {|CAST(}SUM(failed){| "
        "AS SIGNED)}, {|CAST(}SUM(processing){| AS SIGNED)}, {|CAST(}SUM(unknown){| AS SIGNED)} FROM tally");
    int result;

    (void)msg;
    if ((result = db_step(op->db, s)) == DB_ROW) {
        for (int i = 0; i < IMAGE_STATUSES; i++)
            op->reply->tally[i] = op->d->column_int(s, i);
        op->reply->unknown = op->d->column_int(s, 4);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

int op_people(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT p.id, p.name, (SELECT COUNT(*) FROM person_images pi WHERE "
                         "pi.person_id = p.id) FROM person p WHERE p.id > ? ORDER BY p.id LIMIT ?");
    int result = DB_DONE;

    r->people = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof(struct person));
    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit + 1);
    while (r->person_count <= m->limit && (result = db_step(op->db, s)) == DB_ROW)
        r->people[r->person_count++] = (struct person){
            .id = op->d->column_int(s, 0), .name = op_text(op, s, 1), .photos = op->d->column_int(s, 2)};
    op->d->reset(s);
    if (r->person_count > m->limit) {
        r->person_count = m->limit;
        r->next = r->people[m->limit - 1].id;
    }
    return result < 0 ? result : 0;
}

int op_photos(struct op *op, const struct msg *msg)
{
    enum { MAX = 1000 };
    int64_t person = ((const struct store_id *)msg)->id;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(op->db, "SELECT id, name FROM person WHERE id = ?");
    int result;

    op->d->bind_int(s, 1, person);
    r->people = arena_alloc(op->arena, sizeof(struct person));
    if ((result = db_step(op->db, s)) == DB_ROW) {
        *r->people = (struct person){.id = person, .name = op_text(op, s, 1)};
        r->person_count = 1;
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    if (!r->person_count)
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)person);
    s = db_query(op->db,
                 "SELECT id, image_name, path, created_at FROM person_images WHERE person_id = ? ORDER BY id LIMIT "
                 "1000");
    op->d->bind_int(s, 1, person);
    r->photos = arena_alloc(op->arena, MAX * sizeof(struct photo));
    while (r->photo_count < MAX && (result = db_step(op->db, s)) == DB_ROW)
        r->photos[r->photo_count++] = (struct photo){.id = op->d->column_int(s, 0),
                                                     .person = person,
                                                     .name = op_text(op, s, 1),
                                                     .path = op_text(op, s, 2),
                                                     .created_ms = op->d->column_int(s, 3)};
    op->d->reset(s);
    r->people->photos = r->photo_count;
    return result < 0 ? result : 0;
}

/* What changed in the gallery after a number. An added template that is gone again has no embedding here. */
int op_gallery_changes(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(
        op->db, "SELECT g.n, g.kind, g.person_id, g.template_id, p.name, t.model, t.embedding FROM gallery_log g "
                "LEFT JOIN person p ON p.id = g.person_id LEFT JOIN templates t ON t.id = g.template_id WHERE "
                "g.n > ? ORDER BY g.n LIMIT ?");
    int result = DB_DONE;

    /* A compaction may run beside this. So that none is missed, a reader from the start gets the bounds of before its
     * first page, every other one those of after its page. */
    if (m->after == 0 && op_gallery_log_bounds(op) < 0)
        return DB_ERROR;
    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit);
    r->changes = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct gallery_change) + 1);
    r->next = m->after;
    while (r->change_count < m->limit && (result = db_step(op->db, s)) == DB_ROW) {
        struct gallery_change *c = &r->changes[r->change_count++];
        size_t len;
        const void *blob = op->d->column_blob(s, 6, &len);

        r->next = op->d->column_int(s, 0);
        c->kind = (enum gallery_change_kind)op->d->column_int(s, 1);
        c->person = op->d->column_int(s, 2);
        c->name = op_text(op, s, 4);
        c->template = (struct template){.id = op->d->column_int(s, 3), .person = c->person};
        if (blob) {
            c->template.model = op_text(op, s, 5);
            c->template.dimension = (int)(len / sizeof(float));
            c->template.embedding = (const float *)(const void *)arena_copy(op->arena, blob, len);
        }
    }
    op->d->reset(s);
    r->more = r->change_count == m->limit;
    return result < 0 ? result : m->after != 0 ? op_gallery_log_bounds(op) : 0;
}

/* Rows that somebody wrote into person_images by hand: they have a file's name and a person, and no photo yet. */
int op_hand_photos(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT id, person_id, image_name FROM person_images WHERE path IS NULL AND "
                         "image_name IS NOT NULL AND person_id > 0 ORDER BY id LIMIT ?");
    int result = DB_DONE;

    op->d->bind_int(s, 1, m->limit);
    r->photos = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct photo) + 1);
    while (r->photo_count < m->limit && (result = db_step(op->db, s)) == DB_ROW)
        r->photos[r->photo_count++] =
            (struct photo){.id = op->d->column_int(s, 0), .person = op->d->column_int(s, 1), .name = op_text(op, s, 2)};
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* Whose photo it is, by its name alone: the first of that name. id 0 when nobody has one. */
int op_photo_person(struct op *op, const struct msg *msg)
{
    struct db_statement *s = db_query(op->db, "SELECT p.id, p.name FROM person_images pi JOIN person p ON p.id = "
                                              "pi.person_id WHERE pi.image_name = ? ORDER BY pi.id LIMIT 1");
    const char **texts;
    int result;

    op_bind_text(op, s, 1, ((const struct store_text *)msg)->text, PHOTO_NAME_BYTES);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        texts = arena_alloc(op->arena, sizeof *texts);
        op->reply->id = op->d->column_int(s, 0);
        texts[0] = op_text(op, s, 1);
        op->reply->texts = texts;
        op->reply->text_count = 1;
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
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

/* Whether a spooled file still belongs to an image or a photo. */
int op_path_in_use(struct op *op, const struct msg *msg)
{
    const char *path = ((const struct store_text *)msg)->text;
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
