/* The schema and its migrations. A version is never edited once released: the next one changes what it made.
 *
 * images, person and person_images keep the columns of the original tables; ours stand beside them. Each index serves
 * one query that grows: by path (is it there already?), what is due, what expires, the list by status, verdict or
 * person, the faces of an image or a person.
 */
#include "core/store/internal.h"

#include <stdio.h>
#include <string.h>

static const char *const version_1[] = {
    "CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255) NOT NULL UNIQUE)",
    "CREATE TABLE images(id INTEGER PRIMARY KEY AUTOINCREMENT, path VARCHAR(4096) NOT NULL, person INTEGER NOT NULL "
    "DEFAULT -1, status INTEGER NOT NULL DEFAULT 0, verdict INTEGER NOT NULL DEFAULT 0, reason TEXT, sha256 TEXT, "
    "spooled INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, "
    "crashes INTEGER NOT NULL DEFAULT 0, cycle INTEGER NOT NULL DEFAULT 0, lease_owner TEXT, lease_until INTEGER NOT "
    "NULL DEFAULT 0, run_after INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, finished_at INTEGER NOT NULL "
    "DEFAULT 0)",
    "CREATE INDEX images_path ON images(path)",
    "CREATE INDEX images_due ON images(status, run_after, id)",
    "CREATE INDEX images_status ON images(status, id)",
    "CREATE INDEX images_person ON images(person, id) WHERE person > 0",
    "CREATE INDEX images_verdict ON images(verdict, id) WHERE verdict > 0",
    "CREATE INDEX images_lease ON images(lease_until) WHERE status = 3",
    "CREATE TABLE faces(id INTEGER PRIMARY KEY AUTOINCREMENT, image_id INTEGER NOT NULL, x REAL NOT NULL, y REAL NOT "
    "NULL, width REAL NOT NULL, height REAL NOT NULL, landmarks BLOB, quality REAL NOT NULL, model TEXT NOT NULL, "
    "embedding BLOB, person INTEGER NOT NULL DEFAULT -1, distance REAL, similarity REAL, candidates TEXT)",
    "CREATE INDEX faces_image ON faces(image_id, id)",
    "CREATE INDEX faces_person ON faces(person, id)",
    "CREATE TABLE person_images(id INTEGER PRIMARY KEY AUTOINCREMENT, image_name VARCHAR(255), person_id INTEGER, "
    "path TEXT, sha256 TEXT, spooled INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL DEFAULT 0)",
    "CREATE INDEX person_images_person ON person_images(person_id, id)",
    "CREATE INDEX person_images_path ON person_images(path)",
    "CREATE TABLE templates(id INTEGER PRIMARY KEY AUTOINCREMENT, person_id INTEGER NOT NULL, photo_id INTEGER NOT "
    "NULL, model TEXT NOT NULL, embedding BLOB NOT NULL)",
    "CREATE INDEX templates_person ON templates(person_id)",
    "CREATE INDEX templates_photo ON templates(photo_id)",
    "CREATE TABLE known_files(path TEXT PRIMARY KEY, person_name TEXT, size INTEGER NOT NULL, mtime_ns INTEGER NOT "
    "NULL, taken INTEGER NOT NULL, reason TEXT) WITHOUT ROWID",
    "CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, image_id INTEGER NOT NULL, "
    "person_id INTEGER NOT NULL, at INTEGER NOT NULL)",
    "CREATE TABLE idempotency(idem_key TEXT PRIMARY KEY, request_hash TEXT NOT NULL, images TEXT NOT NULL, "
    "created_at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX idempotency_age ON idempotency(created_at)",
    "CREATE TABLE quarantine(sha256 TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE tally(id INTEGER PRIMARY KEY, pending INTEGER NOT NULL, processed INTEGER NOT NULL, failed INTEGER "
    "NOT NULL, processing INTEGER NOT NULL, unknown INTEGER NOT NULL)",
    "INSERT INTO tally VALUES(1, 0, 0, 0, 0, 0)",
    NULL};

static const char *const *const versions[] = {version_1};
enum { NEWEST = sizeof versions / sizeof versions[0] };

static int64_t current_version(struct db *db)
{
    struct db_statement *s = db_query(db, "SELECT version FROM schema_version");
    int64_t version = db->driver->step(s) == DB_ROW ? db->driver->column_int(s, 0) : 0;

    db->driver->reset(s);
    return version;
}

static int apply(struct db *db, int64_t version)
{
    struct db_statement *s;
    int result = 0;

    for (const char *const *sql = versions[version]; *sql && result >= 0; sql++)
        result = db_run(db, *sql);
    if (result < 0)
        return result;
    if (db_run(db, "DELETE FROM schema_version") < 0)
        return DB_ERROR;
    s = db_query(db, "INSERT INTO schema_version VALUES(?)");
    db->driver->bind_int(s, 1, version + 1);
    return db_finish(db, s);
}

int schema_migrate(struct db *db, struct error *error)
{
    int64_t version;

    if (db_run(db, "CREATE TABLE IF NOT EXISTS schema_version(version INTEGER NOT NULL)") < 0)
        goto fail;
    version = current_version(db);
    if (version > NEWEST)
        return error_set(error, DB_ERROR, "the database is of a newer kith (schema %lld, this program knows %d)",
                         (long long)version, NEWEST);
    for (; version < NEWEST; version++) {
        if (db_run(db, "BEGIN IMMEDIATE") < 0)
            goto fail;
        if (apply(db, version) < 0 || db_run(db, "COMMIT") < 0) {
            error_set(error, DB_ERROR, "schema %lld: %s", (long long)version + 1, db->driver->error(db));
            db_run(db, "ROLLBACK");
            return DB_ERROR;
        }
    }
    return 0;
fail:
    return error_set(error, DB_ERROR, "schema: %s", db->driver->error(db));
}
