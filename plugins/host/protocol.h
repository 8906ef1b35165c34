/* What the two ends of a worker's socket (SOCK_SEQPACKET) say to each other. Both are the same binary, so structs
 * travel as they are; but the parent trusts nothing that comes from a worker and checks every number.
 *
 *   parent                          worker
 *   CONFIG  ──────────────────────▶ loads the plug-in
 *           ◀────────────────────── HELLO, or REFUSED with words, and it ends
 *   QUARANTINE (a set of hashes) ─▶
 *   JOB + descriptor of the image ▶ reads it whole
 *           ◀────────────────────── SEEN (its hash), FACE …, PICTURE …, DONE
 */
#ifndef KITH_PLUGINS_HOST_PROTOCOL_H
#define KITH_PLUGINS_HOST_PROTOCOL_H

#include "core/base/error.h"
#include "core/base/hash.h"
#include "plugins/recognizer.h"

enum {
    PACKET_MAX = 160 * 1024,
    PICTURE_PART = 128 * 1024,
    REASON_BYTES = sizeof(((struct error *)0)->text),
    WORKER_FD = 3
};

enum packet_kind {
    PACKET_CONFIG = 1,
    PACKET_HELLO,
    PACKET_REFUSED,
    PACKET_QUARANTINE,
    PACKET_JOB,
    PACKET_SEEN,
    PACKET_FACE,
    PACKET_PICTURE,
    PACKET_DONE
};

struct packet {
    uint32_t kind, len; /* len: of what follows */
    uint64_t serial;    /* of the job */
};

struct packet_config { /* followed by the plug-in's file and name, value pairs, each ended by a NUL */
    uint64_t max_pixels, max_image, max_memory;
    uint32_t max_faces, cpu_s;
    uint32_t parent;
    uint32_t sandbox; /* 0: a thread of the parent */
    uint32_t network; /* the plug-in may connect to other machines */
};

struct packet_hello {
    char name[64], version[64], model[128];
    uint32_t metric, dimension;
    double threshold;
    uint32_t needs; /* enum kith_needs */
};

/* Whether it works from an image's name alone: the file may be out of our reach. */
static inline int hello_by_path(const struct packet_hello *h)
{
    return h->needs && !(h->needs & (KITH_NEEDS_PIXELS | KITH_NEEDS_BYTES));
}

enum job_kind {
    JOB_RECOGNIZE = 1,
    JOB_HEALTH, /* the plug-in's own check, then like RECOGNIZE */
    JOB_PICTURE /* the whole picture, or a part, as a small JPEG */
};

struct packet_job { /* followed by the path, ended by a NUL */
    uint32_t kind, side;
    double x, y, width, height; /* JOB_PICTURE: the part; width 0: all */
    uint32_t enrol;             /* the face becomes a template: it may cost more */
    char trace[64];             /* "": none */
};

struct packet_face { /* followed by the landmarks, the embedding, the label with its NUL */
    float x, y, width, height, quality, label_distance;
    uint32_t landmark_count, dimension, label_bytes;
    uint32_t flaw; /* enum quality_flaw: what its quality lacks most */
};

enum work_status {
    WORK_OK = 0,
    WORK_BAD_IMAGE,   /* the image is to blame */
    WORK_QUARANTINED, /* these bytes are refused for a while */
    WORK_FAILED       /* the recogniser is to blame */
};

struct packet_done {
    uint32_t status, face_count, width, height;
    uint64_t cpu_us, rss_bytes;
    float decode_ms, stage_ms[KITH_STAGES]; /* how long each took; 0: it does not say */
    char sha256[SHA256_HEX_BYTES];
    char reason[REASON_BYTES];
};

#endif
