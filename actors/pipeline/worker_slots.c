#include "actors/pipeline/worker_slots.h"

#include "actors/pipeline/recognizer_internal.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { START_BACKOFF_MIN_MS = 200, START_BACKOFF_MAX_MS = 10000 };

static uint64_t worker_numbers; /* not of one life of the actor: events of an earlier life's workers match no slot */

static struct metric restarts = {.name = "kith_worker_restarts_total", .help = "Workers that ended unasked."};
static struct metric recycled = {.name = "kith_worker_recycled_total", .help = "Workers replaced by count or memory."};
static struct metric cpu = {
    .name = "kith_worker_cpu_seconds_total", .help = "CPU time of finished jobs.", .decimals = 6};
#define STAGE(s)                                                                                                       \
    {                                                                                                                  \
        .name = "kith_stage_seconds_total", .labels = "stage=\"" s "\"",                                               \
        .help = "Time that recognition spent in each stage.", .decimals = 6                                            \
    }
static struct metric stages[] = {STAGE("detect"), STAGE("align"), STAGE("embed"), STAGE("decode")};
static struct histogram duration = {.name = "kith_worker_seconds",
                                    .help = "From a worker's start of a job to its end."};

static struct slot *worker_slots_at(struct actor *self, uint32_t i)
{
    return &((struct recognizer *)actor_state(self))->slots.slots[i];
}

static uint32_t worker_slots_count(struct actor *self)
{
    return ((const struct recognizer_config *)actor_config(self))->workers;
}

int worker_slots_count_ready(struct actor *self)
{
    int ready = 0;

    for (uint32_t i = 0; i < worker_slots_count(self); i++) {
        enum slot_state state = worker_slots_at(self, i)->state;

        ready += state == SLOT_IDLE || state == SLOT_BUSY;
    }
    return ready;
}

bool worker_slots_can_serve(struct actor *self)
{
    for (uint32_t i = 0; i < worker_slots_count(self); i++) {
        const struct slot *slot = worker_slots_at(self, i);

        if (slot->state != SLOT_BACKING_OFF || slot->failed_starts == 0)
            return true;
    }
    return false;
}

/* --- start --- */

static void worker_slots_back_off(struct actor *self, uint32_t i)
{
    struct slot *slot = worker_slots_at(self, i);
    uint64_t ms = START_BACKOFF_MIN_MS;

    for (uint32_t n = 1; n < slot->failed_starts && ms < START_BACKOFF_MAX_MS; n++)
        ms *= 2;
    if (ms > START_BACKOFF_MAX_MS)
        ms = START_BACKOFF_MAX_MS;
    slot->state = SLOT_BACKING_OFF;
    actor_after(self, slot->recycled ? 0 : ms, i);
}

static void worker_slots_on_failed_start(struct actor *self, uint32_t i, const char *reason)
{
    struct recognizer *r = actor_state(self);

    worker_slots_at(self, i)->failed_starts++;
    snprintf(r->slots.reason, sizeof r->slots.reason, "%s", reason);
    log_event(LOG_ERROR, "worker cannot start", LOG_INT("slot", i), LOG_STR("reason", reason));
    worker_slots_back_off(self, i);
    if (!worker_slots_can_serve(self))
        requests_fail_waiting(self, RECOGNIZED_UNAVAILABLE, r->slots.reason);
}

static void worker_slots_start_worker(struct actor *self, uint32_t i)
{
    const struct recognizer_config *config = actor_config(self);
    struct slot *slot = worker_slots_at(self, i);
    struct worker_options options = config->worker;
    struct error error = {0};

    options.actor = actor_find(actor_system_of(self), actor_name(self));
    slot->number = ++worker_numbers;
    slot->recycled = slot->timed_out = false;
    slot->images = 0;
    slot->state = SLOT_STARTING;
    slot->worker = worker_start(&options, slot->number, &error);
    if (slot->worker)
        actor_after(self, config->start_ms, i);
    else
        worker_slots_on_failed_start(self, i, error.text);
}

