/* The table is the queue; a work item only says that image N waits. Work items pass through a JetStream work queue, so
 * that one of all nodes with a free worker claims the image at once. A lost work item costs the time to the next poll
 * of the table.
 *
 *   connected ─▶ create the stream ─▶ create the consumer ─▶ READY ─▶ pull as many as the processor has room for
 *       ▲            │ no JetStream, other settings: log it, try again     │
 *       └────────────┴──────────── deleted, silent ◀───────────────────────┘
 *
 *   work item ─▶ asked of the processor ─▶ its claim is committed or refused ─▶ acked
 *
 * The ack does not wait for the recognition: from the claim on, the lease returns the image. JetStream is used by
 * plain messages, because the library's calls for it wait for the server.
 */
#include "actors/pipeline/work_queue.h"

#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "core/base/must.h"
#include "core/bus/bus_messages.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_SETUP = 1, TIMER_PULL, SETUP_RETRY_MS = 2000, PULL_MS = 5000, CALL_MS = 30000, ITEMS_AT_ONCE = 256 };
enum { ERROR_STREAM_NOT_FOUND = 10059, ERROR_NAME_IN_USE = 10058, ERROR_CONSUMER_NOT_FOUND = 10014 };
enum work_queue_state { QUEUE_AWAY, QUEUE_CREATING_STREAM, QUEUE_CREATING_CONSUMER, QUEUE_READY };

struct work_queue {
    enum work_queue_state state;
    int room;            /* work items that the processor can take */
    int pulled;          /* work items requested that may still come */
    int asked;           /* work items that the processor has and has not claimed yet */
    bool failure_logged; /* since the queue was last ready */
};

struct work_item { /* one that the processor has */
    char ack[512];
};

static struct metric published = {.name = "kith_queue_published_total", .help = "Work items published."};
static struct metric refused = {.name = "kith_queue_refused_total", .help = "Work items that the bus refused."};
static struct metric consumed = {.name = "kith_queue_consumed_total", .help = "Work items taken from the queue."};

void work_queue_write_inbox(char inbox[static WORK_QUEUE_INBOX_BYTES], uint64_t boot)
{
    snprintf(inbox, WORK_QUEUE_INBOX_BYTES, "_INBOX.kith-%llx.*", (unsigned long long)boot);
}

/* A work item keeps the subject that it was published under; its reply subject takes the ack. */
static bool work_queue_is_item(const struct msg_bus *m)
{
    static const char ack[] = "$JS.ACK.";

    return m->reply && strncmp(m->reply, ack, sizeof ack - 1) == 0;
}

/* Publishes; the answer comes to the inbox with `answer` as its last token. NULL: no answer. */
static bool work_queue_publish(struct actor *self, const char *subject, const char *answer, const char *body)
{
    const struct work_queue_config *config = actor_config(self);
    char reply[96];

    snprintf(reply, sizeof reply, "%.*s%s", (int)strlen(config->inbox) - 1, config->inbox, answer ? answer : "");
    return bus_publish(*config->bus, subject, answer ? reply : NULL, body, strlen(body));
}

/* --- creating the queue --- */

static void work_queue_create_stream(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[128], body[640];

    q->state = QUEUE_CREATING_STREAM;
    q->pulled = 0;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.%s_%s_work", config->prefix, config->cluster);
    snprintf(body, sizeof body,
             "{\"name\":\"%s_%s_work\",\"subjects\":[\"%s.%s.work\"],\"retention\":\"workqueue\",\"storage\":\"file\","
             "\"discard\":\"old\",\"max_msgs\":1000000,\"max_age\":%lld000000,\"num_replicas\":1,"
             "\"duplicate_window\":1000000000}",
             config->prefix, config->cluster, config->prefix, config->cluster, (long long)config->max_age_ms);
    work_queue_publish(self, subject, "stream", body);
    actor_after(self, SETUP_RETRY_MS, TIMER_SETUP);
}

