/* The circuit breaker.
 *
 *            5 failures in a row            timer             check passed
 *   CLOSED ────────────────────▶ OPEN ────────────▶ PROBING ───────────────▶ CLOSED
 *                                  ▲                   │
 *                                  └── check failed: ──┘  the wait doubles, with jitter, up to a limit
 *
 * It stands beside the path of requests: the recogniser refuses requests unless the breaker is closed, and tells it
 * each outcome (MSG_OUTCOME). Only failures of the recogniser count (crash, timeout, cannot start), never a bad image.
 * An outcome carries the generation in which its request was let through; one of an earlier generation is not counted.
 * The check of a recogniser that gets paths is about a photo of a known person, where there is one.
 * The check is a real image on the real path, with a deadline of its own: a check that does not return has failed.
 */
#include "actors/pipeline/circuit_breaker.h"

#include "actors/messages.h"
#include "actors/pipeline/probe_image.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HEALTH_CHECK "health check" /* instead of a path */

enum { TIMER_PROBE = 1, STORE_MS = 5000 };

struct breaker {
    enum breaker_state state;
    uint32_t failures;   /* in a row, while closed */
    uint32_t generation; /* of the state */
    uint64_t open_ms;    /* how long the next opening lasts */
    uint64_t wait_ms;    /* how long this one does */
    char reason[REASON_BYTES];
};

static uint32_t breaker_generations; /* not of one life of the actor: an outcome of an earlier life is not counted */

static struct metric opened = {.name = "kith_breaker_opened_total", .help = "Times the breaker opened."};
#define BREAKER_STATE(s)                                                                                               \
    {                                                                                                                  \
        .name = "kith_breaker_state", .labels = "state=\"" s "\"", .kind = METRIC_GAUGE,                               \
        .help = "1 for the state that the circuit breaker is in, 0 for the others."                                    \
    }
static struct metric state_gauges[] = {BREAKER_STATE("closed"), BREAKER_STATE("open"), BREAKER_STATE("probing")};

static void breaker_tell_state(struct actor *self)
{
    const struct breaker_config *config = actor_config(self);
    const struct breaker *b = actor_state(self);

    for (const char *const *to = config->subscribers; *to; to++) {
        struct msg_breaker *m = (struct msg_breaker *)msg_new(MSG_BREAKER, sizeof *m);

        m->state = (int)b->state;
        m->generation = b->generation;
        m->wait_ms = b->state == BREAKER_OPEN ? b->wait_ms : 0;
        memcpy(m->reason, b->reason, sizeof m->reason);
        actor_tell_control(self, *to, &m->head);
    }
}

static void breaker_enter(struct actor *self, enum breaker_state next)
{
    struct breaker *b = actor_state(self);

    b->state = next;
    b->generation = ++breaker_generations;
    b->failures = 0;
    for (int state = BREAKER_CLOSED; state <= BREAKER_PROBING; state++)
        metric_set(&state_gauges[state], state == (int)next);
    log_event(next == BREAKER_OPEN ? LOG_WARN : LOG_INFO, "breaker", LOG_STR("state", breaker_state_name((int)next)),
              LOG_INT("wait_ms", next == BREAKER_OPEN ? b->wait_ms : 0), LOG_STR("reason", b->reason));
    breaker_tell_state(self);
}

static uint64_t breaker_add_jitter(uint64_t ms, uint32_t percent)
{
    uint64_t random = 0, span = ms * percent / 100;

    if (span == 0 || getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        return ms;
    return ms - span + random % (2 * span + 1);
}

static void breaker_open(struct actor *self, const char *reason)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);

    snprintf(b->reason, sizeof b->reason, "%s", reason);
    b->wait_ms = breaker_add_jitter(b->open_ms, config->jitter_percent);
    if (b->wait_ms > config->open_max_ms)
        b->wait_ms = config->open_max_ms;
    b->open_ms = b->open_ms * 2 < config->open_max_ms ? b->open_ms * 2 : config->open_max_ms;
    metric_add(&opened, 1);
    breaker_enter(self, BREAKER_OPEN);
    actor_after(self, b->wait_ms, TIMER_PROBE);
}

static void breaker_count_outcome(struct actor *self, const struct msg_outcome *m)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);

    if (m->generation != b->generation || b->state != BREAKER_CLOSED)
        return;
    if (recognized_is_infrastructure(m->outcome)) {
        if (++b->failures >= config->failures)
            breaker_open(self, m->reason);
    } else if (m->outcome <= RECOGNIZED_POISON) {
        b->failures = 0;
    }
}

static void breaker_on_probed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);
    const struct msg_recognized *r = (const struct msg_recognized *)reply;

    if ((uint32_t)(uintptr_t)context != b->generation)
        return;
    if (status == ACTOR_OK && r->outcome <= RECOGNIZED_POISON) {
        b->open_ms = config->open_ms;
        b->reason[0] = 0;
        breaker_enter(self, BREAKER_CLOSED);
    } else {
        breaker_open(self, status == ACTOR_OK ? r->reason : "the health check did not return");
    }
}

static void breaker_ask_health(struct actor *self, const char *path)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);
    struct msg_recognize *m = msg_recognize_new(JOB_HEALTH, path, probe_image, sizeof probe_image);

    m->urgent = true;
    actor_ask(self, config->recognizer, &m->head, config->probe_ms, breaker_on_probed,
              (void *)(uintptr_t)b->generation);
}

/* Without the store, or without a photo, the check asks the service for its health only. */
static void breaker_on_known_photo(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    const struct breaker *b = actor_state(self);

    if ((uint32_t)(uintptr_t)context == b->generation)
        breaker_ask_health(self, status == ACTOR_OK && r->text_count ? r->texts[0] : HEALTH_CHECK);
}

static void breaker_probe(struct actor *self)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);

    breaker_enter(self, BREAKER_PROBING);
    if (config->known_photo)
        actor_ask(self, "store", &STORE_MESSAGE(STORE_KNOWN_PHOTO, store_id)->m.head, STORE_MS, breaker_on_known_photo,
                  (void *)(uintptr_t)b->generation);
    else
        breaker_ask_health(self, HEALTH_CHECK);
}

static int breaker_start(struct actor *self)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);

    if (config->failures == 0 || config->open_ms > config->open_max_ms)
        return -EINVAL;
    metric_register(&opened);
    for (int state = BREAKER_CLOSED; state <= BREAKER_PROBING; state++)
        metric_register(&state_gauges[state]);
    b->open_ms = config->open_ms;
    breaker_enter(self, BREAKER_CLOSED);
    return 0;
}

static void breaker_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_OUTCOME)
        breaker_count_outcome(self, (const struct msg_outcome *)m);
    else if (m->type == MSG_SEND_STATE)
        breaker_tell_state(self);
}

static void breaker_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    breaker_probe(self);
}

static const uint32_t breaker_accepts[] = {MSG_OUTCOME, MSG_SEND_STATE, 0};

const struct actor_ops breaker_actor = {
    .name = "breaker",
    .state_size = sizeof(struct breaker),
    .start = breaker_start,
    .accepts = breaker_accepts,
    .receive = breaker_receive,
    .timer = breaker_timer,
};
