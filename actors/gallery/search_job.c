#include "actors/gallery/search_job.h"

#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>

static void search_job_destroy(struct msg *m)
{
    struct msg_job *job = (struct msg_job *)m;

    msg_unref(job->source);
    msg_unref(job->matched ? &job->matched->head : NULL);
    msg_unref(job->resolve ? &job->resolve->m.head : NULL);
    msg_unref(job->next ? &job->next->head : NULL);
    msg_unref(job->added ? &job->added->head : NULL);
}

static void search_job_destroy_added(struct msg *m)
{
    template_set_free(((struct msg_added *)m)->templates);
}

struct msg_added *search_job_new_added(const struct packet_hello *model)
{
    struct msg_added *m = (struct msg_added *)msg_new(MSG_GALLERY_ADDED, sizeof *m);

    m->head.destroy = search_job_destroy_added;
    m->templates = template_set_new(model->model, (int)model->dimension, NULL, 0);
    return m;
}

struct msg_job *search_job_new(int kind, const struct msg *source)
{
    struct msg_job *job = (struct msg_job *)msg_new(MSG_GALLERY_JOB, sizeof *job);

    job->head.destroy = search_job_destroy;
    job->kind = kind;
    job->source = source ? msg_ref(source) : NULL;
    return job;
}

static struct decider_model search_job_model(const struct msg_job *job)
{
    return (struct decider_model){.id = job->model.model,
                                  .metric = job->model.metric,
                                  .dimension = (int)job->model.dimension,
                                  .threshold = job->model.threshold};
}

/* Faces that are decided together, each with the arena that gets its candidates. */
struct face_batch {
    struct face **faces;
    struct arena **arenas;
    int count;
};

static struct face_batch face_batch_new(int max)
{
    struct face_batch b = {.faces = calloc((size_t)max + 1, sizeof *b.faces),
                           .arenas = calloc((size_t)max + 1, sizeof *b.arenas)};

    if (!b.faces || !b.arenas)
        out_of_memory();
    return b;
}

static void face_batch_add(struct face_batch *b, struct face *face, struct arena *arena)
{
    b->faces[b->count] = face;
    b->arenas[b->count++] = arena;
}

static void face_batch_decide(struct face_batch *b, const struct msg_job *job)
{
    struct decider_model model = search_job_model(job);

    decider_decide(job->decider, &model, b->faces, b->arenas, b->count);
    free(b->faces);
    free(b->arenas);
}

static void search_job_match(struct msg_job *first)
{
    struct face_batch b;
    int max = 0;

    for (struct msg_job *job = first; job; job = job->next)
        max += ((const struct msg_match *)job->source)->event->face_count;
    b = face_batch_new(max);
    for (struct msg_job *job = first; job; job = job->next) {
        const struct worker_event *event = ((const struct msg_match *)job->source)->event;
        struct msg_matched *m = job->matched;

        m->faces = arena_alloc(&m->arena, (size_t)event->face_count * sizeof *m->faces + 1);
        m->face_count = event->face_count;
        for (int i = 0; i < event->face_count; i++) {
            m->faces[i] = event->faces[i];
            m->faces[i].model = arena_text(&m->arena, job->model.model);
            if (m->faces[i].embedding)
                face_batch_add(&b, &m->faces[i], &m->arena);
            else
                m->faces[i].person = PERSON_UNKNOWN;
        }
    }
    face_batch_decide(&b, first);
}

static void search_job_add_result(struct store_resolve *m, struct resolved *list, const struct face *f, int64_t was,
                                  int64_t unknown_person)
{
    list[m->count++] = (struct resolved){.face = f->id,
                                         .image = f->image,
                                         .was = was,
                                         .person = f->person,
                                         .unknown_person = unknown_person,
                                         .distance = f->distance,
                                         .similarity = f->similarity,
                                         .template = f->template,
                                         .candidates = f->candidates,
                                         .candidate_count = f->candidate_count,
                                         .decision = f->decision};
}

