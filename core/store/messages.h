/* The messages that the actor "store" accepts, and its reply. Each owns an arena; all that it points to lives in the
 * arena or is borrowed for the life of the message. Times are in milliseconds. */
#ifndef KITH_CORE_STORE_MESSAGES_H
#define KITH_CORE_STORE_MESSAGES_H

#include "core/actor/actor.h"
#include "core/base/arena.h"
#include "core/store/message_types.h"
#include "core/store/records.h"

/* How every message of the store begins. */
struct store_message_head {
    struct msg head;
    struct arena arena;
};

struct store_submit {
    struct store_message_head m;
    const char *const *paths;
    int count;
    bool spooled;
    const char *sha256;          /* of a spooled one */
    const char *filename;        /* of a spooled one, as the client gave it; at most FILENAME_BYTES; or NULL */
    const char *idempotency_key; /* or NULL */
    const char *request_hash;    /* of the whole request, with a key */
    const char *trace;           /* W3C trace context, or NULL */
};

/* POSTED_AGAIN: these paths were posted while they had rows. An image whose file is another one than was looked at
 * waits again; one in processing is compared at the end of its run. Those that wait again are in the reply's images. */
struct store_posted {
    struct store_message_head m;
    const struct posted_file {
        int64_t id;             /* of the image */
        struct file_stamp file; /* known */
    } * files;
    int count;
};

struct store_claim {
    struct store_message_head m;
    int max;
    const int64_t *ids; /* only these, or NULL: whatever is due */
    int id_count;
    const char *owner; /* unique for each claim: it finds the claimed rows when the COMMIT was not answered */
    int64_t lease_ms;
};

struct store_renew {
    struct store_message_head m;
    const int64_t *ids, *attempts;
    int count;
    int64_t lease_ms;
};

enum outcome {
    OUTCOME_FACES,  /* recognised: `faces`, of which there may be none; the best known person decides */
    OUTCOME_FAILED, /* the image cannot be recognised: `reason`; another try fails as well, or (`gone`) needs the file
                     */
    OUTCOME_RETRY,  /* the recogniser failed: pending after `delay_ms`, failed after max_tries or max_crashes */
    OUTCOME_RELEASE /* as if it had never been claimed */
};

struct store_finish {
    struct store_message_head m;
    int64_t id, attempt;
    enum outcome outcome;
    struct face *faces;
    int face_count;
    const char *reason, *sha256;
    struct file_stamp file; /* of the file of this run, before its bytes were read */
    bool crashed, gone;
    bool partial; /* FACES: the file is cut short */
    int64_t delay_ms, max_tries, max_crashes;
};

struct store_reap { /* expired leases, or (owner given) those of processes that are known to be dead */
    struct store_message_head m;
    const char *not_owner; /* how the owners of this process begin; earlier processes of this node are dead */
    const char *node;      /* how all owners of this node begin; SQLite has one node: not compared */
    int64_t max_tries, max_crashes, delay_ms;
    int64_t after; /* only images with larger ids: `next` of the batch before, whose skipped rows stay behind */
};

struct retry_cursor { /* the last failed image that was examined */
    int64_t finished_ms, id;
    int group; /* it was among: 0 those that another try may cure, 1 those whose file was missing, 2 the others */
};

/* id 0: a batch of the failed images after `after`; the reply has `more`. First those that another try may cure, then
 * those whose file was missing, each the one with the oldest try first, unless their pause is not over. A retry in a
 * batch sets the pause of its image: pause_ms, then twice as long each time up to pause_max_ms. */
struct store_retry {
    struct store_message_head m;
    int64_t id;
    /* of a batch: */
    struct retry_cursor after;
    const char *reason; /* only images whose reason contains this, also those that nothing cures, without a pause */
    int64_t older_ms;   /* only images that failed at least so long ago */
    int64_t limit;      /* at most so many; 0: all */
    int64_t pause_ms, pause_max_ms;
    bool now; /* also images whose pause is not over */
    bool dry; /* count them, change nothing */
};

struct store_id { /* FORGET_UNKNOWN, KEY_REVOKE, IMAGE, DELETE, FACE, PHOTO_DELETE, PERSON_DELETE, PHOTOS */
    struct store_message_head m;
    int64_t id;
    int64_t person;      /* PHOTO_DELETE: refused unless the photo is this person's; 0: any person's */
    const char *said_by; /* FORGET_UNKNOWN, PERSON_DELETE: name of the API key, or NULL */
};

/* CONTINUE: one batch of what was cut short longest ago. The reply: `changed` 1, `id` the subject; after the last batch
 * the name of the operation in texts[0]. `changed` 0: there is none, or it cannot go on. */
