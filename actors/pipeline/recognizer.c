/* The pool of recognition workers: one job at a time each, a deadline for each job, replaced when they end.
 *
 * A slot:   start ──▶ STARTING ──READY──▶ IDLE ◀──job──▶ BUSY
 *                        │ deadline, refused  │ recycled    │ deadline, crash
 *                        ▼                    ▼             ▼
 *                      RESTING ◀──────────── GONE ◀─────────┘     RESTING ──back-off──▶ start
 *
 * A job:    opened on a thread of its own (a slow disk never stops the loop) ─▶ urgent or normal queue ─▶ a worker.
 * Its asker gets one answer: the worker's, or why there is none.
 */
#include "actors/pipeline/recognizer.h"

#include "actors/messages.h"
#include "core/base/log.h"
#include "core/base/metrics.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SLOTS_MAX = 256,
    TIMER_QUARANTINE = 1000,
    REST_MIN_MS = 200,
    REST_MAX_MS = 10000,
    QUARANTINE_MAX = 1000,
    QUARANTINE_LOOK_MS = 5000
};

struct job {
    struct job *next;
    const struct msg_recognize *ask; /* referenced */
    actor_token token;
    int fd; /* -1: the file is not here */
    struct error missing;
};

struct queue {
    struct job *first, **last;
};

enum slot_state { SLOT_STARTING, SLOT_IDLE, SLOT_BUSY, SLOT_ENDING, SLOT_RESTING };

struct slot {
    enum slot_state state;
    struct worker *worker;
    uint64_t number; /* of the worker */
    struct job *job;
    uint64_t begun_ms, images;
    uint32_t failed_starts;
    bool recycled, timed_out;
};

struct recognizer {
    struct slot slots[SLOTS_MAX];
    struct queue urgent, normal;
    uint32_t waiting; /* jobs from their acceptance to a worker */
    uint64_t life, next_number, next_serial;
    struct packet_hello hello; /* of the first that was ready */
    bool known;
    char why[REASON_BYTES]; /* what the last one said that could not start */
    char quarantine[QUARANTINE_MAX][SHA256_HEX_BYTES];
    size_t quarantined;
    int ready;
};

struct msg_opened { /* the job of the files' thread */
    struct msg head;
    const struct recognizer_config *config;
    struct job *job;
    uint64_t life; /* of the actor that made it */
    struct error error;
};

static uint64_t lives; /* of this actor: jobs and worker numbers carry theirs, so that old ones are told apart */

static struct metric restarts = {.name = "kith_worker_restarts_total", .help = "Workers that ended unasked."};
static struct metric recycled = {.name = "kith_worker_recycled_total", .help = "Workers replaced by count or memory."};
static struct metric ready_gauge = {
    .name = "kith_workers_ready", .help = "Workers that can work.", .kind = METRIC_GAUGE};
static struct metric waiting_gauge = {
    .name = "kith_worker_queue", .help = "Requests that wait for a worker.", .kind = METRIC_GAUGE};
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

static void try_dispatch(struct actor *self);

static void queue_add(struct queue *q, struct job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
}

static struct job *queue_take(struct queue *q)
{
    struct job *job = q->first;

    if (job && !(q->first = job->next))
        q->last = &q->first;
    return job;
}

/* --- what others hear --- */

static void tell_capacity(struct actor *self)
{
    static const char *const listeners[] = {"processor", "health", "cluster", NULL};
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);

    r->ready = 0;
    for (uint32_t i = 0; i < config->workers; i++)
        r->ready += r->slots[i].state == SLOT_IDLE || r->slots[i].state == SLOT_BUSY;
    metric_set(&ready_gauge, r->ready);
    for (const char *const *to = listeners; *to; to++) {
        struct msg_capacity *m = (struct msg_capacity *)msg_new(MSG_CAPACITY, sizeof *m);

        m->workers = (int)config->workers;
        m->ready = r->ready;
        memcpy(m->why, r->why, sizeof m->why);
        memcpy(m->recognizer, r->hello.name, sizeof m->recognizer);
        memcpy(m->model, r->hello.model, sizeof m->model);
        actor_tell_control(self, *to, &m->head);
    }
}

