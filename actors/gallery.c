/* Who is nearest?
 *
 * The index lives on one thread of its own; the actor gives it jobs in order: changes to apply, faces to compare. So a
 * comparison sees everything that was enrolled before it was asked. What is in it follows from the store's log of
 * changes alone, whoever made them: from the first number at the start, from the last one read ever after.
 *
 *   start, changed, poll ─▶ read the log page by page ─▶ index, names
 *                        ─▶ if anything changed: read the faces nobody knows, page by page ─▶ compare
 *                                                    ─▶ STORE_RESOLVE those who now have a name
 *
 * Where other nodes enrol too, a match waits for a reading that began after it was asked: who was enrolled anywhere
 * before a photo was posted is known when it is compared. Matches that come during one reading share the next.
 *
 * An image that was compared before an enrolment and finished as unknown after the pass over the unknown faces would
 * be missed: the processor says with which generation it was compared, and a pass follows when that one is old.
 */
#include "actors/gallery.h"

#include "actors/gallery_index.h"
#include "actors/gallery_job.h"
#include "core/base/log.h"
#include "core/base/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { ASK_MS = 30000, RETRY_MS = 1000, WAITERS_MAX = 4096, TIMER_PASS = 1, TIMER_POLL };
struct name {
    int64_t id;
    char *text;
    UT_hash_handle hh;
};

struct gallery {
    struct packet_hello model;
    bool model_known;
    struct name *names;
    int64_t last_change, last_face; /* cursors: of the log; of the pass under way over unknown faces */
    bool passing, again;            /* again: something changed during the pass */
    bool resolving;                 /* the pass looks at the unknown faces too */
    bool reading, found;            /* the log is being read; it had something new */
    bool pass_reads, pass_asked;    /* the pass goes on after this reading; after the next */
    struct msg_job *reads, *asked;  /* the matches that do */
    uint64_t generation;            /* grows with each change of the index */
    int64_t resolved;
    actor_token waiters[WAITERS_MAX]; /* asked for a change: answered at the end of a pass begun after it */
    int waiting, next_waiting;        /* those after `waiting` came during the pass */
};

static struct metric templates = {
    .name = "kith_gallery_templates", .help = "Enrolled templates.", .kind = METRIC_GAUGE};
static struct metric resolved_total = {.name = "kith_gallery_resolved_total",
                                       .help = "Faces named after an enrolment."};

static void begin_pass(struct actor *self, bool resolving);
static void next_faces(struct actor *self);
static void read_log(struct actor *self);

static double threshold_of(struct actor *self)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);

    return config->threshold >= 0 ? config->threshold : g->model.threshold;
}

static struct msg_job *job_new(struct actor *self, int kind, const struct msg *source)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);
    struct msg_job *job = gallery_job_new(kind, source);

    job->index = config->index;
    job->model = g->model;
    job->threshold = threshold_of(self);
    job->max = config->candidates;
    return job;
}

static int run(struct actor *self, struct msg_job *job)
{
    const struct gallery_config *config = actor_config(self);

    return offload_run(config->search, actor_find(actor_system_of(self), actor_name(self)), &job->head,
                       gallery_job_work);
}

static void remember_name(struct gallery *g, int64_t id, const char *text)
{
    struct name *n;

    HASH_FIND(hh, g->names, &id, sizeof id, n);
    if (!n) {
        n = calloc(1, sizeof *n);
        if (!n)
            abort();
        n->id = id;
        HASH_ADD(hh, g->names, id, sizeof n->id, n);
    }
    free(n->text);
    n->text = strdup(text);
    if (!n->text)
        abort();
}

static void forget_name(struct gallery *g, int64_t id)
{
    struct name *n;

    HASH_FIND(hh, g->names, &id, sizeof id, n);
    if (!n)
        return;
    HASH_DEL(g->names, n);
    free(n->text);
    free(n);
}

static const char *name_of(const struct gallery *g, int64_t id)
{
    struct name *n;

    HASH_FIND(hh, g->names, &id, sizeof id, n);
    return n ? n->text : NULL;
}

static int64_t person_named(const struct gallery *g, const char *text)
{
    for (const struct name *n = g->names; n; n = n->hh.next)
        if (strcmp(n->text, text) == 0)
            return n->id;
    return PERSON_UNKNOWN;
}

/* --- the pass: what changed, then the faces nobody knows --- */

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
    if (g->again || g->waiting)
        begin_pass(self, true);
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

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        pass_failed(self, "the store");
        return;
    }
    g->resolved += r->changed;
    metric_add(&resolved_total, r->changed);
    next_faces(self);
}