struct store_continue {
    struct store_message_head m;
    int64_t before_ms; /* only operations whose last batch is older: others may still have a caller */
};

/* IMAGES (status: as clients are shown it), PEOPLE, EVENTS, GALLERY_CHANGES, UNKNOWN_FACES, PERSON_FACES, AGAIN_FACES,
 * UNKNOWN_PEOPLE, KNOWN_FILES, ADOPTED_PHOTOS, QUARANTINED, MERGES (the newest first) */
struct store_list {
    struct store_message_head m;
    int status, verdict; /* -1: any */
    int retryable;       /* of IMAGES: 1: only failed ones that are, -1: only failed ones that are not, 0: any */
    int review;          /* of IMAGES: 1: only those with a name in doubt, -1: only those without, 0: any */
    int64_t person;      /* 0: any */
    int64_t after;       /* cursor: the last id of the page before; 0: from the start */
    int limit;
    const char *model;
    int64_t mark; /* GALLERY_CHANGES, EVENTS: the mark of `after`, from the page before; 0: not checked (EVENTS) */
    /* PEOPLE: the search form of how a name begins, or NULL; the next page also needs texts[0] of the page before */
    const char *name, *after_word;
    int64_t head; /* AGAIN_FACES: the last change of the gallery's log that the asker has read */
};

struct store_person { /* PERSON_ADD: `name`; PERSON_RENAME: all that is given, or nothing of it */
    struct store_message_head m;
    int64_t id;
    const char *name;  /* RENAME: NULL leaves it */
    bool another;      /* also when there are people with an alike name */
    const char *notes; /* a JSON object as text, "" for none; NULL leaves them */
    bool choose_portrait;
    int64_t portrait_photo, portrait_face; /* of the person; both 0: no choice */
};

struct store_merge { /* MERGE, MERGE_UNDO: the reply has the merge; repeated while `more` */
    struct store_message_head m;
    int64_t person, into;
    int64_t merge;       /* MERGE_UNDO */
    const char *said_by; /* name of the API key, or NULL */
};

struct store_photo { /* a template and the photo it came from */
    struct store_message_head m;
    int64_t person;
    const char *person_name; /* created when it does not exist; NULL: `person` must exist */
    const char *photo_name, *path, *sha256, *model;
    const char *face_box; /* "x y width height" of the face, or NULL when it is the only one */
    const float *embedding;
    int dimension;
    bool spooled;
    int64_t adopted_photo;  /* the row of person_images that another program inserted for it; 0: none */
    int64_t embedded_photo; /* gets one template more, while it has these bytes; 0: a new photo */
    int64_t claim;    /* with embedded_photo: refused with STORE_CONFLICT when it is not the last one; 0: not checked */
    bool chosen;      /* its face was chosen by hand: the photo may be another person's too */
    bool from_folder; /* a person that is made for it goes with its last photo */
};

struct store_name_face { /* NAME_FACE; NAME_UNKNOWN_PERSON: all faces of an unknown person, a batch each time */
    struct store_message_head m;
    int64_t face, person;    /* face: of NAME_UNKNOWN_PERSON the unknown person */
    const char *person_name; /* used when person is 0 */
    bool no_template;        /* the name alone: the face is not added to the person's templates */
    bool next_batch;         /* NAME_UNKNOWN_PERSON: not the first batch; no face may be left, and that is no error */
    const char *said_by;     /* or NULL */
};

struct store_word { /* WORD; IGNORE_UNKNOWN_PERSON: all faces of an unknown person, a batch each time */
    struct store_message_head m;
    int kind; /* enum face_word; to take back WORD_NAMED takes off any name */
    bool take_back;
    int64_t face;   /* of IGNORE_UNKNOWN_PERSON the unknown person */
    int64_t person; /* WORD_NOT */
    bool next_batch;
    const char *said_by; /* or NULL */
};

struct store_draw { /* DRAW_FACE */
    struct store_message_head m;
    int64_t image;
    const char *sha256;      /* of the file in which the box was drawn; NULL: it was not read */
    const struct face *face; /* its box; with an embedding when the recogniser found a face there */
    bool named;
    int64_t person;          /* with `named` */
    const char *person_name; /* used when person is 0 */
    bool no_template;
    const char *said_by; /* or NULL */
};

struct resolved { /* a decision: the face changes from the person `was` (or PERSON_UNKNOWN) to `person` */
    int64_t face, image, was, person;
    int64_t unknown_person; /* when `person` equals `was`: the unknown person of the face, the only change */
    int64_t template;       /* that gave the name, or 0 */
    bool again;             /* stored also when `person` equals `was` */
    double distance, similarity;
    const struct candidate *candidates;
    int candidate_count;
    struct decision decision;
};

