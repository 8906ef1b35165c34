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
    const char *sha256;   /* of its bytes, or NULL */
    const char *face_box; /* "x y width height" of the enrolled face; NULL: the only one */
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

/* What has become of a file of the known-people folder. */
enum known_state {
    KNOWN_UNSEEN,    /* the row of an older version, which says `taken` only */
    KNOWN_ENROLLED,  /* `photo` is the photo that was made of it */
    KNOWN_REFUSED,   /* `reason` says why */
    KNOWN_DUPLICATE, /* the same bytes as another file, which `reason` names */
    KNOWN_GONE,      /* it was enrolled, and the file is not there any more */
    KNOWN_REPLACED,  /* it was enrolled, and another file has its path now */
    KNOWN_STATES
};

struct known_file { /* a file of the known-people folder, as of the last scan */
    const char *path, *person_name, *reason;
    const char *sha256;        /* of its content; NULL: not known */
    const char *model;         /* of the recogniser that looked at it; NULL: not known */
    const char *faces;         /* of a refused group photo: its faces as a JSON list; or NULL */
    int64_t size, mtime_ns;    /* of the file */
    int64_t ctime_ns, born_ns; /* 0: not known; born_ns is the time of creation, where the file system knows it */
    int64_t photo;             /* row of person_images; 0: none */
    int64_t person;            /* of the photo; 0: there is no such photo (any more) */
    const char *person_now;    /* that person's name */
    bool blocked;              /* a duplicate: a person has a photo of the same bytes */
    int64_t newest_photo;      /* a refused group photo: the newest photo of all when it was looked at */
    int64_t gone_ms;           /* since when it is gone; 0: it is there */
    enum known_state state;
    bool taken;
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
