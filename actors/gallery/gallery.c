/* Who is nearest?
 *
 * The index lives on one thread of its own; the actor gives it jobs in order: changes to apply, faces to compare. So a
 * comparison sees everything that was enrolled before it was asked. What is in it follows from the store's log of
 * changes alone, whoever made them: from the first number at the start, from the last one read ever after.
 *
 *   start, changed, poll ─▶ read the log page by page ─▶ index, names
 *                        ─▶ of whom somebody said who they are not: look at the faces that carry their name
 *                        ─▶ if anything changed: read the faces nobody knows, page by page ─▶ decide
 *                                                    ─▶ STORE_RESOLVE those who now have a name, or a stranger's number
 *                        ─▶ cohort and calibration, a slice at a time; eased: another pass
 *   found unknown        ─▶ after a moment the same for those faces that are new: strangers are known again
 *
 * Where other nodes enrol too, a match waits for a reading that began after it was asked: who was enrolled anywhere
 * before a photo was posted is known when it is compared. Matches that come during one reading share the next.
 *
 * An image that was compared before an enrolment and finished as unknown after the pass over the unknown faces would
 * be missed: the processor says with which generation it was compared, and a pass follows when that one is old.
 */
#include "actors/gallery/gallery.h"

#include "actors/gallery/gallery_internal.h"
#include "core/base/log.h"
#include "core/base/metrics.h"

#include <errno.h>
#include <string.h>

enum { RETRY_MS = 1000, TAIL_MS = 300, TIMER_PASS = 1, TIMER_POLL, TIMER_TAIL };

static struct metric templates = {
    .name = "kith_gallery_templates", .help = "Enrolled templates.", .kind = METRIC_GAUGE};
static struct metric resolved_total = {.name = "kith_gallery_resolved_total",
                                       .help = "Faces named after an enrolment."};
static struct metric people = {
    .name = "kith_gallery_people", .help = "People with a template of the recogniser's model.", .kind = METRIC_GAUGE};
static struct metric memory = {
    .name = "kith_gallery_memory_bytes", .help = "Memory of the templates and their codes.", .kind = METRIC_GAUGE};
static struct metric cohort = {.name = "kith_gallery_cohort_faces",
                               .help = "Faces in the cohort that scores are normalised with.",
                               .kind = METRIC_GAUGE};
static struct metric unknown_people = {
    .name = "kith_gallery_unknown_people", .help = "Unknown people kept for re-identification.", .kind = METRIC_GAUGE};
static struct metric calibrated = {.name = "kith_gallery_calibrated",
                                   .help = "1: names are given by KITH_FPIR; 0: by a fixed threshold.",
                                   .kind = METRIC_GAUGE};
static struct metric *const metrics[] = {&templates, &resolved_total, &people,    &memory,
                                         &cohort,    &unknown_people, &calibrated};

static void next_faces(struct actor *self);
static void next_review(struct actor *self);

struct msg_job *gallery_new_job(struct actor *self, int kind, const struct msg *source)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);
    struct msg_job *job = gallery_job_new(kind, source);

    job->decider = config->decider;
    job->model = g->model;
    return job;
}

int gallery_run(struct actor *self, struct msg_job *job)
{
    const struct gallery_config *config = actor_config(self);

    return offload_run(config->search, actor_find(actor_system_of(self), actor_name(self)), &job->head,
                       gallery_job_work);
}

/* --- cohort and calibration --- */

static void refresh(struct actor *self)
{
    struct gallery *g = actor_state(self);

    if (g->model_known && !g->refreshing && g->model.dimension)
        g->refreshing = gallery_run(self, gallery_new_job(self, JOB_REFRESH, NULL)) == ACTOR_OK;
}