static void work_queue_create_consumer(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[192], body[512];

    q->state = QUEUE_CREATING_CONSUMER;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DURABLE.CREATE.%s_%s_work.processors", config->prefix,
             config->cluster);
    snprintf(body, sizeof body,
             "{\"stream_name\":\"%s_%s_work\",\"config\":{\"durable_name\":\"processors\",\"ack_policy\":\"explicit\","
             "\"deliver_policy\":\"all\",\"ack_wait\":10000000000,\"max_ack_pending\":20000,\"max_waiting\":1024}}",
             config->prefix, config->cluster);
    work_queue_publish(self, subject, "consumer", body);
    actor_after(self, SETUP_RETRY_MS, TIMER_SETUP);
}

static void work_queue_log_failure(struct actor *self, const char *reason)
{
    struct work_queue *q = actor_state(self);

    if (!q->failure_logged)
        log_event(LOG_ERROR, "no work queue", LOG_STR("reason", reason),
                  LOG_STR("meanwhile", "the table is polled (KITH_QUEUE_POLL)"));
    q->failure_logged = true;
}

static void work_queue_pull(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[192], body[96];
    int wanted = q->room - q->asked - q->pulled;

    if (q->state != QUEUE_READY || !config->claims || wanted <= 0)
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s_%s_work.processors", config->prefix,
             config->cluster);
    snprintf(body, sizeof body, "{\"batch\":%d,\"expires\":%d000000}", wanted, PULL_MS);
    if (work_queue_publish(self, subject, "item", body))
        q->pulled += wanted;
    actor_after(self, PULL_MS + 1000, TIMER_PULL); /* by then the server has answered, or the request is lost */
}

/* Returns the error code in an answer of the server: 0 none, -1 not an answer. */
static int work_queue_read_error(const struct msg_bus *m, char *text, size_t size)
{
    json_t *json = json_loadb(m->data, m->len, 0, NULL), *error = json_object_get(json, "error");
    int code = !json ? -1 : error ? (int)json_integer_value(json_object_get(error, "err_code")) : 0;
    const char *description = json_string_value(json_object_get(error, "description"));

    if (error && code == 0)
        code = -1;
    snprintf(text, size, "%s", description ? description : "the server's answer is not valid");
    json_decref(json);
    return code;
}

static void work_queue_on_ready(struct actor *self)
{
    struct work_queue *q = actor_state(self);

    q->state = QUEUE_READY;
    if (q->failure_logged)
        log_event(LOG_INFO, "work queue back", LOG_STR("queue", "work_queue"));
    q->failure_logged = false;
    actor_cancel(self, TIMER_SETUP);
    work_queue_pull(self);
}

static void work_queue_on_setup(struct actor *self, const struct msg_bus *m, bool stream)
{
    char text[256], line[384];
    int code = m->status ? -1 : work_queue_read_error(m, text, sizeof text);

    if (m->status && strcmp(m->status, "503") == 0) {
        work_queue_log_failure(self, "KITH_NATS: the server has no JetStream (start it with -js)");
    } else if (code == ERROR_NAME_IN_USE) {
        snprintf(line, sizeof line, "KITH_NATS_PREFIX: there is a %s of that name with other settings: %s",
                 stream ? "stream" : "consumer", text);
        work_queue_log_failure(self, line);
    } else if (code == ERROR_STREAM_NOT_FOUND) {
        work_queue_create_stream(self);
    } else if (code != 0) {
        snprintf(line, sizeof line, "KITH_NATS: %s", m->status ? m->status : text);
        work_queue_log_failure(self, line);
    } else if (stream) {
        work_queue_create_consumer(self);
    } else {
        work_queue_on_ready(self);
    }
}

/* --- taking work items --- */

static void work_queue_on_claimed(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct work_queue *q = actor_state(self);
    struct work_item *item = context;

    (void)status; /* claimed, refused, or not known: the table knows */
    (void)reply;
    work_queue_publish(self, item->ack, NULL, "+ACK");
    free(item);
    q->asked--;
    work_queue_pull(self);
}

