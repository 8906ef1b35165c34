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
 * The check is a real image on the real path, with a deadline of its own: a check that does not return has failed.
 *
 * A remote recogniser is checked before its first request, so the breaker begins as PROBING, and at an interval while
 * it is CLOSED and no request has been answered meanwhile: a failed check opens it at once. Its check is about a photo
 * of a known person, where there is one.
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
#define NO_RETURN    "the health check did not return"

enum { TIMER_PROBE = 1, TIMER_CHECK, STORE_MS = 5000 };

struct breaker {
    enum breaker_state state;
    uint32_t failures;   /* in a row, while closed */
    uint32_t generation; /* of the state */
    uint64_t open_ms;    /* how long the next opening lasts */
    uint64_t wait_ms;    /* how long this one does */
    bool answered;       /* the recogniser has processed an image since the latest check began */
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

/* A remote recogniser that is back is noticed after the interval of its checks at the latest. */
static uint64_t breaker_longest_wait_ms(const struct breaker_config *config)
{
    uint64_t ms = config->open_max_ms;

    if (config->check_ms && config->check_ms < ms)
        ms = config->check_ms;
    return ms < config->open_ms ? config->open_ms : ms;
}

static void breaker_open(struct actor *self, const char *reason)
{
    const struct breaker_config *config = actor_config(self);
    const uint64_t longest_ms = breaker_longest_wait_ms(config);
    struct breaker *b = actor_state(self);

    snprintf(b->reason, sizeof b->reason, "%s", reason);
    b->wait_ms = breaker_add_jitter(b->open_ms, config->jitter_percent);
    if (b->wait_ms > longest_ms)
        b->wait_ms = longest_ms;
    b->open_ms = b->open_ms * 2 < longest_ms ? b->open_ms * 2 : longest_ms;
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
        b->answered = true;
    }
}

static void breaker_close(struct actor *self)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);

    b->open_ms = config->open_ms;
    b->reason[0] = 0;
    b->answered = false;
    breaker_enter(self, BREAKER_CLOSED);
    if (config->check_ms)
        actor_after(self, config->check_ms, TIMER_CHECK);
}

/* While requests are answered, a check that had to wait for a worker shows nothing. */
static void breaker_on_checked(struct actor *self, int status, const struct msg_recognized *r)
{
    const struct breaker_config *config = actor_config(self);
    const struct breaker *b = actor_state(self);
    const bool failed = status == ACTOR_OK ? recognized_is_infrastructure(r->outcome) : status == ACTOR_TIMEOUT;

    if (failed && !b->answered)
        breaker_open(self, status == ACTOR_OK ? r->reason : NO_RETURN);
    else
        actor_after(self, config->check_ms, TIMER_CHECK);
}

static void breaker_on_probed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct breaker *b = actor_state(self);
    const struct msg_recognized *r = (const struct msg_recognized *)reply;

    if ((uint32_t)(uintptr_t)context != b->generation)
        return;
    if (b->state == BREAKER_CLOSED)
        breaker_on_checked(self, status, r);
    else if (status == ACTOR_OK && r->outcome <= RECOGNIZED_POISON)
        breaker_close(self);
    else
        breaker_open(self, status == ACTOR_OK ? r->reason : NO_RETURN);
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

/* In the state of the moment. */
static void breaker_check(struct actor *self)
{
    const struct breaker_config *config = actor_config(self);
    struct breaker *b = actor_state(self);

    b->answered = false;
    if (config->check_ms)
        actor_ask(self, "store", &STORE_MESSAGE(STORE_KNOWN_PHOTO, store_id)->m.head, STORE_MS, breaker_on_known_photo,
                  (void *)(uintptr_t)b->generation);
    else
        breaker_ask_health(self, HEALTH_CHECK);
}

static void breaker_probe(struct actor *self)
{
    breaker_enter(self, BREAKER_PROBING);
    breaker_check(self);
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
    if (!config->check_ms) {
        breaker_close(self);
        return 0;
    }
    snprintf(b->reason, sizeof b->reason, "the remote recogniser has not answered yet");
    breaker_probe(self);
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
    struct breaker *b = actor_state(self);

    if (timer == TIMER_PROBE) {
        breaker_probe(self);
    } else if (b->state == BREAKER_CLOSED && !b->answered) {
        breaker_check(self);
    } else if (b->state == BREAKER_CLOSED) { /* its requests show that it works */
        b->answered = false;
        actor_after(self, ((const struct breaker_config *)actor_config(self))->check_ms, TIMER_CHECK);
    }
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
