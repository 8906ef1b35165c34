#include "actors/intake/posted_job.h"

#include <string.h>

static void posted_job_destroy(struct msg *m)
{
    struct posted_job *job = (struct posted_job *)m;

    if (job->call)
        call_free(job->call);
    msg_unref(job->paths ? &job->paths->head : NULL);
    msg_unref(&job->from->m.head);
    arena_free(&job->arena);
}

/* The name of an uploaded file is the hash of its bytes. A file that waits is read later anyway. */
static bool posted_job_matters(const struct image *image)
{
    return image->existing && !image->spooled && image_shown_status(image) != IMAGE_PENDING;
}

bool posted_job_is_needed(const struct posted_job *job)
{
    int i = 0;

    while (i < job->count && !posted_job_matters(&job->images[i]))
        i++;
    return i < job->count;
}

struct posted_job *posted_job_new(uint32_t type, const struct path_roots *roots, const struct store_reply *reply,
                                  struct call *call, struct path_job *paths)
{
    struct posted_job *job = (struct posted_job *)msg_new(type, sizeof *job);
    size_t count = (size_t)reply->image_count;

    job->head.destroy = posted_job_destroy;
    job->roots = roots;
    msg_ref(&reply->m.head);
    job->from = reply;
    job->call = call;
    job->paths = paths;
    job->count = reply->image_count;
    job->images = reply->images;
    if (!posted_job_is_needed(job)) /* nearly always: nothing is copied */
        return job;
    job->images = arena_alloc(&job->arena, count * sizeof *job->images);
    memcpy(job->images, reply->images, count * sizeof *job->images);
    job->files = arena_alloc(&job->arena, count * sizeof *job->files);
    job->head.size_bytes += job->arena.total;
    return job;
}

struct http_request *posted_job_request(const struct posted_job *job)
{
    return job->paths ? job->paths->call->request : job->call->request;
}

void posted_job_work(struct msg *m)
{
    struct posted_job *job = (struct posted_job *)m;
    struct error error;

    for (int i = 0; i < job->count; i++)
        if (posted_job_matters(&job->images[i]))
            path_look(job->roots, job->images[i].path, &job->files[i], &error);
}

/* The end of a run in processing compares the stamps. */
static bool posted_job_may_differ(const struct image *image, struct file_stamp file)
{
    return file_stamp_is_known(file) &&
           (image_shown_status(image) == IMAGE_PROCESSING || image_file_differs(image, file));
}

struct store_posted *posted_job_message(const struct posted_job *job)
{
    struct store_posted *m = STORE_MESSAGE(STORE_POSTED_AGAIN, store_posted);
    struct posted_file *files = arena_alloc(&m->m.arena, (size_t)job->count * sizeof *files + 1);

    for (int i = 0; i < job->count; i++)
        if (posted_job_may_differ(&job->images[i], job->files[i]))
            files[m->count++] = (struct posted_file){.id = job->images[i].id, .file = job->files[i]};
    m->files = files;
    m->m.head.size_bytes += m->m.arena.total;
    if (m->count)
        return m;
    msg_unref(&m->m.head);
    return NULL;
}

void posted_job_apply(struct posted_job *job, const struct store_reply *reply)
{
    int next = 0;

    for (int i = 0; i < job->count && next < reply->image_count; i++)
        if (job->images[i].id == reply->images[next].id) {
            job->images[i].status = reply->images[next].status;
            job->images[i].verdict = reply->images[next].verdict;
            job->images[i].again = true;
            next++;
        }
}
