/* Faces, templates, candidates and decisions as plain values. Pointers are borrowed. */
#ifndef KITH_CORE_MATCH_FACE_H
#define KITH_CORE_MATCH_FACE_H

#include <stdbool.h>
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

/* Why the name that a face has by its likeness is in doubt, and the image is listed for review: bits of face.doubt. */
enum doubt {
    DOUBT_NEAR_THRESHOLD = 1, /* its similarity is little above 0.5, the threshold of whichever rule decided */
    DOUBT_SMALL_MARGIN = 2,   /* another person passes the threshold too and is nearly as similar */
    DOUBT_LOW_QUALITY = 4,    /* of the face */
    DOUBT_ALL = 7
};

struct doubt_limits {  /* each 0 to 1; 0: that reason is off */
    double similarity; /* a name with less is near the threshold */
    double margin;     /* to the second person; a smaller one is small */
    double quality;    /* a face with less has low quality */
};

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
    int doubt;                /* bits of enum doubt; 0 when the face has no name, or a word decides it */
    int64_t rival;            /* with DOUBT_SMALL_MARGIN: the second person; else 0 */
    int64_t place;            /* to which its words belong (core/store/ops/words/words_internal.h); 0: it has none */
    const struct word *words; /* core/store/records.h; oldest first */
    int word_count;
    const char *label;      /* what a recogniser without embeddings said; NULL: nothing */
    int64_t unknown_person; /* of an unknown face; 0: none, or not assigned yet */
    struct decision decision;
};

/* The name of one bit of enum doubt: "near_threshold", "small_margin", "low_quality". */
const char *doubt_name(enum doubt reason);
/* The doubts that the face alone gives: DOUBT_NEAR_THRESHOLD, DOUBT_LOW_QUALITY. 0 when it has no name, or a word
 * decides it. A face without a box has no quality. */
int doubt_of_face(const struct doubt_limits *limits, const struct face *face);
/* Whether the candidate passes the threshold and is nearly as similar as the face's person. The caller checks that it
 * is another person. */
bool doubt_is_rival(const struct doubt_limits *limits, const struct face *face, const struct candidate *candidate);
/* Sets `doubt` and `rival` of a face that is not stored, from its candidates as they are. */
void doubt_judge(const struct doubt_limits *limits, struct face *face);

struct template
{ /* an enrolled embedding */
    int64_t id, person;
    const char *model;
    const float *embedding;
    int dimension;
};

#endif
