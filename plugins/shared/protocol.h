/* The protocol between parent and worker, on a SOCK_SEQPACKET socket. Both are the same binary, so structs are sent as
 * they are in memory; the parent does not trust a worker and checks every number.
 *
 *   parent                          worker
 *   CONFIG  ──────────────────────▶ loads the plug-in
 *           ◀────────────────────── HELLO; or REFUSED with a reason, then it exits
 *   QUARANTINE (a set of hashes) ─▶
 *   JOB + descriptor of the image ▶ reads it whole
 *           ◀────────────────────── SEEN (its hash), FACE …, PICTURE …, DONE
 */
#ifndef KITH_PLUGINS_SHARED_PROTOCOL_H
#define KITH_PLUGINS_SHARED_PROTOCOL_H

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
    uint32_t kind, len; /* len: bytes that follow */
    uint64_t serial;    /* of the job */
};

struct packet_config { /* followed by the plug-in's file and name, value pairs, each ended by a NUL */
    uint64_t max_pixels, max_image, max_memory;
    uint32_t max_faces, max_scans, cpu_s;
    uint32_t parent;
    uint32_t sandbox; /* 0: a thread of the parent */
    uint32_t network; /* the plug-in may connect to other machines */
};

/* What limits the files that a plug-in can open (plugins/worker/sandbox_files.h). */
enum sandbox_files {
    SANDBOX_FILES_NONE, /* also for a thread */
    SANDBOX_FILES_LANDLOCK,
    SANDBOX_FILES_NAMESPACE,
    SANDBOX_FILES_USER,
    SANDBOX_FILES_COUNT
};

struct packet_hello {
    char name[64], version[64], model[128];
    uint32_t metric, dimension;
    double threshold;
    uint32_t needs; /* enum kith_needs */
    uint32_t files; /* enum sandbox_files */
};

/* For the log: what limits the files of a worker. */
static inline const char *hello_files_text(const struct packet_hello *h)
{
    static const char *const texts[SANDBOX_FILES_COUNT] = {"unlimited", "landlock", "namespace", "user nobody"};

    return texts[h->files < SANDBOX_FILES_COUNT ? h->files : SANDBOX_FILES_NONE];
}

/* Whether the recogniser needs only the path of an image; kith may be unable to read the file. */
static inline int hello_by_path(const struct packet_hello *h)
{
    return h->needs && !(h->needs & (KITH_NEEDS_PIXELS | KITH_NEEDS_BYTES));
}

enum job_kind {
    JOB_RECOGNIZE = 1,
    JOB_HEALTH, /* calls health(), then as JOB_RECOGNIZE */
    JOB_PICTURE /* the picture or a part of it, scaled down, as JPEG */
};

struct packet_job { /* followed by the path, ended by a NUL */
    uint32_t kind, side;
    double x, y, width, height; /* JOB_PICTURE, JOB_RECOGNIZE: the part; width 0: all */
    uint32_t enrol;             /* the face becomes a template: `jitters` applies */
    char trace[64];             /* "": none */
};

struct packet_face { /* followed by the landmarks, the embedding, the label with its NUL */
    float x, y, width, height, quality, label_distance;
    uint32_t landmark_count, dimension, label_bytes;
    uint32_t flaw; /* enum quality_flaw: the factor that lowers its quality most */
};

enum work_status {
    WORK_OK = 0,
    WORK_BAD_IMAGE,   /* the image cannot be processed */
    WORK_QUARANTINED, /* the image is in quarantine (KITH_QUARANTINE) */
    WORK_FAILED       /* the recogniser failed */
};

struct packet_done {
    uint32_t status, face_count, width, height;
    uint64_t cpu_us, rss_bytes;
    float decode_ms, stage_ms[KITH_STAGES]; /* durations; 0: unknown */
    uint32_t partial;                       /* 1: the file is cut short; the picture was looked at as far as it goes */
    char sha256[SHA256_HEX_BYTES];
    char reason[REASON_BYTES];
};

/* A JPEG of up to this many times KITH_MAX_PIXELS is decoded at a smaller scale. */
enum { SHRUNK_PIXELS = 4 };

#endif
