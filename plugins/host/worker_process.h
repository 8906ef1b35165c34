/* The parent's side of one worker: starts it, gives it one job at a time, posts what it says to an actor.
 *
 * A worker is a child process (this binary again, `kith worker`), or a thread for a trusted plug-in. Whatever ends it,
 * a crash, a kill, a refusal to start, arrives as exactly one WORKER_GONE; then worker_free(). Loop thread.
 */
#ifndef KITH_PLUGINS_HOST_WORKER_PROCESS_H
#define KITH_PLUGINS_HOST_WORKER_PROCESS_H

#include "core/actor/system.h"
#include "core/base/arena.h"
#include "core/store/store.h"
#include "plugins/host/protocol.h"

#include <uv.h>

struct worker;

enum worker_message { WORKER_READY = 0x3000, WORKER_DONE, WORKER_GONE };

/* What it posts. Faces carry no person yet; a label stands in `person_name` with its distance. */
struct worker_event {
    struct msg head;
    struct arena arena;
    uint64_t worker;           /* the number given at the start: an event of an older worker is not mixed up */
    uint64_t serial;           /* DONE: of the job */
    struct packet_hello hello; /* of this worker, once it was ready */
    struct packet_done done;
    struct face *faces;
    int face_count;
    uint8_t *picture;
    size_t picture_len;
    char seen[SHA256_HEX_BYTES]; /* GONE: what it was working on, "" when it had not come so far */
    char words[REASON_BYTES];    /* GONE: why */
};

struct worker_options {
    uv_loop_t *loop;
    struct actor_system *system;
    struct actor *actor;
    const char *program, *plugin_file;
    const struct kith_setting *settings; /* ends with a NULL name */
    uint64_t max_pixels, max_image, max_memory;
    uint32_t max_faces, cpu_s;
    int thread, network;
};

/* Starts one; READY or GONE will be posted. NULL with `error` when not even a process could be made. */
struct worker *worker_start(const struct worker_options *options, uint64_t number, struct error *error);

/* One job at a time. `fd` stays the caller's; -1: by its path alone. 0 or negative errno (the worker is then going). */
int worker_send(struct worker *w, uint64_t serial, const struct packet_job *job, const char *path, int fd);
/* The hashes that it must refuse: `count` times SHA256_HEX_BYTES. */
int worker_quarantine(struct worker *w, const char *hashes, size_t count);

/* It must end now. WORKER_GONE follows. A thread cannot be killed: it is left behind. */
void worker_kill(struct worker *w);

/* After WORKER_GONE; or at the end of the program, when it kills what still runs. */
void worker_free(struct worker *w);

int worker_pid(const struct worker *w); /* 0: a thread */

/* A descriptor of sealed memory that holds the bytes, or negative errno. Any thread. */
int worker_memory(const void *data, size_t len);

#endif
