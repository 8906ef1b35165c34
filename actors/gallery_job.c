/* What is done on the search thread: changes applied to the index, faces compared with it. */
#include "actors/gallery_job.h"

#include "actors/gallery_index.h"

#include <string.h>

static void destroy_job(struct msg *m)
{
    struct msg_job *job = (struct msg_job *)m;

    msg_unref(job->source);
    msg_unref(job->matched ? &job->matched->head : NULL);
    msg_unref(job->resolve ? &job->resolve->m.head : NULL);
}

struct msg_job *gallery_job_new(int kind, const struct msg *source)
{
    struct msg_job *job = (struct msg_job *)msg_new(MSG_JOB, sizeof *job);

    job->head.destroy = destroy_job;
    job->kind = kind;
    job->source = source ? msg_ref(source) : NULL;
    return job;
}

static void decide(const struct msg_job *job, struct arena *arena, struct face *f, const struct face *from)
{
    struct candidate *list = arena_alloc(arena, (size_t)job->max * sizeof *list);

    *f = *from;
    f->model = job->model.model;
    f->person = PERSON_UNKNOWN;
    f->candidates = list;
    f->candidate_count = 0;
    if (!f->embedding)
        return;
    f->candidate_count = gallery_index_nearest(job->index, job->model.model, job->model.metric, f->embedding,
                                               f->dimension, list, job->max);
    for (int i = 0; i < f->candidate_count; i++)
        list[i].similarity = similarity_of(list[i].distance, job->threshold);
    if (f->candidate_count == 0)
        return;
    f->distance = list[0].distance;
    f->similarity = list[0].similarity;
    if (f->distance <= job->threshold)
        f->person = list[0].person;
}

static void match(struct msg_job *job)
{
    const struct worker_event *event = ((const struct msg_match *)job->source)->event;
    struct msg_matched *m = job->matched;

    m->faces = arena_alloc(&m->arena, (size_t)event->face_count * sizeof *m->faces + 1);
    m->face_count = event->face_count;
    m->threshold = job->threshold;
    for (int i = 0; i < event->face_count; i++) {
        decide(job, &m->arena, &m->faces[i], &event->faces[i]);
        m->faces[i].model = arena_text(&m->arena, job->model.model);
    }
}

static void resolve(struct msg_job *job)
{
    const struct store_reply *page = (const struct store_reply *)job->source;
    struct store_resolve *m = job->resolve;
    struct resolved *list = arena_alloc(&m->m.arena, (size_t)page->face_count * sizeof *list + 1);

    m->faces = list;
    for (int i = 0; i < page->face_count; i++) {
        const struct face *from = &page->faces[i];
        struct face f;

        if (!from->embedding || strcmp(from->model, job->model.model) != 0)
            continue;
        decide(job, &m->m.arena, &f, from);
        if (f.person == PERSON_UNKNOWN)
            continue;
        list[m->count++] = (struct resolved){.face = from->id,
                                             .image = from->image,
                                             .person = f.person,
                                             .distance = f.distance,
                                             .similarity = f.similarity,
                                             .candidates = f.candidates,
                                             .candidate_count = f.candidate_count};
    }
}

static void apply(struct gallery_index *index, const struct gallery_change *c)
{
    if (c->kind == GALLERY_TEMPLATE_ADDED && c->template.embedding)
        gallery_index_add(index, &c->template);
    else if (c->kind == GALLERY_TEMPLATE_REMOVED)
        gallery_index_remove_template(index, c->template.id);
    else if (c->kind == GALLERY_PERSON_REMOVED)
        gallery_index_remove_person(index, c->person);
}

void gallery_job_work(struct msg *m)
{
    struct msg_job *job = (struct msg_job *)m;
    const struct store_reply *page = (const struct store_reply *)job->source;

    switch (job->kind) {
    case JOB_CLEAR:
        gallery_index_clear(job->index);
        break;
    case JOB_APPLY:
        for (int i = 0; i < page->change_count; i++)
            apply(job->index, &page->changes[i]);
        break;
    case JOB_MATCH:
        match(job);
        break;
    case JOB_RESOLVE:
        resolve(job);
        break;
    }
    job->size = (int64_t)gallery_index_size(job->index);
}
