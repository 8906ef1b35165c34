/* The schema: what each version makes. A version is never edited once released: the next one changes what it made. Each
 * step can be repeated: MariaDB commits after every one, and a node may die between two.
 *
 * images, person and person_images keep the columns of the original tables; ours stand beside them. In MariaDB they may
 * be there already, with rows, some paths twice: they are taken over as they are. A path or a name is found by its key
 * there, the start of its SHA-256: texts of that length cannot be indexed whole. Of rows with the same text the first
 * one has that key, the others have one of their own. Other programs insert rows without a key; ops/adopt.c gives them
 * one.
 *
 * Each index serves one query that grows: by key (is it there already?), what is due (or expires), the list by status,
 * verdict or person, the faces of an image or a person. gallery_log has one row for each template, each person and
 * each recent removal (core/store/ops/changes/gallery_log.c); its numbers are given out under the lock of gallery_head,
 * so they are in the order of the commits.
 */
#include "core/store/db/schema_versions.h"

#include <stddef.h>

#define ID    "{INTEGER PRIMARY KEY AUTOINCREMENT|BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY}"
#define END   "{| ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin}"
#define BYKEY "{ WITHOUT ROWID| ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin}"
#define BLOB_ "{BLOB|MEDIUMBLOB}"

/* The time of an insertion, also of one by another program. */
#define NOW_SQLITE  "(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"
#define NOW_MARIADB "(CAST(UNIX_TIMESTAMP(CURRENT_TIMESTAMP(3)) * 1000 AS SIGNED))"

/* Our columns of the original tables: made with the table in SQLite, added to the one that is there in MariaDB.
 *
 *   attempt  runs of the image so far, of all cycles: the fencing token of the current one; never reset
 *   cycle    how often a retry on request has started the image over
 *   tries    runs of this cycle that count towards KITH_TRIES; a released run is subtracted
 *   crashes  runs of this cycle that crashed their worker; KITH_POISON_CRASHES of them make the image fail */
#define OWN_IMAGES(add, now)                                                                                           \
    add "path_key VARBINARY(16), " add "verdict INTEGER NOT NULL DEFAULT 0, " add "reason TEXT, " add                  \
        "sha256 VARCHAR(64), " add "spooled INTEGER NOT NULL DEFAULT 0, " add                                          \
        "attempt BIGINT NOT NULL DEFAULT 0, " add "tries BIGINT NOT NULL DEFAULT 0, " add                              \
        "crashes BIGINT NOT NULL DEFAULT 0, " add "cycle BIGINT NOT NULL DEFAULT 0, " add                              \
        "lease_owner VARCHAR(191), " add "run_after BIGINT NOT NULL DEFAULT 0, " add                                   \
        "created_at BIGINT NOT NULL DEFAULT " now ", " add "finished_at BIGINT NOT NULL DEFAULT 0"
#define OWN_PHOTOS(add, now)                                                                                           \
    add "path TEXT, " add "sha256 VARCHAR(64), " add "spooled INTEGER NOT NULL DEFAULT 0, " add                        \
        "created_at BIGINT NOT NULL DEFAULT " now
#define ADD "ADD COLUMN IF NOT EXISTS "