static void answer(struct actor *self, struct job *job, struct msg_recognized *m)
{
    actor_answer(self, job->token, &m->head);
    msg_unref(&job->ask->head);
    if (job->fd >= 0)
        close(job->fd);
    free(job);
}

static void tell_model(struct actor *self)
{
    struct msg_model *m = (struct msg_model *)msg_new(MSG_MODEL, sizeof *m);

    m->hello = ((const struct recognizer *)actor_state(self))->hello;
    actor_tell_control(self, "gallery", &m->head);
}

static void fail_queue(struct actor *self, struct queue *q, int outcome, const char *why)
{
    struct recognizer *r = actor_state(self);

    for (struct job *job; (job = queue_take(q));) {
        r->waiting--;
        answer(self, job, msg_recognized_new(outcome, why));
    }
}

/* --- slots --- */

static void rest(struct actor *self, uint32_t i)
{
    struct recognizer *r = actor_state(self);
    struct slot *slot = &r->slots[i];
    uint64_t ms = REST_MIN_MS;

    for (uint32_t n = 1; n < slot->failed_starts && ms < REST_MAX_MS; n++)
        ms *= 2;
    slot->state = SLOT_RESTING;
    actor_after(self, slot->recycled ? 0 : ms, i);
}

static bool anyone_may_come(struct actor *self)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);

    for (uint32_t i = 0; i < config->workers; i++)
        if (r->slots[i].state != SLOT_RESTING || r->slots[i].failed_starts == 0)
            return true;
    return false;
}

static void start_failed(struct actor *self, uint32_t i, const char *why)
{
    struct recognizer *r = actor_state(self);

    r->slots[i].failed_starts++;
    snprintf(r->why, sizeof r->why, "%s", why);
    log_event(LOG_ERROR, "worker cannot start", LOG_INT("slot", i), LOG_STR("reason", why));
    rest(self, i);
    if (anyone_may_come(self))
        return;
    fail_queue(self, &r->urgent, RECOGNIZED_UNAVAILABLE, r->why);
    fail_queue(self, &r->normal, RECOGNIZED_UNAVAILABLE, r->why);
}

static void start_slot(struct actor *self, uint32_t i)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct slot *slot = &r->slots[i];
    struct worker_options options = config->worker;
    struct error error = {0};

    options.actor = actor_find(actor_system_of(self), actor_name(self));
    slot->number = ++r->next_number;
    slot->recycled = slot->timed_out = false;
    slot->images = 0;
    slot->state = SLOT_STARTING;
    slot->worker = worker_start(&options, slot->number, &error);
    if (!slot->worker) {
        start_failed(self, i, error.text);
        return;
    }
    actor_after(self, config->start_ms, i);
}

static void send_quarantine(const struct recognizer *r, struct worker *worker)
{
    worker_quarantine(worker, r->quarantine[0], r->quarantined);
}

static void on_ready(struct actor *self, uint32_t i, const struct worker_event *e)
{
    struct recognizer *r = actor_state(self);
    struct slot *slot = &r->slots[i];

    actor_cancel(self, i);
    slot->state = SLOT_IDLE;
    slot->failed_starts = 0;
    r->why[0] = 0;
    if (!r->known || strcmp(r->hello.model, e->hello.model) != 0) {
        r->hello = e->hello;
        r->known = true;
        tell_model(self);
    }
    log_event(LOG_INFO, "worker ready", LOG_INT("slot", i), LOG_INT("pid", worker_pid(slot->worker)),
              LOG_STR("recognizer", e->hello.name), LOG_STR("model", e->hello.model),
              LOG_STR("files", hello_files_text(&e->hello)));
    if (r->quarantined)
        send_quarantine(r, slot->worker);
    tell_capacity(self);
    try_dispatch(self);
}

static int outcome_of(uint32_t status)
{
    static const int outcomes[] = {RECOGNIZED_OK, RECOGNIZED_BAD_IMAGE, RECOGNIZED_POISON, RECOGNIZED_FAILED};

    return outcomes[status];
}

