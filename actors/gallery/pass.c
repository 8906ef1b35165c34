#include "actors/gallery/pass.h"

#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <string.h>

static struct metric resolved_total = {.name = "kith_gallery_resolved_total",
                                       .help = "Unknown faces named, or assigned to an unknown person, by a pass."};
static struct metric running = {.name = "kith_gallery_pass_running",
                                .help = "1 while stored faces are decided again after a change of the gallery.",
                                .kind = METRIC_GAUGE};

void pass_register_metrics(void)
{
    metric_register(&resolved_total);
    metric_register(&running);
    face_pages_register_metrics();
    reviews_register_metrics();
}

static void pass_set_state(struct pass *p, enum pass_state state)
{
    /* Most polls find no change. */
    bool polls = state <= PASS_REVIEWS && p->scope == PASS_IF_CHANGED && p->requested <= PASS_IF_CHANGED;

    p->state = state;
    metric_set(&running, state != PASS_IDLE && !polls);
}

static void pass_begin(struct pass *p, enum pass_scope scope)
{
    p->scope = scope;
    pass_set_state(p, PASS_LOG);
    p->requested = PASS_NEW_FACES;
    p->reading = change_log_request(p->log);
}

static void pass_end(struct pass *p)
{
    pass_set_state(p, PASS_IDLE);
    p->end(p->self);
    if (p->state != PASS_IDLE) /* `end` has requested one */
        return;
    if (p->requested > PASS_NEW_FACES)
        pass_begin(p, p->requested);
    else if (p->new_faces)
        actor_after(p->self, PASS_NEW_FACES_MS, TIMER_PASS_NEW_FACES);
}

static void pass_drop_added(struct msg_added **added)
{
    msg_unref(*added ? &(*added)->head : NULL);
    *added = NULL;
}

static void pass_fail(struct pass *p, const char *failed)
{
    p->compare |= p->scope == PASS_NEW_FACES;
    pass_set_state(p, PASS_RETRY);
    log_event(LOG_WARN, "gallery update deferred", LOG_STR("failed", failed), LOG_INT("retry_ms", PASS_RETRY_MS));
    actor_after(p->self, PASS_RETRY_MS, TIMER_PASS_RETRY);
}

static void pass_run_faces(struct pass *p, int64_t after)
{
    pass_set_state(p, PASS_FACES);
    if (p->faces.jobs->model_known) {
        p->new_faces = false;
        if (after == 0) {
            if (p->scope == PASS_ALL || p->compare_all)
                pass_drop_added(&p->added);
            p->faces.added = p->added;
            p->added = NULL;
            p->compare = p->compare_all = false;
        }
        face_pages_run(&p->faces, 0, after);
    } else { /* nothing can be compared; the model's arrival requests another pass */
        pass_end(p);
    }
}

static void pass_on_again_end(void *context, const char *failed)
{
    struct pass *p = context;

    if (failed) {
        pass_fail(p, failed);
    } else if (p->scope == PASS_NEW_FACES) {
        pass_run_faces(p, p->newest_face);
    } else {
        pass_set_state(p, PASS_REVIEWS);
        reviews_run(&p->reviews);
    }
}

static void pass_run_again(struct pass *p)
{
    pass_set_state(p, PASS_AGAIN);
    if (p->faces.jobs->model_known)
        face_pages_run(&p->again, 0, 0);
    else
        pass_on_again_end(p, NULL);
}

static void pass_on_reviews_end(void *context, const char *failed)
{
    struct pass *p = context;

    if (failed)
        pass_fail(p, failed);
    else if (p->scope == PASS_ALL || p->compare)
        pass_run_faces(p, 0);
    else
        pass_end(p);
}

static void pass_on_faces_end(void *context, const char *failed)
{
    struct pass *p = context;

    pass_drop_added(&p->faces.added);
    if (p->faces.after > p->newest_face)
        p->newest_face = p->faces.after;
    metric_add(&resolved_total, p->faces.changed);
    if (failed) {
        p->compare = p->compare_all = true;
        pass_fail(p, failed);
    } else {
        pass_end(p);
    }
}

