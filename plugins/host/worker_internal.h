/* What the sources of worker_process.h share: the state of one worker in the parent process. Loop thread. */
#ifndef KITH_PLUGINS_HOST_WORKER_INTERNAL_H
#define KITH_PLUGINS_HOST_WORKER_INTERNAL_H

#include "plugins/host/worker_process.h"

#include <stdbool.h>
#include <sys/types.h>

/* A job that the socket had no space for. */
struct worker_pending_job {
    bool waiting;
    struct packet_job job;
    char *path; /* owned */
    int fd;     /* owned duplicate, or -1 */
};

/* Standard output and error of a process. */
struct worker_output {
    bool open;
    int fd; /* the reading end of the pipe */
    uv_poll_t poll;
    char line[512];
    size_t len;
    uint64_t window_ms; /* begin of the interval in which `lines` were logged */
    uint32_t lines;
    uint64_t dropped;
};

struct worker {
    struct worker_options options;
    uint64_t number;
    uv_process_t process;
    uv_poll_t poll;
    int fd; /* of the socket */
    bool has_process, exited;
    bool closed;      /* the socket */
    bool ready;       /* WORKER_READY was posted */
    bool posted_gone; /* WORKER_GONE */
    bool freeing;
    int open_handles; /* libuv handles whose close callback has not run */
    int64_t exit_status;
    int exit_signal;
    uint64_t serial; /* of the current job; 0: none */
    struct packet_hello hello;
    char fault[REASON_BYTES];   /* the first invalid number in the answer to the current job; "": none */
    struct worker_event *event; /* collects the packets of the current job */
    char *packet;               /* receive buffer, PACKET_MAX bytes */
    char *quarantine;           /* owned: the latest list of hashes */
    size_t quarantine_count;
    bool quarantine_changed; /* the worker has an older list */
    struct worker_pending_job pending;
    struct worker_output output;
};

/* worker_process.c: posts the collected event as message `type` and begins a new one. */
void worker_post_event(struct worker *w, uint32_t type);
/* Close callback of all libuv handles of a worker; the last one frees it when worker_free() was called. */
void worker_handle_closed(uv_handle_t *handle);
/* Close callback's counterpart for the child process: libuv calls it when the process has ended. */
void worker_process_exited(uv_process_t *process, int64_t status, int signal);
/* Starts or updates the poll of the socket: always for reading, for writing only while a job waits. */
void worker_update_poll(struct worker *w);

/* worker_receive.c: handles one packet. False when it violates the protocol; the worker must then be killed. */
bool worker_receive_packet(struct worker *w, const char *data, size_t len);

/* worker_send.c: each returns 0 or a negative errno. */
int worker_send_config(struct worker *w);
/* Sends the quarantine list and the job that wait. -EAGAIN: the socket is full, call again when it is writable. */
int worker_send_pending(struct worker *w);
void worker_drop_pending(struct worker *w);

/* worker_stderr.c: makes the pipe for the output of a process. The writing end, which the caller closes after the
 * process has it, or a negative errno. */
int worker_stderr_open(struct worker *w);
/* Logs what is left and closes the reading end. Does nothing when it is closed. */
void worker_stderr_close(struct worker *w);

/* worker_spawn.c: starts the worker at the other end of `fd`, which stays the caller's for a process and belongs to
 * the thread for a thread. 0 or a negative errno. */
int worker_spawn_process(struct worker *w, int fd);
int worker_spawn_thread(int fd);

#endif