struct store_resolve {
    struct store_message_head m;
    const struct resolved *faces;
    int count;
    const int64_t *again_rows; /* rows of decide_again that have no more faces */
    int again_count;
};

struct store_known { /* KNOWN_FILE, KNOWN_MOVE, KNOWN_FORGET */
    struct store_message_head m;
    struct known_file file;
    /* KNOWN_MOVE: file.photo now is at file.path */
    const char *photo_name, *photo_path; /* photo_path: where it is opened; NULL: file.path */
    int64_t to_person;                   /* its person from now on; 0: file.person_name, PERSON_UNKNOWN: as before */
    bool whole_folder; /* all photos of its person have moved there: a person of the old name is renamed */
};

struct store_known_update { /* size, times, state and gone_ms of these rows */
    struct store_message_head m;
    const struct known_file *files;
    int count;
    bool sweep; /* delete people that the folder made and who have nothing any more */
};

struct store_known_report { /* KNOWN_REPORT: the counts of all rows, and a page of them */
    struct store_message_head m;
    unsigned states;      /* bits of the states that are listed */
    const uint8_t *after; /* KNOWN_KEY_BYTES: the key of the last row of the page before; NULL: from the start */
    int limit;
};
enum { KNOWN_KEY_BYTES = 16 };

struct store_text { /* PATH_IN_USE: a path; QUARANTINE: a hash, and for how long; PHOTO_PERSON: a photo's name */
    struct store_message_head m;
    const char *text;
    int64_t for_ms;
};

/* CLAIM_PHOTO: the first photo after `after` that no node has claimed and that has no template of the model.
 * CLAIM_WORD: the same of words, with its image. When none is left, `more` tells whether other nodes have claims. */
struct store_claim_embedding {
    struct store_message_head m;
    const char *model;
    int64_t after, lease_ms;
};

/* EMBED_WORD: refused with STORE_CONFLICT when the claim is not the last one. NOT_EMBEDDED: gives the claim of the
 * photo or the word back; `model` gives no template of it, NULL: it can be claimed again. */
struct store_embed {
    struct store_message_head m;
    int64_t photo, word, claim;
    const char *sha256, *model; /* EMBED_WORD: the hash of the file that was looked at; NULL: not known */
    const struct face *face;
};

struct store_key { /* KEY_ADD */
    struct store_message_head m;
    const char *name, *roles, *hash; /* hash: SHA-256 of the key, hex */
    int64_t expires_ms;              /* 0: never */
};

struct store_counts { /* CORRECT_COUNTS: the differences that RECOUNT found; nothing changes when another node was first
                       */
    struct store_message_head m;
    struct image_counts counts;
    int64_t corrections; /* `next` of the recount's reply */
};

enum look_again_action {
    LOOK_AGAIN_BEGIN, /* refused while another one runs or is paused */
    LOOK_AGAIN_STEP,  /* requeues the next images of the running one, unless a node did so just now */
    LOOK_AGAIN_PAUSE,
    LOOK_AGAIN_RESUME,
    LOOK_AGAIN_CANCEL
};

/* LOOK_AGAIN; LOOK_AGAIN_COUNT: a page of the filter's images after `after`, counted in `changed`; the reply has `more`
 * and `next`. */
struct store_look_again {
    struct store_message_head m;
    enum look_again_action action;
    struct look_again_filter filter;
    int64_t after;
    int64_t total;   /* of BEGIN */
    int64_t max;     /* of STEP: images at most, and none while as many wait */
    int64_t step_ms; /* of STEP: time to the next step, of whichever node */
};

struct store_node { /* REGISTER_NODE */
    struct store_message_head m;
    const char *node;
    int64_t boot; /* random number of this run of the node */
};

struct node_row {
    const char *node;
    int64_t boot, age_ms; /* since the node has written it */
};

struct store_prune {
    struct store_message_head m;
    int64_t events_keep, idempotency_before_ms;
    int64_t gallery_log_before_ms; /* removals in the gallery's log that are older are deleted */
    int64_t merges_before_ms;      /* merges that are older cannot be undone any more */
    /* 0: kept */
    int64_t events_before_ms, audit_before_ms;
    int64_t erasers_before_ms; /* nodes that were not seen since then: what is left to them is dropped */
};

struct store_expire { /* deletes one batch of old images after the image `after`, the oldest first */
    struct store_message_head m;
    int64_t before_ms; /* only images that were finished before */
    bool unknown_only; /* only those with unknown faces only */
    int64_t after;     /* `next` of the batch before; 0: from the start */
    bool dry;          /* count them, delete nothing */
};

