/* What several operations share: rows to structs, events, the judgement of an image by its faces. */
#include "core/store/store_internal.h"

#include "core/base/buf.h"
#include "core/base/hash.h"
#include "core/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *image_status_name(int status)
{
    static const char *const names[] = {"pending", "processed", "failed", "processing"};

    return status >= 0 && status < IMAGE_STATUSES ? names[status] : "?";
}

int image_status_from(const char *name)
{
    for (int i = 0; i < IMAGE_STATUSES; i++)
        if (strcmp(name, image_status_name(i)) == 0)
            return i;
    return -1;
}

int op_refuse(struct op *op, int status, const char *text, ...)
{
    va_list args;

    op->reply->status = status;
    va_start(args, text);
    vsnprintf(op->reply->error, sizeof op->reply->error, text, args);
    va_end(args);
    return DB_REFUSED;
}

void op_text_key(const char *text, uint8_t key[static PATH_KEY_BYTES])
{
    uint8_t hash[SHA256_BYTES];

    sha256(text, strlen(text), hash);
    memcpy(key, hash, PATH_KEY_BYTES);
}

void op_bind_path(struct op *op, struct db_statement *s, int at, const char *path,
                  const uint8_t key[static PATH_KEY_BYTES])
{
    if (op->d->dialect == DIALECT_SQLITE)
        db_bind_text(op->db, s, at, path);
    else
        op->d->bind_blob(s, at, key, PATH_KEY_BYTES, 0);
}

void op_bind_text(struct op *op, struct db_statement *s, int at, const char *text, size_t max)
{
    size_t len = text ? strlen(text) : 0;
    char *copy;

    if (text && ((max && len > max) || !text_is_utf8(text))) {
        len = max && len > max ? max : len;
        copy = arena_alloc(op->arena, len + 1);
        text_copy_utf8(copy, len + 1, text);
        text = copy;
    }
    db_bind_text(op->db, s, at, text);
}

const char *op_text(struct op *op, struct db_statement *s, int at)
{
    size_t len;
    const void *data = op->d->column_blob(s, at, &len);

    return data ? arena_copy(op->arena, data, len) : NULL;
}

#define EVENT      "(?, ?, ?, ?)"
#define EVENTS8    EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT
#define EVENTS64   EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8
#define ADD_EVENTS "INSERT INTO events(kind, image_id, person_id, at) VALUES"

static int add_events(struct op *op, int kind, const int64_t *images, int count, int64_t person)
{
    struct db_statement *s = db_query(op->db, count == 64  ? ADD_EVENTS EVENTS64
                                              : count == 8 ? ADD_EVENTS EVENTS8
                                                           : ADD_EVENTS EVENT);
    int at = 0;

    for (int i = 0; i < count; i++) {
        op->d->bind_int(s, ++at, kind);
        op->d->bind_int(s, ++at, images[i]);
        op->d->bind_int(s, ++at, person);
        op->d->bind_int(s, ++at, op->now_ms);
    }
    op->made_events = true;
    return db_finish(op->db, s);
}

int op_event(struct op *op, int kind, int64_t image, int64_t person)
{
    return add_events(op, kind, &image, 1, person);
}

int op_events(struct op *op, int kind, const int64_t *images, int count)
{
    int result = 0;

    for (int at = 0, n; at < count && result >= 0; at += n) {
        n = count - at >= 64 ? 64 : count - at >= 8 ? 8 : 1;
        result = add_events(op, kind, images + at, n, 0);
    }
    return result;
}

/* The head's row stays locked to the end of the transaction: who has the next number commits next. */
int op_gallery_log(struct op *op, enum gallery_change_kind kind, int64_t person, int64_t template)
{
    struct db_statement *s;
    int64_t n = 0;
    int result;

    if ((result = db_run(op->db, "UPDATE gallery_head SET n = n + 1 WHERE id = 1")) < 0)
        return result;
    s = db_query(op->db, "SELECT n FROM gallery_head WHERE id = 1");
    if ((result = db_step(op->db, s)) == DB_ROW)
        n = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0)
        return result;
    if ((result = op_gallery_log_replace(op, kind, person, template)) < 0)
        return result;
    s = db_query(op->db, "INSERT INTO gallery_log(n, kind, person_id, template_id, at) VALUES(?, ?, ?, ?, ?)");
    op->d->bind_int(s, 1, n);
    op->d->bind_int(s, 2, kind);
    op->d->bind_int(s, 3, person);
    op->d->bind_int(s, 4, template);
    op->d->bind_int(s, 5, op->now_ms);
    return db_finish(op->db, s);
}

