/* What the files of the store share. */
#ifndef KITH_CORE_STORE_STORE_INTERNAL_H
#define KITH_CORE_STORE_STORE_INTERNAL_H

#include "core/base/name/name.h"
#include "core/store/db/db.h"
#include "core/store/store.h"

/* The largest texts that the columns hold, in bytes. */
enum { MODEL_BYTES = 191, PHOTO_NAME_BYTES = 255, FILENAME_BYTES = 255, TRACE_BYTES = 64, IDEMPOTENCY_KEY_BYTES = 256 };
/* run_after of an image with unknown faces only, whose status is IMAGE_PENDING: it is never due, no claim takes it. */
#define RUN_NEVER INT64_MAX
/* Values of the column images.state besides those of enum image_status; IMAGE_FAILED: another try would fail as well.
 */
enum { STATE_RETRYABLE = 4 };

/* One operation under way: its connection and the reply that it fills in. */
struct op {
    struct db *db;
    const struct db_driver *d;
    struct store_reply *reply;
    struct arena *arena; /* the reply's */
    int64_t now_ms;
    struct image_counts counts; /* what this operation adds */
    int64_t rows_waiting, queue_limit;
    const char *spool; /* folder of the spool, absolute; NULL: none */
    bool once_a_picture;
    bool all_keyed; /* no image was without a key when the transaction began */
    struct doubt_limits doubt;
    bool made_events;
    bool erased;          /* after the commit the log of an embedded database is emptied */
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

/* paths.c: the form of a path in the database. A file of the spool has a path relative to the data folder, which may be
 * moved or restored elsewhere. Borrows `path`, or returns a text in the arena. */
const char *op_stored_path(struct op *op, const char *path);
/* The absolute path of a column with a stored one, in the arena; NULL for null. */
const char *op_path(struct op *op, struct db_statement *s, int at);

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
/* The same for a page of images. */
int op_load_faces_of(struct op *op, struct image *images, int count);
/* Reads the row of FACE_COLUMNS. The candidates have no names yet: op_name_candidates(). */
void op_face_row(struct op *op, struct db_statement *s, struct face *face);
/* Makes the candidates, and the person whom a counter-example refuted, the people that they are now: reads names,
 * follows merges, leaves out who was deleted. Of two candidates who are the same person now, the first one stays. */
int op_name_candidates(struct op *op, struct image *images, int count);
/* again.c: has the galleries decide faces again; counts them in `deciding` of the reply. */
int op_decide_again(struct op *op, enum again_kind kind, int64_t subject);
/* Deletes a template of the person. The galleries decide the faces again that have their name through it, and names
 * that were in doubt because of it are judged again. */
int op_delete_template(struct op *op, int64_t template, int64_t person);
/* doubt.c: the same for one that gave no face its name: a counter-example, or one that a merge parked. */
int op_delete_unused_template(struct op *op, int64_t template, int64_t person);
/* The faces of the row were decided: deletes it. */
int op_decided_again(struct op *op, int64_t row);
/* Steps through a statement of EMBEDDED_FACES into the reply's faces. */
int op_embedded_faces(struct op *op, struct db_statement *s, int limit);
/* edit.c: deletes the rows of a loaded image; the nodes remove its files. */
int op_delete_image(struct op *op, const struct image *image);
/* erase.c: each node removes the thumbnails of `sha256` and the spooled file `path` when nothing else has it, and
 * empties the log of an embedded database. Both may be NULL. */
int op_erase(struct op *op, const char *sha256, const char *path);
/* The same for the photos of a person up to the row `last`. */
int op_erase_photos(struct op *op, int64_t person, int64_t last);
int op_erase_parked(struct op *op, int64_t merge);
/* Removes the person's name, and the names of its photos up to `last`, from the tables that are not the person's own.
 */
int op_forget_names(struct op *op, int64_t person);
int op_forget_photo_names(struct op *op, int64_t person, int64_t last);
/* Forgets nodes that were not seen since `before_ms`. */
int op_prune_erasers(struct op *op, int64_t before_ms);
/* Whether an image or a photo has the spooled file: DB_ROW, DB_DONE or negative. */
int op_path_used(struct op *op, const char *path);
/* unfinished.c: operations in batches, to be continued when their caller ends in between. */
enum unfinished_kind {
    UNFINISHED_DELETE_PERSON = 1,
    UNFINISHED_MERGE, /* other: the person into whom */
    UNFINISHED_UNDO,  /* other: the merge */
    /* of unknown people: */
    UNFINISHED_DELETE_UNKNOWN,
    UNFINISHED_NAME, /* other: the person */
    UNFINISHED_IGNORE,
    UNFINISHED_UNIGNORE
};
struct unfinished {
    enum unfinished_kind kind;
    int64_t subject, other; /* subject: a person or an unknown person */
    const char *said_by;    /* or NULL */
};
/* At the end of each batch: stores that the operation has to be continued when the reply says `more`, else that it is
 * finished. 0 or negative. */
int op_batch_done(struct op *op, const struct unfinished *u);
/* audit.c */
int op_audit(struct op *op, const struct audit_entry *entry);
int op_prune_audit(struct op *op, int64_t before_ms);
/* The columns of an image that follow from its verdict. */
void op_status_of_verdict(int verdict, int *status, int64_t *run_after, const char **reason);
/* retry.c: makes an image with this status and verdict wait again, unless it has changed since; counts it in `changed`
 * of the reply. `pause_ms`: its pause before a further retry of a batch. */
int op_requeue(struct op *op, int64_t id, int status, int verdict, int64_t pause_ms);
int op_person_exists(struct op *op, int64_t id); /* of writes: DB_ROW, DB_DONE or negative */
int op_read_person(struct op *op, int64_t id);   /* the same; the person is then in the reply */
/* ops/merge: forgets what merges into or of a person that is deleted have kept. */
int op_forget_merges(struct op *op, int64_t person);
/* Deletes a batch of what merges before `before_ms` need to be undone. Sets `more` in the reply. */
int op_prune_merges(struct op *op, int64_t before_ms);
/* The person who is now what `*id` was before it was merged; 0: there is none any more. */
int op_person_now(struct op *op, int64_t *id);
/* The same for an answer: without a lock, and with the name, in the arena. `*id` 0: `name` is NULL. 0 or negative. */
int op_person_shown(struct op *op, int64_t *id, const char **name);
/* The person of a name in the folder of known people: op_person_by_name(), but the name of a person who was merged into
 * another one means that one. */
int op_person_of_folder(struct op *op, const char *name, int64_t *id, bool *made);
/* ops/words: what people said about faces. 0 or negative. The words of the faces of an image, into the faces. */
int op_words_load(struct op *op, struct image *image);
/* The words about a person, into the reply. */
int op_words_of_person(struct op *op, int64_t person);
/* The image is being deleted: its words go, or move to another image of the same content. */
int op_words_image_deleted(struct op *op, int64_t image);
/* Before the face is deleted. */
int op_words_face_deleted(struct op *op, int64_t face);
/* After the last face of the unknown person was deleted. */
int op_words_unknown_deleted(struct op *op, int64_t unknown_person);
/* The person is being deleted, its faces have lost the name: its words and templates go. */
int op_words_person_deleted(struct op *op, int64_t person);
/* Whether a client ignored an unknown person as a whole: 1, 0 or negative. */
int op_unknown_is_ignored(struct op *op, int64_t unknown_person);
/* Sets an image's person, status and verdict from its faces, as finishing does. */
int op_judge_image(struct op *op, int64_t image);
/* words/doubt.c. The image is among those for review, or not, as its stored faces say; counts it. Writes no event. */
int op_doubt_image(struct op *op, int64_t image);
/* The image waits again, or is deleted: it is not for review. */
int op_doubt_forget(struct op *op, int64_t image);
/* face_rows.c: candidates as they were stored, without names: into the arena. */
int op_read_candidates(struct op *op, const char *text, struct candidate **list);
/* A run that ends with these faces. */
struct finished_run {
    int64_t image, attempt;
    const char *sha256; /* of the file; NULL: not known */
    bool same_bytes;    /* the file is the one of the run before */
    bool words;         /* people may have said something about faces of this content */
    const struct face *faces;
    int face_count;
    const bool *stale; /* of each face: the template that gave the name is not that person's any more */
};

struct replaced {
    bool said;    /* words decide faces, so the image must be judged by its stored faces */
    bool doubted; /* the name of a face is in doubt */
};

/* replace_faces.c: stores the faces of the run instead of those before, except what a person said about them. */
int op_replace_faces(struct op *op, const struct finished_run *run, struct replaced *out);
int op_load_face(struct op *op, int64_t id, struct face *face); /* DB_ROW, DB_DONE or negative */
/* Enrols what `m` says as a photo of that person, with its template. */
int op_insert_photo(struct op *op, const struct store_photo *m, int64_t person);
/* Deletes the photo's templates and its row; the faces that have their name through them are decided again. */
int op_remove_photo(struct op *op, int64_t photo, int64_t person);
/* Gives the photo and its templates to another person. */
int op_move_photo(struct op *op, int64_t photo, int64_t from, int64_t to);
/* Deletes some of the people that the known-people folder made and who have nothing any more. */
int op_person_sweep(struct op *op);
/* Serialises the enrolment of all nodes. Two nodes that watch the same folder would otherwise both insert a photo. */
int op_lock_gallery(struct op *op);
/* names.c: the person with an alike name; creates it when there is none. Refuses a name that cannot be one, and a name
 * that several people have, whose ids are then in the reply. */
int op_person_by_name(struct op *op, const char *name, int64_t *id, bool *made);
/* Creates a person also when there are people with an alike name. */
int op_person_make(struct op *op, const char *name, int64_t *id);
/* Writes the stored form of a name. 0, or refused. */
int op_clean_name(struct op *op, const char *name, char stored[static NAME_BYTES]);
/* The alike form; of a text that is not UTF-8 the text. In the arena. */
const char *op_alike_name(struct op *op, const char *name);
/* Reads the people with an alike name, except `id`, into `alike` of the reply. Returns their number,
 * or negative. */
int op_find_alike(struct op *op, const char *name, int64_t id);
/* Gives the person a name; its keys are unique to it when others have an alike one (`twin`). */
int op_write_name(struct op *op, int64_t id, const char *name, bool twin);
/* Replaces the person's rows of person_names. */
int op_write_name_words(struct op *op, int64_t id, const char *name);
char *op_candidates_text(struct op *op, const struct candidate *c, int count);
/* Adds a change of an image's status and verdict to the counts. from_status -1: inserted, to_status -1: deleted. */
void op_moved(struct op *op, int from_status, int from_verdict, int to_status, int to_verdict);
void op_add_counts(struct image_counts *to, const struct image_counts *more);
bool op_counts_are_zero(const struct image_counts *c);
/* Binds the parameters 1 to 7: pending, processed, failed, processing, unknown, no_face and review of status_counts. */
void op_bind_counts(const struct db_driver *d, struct db_statement *s, const struct image_counts *c);

#define IMAGE_FILE_COLUMNS "i.file_size, i.file_mtime_ns, i.posted_size, i.posted_mtime_ns, i.filename"
#define IMAGE_COLUMNS                                                                                                  \
    "i.id, i.path, i.person, i.status, i.verdict, i.reason, i.sha256, i.attempt, i.tries, i.crashes, i.created_at, "   \
    "i.finished_at, i.spooled, p.name, i.trace, i.retryable, i.partial, " IMAGE_FILE_COLUMNS
enum { IMAGE_COLUMN_COUNT = 22 };
/* The same without the person's name: a locking SELECT must not lock rows of person. */
#define IMAGE_OWN_COLUMNS                                                                                              \
    "i.id, i.path, i.person, i.status, i.verdict, i.reason, i.sha256, i.attempt, i.tries, i.crashes, i.created_at, "   \
    "i.finished_at, i.spooled, NULL, i.trace, i.retryable, i.partial, " IMAGE_FILE_COLUMNS
#define FACE_COLUMNS                                                                                                   \
    "f.id, f.image_id, f.x, f.y, f.width, f.height, f.landmarks, f.quality, f.model, f.embedding, f.person, "          \
    "f.distance, f.similarity, f.candidates, p.name, f.unknown_person, f.decision, f.template_id, f.word, f.place, "   \
    "f.label, f.doubt, f.rival"
#define EMBEDDED_FACES                                                                                                 \
    "SELECT id, image_id, model, embedding, quality, person, ABS(unknown_person), distance, word FROM faces WHERE "

/* Gives a key to at most a batch of rows that other programs inserted. 0 or negative. */
int op_adopt_images(struct op *op);
/* The time of a server in milliseconds since 1970, and in the same round trip whether an image has no key. Negative:
 * a db_result. */
int64_t op_server_clock(struct db *db, bool *unkeyed_images);
/* Gives the keys of today to all people that have none, or those of an older version. 0 or negative. */
int op_adopt_people(struct op *op);
/* The same for a batch. 1: there may be more. */
int op_adopt_people_batch(struct op *op);

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
int op_word(struct op *op, const struct msg *m);
int op_ignore_unknown_person(struct op *op, const struct msg *m);
int op_draw_face(struct op *op, const struct msg *m);
int op_resolve(struct op *op, const struct msg *m);
int op_known_file(struct op *op, const struct msg *m);
int op_known_move(struct op *op, const struct msg *m);
int op_known_update(struct op *op, const struct msg *m);
int op_known_forget(struct op *op, const struct msg *m);
int op_known_report(struct op *op, const struct msg *m);
int op_claim_photo(struct op *op, const struct msg *m);
int op_claim_word(struct op *op, const struct msg *m);
int op_embed_word(struct op *op, const struct msg *m);
int op_not_embedded(struct op *op, const struct msg *m);
int op_template_counts(struct op *op, const struct msg *m);
int op_quarantine(struct op *op, const struct msg *m);
int op_prune(struct op *op, const struct msg *m);
int op_image(struct op *op, const struct msg *m);
int op_images(struct op *op, const struct msg *m);
int op_read_events(struct op *op, const struct msg *m);
int op_status_counts(struct op *op, const struct msg *m);
int op_recount(struct op *op, const struct msg *m);
int op_correct_counts(struct op *op, const struct msg *m);
int op_look_again(struct op *op, const struct msg *m);
int op_look_again_count(struct op *op, const struct msg *m);
int op_operation(struct op *op, const struct msg *m);
int op_people(struct op *op, const struct msg *m);
int op_merge(struct op *op, const struct msg *m);
int op_merge_undo(struct op *op, const struct msg *m);
int op_merges(struct op *op, const struct msg *m);
int op_portrait(struct op *op, const struct msg *m);
int op_photos(struct op *op, const struct msg *m);
int op_gallery_changes(struct op *op, const struct msg *m);
int op_key_add(struct op *op, const struct msg *m);
int op_key_revoke(struct op *op, const struct msg *m);
int op_keys(struct op *op, const struct msg *m);
int op_cluster(struct op *op, const struct msg *m);
int op_resolve_labels(struct op *op, const struct msg *m);
int op_register_node(struct op *op, const struct msg *m);
int op_continue(struct op *op, const struct msg *m);
int op_posted_again(struct op *op, const struct msg *m);
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
int op_expire(struct op *op, const struct msg *m);
int op_forget_unknown(struct op *op, const struct msg *m);
int op_eraser_join(struct op *op, const struct msg *m);
int op_erased(struct op *op, const struct msg *m);
int op_erasures(struct op *op, const struct msg *m);
int op_audit_add(struct op *op, const struct msg *m);
int op_audit_list(struct op *op, const struct msg *m);
int op_traces(struct op *op, const struct msg *m);
int op_search_column(struct op *op, const struct msg *m);

#endif