/* Returns copies of the page's faces, decided with the index as it is now. Faces of other models are copied unchanged.
 */
static struct face *search_job_decide_page(struct msg_job *job)
{
    const struct store_reply *page = (const struct store_reply *)job->source;
    struct arena *arena = &job->resolve->m.arena;
    struct face *faces = arena_alloc(arena, (size_t)page->face_count * sizeof *faces + 1);
    struct face_batch b = face_batch_new(page->face_count);

    for (int i = 0; i < page->face_count; i++) {
        faces[i] = page->faces[i];
        if (faces[i].embedding && strcmp(faces[i].model, job->model.model) == 0)
            face_batch_add(&b, &faces[i], arena);
    }
    face_batch_decide(&b, job);
    return faces;
}

static bool search_job_has_model_of(const struct msg_job *job, const struct face *f)
{
    return f->embedding && f->dimension == (int)job->model.dimension && strcmp(f->model, job->model.model) == 0;
}

/* The unknown person of a face that has no name; 0: it has one, or none can be found. */
static int64_t search_job_unknown_person(struct msg_job *job, const struct decider_model *model, const struct face *f)
{
    if (f->person == PERSON_UNKNOWN)
        return decider_assign_unknown(job->decider, model, f->id, f->unknown_person, f->embedding);
    decider_forget(job->decider, f->id);
    return 0;
}

/* Returns copies of the page's faces, decided where a template may have given them a name. `near`: of each face. Most
 * unknown faces are far from all templates, and need neither candidates nor scores. */
static struct face *search_job_decide_near(struct msg_job *job, bool *near)
{
    const struct store_reply *page = (const struct store_reply *)job->source;
    struct arena *arena = &job->resolve->m.arena;
    struct face *faces = arena_alloc(arena, (size_t)page->face_count * sizeof *faces + 1);
    const struct face **probes = arena_alloc(arena, (size_t)page->face_count * sizeof *probes + 1);
    struct decider_model model = search_job_model(job);
    struct face_batch b = face_batch_new(page->face_count);

    for (int i = 0; i < page->face_count; i++) {
        faces[i] = page->faces[i];
        probes[i] = &faces[i];
    }
    decider_select_near(job->decider, &model, job->added ? job->added->templates : NULL, probes, page->face_count,
                        near);
    for (int i = 0; i < page->face_count; i++)
        if (near[i])
            face_batch_add(&b, &faces[i], arena);
    face_batch_decide(&b, job);
    return faces;
}

static void search_job_resolve(struct msg_job *job)
{
    const struct store_reply *page = (const struct store_reply *)job->source;
    struct store_resolve *m = job->resolve;
    struct resolved *list = arena_alloc(&m->m.arena, (size_t)page->face_count * sizeof *list + 1);
    bool *near = arena_alloc(&m->m.arena, (size_t)page->face_count + 1);
    struct decider_model model = search_job_model(job);
    struct face *faces = search_job_decide_near(job, near);

    m->faces = list;
    for (int i = 0; i < page->face_count; i++) {
        int64_t unknown_person;

        if (!search_job_has_model_of(job, &faces[i]))
            continue;
        if (job->added && !near[i] && faces[i].unknown_person) /* a pass before has assigned it */
            continue;
        if (faces[i].word == WORD_IGNORED) /* it gets no name, and keeps its unknown person */
            faces[i].person = PERSON_UNKNOWN;
        unknown_person = search_job_unknown_person(job, &model, &faces[i]);
        if (faces[i].person != PERSON_UNKNOWN)
            search_job_add_result(m, list, &faces[i], PERSON_UNKNOWN, 0);
        else if (unknown_person && unknown_person != faces[i].unknown_person)
            search_job_add_result(m, list, &faces[i], PERSON_UNKNOWN, unknown_person);
    }
}

