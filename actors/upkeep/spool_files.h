/* File jobs of the retry and janitor actors: list old files of the spool, remove files and thumbnails.
 *
 * Made on the loop thread, run by a file thread, and delivered back to the actor that started them.
 */
#ifndef KITH_ACTORS_UPKEEP_SPOOL_FILES_H
#define KITH_ACTORS_UPKEEP_SPOOL_FILES_H

#include "core/store/spool.h"

enum { SPOOL_FOLDERS = 257, SPOOL_FOLDER_TMP = 256, SPOOL_LIST_MAX = 256 };

struct spool_list { /* a job: the next old files of one folder, in the order of their names */
    struct msg head;
    const struct spool *spool; /* borrowed, as thumbs */
    const char *thumbs;        /* folder of the thumbnails; those older than thumb_age_ms are removed */
    int64_t age_ms, thumb_age_ms;
    int folder;               /* 0 to 255: of that first byte of the hash; SPOOL_FOLDER_TMP: unfinished uploads */
    char after[NAME_MAX + 1]; /* the list begins behind this name; "": at the first */
    /* the result */
    char *paths[SPOOL_LIST_MAX]; /* owned */
    int count;
    int next;                /* for the caller */
    bool more;               /* the list is full: `last` is where the next one begins */
    char last[NAME_MAX + 1]; /* the last name that was examined */
};

struct spool_list *spool_list_new(uint32_t type);
void spool_list_work(struct msg *job);

/* The file of the spool that a stored path names, wherever the folder is now. False: the path is not in the spool. */
bool spool_find_file(const struct spool *spool, const char *path, char file[static PATH_MAX]);
/* Removes the thumbnails of `sha256` and the file `path`; each may be NULL. 0: nothing is left of them; -EAGAIN: the
 * file is younger than age_ms, another upload of its bytes may be under way; or a negative errno. File thread. */
int spool_remove_image(const char *thumbs, const char *path, const char *sha256, int64_t age_ms);
void spool_remove_all_thumbnails(const char *thumbs); /* file thread */

struct spool_removal { /* a job: removes a file that is at least age_ms old, and the thumbnails of an image */
    struct msg head;
    const char *thumbs; /* borrowed */
    char path[PATH_MAX];
    char sha256[SHA256_HEX_BYTES];
    int64_t age_ms;
};

/* `path` or `sha256` may be NULL: no file, no thumbnails. */
struct spool_removal *spool_removal_new(uint32_t type, const char *thumbs, const char *path, const char *sha256,
                                        int64_t age_ms);
void spool_removal_work(struct msg *job);

#endif
