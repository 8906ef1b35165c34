/* Work items of a cluster. The row is the queue; an item only says that image N waits. It travels through a JetStream
 * work queue to one node that can take it. A lost item costs the time to the next poll of the table.
 *
 *   connected ─▶ MAKING_STREAM ─▶ MAKING_CONSUMER ─▶ READY: pulls as many items as the processor can take
 *       ▲              │ no JetStream, other settings: logged, tried again     │
 *       └──────────────┴────────────── consumer deleted, server silent ◀──────┘
 *
 *   item ─▶ asked of the processor ─▶ its claim is committed or refused ─▶ acknowledged
 *
 * The acknowledgement does not wait for the recognition: from the claim on, the lease protects the image. All requests
 * to JetStream are plain messages, because the library's calls wait for the server.
 */
#include "actors/pipeline/work_queue.h"

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/bus/bus_messages.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_SETUP = 1, TIMER_PULL, SETUP_AGAIN_MS = 2000, PULL_MS = 5000, CALL_MS = 30000, ITEMS_AT_ONCE = 256 };
enum { ERROR_STREAM_NOT_FOUND = 10059, ERROR_NAME_IN_USE = 10058, ERROR_CONSUMER_NOT_FOUND = 10014 };
enum work_queue_state { DISCONNECTED, MAKING_STREAM, MAKING_CONSUMER, READY };

struct work_queue {
    enum work_queue_state state;
    int capacity;      /* items that the processor can take */
    int pulled;        /* items requested that may still come */
    int asked;         /* items that the processor has not answered yet */
    bool fault_logged; /* cleared when the queue is READY again */
};

struct item { /* one that the processor was asked about */
    char ack_subject[512];
};

static struct metric published = {.name = "kith_queue_published_total", .help = "Work items published."};
static struct metric refused = {.name = "kith_queue_refused_total", .help = "Work items that the bus refused."};
static struct metric consumed = {.name = "kith_queue_consumed_total", .help = "Work items taken from the queue."};

const char *work_queue_inbox(struct arena *arena, uint64_t boot)
{
    return arena_printf(arena, "_INBOX.kith-%llx.*", (unsigned long long)boot);
}

static bool work_queue_is_item(const char *reply)
{
    static const char ack[] = "$JS.ACK.";

    return reply && strncmp(reply, ack, sizeof ack - 1) == 0;
}

bool work_queue_is_for(const char *subject, const char *reply, uint64_t boot)
{
    char prefix[64];
    int n = snprintf(prefix, sizeof prefix, "_INBOX.kith-%llx.", (unsigned long long)boot);

    return work_queue_is_item(reply) || strncmp(subject, prefix, (size_t)n) == 0;
}

static bool work_queue_publish(struct actor *self, const char *subject, const char *inbox, const char *body)
{
    const struct work_queue_config *config = actor_config(self);
    char reply[96];

    snprintf(reply, sizeof reply, "_INBOX.kith-%llx.%s", (unsigned long long)config->boot, inbox ? inbox : "");
    return bus_publish(*config->bus, subject, inbox ? reply : NULL, body, strlen(body));
}

/* --- set-up --- */

static void work_queue_make_stream(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[128], body[640];

    q->state = MAKING_STREAM;
    q->pulled = 0;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.%s_hints", config->prefix);
    snprintf(body, sizeof body,
             "{\"name\":\"%s_hints\",\"subjects\":[\"%s.hints\"],\"retention\":\"workqueue\",\"storage\":\"file\","
             "\"discard\":\"old\",\"max_msgs\":1000000,\"max_age\":%lld000000,\"num_replicas\":1,"
             "\"duplicate_window\":1000000000}",
             config->prefix, config->prefix, (long long)config->max_age_ms);
    work_queue_publish(self, subject, "stream", body);
    actor_after(self, SETUP_AGAIN_MS, TIMER_SETUP);
}

