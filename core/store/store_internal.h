/* What the files of the store share. */
#ifndef KITH_CORE_STORE_STORE_INTERNAL_H
#define KITH_CORE_STORE_STORE_INTERNAL_H

#include "core/store/db/db.h"
#include "core/store/store.h"

/* The largest texts that the columns hold, in bytes. */
enum { MODEL_BYTES = 191, PHOTO_NAME_BYTES = 255, TRACE_BYTES = 64, IDEMPOTENCY_KEY_BYTES = 256 };
/* run_after of an image with unknown faces only: it is never due, no claim takes it. */
#define RUN_NEVER INT64_MAX

/* One operation under way: its connection and the reply that it fills in. */
struct op {
    struct db *db;
    const struct db_driver *d;
    struct store_reply *reply;
    struct arena *arena; /* the reply's */
    int64_t now_ms;
    int64_t status_counts[IMAGE_STATUSES], unknown; /* what this operation adds to the counts of images by status */
    int64_t rows_waiting, queue_limit;
    bool made_events;
    bool disk_low;        /* the reserve of the disk is reached */
    bool outcome_unknown; /* COMMIT was sent for this request before and not answered: it may be stored already */
};

/* The start of the SHA-256 of a path or a name: its unique key. */
enum { PATH_KEY_BYTES = 16 };
void op_text_key(const char *text, uint8_t key[static PATH_KEY_BYTES]);
/* Binds the parameter of WHERE_PATH. SQLite has an index of the paths themselves, of which sorted paths touch few
 * pages; MariaDB cannot index texts of that length. */
#define WHERE_PATH "{path|path_key} = ?"
void op_bind_path(struct op *op, struct db_statement *s, int at, const char *path,
                  const uint8_t key[static PATH_KEY_BYTES]);

/* Returns 0 or a negative db_result, and fills in the reply. */
typedef int (*op_fn)(struct op *op, const struct msg *m);
extern const op_fn store_ops[]; /* at [type - STORE_SUBMIT] */

/* Brings the schema to the newest version. 0, or negative with `error`, whose code is -EAGAIN when a later try may
 * succeed. */
int schema_migrate(struct db *db, struct error *error);
/* Calls `line` with each statement that makes the newest schema. */
void schema_print(enum db_dialect dialect, void (*line)(void *context, const char *sql), void *context);

/* Fills in the reply of a refused request. Returns DB_REFUSED, which the operation must return too: its writes are then
 * rolled back. */
int op_refuse(struct op *op, int status, const char *text, ...) __attribute__((format(printf, 3, 4)));

/* Refuses a request that stores something new. */
int op_refuse_disk_low(struct op *op);

/* Binds a text for a column of at most `max` bytes (0: no limit): invalid UTF-8 is replaced and a longer text is cut at
 * a character border, because MariaDB refuses both. Not for paths and names, which must stay as they are. */
void op_bind_text(struct op *op, struct db_statement *s, int at, const char *text, size_t max);
/* Runs a statement whose one parameter is an id. */
int op_run_with_id(struct op *op, const char *sql, int64_t id);
const char *op_text(struct op *op, struct db_statement *s, int at); /* copied to the arena; NULL for null */
int op_event(struct op *op, int kind, int64_t image, int64_t person);
/* One event of a kind for each image. */
int op_events(struct op *op, int kind, const int64_t *images, int count);
/* A change for the galleries of all nodes, numbered in the order of the commits. */
int op_gallery_log(struct op *op, enum gallery_change_kind kind, int64_t person, int64_t template);
/* Gives the change `n` of the gallery its mark (identity.c). */
int op_gallery_mark(struct op *op, int64_t n);
/* Reads the number of the last change into `head` and its mark into the reply; reports `rewound` when the change
 * `after` does not have that mark. */
int op_gallery_position(struct op *op, int64_t after, int64_t mark, int64_t *head);
/* Deletes the rows of the log that this change replaces. */
int op_gallery_log_replace(struct op *op, enum gallery_change_kind kind, int64_t person, int64_t template);
/* Deletes one batch of the removals that are older than `before_ms`. Sets `more` in the reply when there may be more.
 */
int op_gallery_log_compact(struct op *op, int64_t before_ms);
/* Fills log_removal of the reply. */
int op_gallery_log_bounds(struct op *op);
/* Reads the row of SELECT_IMAGE into `image`. */
void op_image_row(struct op *op, struct db_statement *s, struct image *image);
/* Steps through the statement and resets it. The number of images, at most `max`, or negative. */
int op_image_rows(struct op *op, struct db_statement *s, struct image *rows, int max);
int op_load_image(struct op *op, int64_t id, struct image *image); /* 1 found, 0 not, negative */
int op_load_faces(struct op *op, struct image *image);
void op_face_row(struct op *op, struct db_statement *s, struct face *face);
/* again.c: has the galleries decide faces again; counts them in `deciding` of the reply. */
int op_decide_again(struct op *op, enum again_kind kind, int64_t subject);
/* The faces of the row were decided: deletes it. */
int op_decided_again(struct op *op, int64_t row);
/* Steps through a statement of EMBEDDED_FACES into the reply's faces. */
int op_embedded_faces(struct op *op, struct db_statement *s, int limit);
/* Sets an image's person, status and verdict from its faces, as finishing does. */
int op_judge_image(struct op *op, int64_t image);
/* replace_faces.c: stores the faces of a finished run instead of those before, except what a person said about them.
 * `same_bytes`: the image file is the one of the run before. `named`: a face has a name that was given by hand. */
