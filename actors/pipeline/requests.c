#include "actors/pipeline/requests.h"

#include "actors/pipeline/recognizer_internal.h"
#include "core/base/metrics.h"

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

void request_end(struct actor *self, struct request *request, struct msg_recognized *m)
{
    actor_answer(self, request->token, &m->head);
    request_free(request);
}

static void requests_change_count(struct actor *self, int change)
{
    struct recognizer *r = actor_state(self);

    r->requests.count += (uint32_t)change;
    metric_set(&waiting_gauge, r->requests.count);
}

/* --- opening --- */

static void requests_open_file(struct msg *m)
{
    struct msg_opened *opened = (struct msg_opened *)m;
    const struct msg_recognize *ask = opened->request->ask;
    int *fd = &opened->request->fd;

    if (!ask->bytes) {
        *fd = path_open(opened->config->roots, ask->path, &opened->error);
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
    requests_change_count(self, 1);
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, requests_open_file) <
        0) {
        requests_change_count(self, -1);
        actor_answer(self, token, &msg_recognized_new(RECOGNIZED_BUSY, "too many files wait to be opened")->head);
    }
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
        abort();
    request->ask = (const struct msg_recognize *)msg_ref(m);
    request->token = actor_defer(self);
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

/* Why an opened request cannot wait for a worker; NULL: it can. */
static struct msg_recognized *requests_refusal(struct actor *self, const struct request *request)
{
    struct recognizer *r = actor_state(self);

    if (request->fd < 0 && !requests_may_lack_file(r, request))
        return msg_recognized_new(request->ask->bytes ? RECOGNIZED_BUSY : RECOGNIZED_BAD_IMAGE, request->error.text);
    if (!worker_slots_can_serve(self))
        return msg_recognized_new(RECOGNIZED_UNAVAILABLE, r->slots.reason);
    return NULL;
}

void requests_on_opened(struct actor *self, const struct msg *m)
{
    struct msg_opened *opened = (struct msg_opened *)(uintptr_t)m;
    struct request *request = opened->request;
    struct recognizer *r = actor_state(self);
    struct msg_recognized *refusal;

    if (opened->life != r->requests.life)
        return; /* its ask has ended with that life of the actor */
    opened->request = NULL;
    request->error = opened->error;
    refusal = requests_refusal(self, request);
    if (refusal) {
        requests_change_count(self, -1);
        request_end(self, request, refusal);
        return;
    }
    request->state = REQUEST_WAITING;
    if (request->ask->urgent)
        DL_APPEND(r->requests.urgent, request);
    else
        DL_APPEND(r->requests.normal, request);
    worker_slots_fill(self);
}

/* --- the queues --- */

static struct request *requests_take_from(struct actor *self, struct request **queue)
{
    struct request *request = *queue;

    if (request) {
        DL_DELETE(*queue, request);
        requests_change_count(self, -1);
    }
    return request;
}

struct request *requests_take(struct actor *self)
{
    struct recognizer *r = actor_state(self);
    struct request *request;

    while ((request = requests_take_from(self, &r->requests.urgent)) ||
           (request = requests_take_from(self, &r->requests.normal))) {
        if (actor_awaited(self, request->token)) {
            request->state = REQUEST_WORKING;
            return request;
        }
        request_free(request); /* the ask has ended */
    }
    return NULL;
}

void requests_fail_waiting(struct actor *self, int outcome, const char *reason)
{
    struct recognizer *r = actor_state(self);
    struct request *request;

    while ((request = requests_take_from(self, &r->requests.urgent)) ||
           (request = requests_take_from(self, &r->requests.normal)))
        request_end(self, request, msg_recognized_new(outcome, reason));
}
