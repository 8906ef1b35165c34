#include "actors/pipeline/requests.h"

#include "actors/pipeline/recognizer_internal.h"
#include "core/base/disk.h"
#include "core/base/metrics.h"
#include "core/base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

struct msg_opened { /* the job of a file thread */
    struct msg head;
    const struct recognizer_config *config;
    struct request *request; /* owned until the actor takes it */
    uint64_t life;           /* of the actor that made it */
    struct error error;
};

static uint64_t requests_lives; /* of the actor in this process */

static struct metric waiting_gauge = {
    .name = "kith_worker_queue", .help = "Requests that wait for a worker.", .kind = METRIC_GAUGE};

void requests_start(struct actor *self)
{
    struct recognizer *r = actor_state(self);

    r->requests.life = ++requests_lives;
    metric_register(&waiting_gauge);
    metric_set(&waiting_gauge, 0);
}

static void request_free(struct request *request)
{
    msg_unref(&request->ask->head);
    if (request->fd >= 0)
        close(request->fd);
    free(request);
}

/* Outcomes that say nothing of the recogniser are not told. The breaker hears of its own health check as its asker. */
static bool request_tells_of_recognizer(const struct recognizer *r, const struct msg_recognize *ask, int outcome)
{
    if (outcome > RECOGNIZED_UNAVAILABLE || ask->kind == JOB_HEALTH)
        return false;
    return recognized_is_infrastructure(outcome) || !recognizer_skips_plugin(r, ask);
}

static void request_tell_breaker(struct actor *self, const struct request *request, const struct msg_recognized *m)
{
    struct msg_outcome *told;

    if (!request_tells_of_recognizer(actor_state(self), request->ask, m->outcome))
        return;
    told = (struct msg_outcome *)msg_new(MSG_OUTCOME, sizeof *told);
    told->generation = request->generation;
    told->outcome = m->outcome;
    memcpy(told->reason, m->reason, sizeof told->reason);
    actor_tell_control(self, "breaker", &told->head);
}

/* Takes `m`. */
static void request_answer(struct actor *self, const struct request *request, struct msg_recognized *m)
{
    request_tell_breaker(self, request, m);
    if (request->state != REQUEST_EXPIRED) /* else a thread may write it */
        m->file = request->file;
    actor_answer(self, request->token, &m->head);
}

void request_end(struct actor *self, struct request *request, struct msg_recognized *m)
{
    request_answer(self, request, m);
    request_free(request);
}

/* Moves the timer to `due_ms` unless it is due before. */
static void requests_set_timer(struct actor *self, uint64_t due_ms)
{
    struct recognizer *r = actor_state(self);
    uint64_t now_ms = actor_now_ms(self);

    if (r->requests.timer_ms && r->requests.timer_ms <= due_ms)
        return;
    r->requests.timer_ms = due_ms;
    actor_after(self, due_ms > now_ms ? due_ms - now_ms : 0, TIMER_REQUESTS);
}

static void request_enter(struct actor *self, struct request *request, enum request_state state)
{
    request->state = state;
    request->since_ms = actor_now_ms(self);
}

static void requests_change_count(struct actor *self, int change)
{
    struct recognizer *r = actor_state(self);

    r->requests.count += (uint32_t)change;
    metric_set(&waiting_gauge, r->requests.count);
}

static void requests_remove(struct actor *self, struct request **list, struct request *request)
{
    DL_DELETE(*list, request);
    requests_change_count(self, -1);
}

/* --- opening --- */

static void requests_open_file(struct msg *m)
{
    struct msg_opened *opened = (struct msg_opened *)m;
    const struct msg_recognize *ask = opened->request->ask;
    int *fd = &opened->request->fd;

    if (!ask->bytes) {
        *fd = path_open(opened->config->roots, ask->path, &opened->error);
        if (*fd >= 0)
            opened->request->file = path_stamp(*fd);
        return;
    }
    *fd = worker_memory(ask->bytes, ask->len);
    if (*fd < 0)
        error_set(&opened->error, *fd, "no memory for the image: %s", strerror(-*fd));
}

static void requests_destroy_opened(struct msg *m)
{
    struct request *request = ((struct msg_opened *)m)->request;

    if (request)
        request_free(request);
}

static void requests_open(struct actor *self, struct request *request)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct msg_opened *m = (struct msg_opened *)msg_new(MSG_RECOGNIZER_OPENED, sizeof *m);
    actor_token token = request->token;

    m->head.destroy = requests_destroy_opened;
    m->config = config;
    m->request = request;
    m->life = r->requests.life;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, requests_open_file) <
        0) { /* it has freed the request */
        actor_answer(self, token, &msg_recognized_new(RECOGNIZED_BUSY, "too many files wait to be opened")->head);
        return;
    }
    request_enter(self, request, REQUEST_OPENING);
    DL_APPEND(r->requests.opening, request);
    requests_change_count(self, 1);
    requests_set_timer(self, request->since_ms + config->open_ms);
}

void requests_accept(struct actor *self, const struct msg *m)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);
    struct request *request;

    if (r->requests.count >= config->queue_max) {
        static const char reason[] = "too many requests wait for a worker (KITH_WORKER_QUEUE)";

        actor_reply(self, &msg_recognized_new(RECOGNIZED_BUSY, reason)->head);
        return;
    }
    request = calloc(1, sizeof *request);
    if (!request)
        out_of_memory();
    request->ask = (const struct msg_recognize *)msg_ref(m);
    request->token = actor_defer(self);
    request->generation = r->breaker.generation;
    request->fd = -1;
    requests_open(self, request);
}

