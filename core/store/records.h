/* The records that the store keeps. A record and all that it points to belong to the message or reply that holds it. */
#ifndef KITH_CORE_STORE_RECORDS_H
#define KITH_CORE_STORE_RECORDS_H

#include "core/match/face.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers of the original tables. They keep an image without a known person pending, and one without a face failed:
 * what clients are shown is image_shown_status(). */
enum image_status { IMAGE_PENDING = 0, IMAGE_PROCESSED = 1, IMAGE_FAILED = 2, IMAGE_PROCESSING = 3, IMAGE_STATUSES };
enum image_verdict { VERDICT_NONE = 0, VERDICT_KNOWN = 1, VERDICT_UNKNOWN = 2, VERDICT_NO_FACE = 3, IMAGE_VERDICTS };

/* What may cure a failed image. */
enum image_cure {
    CURE_NONE, /* a change of the file, or of kith: another try fails as well */
    CURE_RETRY,
    CURE_FILE, /* its file must come: another try succeeds only then */
    IMAGE_CURES
};

const char *image_status_name(int status);   /* "pending", … */
int image_status_from(const char *name);     /* -1: no such status */
const char *image_verdict_name(int verdict); /* "known", …; NULL for VERDICT_NONE */
int image_verdict_from(const char *name);    /* -1: no such verdict */

/* The images of each status as clients are shown it. `unknown` and `no_face` are among the processed ones. */
struct image_counts {
    int64_t by_status[IMAGE_STATUSES], unknown, no_face;
};

struct image {
    int64_t id, person;
    const char *path, *person_name, *reason, *sha256;
    const char *trace; /* the trace context that it came with, or NULL */
    int status, verdict;
    int64_t attempt;                 /* runs so far: the fencing token of the current one, never reset */
    int64_t tries;                   /* runs since the last retry on request that count towards KITH_TRIES */
    int64_t crashes;                 /* of these runs, those that crashed their worker */
    int64_t created_ms, finished_ms; /* wall clock; 0: not yet */
    int cure;                        /* enum image_cure of a failed one */
    bool spooled;                    /* its file is in the spool and is deleted with it */
    bool existing;                   /* in the reply of a submission: the row existed */
    struct face *faces;
    int face_count;
};

/* Pending: it waits; processed: a verdict was reached; failed: it could not be looked at. */
int image_shown_status(const struct image *image);

struct person {
    int64_t id;
    const char *name;
    int64_t photos, images;
};

struct api_key { /* the key itself is not stored */
    int64_t id;
    const char *name, *roles; /* roles: some of submit,read,admin */
    const char *hash;         /* SHA-256 of the key, hex */
    int64_t created_ms;
};

struct photo { /* an enrolled photo of a person */
    int64_t id, person;
    const char *name, *path;
    int64_t created_ms;
};

/* A change of the gallery, in the order of their commits. */
enum gallery_change_kind {
    GALLERY_TEMPLATE_ADDED = 1,
    GALLERY_TEMPLATE_REMOVED,
    GALLERY_PERSON_NAMED, /* new, or renamed */
    GALLERY_PERSON_REMOVED,
    GALLERY_COUNTER_ADDED /* a client denied that this face is that person */
};

struct gallery_change {
    enum gallery_change_kind kind;
    int64_t person;
    const char *name; /* the person's current name; NULL: the person was deleted */
    struct template template;
};

struct event {
    int64_t id, image, person; /* 0 where it does not apply */
    int kind;
};
enum event_kind { EVENT_IMAGE = 1, EVENT_IMAGE_DELETED, EVENT_PERSON, EVENT_PERSON_DELETED };

struct known_file {                          /* a file of the known-people folder, as of the last scan */
    const char *path, *person_name, *reason; /* reason: why it was refused, or NULL */
    int64_t size, mtime_ns;
    bool taken;
};

/* What a row of decide_again names. */
enum again_kind {
    AGAIN_TEMPLATE = 1, /* the faces that have their name through this template */
    AGAIN_FACE          /* this face */
};

/* Which images are looked at again: all that do not wait and are not in processing, unless a member says otherwise. */
struct look_again_filter {
    int verdict;            /* -1: any */
    int64_t person;         /* 0: any */
    const char *not_model;  /* only images with a face of another model than this; NULL: any */
    int64_t from_ms, to_ms; /* submitted in this time, wall clock; to_ms 0: without an end */
};

enum operation_state { OPERATION_RUNNING = 1, OPERATION_PAUSED, OPERATION_DONE, OPERATION_CANCELLED, OPERATION_STATES };
const char *operation_state_name(int state); /* "running", … */

struct operation { /* images that are looked at again in the background */
    int64_t id;
    int state;
    struct look_again_filter filter;
    int64_t total, done; /* images: of the filter when it began, and requeued so far */
    int64_t after, last; /* image ids: all up to `after` are done; later ones than `last` came after it began */
    int64_t created_ms, finished_ms;
};

struct unknown_person { /* faces without a name that are alike */
    int64_t id, faces;
    int64_t face, image; /* one of them */
};

#endif
