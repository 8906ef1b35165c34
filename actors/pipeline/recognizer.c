/* The recogniser: gives requests to its workers, one at a time each, and answers with what they found.
 *
 *   MSG_RECOGNIZE ─▶ breaker closed? ─▶ requests.c (file opened, queued) ─▶ worker_slots.c (a worker) ─▶ MSG_RECOGNIZED
 *                                                                                      └─ MSG_OUTCOME ─▶ breaker
 *
 * The breaker counts the outcomes and tells its state; the recogniser keeps the last state told and refuses requests
 * unless it is closed. The breaker's health check passes, and what does not call the plug-in. It tells its capacity to
 * the actors that claim work or report it, and its model to the gallery and those who enrol photos of people.
 */
#include "actors/pipeline/recognizer.h"

#include "actors/pipeline/recognizer_internal.h"
#include "core/base/metrics.h"

#include <string.h>

static struct metric refused = {.name = "kith_breaker_refused_total",
                                .help = "Requests refused while the breaker was not closed."};
static struct metric ready_gauge = {.name = "kith_workers_ready", .help = "Ready workers.", .kind = METRIC_GAUGE};

void recognizer_tell_capacity(struct actor *self)
{
    static const char *const listeners[] = {"processor", "health", "cluster", "look_again", NULL};
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    int ready = worker_slots_count_ready(self);

    metric_set(&ready_gauge, ready);
    for (const char *const *to = listeners; *to; to++) {
        struct msg_capacity *m = (struct msg_capacity *)msg_new(MSG_CAPACITY, sizeof *m);

        m->workers = (int)config->workers;
        m->ready = ready;
        memcpy(m->why, r->slots.reason, sizeof m->why);
        memcpy(m->recognizer, r->hello.name, sizeof m->recognizer);
        memcpy(m->model, r->hello.model, sizeof m->model);
        actor_tell_control(self, *to, &m->head);
    }
}

static void recognizer_tell_model(struct actor *self)
{
    static const char *const listeners[] = {"gallery", "known-people", "embedder", NULL};
    const struct recognizer *r = actor_state(self);

    for (const char *const *to = listeners; *to; to++) {
        struct msg_model *m = (struct msg_model *)msg_new(MSG_MODEL, sizeof *m);

        m->hello = r->hello;
        actor_tell_control(self, *to, &m->head);
    }
}

void recognizer_on_hello(struct actor *self, const struct packet_hello *hello)
{
    struct recognizer *r = actor_state(self);

    if (!r->has_hello || strcmp(r->hello.model, hello->model) != 0) {
        r->hello = *hello;
        r->has_hello = true;
        recognizer_tell_model(self);
    }
    recognizer_tell_capacity(self);
    worker_slots_fill(self);
}

bool recognizer_skips_plugin(const struct recognizer *r, const struct msg_recognize *ask)
{
    return ask->kind == JOB_PICTURE || (ask->enrol && r->has_hello && r->hello.dimension == 0);
}

static void recognizer_on_request(struct actor *self, const struct msg *m)
{
    const struct recognizer *r = actor_state(self);
    const struct msg_recognize *ask = (const struct msg_recognize *)m;

    if (r->breaker.state == BREAKER_CLOSED || ask->kind == JOB_HEALTH || recognizer_skips_plugin(r, ask)) {
        requests_accept(self, m);
        return;
    }
    metric_add(&refused, 1);
    actor_reply(self, &msg_recognized_new(RECOGNIZED_OPEN, r->breaker.reason)->head);
}

/* To an actor that has started and missed what was told. */
static void recognizer_tell_state(struct actor *self)
{
    const struct recognizer *r = actor_state(self);

    recognizer_tell_capacity(self);
    if (r->has_hello)
        recognizer_tell_model(self);
}

static int recognizer_start(struct actor *self)
{
    metric_register(&refused);
    metric_register(&ready_gauge);
    requests_start(self);
    worker_slots_start(self);
    recognizer_tell_capacity(self);
    quarantine_read(self);
    msg_tell(self, "breaker", MSG_SEND_STATE); /* after a restart its state is not known */
    return 0;
}

static void recognizer_receive(struct actor *self, const struct msg *m)
{
    switch (m->type) {
    case MSG_RECOGNIZE:
        recognizer_on_request(self, m);
        break;
    case MSG_RECOGNIZER_OPENED:
        requests_on_opened(self, m);
        break;
    case WORKER_READY:
    case WORKER_DONE:
    case WORKER_GONE:
        worker_slots_on_event(self, (const struct worker_event *)m);
        break;
    case MSG_BREAKER:
        ((struct recognizer *)actor_state(self))->breaker = *(const struct msg_breaker *)m;
        break;
    case MSG_QUARANTINE:
        quarantine_read(self);
        break;
    case MSG_SEND_STATE:
        recognizer_tell_state(self);
        break;
    }
}

static void recognizer_timer(struct actor *self, uint32_t timer)
{
    if (timer == TIMER_QUARANTINE)
        quarantine_read(self);
    else if (timer == TIMER_REQUESTS)
        requests_on_timer(self);
    else
        worker_slots_on_timer(self, timer);
}

static void recognizer_stop(struct actor *self)
{
    requests_fail_waiting(self, RECOGNIZED_STOPPING, "stopping");
    worker_slots_stop(self);
}

static const uint32_t recognizer_accepts[] = {MSG_RECOGNIZE, MSG_RECOGNIZER_OPENED, WORKER_READY,
                                              WORKER_DONE,   WORKER_GONE,           MSG_QUARANTINE,
                                              MSG_BREAKER,   MSG_SEND_STATE,        0};

const struct actor_ops recognizer_actor = {
    .name = "recognizer",
    .state_size = sizeof(struct recognizer),
    .start = recognizer_start,
    .accepts = recognizer_accepts,
    .receive = recognizer_receive,
    .timer = recognizer_timer,
    .stop = recognizer_stop,
};
