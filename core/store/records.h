/* The records that the store keeps. A record and all that it points to belong to the message or reply that holds it. */
#ifndef KITH_CORE_STORE_RECORDS_H
#define KITH_CORE_STORE_RECORDS_H

#include "core/base/path.h"
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

/* The images of each status as clients are shown it. `unknown`, `no_face` and `review` (with a name in doubt) are among
 * the processed ones. */
struct image_counts {
    int64_t by_status[IMAGE_STATUSES], unknown, no_face, review;
};

/* What has become of the file of an image since it was looked at. Not stored: actors/frontend/file_marks.c. */
enum file_mark { FILE_UNMARKED, FILE_CHANGED, FILE_GONE };

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
    bool partial;                    /* its file was cut short when it was looked at */
    bool spooled;                    /* its file is in the spool and is deleted with it */
    const char *filename;            /* that the client gave with the bytes, or NULL */
    struct file_stamp file;          /* of the file that was looked at */
    struct file_stamp posted; /* of its file when its path was posted during the run; not known: it was not posted */
    bool existing;            /* in the reply of a submission: the row existed */
    bool again;               /* in a reply: its file has come or changed, and it waits again */
    enum file_mark file_mark; /* for an answer */
    struct face *faces;
    int face_count;
};

/* The bits of enum doubt of its faces; 0 unless it is processed. */
int image_doubt(const struct image *image);

/* Pending: it waits; processed: a verdict was reached; failed: it could not be looked at. */
int image_shown_status(const struct image *image);
/* Whether a file with the stamp `now` at the path of a finished image is another one than was looked at. Where the
 * stamp of that one is not known, a file that was written after the image was finished is another one. */
bool image_file_differs(const struct image *image, struct file_stamp now);

struct person {
    int64_t id;
    const char *name, *notes; /* notes: a JSON object as text, or NULL */
    int64_t photos, images;
};

struct person_merge { /* of `person` into `into`; the counts are of what moved */
    int64_t id, person, into, said_ms;
    const char *name, *said_by; /* of the person; who said it, or NULL */
    int64_t faces, photos, templates, words;
    int64_t duplicates; /* templates of photos that both had */
    bool done, undone;  /* not done: a batch of it, or of its undoing, is missing */
    bool kept;          /* it cannot be undone any more */
};

struct api_key { /* the key itself is not stored */
    int64_t id;
    const char *name, *roles; /* roles: some of submit,read,admin */
    const char *hash;         /* SHA-256 of the key, hex */
    int64_t created_ms;
    int64_t expires_ms; /* 0: never */
};

struct photo { /* an enrolled photo of a person */
    int64_t id, person;
    const char *name, *path;
    int64_t created_ms;
    const char *sha256;   /* of its bytes, or NULL */
    const char *face_box; /* "x y width height" of the enrolled face; NULL: the only one */
    int64_t claim;        /* CLAIM_PHOTO: its fencing token */
};

/* A change of the gallery, in the order of their commits. */
enum gallery_change_kind {
    GALLERY_TEMPLATE_ADDED = 1,
    GALLERY_TEMPLATE_REMOVED,
    GALLERY_PERSON_NAMED, /* new, or renamed */
    GALLERY_PERSON_REMOVED,
    GALLERY_COUNTER_ADDED, /* a client denied that this face is that person */
    GALLERY_FACE_REMOVED,  /* the image of an unknown face was deleted; template.id is the face */
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
    int64_t at_ms;
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
    int64_t claim; /* CLAIM_WORD: its fencing token */
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

struct deleted { /* what one deletion removed: rows; files are removed behind it */
    int64_t images, faces, templates, photos, files;
};

struct erasure { /* what a deletion left to a node */
    int64_t id;
    const char *sha256; /* of the image whose thumbnails go, or NULL */
    const char *path;   /* of the spooled file that goes, or NULL */
    bool in_use;        /* another image or photo has the file: it stays */
};

struct audit_entry {
    int64_t id, at_ms, person, image, face; /* 0 where it does not apply */
    const char *who, *action, *detail;      /* detail: or NULL */
    const char *person_name;                /* in a reply: the present one; NULL: none, or deleted */
};

struct search_string {
    const char *what; /* for people */
    const void *bytes;
    size_t len;
    bool text; /* found only where no letter or digit stands beside it */
};

#endif
