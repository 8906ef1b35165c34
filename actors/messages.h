/* What the actors say to each other, beside the store's own messages (core/store/store.h).
 *
 *   HTTP ─▶ receiver ─────────▶ store            processor ◀─ nudge, capacity, breaker's state
 *   HTTP ─▶ identify, people ─┐                      │ claim, finish ─▶ store
 *           enroller ─────────┼─▶ recognizer ─▶ worker processes
 *           processor ────────┘     │  ▲ │
 *                        outcome ◀──┘  │ └─ capacity ─▶ processor, model ─▶ gallery
 *                           └▶ breaker ┴─ its state ─▶ processor, health, events
 *   processor, identify ─▶ gallery (who is nearest?)
 */
#ifndef KITH_ACTORS_MESSAGES_H
#define KITH_ACTORS_MESSAGES_H

#include "core/base/arena.h"
#include "core/http/http.h"
#include "core/store/store.h"
#include "plugins/host/worker_process.h"

#include <limits.h>

/* Types are unique in the program: 0x1000 store, 0x2000 actors, 0x2200 bus, 0x3000 worker processes, 0x7000 command
 * line (test/house.py checks). */
enum actor_message {
    MSG_HTTP = 0x2000,   /* msg_http */
    MSG_RECOGNIZE,       /* msg_recognize, asked of recognizer */
    MSG_RECOGNIZED,      /* msg_recognized */
    MSG_MATCH,           /* msg_match, asked of gallery */
    MSG_MATCHED,         /* msg_matched */
    MSG_GALLERY_CHANGED, /* msg, asked of gallery: read the changes that were committed before this */
    MSG_GALLERY_READ,    /* msg: every match from now on sees them */
    MSG_FOUND_UNKNOWN,   /* msg_count, told to gallery: an image was finished as unknown by that generation */
    MSG_NUDGE,           /* msg, told to processor: there may be work */
    MSG_WORK_ITEMS,      /* msg_work_items, told to work_queue: these images wait */
    MSG_WORK_ITEM, /* msg_work_item, asked of processor: this image waits; answered once its claim is in or refused */
    MSG_CAPACITY_LEFT,     /* msg_count, told to work_queue: how many more images the processor can take */
    MSG_CAPACITY,          /* msg_capacity, told to processor, health, cluster and look_again */
    MSG_MODEL,             /* msg_model, told to gallery, known-people and embedder */
    MSG_BREAKER,           /* msg_breaker, told to recognizer, processor, health, events and cluster */
    MSG_QUARANTINE,        /* msg, told to recognizer: the store has put more bytes there */
    MSG_STOPPING,          /* msg, told to processor: claim no more; answered when no job runs */
    MSG_STOPPED,           /* msg */
    MSG_SEND_STATE,        /* msg, told to recognizer, breaker, processor and cluster by an actor that starts: tell your
                              capacity, model or state again */
    MSG_ENROL,             /* msg_enrol, asked of enroller */
    MSG_ENROLLED,          /* msg_enrolled */
    MSG_COPIES,            /* msg_count, told to health: peers that work on another database with the id of ours */
    MSG_KEYS,              /* msg_keys, told to events: the API keys that may read */
    MSG_FOLDER_STATE,      /* msg, asked of known-people */
    MSG_FOLDER_STATE_TOLD, /* msg_folder_state */
    MSG_TEMPLATES,         /* msg_templates, told to health by embedder */
    MSG_OUTCOME,           /* msg_outcome, told to breaker by recognizer: how a request has ended */
    MSG_AUDIT,             /* msg_audit, told to audit */
    MSG_ERASE,             /* msg, told to eraser: a deletion has left files */
    /* Private: from an actor's own jobs and callbacks to itself. No other actor and no node sends them. */
    MSG_KEYS_FILE_READ = 0x2100,
    MSG_EVENTS_STREAM_READY,
    MSG_EVENTS_STREAM_GONE,
    MSG_FRONTEND_LOOKED,
    MSG_PICTURES_READ,
    MSG_PICTURES_WRITTEN,
    MSG_GALLERY_JOB,
    MSG_GALLERY_ADDED, /* only referenced by jobs */
    MSG_RECEIVER_SPOOLED,
    MSG_RECEIVER_RESOLVED,
    MSG_RECEIVER_LOOKED,
    MSG_IDENTIFY_RESOLVED,
    MSG_PEOPLE_RESOLVED,
    MSG_ENROLLER_SPOOLED,
    MSG_KNOWN_PEOPLE_SCANNED,
    MSG_KNOWN_PEOPLE_TOUCHED,
    MSG_RECOGNIZER_OPENED,
    MSG_ERASER_WORKED,
    MSG_PICTURES_UNCACHED,
    MSG_JANITOR_SWEPT,
    MSG_HEALTH_DISK,
    MSG_JANITOR_REMOVED,
    MSG_SERVE_STOP,
    MSG_SERVE_HTTP_STOPPED
};