static void work_queue_make_consumer(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[192], body[512];

    q->state = MAKING_CONSUMER;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DURABLE.CREATE.%s_hints.processors", config->prefix);
    snprintf(body, sizeof body,
             "{\"stream_name\":\"%s_hints\",\"config\":{\"durable_name\":\"processors\",\"ack_policy\":\"explicit\","
             "\"deliver_policy\":\"all\",\"ack_wait\":10000000000,\"max_ack_pending\":20000,\"max_waiting\":1024}}",
             config->prefix);
    work_queue_publish(self, subject, "consumer", body);
    actor_after(self, SETUP_AGAIN_MS, TIMER_SETUP);
}

static void work_queue_log_fault(struct actor *self, const char *words)
{
    struct work_queue *q = actor_state(self);

    if (!q->fault_logged)
        log_event(LOG_ERROR, "no work queue", LOG_STR("reason", words),
                  LOG_STR("meanwhile", "the table is polled (KITH_QUEUE_POLL)"));
    q->fault_logged = true;
}

static void work_queue_pull(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[192], body[96];
    int wanted = q->capacity - q->asked - q->pulled;

    if (q->state != READY || !config->claims || wanted <= 0)
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s_hints.processors", config->prefix);
    snprintf(body, sizeof body, "{\"batch\":%d,\"expires\":%d000000}", wanted, PULL_MS);
    if (work_queue_publish(self, subject, "item", body))
        q->pulled += wanted;
    actor_after(self, PULL_MS + 1000, TIMER_PULL); /* no answer: the request is lost */
}

/* The error code in an answer of the server, with its text: 0 no error, -1 not a valid answer. */
static int work_queue_parse_error(const struct msg_bus *m, char *words, size_t size)
{
    json_t *json = json_loadb(m->data, m->len, 0, NULL), *error = json_object_get(json, "error");
    int code = !json ? -1 : error ? (int)json_integer_value(json_object_get(error, "err_code")) : 0;
    const char *text = json_string_value(json_object_get(error, "description"));

    if (error && code == 0)
        code = -1;
    snprintf(words, size, "%s", text ? text : "the answer of the server is not valid");
    json_decref(json);
    return code;
}

static void work_queue_on_setup(struct actor *self, const struct msg_bus *m, bool stream)
{
    struct work_queue *q = actor_state(self);
    char words[256], line[384];
    int code = m->status ? -1 : work_queue_parse_error(m, words, sizeof words);

    if (m->status && strcmp(m->status, "503") == 0) {
        work_queue_log_fault(self, "KITH_NATS: the server has no JetStream (start it with -js)");
    } else if (code == ERROR_NAME_IN_USE) {
        snprintf(line, sizeof line, "KITH_NATS_PREFIX: there is a %s of that name with other settings: %s",
                 stream ? "stream" : "consumer", words);
        work_queue_log_fault(self, line);
    } else if (code == ERROR_STREAM_NOT_FOUND) {
        work_queue_make_stream(self);
    } else if (code != 0) {
        snprintf(line, sizeof line, "KITH_NATS: %s", m->status ? m->status : words);
        work_queue_log_fault(self, line);
    } else if (stream) {
        work_queue_make_consumer(self);
    } else {
        q->state = READY;
        if (q->fault_logged)
            log_event(LOG_INFO, "work queue back", LOG_STR("queue", "work_queue"));
        q->fault_logged = false;
        actor_cancel(self, TIMER_SETUP);
        work_queue_pull(self);
    }
}

/* --- work items to this node --- */

static void work_queue_on_claimed(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct work_queue *q = actor_state(self);
    struct item *item = context;

    (void)status; /* whatever it is: the row tells whether it is claimed, and the poll finds it if not */
    (void)reply;
    work_queue_publish(self, item->ack_subject, NULL, "+ACK");
    free(item);
    q->asked--;
    work_queue_pull(self);
}

/* No more messages (404, 408), or the consumer does not exist (409, 503). */
static void work_queue_on_pull_ended(struct actor *self, const char *status)
{
    struct work_queue *q = actor_state(self);

    q->pulled = 0;
    if (status && strcmp(status, "404") != 0 && strcmp(status, "408") != 0)
        work_queue_make_stream(self);
    else
        work_queue_pull(self);
}

