/* Shared by eval_open.c, which plays the galleries, eval_open_figures.c, which counts, and eval_open_report.c, which
 * prints. Not for other files. */
#ifndef KITH_CLI_EVAL_EVAL_OPEN_INTERNAL_H
#define KITH_CLI_EVAL_EVAL_OPEN_INTERNAL_H

#include "cli/eval/eval_common.h"
#include "cli/eval/eval_open.h"
#include "cli/eval/face_groups.h"
#include "core/match/policy.h"

enum { CONFUSIONS = 10 };

struct person_photos {
    struct portrait **photos;
    int count;
};

struct attempt {
    double distance; /* to the nearest; of a known person INFINITY when another person is nearest */
    int group;       /* of alike faces */
    bool known, named, right;
};

struct confusion {
    double similarity;
    const struct portrait *probe;
    const struct portrait *taken_for;
};

struct open_set {
    struct evaluation *e;
    struct open_set_options options;
    struct decider_policy policy;
    struct decider_model model;
    struct person_photos *people;
    int people_count, enrollable; /* those with more photos than are enrolled come first */
    struct face_groups *groups;
    const struct portrait **group_examples; /* the face nearest to each group's centre */
    struct attempt *outcomes;
    int count, capacity;
    struct confusion worst[CONFUSIONS];
    int confusions;
    struct decider_state state; /* of the last run */
};

struct counts { /* of attempts */
    int impostors, impostors_named, known, known_missed, known_wrong;
};

struct figures {
    struct counts all;
    double fixed, fixed_missed; /* the threshold that names as many impostors, and the share of the known it misses */
};

/* Whether KITH_FPIR decides, and not KITH_THRESHOLD or the recogniser's threshold. */
bool open_set_rate_is_asked(const struct open_set *o);

/* Shares; 0 of nothing is 0. */
double counts_fpir(const struct counts *t);        /* impostors with a name, of all impostors */
double counts_fnir(const struct counts *t);        /* known people without their name, of all known */
double counts_wrong_share(const struct counts *t); /* wrong names, of all names given */
int counts_names(const struct counts *t);          /* names given */
int counts_wrong(const struct counts *t);          /* wrong ones among them */

/* Counts the attempts of a group of alike faces; -1: all. */
struct counts open_set_count(const struct open_set *o, int group);
/* Sorts the attempts by distance. */
struct figures open_set_figures(struct open_set *o);
/* Returns the largest fixed threshold that names at most this share of the impostors, after open_set_figures(). Sets
 * `missed` to the share of the known that it misses. */
double open_set_fixed_threshold(const struct open_set *o, const struct counts *all, double share, double *missed);

void open_set_print_size(struct open_set *o, int size, const struct figures *f, bool first);
void open_set_print_end(struct open_set *o, int size, const struct figures *f);

#endif
