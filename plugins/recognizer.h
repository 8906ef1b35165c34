/* The recogniser ABI: what a plug-in gives kith, and what kith gives a plug-in. Self-contained; C and C++.
 *
 * A plug-in is one shared object with one exported function, kith_recognizer_get(), which returns a constant
 * descriptor. It runs in a worker process of its own, without network, without files to open after open() has returned,
 * under limits of memory and CPU time; if it crashes or hangs, one try of one image is lost. One that asks another
 * machine says KITH_NEEDS_NETWORK, and whoever runs kith must have allowed it.
 *
 * Rules that never change:
 *  - plain C types only; what a plug-in allocates it frees; no exception leaves it (catch (...) in every function);
 *  - one instance is used by one thread;
 *  - what the plug-in returns stays valid until its next call;
 *  - new members come only at the end of a struct, whose `size` says how much of it the other side knows;
 *  - what does not fit is refused when it is loaded, in words that name both versions.
 *
 * The host decodes: a plug-in gets upright RGB pixels (EXIF orientation applied) and, if it asks, the path and the
 * bytes of the file. A face is a box, landmarks and either an embedding, which kith compares with its gallery, or a
 * label, when the recogniser has matched it itself. plugins/example/ is a worked example.
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
    KITH_NEEDS_PIXELS = 1, /* decoded RGB */
    KITH_NEEDS_BYTES = 2,  /* the file as it is */
    KITH_NEEDS_PATH = 4,   /* its name, as the client gave it. A recogniser that needs nothing else of the image gets it
                              even when kith cannot read the file itself; its health() is the whole health check */
    KITH_NEEDS_NETWORK = 8, /* it connects to other machines (KITH_PLUGIN_ALLOW_NET) */
    KITH_NEEDS_QUALITY = 16 /* what it says of a face's quality is the detector's word alone: the host shall look at the
                               pixels for size, sharpness, contrast and pose. They are faces, photographed */
};

enum kith_status {
    KITH_OK = 0,
    KITH_BAD_IMAGE = 1, /* this image is to blame: it fails, the recogniser is well */
    KITH_FAILED = -1    /* the recogniser is: the image is tried again */
};

struct kith_setting {
    const char *name, *value;
};

struct kith_settings { /* all of kith's settings by name, "models", "min_face", …; ends with a NULL name */
    uint32_t size;
    const struct kith_setting *list;
};

struct kith_image {
    uint32_t size;
    uint32_t width, height; /* of `rgb` */
    uint32_t stride;        /* bytes of a row */
    const uint8_t *rgb;     /* upright, 3 bytes a pixel; NULL when not needed */
    const uint8_t *bytes;   /* the file; NULL when not needed */
    uint64_t bytes_len;
    const char *path;   /* "" when it came as bytes */
    double scale;       /* pixels of `rgb` for one pixel of the picture: 1, or less when it was decoded smaller */
    uint32_t max_faces; /* more are not taken */
    const char *trace;  /* W3C trace context of who sent it, for calls to others; "": none */
    uint32_t jitters;   /* an enrolment: the embedding may be the mean of so many slightly moved views; 0: just one */
};

#define KITH_LANDMARKS_MAX 68

struct kith_face {
    uint32_t size;
    float x, y, width, height; /* in pixels of `rgb`; all 0, with a label: it does not say where */
    float quality;             /* 0 to 1: how good the picture is, or KITH_NEEDS_QUALITY */
    uint32_t landmark_count;
    const float *landmarks; /* pairs x, y; 5 in dlib's order or 68 in iBUG's tell the host where the face looks */
    const float *embedding; /* `dimension` numbers, or NULL when `label` is given */
    const char *label;      /* the name of a photo of that person (person_images), or the person's; "": nobody it knows;
                               NULL: kith shall compare the embedding */
    float label_distance;   /* on the scale of `threshold` */
};

enum kith_stage { KITH_DETECT, KITH_ALIGN, KITH_EMBED, KITH_STAGES };

struct kith_result {
    uint32_t size;
    uint32_t face_count;
    const struct kith_face *faces;
    float stage_ms[KITH_STAGES]; /* of enum kith_stage: how long each took; 0: it does not say */
};

struct kith_recognizer {
    uint32_t magic, abi;
    uint32_t size; /* sizeof(struct kith_recognizer) when the plug-in was built */
    uint32_t needs;
    const char *name, *version;
    const char *model_id; /* embeddings of different ids are never compared */
    uint32_t metric;      /* of its embeddings */
    uint32_t dimension;   /* numbers of an embedding; 0 when it only gives labels */
    double threshold;     /* the largest distance at which two are the same person */
    uint32_t wanted_side; /* a longer side than this is of no use to it: the host may decode smaller; 0: as it is */
    /* An instance, or NULL with words in `error`. May read files; takes as long as it takes. */
    void *(*open)(const struct kith_settings *settings, char *error, size_t error_size);
    /* KITH_OK when it can work. */
    int (*health)(void *instance, char *error, size_t error_size);
    /* Fills `result`; no face is KITH_OK with none. */
    int (*recognize)(void *instance, const struct kith_image *image, struct kith_result *result, char *error,
                     size_t error_size);
    void (*close)(void *instance); /* NULL is fine */
    uint32_t face_side; /* a face is seen at its best when it is so many pixels wide: where faces of min_face are
                           larger than that the host may decode smaller; 0: as it is */
};

/* Descriptors of before `face_side` are this long: the least that is loaded. */
#define KITH_RECOGNIZER_LEAST offsetof(struct kith_recognizer, face_side)

/* The one symbol a plug-in exports. The same pointer at every call. */
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