static void work_queue_on_item(struct actor *self, const struct msg_bus *m)
{
    struct work_queue *q = actor_state(self);
    struct item *item = calloc(1, sizeof *item);
    struct msg_work_item *ask;

    q->pulled -= q->pulled > 0;
    if (!item)
        abort();
    snprintf(item->ack_subject, sizeof item->ack_subject, "%s", m->reply);
    ask = (struct msg_work_item *)msg_new(MSG_WORK_ITEM, sizeof *ask);
    ask->id = strtoll(m->data, NULL, 10); /* the arena ends it with a NUL */
    metric_add(&consumed, 1);
    q->asked++;
    actor_ask(self, "processor", &ask->head, CALL_MS, work_queue_on_claimed, item);
}

static void work_queue_on_bus(struct actor *self, const struct msg_bus *m)
{
    const char *what = strrchr(m->subject, '.') + 1;
    struct work_queue *q = actor_state(self);

    if (q->state != DISCONNECTED && work_queue_is_item(m->reply))
        work_queue_on_item(self, m);
    else if (strcmp(what, "item") == 0 && q->state == READY)
        work_queue_on_pull_ended(self, m->status);
    else if (strcmp(what, "stream") == 0 && q->state == MAKING_STREAM)
        work_queue_on_setup(self, m, true);
    else if (strcmp(what, "consumer") == 0 && q->state == MAKING_CONSUMER)
        work_queue_on_setup(self, m, false);
}

/* --- work items from this node --- */

static void work_queue_announce(struct actor *self, const struct msg_work_items *m)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[96], id[24];
    int count = m->count < ITEMS_AT_ONCE ? m->count : ITEMS_AT_ONCE; /* a processor that gets one polls for more */
    bool all = q->state == READY;

    snprintf(subject, sizeof subject, "%s.hints", config->prefix);
    for (int i = 0; i < count && all; i++) {
        snprintf(id, sizeof id, "%lld", (long long)m->ids[i]);
        all = work_queue_publish(self, subject, NULL, id);
        metric_add(all ? &published : &refused, 1);
    }
    if (!all)
        msg_tell(self, "processor", MSG_NUDGE); /* other nodes poll */
}

/* --- the actor --- */

static void work_queue_on_state(struct actor *self, const struct msg_bus_state *m)
{
    struct work_queue *q = actor_state(self);

    actor_cancel(self, TIMER_SETUP);
    actor_cancel(self, TIMER_PULL);
    q->state = DISCONNECTED;
    q->pulled = 0;
    if (m->connected)
        work_queue_make_stream(self);
}

static int work_queue_start(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);

    metric_register(&published);
    metric_register(&refused);
    metric_register(&consumed);
    if (bus_stats(*config->bus).connects) /* after a restart of the actor the bus may be connected */
        work_queue_make_stream(self);
    msg_tell(self, "processor", MSG_SEND_STATE);
    return 0;
}

static void work_queue_receive(struct actor *self, const struct msg *m)
{
    struct work_queue *q = actor_state(self);

    switch (m->type) {
    case MSG_BUS:
        work_queue_on_bus(self, (const struct msg_bus *)m);
        break;
    case MSG_BUS_STATE:
        work_queue_on_state(self, (const struct msg_bus_state *)m);
        break;
    case MSG_WORK_ITEMS:
        work_queue_announce(self, (const struct msg_work_items *)m);
        break;
    case MSG_CAPACITY_LEFT:
        q->capacity = (int)((const struct msg_count *)m)->count;
        work_queue_pull(self);
        break;
    }
}

static void work_queue_timer(struct actor *self, uint32_t timer)
{
    struct work_queue *q = actor_state(self);

    if (timer == TIMER_SETUP) {
        work_queue_make_stream(self);
    } else {
        q->pulled = 0;
        work_queue_make_stream(self); /* does nothing when it exists; the pull follows */
    }
}

static const uint32_t work_queue_accepts[] = {MSG_BUS, MSG_BUS_STATE, MSG_WORK_ITEMS, MSG_CAPACITY_LEFT, 0};

const struct actor_ops work_queue_actor = {
    .name = "work_queue",
    .state_size = sizeof(struct work_queue),
    .start = work_queue_start,
    .accepts = work_queue_accepts,
    .receive = work_queue_receive,
    .timer = work_queue_timer,
};
