#include "actors/gallery/match_answer.h"

#include "actors/gallery/jobs.h"
#include "core/base/text.h"
#include "core/match/search/distance.h"

static void match_answer_next_label(struct match_answer *a, struct msg_job *job);

static void match_answer_end(struct match_answer *a, struct msg_job *job)
{
    struct msg_matched *m = job->matched;

    m->head.size_bytes += m->arena.total;
    job->matched = NULL;
    actor_answer(a->self, job->token, &m->head);
    msg_unref(&job->head);
}

static void match_answer_on_label(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct msg_job *job = context;
    struct match_answer *a = job->answer;
    struct msg_matched *m = job->matched;
    struct face *f = &m->faces[job->at++];
    const char *label = f->person_name;

    if (status != ACTOR_OK || r->status != STORE_OK) {
        actor_answer_error(self, job->token, ACTOR_GONE);
        msg_unref(&job->head);
        return;
    }
    f->label = arena_text(&m->arena, label);
    f->person = r->id ? r->id : gallery_names_find(a->names, label);
    f->person_name = arena_text(&m->arena, r->id ? r->texts[0] : gallery_names_get(a->names, f->person));
    if (f->person == PERSON_UNKNOWN)
        text_copy_utf8(m->unmatched_label, sizeof m->unmatched_label, label);
    match_answer_next_label(a, job);
}

static void match_answer_next_label(struct match_answer *a, struct msg_job *job)
{
    struct msg_matched *m = job->matched;
    double threshold = a->threshold >= 0 ? a->threshold : job->model.threshold;

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
            actor_ask(a->self, "store", &ask->m.head, GALLERY_ASK_MS, match_answer_on_label, job);
            return;
        }
        f->person_name = NULL;
    }
    match_answer_end(a, job);
}

static void match_answer_name_face(const struct match_answer *a, struct msg_matched *m, struct face *f)
{
    struct candidate *candidates = (struct candidate *)(uintptr_t)f->candidates; /* made by the search thread */

    for (int i = 0; i < f->candidate_count; i++)
        candidates[i].name = arena_text(&m->arena, gallery_names_get(a->names, candidates[i].person));
    if (f->embedding)
        f->person_name = f->person > 0 ? arena_text(&m->arena, gallery_names_get(a->names, f->person)) : NULL;
}

void match_answer_send(struct match_answer *a, struct msg_job *job, double threshold)
{
    struct msg_matched *m = job->matched;

    job->answer = a;
    m->threshold = threshold;
    for (int i = 0; i < m->face_count; i++)
        match_answer_name_face(a, m, &m->faces[i]);
    match_answer_next_label(a, job);
}
