/* The recogniser ABI: the interface between kith and a recogniser plug-in. Self-contained; for C and C++.
 *
 * A plug-in is a shared object that exports one function, kith_recognizer_get(), which returns a constant descriptor.
 * It runs in a worker process without network access, which has limits of memory and CPU time. open() may read the
 * plug-in's own file, the folder of the setting `models`, the files of KITH_PLUGIN_FILES and the system's libraries;
 * after it has returned, no file can be opened. A crash or a hang costs one attempt of one image. A plug-in that connects to other machines sets
 * KITH_NEEDS_NETWORK; the operator must allow it (KITH_PLUGIN_ALLOW_NET).
 *
 * Rules of every ABI version:
 *  - plain C types only; a plug-in frees what it allocates; no exception leaves it (catch (...) in every function);
 *  - one instance is used by one thread;
 *  - returned data stays valid until the next call of the same instance;
 *  - members are added only at the end of a struct; its `size` tells the other side which members exist;
 *  - a plug-in that does not match is refused when it is loaded, with an error that names both versions.
 *
 * The host decodes images: a plug-in receives upright RGB pixels (EXIF orientation applied) and, on request, the path
 * and the bytes of the file. A face is a box, landmarks and either an embedding, which kith compares with its gallery,
 * or a label, when the recogniser matches by itself. plugins/example/ is a worked example.
 */
#ifndef KITH_RECOGNIZER_H
#define KITH_RECOGNIZER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_RECOGNIZER_MAGIC 0x6b697468u /* "kith" */
#define KITH_RECOGNIZER_ABI   1u

/* How two embeddings are compared. Smaller is nearer for all three. */
enum kith_metric {
    KITH_METRIC_L2 = 1,        /* Euclidean distance */
    KITH_METRIC_COSINE = 2,    /* 1 - cosine of the angle */
    KITH_METRIC_CHI_SQUARE = 3 /* sum of 2 (a-b)^2 / (a+b), as OpenCV's HISTCMP_CHISQR_ALT */
};

enum kith_needs {
    KITH_NEEDS_PIXELS = 1,  /* decoded RGB */
    KITH_NEEDS_BYTES = 2,   /* the undecoded file */
    KITH_NEEDS_PATH = 4,    /* the path from the client. A recogniser that needs only the path gets it even for a file
                               that kith cannot read; the health check then calls health() alone */
    KITH_NEEDS_NETWORK = 8, /* it connects to other machines (KITH_PLUGIN_ALLOW_NET) */
    KITH_NEEDS_QUALITY = 16 /* the `quality` of a face is only the detector's confidence: the host also measures size,
                               sharpness, contrast and pose. For recognisers of photographed faces */
};

enum kith_status {
    KITH_OK = 0,
    KITH_BAD_IMAGE = 1, /* the image cannot be processed: it fails for good */
    KITH_FAILED = -1    /* the recogniser failed: the image is retried, the circuit breaker counts it */
};

struct kith_setting {
    const char *name, *value;
};

struct kith_settings { /* all settings of kith by name ("models", "min_face", …); the list ends with a NULL name */
    uint32_t size;
    const struct kith_setting *list;
};

struct kith_image {
    uint32_t size;
    uint32_t width, height; /* of `rgb` */
    uint32_t stride;        /* bytes from row to row */
    const uint8_t *rgb;     /* upright, 3 bytes per pixel; NULL unless KITH_NEEDS_PIXELS */
    const uint8_t *bytes;   /* the file; NULL unless KITH_NEEDS_BYTES */
    uint64_t bytes_len;
    const char *path;   /* "" for an upload without a path */
    double scale;       /* size of `rgb` relative to the full picture: 1, or less when it was decoded smaller */
    uint32_t max_faces; /* the host ignores further faces */
    const char *trace;  /* W3C traceparent of the request, for calls to other services; "": none */
    uint32_t
        jitters; /* enrolment: the embedding may be the mean of so many distorted views; 0: one view, undistorted */
};

#define KITH_LANDMARKS_MAX 68

struct kith_face {
    uint32_t size;
    float x, y, width, height; /* in pixels of `rgb`; all 0 when a label has no box */
    float quality;             /* 0 to 1; with KITH_NEEDS_QUALITY the detector's confidence */
    uint32_t landmark_count;
    const float *landmarks; /* pairs x, y; from 5 in dlib's order or 68 in iBUG's the host estimates the pose */
    const float *embedding; /* `dimension` numbers, or NULL when `label` is given */
    const char *label;      /* the name of a photo of the person (person_images), or of the person; "": unknown;
                               NULL: kith compares the embedding */
    float label_distance;   /* in the units of `threshold` */
};

enum kith_stage { KITH_DETECT, KITH_ALIGN, KITH_EMBED, KITH_STAGES };

struct kith_result {
    uint32_t size;
    uint32_t face_count;
    const struct kith_face *faces;
    float stage_ms[KITH_STAGES]; /* duration of each stage; 0: unknown */
};

struct kith_recognizer {
    uint32_t magic, abi;
    uint32_t size; /* sizeof(struct kith_recognizer) when the plug-in was built */
    uint32_t needs;
    const char *name, *version;
    const char *model_id; /* embeddings of different ids are not comparable */
    uint32_t metric;      /* of its embeddings */
    uint32_t dimension;   /* elements of an embedding; 0 for labels only */
    double threshold;     /* largest distance of two embeddings of the same person */
    uint32_t wanted_side; /* longest side it can use: the host may decode smaller; 0: full size */
    /* Returns an instance, or NULL with the reason in `error` (UTF-8). May read files; KITH_START_TIMEOUT applies. */
    void *(*open)(const struct kith_settings *settings, char *error, size_t error_size);
    /* KITH_OK when the instance can process images; else the reason in `error`. */
    int (*health)(void *instance, char *error, size_t error_size);
    /* Fills `result`. An image without a face is KITH_OK with face_count 0. */
    int (*recognize)(void *instance, const struct kith_image *image, struct kith_result *result, char *error,
                     size_t error_size);
    void (*close)(void *instance); /* accepts NULL */
    uint32_t face_side; /* width of a face in pixels above which more resolution is not used: where min_face is
                           larger, the host may decode smaller; 0: full size */
};

/* Size of descriptors before `face_side` was added: the smallest that is accepted. */
#define KITH_RECOGNIZER_LEAST offsetof(struct kith_recognizer, face_side)

/* The only symbol a plug-in exports. Returns the same pointer at every call. */
typedef const struct kith_recognizer *(*kith_recognizer_fn)(void);

#ifdef __GNUC__
__attribute__((visibility("default")))
#endif
const struct kith_recognizer *
kith_recognizer_get(void);

#ifdef __cplusplus
}
#endif
#endif