static const char *const version_1[] = {
    "CREATE TABLE IF NOT EXISTS person(id " ID ", name VARCHAR(255) NOT NULL{, name_key VARBINARY(16)|}) " END,
    "CREATE TABLE IF NOT EXISTS images(id " ID ", path VARCHAR(4096) NOT NULL, person BIGINT NOT NULL DEFAULT -1, "
    "status INTEGER NOT NULL DEFAULT 0{, " OWN_IMAGES("", NOW_SQLITE) "|}) " END,
    "CREATE TABLE IF NOT EXISTS person_images(id " ID
    ", image_name VARCHAR(255), person_id BIGINT{, " OWN_PHOTOS("", NOW_SQLITE) "|}) " END,
    /* existing original tables get our types and columns; of their values only NULL changes */
    "{SELECT 1|UPDATE images SET person = -1 WHERE person IS NULL}",
    "{SELECT 1|UPDATE images SET status = 0 WHERE status IS NULL}",
    "{SELECT 1|ALTER TABLE images CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin}",
    "{SELECT 1|ALTER TABLE images MODIFY id BIGINT NOT NULL AUTO_INCREMENT, MODIFY path VARCHAR(4096) NOT NULL, "
    "MODIFY person BIGINT NOT NULL DEFAULT -1, MODIFY status INTEGER NOT NULL DEFAULT 0, " OWN_IMAGES(ADD,
                                                                                                      NOW_MARIADB) "}",
    "{SELECT 1|ALTER TABLE person CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin}",
    "{SELECT 1|ALTER TABLE person MODIFY id BIGINT NOT NULL AUTO_INCREMENT, " ADD "name_key VARBINARY(16)}",
    "{SELECT 1|ALTER TABLE person_images CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin}",
    "{SELECT 1|ALTER TABLE person_images MODIFY id BIGINT NOT NULL AUTO_INCREMENT, MODIFY person_id "
    "BIGINT, " OWN_PHOTOS(ADD, NOW_MARIADB) "}",
    "{SELECT 1|UPDATE images i JOIN (SELECT MIN(id) AS id FROM images GROUP BY path) m ON m.id = i.id SET i.path_key = "
    "UNHEX(LEFT(SHA2(i.path, 256), 32)) WHERE i.path_key IS NULL}",
    "{SELECT 1|UPDATE images SET path_key = UNHEX(LEFT(SHA2(CONCAT(id, ':', path), 256), 32)) WHERE path_key IS NULL}",
    "{SELECT 1|UPDATE person p JOIN (SELECT MIN(id) AS id FROM person GROUP BY name) m ON m.id = p.id SET p.name_key = "
    "UNHEX(LEFT(SHA2(p.name, 256), 32)) WHERE p.name_key IS NULL}",
    "{SELECT 1|UPDATE person SET name_key = UNHEX(LEFT(SHA2(CONCAT(id, ':', name), 256), 32)) WHERE name_key IS NULL}",
    "{SELECT 1|UPDATE images SET verdict = 1 WHERE status = 1 AND person > 0 AND verdict = 0}",
    "CREATE UNIQUE INDEX IF NOT EXISTS person_name ON person(name_key)",
    "CREATE UNIQUE INDEX IF NOT EXISTS images_path ON images({path|path_key})",
    "{CREATE INDEX IF NOT EXISTS images_unkeyed ON images(id) WHERE path_key IS NULL|SELECT 1}",
    "CREATE INDEX IF NOT EXISTS images_due ON images(status, run_after, id)",
    "CREATE INDEX IF NOT EXISTS images_status ON images(status, id)",
    "CREATE INDEX IF NOT EXISTS images_person ON images(person, id){ WHERE person > 0|}",
    "CREATE INDEX IF NOT EXISTS images_verdict ON images(verdict, id){ WHERE verdict > 0|}",
    "CREATE TABLE IF NOT EXISTS faces(id " ID ", image_id BIGINT NOT NULL, x DOUBLE NOT NULL, y DOUBLE NOT NULL, width "
    "DOUBLE NOT NULL, height DOUBLE NOT NULL, landmarks " BLOB_ ", quality DOUBLE NOT NULL, model VARCHAR(191) NOT "
    "NULL, embedding " BLOB_ ", person BIGINT NOT NULL DEFAULT -1, distance DOUBLE, similarity DOUBLE, candidates "
    "TEXT) " END,
    "CREATE INDEX IF NOT EXISTS faces_image ON faces(image_id, id)",
    "CREATE INDEX IF NOT EXISTS faces_person ON faces(person, id)",
    "CREATE INDEX IF NOT EXISTS person_images_person ON person_images(person_id, id)",
    "CREATE INDEX IF NOT EXISTS person_images_name ON person_images(image_name{|(191)})",
    "CREATE INDEX IF NOT EXISTS person_images_path ON person_images(path{|(191)})",
    "CREATE TABLE IF NOT EXISTS templates(id " ID ", person_id BIGINT NOT NULL, photo_id BIGINT NOT NULL, model "
    "VARCHAR(191) NOT NULL, embedding " BLOB_ " NOT NULL) " END,
    "CREATE INDEX IF NOT EXISTS templates_person ON templates(person_id)",
    "CREATE INDEX IF NOT EXISTS templates_photo ON templates(photo_id)",
    "CREATE TABLE IF NOT EXISTS gallery_head(id INTEGER PRIMARY KEY, n BIGINT NOT NULL) " END,
    "{INSERT OR IGNORE|INSERT IGNORE} INTO gallery_head VALUES(1, 0)",
    "CREATE TABLE IF NOT EXISTS gallery_log(n BIGINT PRIMARY KEY, kind INTEGER NOT NULL, person_id BIGINT NOT NULL, "
    "template_id BIGINT NOT NULL, at BIGINT NOT NULL) " END,
    "CREATE INDEX IF NOT EXISTS gallery_log_person ON gallery_log(person_id, kind)",
    "CREATE TABLE IF NOT EXISTS known_files(path_key VARBINARY(16) PRIMARY KEY, path TEXT NOT NULL, person_name TEXT, "
    "size BIGINT NOT NULL, mtime_ns BIGINT NOT NULL, taken INTEGER NOT NULL, reason TEXT)" BYKEY,
    "CREATE TABLE IF NOT EXISTS events(id " ID
    ", kind INTEGER NOT NULL, image_id BIGINT NOT NULL, person_id BIGINT NOT "
    "NULL, at BIGINT NOT NULL) " END,
    "CREATE TABLE IF NOT EXISTS idempotency(idem_key VARCHAR(256) PRIMARY KEY, request_hash VARCHAR(64) NOT NULL, "
    "images "
    "{TEXT|MEDIUMTEXT} NOT NULL, created_at BIGINT NOT NULL)" BYKEY,
    "CREATE INDEX IF NOT EXISTS idempotency_age ON idempotency(created_at)",
    "CREATE TABLE IF NOT EXISTS quarantine(sha256 VARCHAR(64) PRIMARY KEY, until_ms BIGINT NOT NULL)" BYKEY,
    "CREATE TABLE IF NOT EXISTS status_counts(id INTEGER PRIMARY KEY, pending BIGINT NOT NULL, processed BIGINT NOT "
    "NULL, failed BIGINT NOT NULL, processing BIGINT NOT NULL, unknown BIGINT NOT NULL, corrections BIGINT NOT NULL "
    "DEFAULT 0) " END,
    "{INSERT OR IGNORE|INSERT IGNORE} INTO status_counts(id, pending, processed, failed, processing, unknown) SELECT "
    "0, "
    "COALESCE(SUM(status = 0), 0), COALESCE(SUM(status = 1), 0), COALESCE(SUM(status = 2), 0), COALESCE(SUM(status = "
    "3), 0), 0 FROM images",
    NULL};