static void after_resolve(struct actor *self, struct msg_job *job)
{
    struct store_resolve *m = job->resolve;

    if (m->count == 0) {
        next_faces(self);
        return;
    }
    job->resolve = NULL;
    for (int i = 0; i < m->count; i++)
        log_event(LOG_INFO, "resolved", LOG_INT("image", m->faces[i].image), LOG_INT("person", m->faces[i].person));
    actor_ask(self, "store", &m->m.head, ASK_MS, on_page_resolved, NULL);
}

static void on_faces(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct gallery *g = actor_state(self);
    struct msg_job *job;

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
    job = job_new(self, JOB_RESOLVE, reply);
    job->resolve = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    if (run(self, job) < 0)
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

static void next_faces(struct actor *self)
{
    struct gallery *g = actor_state(self);

    if (!g->model_known) { /* nothing can be compared yet: the model's arrival starts another pass */
        end_pass(self);
        return;
    }
    actor_ask(self, "store", &page_of(self, STORE_UNKNOWN_FACES, g->last_face)->m.head, ASK_MS, on_faces, NULL);
}

static void begin_pass(struct actor *self, bool resolving)
{
    struct gallery *g = actor_state(self);

    if (g->passing) {
        g->again |= resolving;
        return;
    }
    g->passing = true;
    g->again = false;
    g->resolving = resolving;
    g->last_face = g->resolved = 0;
    g->pass_asked = true;
    read_log(self);
}

/* --- the reading of the log --- */

static void give_matches(struct actor *self, struct msg_job *list)
{
    struct gallery *g = actor_state(self);

    for (struct msg_job *job = list, *next; job; job = next) {
        actor_token token = job->token;

        next = job->next;
        job->matched->generation = g->generation;
        if (run(self, job) < 0)
            actor_answer_error(self, token, ACTOR_FULL);
    }
}

/* A match is worth more late than never: when the store cannot be read it goes by what is known. */
static void end_reading(struct actor *self, bool well)
{
    struct gallery *g = actor_state(self);
    struct msg_job *list = g->reads;
    bool pass = g->pass_reads;

    g->reading = g->pass_reads = false;
    g->reads = NULL;
    give_matches(self, list);
    if (pass && !well)
        pass_failed(self, "the store");
    else if (pass && (g->resolving |= g->found))
        next_faces(self);
    else if (pass)
        end_pass(self);
    else if (g->found)
        begin_pass(self, true);
    read_log(self);
}

static struct store_list *changes_page(struct actor *self);

static void on_changes(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct gallery *g = actor_state(self);

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK ||
        (r->change_count && run(self, job_new(self, JOB_APPLY, reply)) < 0)) {
        end_reading(self, false);
        return;
    }
    for (int i = 0; i < r->change_count; i++) {
        if (r->changes[i].name)
            remember_name(g, r->changes[i].person, r->changes[i].name);
        else
            forget_name(g, r->changes[i].person);
    }
    if (r->change_count) {
        g->last_change = r->next;
        g->generation++;
        g->found = true;
    }
    if (r->more)
        actor_ask(self, "store", &changes_page(self)->m.head, ASK_MS, on_changes, NULL);
    else
        end_reading(self, true);
}

static struct store_list *changes_page(struct actor *self)
{
    struct gallery *g = actor_state(self);

    return page_of(self, STORE_GALLERY_CHANGES, g->last_change);
}

/* Begins a reading for all that wait for one, if none is under way. */
static void read_log(struct actor *self)
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
    actor_ask(self, "store", &changes_page(self)->m.head, ASK_MS, on_changes, NULL);
}

/* --- messages --- */

static void on_changed(struct actor *self)
{
    struct gallery *g = actor_state(self);
    actor_token token = actor_defer(self);

    if (token && g->waiting + g->next_waiting == WAITERS_MAX) {
        actor_answer_error(self, token, ACTOR_FULL);
    } else if (token) {
        g->waiters[g->waiting + g->next_waiting] = token;
        if (g->passing)
            g->next_waiting++;
        else
            g->waiting++;
    }
    begin_pass(self, true);
}

static void on_match(struct actor *self, const struct msg *m)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);
    struct msg_job *job = job_new(self, JOB_MATCH, m);

    job->matched = msg_matched_new(((const struct msg_match *)m)->event);
    job->model = job->matched->event->hello;
    if (!g->model_known) { /* the recognisers are on other nodes */
        g->model = job->model;
        g->model_known = true;
        begin_pass(self, true);
    }
    if (config->threshold < 0)
        job->threshold = job->model.threshold;
    job->token = actor_defer(self);
    if (!config->poll_ms && !g->reading) {
        give_matches(self, job);
        return;
    }
    job->next = g->asked;
    g->asked = job;
    read_log(self);
}

/* --- labels: the recogniser matched it itself --- */

static void next_label(struct actor *self, struct msg_job *job);

