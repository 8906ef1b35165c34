/* Compares the known-people folder with what the store knows of it: what must be done so that they agree. Pure
 * functions: no disk, no actor.
 *
 * A file is known by its content. Of files with the same content one is enrolled: the one that is enrolled already,
 * else the first by path. The lookups are by hash: a plan costs files + rows, not files × rows. */
#ifndef KITH_ACTORS_KNOWN_KNOWN_PLAN_H
#define KITH_ACTORS_KNOWN_KNOWN_PLAN_H

#include "core/base/hash.h"
#include "core/store/store.h"

struct known_photo {               /* a file of the folder */
    char *path, *person, *photo;   /* owned; person: from the folder's or file's name; photo: the file's name */
    char *opened;                  /* owned; where its links lead; NULL: `path` */
    char *refused;                 /* owned; why it is not even read, or NULL */
    bool unread;                   /* `refused` because it could not be read now: an enrolled one stays as it is */
    char sha256[SHA256_HEX_BYTES]; /* "" until it was read */
    int64_t size, mtime_ns, ctime_ns, born_ns; /* born_ns 0: not known */
};

struct known_folder_view {
    const char *folder;        /* rows of files elsewhere are of another folder */
    struct known_photo *files; /* sorted by path */
    int file_count;
    const struct known_file *rows;
    int row_count;
    const struct photo *legacy; /* rows of person_images without a path, from another program */
    int legacy_count;
    const char *model;       /* of the recogniser in use; "": not known, then nothing is tried again for it */
    bool complete;           /* the list holds all files: what is not in it is gone */
    bool forget;             /* a file that is gone is forgotten at the next scan */
    char *const *unreadable; /* folders that could not be read: of their files nothing is known */
    int unreadable_count;
    bool (*is_absent)(const char *path); /* asked for a row of another folder: whether its file is not there */
    uint64_t *comparisons;               /* strings compared by the lookups */
};

enum known_action_kind {
    KNOWN_MOVE,   /* the photo of the row is the file's */
    KNOWN_ENROL,  /* ask the enroller */
    KNOWN_RECORD, /* write the row: `state` and `reason` */
    KNOWN_UPDATE, /* times, size and `state` of the row */
    KNOWN_FORGET  /* delete the row, and its photo when it has one */
};

struct known_action { /* in the order in which they are done: by kind */
    enum known_action_kind kind;
    int file, row; /* indexes; -1: none */
    enum known_state state;
    char *reason;        /* owned, or NULL */
    int64_t person;      /* ENROL, MOVE: 0: by name; PERSON_UNKNOWN: the person stays */
    int64_t legacy_row;  /* ENROL: the row of person_images that is completed; 0: none */
    bool whole_folder;   /* MOVE: all photos of that name have moved to the same new name */
    bool person_changes; /* MOVE: the name of the person is another one */
};

struct known_plan {
    struct known_action *actions;
    int count, capacity;
};

/* Marks the files whose content must be read first: `wanted[i]`. Returns their number. */
int known_plan_unread(const struct known_folder_view *view, bool *wanted);
void known_plan_make(const struct known_folder_view *view, struct known_plan *plan);
void known_plan_free(struct known_plan *plan);

#endif