/* API keys, of which only the hash is stored; the trace context of an image. */
static const char *const version_2[] = {"CREATE TABLE IF NOT EXISTS api_keys(id " ID
                                        ", name VARCHAR(255) NOT NULL, roles VARCHAR(64) NOT NULL, "
                                        "hash VARCHAR(64) NOT NULL, created_at BIGINT NOT NULL) " END,
                                        "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} trace VARCHAR(64)", NULL};

/* The unknown person and the decision of a face; counter-examples among the templates. */
static const char *const version_3[] = {
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} unknown_person BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} decision VARCHAR(191)",
    "ALTER TABLE templates ADD COLUMN {| IF NOT EXISTS} counter INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS faces_unknown_person ON faces(unknown_person, person, id){ WHERE unknown_person > 0|}",
    NULL};

/* The id of the cluster, and what tells a restored older database from the one that was read. */
static const char *const version_4[] = {
    "CREATE TABLE IF NOT EXISTS cluster_identity(id INTEGER PRIMARY KEY, cluster VARCHAR(32) NOT NULL) " END,
    "{INSERT OR IGNORE|INSERT IGNORE} INTO cluster_identity VALUES(1, "
    "{lower(hex(randomblob(8)))|LEFT(SHA2(CONCAT(UUID(), "
    "RAND(), NOW(6)), 256), 16)})",
    "CREATE TABLE IF NOT EXISTS gallery_marks(n BIGINT PRIMARY KEY, mark BIGINT NOT NULL) " END, NULL};