static void end_match(struct actor *self, struct msg_job *job)
{
    struct msg_matched *m = job->matched;

    m->head.size_bytes += m->arena.total;
    job->matched = NULL;
    actor_answer(self, job->token, &m->head);
    msg_unref(&job->head);
}

/* A label is the name of one of the person's photos, or the person's own. */
static void on_label(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct gallery *g = actor_state(self);
    struct msg_job *job = context;
    struct msg_matched *m = job->matched;
    struct face *f = &m->faces[job->at++];
    const char *label = f->person_name;

    if (status != ACTOR_OK || r->status != STORE_OK) {
        actor_answer_error(self, job->token, ACTOR_GONE);
        msg_unref(&job->head);
        return;
    }
    f->person = r->id ? r->id : person_named(g, label);
    f->person_name = r->id ? arena_text(&m->arena, r->texts[0]) : arena_text(&m->arena, name_of(g, f->person));
    if (f->person == PERSON_UNKNOWN)
        snprintf(m->nobody, sizeof m->nobody, "%s", label);
    next_label(self, job);
}

static void next_label(struct actor *self, struct msg_job *job)
{
    struct msg_matched *m = job->matched;

    for (; job->at < m->face_count; job->at++) {
        struct face *f = &m->faces[job->at];
        struct store_text *ask;

        if (f->embedding || !f->person_name || !f->person_name[0])
            continue;
        f->similarity = similarity_of(f->distance, job->threshold);
        if (f->distance <= job->threshold) {
            ask = STORE_MESSAGE(STORE_PHOTO_PERSON, store_text);
            ask->text = arena_text(&ask->m.arena, f->person_name);
            actor_ask(self, "store", &ask->m.head, ASK_MS, on_label, job);
            return;
        }
        f->person_name = NULL;
    }
    end_match(self, job);
}

static void name_candidates(const struct gallery *g, struct msg_matched *m, const struct face *f)
{
    struct candidate *list = (struct candidate *)(uintptr_t)f->candidates;

    for (int i = 0; i < f->candidate_count; i++)
        list[i].name = arena_text(&m->arena, name_of(g, list[i].person));
}

static void after_match(struct actor *self, struct msg_job *job)
{
    struct gallery *g = actor_state(self);
    struct msg_matched *m = job->matched;

    for (int i = 0; i < m->face_count; i++) {
        struct face *f = &m->faces[i];

        name_candidates(g, m, f);
        if (f->embedding)
            f->person_name = f->person > 0 ? arena_text(&m->arena, name_of(g, f->person)) : NULL;
    }
    msg_ref(&job->head);
    next_label(self, job);
}

static void on_job(struct actor *self, struct msg_job *job)
{
    metric_set(&templates, job->size);
    if (job->kind == JOB_MATCH)
        after_match(self, job);
    else if (job->kind == JOB_RESOLVE)
        after_resolve(self, job);
}

static int gallery_start(struct actor *self)
{
    const struct gallery_config *config = actor_config(self);

    metric_register(&templates);
    metric_register(&resolved_total);
    if (run(self, job_new(self, JOB_CLEAR, NULL)) < 0)
        return -EAGAIN;
    begin_pass(self, true);
    if (config->poll_ms)
        actor_after(self, config->poll_ms, TIMER_POLL);
    return 0;
}

static void gallery_receive(struct actor *self, const struct msg *m)
{
    struct gallery *g = actor_state(self);

    switch (m->type) {
    case MSG_MATCH:
        on_match(self, m);
        break;
    case MSG_GALLERY_CHANGED:
        on_changed(self);
        break;
    case MSG_FOUND_UNKNOWN:
        if ((uint64_t)((const struct msg_count *)m)->count != g->generation)
            begin_pass(self, true);
        break;
    case MSG_MODEL:
        g->model = ((const struct msg_model *)m)->hello;
        g->model_known = true;
        begin_pass(self, true);
        break;
    case MSG_JOB:
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
        begin_pass(self, false);
    } else {
        g->passing = false;
        begin_pass(self, true);
    }
}

static void drop_matches(struct msg_job *list)
{
    for (struct msg_job *next; list; list = next) {
        next = list->next;
        msg_unref(&list->head);
    }
}

static void gallery_stop(struct actor *self)
{
    struct gallery *g = actor_state(self);
    struct name *n, *next;

    drop_matches(g->reads);
    drop_matches(g->asked);
    HASH_ITER(hh, g->names, n, next)
    {
        HASH_DEL(g->names, n);
        free(n->text);
        free(n);
    }
}

const struct actor_ops gallery_actor = {
    .name = "gallery",
    .state_size = sizeof(struct gallery),
    .start = gallery_start,
    .receive = gallery_receive,
    .timer = gallery_timer,
    .stop = gallery_stop,
};
