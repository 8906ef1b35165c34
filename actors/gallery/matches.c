/* Comparing faces with the gallery: what was asked goes to the search thread, together with all that waits by then, and
 * comes back with people, to whom names are given here. */
#include "actors/gallery/gallery_internal.h"
#include "core/match/search/distance.h"

#include <stdio.h>
#include <string.h>

enum { TOGETHER = 64 }; /* matches in one search */

static void refuse(struct actor *self, struct msg_job *list)
{
    for (struct msg_job *job = list, *next; job; job = next) {
        next = job->next;
        job->next = NULL;
        actor_answer_error(self, job->token, ACTOR_FULL);
        msg_unref(&job->head);
    }
}

/* The first of those that wait, and those behind it that are of the same model. */
static struct msg_job *take_ready(struct gallery *g)
{
    struct msg_job *first = g->ready, *last = first;

    for (int n = 1; n < TOGETHER && last->next && strcmp(last->next->model.model, first->model.model) == 0; n++)
        last = last->next;
    g->ready = last->next;
    last->next = NULL;
    if (!g->ready)
        g->last_ready = NULL;
    return first;
}

void gallery_give_matches(struct actor *self, struct msg_job *list)
{
    struct gallery *g = actor_state(self);
    struct msg_job *batch;

    for (struct msg_job *job = list; job; job = job->next) {
        job->matched->generation = g->generation;
        if (g->last_ready)
            g->last_ready->next = job;
        else
            g->ready = job;
        g->last_ready = job;
    }
    if (g->matching || !g->ready)
        return;
    batch = take_ready(g);
    msg_ref(&batch->head); /* one that the thread does not take is released by it */
    g->matching = gallery_run(self, batch) == ACTOR_OK;
    if (g->matching)
        msg_unref(&batch->head);
    else
        refuse(self, batch);
}

void gallery_drop_matches(struct gallery *g)
{
    struct msg_job *lists[] = {g->reads, g->asked, g->ready};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        msg_unref(lists[i] ? &lists[i]->head : NULL); /* each holds the next */
}

void gallery_on_match(struct actor *self, const struct msg *m)
{
    const struct gallery_config *config = actor_config(self);
    struct gallery *g = actor_state(self);
    struct msg_job *job = gallery_new_job(self, JOB_MATCH, m);

    job->matched = msg_matched_new(((const struct msg_match *)m)->event);
    job->model = job->matched->event->hello;
    if (!g->model_known) { /* the recognisers are on other nodes */
        g->model = job->model;
        g->model_known = true;
        gallery_begin_pass(self, true);
    }
    job->token = actor_defer(self);
    if (!config->poll_ms && !g->reading) {
        gallery_give_matches(self, job);
        return;
    }
    job->next = g->asked;
    g->asked = job;
    gallery_read_log(self);
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
    f->person = r->id ? r->id : gallery_person_named(g, label);
    f->person_name = r->id ? arena_text(&m->arena, r->texts[0]) : arena_text(&m->arena, gallery_name_of(g, f->person));
    if (f->person == PERSON_UNKNOWN)
        snprintf(m->unmatched_label, sizeof m->unmatched_label, "%s", label);
    next_label(self, job);
}

static void next_label(struct actor *self, struct msg_job *job)
{
    const struct gallery_config *config = actor_config(self);
    struct msg_matched *m = job->matched;
    double threshold = config->threshold >= 0 ? config->threshold : job->model.threshold;

    for (; job->at < m->face_count; job->at++) {
        struct face *f = &m->faces[job->at];
        struct store_text *ask;

        if (f->embedding || !f->person_name || !f->person_name[0])
            continue;
        f->similarity = similarity_of(f->distance, threshold);
        f->decision = (struct decision){
            .rule = DECIDED_BY_LABEL, .mean = f->distance, .threshold = threshold, .people = job->state.people};
        if (f->distance <= threshold) {
            ask = STORE_MESSAGE(STORE_PHOTO_PERSON, store_text);
            ask->text = arena_text(&ask->m.arena, f->person_name);
            actor_ask(self, "store", &ask->m.head, GALLERY_ASK_MS, on_label, job);
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
        list[i].name = arena_text(&m->arena, gallery_name_of(g, list[i].person));
}

static void after_one(struct actor *self, struct msg_job *job, double threshold)
{
    struct gallery *g = actor_state(self);
    struct msg_matched *m = job->matched;

    m->threshold = threshold;
    for (int i = 0; i < m->face_count; i++) {
        struct face *f = &m->faces[i];

        name_candidates(g, m, f);
        if (f->embedding)
            f->person_name = f->person > 0 ? arena_text(&m->arena, gallery_name_of(g, f->person)) : NULL;
    }
    next_label(self, job);
}

void gallery_after_match(struct actor *self, struct msg_job *first)
{
    struct gallery *g = actor_state(self);
    struct msg_job *job = (struct msg_job *)(uintptr_t)msg_ref(&first->head);
    double threshold = first->state.threshold;

    g->matching = false;
    for (struct msg_job *next; job; job = next) { /* each has its own way from here */
        next = job->next;
        job->next = NULL;
        after_one(self, job, threshold);
    }
    gallery_give_matches(self, NULL);
}