static void count_stages(const struct packet_done *d)
{
    for (int i = 0; i < KITH_STAGES; i++)
        metric_add(&stages[i], (int64_t)((double)d->stage_ms[i] * 1000));
    metric_add(&stages[KITH_STAGES], (int64_t)((double)d->decode_ms * 1000));
}

static void on_done(struct actor *self, uint32_t i, const struct worker_event *e)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct slot *slot = &r->slots[i];
    struct job *job = slot->job;
    struct msg_recognized *m = msg_recognized_new(outcome_of(e->done.status), e->done.reason);

    memcpy(m->sha256, e->done.sha256, sizeof m->sha256);
    if (m->outcome == RECOGNIZED_OK) {
        msg_ref(&e->head);
        m->event = e;
    }
    metric_add(&cpu, (int64_t)e->done.cpu_us);
    count_stages(&e->done);
    histogram_observe_ms(&duration, (double)(actor_now_ms(self) - slot->begun_ms));
    actor_cancel(self, i);
    slot->job = NULL;
    slot->state = SLOT_IDLE;
    answer(self, job, m);
    if (++slot->images >= config->images_max || e->done.rss_bytes > config->memory_max) {
        log_event(LOG_INFO, "worker recycled", LOG_INT("slot", i), LOG_INT("images", slot->images),
                  LOG_INT("rss_bytes", e->done.rss_bytes));
        metric_add(&recycled, 1);
        slot->recycled = true;
        slot->state = SLOT_ENDING;
        worker_kill(slot->worker);
        tell_capacity(self);
    }
    try_dispatch(self);
}

static void on_gone(struct actor *self, uint32_t i, const struct worker_event *e)
{
    struct recognizer *r = actor_state(self);
    struct slot *slot = &r->slots[i];
    struct job *job = slot->job;
    bool was_starting = slot->state == SLOT_STARTING;

    actor_cancel(self, i);
    worker_free(slot->worker);
    slot->worker = NULL;
    slot->job = NULL;
    if (was_starting) {
        start_failed(self, i, slot->timed_out ? "it did not load in time (KITH_START_TIMEOUT)" : e->words);
        tell_capacity(self);
        return;
    }
    if (!slot->recycled) {
        metric_add(&restarts, 1);
        log_event(LOG_WARN, "worker gone", LOG_INT("slot", i), LOG_STR("reason", e->words),
                  LOG_STR("image", job ? job->ask->path : NULL));
    }
    if (job) {
        struct msg_recognized *m = msg_recognized_new(
            slot->timed_out ? RECOGNIZED_TIMEOUT : RECOGNIZED_CRASHED,
            slot->timed_out ? "the recogniser did not answer in time (KITH_RECOGNIZE_TIMEOUT)" : e->words);

        memcpy(m->sha256, e->seen, sizeof m->sha256);
        answer(self, job, m);
    }
    rest(self, i);
    tell_capacity(self);
}

/* --- jobs --- */

static bool next_job(struct actor *self, struct job **job)
{
    struct recognizer *r = actor_state(self);

    for (;;) {
        if (!(*job = queue_take(&r->urgent)) && !(*job = queue_take(&r->normal)))
            return false;
        r->waiting--;
        metric_set(&waiting_gauge, r->waiting);
        if (actor_awaited(self, (*job)->token))
            return true;
        answer(self, *job, msg_recognized_new(RECOGNIZED_STOPPING, "")); /* nobody waits any more */
    }
}

static void give(struct actor *self, uint32_t i, struct job *job)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct slot *slot = &r->slots[i];
    const struct msg_recognize *ask = job->ask;
    const char *path = ask->bytes ? "" : ask->path;
    struct packet_job packet = {.kind = (uint32_t)ask->kind,
                                .side = ask->side,
                                .x = ask->x,
                                .y = ask->y,
                                .width = ask->width,
                                .height = ask->height,
                                .enrol = ask->enrol};

    if (job->fd < 0 && !hello_by_path(&r->hello)) { /* it was let in before anybody could say what it needs */
        answer(self, job, msg_recognized_new(RECOGNIZED_BAD_IMAGE, job->missing.text));
        return;
    }
    memcpy(packet.trace, ask->trace, sizeof ask->trace);
    slot->job = job;
    slot->state = SLOT_BUSY;
    slot->begun_ms = actor_now_ms(self);
    actor_after(self, config->recognize_ms, i);
    if (worker_send(slot->worker, ++r->next_serial, &packet, path, job->fd) < 0)
        worker_kill(slot->worker); /* it is going: WORKER_GONE answers the job */
    if (job->fd >= 0)
        close(job->fd);
    job->fd = -1;
}

