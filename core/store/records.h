/* The records that the store keeps. A record and all that it points to belong to the message or reply that holds it. */
#ifndef KITH_CORE_STORE_RECORDS_H
#define KITH_CORE_STORE_RECORDS_H

#include "core/match/face.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers of the original tables. */
enum image_status { IMAGE_PENDING = 0, IMAGE_PROCESSED = 1, IMAGE_FAILED = 2, IMAGE_PROCESSING = 3, IMAGE_STATUSES };
enum image_verdict { VERDICT_NONE = 0, VERDICT_KNOWN = 1, VERDICT_UNKNOWN = 2 };

const char *image_status_name(int status); /* "pending", … */
int image_status_from(const char *name);   /* -1: no such status */

struct image {
    int64_t id, person;
    const char *path, *person_name, *reason, *sha256;
    const char *trace; /* the trace context that it came with, or NULL */
    int status, verdict;
    int64_t attempt;                 /* runs so far: the fencing token of the current one, never reset */
    int64_t tries;                   /* runs since the last retry on request that count towards KITH_TRIES */
    int64_t crashes;                 /* of these runs, those that crashed their worker */
    int64_t created_ms, finished_ms; /* wall clock; 0: not yet */
    bool spooled;                    /* its file is in the spool and is deleted with it */
    bool existing;                   /* in the reply of a submission: the row existed */
    struct face *faces;
    int face_count;
};

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
    GALLERY_COUNTER_ADDED, /* a client denied that this face is that person */
    GALLERY_COUNTER_REMOVED
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

struct word { /* what a person said about a face */
    int64_t id;
    int kind;       /* enum face_word */
    int64_t place;  /* of the face */
    int64_t image;  /* where it was said; 0: of an unknown person as a whole */
    int64_t face;   /* a face of the place, in words of a person */
    int64_t person; /* of WORD_NAMED, WORD_NOT and WORD_NAME_OFF */
    const char *person_name;
    double x, y, width, height; /* of the face when it was said; pixels of the upright picture */
    bool enrols;                /* WORD_NAMED, WORD_NOT: it makes a template */
    const char *said_by;        /* name of the API key; NULL: unknown */
    int64_t said_ms;
};

/* What a row of decide_again names. */
enum again_kind {
    AGAIN_TEMPLATE = 1, /* the faces that have their name through this template */
    AGAIN_FACE          /* this face */
};

struct unknown_person { /* faces without a name that are alike */
    int64_t id, faces;
    int64_t face, image; /* one of them */
};

#endif