static void after_refresh(struct actor *self, const struct msg_job *job)
{
    struct gallery *g = actor_state(self);
    bool was = g->calibrated;

    g->refreshing = false;
    g->calibrated = job->state.calibrated;
    metric_set(&calibrated, g->calibrated);
    if (job->more) {
        refresh(self);
        return;
    }
    if (was != job->state.calibrated)
        log_event(LOG_INFO, "decisions", LOG_STR("by", job->state.calibrated ? "false name rate" : "fixed threshold"),
                  LOG_INT("cohort", job->state.cohort), LOG_INT("people", job->state.people));
    if (job->eased)
        gallery_begin_pass(self, true);
}

/* --- the pass: what changed, whom somebody denied, the faces nobody knows --- */

static void end_pass(struct actor *self)
{
    struct gallery *g = actor_state(self);

    for (int i = 0; i < g->waiting; i++) {
        struct msg_count *m = (struct msg_count *)msg_new(MSG_GALLERY_RESOLVED, sizeof *m);

        m->count = g->resolved;
        actor_answer(self, g->waiters[i], &m->head);
    }
    memmove(g->waiters, g->waiters + g->waiting, (size_t)g->next_waiting * sizeof g->waiters[0]);
    g->waiting = g->next_waiting;
    g->next_waiting = 0;
    g->passing = false;
    refresh(self);
    if (g->again || g->waiting)
        gallery_begin_pass(self, true);
    else if (g->late_tail)
        actor_after(self, TAIL_MS, TIMER_TAIL);
}

static void pass_failed(struct actor *self, const char *what)
{
    log_event(LOG_WARN, "gallery waits", LOG_STR("for", what));
    actor_after(self, RETRY_MS, TIMER_PASS);
}

static void on_page_resolved(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct gallery *g = actor_state(self);
    bool reviewing = context != NULL;

    if (status != ACTOR_OK || r->status != STORE_OK) {
        pass_failed(self, "the store");
        return;
    }
    g->resolved += r->changed;
    if (!reviewing)
        metric_add(&resolved_total, r->changed);
    if (reviewing)
        next_review(self);
    else
        next_faces(self);
}

static void after_page(struct actor *self, struct msg_job *job)
{
    static char reviewing;
    struct store_resolve *m = job->resolve;

    if (m->count == 0 && job->kind == JOB_REVIEW) {
        next_review(self);
        return;
    }
    if (m->count == 0) {
        next_faces(self);
        return;
    }
    job->resolve = NULL;
    for (int i = 0; i < m->count; i++)
        if (m->faces[i].person != m->faces[i].was)
            log_event(LOG_INFO, "resolved", LOG_INT("image", m->faces[i].image), LOG_INT("person", m->faces[i].person));
    actor_ask(self, "store", &m->m.head, GALLERY_ASK_MS, on_page_resolved, job->kind == JOB_REVIEW ? &reviewing : NULL);
}

static void give_page(struct actor *self, int kind, const struct msg *reply, int64_t person)
{
    struct msg_job *job = gallery_new_job(self, kind, reply);

    job->person = person;
    job->resolve = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    if (gallery_run(self, job) < 0)
        pass_failed(self, "its own thread");
}

static struct store_list *page_of(struct actor *self, uint32_t type, int64_t after)
{
    const struct gallery_config *config = actor_config(self);
    struct store_list *m = STORE_MESSAGE(type, store_list);

    m->after = after;
    m->limit = (int)config->page;
    return m;
}

static void on_person_faces(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct gallery *g = actor_state(self);

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        pass_failed(self, "the store");
    } else if (g->review_again) { /* another counter-example came meanwhile: from the start */
        g->review_again = false;
        g->review_after = 0;
        next_review(self);
    } else if (r->face_count == 0) {
        memmove(g->reviews, g->reviews + 1, (size_t)--g->review_count * sizeof g->reviews[0]);
        g->review_after = 0;
        next_review(self);
    } else {
        g->review_after = r->next;
        give_page(self, JOB_REVIEW, reply, g->reviews[0]);
    }
}

