/* Faces, templates, candidates and decisions as plain values. Pointers are borrowed. */
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
    int64_t template; /* id of the person's nearest template; 0: not known */
};

/* The rule by which a face got its person, or none. */
enum decision_rule {
    DECIDED_BY_NONE, /* named by hand, or the decision was not stored */
    DECIDED_BY_FIXED,
    DECIDED_BY_FALLBACK,
    DECIDED_BY_FPIR,
    DECIDED_BY_DENIAL,  /* a counter-example is not farther than the nearest template */
    DECIDED_BY_QUALITY, /* the quality of the face is below the minimum */
    DECIDED_BY_LABEL,   /* the recogniser returned a label */
    DECISION_RULES
};

struct decision {
    enum decision_rule rule;
    double score, score_threshold; /* DECIDED_BY_FPIR; else 0 */
    double mean, threshold;        /* the distance that was compared, and the largest that is accepted */
    double quality;                /* DECIDED_BY_QUALITY: the minimum */
    int64_t denied;                /* the person that a counter-example refutes, or 0 */
    int cohort, people;
};

enum { DECISION_BYTES = 192 };
void decision_write(const struct decision *d, char text[static DECISION_BYTES]);
/* Parses what decision_write() wrote; anything else, and NULL, is DECIDED_BY_NONE. */
struct decision decision_read(const char *text);

/* What a person said about a face. One of the first three at most decides the face; the others stand beside it. */
enum face_word {
    WORD_NONE,
    WORD_NAMED,      /* it shows this person */
    WORD_IGNORED,    /* it shows nobody who shall be named */
    WORD_NOT_A_FACE, /* it is no face */
    WORD_NOT,        /* it does not show this person: a counter-example */
    WORD_NAME_OFF,   /* it does not get this person's name */
    WORD_DRAWN,      /* a client drew its box */
    FACE_WORDS
};

struct face {
    int64_t id, image;
    float x, y, width, height; /* pixels of the upright picture */
    const float *landmarks;    /* pairs x, y */
    int landmark_count;        /* pairs */
    float quality;
    int flaw;               /* enum quality_flaw of a face that was just detected; not stored */
    const char *model;      /* id of the model that made the embedding */
    const float *embedding; /* NULL when the recogniser gave a label */
    int dimension;
    int64_t person; /* PERSON_UNKNOWN */
    const char *person_name;
    double distance, similarity;
    const struct candidate *candidates; /* nearest first */
    int candidate_count;
    int64_t template;         /* id of the template that gave the face its name; 0: none, or a person said it */
    int word;                 /* enum face_word: what a person said that decides the face */
    int64_t place;            /* to which its words belong (core/store/ops/words/words_internal.h); 0: it has none */
    const struct word *words; /* core/store/records.h; oldest first */
    int word_count;
    const char *label;      /* what a recogniser without embeddings said; NULL: nothing */
    int64_t unknown_person; /* of an unknown face; 0: none, or not assigned yet */
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
