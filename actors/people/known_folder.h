/* Lists the photos of the known-people folder that must be enrolled.
 *
 * The scan is an offload job: it walks the folder, reads size and time of each photo, and compares them with what the
 * store knows. Only photos that need work come back, so the loop thread never walks the whole folder. The lookups are
 * by hash: a scan costs photos + rows, not photos × rows.
 */
#ifndef KITH_ACTORS_PEOPLE_KNOWN_FOLDER_H
#define KITH_ACTORS_PEOPLE_KNOWN_FOLDER_H

#include "core/store/store.h"

struct known_photo {
    char *path, *person, *photo; /* owned; person: from the folder's or file's name; photo: the file's name */
    int64_t size, mtime_ns;
    int64_t legacy_row, legacy_person; /* its row of person_images without a path, and that row's person; 0: none */
};

struct known_folder_scan {
    struct msg head;
    const char *folder; /* borrowed */
    int max_files;
    const struct store_reply *known, *legacy; /* one reference each; read only */
    /* the result */
    int status;                 /* 0 or negative errno: the folder cannot be read */
    struct known_photo *photos; /* to enrol: new, changed, or with a legacy row; sorted by path */
    int count, capacity;
    int seen;             /* photos in the folder, at most max_files */
    bool too_many;        /* the folder holds more than max_files photos */
    int bad_names;        /* folders and photos that were skipped because their name is not UTF-8 */
    char *bad_name;       /* owned; the path of one of them */
    uint64_t comparisons; /* strings compared by the lookups */
};

/* A job. Takes the references to `known` (STORE_KNOWN_FILES) and `legacy` (STORE_ADOPTED_PHOTOS). Loop thread. */
struct known_folder_scan *known_folder_scan_new(uint32_t type, const char *folder, int max_files,
                                                const struct store_reply *known, const struct store_reply *legacy);
/* Runs the scan. It blocks on the disk: for a file thread. */
void known_folder_scan_work(struct msg *job);

#endif
