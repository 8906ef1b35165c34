/* Marks of images whose files have gone or changed since they were looked at, for one answer.
 *
 * The loop thread makes the job from the store's reply. A file thread reads the stamps of the files, one for each image
 * of the reply (a page has KITH_PAGE_LIMIT images at most), and the job comes back to the actor as a message.
 */
#ifndef KITH_ACTORS_FRONTEND_FILE_MARKS_H
#define KITH_ACTORS_FRONTEND_FILE_MARKS_H

#include "actors/api/request.h"
#include "core/base/path.h"

struct file_marks {
    struct msg head;
    struct arena arena;
    const struct path_roots *roots; /* borrowed */
    const struct store_reply *from; /* referenced */
    struct image *images;           /* those of the reply; the job sets their file_mark */
    int count;
    bool list;         /* for the actor: the answer is a list */
    struct call *call; /* owned */
};

/* Refers to `reply`, takes `call`. The caller owns the job. */
struct file_marks *file_marks_new(const struct path_roots *roots, const struct store_reply *reply, struct call *call);
void file_marks_work(struct msg *job); /* file thread */

#endif