static void next_review(struct actor *self)
{
    struct gallery *g = actor_state(self);
    struct store_list *m;

    if (!g->review_count || !g->model_known) {
        next_faces(self);
        return;
    }
    m = page_of(self, STORE_PERSON_FACES, g->review_after);
    m->person = g->reviews[0];
    actor_ask(self, "store", &m->m.head, GALLERY_ASK_MS, on_person_faces, NULL);
}

static void on_faces(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct gallery *g = actor_state(self);

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        pass_failed(self, "the store");
        return;
    }
    if (r->face_count == 0) {
        end_pass(self);
        return;
    }
    g->last_face = r->next;
    if (r->next > g->newest_face)
        g->newest_face = r->next;
    give_page(self, JOB_RESOLVE, reply, 0);
}

static void next_faces(struct actor *self)
{
    struct gallery *g = actor_state(self);

    if (!g->model_known) { /* nothing can be compared yet: the model's arrival starts another pass */
        end_pass(self);
        return;
    }
    actor_ask(self, "store", &page_of(self, STORE_UNKNOWN_FACES, g->last_face)->m.head, GALLERY_ASK_MS, on_faces, NULL);
}

void gallery_begin_pass(struct actor *self, bool resolving)
{
    struct gallery *g = actor_state(self);

    if (g->passing) {
        g->again |= resolving;
        return;
    }
    g->passing = true;
    g->again = g->late_tail = false;
    g->resolving = resolving;
    g->last_face = g->resolved = 0;
    g->pass_asked = true;
    gallery_read_log(self);
}

/* Only the faces that no pass has seen yet. */
static void begin_tail(struct actor *self)
{
    struct gallery *g = actor_state(self);

    if (g->passing) {
        g->late_tail = true;
        return;
    }
    g->passing = true;
    g->late_tail = false;
    g->last_face = g->newest_face;
    g->resolved = 0;
    next_faces(self);
}

/* --- the reading of the log --- */

/* A match is worth more late than never: when the store cannot be read it goes by what is known. */
static void end_reading(struct actor *self, bool well)
{
    struct gallery *g = actor_state(self);
    struct msg_job *list = g->reads;
    bool pass = g->pass_reads;

    g->reading = g->pass_reads = false;
    g->read_once |= well;
    g->reads = NULL;
    gallery_give_matches(self, list);
    if (pass && !well)
        pass_failed(self, "the store");
    else if (pass && (g->resolving |= g->found))
        next_review(self);
    else if (pass)
        end_pass(self);
    else if (g->found)
        gallery_begin_pass(self, true);
    gallery_read_log(self);
}

static void ask_changes(struct actor *self);

/* What was denied before this start has been looked at then. */
static void remember_review(struct gallery *g, int64_t person)
{
    for (int i = 0; i < g->review_count; i++)
        if (g->reviews[i] == person) {
            g->review_again |= i == 0;
            return;
        }
    if (g->read_once && g->review_count < GALLERY_REVIEWS_MAX)
        g->reviews[g->review_count++] = person;
}

static void take_changes(struct gallery *g, const struct store_reply *r)
{
    for (int i = 0; i < r->change_count; i++) {
        if (r->changes[i].name)
            gallery_remember_name(g, r->changes[i].person, r->changes[i].name);
        else
            gallery_forget_name(g, r->changes[i].person);
        if (r->changes[i].kind == GALLERY_COUNTER_ADDED)
            remember_review(g, r->changes[i].person);
    }
    g->last_change = r->next;
    g->generation++;
    g->found = true;
}

static void on_changes(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct gallery *g = actor_state(self);

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK ||
        (r->change_count && gallery_run(self, gallery_new_job(self, JOB_APPLY, reply)) < 0)) {
        end_reading(self, false);
        return;
    }
    if (r->change_count)
        take_changes(g, r);
    if (r->more)
        ask_changes(self);
    else
        end_reading(self, true);
}

