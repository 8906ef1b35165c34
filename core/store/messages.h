/* The messages that the actor "store" accepts, and its reply. Each owns an arena; all that it points to lives in the
 * arena or is borrowed for the life of the message. Times are in milliseconds. */
#ifndef KITH_CORE_STORE_MESSAGES_H
#define KITH_CORE_STORE_MESSAGES_H

#include "core/actor/actor.h"
#include "core/base/arena.h"
#include "core/store/records.h"

enum store_status {
    STORE_OK = 0,
    STORE_NOT_FOUND,
    STORE_CONFLICT,
    STORE_NO_SPACE,
    STORE_DISK_LOW, /* the reserve of the disk is reached: nothing new is accepted */
    STORE_BROKEN,
    STORE_MISMATCH,
    STORE_AWAY /* the database cannot be reached, or is busy: repeat the request */
};

enum store_message {
    /* writes */
    STORE_SUBMIT = 0x1000,
    STORE_CLAIM,
    STORE_RENEW,
    STORE_FINISH,
    STORE_REAP,
    STORE_RETRY,
    STORE_DELETE,
    STORE_PERSON_ADD,
    STORE_PERSON_RENAME,
    STORE_PERSON_DELETE,
    STORE_PHOTO_ADD,
    STORE_PHOTO_DELETE,
    STORE_NAME_FACE,
    STORE_NAME_UNKNOWN_PERSON,
    STORE_DENY_FACE,
    STORE_RESOLVE,
    STORE_KNOWN_FILE,
    STORE_QUARANTINE,
    STORE_PRUNE,
    STORE_KEY_ADD,
    STORE_KEY_REVOKE,
    STORE_CORRECT_COUNTS,
    STORE_RESOLVE_LABELS, /* store_text, the label after which to go on; the reply's text is the next one, none at the
                             end */
    STORE_REGISTER_NODE,  /* store_node: writes its row; the reply lists all nodes */
    STORE_FIRST_READ,
    /* reads */
    STORE_IMAGE = STORE_FIRST_READ,
    STORE_IMAGES,
    STORE_EVENTS,
    STORE_STATUS_COUNTS,
    STORE_RECOUNT,
    STORE_PEOPLE,
    STORE_PHOTOS,
    STORE_GALLERY_CHANGES,
    STORE_ADOPTED_PHOTOS,
    STORE_UNKNOWN_FACES,
    STORE_PERSON_FACES,
    STORE_AGAIN_FACES,
    STORE_UNKNOWN_PEOPLE,
    STORE_FACE,
    STORE_KNOWN_FILES,
    STORE_PATH_IN_USE,
    STORE_QUARANTINED,
    STORE_PHOTO_PERSON,
    STORE_KNOWN_PHOTO, /* store_id, `id` not used: the path of a photo of a person, in texts[0]; none: no text */
    STORE_KEYS,
    STORE_CLUSTER, /* store_id, `id` not used: the id of the cluster, in texts[0] */
    /* sent by the store */
    STORE_REPLY,
    STORE_CHANGED, /* told to the actor "events" after a commit with events */
    STORE_DONE     /* from the store's threads to the actor */
};

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
    const char *idempotency_key; /* or NULL */
    const char *request_hash;    /* of the whole request, with a key */
    const char *trace;           /* W3C trace context, or NULL */
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
    OUTCOME_FACES,  /* recognised: `faces`, the best known person decides */
    OUTCOME_FAILED, /* the image cannot be recognised: `reason` */
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
    bool crashed;
    int64_t delay_ms, max_tries, max_crashes;
};

struct store_reap { /* expired leases, or (owner given) those of processes that are known to be dead */
    struct store_message_head m;
    const char *not_owner; /* how the owners of this process begin; earlier processes of this node are dead */
    const char *node;      /* how all owners of this node begin; SQLite has one node: not compared */
    int64_t max_tries, max_crashes, delay_ms;
    int64_t after; /* only images with larger ids: `next` of the batch before, whose skipped rows stay behind */
};

struct store_retry { /* id 0: a batch of the failed images after `after`; the reply has `more` */
    struct store_message_head m;
    int64_t id, after;
    /* of a batch: */
    const char *reason; /* only images whose reason contains this; NULL: any */
    int64_t older_ms;   /* only images that failed at least so long ago */
    int64_t limit;      /* at most so many; 0: all */
    bool dry;           /* count them, change nothing */
};

