#include "actors/frontend/file_marks.h"

#include <errno.h>
#include <string.h>

static void file_marks_destroy(struct msg *m)
{
    struct file_marks *job = (struct file_marks *)m;

    call_free(job->call);
    msg_unref(&job->from->m.head);
    arena_free(&job->arena);
}

struct file_marks *file_marks_new(const struct path_roots *roots, const struct store_reply *reply, struct call *call)
{
    struct file_marks *job = (struct file_marks *)msg_new(MSG_FRONTEND_LOOKED, sizeof *job);
    size_t count = (size_t)reply->image_count;

    job->head.destroy = file_marks_destroy;
    job->roots = roots;
    msg_ref(&reply->m.head);
    job->from = reply;
    job->call = call;
    job->count = reply->image_count;
    job->images = arena_alloc(&job->arena, count * sizeof *job->images + 1);
    memcpy(job->images, reply->images, count * sizeof *job->images);
    job->head.size_bytes += job->arena.total;
    return job;
}

/* An image that waits or is in processing is looked at anyway. The name of an uploaded file is the hash of its bytes.
 */
static enum file_mark file_marks_look(const struct path_roots *roots, const struct image *image)
{
    int status = image_shown_status(image), result;
    struct file_stamp now;
    struct error error;

    if (status == IMAGE_PENDING || status == IMAGE_PROCESSING)
        return FILE_UNMARKED;
    result = path_look(roots, image->path, &now, &error);
    if (result == -ENOENT)
        return FILE_GONE;
    if (result < 0 || image->spooled) /* of a file that cannot be read nothing is known */
        return FILE_UNMARKED;
    return image_file_differs(image, now) ? FILE_CHANGED : FILE_UNMARKED;
}

void file_marks_work(struct msg *m)
{
    struct file_marks *job = (struct file_marks *)m;

    for (int i = 0; i < job->count; i++)
        job->images[i].file_mark = file_marks_look(job->roots, &job->images[i]);
}