static void worker_slots_on_ready(struct actor *self, uint32_t i, const struct worker_event *e)
{
    struct recognizer *r = actor_state(self);
    struct slot *slot = worker_slots_at(self, i);

    actor_cancel(self, i);
    slot->state = SLOT_IDLE;
    slot->failed_starts = 0;
    r->slots.reason[0] = 0;
    log_event(LOG_INFO, "worker ready", LOG_INT("slot", i), LOG_INT("pid", worker_pid(slot->worker)),
              LOG_STR("recognizer", e->hello.name), LOG_STR("model", e->hello.model),
              LOG_STR("files", hello_files_text(&e->hello)));
    if (r->quarantine.count)
        quarantine_send(&r->quarantine, slot->worker);
    recognizer_on_hello(self, &e->hello);
}

/* --- work --- */

static void worker_slots_give(struct actor *self, uint32_t i, struct request *request)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct slot *slot = worker_slots_at(self, i);
    const struct msg_recognize *ask = request->ask;
    /* Bytes have no path, but a health check may name a known photo for a recogniser that gets paths. */
    const bool has_path = !ask->bytes || (ask->kind == JOB_HEALTH && ask->path[0] == '/');
    const char *path = has_path ? ask->path : "";
    struct packet_job packet = {.kind = (uint32_t)ask->kind,
                                .side = ask->side,
                                .x = ask->x,
                                .y = ask->y,
                                .width = ask->width,
                                .height = ask->height,
                                .enrol = ask->enrol};

    memcpy(packet.trace, ask->trace, sizeof ask->trace);
    slot->request = request;
    slot->state = SLOT_BUSY;
    slot->begun_ms = actor_now_ms(self);
    actor_after(self, config->recognize_ms, i);
    if (worker_send(slot->worker, ++r->slots.next_serial, &packet, path, request->fd) < 0)
        worker_kill(slot->worker); /* WORKER_GONE follows and ends the request */
    if (request->fd >= 0)
        close(request->fd);
    request->fd = -1;
}

void worker_slots_fill(struct actor *self)
{
    struct recognizer *r = actor_state(self);
    struct request *request;

    for (uint32_t i = 0; i < worker_slots_count(self); i++)
        while (worker_slots_at(self, i)->state == SLOT_IDLE && (request = requests_take(self))) {
            /* Accepted before the recogniser's needs were known: this one needs the file. */
            if (request->fd < 0 && !hello_by_path(&r->hello))
                request_end(self, request, msg_recognized_new(RECOGNIZED_BAD_IMAGE, request->error.text));
            else
                worker_slots_give(self, i, request);
        }
}

static int worker_slots_outcome(uint32_t status)
{
    static const int outcomes[] = {RECOGNIZED_OK, RECOGNIZED_BAD_IMAGE, RECOGNIZED_POISON, RECOGNIZED_FAILED};

    return outcomes[status];
}

static void worker_slots_measure(struct actor *self, const struct slot *slot, const struct packet_done *d)
{
    metric_add(&cpu, (int64_t)d->cpu_us);
    for (int i = 0; i < KITH_STAGES; i++)
        metric_add(&stages[i], (int64_t)((double)d->stage_ms[i] * 1000));
    metric_add(&stages[KITH_STAGES], (int64_t)((double)d->decode_ms * 1000));
    histogram_observe_ms(&duration, (double)(actor_now_ms(self) - slot->begun_ms));
}

static void worker_slots_recycle(struct actor *self, uint32_t i, uint64_t rss_bytes)
{
    struct slot *slot = worker_slots_at(self, i);

    log_event(LOG_INFO, "worker recycled", LOG_INT("slot", i), LOG_INT("images", slot->images),
              LOG_INT("rss_bytes", rss_bytes));
    metric_add(&recycled, 1);
    slot->recycled = true;
    slot->state = SLOT_ENDING;
    worker_kill(slot->worker);
    recognizer_tell_capacity(self);
}

static void worker_slots_on_done(struct actor *self, uint32_t i, const struct worker_event *e)
{
    const struct recognizer_config *config = actor_config(self);
    struct slot *slot = worker_slots_at(self, i);
    struct request *request = slot->request;
    struct msg_recognized *m = msg_recognized_new(worker_slots_outcome(e->done.status), e->done.reason);

    memcpy(m->sha256, e->done.sha256, sizeof m->sha256);
    if (m->outcome == RECOGNIZED_OK)
        m->event = (const struct worker_event *)msg_ref(&e->head);
    worker_slots_measure(self, slot, &e->done);
    actor_cancel(self, i);
    slot->request = NULL;
    slot->state = SLOT_IDLE;
    request_end(self, request, m);
    if (++slot->images >= config->images_max || e->done.rss_bytes > config->memory_max)
        worker_slots_recycle(self, i, e->done.rss_bytes);
    worker_slots_fill(self);
}