/* A recogniser on another machine may be able to read a file that does not exist here. A file that exists and cannot be
 * opened is refused for every recogniser. */
static bool requests_may_lack_file(const struct recognizer *r, const struct request *request)
{
    return request->error.code == -ENOENT && request->ask->kind == JOB_RECOGNIZE &&
           (!r->has_hello || hello_by_path(&r->hello));
}

/* A disk that fails counts as a failure of the recogniser: the image is tried again, and the breaker stops claims while
 * every image fails. */
static int requests_outcome_without_file(const struct request *request)
{
    static const int outcomes[] = {[DISK_FAULT_FILE] = RECOGNIZED_BAD_IMAGE,
                                   [DISK_FAULT_STORAGE] = RECOGNIZED_FAILED,
                                   [DISK_FAULT_NODE] = RECOGNIZED_BUSY};

    return request->ask->bytes ? RECOGNIZED_BUSY : outcomes[disk_fault_of(request->error.code)];
}

/* Why an opened request cannot wait for a worker; NULL: it can. */
static struct msg_recognized *requests_refusal(struct actor *self, const struct request *request)
{
    struct recognizer *r = actor_state(self);

    if (request->fd < 0 && !requests_may_lack_file(r, request))
        return msg_recognized_new(requests_outcome_without_file(request), request->error.text);
    if (!worker_slots_can_serve(self))
        return msg_recognized_new(RECOGNIZED_UNAVAILABLE, r->slots.reason);
    return NULL;
}

static void requests_wait(struct actor *self, struct request *request)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);

    request_enter(self, request, REQUEST_WAITING);
    if (request->ask->urgent)
        DL_APPEND(r->requests.urgent, request);
    else
        DL_APPEND(r->requests.normal, request);
    requests_change_count(self, 1);
    requests_set_timer(self, request->since_ms + config->wait_ms);
}

void requests_on_opened(struct actor *self, const struct msg *m)
{
    struct msg_opened *opened = (struct msg_opened *)(uintptr_t)m;
    struct request *request = opened->request;
    struct recognizer *r = actor_state(self);
    struct msg_recognized *refusal;

    if (opened->life != r->requests.life || request->state == REQUEST_EXPIRED)
        return; /* its ask has ended; the message frees it */
    opened->request = NULL;
    request->error = opened->error;
    requests_remove(self, &r->requests.opening, request);
    refusal = requests_refusal(self, request);
    if (refusal) {
        request_end(self, request, refusal);
        return;
    }
    requests_wait(self, request);
    worker_slots_fill(self);
}

/* --- the queues --- */

/* The oldest request of the queues, removed; NULL: none. */
static struct request *requests_pop(struct actor *self)
{
    struct recognizer *r = actor_state(self);
    struct request **queue = r->requests.urgent ? &r->requests.urgent : &r->requests.normal;
    struct request *request = *queue;

    if (request)
        requests_remove(self, queue, request);
    return request;
}

struct request *requests_take(struct actor *self)
{
    struct request *request;

    while ((request = requests_pop(self))) {
        if (actor_awaited(self, request->token) && !cancel_is_set(request->ask->head.cancel)) {
            request_enter(self, request, REQUEST_WORKING);
            return request;
        }
        request_free(request); /* the ask has ended */
    }
    return NULL;
}

void requests_fail_waiting(struct actor *self, int outcome, const char *reason)
{
    struct request *request;

    while ((request = requests_pop(self)))
        request_end(self, request, msg_recognized_new(outcome, reason));
}

/* --- time limits --- */

static void requests_expire_opening(struct actor *self, uint64_t limit_ms)
{
    struct recognizer *r = actor_state(self);
    struct request *request;

    while ((request = r->requests.opening) && actor_now_ms(self) - request->since_ms >= limit_ms) {
        struct msg_recognized *m =
            msg_recognized_new(RECOGNIZED_TIMEOUT, "the file could not be opened in time (KITH_RECOGNIZE_TIMEOUT)");

        requests_remove(self, &r->requests.opening, request);
        request_enter(self, request, REQUEST_EXPIRED);
        request_answer(self, request, m);
    }
}

static void requests_expire_waiting(struct actor *self, struct request **queue, uint64_t limit_ms)
{
    struct request *request;

    while ((request = *queue) && actor_now_ms(self) - request->since_ms >= limit_ms) {
        requests_remove(self, queue, request);
        request_end(self, request,
                    msg_recognized_new(RECOGNIZED_BUSY, "no worker was free in time (KITH_START_TIMEOUT)"));
    }
}

static void requests_set_timer_for(struct actor *self, const struct request *oldest, uint64_t limit_ms)
{
    if (oldest)
        requests_set_timer(self, oldest->since_ms + limit_ms);
}

void requests_on_timer(struct actor *self)
{
    const struct recognizer_config *config = actor_config(self);
    struct recognizer *r = actor_state(self);

    requests_expire_opening(self, config->open_ms);
    requests_expire_waiting(self, &r->requests.urgent, config->wait_ms);
    requests_expire_waiting(self, &r->requests.normal, config->wait_ms);
    r->requests.timer_ms = 0;
    requests_set_timer_for(self, r->requests.opening, config->open_ms);
    requests_set_timer_for(self, r->requests.urgent, config->wait_ms);
    requests_set_timer_for(self, r->requests.normal, config->wait_ms);
}
