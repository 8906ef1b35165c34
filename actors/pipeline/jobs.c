#include "actors/pipeline/jobs.h"

#include "actors/pipeline/finish.h"
#include "actors/pipeline/processor_internal.h"
#include "actors/pipeline/quarantine.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <assert.h>
#include <string.h>

enum { FINISH_BACKOFF_MIN_MS = 500, FINISH_BACKOFF_MAX_MS = 8000 };

static struct metric finished = {
    .name = "kith_images_finished_total", .labels = "result=\"known\"", .help = "Images finished."};
static struct metric unknown = {
    .name = "kith_images_finished_total", .labels = "result=\"unknown\"", .help = "Images finished."};
static struct metric no_face = {
    .name = "kith_images_finished_total", .labels = "result=\"no_face\"", .help = "Images finished."};
static struct metric failed = {
    .name = "kith_images_finished_total", .labels = "result=\"failed\"", .help = "Images finished."};
static struct metric retried = {.name = "kith_images_retried_total", .help = "Tries that the recogniser spoiled."};
static struct metric superseded = {.name = "kith_images_superseded_total",
                                   .help = "Results of a run that was not current."};
static struct metric running = {
    .name = "kith_images_in_flight", .help = "Images being processed.", .kind = METRIC_GAUGE};
static struct histogram duration = {.name = "kith_image_processing_seconds", .help = "From claim to finish."};

void jobs_register_metrics(void)
{
    metric_register(&finished);
    metric_register(&unknown);
    metric_register(&no_face);
    metric_register(&failed);
    metric_register(&retried);
    metric_register(&superseded);
    metric_register(&running);
    metric_set(&running, 0);
    histogram_register(&duration);
}

/* --- the end --- */

static void job_end(struct actor *self, struct job *job)
{
    struct processor *p = actor_state(self);

    msg_unref(job->finish ? &job->finish->m.head : NULL);
    memset(job, 0, sizeof *job);
    metric_set(&running, --p->jobs.count);
    processor_on_job_ended(self);
}

/* The gallery keeps unknown faces, and matches them again when it has changed since `gallery_generation`. */
static void job_tell_unknown(struct actor *self, const struct job *job)
{
    const struct store_finish *m = job->finish;
    struct msg_count *found;

    for (int i = 0; i < m->face_count; i++)
        if (m->faces[i].person == PERSON_UNKNOWN && m->faces[i].embedding) {
            found = (struct msg_count *)msg_new(MSG_FOUND_UNKNOWN, sizeof *found);
            found->count = (int64_t)job->gallery_generation;
            actor_tell_control(self, "gallery", &found->head);
            return;
        }
}

static void job_on_failed(struct actor *self, const struct job *job, const char *reason)
{
    const struct processor_config *config = actor_config(self);
    const struct store_finish *m = job->finish;

    metric_add(&failed, 1);
    log_event(LOG_WARN, "failed", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt),
              LOG_STR("reason", reason));
    if (m->crashed && m->sha256 && reason && strcmp(reason, "poison") == 0)
        quarantine_add(self, m->sha256, config->quarantine_ms);
}

static void job_on_processed(struct actor *self, const struct job *job, const struct image *image)
{
    uint64_t ms = actor_now_ms(self) - job->begun_ms;

    if (image->verdict == VERDICT_KNOWN) {
        metric_add(&finished, 1);
        log_event(LOG_INFO, "finished", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt),
                  LOG_INT("person", image->person), LOG_INT("faces", job->finish->face_count), LOG_INT("ms", ms));
    } else {
        metric_add(image->verdict == VERDICT_NO_FACE ? &no_face : &unknown, 1);
        log_event(LOG_INFO, "finished", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt),
                  LOG_STR("person", image->verdict == VERDICT_NO_FACE ? "no face" : "unknown"),
                  LOG_INT("faces", job->finish->face_count), LOG_INT("ms", ms));
    }
}

static void job_on_requeued(struct actor *self, const struct job *job)
{
    const struct processor_config *config = actor_config(self);
    const struct store_finish *m = job->finish;
    bool retry = m->outcome == OUTCOME_RETRY;

    metric_add(&retried, retry);
    log_event(LOG_INFO, retry ? "requeued" : "released", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt),
              LOG_STR("reason", m->reason), LOG_INT("again_in_ms", m->delay_ms));
    if ((uint64_t)m->delay_ms < config->poll_ms) /* later ones are found by the poll */
        actor_after(self, (uint64_t)m->delay_ms + 1, TIMER_DUE);
}

/* `image` is the row as the store has written it. */
static void job_on_written(struct actor *self, const struct job *job, const struct image *image)
{
    bool faces = job->finish->outcome == OUTCOME_FACES;

    histogram_observe_ms(&duration, (double)(actor_now_ms(self) - job->begun_ms));
    if (faces)
        job_tell_unknown(self, job);
    if (image_shown_status(image) == IMAGE_FAILED)
        job_on_failed(self, job, image->reason);
    else if (faces)
        job_on_processed(self, job, image);
    else
        job_on_requeued(self, job);
    if (image->again) {
        log_event(LOG_INFO, "posted again meanwhile", LOG_INT("image", job->id));
        actor_after(self, 1, TIMER_DUE);
    }
}