/* --- end --- */

static void worker_slots_end_request(struct actor *self, struct request *request, bool timed_out,
                                     const struct worker_event *e)
{
    struct msg_recognized *m =
        timed_out
            ? msg_recognized_new(RECOGNIZED_TIMEOUT, "the recogniser did not answer in time (KITH_RECOGNIZE_TIMEOUT)")
            : msg_recognized_new(RECOGNIZED_CRASHED, e->words);

    memcpy(m->sha256, e->seen, sizeof m->sha256);
    request_end(self, request, m);
}

static void worker_slots_on_gone(struct actor *self, uint32_t i, const struct worker_event *e)
{
    struct slot *slot = worker_slots_at(self, i);
    struct request *request = slot->request;

    actor_cancel(self, i);
    worker_free(slot->worker);
    slot->worker = NULL;
    slot->request = NULL;
    if (slot->state == SLOT_STARTING) {
        worker_slots_on_failed_start(self, i,
                                     slot->timed_out ? "it did not load in time (KITH_START_TIMEOUT)" : e->words);
        recognizer_tell_capacity(self);
        return;
    }
    if (!slot->recycled) {
        metric_add(&restarts, 1);
        log_event(LOG_WARN, "worker gone", LOG_INT("slot", i), LOG_STR("reason", e->words),
                  LOG_SOME("path", request ? request->ask->path : NULL));
    }
    if (request)
        worker_slots_end_request(self, request, slot->timed_out, e);
    worker_slots_back_off(self, i);
    recognizer_tell_capacity(self);
}

void worker_slots_on_event(struct actor *self, const struct worker_event *e)
{
    for (uint32_t i = 0; i < worker_slots_count(self); i++) {
        struct slot *slot = worker_slots_at(self, i);

        if (!slot->worker || slot->number != e->worker)
            continue;
        if (e->head.type == WORKER_READY && slot->state == SLOT_STARTING)
            worker_slots_on_ready(self, i, e);
        else if (e->head.type == WORKER_DONE && slot->state == SLOT_BUSY)
            worker_slots_on_done(self, i, e);
        else if (e->head.type == WORKER_GONE)
            worker_slots_on_gone(self, i, e);
        return;
    }
}

void worker_slots_on_timer(struct actor *self, uint32_t i)
{
    struct slot *slot = worker_slots_at(self, i);

    if (slot->state == SLOT_BACKING_OFF) {
        worker_slots_start_worker(self, i);
    } else if (slot->worker) {
        slot->timed_out = true;
        worker_kill(slot->worker); /* WORKER_GONE follows */
    }
}

void worker_slots_send_quarantine(struct actor *self)
{
    const struct recognizer *r = actor_state(self);

    for (uint32_t i = 0; i < worker_slots_count(self); i++) {
        const struct slot *slot = worker_slots_at(self, i);

        if (slot->worker && slot->state != SLOT_STARTING)
            quarantine_send(&r->quarantine, slot->worker);
    }
}

void worker_slots_start(struct actor *self)
{
    assert(worker_slots_count(self) <= SLOTS_MAX);
    metric_register(&restarts);
    metric_register(&recycled);
    metric_register(&cpu);
    for (int i = 0; i <= KITH_STAGES; i++)
        metric_register(&stages[i]);
    histogram_register(&duration);
    for (uint32_t i = 0; i < worker_slots_count(self); i++)
        worker_slots_start_worker(self, i);
}

void worker_slots_stop(struct actor *self)
{
    for (uint32_t i = 0; i < worker_slots_count(self); i++) {
        struct slot *slot = worker_slots_at(self, i);

        worker_free(slot->worker);
        if (slot->request)
            request_end(self, slot->request, msg_recognized_new(RECOGNIZED_STOPPING, "stopping"));
    }
}