static void try_dispatch(struct actor *self)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct job *job;

    for (uint32_t i = 0; i < config->workers; i++)
        while (r->slots[i].state == SLOT_IDLE && next_job(self, &job))
            give(self, i, job);
}

static void open_image(struct msg *m)
{
    struct msg_opened *opened = (struct msg_opened *)m;
    const struct msg_recognize *ask = opened->job->ask;

    if (ask->bytes) {
        opened->job->fd = worker_memory(ask->bytes, ask->len);
        if (opened->job->fd < 0)
            error_set(&opened->error, opened->job->fd, "no memory for the image: %s", strerror(-opened->job->fd));
    } else {
        opened->job->fd = path_open(opened->config->roots, ask->path, &opened->error);
    }
}

/* A recogniser of another machine may see a file that we do not. One that we must not see stays refused. */
static bool may_go_without(const struct recognizer *r, const struct msg_opened *m)
{
    return m->error.code == -ENOENT && m->job->ask->kind == JOB_RECOGNIZE && (!r->known || hello_by_path(&r->hello));
}

static void on_opened(struct actor *self, const struct msg_opened *m)
{
    struct recognizer *r = actor_state(self);
    struct job *job = m->job;

    if (m->life != r->life) { /* its ask ended when that life failed, and this life never counted it */
        answer(self, job, msg_recognized_new(RECOGNIZED_STOPPING, ""));
        return;
    }
    if (job->fd < 0)
        job->missing = m->error;
    if ((job->fd >= 0 || may_go_without(r, m)) && anyone_may_come(self)) {
        queue_add(job->ask->urgent ? &r->urgent : &r->normal, job);
        metric_set(&waiting_gauge, r->waiting);
        try_dispatch(self);
        return;
    }
    r->waiting--;
    if (job->fd >= 0)
        answer(self, job, msg_recognized_new(RECOGNIZED_UNAVAILABLE, r->why));
    else
        answer(self, job, msg_recognized_new(job->ask->bytes ? RECOGNIZED_BUSY : RECOGNIZED_BAD_IMAGE, m->error.text));
}

static void on_ask(struct actor *self, const struct msg *m)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct msg_opened *opened;
    struct job *job;

    if (r->waiting >= config->queue_max) {
        actor_reply(self, &msg_recognized_new(RECOGNIZED_BUSY, "too many requests wait for a worker "
                                                               "(KITH_WORKER_QUEUE)")
                               ->head);
        return;
    }
    job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->ask = (const struct msg_recognize *)msg_ref(m);
    job->token = actor_defer(self);
    job->fd = -1;
    opened = (struct msg_opened *)msg_new(MSG_RECOGNIZER_OPENED, sizeof *opened);
    opened->config = config;
    opened->job = job;
    opened->life = r->life;
    r->waiting++;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &opened->head, open_image) <
        0) {
        r->waiting--;
        answer(self, job, msg_recognized_new(RECOGNIZED_BUSY, "too many files wait to be opened"));
    }
}

/* --- quarantine: bytes that killed workers are refused for a while; the store knows which --- */

static void on_quarantined(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct recognizer_config *config = actor_config(self);
    const struct store_reply *stored = (const struct store_reply *)reply;
    struct recognizer *r = actor_state(self);

    (void)context;
    if (status == ACTOR_OK && stored->status == STORE_OK) {
        r->quarantined = 0;
        for (int i = 0; i < stored->text_count && r->quarantined < QUARANTINE_MAX; i++)
            snprintf(r->quarantine[r->quarantined++], SHA256_HEX_BYTES, "%s", stored->texts[i]);
        for (uint32_t i = 0; i < config->workers; i++)
            if (r->slots[i].worker && r->slots[i].state != SLOT_STARTING)
                send_quarantine(r, r->slots[i].worker);
    }
    actor_after(self, QUARANTINE_LOOK_MS, TIMER_QUARANTINE); /* others may put something in; what is in runs out */
}

