/* Checks the paths of a request without blocking the loop thread.
 *
 * A relative path is looked up in the image roots when there are several, which may block on a slow file system: such
 * paths are checked by a file thread, and the job comes back to the actor as a message. Others are checked at once.
 *
 * Loop thread. While the job is with a file thread nothing else may touch it.
 */
#ifndef KITH_ACTORS_API_PATH_JOB_H
#define KITH_ACTORS_API_PATH_JOB_H

#include "actors/api/request.h"
#include "core/actor/offload.h"
#include "core/base/path.h"

struct path_job {
    struct msg head;
    struct arena arena;
    const struct path_roots *roots; /* borrowed */
    size_t max_path;                /* bytes (KITH_MAX_PATH) */
    struct call *call;              /* owned; the actor takes it out (NULL) to go on with it */
    struct msg *then;               /* owned; a message that the actor prepared for after the check, or NULL */
    /* The paths as received; after the check their normalized names. */
    struct path_job_entry {
        const char *text;
        size_t len;
        const char *refused; /* with `each`: why this path alone was refused, or NULL */
    } * paths;
    int count, capacity;
    bool relative; /* one of the paths is */
    bool each;     /* a path that is refused does not end the check of the others */
    /* A refusal that was found behind the paths: it counts when all paths are good. 0: none. */
    int refusal_status;
    const char *refusal_slug;
    char refusal_text[512];
    /* The result: 0, or the code of the first path that was refused, its index and the reason. */
    int status, failed;
    struct error error;
};

typedef void (*path_job_done_fn)(struct actor *self, struct path_job *job);

/* `type`: of the message that comes back. Takes `call`. Returns owned. */
struct path_job *path_job_new(uint32_t type, const struct path_roots *roots, size_t max_path, struct call *call);
/* Copies a path of `len` bytes. */
void path_job_add(struct path_job *job, const char *path, size_t len);
/* Adds a path that is refused already. */
void path_job_add_refused(struct path_job *job, const char *reason);
/* Takes `job`. Calls `done` at once when no disk access is needed; else the actor calls it when the job arrives.
 * Answers 503 when too many jobs wait for the file threads. */
void path_job_start(struct actor *self, struct offload *files, struct path_job *job, path_job_done_fn done);
/* How a request with a refused path is answered. */
struct path_refusal {
    int http; /* 400, 403: outside the roots, 503: a root cannot be read now */
    const char *slug;
};
struct path_refusal path_job_refusal(const struct path_job *job);
/* Whether the client left while the job ran. The result is of no use then. */
bool path_job_left(const struct path_job *job);

#endif
