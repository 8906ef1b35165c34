/* Faces, templates and candidates as values: what is matched, and what comes of it. Nothing here owns memory. */
#ifndef KITH_CORE_MATCH_FACE_H
#define KITH_CORE_MATCH_FACE_H

#include <stdint.h>

enum { PERSON_UNKNOWN = -1 };

/* How two embeddings are compared: the numbers of enum kith_metric in plugins/recognizer.h. Smaller is nearer. */
enum match_metric {
    METRIC_L2 = 1,        /* Euclidean distance */
    METRIC_COSINE = 2,    /* 1 - cosine of the angle */
    METRIC_CHI_SQUARE = 3 /* sum of 2 (a-b)^2 / (a+b), as OpenCV's HISTCMP_CHISQR_ALT */
};

struct candidate {
    int64_t person;
    const char *name;
    double distance, similarity;
};

/* By which rule a face has its name, or none; and what it went by. */
enum decision_rule {
    DECIDED_BY_NONE, /* a person named it, or nothing is known of the reasons */
    DECIDED_BY_FIXED,
    DECIDED_BY_FALLBACK,
    DECIDED_BY_FPIR,
    DECIDED_BY_DENIAL,  /* a counter-example is nearer */
    DECIDED_BY_QUALITY, /* the picture of the face is too bad */
    DECIDED_BY_LABEL,   /* the recogniser compared by itself */
    DECISION_RULES
};

struct decision {
    enum decision_rule rule;
    double score, score_threshold; /* BY_RATE; 0 otherwise */
    double mean, threshold;        /* the distance that counted and the largest that would have been enough */
    double quality;                /* the least that is asked for */
    int64_t denied;                /* the person it is not, or 0 */
    int cohort, people;
};

enum { DECISION_BYTES = 192 };
void decision_write(const struct decision *d, char text[static DECISION_BYTES]);
/* Of what decision_write() wrote; anything else is BY_NONE. */
struct decision decision_read(const char *text);

struct face {
    int64_t id, image;
    float x, y, width, height; /* pixels of the upright picture */
    const float *landmarks;    /* pairs x, y */
    int landmark_count;        /* pairs */
    float quality;
    int flaw;               /* enum quality_flaw; not kept: of a face that was just looked at */
    const char *model;      /* the model id its embedding belongs to */
    const float *embedding; /* NULL when the recogniser gave a label */
    int dimension;
    int64_t person; /* PERSON_UNKNOWN */
    const char *person_name;
    double distance, similarity;
    const struct candidate *candidates; /* nearest first */
    int candidate_count;
    int64_t unknown_person; /* which of the strangers, of a face nobody knows; 0: none, or not said yet */
    struct decision decision;
};

struct template
{ /* an enrolled embedding */
    int64_t id, person;
    const char *model;
    const float *embedding;
    int dimension;
};

#endif
