/* The row is the queue; a hint only says «look at image N». It travels through a JetStream work queue, so that of all
 * the nodes that have a free worker one looks, at once. A lost hint costs the time to the next look at the table.
 *
 *   connected ─▶ make the stream ─▶ make the consumer ─▶ READY ─▶ pull as many as the processor has room for
 *       ▲            │ no JetStream, other settings: say so, try again later      │
 *       └────────────┴──────────── deleted, silent ◀─────────────────────────────┘
 *
 *   hint ─▶ asked of the processor ─▶ its claim is committed or refused ─▶ acked
 *
 * The ack does not wait for the recognition: from the claim on, the lease is what brings an image back. Everything is
 * published and answered by messages of our own: the library's calls for JetStream wait for the server.
 */
#include "actors/pipeline/work_queue.h"

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/bus/bus_messages.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_SETUP = 1, TIMER_PULL, SETUP_AGAIN_MS = 2000, PULL_MS = 5000, CALL_MS = 30000, HINTS_AT_ONCE = 256 };
enum { ERROR_STREAM_NOT_FOUND = 10059, ERROR_NAME_IN_USE = 10058, ERROR_CONSUMER_NOT_FOUND = 10014 };
enum work_queue_state { AWAY, MAKING_STREAM, MAKING_CONSUMER, READY };

struct work_queue {
    enum work_queue_state state;
    int room;        /* that the processor has for hints */
    int pulled;      /* hints asked for that may still come */
    int asked;       /* hints that the processor has and has not claimed yet */
    bool complained; /* the log says what is wrong */
};

struct hint { /* one that the processor was asked about */
    char ack[512];
};

static struct metric given = {.name = "kith_queue_published_total", .help = "Hints published."};
static struct metric not_given = {.name = "kith_queue_refused_total", .help = "Work items that the bus refused."};
static struct metric taken = {.name = "kith_queue_consumed_total", .help = "Hints taken from the queue."};

void work_queue_write_inbox(char inbox[static WORK_QUEUE_INBOX_BYTES], uint64_t boot)
{
    snprintf(inbox, WORK_QUEUE_INBOX_BYTES, "_INBOX.kith-%llx.*", (unsigned long long)boot);
}

static bool is_hint(const char *reply)
{
    static const char ack[] = "$JS.ACK.";

    return reply && strncmp(reply, ack, sizeof ack - 1) == 0;
}

static bool say(struct actor *self, const char *subject, const char *inbox, const char *body)
{
    const struct work_queue_config *config = actor_config(self);
    char reply[96];

    snprintf(reply, sizeof reply, "%.*s%s", (int)strlen(config->inbox) - 1, config->inbox, inbox ? inbox : "");
    return bus_publish(*config->bus, subject, inbox ? reply : NULL, body, strlen(body));
}

/* --- making the queue --- */

static void make_stream(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *h = actor_state(self);
    char subject[128], body[640];

    h->state = MAKING_STREAM;
    h->pulled = 0;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.%s_hints", config->prefix);
    snprintf(body, sizeof body,
             "{\"name\":\"%s_hints\",\"subjects\":[\"%s.hints\"],\"retention\":\"workqueue\",\"storage\":\"file\","
             "\"discard\":\"old\",\"max_msgs\":1000000,\"max_age\":%lld000000,\"num_replicas\":1,"
             "\"duplicate_window\":1000000000}",
             config->prefix, config->prefix, (long long)config->max_age_ms);
    say(self, subject, "stream", body);
    actor_after(self, SETUP_AGAIN_MS, TIMER_SETUP);
}

static void make_consumer(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *h = actor_state(self);
    char subject[192], body[512];

    h->state = MAKING_CONSUMER;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DURABLE.CREATE.%s_hints.processors", config->prefix);
    snprintf(body, sizeof body,
             "{\"stream_name\":\"%s_hints\",\"config\":{\"durable_name\":\"processors\",\"ack_policy\":\"explicit\","
             "\"deliver_policy\":\"all\",\"ack_wait\":10000000000,\"max_ack_pending\":20000,\"max_waiting\":1024}}",
             config->prefix);
    say(self, subject, "consumer", body);
    actor_after(self, SETUP_AGAIN_MS, TIMER_SETUP);
}

static void complain(struct actor *self, const char *words)
{
    struct work_queue *h = actor_state(self);

    if (!h->complained)
        log_event(LOG_ERROR, "no work queue", LOG_STR("reason", words),
                  LOG_STR("meanwhile", "the table is polled (KITH_QUEUE_POLL)"));
    h->complained = true;
}

static void pull(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *h = actor_state(self);
    char subject[192], body[96];
    int wanted = h->room - h->asked - h->pulled;

    if (h->state != READY || !config->claims || wanted <= 0)
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s_hints.processors", config->prefix);
    snprintf(body, sizeof body, "{\"batch\":%d,\"expires\":%d000000}", wanted, PULL_MS);
    if (say(self, subject, "hint", body))
        h->pulled += wanted;
    actor_after(self, PULL_MS + 1000, TIMER_PULL); /* silence: what was asked for is not coming any more */
}

/* Error code of an answer of the server: 0 none, -1 not an answer. */
static int error_of(const struct msg_bus *m, char *words, size_t size)
{
    json_t *json = json_loadb(m->data, m->len, 0, NULL), *error = json_object_get(json, "error");
    int code = !json ? -1 : error ? (int)json_integer_value(json_object_get(error, "err_code")) : 0;
    const char *text = json_string_value(json_object_get(error, "description"));

    if (error && code == 0)
        code = -1;
    snprintf(words, size, "%s", text ? text : "the server's answer is not understood");
    json_decref(json);
    return code;
}