static void work_queue_on_item(struct actor *self, const struct msg_bus *m)
{
    struct work_queue *q = actor_state(self);
    struct work_item *item = calloc(1, sizeof *item);
    struct msg_work_item *ask;

    if (!item)
        out_of_memory();
    q->pulled -= q->pulled > 0;
    snprintf(item->ack, sizeof item->ack, "%s", m->reply);
    ask = (struct msg_work_item *)msg_new(MSG_WORK_ITEM, sizeof *ask);
    ask->id = strtoll(m->data, NULL, 10); /* the arena ends it with a NUL */
    metric_add(&consumed, 1);
    q->asked++;
    actor_ask(self, "processor", &ask->head, CALL_MS, work_queue_on_claimed, item);
}

/* The server ended the pull: there are no more items (404, 408), or the consumer is gone (409, 503). */
static void work_queue_on_pull_end(struct actor *self, const struct msg_bus *m)
{
    struct work_queue *q = actor_state(self);

    q->pulled = 0;
    if (m->status && strcmp(m->status, "404") != 0 && strcmp(m->status, "408") != 0)
        work_queue_create_stream(self);
    else
        work_queue_pull(self);
}

static void work_queue_on_bus(struct actor *self, const struct msg_bus *m)
{
    const char *dot = strrchr(m->subject, '.'), *token = dot ? dot + 1 : "";
    struct work_queue *q = actor_state(self);

    if (work_queue_is_item(m)) {
        if (q->state != QUEUE_AWAY)
            work_queue_on_item(self, m);
    } else if (strcmp(token, "item") == 0 && q->state == QUEUE_READY) {
        work_queue_on_pull_end(self, m);
    } else if (strcmp(token, "stream") == 0 && q->state == QUEUE_CREATING_STREAM) {
        work_queue_on_setup(self, m, true);
    } else if (strcmp(token, "consumer") == 0 && q->state == QUEUE_CREATING_CONSUMER) {
        work_queue_on_setup(self, m, false);
    }
}

/* --- publishing work items --- */

static void work_queue_announce(struct actor *self, const struct msg_work_items *m)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *q = actor_state(self);
    char subject[96], id[24];
    int count = m->count < ITEMS_AT_ONCE ? m->count : ITEMS_AT_ONCE; /* a claim takes further images from the table */
    bool all = q->state == QUEUE_READY;

    snprintf(subject, sizeof subject, "%s.%s.work", config->prefix, config->cluster);
    for (int i = 0; i < count && all; i++) {
        snprintf(id, sizeof id, "%lld", (long long)m->ids[i]);
        all = work_queue_publish(self, subject, NULL, id);
        metric_add(all ? &published : &refused, 1);
    }
    if (!all)
        msg_tell(self, "processor", MSG_NUDGE); /* of this node, if it has one; the others poll */
}

/* --- the actor --- */

static void work_queue_on_bus_state(struct actor *self, const struct msg_bus_state *m)
{
    struct work_queue *q = actor_state(self);

    actor_cancel(self, TIMER_SETUP);
    actor_cancel(self, TIMER_PULL);
    q->state = QUEUE_AWAY;
    q->pulled = 0;
    if (m->connected)
        work_queue_create_stream(self);
}

static int work_queue_start(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);

    metric_register(&published);
    metric_register(&refused);
    metric_register(&consumed);
    if (bus_stats(*config->bus).connected) /* a restart: no change of the bus's state will come */
        work_queue_create_stream(self);
    msg_tell(self, "processor", MSG_SEND_STATE); /* nor its room */
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
        work_queue_on_bus_state(self, (const struct msg_bus_state *)m);
        break;
    case MSG_WORK_ITEMS:
        work_queue_announce(self, (const struct msg_work_items *)m);
        break;
    case MSG_CAPACITY_LEFT:
        q->room = (int)((const struct msg_count *)m)->count;
        work_queue_pull(self);
        break;
    }
}

/* TIMER_SETUP: no answer, or a failure. TIMER_PULL: no answer to a pull, so the stream may be gone. */
static void work_queue_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    work_queue_create_stream(self);
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
