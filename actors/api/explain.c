/* Explains the decision on a face: the rule, its numbers and a sentence. */
#include "actors/api/json_records.h"

static const char *const rules[DECISION_RULES] = {"none",    "fixed", "fallback_threshold", "rate", "denied",
                                                  "quality", "label"};

static const char *explain_best_name(const struct face *f)
{
    return f->candidate_count && f->candidates[0].name ? f->candidates[0].name : "nobody";
}

static void explain_write_sentence(struct buf *out, const struct face *f)
{
    const struct decision *d = &f->decision;

    switch (d->rule) {
    case DECIDED_BY_FIXED:
        buf_printf(out, "%.3f to the nearest photo, of %s; the threshold is %.3f", d->mean, explain_best_name(f),
                   d->threshold);
        break;
    case DECIDED_BY_FALLBACK:
        buf_printf(out,
                   "%.3f to the nearest photo, of %s; the threshold is lowered to %.3f until the cohort has 200 "
                   "faces (it has %d)",
                   d->mean, explain_best_name(f), d->threshold, d->cohort);
        break;
    case DECIDED_BY_FPIR:
        buf_printf(
            out,
            "the score for %s is %.2f, normalised with a cohort of %d faces; %.2f is needed among %d people at the "
            "rate KITH_FPIR. For this face that is a distance of %.3f; it is %.3f",
            explain_best_name(f), d->score, d->cohort, d->score_threshold, d->people, d->threshold, d->mean);
        break;
    case DECIDED_BY_DENIAL:
        if (d->denied)
            buf_printf(out, "nearer to a counter-example of person %lld than to the photos of that person",
                       (long long)d->denied);
        else
            buf_str(out, "nearer to a counter-example of a person who was deleted since");
        break;
    case DECIDED_BY_QUALITY:
        buf_printf(out, "similar to %s, but the quality is %.2f; a name needs %.2f (KITH_NAMING_QUALITY)",
                   explain_best_name(f), (double)f->quality, d->quality);
        break;
    case DECIDED_BY_LABEL:
        buf_printf(out, "the recogniser compared the face itself: %.3f; the threshold is %.3f", d->mean, d->threshold);
        break;
    default:
        buf_str(out, f->word == WORD_NAMED        ? "the name was assigned by hand"
                     : f->word == WORD_IGNORED    ? "the face is ignored"
                     : f->word == WORD_NOT_A_FACE ? "it is no face"
                                                  : "the face has not been compared");
    }
}

static const char *explain_rival_name(const struct face *f)
{
    for (int i = 0; i < f->candidate_count; i++)
        if (f->candidates[i].person == f->rival && f->candidates[i].name)
            return f->candidates[i].name;
    return "another person";
}

static void explain_write_doubt(struct buf *out, const struct face *f, enum doubt reason)
{
    if (reason == DOUBT_NEAR_THRESHOLD)
        buf_printf(out, "the similarity is %.2f; 0.5 is the threshold (KITH_REVIEW_SIMILARITY)", f->similarity);
    else if (reason == DOUBT_SMALL_MARGIN)
        buf_printf(out, "%s is nearly as similar (KITH_REVIEW_MARGIN)", explain_rival_name(f));
    else
        buf_printf(out, "the quality of the face is %.2f (KITH_REVIEW_QUALITY)", (double)f->quality);
}

/* Why the name is for review: {"small_margin": "…"}. */
static void explain_doubts(struct buf *out, const struct face *f)
{
    const char *separator = "";

    buf_str(out, ",\"review\":{");
    for (int bit = 1; bit <= DOUBT_ALL; bit *= 2) {
        struct buf why = {0};

        if (!(f->doubt & bit))
            continue;
        explain_write_doubt(&why, f, (enum doubt)bit);
        buf_add(&why, "", 1);
        buf_printf(out, "%s\"%s\":", separator, doubt_name((enum doubt)bit));
        buf_json(out, why.data);
        buf_free(&why);
        separator = ",";
    }
    buf_str(out, "}");
}

void json_decision(struct buf *out, const struct face *f)
{
    const struct decision *d = &f->decision;
    struct buf why = {0};

    explain_write_sentence(&why, f);
    buf_add(&why, "", 1);
    buf_printf(out, "{\"rule\":\"%s\",\"why\":", rules[d->rule]);
    buf_json(out, why.data);
    buf_free(&why);
    if (d->rule == DECIDED_BY_FIXED || d->rule == DECIDED_BY_FALLBACK || d->rule == DECIDED_BY_FPIR ||
        d->rule == DECIDED_BY_LABEL) {
        buf_str(out, ",\"distance\":");
        buf_number(out, d->mean, 4);
        buf_str(out, ",\"threshold\":");
        buf_number(out, d->threshold, 4);
        buf_printf(out, ",\"people\":%d,\"cohort\":%d", d->people, d->cohort);
    }
    if (d->rule == DECIDED_BY_FPIR) {
        buf_str(out, ",\"score\":");
        buf_number(out, d->score, 3);
        buf_str(out, ",\"needed\":");
        buf_number(out, d->score_threshold, 3);
    }
    if (d->denied)
        buf_printf(out, ",\"not\":%lld", (long long)d->denied);
    if (f->doubt)
        explain_doubts(out, f);
    buf_str(out, "}");
}
