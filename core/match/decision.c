/* A decision as a short text: stored with each face, sent between nodes; and whether it is in doubt. */
#include "core/match/face.h"

#include <stdio.h>

void decision_write(const struct decision *d, char text[static DECISION_BYTES])
{
    snprintf(text, DECISION_BYTES, "%d %.5g %.5g %.6g %.6g %.4g %lld %d %d", (int)d->rule, d->score, d->score_threshold,
             d->mean, d->threshold, d->quality, (long long)d->denied, d->cohort, d->people);
}

struct decision decision_read(const char *text)
{
    struct decision d = {0};
    long long denied;
    int rule;

    if (!text ||
        sscanf(text, "%d %lf %lf %lf %lf %lf %lld %d %d", &rule, &d.score, &d.score_threshold, &d.mean, &d.threshold,
               &d.quality, &denied, &d.cohort, &d.people) != 9 ||
        rule <= DECIDED_BY_NONE || rule >= DECISION_RULES)
        return (struct decision){0};
    d.rule = (enum decision_rule)rule;
    d.denied = denied;
    return d;
}

/* --- doubts --- */

const char *doubt_name(enum doubt reason)
{
    return reason == DOUBT_NEAR_THRESHOLD ? "near_threshold"
           : reason == DOUBT_SMALL_MARGIN ? "small_margin"
                                          : "low_quality";
}

int doubt_of_face(const struct doubt_limits *l, const struct face *f)
{
    int doubt = 0;

    if (f->person <= 0 || f->word)
        return 0;
    if (f->similarity < l->similarity)
        doubt |= DOUBT_NEAR_THRESHOLD;
    if (f->width > 0 && (double)f->quality < l->quality)
        doubt |= DOUBT_LOW_QUALITY;
    return doubt;
}

bool doubt_is_rival(const struct doubt_limits *l, const struct face *f, const struct candidate *c)
{
    return f->person > 0 && !f->word && l->margin > 0 && c->similarity >= 0.5 &&
           f->similarity - c->similarity < l->margin;
}

void doubt_judge(const struct doubt_limits *l, struct face *f)
{
    f->doubt = doubt_of_face(l, f);
    f->rival = 0;
    for (int i = 0; i < f->candidate_count && !f->rival; i++)
        if (f->candidates[i].person != f->person && doubt_is_rival(l, f, &f->candidates[i])) {
            f->doubt |= DOUBT_SMALL_MARGIN;
            f->rival = f->candidates[i].person;
        }
}