struct store_id { /* KEY_REVOKE, IMAGE, DELETE, FACE, PHOTO_DELETE, PERSON_DELETE, PHOTOS */
    struct store_message_head m;
    int64_t id;
    int64_t person; /* PHOTO_DELETE: refused unless the photo is this person's; 0: any person's */
};

/* IMAGES, PEOPLE, EVENTS, GALLERY_CHANGES, UNKNOWN_FACES, PERSON_FACES, AGAIN_FACES, UNKNOWN_PEOPLE, KNOWN_FILES,
 * ADOPTED_PHOTOS, QUARANTINED */
struct store_list {
    struct store_message_head m;
    int status, verdict; /* -1: any */
    int64_t person;      /* 0: any */
    int64_t after;       /* cursor: the last id of the page before; 0: from the start */
    int limit;
    const char *model;
    int64_t mark; /* GALLERY_CHANGES, EVENTS: the mark of `after`, from the reply of the page before; 0: not checked
                   * (EVENTS)
                   */
};

struct store_person {
    struct store_message_head m;
    int64_t id;
    const char *name;
    int64_t after_face;
};

struct store_photo { /* a template and the photo it came from */
    struct store_message_head m;
    int64_t person;
    const char *person_name; /* created when it does not exist; NULL: `person` must exist */
    const char *photo_name, *path, *sha256, *model;
    const float *embedding;
    int dimension;
    bool spooled;
    int64_t adopted_photo; /* the row of person_images that another program inserted for it; 0: none */
};

struct store_name_face { /* NAME_FACE; NAME_UNKNOWN_PERSON: all faces of an unknown person, a batch each time; DENY_FACE
                          */
    struct store_message_head m;
    int64_t face, person;    /* face: of NAME_UNKNOWN_PERSON the unknown person */
    const char *person_name; /* used when person is 0; not by DENY_FACE */
    bool no_template;        /* the name alone: the face is not added to the person's templates */
    bool next_batch;         /* NAME_UNKNOWN_PERSON: not the first batch; no face may be left, and that is no error */
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
    int64_t again; /* the row of decide_again that has no more faces, or 0 */
};

struct store_known {
    struct store_message_head m;
    struct known_file file;
};

struct store_text { /* PATH_IN_USE: a path; QUARANTINE: a hash, and for how long; PHOTO_PERSON: a photo's name */
    struct store_message_head m;
    const char *text;
    int64_t for_ms;
};

struct store_key { /* KEY_ADD */
    struct store_message_head m;
    const char *name, *roles, *hash; /* hash: SHA-256 of the key, hex */
};

struct store_counts { /* CORRECT_COUNTS: the differences that RECOUNT found; nothing changes when another node was first
                       */
    struct store_message_head m;
    int64_t status_counts[IMAGE_STATUSES], unknown;
    int64_t corrections; /* `next` of the recount's reply */
};

struct store_node { /* REGISTER_NODE */
    struct store_message_head m;
    const char *node;
    int64_t boot; /* random number of this run of the node */
};

struct node_row {
    const char *node;
    int64_t boot;
};

struct store_prune {
    struct store_message_head m;
    int64_t events_keep, idempotency_before_ms;
    int64_t gallery_log_before_ms; /* removals in the gallery's log that are older are deleted */
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
    int64_t deciding;    /* faces that are decided again because of this operation */
    int64_t log_removal; /* GALLERY_CHANGES: number of the last removal that a compaction deleted; 0: none */
    struct event *events;
    int event_count;
    struct unknown_person *unknown_people;
    int unknown_person_count;
    struct known_file *files;
    int file_count;
    /* Images by status; the unknown ones are among the pending. Of RECOUNT: the differences, with `changed` 0 when
     * there are none. */
    int64_t status_counts[IMAGE_STATUSES], unknown;
    int64_t first_event, last_event, settled_event; /* settled: no event up to it can still come */
    bool waits;                                     /* an event is missing that may still come: read on soon */
    struct api_key *keys;
    int key_count;
    const char *const *texts;
    int text_count;
    struct node_row *nodes;
    int node_count;
};

/* A message of the store with its arena; the caller owns it. */
#define STORE_MESSAGE(type, struct_type) ((struct struct_type *)store_message_new((type), sizeof(struct struct_type)))
void *store_message_new(uint32_t type, size_t size);

#endif
