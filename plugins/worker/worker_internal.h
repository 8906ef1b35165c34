/* What the sources of a worker share. One thread.
 *
 *   worker_main.c   start and main loop
 *   worker_files.c  the files that the plug-in may read
 *   worker_image.c  one job: reads, decodes and recognises an image
 *   worker_reply.c  packets to the parent
 */
#ifndef KITH_PLUGINS_WORKER_WORKER_INTERNAL_H
#define KITH_PLUGINS_WORKER_WORKER_INTERNAL_H

#include "core/base/buf.h"
#include "plugins/shared/protocol.h"
#include "plugins/worker/image/decode.h"

#include <stdbool.h>

struct child {
    int fd;    /* of the socket */
    int statm; /* /proc/self/statm, opened before the sandbox forbids it; -1: none */
    struct packet_config config;
    enum sandbox_files files;
    double min_face;  /* setting: width of the smallest face, pixels; 0: not set */
    uint32_t jitters; /* setting: views of an enrolment */
    const struct kith_recognizer *plugin;
    void *instance;
    char *quarantine; /* refused hashes, SHA256_HEX_BYTES each; owned */
    size_t quarantine_count;
    struct buf out; /* body of a packet */
    char in[PACKET_MAX];
};

struct child_job {
    const struct packet_job *request;
    const char *path;
    uint64_t serial;
    uint8_t *bytes; /* the file; owned */
    size_t len;
    double left, top;        /* where the part that is recognised begins, in pixels of the full picture */
    struct packet_done done; /* the answer */
};

/* worker_image.c: performs the job and fills `job->done`. `fd`: the image, or -1 when only its path is known. */
void job_run(struct child *c, struct child_job *job, int fd);

enum { WORKER_FILES_MAX = 62 };

/* worker_files.c: lists the files and folders that the plug-in `file` may read; ends with NULL. Their names stay in
 * `text`, of `size` bytes. 0, or -EINVAL with `error` when there are too many. */
int files_list(const char *file, const struct kith_setting *settings, bool network, char *text, size_t size,
               const char *list[WORKER_FILES_MAX + 1], struct error *error);

/* worker_reply.c. Sends a packet whose body is `a` followed by `b`: 0 or a negative errno. */
int reply_packet(const struct child *c, uint32_t kind, uint64_t serial, const void *a, size_t a_len, const void *b,
                 size_t b_len);
/* Refuses to start, with the reason. Returns the exit code, 1. */
int reply_refused(const struct child *c, const char *reason);
/* Reports that the worker is ready. Returns the exit code: 0, or 1 when the socket is closed. */
int reply_hello(const struct child *c);
/* Sends the faces, the largest first and at most `max_faces`, in pixels of the full picture. Fails the job when one of
 * them is invalid. */
void reply_faces(struct child *c, struct child_job *job, const struct kith_result *result, const struct pixels *pixels);
/* Sends a JPEG in parts of PICTURE_PART bytes. */
void reply_picture(const struct child *c, const struct child_job *job, const uint8_t *jpeg, size_t len);
/* Sets the status and the reason of the answer. */
void reply_set_failure(struct child_job *job, enum work_status status, const char *reason);

#endif
