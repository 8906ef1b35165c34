/* The gallery actor: wires the state machines of this folder to the actor's messages and timers.
 *
 *   gallery.c ─▶ pass.c ─▶ reviews.c ─▶ face_pages.c ─┐
 *           ├──────┴────▶ change_log.c                ├─▶ jobs.c ─▶ search_job.c (on the search thread)
 *           ├─▶ match_queue.c, refresh.c ─────────────┘
 *           ├─▶ match_answer.c ─▶ names.c
 *           └─▶ waiters.c
 *
 * An arrow is a call. Lower files report back by callbacks, which are here.
 *
 * The index follows from the store's log of changes alone, also of other nodes. It is read from the first entry at the
 * start and from the last entry read ever after: after MSG_GALLERY_CHANGED, every poll_ms where other
 * nodes change it too, and there also before each match.
 *
 * When the log cannot be continued from that entry, the index is loaded anew. Matches wait meanwhile: an index that is
 * half full would give wrong answers. Names of people are replaced when all new ones are there.
 *
 * An image may be compared before an enrolment and finished as unknown after the pass over the unknown faces. So
 * MSG_FOUND_UNKNOWN names the generation of the index that the image was compared with. An old one requests a pass over
 * all unknown faces, the current one a pass over the new faces only.
 */
#include "actors/gallery/gallery.h"

#include "actors/gallery/change_log.h"
#include "actors/gallery/match_answer.h"
#include "actors/gallery/match_queue.h"
#include "actors/gallery/names.h"
#include "actors/gallery/pass.h"
#include "actors/gallery/refresh.h"
#include "actors/gallery/waiters.h"
#include "core/base/metrics.h"

#include <assert.h>
#include <errno.h>

static_assert((int)METRIC_L2 == (int)KITH_METRIC_L2 && (int)METRIC_COSINE == (int)KITH_METRIC_COSINE &&
                  (int)METRIC_CHI_SQUARE == (int)KITH_METRIC_CHI_SQUARE,
              "enum match_metric has the numbers of enum kith_metric: plug-ins' metrics are passed on as they are");

enum { TIMER_POLL = 0x100 };

struct gallery {
    struct gallery_jobs jobs;
    struct gallery_names names;
    struct gallery_names reloaded; /* the names read so far by a reload */
    bool reloading;                /* a reload has begun and not reached the end of the log */
    struct change_log log;
    struct pass pass;
    struct match_queue matches;
    struct match_answer answer;
    struct refresh refresh;
    struct waiters waiters;
};

static struct metric templates = {
    .name = "kith_gallery_templates", .help = "Enrolled templates.", .kind = METRIC_GAUGE};
static struct metric people = {
    .name = "kith_gallery_people", .help = "People with a template of the recogniser's model.", .kind = METRIC_GAUGE};
static struct metric memory = {
    .name = "kith_gallery_memory_bytes", .help = "Memory of the templates and their codes.", .kind = METRIC_GAUGE};
static struct metric cohort = {.name = "kith_gallery_cohort_faces",
                               .help = "Faces in the cohort that scores are normalised with.",
                               .kind = METRIC_GAUGE};
static struct metric unknown_people = {
    .name = "kith_gallery_unknown_people", .help = "Unknown people kept for re-identification.", .kind = METRIC_GAUGE};
static struct metric *const metrics[] = {&templates, &people, &memory, &cohort, &unknown_people};

/* --- callbacks of the state machines --- */

static bool gallery_on_log_page(struct actor *self, const struct store_reply *page, int64_t after)
{
    struct gallery *g = actor_state(self);
    struct gallery_names *names = g->reloading ? &g->reloaded : &g->names;

    if (gallery_jobs_run(&g->jobs, gallery_jobs_new(&g->jobs, JOB_APPLY, &page->m.head)) != ACTOR_OK)
        return false;
    for (int i = 0; i < page->change_count; i++) {
        const struct gallery_change *c = &page->changes[i];

        if (c->name)
            gallery_names_set(names, c->person, c->name);
        else
            gallery_names_remove(names, c->person);
    }
    pass_on_log_page(&g->pass, page);
    reviews_add_page(&g->pass.reviews, page, after); /* at the start too: the process before may have been killed */
    return true;
}

static bool gallery_on_log_restart(struct actor *self)
{
    struct gallery *g = actor_state(self);

    if (gallery_jobs_run(&g->jobs, gallery_jobs_new(&g->jobs, JOB_CLEAR, NULL)) != ACTOR_OK)
        return false;
    g->reloading = true;
    gallery_names_clear(&g->reloaded);
    match_queue_hold(&g->matches, true);
    pass_on_log_restart(&g->pass);
    return true;
}

static void gallery_end_reload(struct gallery *g)
{
    gallery_names_clear(&g->names);
    g->names = g->reloaded;
    g->reloaded = (struct gallery_names){0};
    g->reloading = false;
    match_queue_hold(&g->matches, false);
}

static void gallery_on_log_end(struct actor *self, uint64_t reading, bool ok, bool found)
{
    struct gallery *g = actor_state(self);

    if (ok && g->reloading)
        gallery_end_reload(g);
    match_queue_on_log_end(&g->matches, reading, g->log.generation);
    if (ok)
        waiters_on_log_end(&g->waiters, reading);
    pass_on_log_end(&g->pass, reading, ok, found);
}

static const struct change_log_events log_events = {
    .page = gallery_on_log_page, .restart = gallery_on_log_restart, .end = gallery_on_log_end};

