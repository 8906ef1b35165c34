/* What all operations share: refusals, texts, keys, the counts of images by status. */
#include "core/store/store_internal.h"

#include "core/base/hash.h"
#include "core/base/text.h"

#include <stdarg.h>
#include <stdio.h>
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

const char *image_verdict_name(int verdict)
{
    static const char *const names[] = {NULL, "known", "unknown", "no_face"};

    return verdict >= 0 && verdict < IMAGE_VERDICTS ? names[verdict] : NULL;
}

int image_verdict_from(const char *name)
{
    for (int i = VERDICT_KNOWN; i < IMAGE_VERDICTS; i++)
        if (strcmp(name, image_verdict_name(i)) == 0)
            return i;
    return -1;
}

const char *operation_state_name(int state)
{
    static const char *const names[] = {"?", "running", "paused", "done", "cancelled"};

    return names[state > 0 && state < OPERATION_STATES ? state : 0];
}

/* As the column images.state (db/schema_versions.c). */
static int common_shown_status(int status, int verdict)
{
    bool looked_at = (status == IMAGE_PENDING && verdict == VERDICT_UNKNOWN) ||
                     (status == IMAGE_FAILED && verdict == VERDICT_NO_FACE);

    return looked_at ? IMAGE_PROCESSED : status;
}

int image_shown_status(const struct image *image)
{
    return common_shown_status(image->status, image->verdict);
}

int image_doubt(const struct image *image)
{
    int doubt = 0;

    for (int i = 0; i < image->face_count && image_shown_status(image) == IMAGE_PROCESSED; i++)
        doubt |= image->faces[i].doubt;
    return doubt;
}

bool image_file_differs(const struct image *image, struct file_stamp now)
{
    if (file_stamp_is_known(image->file))
        return !file_stamp_equal(image->file, now);
    return now.mtime_ns / 1000000 > image->finished_ms;
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

int op_refuse_disk_low(struct op *op)
{
    return op_refuse(op, STORE_DISK_LOW,
                     "the disk of KITH_DATA has less than KITH_DISK_RESERVE bytes free; delete images or other files");
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

int op_run_with_id(struct op *op, const char *sql, int64_t id)
{
    struct db_statement *s = db_query(op->db, sql);

    op->d->bind_int(s, 1, id);
    return db_finish(op->db, s);
}

static void common_count(struct image_counts *counts, int status, int verdict, int images)
{
    int shown = common_shown_status(status, verdict);

    if (shown < 0 || shown >= IMAGE_STATUSES)
        return;
    counts->by_status[shown] += images;
    counts->unknown += shown == IMAGE_PROCESSED && verdict == VERDICT_UNKNOWN ? images : 0;
    counts->no_face += shown == IMAGE_PROCESSED && verdict == VERDICT_NO_FACE ? images : 0;
}

void op_moved(struct op *op, int from_status, int from_verdict, int to_status, int to_verdict)
{
    common_count(&op->counts, from_status, from_verdict, -1);
    common_count(&op->counts, to_status, to_verdict, 1);
}