/* --- finishing --- */

static void job_ask_finish(struct actor *self, struct job *job);

/* Takes `finish`. */
static void job_finish(struct actor *self, struct job *job, const struct store_finish *finish)
{
    msg_unref(job->finish ? &job->finish->m.head : NULL);
    job->finish = finish;
    job->finish_failures = 0;
    job_ask_finish(self, job);
}

static void job_back_off(struct actor *self, struct job *job, const char *reason)
{
    struct processor *p = actor_state(self);
    uint64_t ms = FINISH_BACKOFF_MIN_MS;

    for (uint32_t i = 0; i < job->finish_failures && ms < FINISH_BACKOFF_MAX_MS; i++)
        ms *= 2;
    job->finish_failures++;
    job->stage = STAGE_BACKING_OFF;
    log_event(LOG_ERROR, "cannot finish", LOG_INT("image", job->id), LOG_STR("reason", reason),
              LOG_INT("again_in_ms", ms));
    actor_after(self, ms, (uint32_t)(job - p->jobs.at));
}

static void job_on_refused(struct actor *self, struct job *job, const char *reason)
{
    const struct processor_config *config = actor_config(self);

    if (job->result_refused) {
        log_event(LOG_ERROR, "job dropped", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt),
                  LOG_STR("reason", reason));
        job_end(self, job);
        return;
    }
    log_event(LOG_ERROR, "result refused", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt),
              LOG_STR("reason", reason));
    job->result_refused = true;
    job_finish(self, job, finish_of_refused(config, job));
}

static void job_on_finished(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct job *job = context;

    if (status != ACTOR_OK || (r->status != STORE_OK && !r->permanent)) {
        job_back_off(self, job, status == ACTOR_OK ? r->error : actor_status_name(status));
        return;
    }
    if (r->status != STORE_OK) {
        job_on_refused(self, job, r->error);
        return;
    }
    if (r->changed) {
        job_on_written(self, job, &r->images[0]);
        if (r->deciding) /* a template went while it was compared */
            msg_tell_gallery(self);
    } else {
        metric_add(&superseded, 1);
        log_event(LOG_INFO, "superseded", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt));
    }
    job_end(self, job);
}

static void job_ask_finish(struct actor *self, struct job *job)
{
    job->stage = STAGE_FINISHING;
    actor_ask(self, "store", msg_ref(&job->finish->m.head), PROCESSOR_STORE_MS, job_on_finished, job);
}

void jobs_on_timer(struct actor *self, uint32_t i)
{
    struct job *job = &((struct processor *)actor_state(self))->jobs.at[i];

    assert(job->stage == STAGE_BACKING_OFF);
    job_ask_finish(self, job);
}

/* --- recognition --- */

static void job_on_matched(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct processor_config *config = actor_config(self);
    const struct msg_matched *matched = (const struct msg_matched *)reply;
    struct job *job = context;

    if (status != ACTOR_OK) {
        job_finish(self, job, finish_without_gallery(config, job));
        return;
    }
    job->gallery_generation = matched->generation;
    job_finish(self, job, finish_of_matched(config, job, matched));
}

static void job_on_recognized(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct processor_config *config = actor_config(self);
    const struct msg_recognized *r = (const struct msg_recognized *)reply;
    struct job *job = context;

    if (status == ACTOR_OK)
        job->file = r->file;
    if (status != ACTOR_OK) {
        job_finish(self, job, finish_without_recognizer(config, job, status));
    } else if (r->outcome != RECOGNIZED_OK || r->event->face_count == 0) {
        job_finish(self, job, finish_of_recognized(config, job, r));
    } else {
        job->stage = STAGE_MATCHING;
        log_event(LOG_INFO, "recognised", LOG_INT("image", job->id), LOG_INT("faces", r->event->face_count),
                  LOG_INT("cpu_us", r->event->done.cpu_us));
        actor_ask(self, "gallery", &msg_match_new(r->event)->head, config->call_ms, job_on_matched, job);
    }
}

void jobs_start(struct actor *self, const struct image *image)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    struct job *job = p->jobs.at;
    struct msg_recognize *m;

    assert(p->jobs.count < JOBS_MAX);
    while (job->stage != STAGE_NONE)
        job++;
    *job = (struct job){.stage = STAGE_RECOGNIZING,
                        .id = image->id,
                        .attempt = image->attempt,
                        .tries = image->tries,
                        .begun_ms = actor_now_ms(self)};
    metric_set(&running, ++p->jobs.count);
    log_event(LOG_INFO, "claimed", LOG_INT("image", job->id), LOG_INT("attempt", job->attempt),
              LOG_STR("path", image->path), LOG_SOME("trace", image->trace));
    m = msg_recognize_new(JOB_RECOGNIZE, image->path, NULL, 0);
    snprintf(m->trace, sizeof m->trace, "%s", image->trace ? image->trace : "");
    actor_ask(self, config->recognizer, &m->head, config->call_ms, job_on_recognized, job);
}

void jobs_stop(struct actor *self)
{
    struct processor *p = actor_state(self);

    for (struct job *job = p->jobs.at; job < p->jobs.at + JOBS_MAX; job++)
        msg_unref(job->finish ? &job->finish->m.head : NULL);
}