static void look_at_quarantine(struct actor *self)
{
    actor_ask(self, "store", &STORE_MESSAGE(STORE_QUARANTINED, store_list)->m.head, 10000, on_quarantined, NULL);
}

/* --- the actor --- */

static int recognizer_start(struct actor *self)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);

    assert(config->workers <= SLOTS_MAX);
    r->life = ++lives;
    r->next_number = r->life << 32;
    r->urgent.last = &r->urgent.first;
    r->normal.last = &r->normal.first;
    metric_register(&restarts);
    metric_register(&recycled);
    metric_register(&ready_gauge);
    metric_register(&waiting_gauge);
    metric_register(&cpu);
    for (int i = 0; i <= KITH_STAGES; i++)
        metric_register(&stages[i]);
    histogram_register(&duration);
    for (uint32_t i = 0; i < config->workers; i++)
        start_slot(self, i);
    tell_capacity(self);
    look_at_quarantine(self);
    return 0;
}

static void on_worker(struct actor *self, const struct worker_event *e)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);

    for (uint32_t i = 0; i < config->workers; i++) {
        if (!r->slots[i].worker || r->slots[i].number != e->worker)
            continue;
        if (e->head.type == WORKER_READY && r->slots[i].state == SLOT_STARTING)
            on_ready(self, i, e);
        else if (e->head.type == WORKER_DONE && r->slots[i].state == SLOT_BUSY)
            on_done(self, i, e);
        else if (e->head.type == WORKER_GONE)
            on_gone(self, i, e);
        return;
    }
}

static void recognizer_receive(struct actor *self, const struct msg *m)
{
    switch (m->type) {
    case MSG_RECOGNIZE:
        on_ask(self, m);
        break;
    case MSG_RECOGNIZER_OPENED:
        on_opened(self, (const struct msg_opened *)m);
        break;
    case WORKER_READY:
    case WORKER_DONE:
    case WORKER_GONE:
        on_worker(self, (const struct worker_event *)m);
        break;
    case MSG_QUARANTINE:
        look_at_quarantine(self);
        break;
    case MSG_SEND_STATE:
        tell_capacity(self);
        if (((const struct recognizer *)actor_state(self))->known)
            tell_model(self);
        break;
    }
}

static void recognizer_timer(struct actor *self, uint32_t timer)
{
    struct recognizer *r = actor_state(self);

    if (timer == TIMER_QUARANTINE) {
        look_at_quarantine(self);
    } else if (r->slots[timer].state == SLOT_RESTING) {
        start_slot(self, timer);
    } else if (r->slots[timer].worker) { /* its deadline */
        r->slots[timer].timed_out = true;
        worker_kill(r->slots[timer].worker);
    }
}

static void recognizer_stop(struct actor *self)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);

    fail_queue(self, &r->urgent, RECOGNIZED_STOPPING, "stopping");
    fail_queue(self, &r->normal, RECOGNIZED_STOPPING, "stopping");
    for (uint32_t i = 0; i < config->workers; i++) {
        worker_free(r->slots[i].worker);
        if (r->slots[i].job)
            answer(self, r->slots[i].job, msg_recognized_new(RECOGNIZED_STOPPING, "stopping"));
    }
}

static const uint32_t recognizer_accepts[] = {MSG_RECOGNIZE, MSG_RECOGNIZER_OPENED, WORKER_READY,   WORKER_DONE,
                                              WORKER_GONE,   MSG_QUARANTINE,        MSG_SEND_STATE, 0};

const struct actor_ops recognizer_actor = {
    .name = "recognizer",
    .state_size = sizeof(struct recognizer),
    .start = recognizer_start,
    .accepts = recognizer_accepts,
    .receive = recognizer_receive,
    .timer = recognizer_timer,
    .stop = recognizer_stop,
};