int op_replace_faces(struct op *op, const struct store_finish *m, bool same_bytes, bool *named);
int op_person_exists(struct op *op, int64_t id); /* DB_ROW, DB_DONE or negative */
/* Enrols what `m` says as a photo of that person, with its template. */
int op_insert_photo(struct op *op, const struct store_photo *m, int64_t person);
int op_person_by_name(struct op *op, const char *name, int64_t *id, bool *made); /* creates it when it does not exist */
char *op_candidates_text(struct op *op, const struct candidate *c, int count);
/* Adds a change of an image's status and verdict to the counts. from_status -1: inserted, to_status -1: deleted. */
void op_moved(struct op *op, int from_status, int from_verdict, int to_status, int to_verdict);

#define IMAGE_COLUMNS                                                                                                  \
    "i.id, i.path, i.person, i.status, i.verdict, i.reason, i.sha256, i.attempt, i.tries, i.crashes, i.created_at, "   \
    "i.finished_at, i.spooled, p.name, i.trace"
/* The same without the person's name: a locking SELECT must not lock rows of person. */
#define IMAGE_OWN_COLUMNS                                                                                              \
    "i.id, i.path, i.person, i.status, i.verdict, i.reason, i.sha256, i.attempt, i.tries, i.crashes, i.created_at, "   \
    "i.finished_at, i.spooled, NULL, i.trace"
#define FACE_COLUMNS                                                                                                   \
    "f.id, f.image_id, f.x, f.y, f.width, f.height, f.landmarks, f.quality, f.model, f.embedding, f.person, "          \
    "f.distance, f.similarity, f.candidates, p.name, f.unknown_person, f.decision, f.template_id, f.word, f.label"
#define EMBEDDED_FACES                                                                                                 \
    "SELECT id, image_id, model, embedding, quality, person, unknown_person, distance FROM faces WHERE "

/* Give a key to at most a batch of rows that other programs inserted. 0 or negative. */
int op_adopt_images(struct op *op);
int op_adopt_people(struct op *op);

int op_submit(struct op *op, const struct msg *m);
/* The same for many requests at once, each with a reply of its own. */
int op_submit_many(struct op *op, const struct store_submit *const *m, struct store_reply *const *replies, int count);
int op_claim(struct op *op, const struct msg *m);
int op_renew(struct op *op, const struct msg *m);
int op_finish(struct op *op, const struct msg *m);
int op_reap(struct op *op, const struct msg *m);
int op_retry(struct op *op, const struct msg *m);
int op_delete(struct op *op, const struct msg *m);
int op_person_add(struct op *op, const struct msg *m);
int op_person_rename(struct op *op, const struct msg *m);
int op_person_delete(struct op *op, const struct msg *m);
int op_photo_add(struct op *op, const struct msg *m);
int op_photo_delete(struct op *op, const struct msg *m);
int op_name_face(struct op *op, const struct msg *m);
int op_name_unknown_person(struct op *op, const struct msg *m);
int op_deny_face(struct op *op, const struct msg *m);
int op_resolve(struct op *op, const struct msg *m);
int op_known_file(struct op *op, const struct msg *m);
int op_quarantine(struct op *op, const struct msg *m);
int op_prune(struct op *op, const struct msg *m);
int op_image(struct op *op, const struct msg *m);
int op_images(struct op *op, const struct msg *m);
int op_read_events(struct op *op, const struct msg *m);
int op_status_counts(struct op *op, const struct msg *m);
int op_recount(struct op *op, const struct msg *m);
int op_correct_counts(struct op *op, const struct msg *m);
int op_people(struct op *op, const struct msg *m);
int op_photos(struct op *op, const struct msg *m);
int op_gallery_changes(struct op *op, const struct msg *m);
int op_key_add(struct op *op, const struct msg *m);
int op_key_revoke(struct op *op, const struct msg *m);
int op_keys(struct op *op, const struct msg *m);
int op_cluster(struct op *op, const struct msg *m);
int op_resolve_labels(struct op *op, const struct msg *m);
int op_register_node(struct op *op, const struct msg *m);
/* Deletes the rows of nodes that have not written them for a day. */
int op_forget_nodes(struct op *op);
int op_photo_person(struct op *op, const struct msg *m);
int op_known_photo(struct op *op, const struct msg *m);
int op_adopted_photos(struct op *op, const struct msg *m);
int op_unknown_faces(struct op *op, const struct msg *m);
int op_person_faces(struct op *op, const struct msg *m);
int op_again_faces(struct op *op, const struct msg *m);
int op_unknown_people(struct op *op, const struct msg *m);
int op_face(struct op *op, const struct msg *m);
int op_known_files(struct op *op, const struct msg *m);
int op_path_in_use(struct op *op, const struct msg *m);
int op_quarantined(struct op *op, const struct msg *m);

#endif