/* A face of another model cannot be decided now: it has no name any more. */
static void search_job_again(struct msg_job *job)
{
    const struct store_reply *page = (const struct store_reply *)job->source;
    struct store_resolve *m = job->resolve;
    struct resolved *list = arena_alloc(&m->m.arena, (size_t)page->face_count * sizeof *list + 1);
    struct decider_model model = search_job_model(job);
    struct face *faces = search_job_decide_page(job);

    m->faces = list;
    for (int i = 0; i < page->face_count; i++) {
        struct face *f = &faces[i];
        int64_t unknown_person = 0;

        if (!search_job_has_model_of(job, f)) {
            f->person = PERSON_UNKNOWN;
            f->template = 0;
        } else {
            unknown_person = search_job_unknown_person(job, &model, f);
        }
        search_job_add_result(m, list, f, page->faces[i].person, unknown_person);
        list[m->count - 1].again = true;
    }
    m->again_rows = (const int64_t *)(const void *)arena_copy(&m->m.arena, page->again_rows,
                                                              (size_t)page->again_count * sizeof *page->again_rows);
    m->again_count = page->again_count;
}

/* Only a counter-example takes a name back, not a threshold that has changed since. */
static void search_job_review(struct msg_job *job)
{
    const struct store_reply *page = (const struct store_reply *)job->source;
    struct store_resolve *m = job->resolve;
    struct resolved *list = arena_alloc(&m->m.arena, (size_t)page->face_count * sizeof *list + 1);
    struct decider_model model = search_job_model(job);
    struct face *faces = search_job_decide_page(job);

    m->faces = list;
    for (int i = 0; i < page->face_count; i++)
        if (search_job_has_model_of(job, &faces[i]) && faces[i].person != job->person &&
            decider_denies(job->decider, &model, &page->faces[i], job->person))
            search_job_add_result(m, list, &faces[i], job->person, search_job_unknown_person(job, &model, &faces[i]));
}

static void search_job_apply(const struct msg_job *job, const struct gallery_change *c)
{
    struct gallery_index *index = decider_index(job->decider);

    if (c->kind == GALLERY_TEMPLATE_ADDED && c->template.embedding)
        gallery_index_add(index, INDEX_TEMPLATES, &c->template);
    else if (c->kind == GALLERY_COUNTER_ADDED && c->template.embedding)
        gallery_index_add(index, INDEX_COUNTERS, &c->template);
    else if (c->kind == GALLERY_FACE_REMOVED)
        decider_forget(job->decider, c->template.id);
    else if (c->kind == GALLERY_TEMPLATE_REMOVED || c->kind == GALLERY_COUNTER_REMOVED)
        gallery_index_remove_template(index, c->template.id);
    else if (c->kind == GALLERY_PERSON_REMOVED)
        gallery_index_remove_person(index, c->person);
}

static void search_job_refresh(struct msg_job *job)
{
    struct decider_model model = search_job_model(job);

    job->more = decider_refresh(job->decider, &model, &job->threshold_lowered);
}

void search_job_work(struct msg *m)
{
    struct msg_job *job = (struct msg_job *)m;
    const struct store_reply *page = (const struct store_reply *)job->source;
    const struct gallery_index *index = decider_index(job->decider);

    switch (job->kind) {
    case JOB_CLEAR:
        decider_clear(job->decider);
        break;
    case JOB_APPLY:
        for (int i = 0; i < page->change_count; i++)
            search_job_apply(job, &page->changes[i]);
        break;
    case JOB_MATCH:
        search_job_match(job);
        break;
    case JOB_RESOLVE:
        search_job_resolve(job);
        break;
    case JOB_AGAIN:
        search_job_again(job);
        break;
    case JOB_REVIEW:
        search_job_review(job);
        break;
    case JOB_REFRESH:
        search_job_refresh(job);
        break;
    }
    job->size = (int64_t)gallery_index_size(index);
    job->memory = gallery_index_memory(index);
    job->state = decider_state(job->decider);
}
