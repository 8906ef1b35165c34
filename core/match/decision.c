/* A decision as a short text: stored with each face, sent between nodes. */
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
