/* Reads of people, their photos, and the changes of the gallery. */
#include "core/store/store_internal.h"

#include <string.h>

#define PERSON_COLUMNS                                                                                                 \
    "p.id, p.name, (SELECT COUNT(*) FROM person_images pi WHERE pi.person_id = p.id), p.notes FROM person p "

static void read_people_row(struct op *op, struct db_statement *s, struct person *person)
{
    *person = (struct person){.id = op->d->column_int(s, 0),
                              .name = op_text(op, s, 1),
                              .photos = op->d->column_int(s, 2),
                              .notes = op_text(op, s, 3)};
}

int op_read_person(struct op *op, int64_t id)
{
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(op->db, "SELECT " PERSON_COLUMNS "WHERE p.id = ?");
    int result;

    op->d->bind_int(s, 1, id);
    r->people = arena_alloc(op->arena, sizeof *r->people);
    r->person_count = 0;
    if ((result = db_step(op->db, s)) == DB_ROW)
        read_people_row(op, s, &r->people[r->person_count++]);
    op->d->reset(s);
    return result;
}

/* One page of people; a row more than the page says that there is a next one. */
static int read_people_page(struct op *op, struct db_statement *s, int limit, const char **words)
{
    struct store_reply *r = op->reply;
    int result = DB_DONE;

    r->people = arena_alloc(op->arena, (size_t)(limit + 1) * sizeof(struct person));
    while (r->person_count <= limit && (result = db_step(op->db, s)) == DB_ROW) {
        if (words)
            words[r->person_count] = op_text(op, s, 4);
        read_people_row(op, s, &r->people[r->person_count++]);
    }
    op->d->reset(s);
    if (r->person_count > limit) {
        r->person_count = limit;
        r->next = r->people[limit - 1].id;
    }
    return result < 0 ? result : 0;
}

/* People whose name, or a later word of it, begins with m->name; by that word, then by id. A person whose name matches
 * twice comes at the first word only. The upper bound is the last character of Unicode. */
static int read_people_search(struct op *op, const struct store_list *m)
{
    struct db_statement *s = db_query(
        op->db, "SELECT p.id, p.name, (SELECT COUNT(*) FROM person_images pi WHERE pi.person_id = p.id), p.notes, "
                "w.word FROM person_names w {CROSS JOIN|STRAIGHT_JOIN} person p ON p.id = w.person_id WHERE w.word >= "
                "? AND w.word < ? AND "
                "(w.word > ? OR (w.word = ? AND w.person_id > ?)) AND NOT EXISTS(SELECT 1 FROM person_names e WHERE "
                "e.person_id = w.person_id AND e.word >= ? AND e.word < w.word) ORDER BY w.word, w.person_id LIMIT ?");
    const char *from = m->after_word ? m->after_word : "", **words;
    const char *end = arena_printf(op->arena, "%s\xf4\x8f\xbf\xbf", m->name);
    int result;

    db_bind_text(op->db, s, 1, strcmp(from, m->name) > 0 ? from : m->name);
    db_bind_text(op->db, s, 2, end);
    db_bind_text(op->db, s, 3, from);
    db_bind_text(op->db, s, 4, from);
    op->d->bind_int(s, 5, m->after);
    db_bind_text(op->db, s, 6, m->name);
    op->d->bind_int(s, 7, m->limit + 1);
    words = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof *words);
    if ((result = read_people_page(op, s, m->limit, words)) < 0)
        return result;
    if (op->reply->next) {
        op->reply->texts = &words[m->limit - 1];
        op->reply->text_count = 1;
    }
    return 0;
}

/* The names of people that another program inserted are found after the next change of people. */
int op_people(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct db_statement *s;

    if (m->name)
        return read_people_search(op, m);
    s = db_query(op->db, "SELECT " PERSON_COLUMNS "WHERE p.id > ? ORDER BY p.id LIMIT ?");
    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit + 1);
    return read_people_page(op, s, m->limit, NULL);
}

int op_photos(struct op *op, const struct msg *msg)
{
    enum { MAX = 1000 };
    int64_t person = ((const struct store_id *)msg)->id;
    struct store_reply *r = op->reply;
    struct db_statement *s;
    int result = op_read_person(op, person);

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
                                                     .path = op_path(op, s, 2),
                                                     .created_ms = op->d->column_int(s, 3)};
    op->d->reset(s);
    r->people->photos = r->photo_count;
    return result < 0 ? result : op_words_of_person(op, person);
}

/* Rows of person_images that another program inserted: a file's name and a person, no photo yet. */
int op_adopted_photos(struct op *op, const struct msg *msg)
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

/* The person of the first photo with that file name; id 0: none. */
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

/* The photo that was enrolled last: its file is the most likely to be there. */
int op_known_photo(struct op *op, const struct msg *msg)
{
    struct db_statement *s = db_query(
        op->db, "SELECT path FROM person_images WHERE path IS NOT NULL AND path <> '' ORDER BY id DESC LIMIT 1");
    const char **texts = arena_alloc(op->arena, sizeof *texts);
    int result = db_step(op->db, s);

    (void)msg;
    if (result == DB_ROW) {
        texts[0] = op_path(op, s, 0);
        op->reply->texts = texts;
        op->reply->text_count = 1;
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* Changes of the gallery after a number. An added template that was deleted since has no embedding here. */
int op_gallery_changes(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s;
    int64_t head = 0, mark_at_head;
    int result = op_gallery_position(op, m->after, m->mark, &head);

    if (result < 0 || r->rewound)
        return result;
    mark_at_head = r->mark;
    /* A compaction may run beside this. So that none is missed, a reader from the start gets the bounds of before its
     * first page, every other one those of after its page. */
    if (m->after == 0 && op_gallery_log_bounds(op) < 0)
        return DB_ERROR;
    s = db_query(
        op->db,
        "SELECT g.n, g.kind, g.person_id, g.template_id, p.name, t.model, t.embedding, COALESCE(k.mark, 0) FROM "
        "gallery_log g LEFT JOIN person p ON p.id = g.person_id LEFT JOIN templates t ON t.id = g.template_id "
        "LEFT JOIN gallery_marks k ON k.n = g.n WHERE g.n > ? AND g.n <= ? ORDER BY g.n LIMIT ?");
    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, head);
    op->d->bind_int(s, 3, m->limit);
    r->changes = arena_alloc(op->arena, (size_t)m->limit * sizeof(struct gallery_change) + 1);
    r->next = m->after;
    while (r->change_count < m->limit && (result = db_step(op->db, s)) == DB_ROW) {
        struct gallery_change *c = &r->changes[r->change_count++];
        size_t len;
        const void *blob = op->d->column_blob(s, 6, &len);

        r->next = op->d->column_int(s, 0);
        r->mark = op->d->column_int(s, 7);
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
    if (!r->more) { /* the last changes may have been removed from the log since */
        r->next = head;
        r->mark = mark_at_head;
    }
    return result < 0 ? result : m->after != 0 ? op_gallery_log_bounds(op) : 0;
}
