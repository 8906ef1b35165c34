/* Searches all tables for what is left of an image or a person (kith forget --verify). Rows that hold ids only and are
 * needed to tell others of the deletion (events, gallery_log, audit) do not count. Reads whole tables. */
#include "core/store/store_internal.h"

#include <stdio.h>

enum { FOUND_MAX = 1000 };

enum trace_key { TRACE_IMAGE, TRACE_PERSON, TRACE_TEXT, TRACE_EMBEDDING };

static const struct {
    enum trace_key key;
    const char *what, *sql; /* the SQL counts rows; its one parameter is the key */
} traces[] = {
    {TRACE_IMAGE, "images", "SELECT COUNT(*) FROM images WHERE id = ?"},
    {TRACE_IMAGE, "faces of the image", "SELECT COUNT(*) FROM faces WHERE image_id = ?"},
    {TRACE_IMAGE, "images for review", "SELECT COUNT(*) FROM doubts WHERE image_id = ?"},
    {TRACE_IMAGE, "words about the image", "SELECT COUNT(*) FROM words WHERE image_id = ?"},
    {TRACE_IMAGE, "idempotency records", "SELECT COUNT(*) FROM idempotency WHERE image_id = ?"},
    {TRACE_PERSON, "person", "SELECT COUNT(*) FROM person WHERE id = ?"},
    {TRACE_PERSON, "photos (person_images)", "SELECT COUNT(*) FROM person_images WHERE person_id = ?"},
    {TRACE_PERSON, "templates", "SELECT COUNT(*) FROM templates WHERE person_id = ?"},
    {TRACE_PERSON, "faces with the person's name", "SELECT COUNT(*) FROM faces WHERE person = ?"},
    {TRACE_PERSON, "images with the person's name", "SELECT COUNT(*) FROM images WHERE person = ?"},
    {TRACE_PERSON, "images for review", "SELECT COUNT(*) FROM doubts WHERE person = ?"},
    {TRACE_PERSON, "faces in doubt with the person", "SELECT COUNT(*) FROM faces WHERE rival = ?"},
    {TRACE_PERSON, "words about the person", "SELECT COUNT(*) FROM words WHERE person_id = ?"},
    {TRACE_PERSON, "search forms of the name", "SELECT COUNT(*) FROM person_names WHERE person_id = ?"},
    {TRACE_PERSON, "merges", "SELECT COUNT(*) FROM merges WHERE ? IN (person_id, into_id)"},
    {TRACE_TEXT, "names of merged people", "SELECT COUNT(*) FROM merges WHERE name = ?"},
    {TRACE_TEXT, "labels of faces", "SELECT COUNT(*) FROM faces WHERE label = ?"},
    {TRACE_TEXT, "names (person)", "SELECT COUNT(*) FROM person WHERE name = ?"},
    {TRACE_TEXT, "files of the known-people folder, by name", "SELECT COUNT(*) FROM known_files WHERE person_name = ?"},
    {TRACE_TEXT, "files of the known-people folder, by path", "SELECT COUNT(*) FROM known_files WHERE path = ?"},
    {TRACE_TEXT, "images, by path", "SELECT COUNT(*) FROM images WHERE path = ?"},
    {TRACE_TEXT, "images, by sha256", "SELECT COUNT(*) FROM images WHERE sha256 = ?"},
    {TRACE_TEXT, "photos, by path", "SELECT COUNT(*) FROM person_images WHERE path = ?"},
    {TRACE_TEXT, "photos, by sha256", "SELECT COUNT(*) FROM person_images WHERE sha256 = ?"},
    {TRACE_TEXT, "photos, by name", "SELECT COUNT(*) FROM person_images WHERE image_name = ?"},
    {TRACE_TEXT, "words, by sha256", "SELECT COUNT(*) FROM words WHERE sha256 = ?"},
    {TRACE_TEXT, "quarantine", "SELECT COUNT(*) FROM quarantine WHERE sha256 = ?"},
    {TRACE_TEXT, "files that nodes still remove, by path", "SELECT COUNT(*) FROM erasures WHERE path = ?"},
    {TRACE_TEXT, "files that nodes still remove, by sha256", "SELECT COUNT(*) FROM erasures WHERE sha256 = ?"},
    {TRACE_EMBEDDING, "faces with the embedding", "SELECT COUNT(*) FROM faces WHERE embedding = ?"},
    {TRACE_EMBEDDING, "templates with the embedding", "SELECT COUNT(*) FROM templates WHERE embedding = ?"},
};

