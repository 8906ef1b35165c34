#include "actors/api/path_job.h"

#include "core/base/disk.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static void path_job_destroy(struct msg *m)
{
    struct path_job *job = (struct path_job *)m;

    if (job->call)
        call_free(job->call);
    msg_unref(job->then);
    arena_free(&job->arena);
}

struct path_job *path_job_new(uint32_t type, const struct path_roots *roots, size_t max_path, struct call *call)
{
    struct path_job *job = (struct path_job *)msg_new(type, sizeof *job);

    job->head.destroy = path_job_destroy;
    job->roots = roots;
    job->max_path = max_path;
    job->call = call;
    return job;
}

void path_job_add(struct path_job *job, const char *path, size_t len)
{
    if (job->count == job->capacity) {
        int more = job->capacity ? job->capacity * 4 : 1;
        struct path_job_entry *paths = arena_alloc(&job->arena, (size_t)more * sizeof *paths);

        if (job->count)
            memcpy(paths, job->paths, (size_t)job->count * sizeof *paths);
        job->paths = paths;
        job->capacity = more;
    }
    job->paths[job->count++] = (struct path_job_entry){.text = arena_copy(&job->arena, path, len), .len = len};
    job->relative |= len > 0 && path[0] != '/';
}

void path_job_add_refused(struct path_job *job, const char *reason)
{
    path_job_add(job, "", 0);
    job->paths[job->count - 1].refused = arena_text(&job->arena, reason);
}

/* The first refusal is the job's. */
static void path_job_refuse(struct path_job *job, int i, int status, const struct error *error)
{
    job->paths[i].refused = arena_text(&job->arena, error->text);
    if (job->status < 0)
        return;
    job->status = status;
    job->failed = i;
    job->error = *error;
}

static void path_job_work(struct msg *m)
{
    struct path_job *job = (struct path_job *)m;
    char name[PATH_MAX];

    for (int i = 0; i < job->count; i++) {
        struct path_job_entry *path = &job->paths[i];
        struct error error = {0};
        int status;

        if (path->refused)
            continue;
        status = path_normalize(job->roots, path->text, path->len, job->max_path, name, sizeof name, &error);
        if (status < 0) {
            path_job_refuse(job, i, status, &error);
            if (!job->each)
                return;
            continue;
        }
        path->len = strlen(name);
        path->text = arena_copy(&job->arena, name, path->len);
    }
}

void path_job_start(struct actor *self, struct offload *files, struct path_job *job, path_job_done_fn done)
{
    struct http_request *request;

    if (!job->relative || !path_roots_are_several(job->roots)) { /* no disk access */
        path_job_work(&job->head);
        done(self, job);
        msg_unref(&job->head);
        return;
    }
    job->head.size_bytes += job->arena.total;
    request = http_request_ref(job->call->request);
    if (offload_run(files, actor_find(actor_system_of(self), actor_name(self)), &job->head, path_job_work) < 0)
        http_problem(request, 503, "busy", "Too many files are being read or written.");
    http_request_unref(request);
}

struct path_refusal path_job_refusal(const struct path_job *job)
{
    if (job->status == -EACCES)
        return (struct path_refusal){403, "outside"};
    if (disk_fault_of(job->status) != DISK_FAULT_FILE)
        return (struct path_refusal){503, "unreadable"};
    return (struct path_refusal){400, "bad-path"};
}

bool path_job_left(const struct path_job *job)
{
    size_t len;

    return !http_request_body(job->call->request, &len); /* a request with paths has a body */
}