static void on_setup(struct actor *self, const struct msg_bus *m, bool stream)
{
    struct work_queue *h = actor_state(self);
    char words[256], line[384];
    int code = m->status ? -1 : error_of(m, words, sizeof words);

    if (m->status && strcmp(m->status, "503") == 0) {
        complain(self, "KITH_NATS: the server has no JetStream (start it with -js)");
    } else if (code == ERROR_NAME_IN_USE) {
        snprintf(line, sizeof line, "KITH_NATS_PREFIX: there is a %s of that name with other settings: %s",
                 stream ? "stream" : "consumer", words);
        complain(self, line);
    } else if (code == ERROR_STREAM_NOT_FOUND) {
        make_stream(self);
    } else if (code != 0) {
        snprintf(line, sizeof line, "KITH_NATS: %s", m->status ? m->status : words);
        complain(self, line);
    } else if (stream) {
        make_consumer(self);
    } else {
        h->state = READY;
        if (h->complained)
            log_event(LOG_INFO, "work queue back", LOG_STR("queue", "work_queue"));
        h->complained = false;
        actor_cancel(self, TIMER_SETUP);
        pull(self);
    }
}

/* --- taking --- */

static void on_claimed(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct work_queue *h = actor_state(self);
    struct hint *hint = context;

    (void)status; /* claimed, refused, or nobody knows: the table does */
    (void)reply;
    say(self, hint->ack, NULL, "+ACK");
    free(hint);
    h->asked--;
    pull(self);
}

static void on_hint(struct actor *self, const struct msg_bus *m)
{
    struct work_queue *h = actor_state(self);
    struct msg_work_item *ask;
    struct hint *hint;

    if (!is_hint(m->reply)) {
        /* the pull has ended: no more messages (404, 408), or there is no such consumer any more (409, 503) */
        h->pulled = 0;
        if (m->status && strcmp(m->status, "404") != 0 && strcmp(m->status, "408") != 0)
            make_stream(self);
        else
            pull(self);
        return;
    }
    h->pulled -= h->pulled > 0;
    hint = calloc(1, sizeof *hint);
    if (!hint)
        abort();
    snprintf(hint->ack, sizeof hint->ack, "%s", m->reply);
    ask = (struct msg_work_item *)msg_new(MSG_WORK_ITEM, sizeof *ask);
    ask->id = strtoll(m->data, NULL, 10); /* the arena ends it with a NUL */
    metric_add(&taken, 1);
    h->asked++;
    actor_ask(self, "processor", &ask->head, CALL_MS, on_claimed, hint);
}

static void on_bus(struct actor *self, const struct msg_bus *m)
{
    const char *what = strrchr(m->subject, '.') + 1;
    struct work_queue *h = actor_state(self);

    if (is_hint(m->reply) ? h->state != AWAY : strcmp(what, "hint") == 0 && h->state == READY)
        on_hint(self, m);
    else if (strcmp(what, "stream") == 0 && h->state == MAKING_STREAM)
        on_setup(self, m, true);
    else if (strcmp(what, "consumer") == 0 && h->state == MAKING_CONSUMER)
        on_setup(self, m, false);
}

/* --- giving --- */

static void give(struct actor *self, const struct msg_work_items *m)
{
    const struct work_queue_config *config = actor_config(self);
    struct work_queue *h = actor_state(self);
    char subject[96], id[24];
    int count = m->count < HINTS_AT_ONCE ? m->count : HINTS_AT_ONCE; /* who takes one looks for more in the table */
    bool all = h->state == READY;

    snprintf(subject, sizeof subject, "%s.hints", config->prefix);
    for (int i = 0; i < count && all; i++) {
        snprintf(id, sizeof id, "%lld", (long long)m->ids[i]);
        all = bus_publish(*config->bus, subject, NULL, id, strlen(id));
        metric_add(all ? &given : &not_given, 1);
    }
    if (!all)
        msg_tell(self, "processor", MSG_NUDGE); /* this node's own, if it has one: the others poll */
}

/* --- the actor --- */

static void on_state(struct actor *self, const struct msg_bus_state *m)
{
    struct work_queue *h = actor_state(self);

    actor_cancel(self, TIMER_SETUP);
    actor_cancel(self, TIMER_PULL);
    h->state = AWAY;
    h->pulled = 0;
    if (m->connected)
        make_stream(self);
}

static int work_queue_start(struct actor *self)
{
    const struct work_queue_config *config = actor_config(self);

    metric_register(&given);
    metric_register(&not_given);
    metric_register(&taken);
    if (bus_stats(*config->bus).connects) /* a restart: the bus is there already, perhaps */
        make_stream(self);
    return 0;
}

static void work_queue_receive(struct actor *self, const struct msg *m)
{
    struct work_queue *h = actor_state(self);

    switch (m->type) {
    case MSG_BUS:
        on_bus(self, (const struct msg_bus *)m);
        break;
    case MSG_BUS_STATE:
        on_state(self, (const struct msg_bus_state *)m);
        break;
    case MSG_WORK_ITEMS:
        give(self, (const struct msg_work_items *)m);
        break;
    case MSG_CAPACITY_LEFT:
        h->room = (int)((const struct msg_count *)m)->count;
        pull(self);
        break;
    }
}

static void work_queue_timer(struct actor *self, uint32_t timer)
{
    struct work_queue *h = actor_state(self);

    if (timer == TIMER_SETUP) {
        make_stream(self);
    } else {
        h->pulled = 0;
        make_stream(self); /* is it still there? it is made if not, and then pulled from */
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
