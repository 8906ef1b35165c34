/* Prints an open-set evaluation, as text or as JSON. */
#include "cli/eval/eval_open_internal.h"

static void report_json_groups(struct open_set *o)
{
    struct buf *out = &o->e->out;

    buf_str(out, ",\"groups\":[");
    for (int g = 0; g < face_groups_count(o->groups); g++) {
        struct counts t = open_set_count(o, g);

        buf_printf(out, "%s{\"group\":%d,\"example\":", g ? "," : "", g + 1);
        buf_json(out, o->group_examples[g]->path);
        buf_printf(out,
                   ",\"people\":%d,\"impostors\":%d,\"impostors_named\":%.5f,\"known\":%d,\"known_missed\":%.5f,"
                   "\"names\":%d,\"wrong_names\":%d}",
                   face_groups_size(o->groups, g), t.impostors, counts_fpir(&t), t.known, counts_fnir(&t),
                   counts_names(&t), counts_wrong(&t));
    }
    buf_str(out, "]");
}

static void report_json_size(struct open_set *o, int size, const struct figures *f, bool first)
{
    const struct counts *t = &f->all;
    struct buf *out = &o->e->out;

    buf_printf(out, "%s{\"people\":%d,\"impostors\":%d,\"known\":%d,\"asked\":", first ? "" : ",", size, t->impostors,
               t->known);
    if (open_set_rate_is_asked(o))
        buf_printf(out, "%.5f", o->policy.rate);
    else
        buf_str(out, "null");
    buf_printf(
        out,
        ",\"impostors_named\":%.5f,\"known_missed\":%.5f,\"named_wrongly\":%.5f,\"names\":%d,\"wrong_names\":%d,"
        "\"wrong_share\":%.5f,\"fixed_threshold\":%.4f,\"fixed_known_missed\":%.5f,\"cohort\":%d,\"by_score\":%s",
        counts_fpir(t), counts_fnir(t), t->known ? (double)t->known_wrong / t->known : 0, counts_names(t),
        counts_wrong(t), counts_wrong_share(t), f->fixed, f->fixed_missed, o->state.cohort,
        o->state.calibrated ? "true" : "false");
    report_json_groups(o);
    buf_str(out, "}");
}

static void report_text_head(const struct open_set *o)
{
    printf("\nWho is it, or nobody we know? %d photo%s enrolled of each person. ", o->options.enrolled,
           o->options.enrolled == 1 ? "" : "s");
    if (open_set_rate_is_asked(o))
        printf("KITH_FPIR asks that %.2f %% of the impostors get a name.\n", 100 * o->policy.rate);
    else
        printf("A fixed threshold is in force.\n");
    printf("  gallery   impostors   known     wrong names   wrong names    rule             a fixed threshold that "
           "names as few\n"
           "  people    named       missed    of the known  of all names   in force         of the impostors misses\n");
}

void open_set_print_size(struct open_set *o, int size, const struct figures *f, bool first)
{
    const struct counts *t = &f->all;

    if (o->e->json) {
        report_json_size(o, size, f, first);
        return;
    }
    if (first)
        report_text_head(o);
    printf("  %-7d   %6.2f %%    %6.2f %%  %6.2f %%      %6.2f %%       %-8s %4d    %6.2f %%   (at %.3f)\n", size,
           100 * counts_fpir(t), 100 * counts_fnir(t), t->known ? 100.0 * t->known_wrong / t->known : 0,
           100 * counts_wrong_share(t), o->state.calibrated ? "cohort" : "fallback", o->state.cohort,
           100 * f->fixed_missed, f->fixed);
}

static void report_text_groups(const struct open_set *o, int size)
{
    printf("\n  Groups of alike faces, for %d people; each with the photo nearest to its centre:\n"
           "  people   impostors   named      known   missed     names   wrong\n",
           size);
    for (int g = 0; g < face_groups_count(o->groups); g++) {
        struct counts t = open_set_count(o, g);

        printf("  %6d   %9d   %6.2f %%   %5d   %6.2f %%   %5d   %5d   %s/%s\n", face_groups_size(o->groups, g),
               t.impostors, 100 * counts_fpir(&t), t.known, 100 * counts_fnir(&t), counts_names(&t), counts_wrong(&t),
               o->group_examples[g]->person, o->group_examples[g]->photo);
    }
}

static void report_thresholds(struct open_set *o, int size, const struct figures *f)
{
    static const double rates[] = {0.05, 0.02, 0.01, 0.005, 0.002};
    struct evaluation *e = o->e;

    if (e->json)
        buf_printf(&e->out, "],\"thresholds\":{\"people\":%d,\"list\":[", size);
    else
        printf("\n  Fixed thresholds, for %d people:\n  impostors named   known missed   KITH_THRESHOLD\n", size);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        double missed, t = open_set_fixed_threshold(o, &f->all, rates[i], &missed);

        if (e->json)
            buf_printf(&e->out, "%s{\"impostors_named\":%g,\"known_missed\":%.5f,\"threshold\":%.4f}", i ? "," : "",
                       rates[i], missed, t);
        else
            printf("  %10.1f %%   %11.2f %%   %.3f\n", 100 * rates[i], 100 * missed, t);
    }
    if (e->json)
        buf_str(&e->out, "]},\"confusions\":[");
}

static void report_confusions(struct open_set *o)
{
    struct evaluation *e = o->e;

    if (!e->json && o->confusions)
        printf("\n  The worst confusions:\n");
    for (int i = 0; i < o->confusions; i++) {
        const struct confusion *c = &o->worst[i];

        if (e->json) {
            buf_str(&e->out, i ? ",{\"photo\":" : "{\"photo\":");
            buf_json(&e->out, c->probe->path);
            buf_str(&e->out, ",\"taken_for\":");
            buf_json(&e->out, c->taken_for->path);
            buf_printf(&e->out, ",\"similarity\":%.4f}", c->similarity);
        } else {
            printf("    %.3f  %s/%s taken for %s/%s\n", c->similarity, c->probe->person, c->probe->photo,
                   c->taken_for->person, c->taken_for->photo);
        }
    }
    if (e->json)
        buf_str(&e->out, "]}");
}

void open_set_print_end(struct open_set *o, int size, const struct figures *f)
{
    if (!o->e->json)
        report_text_groups(o, size);
    report_thresholds(o, size, f);
    report_confusions(o);
}