void op_moved(struct op *op, int from_status, int from_verdict, int to_status, int to_verdict)
{
    if (from_status >= 0) {
        op->tally[from_status]--;
        op->unknown -= from_verdict == VERDICT_UNKNOWN;
    }
    if (to_status >= 0) {
        op->tally[to_status]++;
        op->unknown += to_verdict == VERDICT_UNKNOWN;
    }
}

void op_image_row(struct op *op, struct db_statement *s, struct image *image)
{
    const struct db_driver *d = op->d;

    image->id = d->column_int(s, 0);
    image->path = op_text(op, s, 1);
    image->person = d->column_int(s, 2);
    image->status = (int)d->column_int(s, 3);
    image->verdict = (int)d->column_int(s, 4);
    image->reason = op_text(op, s, 5);
    image->sha256 = op_text(op, s, 6);
    image->attempt = d->column_int(s, 7);
    image->tries = d->column_int(s, 8);
    image->crashes = d->column_int(s, 9);
    image->created_ms = d->column_int(s, 10);
    image->finished_ms = d->column_int(s, 11);
    image->spooled = d->column_int(s, 12) != 0;
    image->person_name = op_text(op, s, 13);
    image->trace = op_text(op, s, 14);
}

static const char *name_of_person(struct op *op, int64_t id)
{
    struct db_statement *s = db_query(op->db, "SELECT name FROM person WHERE id = ?");
    const char *name = NULL;

    op->d->bind_int(s, 1, id);
    if (db_step(op->db, s) == DB_ROW)
        name = op_text(op, s, 0);
    op->d->reset(s);
    return name;
}

/* Candidates are stored as "person distance similarity;" each; names are looked up, for they may change. */
static void read_candidates(struct op *op, struct face *face, const char *text)
{
    struct candidate *list;
    int max = 0;

    for (const char *c = text; *c; c++)
        max += *c == ';';
    list = arena_alloc(op->arena, (size_t)max * sizeof *list + 1);
    while (*text && face->candidate_count < max) {
        struct candidate *c = &list[face->candidate_count];
        char *end;

        c->person = strtoll(text, &end, 10);
        c->distance = strtod(end, &end);
        c->similarity = strtod(end, &end);
        c->name = name_of_person(op, c->person);
        if (c->name) /* a person deleted since is no candidate any more */
            face->candidate_count++;
        text = end + strcspn(end, ";");
        text += *text == ';';
    }
    face->candidates = list;
}

char *op_candidates_text(struct op *op, const struct candidate *c, int count)
{
    char *text = arena_alloc(op->arena, (size_t)count * 64 + 1);
    size_t n = 0;

    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, 64, "%lld %.6g %.6g;", (long long)c[i].person, c[i].distance, c[i].similarity);
    return text;
}

void op_face_row(struct op *op, struct db_statement *s, struct face *face)
{
    const struct db_driver *d = op->d;
    const char *candidates;
    const void *blob;
    size_t len;

    face->id = d->column_int(s, 0);
    face->image = d->column_int(s, 1);
    face->x = (float)d->column_real(s, 2);
    face->y = (float)d->column_real(s, 3);
    face->width = (float)d->column_real(s, 4);
    face->height = (float)d->column_real(s, 5);
    if ((blob = d->column_blob(s, 6, &len))) {
        face->landmark_count = (int)(len / (2 * sizeof(float)));
        face->landmarks = (const float *)(const void *)arena_copy(op->arena, blob, len);
    }
    face->quality = (float)d->column_real(s, 7);
    face->model = op_text(op, s, 8);
    if ((blob = d->column_blob(s, 9, &len))) {
        face->dimension = (int)(len / sizeof(float));
        face->embedding = (const float *)(const void *)arena_copy(op->arena, blob, len);
    }
    face->person = d->column_int(s, 10);
    face->distance = d->column_real(s, 11);
    face->similarity = d->column_real(s, 12);
    candidates = op_text(op, s, 13);
    face->person_name = op_text(op, s, 14);
    face->unknown_person = d->column_int(s, 15);
    face->decision = decision_read(op_text(op, s, 16));
    if (candidates)
        read_candidates(op, face, candidates);
}