static void ask_changes(struct actor *self)
{
    struct gallery *g = actor_state(self);

    actor_ask(self, "store", &page_of(self, STORE_GALLERY_CHANGES, g->last_change)->m.head, GALLERY_ASK_MS, on_changes,
              NULL);
}

void gallery_read_log(struct actor *self)
{
    struct gallery *g = actor_state(self);

    if (g->reading || (!g->pass_asked && !g->asked))
        return;
    g->reading = true;
    g->found = false;
    g->pass_reads = g->pass_asked;
    g->reads = g->asked;
    g->pass_asked = false;
    g->asked = NULL;
    ask_changes(self);
}

/* --- messages --- */

static void on_changed(struct actor *self)
{
    struct gallery *g = actor_state(self);
    actor_token token = actor_defer(self);

    if (token && g->waiting + g->next_waiting == GALLERY_WAITERS_MAX) {
        actor_answer_error(self, token, ACTOR_FULL);
    } else if (token) {
        g->waiters[g->waiting + g->next_waiting] = token;
        if (g->passing)
            g->next_waiting++;
        else
            g->waiting++;
    }
    gallery_begin_pass(self, true);
}

static void on_job(struct actor *self, struct msg_job *job)
{
    metric_set(&templates, job->size);
    metric_set(&memory, (int64_t)job->memory);
    metric_set(&people, job->state.people);
    metric_set(&cohort, job->state.cohort);
    metric_set(&unknown_people, job->state.unknown_people);
    if (job->kind == JOB_MATCH)
        gallery_after_match(self, job);
    else if (job->kind == JOB_RESOLVE || job->kind == JOB_REVIEW)
        after_page(self, job);
    else if (job->kind == JOB_REFRESH)
        after_refresh(self, job);
}

static void on_found_unknown(struct actor *self, const struct msg_count *m)
{
    struct gallery *g = actor_state(self);

    if ((uint64_t)m->count != g->generation) {
        gallery_begin_pass(self, true);
    } else if (!g->late_tail) {
        g->late_tail = true;
        actor_after(self, TAIL_MS, TIMER_TAIL);
    }
}

static int gallery_start(struct actor *self)
{
    const struct gallery_config *config = actor_config(self);

    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        metric_register(metrics[i]);
    if (gallery_run(self, gallery_new_job(self, JOB_CLEAR, NULL)) < 0)
        return -EAGAIN;
    msg_tell(self, "recognizer", MSG_SEND_STATE); /* on a restart it does not tell its model by itself */
    gallery_begin_pass(self, true);
    if (config->poll_ms)
        actor_after(self, config->poll_ms, TIMER_POLL);
    return 0;
}

static void gallery_receive(struct actor *self, const struct msg *m)
{
    struct gallery *g = actor_state(self);

    switch (m->type) {
    case MSG_MATCH:
        gallery_on_match(self, m);
        break;
    case MSG_GALLERY_CHANGED:
        on_changed(self);
        break;
    case MSG_FOUND_UNKNOWN:
        on_found_unknown(self, (const struct msg_count *)m);
        break;
    case MSG_MODEL:
        g->model = ((const struct msg_model *)m)->hello;
        g->model_known = true;
        gallery_begin_pass(self, true);
        break;
    case MSG_GALLERY_JOB:
        on_job(self, (struct msg_job *)(uintptr_t)m);
        break;
    }
}

static void gallery_timer(struct actor *self, uint32_t timer)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);

    if (timer == TIMER_POLL) {
        actor_after(self, config->poll_ms, TIMER_POLL);
        gallery_begin_pass(self, false);
    } else if (timer == TIMER_TAIL) {
        begin_tail(self);
    } else {
        g->passing = false;
        gallery_begin_pass(self, true);
    }
}

static void gallery_stop(struct actor *self)
{
    gallery_drop_matches(actor_state(self));
    gallery_forget_names(actor_state(self));
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