struct msg_keys { /* the numbers of all valid API keys with the role read, see http_request_key */
    struct msg head;
    int count;
    uint64_t keys[];
};

struct msg_audit { /* for the audit trail; no names of people */
    struct msg head;
    int64_t at_ms, person, image, face; /* 0 where it does not apply */
    char who[256], action[65], detail[256];
};

struct msg_http { /* owns one reference to the request */
    struct msg head;
    struct http_request *request;
};

struct msg_recognize {
    struct msg head;
    int kind;          /* job_kind */
    bool urgent;       /* a client waits: before the images of the queue */
    bool enrol;        /* its face becomes a template */
    const char *path;  /* normalized; with bytes only a name */
    const void *bytes; /* NULL: the file `path` is opened */
    size_t len;
    double x, y, width, height; /* JOB_PICTURE, JOB_RECOGNIZE: a part of the picture; width 0: all */
    uint32_t side;
    char trace[HTTP_TRACE_BYTES]; /* "": none */
    struct arena arena;           /* path and bytes live here */
};

enum recognized {
    RECOGNIZED_OK,
    RECOGNIZED_BAD_IMAGE, /* the image's own fault: `reason` */
    RECOGNIZED_POISON,    /* its bytes are refused for a while */
    /* the recogniser's fault: the breaker counts them */
    RECOGNIZED_FAILED,
    RECOGNIZED_CRASHED,
    RECOGNIZED_TIMEOUT,
    RECOGNIZED_UNAVAILABLE, /* no worker can start */
    /* nobody's: try later */
    RECOGNIZED_BUSY,
    RECOGNIZED_OPEN,
    RECOGNIZED_STOPPING
};

const char *recognized_name(int outcome);
static inline bool recognized_is_infrastructure(int outcome)
{
    return outcome >= RECOGNIZED_FAILED && outcome <= RECOGNIZED_UNAVAILABLE;
}

struct msg_recognized {
    struct msg head;
    int outcome;
    char reason[REASON_BYTES];
    char sha256[SHA256_HEX_BYTES]; /* "" when it was not read */
    struct file_stamp file;        /* of the file `path`, before it was read; not known when bytes came, or no file */
    const struct worker_event *event; /* OK: the faces or the picture; referenced */
};

struct msg_match { /* the faces are borrowed from `event`, which is referenced */
    struct msg head;
    const struct worker_event *event;
};

struct msg_matched { /* faces with person, distance, similarity, candidates; names are borrowed for the message's life
                      */
    struct msg head;
    struct arena arena;
    const struct worker_event *event;
    struct face *faces;
    int face_count;
    uint64_t generation;       /* of the gallery that was asked */
    char unmatched_label[256]; /* the last label that names neither a photo nor a person; "": none. For older nodes */
    double threshold;
};

struct msg_count {
    struct msg head;
    int64_t count;
};

struct msg_work_items {
    struct msg head;
    struct arena arena;
    const int64_t *ids;
    int count;
};

struct msg_work_item {
    struct msg head;
    int64_t id;
};

struct msg_capacity {
    struct msg head;
    int workers, ready;
    char why[REASON_BYTES]; /* not ready: what the last one said that could not start */
    char recognizer[64], model[128];
};

struct msg_model {
    struct msg head;
    struct packet_hello hello;
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };
const char *breaker_state_name(int state);