/* What people say about faces, and what must be decided again.
 *
 *   faces.word         enum face_word, 0 when no one said anything that decides the face
 *   faces.template_id  the template that gave the face its name; 0: none, or a word did
 *   faces.place        the place of its words: the id of the face on which the first one was said; 0: it has none. The
 *                      faces of all images of the same content that overlap have the same place
 *   faces.unknown_person   negative when the face is ignored, or is none
 *   faces.label        what a recogniser without embeddings said (ops/people/labels.c)
 *   faces.doubt        bits of enum doubt: why the name is in doubt (ops/words/doubt.c)
 *   faces.rival        with DOUBT_SMALL_MARGIN: the second person; else 0
 *   doubts             a row a processed image with a face in doubt; person is that of the image. It is a table, so
 *                      that lists for review read no other images, and submissions write no index more
 *   templates.word_id  the word that the template was made of; 0: an enrolled photo (photo_id)
 *   words              one row a word (enum face_word): it belongs to a place in a picture of that content; face_id is
 *                      the place. person_id -N, of no face: the unknown person N is ignored
 *   nodes              a row a node that runs on this database: a peer without one works on a copy (identity.c)
 *   decide_again       work for the galleries: a row goes when its faces were decided (ops/people/again.c); n is the
 *                      change of the gallery that a gallery must have read before
 *   known_files        the content of each file, enum known_state, and the photo that was made of it (ops/known/)
 *   person_images.refused_model  the model that gave no template of this photo: it is not tried again; also words.
 *   person_images.embed_claims   claims to embed the photo for another model: the fencing token of the last one
 *   person_images.embed_until    the end of its lease; 0: it is not claimed. Both also of words
 *   person_images.face_box  "x y width height" of the face that was enrolled; NULL: the only one
 *   person.from_folder the known-people folder made this person: it goes with its last photo
 *   person.name_alike  key of the folded name, which alike names share; name_key is the same for the first of them
 *   person.name_form   0: the keys are missing or of an older form; ops/images/adopt.c writes them
 *   person_names       the search form of a name from the start of each of its words
 *   merges             one row a merge of people, also after it was undone; merge_rows: what it moved (ops/merge)
 *
 * What clients are shown of an image, beside the numbers of the original table. A failure of the version before is
 * retryable, and one more run tells whether that is so.
 *
 *   images.retryable    enum image_cure of a failed image: 1 when another try may succeed
 *   images.partial      1: its file was cut short when it was looked at
 *   images.retry_pause  ms after the failure in which no retry of a batch takes the image; 0 before the first one
 *   images.state        the status that clients are shown; 4 when it failed and is retryable
 *
 *   images.file_size, file_mtime_ns  the stamp of the file that was looked at; file_mtime_ns 0: not known
 *   images.posted_size, posted_mtime_ns  of a path that was posted during the run (ops/requeue/posted.c)
 *   images.filename     that a client gave with uploaded bytes
 *
 * Paths of the spool are relative to the data folder (ops/paths.c); those of the versions before are made so. In SQLite
 * the key of a path is not read.
 *
 * operations has a row for each time that images are looked at again (ops/requeue/look_again.c).
 *
 * images_state lists as images_status did, which nodes of the version before can do without. */
#define SPOOL_PATH                                                                                                     \
    "{PRINTF('spool/%s/%s', SUBSTR(sha256, 1, 2), SUBSTR(path, INSTR(path, sha256)))|CONCAT('spool/', LEFT(sha256, "   \
    "2), '/', SUBSTR(path, INSTR(path, sha256)))}"