static bool traces_bind(struct op *op, const struct store_traces *m, enum trace_key key, struct db_statement *s)
{
    switch (key) {
    case TRACE_IMAGE:
        op->d->bind_int(s, 1, m->image);
        return m->image > 0;
    case TRACE_PERSON:
        op->d->bind_int(s, 1, m->person);
        return m->person > 0;
    case TRACE_TEXT:
        db_bind_text(op->db, s, 1, op_stored_path(op, m->text));
        return m->text != NULL;
    case TRACE_EMBEDDING:
        op->d->bind_blob(s, 1, m->embedding, m->embedding_bytes, 0);
        return m->embedding != NULL;
    }
    return false;
}

/* The images that `text` names by their path or their bytes. */
static int traces_find_images(struct op *op, const char *text)
{
    struct db_statement *s = db_query(op->db, "SELECT " IMAGE_COLUMNS " FROM images i LEFT JOIN person p ON p.id = "
                                              "i.person WHERE i.path = ? OR i.sha256 = ? ORDER BY i.id LIMIT 1000");

    op->reply->images = arena_alloc(op->arena, FOUND_MAX * sizeof(struct image));
    db_bind_text(op->db, s, 1, op_stored_path(op, text));
    db_bind_text(op->db, s, 2, text);
    op->reply->image_count = op_image_rows(op, s, op->reply->images, FOUND_MAX);
    return op->reply->image_count;
}

static int traces_find_people(struct op *op, const struct store_traces *m)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, name FROM person WHERE id = ? OR name = ? ORDER BY id LIMIT 1000");
    int result = DB_DONE;

    op->reply->people = arena_alloc(op->arena, FOUND_MAX * sizeof(struct person));
    op->d->bind_int(s, 1, m->person);
    db_bind_text(op->db, s, 2, m->text);
    while (op->reply->person_count < FOUND_MAX && (result = db_step(op->db, s)) == DB_ROW)
        op->reply->people[op->reply->person_count++] =
            (struct person){.id = op->d->column_int(s, 0), .name = op_text(op, s, 1)};
    op->d->reset(s);
    return result;
}

static int traces_find_templates(struct op *op, int64_t person)
{
    struct db_statement *s = db_query(op->db, "SELECT id, embedding FROM templates WHERE person_id = ? LIMIT 1000");
    int result = DB_DONE;
    size_t len;

    op->reply->templates = arena_alloc(op->arena, FOUND_MAX * sizeof(struct template));
    op->d->bind_int(s, 1, person);
    while (op->reply->template_count < FOUND_MAX && (result = db_step(op->db, s)) == DB_ROW) {
        struct template *t = &op->reply->templates[op->reply->template_count++];
        const void *blob = op->d->column_blob(s, 1, &len);

        *t = (struct template){.id = op->d->column_int(s, 0),
                               .embedding =
                                   (const float *)(const void *)(blob ? arena_copy(op->arena, blob, len) : NULL),
                               .dimension = (int)(len / sizeof(float))};
    }
    op->d->reset(s);
    return result;
}

int op_traces(struct op *op, const struct msg *msg)
{
    enum { COUNT = sizeof traces / sizeof *traces, LINE = 128 };
    const struct store_traces *m = (const struct store_traces *)msg;
    const char **texts = arena_alloc(op->arena, COUNT * sizeof *texts);

    op->reply->texts = texts;
    for (int i = 0; i < COUNT; i++) {
        struct db_statement *s = db_query(op->db, traces[i].sql);
        int result = traces_bind(op, m, traces[i].key, s) ? db_step(op->db, s) : DB_DONE;
        int64_t count = result == DB_ROW ? op->d->column_int(s, 0) : 0;
        char *line;

        op->d->reset(s);
        if (result < 0)
            return result;
        if (count == 0)
            continue;
        line = arena_alloc(op->arena, LINE);
        snprintf(line, LINE, "%s: %lld", traces[i].what, (long long)count);
        texts[op->reply->text_count++] = line;
    }
    if ((m->text && traces_find_images(op, m->text) < 0) || traces_find_people(op, m) < 0 ||
        traces_find_templates(op, m->person) < 0)
        return DB_ERROR;
    return 0;
}
