/* Reads the known-people folder and plans what must be done (known_plan.h).
 *
 * A scan is an offload job that goes to a file thread several times: it lists the folder, then it reads the content of
 * what is new, some files each time, then it makes the plan. So no thread is taken for long, and the loop thread never
 * walks the folder. NAME/….jpg and NAME/2019/….jpg are NAME's; name_1.jpg in the folder itself is name's. */
#ifndef KITH_ACTORS_KNOWN_KNOWN_FOLDER_H
#define KITH_ACTORS_KNOWN_KNOWN_FOLDER_H

#include "actors/known/known_plan.h"
#include "core/base/path.h"

struct known_folder_options {
    const char *folder;             /* absolute, without symbolic links */
    const struct path_roots *roots; /* all that a file is opened through; it holds the folder */
    int64_t max_file;               /* bytes of a photo (KITH_MAX_IMAGE) */
    int max_files;                  /* files and folders (KITH_KNOWN_PEOPLE_FILES) */
    bool links_to_roots;            /* KITH_KNOWN_PEOPLE_LINKS */
    bool flat;                      /* KITH_FLAT */
    bool forget;                    /* KITH_KNOWN_PEOPLE_FORGET */
};

enum known_scan_stage { KNOWN_SCAN_LIST, KNOWN_SCAN_READ, KNOWN_SCAN_PLAN, KNOWN_SCAN_DONE };

struct known_folder_scan {
    struct msg head;
    const struct known_folder_options *options; /* borrowed */
    char model[128];                            /* of the recogniser; "": not known */
    const struct store_reply *known, *legacy;   /* one reference each; read only */
    enum known_scan_stage stage;
    int unread, read, next; /* files to read, read so far, and where to go on */
    bool *wanted;           /* of each file: to be read */
    /* the result */
    int status;                 /* 0 or negative errno: the folder cannot be read */
    struct known_photo *photos; /* all of them, sorted by path */
    int count, capacity;
    struct known_plan plan;
    char **unreadable; /* folders that could not be read; owned */
    int unreadable_count, folders;
    bool too_many;        /* the folder holds more than max_files */
    int hidden, other;    /* files that were skipped: hidden ones and thumbnails of file managers; no photos */
    int bad_names;        /* folders and photos that were skipped because their name is not UTF-8 */
    char *bad_name;       /* owned; the path of one of them */
    uint64_t comparisons; /* strings compared by the lookups */
};

/* A job. Takes the references to `known` (STORE_KNOWN_FILES) and `legacy` (STORE_ADOPTED_PHOTOS). Loop thread. */
struct known_folder_scan *known_folder_scan_new(uint32_t type, const struct known_folder_options *options,
                                                const char *model, const struct store_reply *known,
                                                const struct store_reply *legacy);
/* Does a part of the scan: repeat until `stage` is KNOWN_SCAN_DONE. It blocks on the disk: for a file thread. */
void known_folder_scan_work(struct msg *job);

#endif