static void gallery_on_pass_end(struct actor *self)
{
    struct gallery *g = actor_state(self);

    refresh_start(&g->refresh);
}

static void gallery_on_match_done(struct actor *self, struct msg_job *job, double threshold)
{
    struct gallery *g = actor_state(self);

    match_answer_send(&g->answer, job, threshold);
}

/* --- messages --- */

static void gallery_set_model(struct gallery *g, const struct packet_hello *model)
{
    g->jobs.model = *model;
    g->jobs.model_known = true;
    pass_on_model(&g->pass);
}

static void gallery_on_match(struct actor *self, struct gallery *g, const struct msg_match *m)
{
    const struct gallery_config *config = actor_config(self);
    struct msg_job *job = gallery_jobs_new(&g->jobs, JOB_MATCH, &m->head);
    bool must_read;

    job->matched = msg_matched_new(m->event);
    job->model = m->event->hello;
    job->token = actor_defer(self);
    if (!g->jobs.model_known) /* the recognisers are on other nodes: no MSG_MODEL comes */
        gallery_set_model(g, &job->model);
    must_read = config->poll_ms || g->log.state != LOG_IDLE;
    match_queue_add(&g->matches, job, must_read ? change_log_request(&g->log) : 0, g->log.generation);
}

/* Answered when the change is read; the pass over the stored faces may take long. */
static void gallery_on_changed(struct actor *self, struct gallery *g)
{
    bool begins = g->pass.state == PASS_IDLE;

    pass_request(&g->pass, PASS_CHANGED);
    waiters_add(&g->waiters, actor_defer(self), begins ? g->pass.reading : change_log_request(&g->log));
}

static void gallery_on_found_unknown(struct gallery *g, const struct msg_count *m)
{
    if ((uint64_t)m->count != g->log.generation)
        pass_request(&g->pass, PASS_ALL);
    else
        pass_request_new_faces(&g->pass);
}

static void gallery_on_job(struct gallery *g, struct msg_job *job)
{
    metric_set(&templates, job->size);
    metric_set(&memory, (int64_t)job->memory);
    metric_set(&people, job->state.people);
    metric_set(&cohort, job->state.cohort);
    metric_set(&unknown_people, job->state.unknown_people);
    match_queue_on_job(&g->matches, job);
    pass_on_job(&g->pass, job);
    if (refresh_on_job(&g->refresh, job))
        pass_request(&g->pass, PASS_ALL);
}

static int gallery_start(struct actor *self)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);

    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        metric_register(metrics[i]);
    pass_register_metrics();
    refresh_register_metrics();
    change_log_register_metrics();
    g->jobs = (struct gallery_jobs){.self = self, .search = config->search, .decider = config->decider};
    g->log = (struct change_log){.self = self, .events = &log_events, .page = config->page};
    g->matches = (struct match_queue){.jobs = &g->jobs, .done = gallery_on_match_done};
    g->answer = (struct match_answer){.self = self, .names = &g->names, .threshold = config->threshold};
    g->waiters.self = self;
    g->refresh = (struct refresh){.jobs = &g->jobs};
    pass_init(&g->pass, self, &g->log, &g->jobs, config->page, gallery_on_pass_end);
    if (gallery_jobs_run(&g->jobs, gallery_jobs_new(&g->jobs, JOB_CLEAR, NULL)) != ACTOR_OK)
        return -EAGAIN;
    msg_tell(self, "recognizer", MSG_SEND_STATE); /* on a restart it does not tell its model by itself */
    pass_request(&g->pass, PASS_ALL);
    if (config->poll_ms)
        actor_after(self, config->poll_ms, TIMER_POLL);
    return 0;
}

static void gallery_receive(struct actor *self, const struct msg *m)
{
    struct gallery *g = actor_state(self);

    switch (m->type) {
    case MSG_MATCH:
        gallery_on_match(self, g, (const struct msg_match *)m);
        break;
    case MSG_GALLERY_CHANGED:
        gallery_on_changed(self, g);
        break;
    case MSG_FOUND_UNKNOWN:
        gallery_on_found_unknown(g, (const struct msg_count *)m);
        break;
    case MSG_MODEL:
        gallery_set_model(g, &((const struct msg_model *)m)->hello);
        break;
    case MSG_GALLERY_JOB:
        gallery_on_job(g, (struct msg_job *)(uintptr_t)m);
        break;
    }
}

static void gallery_timer(struct actor *self, uint32_t timer)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);

    if (timer != TIMER_POLL) {
        pass_on_timer(&g->pass, timer);
        return;
    }
    actor_after(self, config->poll_ms, TIMER_POLL);
    pass_request(&g->pass, PASS_IF_CHANGED);
}

static void gallery_stop(struct actor *self)
{
    struct gallery *g = actor_state(self);

    match_queue_clear(&g->matches);
    pass_clear(&g->pass);
    gallery_names_clear(&g->names);
    gallery_names_clear(&g->reloaded);
}

static const uint32_t gallery_accepts[] = {MSG_MATCH, MSG_GALLERY_CHANGED, MSG_FOUND_UNKNOWN,
                                           MSG_MODEL, MSG_GALLERY_JOB,     0};

const struct actor_ops gallery_actor = {
    .name = "gallery",
    .state_size = sizeof(struct gallery),
    .start = gallery_start,
    .accepts = gallery_accepts,
    .receive = gallery_receive,
    .timer = gallery_timer,
    .stop = gallery_stop,
};