struct msg_breaker {
    struct msg head;
    int state;
    uint32_t generation; /* of the state: unique in the process, changes with each change of state */
    uint64_t wait_ms;    /* open: until the next check */
    char reason[REASON_BYTES];
};

struct msg_outcome {
    struct msg head;
    uint32_t generation; /* of the breaker's state in which the request was let through */
    int outcome;         /* enum recognized */
    char reason[REASON_BYTES];
};

struct msg_enrol {
    struct msg head;
    struct arena arena;
    const char *name; /* of the person, created when absent; NULL: `person` is used */
    int64_t person;
    const char *photo; /* its display name */
    const char *path;  /* a file below the roots */
    const void *bytes; /* or the photo itself: it is spooled */
    size_t len;
    bool urgent;
    int64_t adopted_photo;  /* row of person_images without a path that names this photo; 0: none */
    int64_t embedded_photo; /* an enrolled photo that gets a template of the model in use; 0: a new photo */
    int64_t embedded_word;  /* a word whose face gets an embedding of the model in use: the face in `x` … of `path` */
    int64_t claim;          /* of the photo or the word */
    double x, y, width, height;
    const char *face_box; /* of that photo's face; NULL: the only one */
    int face;             /* number of the face that was chosen by hand; -1: none was */
    bool from_folder;     /* a person that is made for it goes with its last photo */
};

enum enrolled {
    ENROLLED_OK,
    ENROLLED_NO_FACE,
    ENROLLED_FACES, /* several, and none stands out: `faces` */
    ENROLLED_REFUSED,
    ENROLLED_TAKEN, /* the same photo is enrolled for another person */
    ENROLLED_LATER,
    ENROLLED_NO_PERSON
};

struct msg_enrolled {
    struct msg head;
    int status;
    char reason[REASON_BYTES]; /* when it is not OK, in words */
    int64_t person, photo;
    bool added;                    /* false: the person had the photo already */
    char sha256[SHA256_HEX_BYTES]; /* of the photo; "": not known */
    char model[128];               /* of the recogniser that looked at it; "": none did */
    struct buf faces;              /* ENROLLED_FACES: a JSON list of them; owned */
};

/* What is done with the folder of known people. */
enum folder_stage { FOLDER_IDLE, FOLDER_LISTING, FOLDER_READING, FOLDER_ENROLLING };
struct folder_state {
    enum folder_stage stage;
    int done, of;                                                        /* of this stage: files read, or things done */
    int64_t scans;                                                       /* since the start */
    int64_t started_ms, finished_ms;                                     /* wall clock; 0: never */
    int photos, hidden, other;                                           /* files at the last scan; other: no photos */
    int enrolled, refused, duplicates, moved, gone, forgotten, deferred; /* by this scan, or the last one */
    bool swept;
};

struct msg_folder_state {
    struct msg head;
    struct folder_state state;
    char folder[PATH_MAX];
};

struct msg_templates { /* how many people have no template of the model in use */
    struct msg head;
    int64_t people, without;
    char model[128];
};

/* Makers: the one reference is the caller's. */
struct msg_enrol *msg_enrol_new(const char *name, int64_t person, const char *photo, const char *path,
                                const void *bytes, size_t len);
struct msg_recognize *msg_recognize_new(int kind, const char *path, const void *bytes, size_t len);
/* Only the part of the picture around a box is looked at: the recogniser needs the whole head. */
void msg_recognize_around(struct msg_recognize *m, double x, double y, double width, double height);
struct msg_recognized *msg_recognized_new(int outcome, const char *reason);
struct msg_match *msg_match_new(const struct worker_event *event);
struct msg_matched *msg_matched_new(const struct worker_event *event);
/* Tells `to` that something has happened; a full mailbox or nobody of that name is fine: it looks by itself, later. */
void msg_tell(struct actor *self, const char *to, uint32_t type);
void msg_tell_gallery(struct actor *self);
/* Tells `to` that images wait: "work_queue" in a cluster, else "processor". */
void msg_tell_waiting(struct actor *self, const char *to, const struct image *images, int count);

#endif