int op_load_faces(struct op *op, struct image *image)
{
    struct db_statement *s = db_query(op->db, "SELECT " FACE_COLUMNS " FROM faces f LEFT JOIN person p ON p.id = "
                                              "f.person WHERE f.image_id = ? ORDER BY f.id");
    int capacity = 0, result;

    op->d->bind_int(s, 1, image->id);
    image->face_count = 0;
    while ((result = db_step(op->db, s)) == DB_ROW) {
        if (image->face_count == capacity) {
            struct face *more = arena_alloc(op->arena, (size_t)(capacity = capacity ? capacity * 2 : 2) * sizeof *more);

            if (image->face_count)
                memcpy(more, image->faces, (size_t)image->face_count * sizeof *more);
            image->faces = more;
        }
        op_face_row(op, s, &image->faces[image->face_count++]);
    }
    op->d->reset(s);
    return result;
}

int op_load_image(struct op *op, int64_t id, struct image *image)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_COLUMNS " FROM images i LEFT JOIN person p ON p.id = i.person WHERE i.id = ?");
    int result;

    op->d->bind_int(s, 1, id);
    result = db_step(op->db, s);
    if (result == DB_ROW)
        op_image_row(op, s, image);
    op->d->reset(s);
    if (result == DB_ROW)
        return op_load_faces(op, image) < 0 ? DB_ERROR : 1;
    return result;
}

/* The person of an image is the most similar one among its faces' (a name given by hand has similarity 1). */
int op_judge_image(struct op *op, int64_t image)
{
    struct db_statement *s;
    int64_t person = PERSON_UNKNOWN, status, verdict;
    bool known;
    int result;

    s = db_query(op->db,
                 "SELECT person FROM faces WHERE image_id = ? AND person > 0 ORDER BY similarity DESC, id LIMIT 1");
    op->d->bind_int(s, 1, image);
    if ((result = db_step(op->db, s)) == DB_ROW)
        person = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0)
        return result;
    known = person > 0;
    s = db_query(op->db, "SELECT status, verdict FROM images WHERE id = ?");
    op->d->bind_int(s, 1, image);
    result = db_step(op->db, s);
    status = result == DB_ROW ? op->d->column_int(s, 0) : -1;
    verdict = result == DB_ROW ? op->d->column_int(s, 1) : 0;
    op->d->reset(s);
    /* Only an image at rest is judged anew: one being processed will be judged by its own run. */
    if (result != DB_ROW || verdict == VERDICT_NONE || status == IMAGE_PROCESSING || status == IMAGE_FAILED)
        return result < 0 ? result : 0;
    s = db_query(op->db,
                 "UPDATE images SET status = ?, verdict = ?, person = ?, run_after = ?, finished_at = ? WHERE id = ?");
    op->d->bind_int(s, 1, known ? IMAGE_PROCESSED : IMAGE_PENDING);
    op->d->bind_int(s, 2, known ? VERDICT_KNOWN : VERDICT_UNKNOWN);
    op->d->bind_int(s, 3, person);
    op->d->bind_int(s, 4, known ? 0 : RUN_NEVER);
    op->d->bind_int(s, 5, op->now_ms);
    op->d->bind_int(s, 6, image);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    op_moved(op, (int)status, (int)verdict, known ? IMAGE_PROCESSED : IMAGE_PENDING,
             known ? VERDICT_KNOWN : VERDICT_UNKNOWN);
    return op_event(op, EVENT_IMAGE, image, 0);
}

static int find_person(struct op *op, const uint8_t *key, int64_t *id)
{
    struct db_statement *s = db_query(op->db, "SELECT id FROM person WHERE name_key = ?");
    int result;

    op->d->bind_blob(s, 1, key, PATH_KEY_BYTES, 0);
    result = db_step(op->db, s);
    if (result == DB_ROW)
        *id = op->d->column_int(s, 0);
    op->d->reset(s);
    return result;
}

int op_person_by_name(struct op *op, const char *name, int64_t *id, bool *made)
{
    struct db_statement *s;
    uint8_t key[PATH_KEY_BYTES];
    int result;

    *made = false;
    op_text_key(name, key);
    if ((result = find_person(op, key, id)) != DB_DONE)
        return result < 0 ? result : 0;
    s = db_query(op->db, "{INSERT OR IGNORE|INSERT IGNORE} INTO person(name, name_key) VALUES(?, ?)");
    db_bind_text(op->db, s, 1, name);
    op->d->bind_blob(s, 2, key, sizeof key, 0);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    if (op->d->changes(op->db) == 0) /* another node was faster */
        return find_person(op, key, id) == DB_ROW ? 0 : DB_ERROR;
    *id = op->d->last_id(op->db);
    *made = true;
    if ((result = op_gallery_log(op, GALLERY_PERSON_NAMED, *id, 0)) < 0)
        return result;
    return op_event(op, EVENT_PERSON, 0, *id);
}
