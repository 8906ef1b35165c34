#include "actors/gallery/pass.h"

#include "core/base/log/log.h"
#include "core/base/metrics.h"

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
    bool polls = state <= PASS_AGAIN && p->scope == PASS_IF_CHANGED; /* most find no change */

    p->state = state;
    metric_set(&running, state != PASS_IDLE && !polls);
}

static void pass_begin(struct pass *p, enum pass_scope scope)
{
    p->scope = scope;
    pass_set_state(p, PASS_LOG);
    p->requested = p->new_faces = false;
    p->reading = change_log_request(p->log);
}

static void pass_end(struct pass *p)
{
    pass_set_state(p, PASS_IDLE);
    p->end(p->self);
    if (p->state != PASS_IDLE) /* `end` has requested one */
        return;
    if (p->requested)
        pass_begin(p, PASS_ALL);
    else if (p->new_faces)
        actor_after(p->self, PASS_NEW_FACES_MS, TIMER_PASS_NEW_FACES);
}

static void pass_fail(struct pass *p, const char *failed)
{
    pass_set_state(p, PASS_RETRY);
    log_event(LOG_WARN, "gallery update deferred", LOG_STR("failed", failed), LOG_INT("retry_ms", PASS_RETRY_MS));
    actor_after(p->self, PASS_RETRY_MS, TIMER_PASS_RETRY);
}

static void pass_on_again_end(void *context, const char *failed)
{
    struct pass *p = context;

    if (failed) {
        pass_fail(p, failed);
    } else if (p->scope == PASS_ALL) {
        pass_set_state(p, PASS_REVIEWS);
        reviews_run(&p->reviews);
    } else {
        pass_end(p);
    }
}

static void pass_run_faces(struct pass *p, int64_t after)
{
    pass_set_state(p, PASS_FACES);
    if (p->faces.jobs->model_known)
        face_pages_run(&p->faces, 0, after);
    else /* nothing can be compared; the model's arrival requests another pass */
        pass_end(p);
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
    else
        pass_run_faces(p, 0);
}

static void pass_on_faces_end(void *context, const char *failed)
{
    struct pass *p = context;

    if (p->faces.after > p->newest_face)
        p->newest_face = p->faces.after;
    metric_add(&resolved_total, p->faces.changed);
    if (failed)
        pass_fail(p, failed);
    else
        pass_end(p);
}

void pass_on_log_restart(struct pass *p)
{
    p->newest_face = 0; /* a restored database gives out ids again */
    reviews_on_log_restart(&p->reviews);
}

void pass_on_log_end(struct pass *p, uint64_t reading, bool ok, bool found)
{
    if (p->state == PASS_LOG && reading < p->reading) {
        p->scope = found ? PASS_ALL : p->scope;
    } else if (p->state != PASS_LOG) {
        if (found) /* by a reading for matches: the unknown faces have not been compared with it */
            pass_request(p, PASS_ALL);
    } else if (!ok) {
        pass_fail(p, "store");
    } else {
        p->scope = found ? PASS_ALL : p->scope;
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
    if (p->state == PASS_IDLE)
        pass_begin(p, scope);
    else
        p->requested |= scope == PASS_ALL;
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
        pass_begin(p, PASS_ALL);
    } else if (timer == TIMER_PASS_NEW_FACES && p->state == PASS_IDLE && p->new_faces) {
        p->new_faces = false;
        pass_run_faces(p, p->newest_face);
    }
}

void pass_init(struct pass *p, struct actor *self, struct change_log *log, struct gallery_jobs *jobs, uint32_t page,
               void (*end)(struct actor *self))
{
    p->self = self;
    p->log = log;
    p->end = end;
    p->again = (struct face_pages){.jobs = jobs,
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