static const char *const version_5[] = {
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} word INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} template_id BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} place BIGINT NOT NULL DEFAULT 0",
    "UPDATE faces SET word = 1 WHERE person > 0 AND decision IS NULL AND similarity = 1",
    "CREATE INDEX IF NOT EXISTS faces_place ON faces(place, id){ WHERE place > 0|}",
    "{CREATE INDEX IF NOT EXISTS faces_ignored ON faces(unknown_person, id) WHERE unknown_person < 0|SELECT 1}",
    "CREATE INDEX IF NOT EXISTS images_sha256 ON images(sha256, id){ WHERE sha256 IS NOT NULL|}",
    "CREATE INDEX IF NOT EXISTS faces_template ON faces(template_id, id){ WHERE template_id > 0|}",
    "ALTER TABLE templates ADD COLUMN {| IF NOT EXISTS} word_id BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS templates_word ON templates(word_id){ WHERE word_id > 0|}",
    "CREATE TABLE IF NOT EXISTS words(id " ID
    ", kind INTEGER NOT NULL, sha256 VARCHAR(64), image_id BIGINT NOT NULL, face_id BIGINT NOT NULL, person_id BIGINT "
    "NOT NULL DEFAULT 0, x DOUBLE NOT NULL, y DOUBLE NOT NULL, width DOUBLE NOT NULL, height DOUBLE NOT NULL, said_by "
    "VARCHAR(255), said_at BIGINT NOT NULL, enrols INTEGER NOT NULL DEFAULT 1) " END,
    "CREATE INDEX IF NOT EXISTS words_face ON words(face_id, id)",
    "CREATE INDEX IF NOT EXISTS words_image ON words(image_id, id)",
    "CREATE INDEX IF NOT EXISTS words_person ON words(person_id, id)",
    "CREATE INDEX IF NOT EXISTS words_sha256 ON words(sha256, id)",
    "CREATE TABLE IF NOT EXISTS decide_again(id " ID ", kind INTEGER NOT NULL, subject BIGINT NOT NULL, n BIGINT NOT "
    "NULL) " END,
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} label VARCHAR(255)",
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} doubt INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE faces ADD COLUMN {| IF NOT EXISTS} rival BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS faces_rival ON faces(rival, id){ WHERE rival > 0|}",
    "CREATE TABLE IF NOT EXISTS doubts(image_id BIGINT PRIMARY KEY, person BIGINT NOT NULL)" BYKEY,
    "CREATE INDEX IF NOT EXISTS doubts_person ON doubts(person, image_id)",
    "CREATE INDEX IF NOT EXISTS faces_label ON faces(person, label){ WHERE label IS NOT NULL|}",
    "CREATE TABLE IF NOT EXISTS nodes(node VARCHAR(64) PRIMARY KEY, boot BIGINT NOT NULL, seen_at BIGINT NOT "
    "NULL)" BYKEY,
    "ALTER TABLE api_keys ADD COLUMN {| IF NOT EXISTS} expires_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} sha256 VARCHAR(64)",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} model VARCHAR(191)",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} faces TEXT",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} ctime_ns BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} born_ns BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} photo_id BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} gone_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} state INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE known_files ADD COLUMN {| IF NOT EXISTS} newest_photo BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS known_files_photo ON known_files(photo_id)",
    "UPDATE known_files SET photo_id = COALESCE((SELECT MAX(p.id) FROM person_images p WHERE p.path = "
    "known_files.path), 0), sha256 = (SELECT MAX(p.sha256) FROM person_images p WHERE p.path = known_files.path), "
    "state = CASE taken WHEN 0 THEN 2 ELSE 1 END WHERE state = 0",
    "ALTER TABLE person_images ADD COLUMN {| IF NOT EXISTS} refused_model VARCHAR(191)",
    "ALTER TABLE person_images ADD COLUMN {| IF NOT EXISTS} face_box VARCHAR(191)",
    "ALTER TABLE person_images ADD COLUMN {| IF NOT EXISTS} embed_claims BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE person_images ADD COLUMN {| IF NOT EXISTS} embed_until BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS person_images_embed ON person_images(embed_until){ WHERE embed_until > 0|}",
    "ALTER TABLE words ADD COLUMN {| IF NOT EXISTS} refused_model VARCHAR(191)",
    "ALTER TABLE words ADD COLUMN {| IF NOT EXISTS} embed_claims BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE words ADD COLUMN {| IF NOT EXISTS} embed_until BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS words_embed ON words(embed_until){ WHERE embed_until > 0|}",
    "ALTER TABLE person ADD COLUMN {| IF NOT EXISTS} from_folder INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE person ADD COLUMN {| IF NOT EXISTS} name_alike VARBINARY(16)",
    "ALTER TABLE person ADD COLUMN {| IF NOT EXISTS} name_form INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE person ADD COLUMN {| IF NOT EXISTS} notes TEXT",
    "ALTER TABLE person ADD COLUMN {| IF NOT EXISTS} portrait_photo BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE person ADD COLUMN {| IF NOT EXISTS} portrait_face BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS person_alike ON person(name_alike, id)",
    "CREATE INDEX IF NOT EXISTS person_form ON person(name_form, id){ WHERE name_form = 0|}",
    "CREATE TABLE IF NOT EXISTS person_names(word VARCHAR(64) NOT NULL, person_id BIGINT NOT NULL, PRIMARY KEY(word, "
    "person_id))" BYKEY,
    "CREATE INDEX IF NOT EXISTS person_names_person ON person_names(person_id, word)",
    "CREATE INDEX IF NOT EXISTS person_images_sha256 ON person_images(sha256, person_id)",
    "CREATE TABLE IF NOT EXISTS merges(id " ID
    ", person_id BIGINT NOT NULL, into_id BIGINT NOT NULL, state INTEGER NOT NULL, name VARCHAR(255) NOT NULL, "
    "name_alike VARBINARY(16), notes TEXT, portrait_photo BIGINT NOT NULL, portrait_face BIGINT NOT NULL, faces BIGINT "
    "NOT NULL DEFAULT 0, photos BIGINT NOT NULL DEFAULT 0, templates BIGINT NOT NULL DEFAULT 0, words BIGINT NOT NULL "
    "DEFAULT 0, duplicates BIGINT NOT NULL DEFAULT 0, said_by VARCHAR(255), said_at BIGINT NOT NULL) " END,
    "CREATE INDEX IF NOT EXISTS merges_person ON merges(person_id, id)",
    "CREATE INDEX IF NOT EXISTS merges_into ON merges(into_id, id)",
    "CREATE INDEX IF NOT EXISTS merges_alike ON merges(name_alike, id)",
    "CREATE INDEX IF NOT EXISTS merges_age ON merges(state, said_at)",
    "CREATE TABLE IF NOT EXISTS merge_rows(merge_id BIGINT NOT NULL, kind INTEGER NOT NULL, row_id BIGINT NOT NULL, "
    "other BIGINT NOT NULL DEFAULT 0, PRIMARY KEY(merge_id, kind, row_id))" BYKEY,
    /* What deletions left to each node (ops/forget/erase.c), and the nodes. */
    "CREATE TABLE IF NOT EXISTS erasers(node VARCHAR(191) PRIMARY KEY, seen_at BIGINT NOT NULL)" BYKEY,
    "CREATE TABLE IF NOT EXISTS erasures(id " ID
    ", node VARCHAR(191) NOT NULL, sha256 VARCHAR(64), path TEXT, made_at BIGINT NOT NULL) " END,
    "CREATE INDEX IF NOT EXISTS erasures_node ON erasures(node, id)",
    /* Operations in batches that have to be continued (ops/unfinished.c). */
    "CREATE TABLE IF NOT EXISTS unfinished(scope INTEGER NOT NULL, subject BIGINT NOT NULL, kind INTEGER NOT NULL, "
    "other BIGINT NOT NULL DEFAULT 0, said_by VARCHAR(255), batch_at BIGINT NOT NULL, PRIMARY KEY(scope, "
    "subject))" BYKEY,
    /* The image of a record that names one only; 0: several. */
    "ALTER TABLE idempotency ADD COLUMN {| IF NOT EXISTS} image_id BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS idempotency_image ON idempotency(image_id){ WHERE image_id > 0|}",
    /* Who changed what. No names of people: they are read from the table person. */
    "CREATE TABLE IF NOT EXISTS audit(id " ID
    ", at BIGINT NOT NULL, who VARCHAR(255) NOT NULL, action VARCHAR(64) NOT NULL, person_id BIGINT NOT NULL DEFAULT "
    "0, image_id BIGINT NOT NULL DEFAULT 0, face_id BIGINT NOT NULL DEFAULT 0, detail VARCHAR(255)) " END,
    "CREATE INDEX IF NOT EXISTS audit_person ON audit(person_id, id){ WHERE person_id > 0|}",
    "CREATE INDEX IF NOT EXISTS audit_image ON audit(image_id, id){ WHERE image_id > 0|}",
    "CREATE INDEX IF NOT EXISTS audit_who ON audit(who, id)",
    "CREATE INDEX IF NOT EXISTS audit_action ON audit(action, id)",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} retryable INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} retry_pause BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} partial INTEGER NOT NULL DEFAULT 0",
    "UPDATE images SET verdict = 3 WHERE status = 2 AND verdict = 0 AND reason = 'no face found'",
    "UPDATE images SET retryable = 1 WHERE status = 2 AND verdict = 0 AND COALESCE(reason, '') NOT LIKE 'poison%'",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} state INTEGER AS (CASE WHEN status = 0 AND verdict = 2 THEN 1 "
    "WHEN status = 2 AND verdict = 3 THEN 1 WHEN status = 2 AND retryable = 1 THEN 4 ELSE status END) "
    "{VIRTUAL|STORED}",
    "CREATE INDEX IF NOT EXISTS images_state ON images(state, id)",
    "CREATE INDEX IF NOT EXISTS images_failed ON images(retryable, {|state, }finished_at, id){ WHERE status = 2 AND "
    "verdict <> 3|}",
    "DROP INDEX IF EXISTS images_status{| ON images}",
    "ALTER TABLE status_counts ADD COLUMN {| IF NOT EXISTS} no_face BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE status_counts ADD COLUMN {| IF NOT EXISTS} review BIGINT NOT NULL DEFAULT 0",
    "UPDATE status_counts SET no_face = (SELECT COUNT(*) FROM images WHERE verdict = 3 AND path_key IS NOT NULL) "
    "WHERE id = 0",
    "CREATE TABLE IF NOT EXISTS operations(id " ID
    ", state INTEGER NOT NULL, verdict INTEGER NOT NULL, person_id BIGINT NOT NULL, not_model VARCHAR(191), from_ms "
    "BIGINT NOT NULL, to_ms BIGINT NOT NULL, total BIGINT NOT NULL, done BIGINT NOT NULL DEFAULT 0, after_image BIGINT "
    "NOT NULL DEFAULT 0, last_image BIGINT NOT NULL, run_after BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL, "
    "finished_at BIGINT NOT NULL DEFAULT 0) " END,
    "CREATE INDEX IF NOT EXISTS operations_state ON operations(state, id)",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} file_size BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} file_mtime_ns BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} posted_size BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} posted_mtime_ns BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE images ADD COLUMN {| IF NOT EXISTS} filename VARCHAR(255)",
    "UPDATE {OR IGNORE|IGNORE} images SET path = " SPOOL_PATH "{|, path_key = UNHEX(LEFT(SHA2(path, 256), 32))} WHERE "
    "spooled = 1 AND path LIKE '/%' AND INSTR(path, sha256) > 0",
    "UPDATE person_images SET path = " SPOOL_PATH " WHERE spooled = 1 AND path LIKE '/%' AND INSTR(path, sha256) > 0",
    /* names by hand and counter-examples of version 4; the templates of those names are photos */
    "INSERT INTO words(kind, sha256, image_id, face_id, person_id, x, y, width, height, said_at, enrols) SELECT 1, "
    "i.sha256, f.image_id, f.id, f.person, f.x, f.y, f.width, f.height, i.finished_at, 0 FROM faces f JOIN images i ON "
    "i.id = f.image_id WHERE f.word = 1 AND NOT EXISTS(SELECT 1 FROM words w WHERE w.face_id = f.id AND w.kind = 1)",
    "INSERT INTO words(kind, sha256, image_id, face_id, person_id, x, y, width, height, said_at) SELECT 4, i.sha256, "
    "f.image_id, f.id, t.person_id, f.x, f.y, f.width, f.height, i.finished_at FROM templates t JOIN faces f ON f.id = "
    "-t.photo_id JOIN images i ON i.id = f.image_id WHERE t.counter = 1 AND t.word_id = 0 AND NOT EXISTS(SELECT 1 FROM "
    "words w WHERE w.face_id = f.id AND w.kind = 4 AND w.person_id = t.person_id)",
    "UPDATE templates SET word_id = COALESCE((SELECT MIN(w.id) FROM words w WHERE w.face_id = -templates.photo_id AND "
    "w.kind = 4 AND w.person_id = templates.person_id), 0) WHERE counter = 1 AND photo_id < 0 AND word_id = 0",
    "UPDATE faces SET place = id WHERE place = 0 AND EXISTS(SELECT 1 FROM words w WHERE w.face_id = faces.id)", NULL};

const char *const *const schema_versions[SCHEMA_NEWEST] = {version_1, version_2, version_3, version_4, version_5};

const char schema_version_table[] = "CREATE TABLE IF NOT EXISTS schema_version(version INTEGER PRIMARY KEY) " END;