/* A template that was added: unknown faces must be compared with it. */
static void pass_add(struct pass *p, const struct template *t)
{
    const struct gallery_jobs *jobs = p->faces.jobs;

    if (!t->embedding ||
        (jobs->model_known && (t->dimension != (int)jobs->model.dimension || strcmp(t->model, jobs->model.model) != 0)))
        return; /* it is removed again, or no face is compared with it */
    p->compare = true;
    p->compare_all |= !jobs->model_known;
    if (p->compare_all)
        return;
    if (!p->added)
        p->added = search_job_new_added(&jobs->model);
    template_set_add(p->added->templates, t->id, t->person, t->embedding);
    p->compare_all = template_set_count(p->added->templates) > PASS_ADDED_MAX;
}

void pass_on_log_page(struct pass *p, const struct store_reply *page)
{
    for (int i = 0; i < page->change_count; i++) {
        const struct gallery_change *c = &page->changes[i];

        if (c->kind == GALLERY_TEMPLATE_ADDED)
            pass_add(p, &c->template);
        else if (c->kind == GALLERY_COUNTER_REMOVED)
            p->compare = p->compare_all = true;
    }
}

void pass_on_model(struct pass *p)
{
    p->compare_all = true;
    pass_request(p, PASS_ALL);
}

void pass_clear(struct pass *p)
{
    pass_drop_added(&p->added);
    pass_drop_added(&p->faces.added);
}

void pass_on_log_restart(struct pass *p)
{
    p->newest_face = 0; /* a restored database gives out ids again */
    p->compare = p->compare_all = true;
    reviews_on_log_restart(&p->reviews);
}

void pass_on_log_end(struct pass *p, uint64_t reading, bool ok, bool found)
{
    if (found && p->scope == PASS_IF_CHANGED)
        p->scope = PASS_CHANGED;
    if (p->state == PASS_LOG && reading < p->reading)
        return;
    if (p->state != PASS_LOG) {
        if (found) /* by a reading for matches: the stored faces have not been compared with it */
            pass_request(p, PASS_CHANGED);
    } else if (!ok) {
        pass_fail(p, "store");
    } else {
        pass_run_again(p);
    }
}

void pass_on_job(struct pass *p, struct msg_job *job)
{
    if (!face_pages_on_job(&p->again, job) && !face_pages_on_job(&p->faces, job))
        face_pages_on_job(&p->reviews.pages, job);
}

void pass_request(struct pass *p, enum pass_scope scope)
{
    if (p->state == PASS_IDLE) {
        pass_begin(p, scope);
    } else if (scope > p->requested && scope > PASS_IF_CHANGED) {
        p->requested = scope;
        metric_set(&running, 1);
    }
}

void pass_request_new_faces(struct pass *p)
{
    if (p->new_faces)
        return;
    p->new_faces = true;
    actor_after(p->self, PASS_NEW_FACES_MS, TIMER_PASS_NEW_FACES);
}

void pass_on_timer(struct pass *p, uint32_t timer)
{
    if (timer == TIMER_PASS_RETRY && p->state == PASS_RETRY) {
        if (p->requested > p->scope)
            p->scope = p->requested;
        pass_begin(p, p->scope > PASS_CHANGED ? p->scope : PASS_CHANGED);
    } else if (timer == TIMER_PASS_NEW_FACES && p->state == PASS_IDLE && p->new_faces) {
        p->scope = PASS_NEW_FACES;
        pass_run_again(p);
    }
}

void pass_init(struct pass *p, struct actor *self, struct change_log *log, struct gallery_jobs *jobs, uint32_t page,
               void (*end)(struct actor *self))
{
    p->self = self;
    p->log = log;
    p->end = end;
    p->compare_all = true;
    p->again = (struct face_pages){.jobs = jobs,
                                   .log = log,
                                   .list = STORE_AGAIN_FACES,
                                   .kind = JOB_AGAIN,
                                   .limit = page,
                                   .end = pass_on_again_end,
                                   .context = p};
    reviews_init(&p->reviews, jobs, page, pass_on_reviews_end, p);
    p->faces = (struct face_pages){.jobs = jobs,
                                   .list = STORE_UNKNOWN_FACES,
                                   .kind = JOB_RESOLVE,
                                   .limit = page,
                                   .end = pass_on_faces_end,
                                   .context = p};
}