/* ERASER_JOIN: the node has emptied its caches, deletions from now on are listed for it. ERASED: the node is still
 * there and has done these; the reply has `more` while the log of an embedded database still holds what was deleted.
 * ERASURES: reads the oldest, at most `count`; `changed` of the reply is 0 when the node has not joined. */
struct store_eraser {
    struct store_message_head m;
    const char *node;
    const int64_t *ids;
    int count;
};

struct store_audit { /* AUDIT_ADD */
    struct store_message_head m;
    struct audit_entry entry; /* `id` and `at_ms` are given by the store when they are 0 */
};

struct store_audit_list { /* AUDIT: the newest first; 0 and NULL: any */
    struct store_message_head m;
    int64_t person, image, since_ms, until_ms, after;
    const char *who, *action;
    int limit;
};

/* TRACES: what is left of an image or a person, one line for each table in `texts`; also the images and people that
 * `text` names, and the person's templates. Reads whole tables. */
struct store_traces {
    struct store_message_head m;
    int64_t image, person; /* 0: not asked */
    const char *text;      /* a name, a path or a sha256; NULL: not asked */
    const void *embedding; /* NULL: not asked */
    size_t embedding_bytes;
};

/* SEARCH_COLUMN: the column with that number, from 0, of all columns of text and bytes. `texts` of the reply has a line
 * for each string in it; `more`: there is such a column. */
struct store_search {
    struct store_message_head m;
    int64_t column;
    const struct search_string *strings;
    int count;
};

struct store_reply {
    struct store_message_head m;
    int status;                /* store_status */
    char error[200];           /* text for people, when it is not STORE_OK */
    bool permanent;            /* STORE_BROKEN: the database refuses these values, each repetition fails */
    int64_t id, changed, next; /* next: cursor of the next page, 0: none */
    bool more;
    int64_t skipped, skipped_id; /* REAP: images whose new values the database refused; one of them */
    struct image *images;
    int image_count;
    struct face *faces;
    int face_count;
    struct person *people;
    int person_count;
    struct person *alike; /* ids and names of the people who have the name of the request; also of a refused one */
    int alike_count;
    struct photo *photos;
    int photo_count;
    struct template *templates;
    int template_count;
    struct gallery_change *changes;
    int change_count;
    int64_t mark; /* of the last change or event up to `next` */
    /* The change or event `after` is not in this database, an older copy of which was restored. No changes are here. Of
     * EVENTS also when events behind `after` are no longer stored: `next` is the newest one, and no events are here. */
    bool rewound;
    int64_t *again_rows; /* AGAIN_FACES: see struct store_resolve */
    int again_count;
    int64_t deciding;   /* faces that are decided again because of this operation */
    struct word *words; /* PHOTOS: what was said of the person */
    int word_count;
    int64_t log_removal; /* GALLERY_CHANGES: number of the last removal that a compaction deleted; 0: none */
    struct event *events;
    int event_count;
    struct unknown_person *unknown_people;
    int unknown_person_count;
    struct known_file *files;
    int file_count;
    int64_t known_counts[KNOWN_STATES];   /* rows of the known-people folder by state */
    int64_t known_forgotten;              /* of these rows, those whose photo was deleted while the file is there */
    uint8_t next_key[16];                 /* KNOWN_REPORT: the cursor of the next page, when `more` */
    int64_t all_people, without_template; /* TEMPLATE_COUNTS */
    bool moved;                           /* KNOWN_MOVE: the photo has another person now */
    struct image_counts counts;           /* of RECOUNT: the differences, with `changed` 0 when there are none */
    struct operation *operation;          /* or NULL: there is none */
    struct retry_cursor retry_next;       /* RETRY: with `more`, where the next batch begins */
    int64_t first_event, last_event, settled_event; /* settled: no event up to it can still come */
    bool waits;                                     /* an event is missing that may still come: read on soon */
    struct api_key *keys;
    int key_count;
    struct person_merge *merges;
    int merge_count;
    struct deleted deleted; /* by a deletion */
    struct erasure *erasures;
    int erasure_count;
    struct audit_entry *audit;
    int audit_count;
    const char *const *texts;
    int text_count;
    struct node_row *nodes;
    int node_count;
};

/* A message of the store with its arena; the caller owns it. */
#define STORE_MESSAGE(type, struct_type) ((struct struct_type *)store_message_new((type), sizeof(struct struct_type)))
void *store_message_new(uint32_t type, size_t size);

#endif
