/* One worker as its parent sees it: starts it, gives it one job at a time and posts its answers to an actor.
 *
 * A worker is a child process (this program, run as `kith worker`), or a thread for a trusted plug-in. Its end, for any
 * reason (crash, kill, failed start), is posted as exactly one WORKER_GONE; the owner then calls worker_free(). Every
 * function runs on the loop thread unless it says otherwise.
 *
 *   worker_process.c  start, exit and close      worker_send.c     packets to the worker
 *   worker_spawn.c    the process or the thread  worker_receive.c  packets from the worker
 *   worker_stderr.c   what a process writes, into the log
 */
#ifndef KITH_PLUGINS_HOST_WORKER_PROCESS_H
#define KITH_PLUGINS_HOST_WORKER_PROCESS_H

#include "core/actor/system.h"
#include "core/base/arena.h"
#include "core/store/store.h"
#include "plugins/shared/protocol.h"

#include <uv.h>

struct worker;

enum worker_message { WORKER_READY = 0x3000, WORKER_DONE, WORKER_GONE };

/* The message it posts. Faces have no person yet; `person_name` holds the label of a recogniser that matches by itself,
 * `distance` the distance it reported. All text is valid UTF-8. */
struct worker_event {
    struct msg head;
    struct arena arena;
    uint64_t worker;           /* the `number` of worker_start(): tells events of a replaced worker apart */
    uint64_t serial;           /* DONE: of the job */
    struct packet_hello hello; /* of this worker, once it is ready */
    struct packet_done done;
    struct face *faces;
    int face_count;
    uint8_t *picture;
    size_t picture_len;
    char seen[SHA256_HEX_BYTES]; /* GONE: hash of the image it was working on; "" before it had read it */
    char words[REASON_BYTES];    /* GONE: the reason */
};

struct worker_options {
    uv_loop_t *loop;
    struct actor_system *system;
    struct actor *actor;
    const char *program, *plugin_file;
    const struct kith_setting *settings; /* ends with a NULL name */
    uint64_t max_pixels, max_image, max_memory;
    uint32_t max_faces, max_scans, cpu_s;
    int thread, network;
};

/* Starts a worker; READY or GONE will be posted. The options are copied, the strings and settings in them borrowed.
 * NULL with `error` when the process or the thread cannot be made. */
struct worker *worker_start(const struct worker_options *options, uint64_t number, struct error *error);

/* Sends a job; the worker must have none. `fd` stays the caller's and may be closed at once; -1: the worker gets the
 * path alone. A job that does not fit into the socket is sent when it is writable. 0, or negative errno: the caller
 * must then kill the worker. */
int worker_send(struct worker *w, uint64_t serial, const struct packet_job *job, const char *path, int fd);
/* Replaces the list of hashes that the worker refuses: `count` × SHA256_HEX_BYTES, copied. It is in force from the next
 * job on. */
void worker_quarantine(struct worker *w, const char *hashes, size_t count);

/* Ends the worker; WORKER_GONE follows. A thread cannot be killed: it ends when its job does. */
void worker_kill(struct worker *w);

/* Frees the worker after WORKER_GONE, or kills it first at the end of the program. NULL is allowed. */
void worker_free(struct worker *w);

/* The process id; 0: the worker is a thread. */
int worker_pid(const struct worker *w);

/* A descriptor of sealed memory (memfd_create(2)) that holds a copy of the bytes, or negative errno. Any thread. */
int worker_memory(const void *data, size_t len);

#endif
