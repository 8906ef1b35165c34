/* Server-Sent Events: GET /v1/events.
 *
 *   STORE_CHANGED, poll ─▶ gather_ms ─▶ one read for all subscribers at the end of the table (subscriber.h: SHARING)
 *                                    └▶ one read for each subscriber that is behind it (READING)
 *
 * Events are rows of a table with ascending ids. A client that reconnects with Last-Event-ID continues from there.
 */
#include "actors/frontend/events.h"

#include "actors/api/request.h"
#include "actors/frontend/event_text.h"
#include "actors/frontend/subscriber.h"
#include "core/actor/system.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { TIMER_GATHER = 1, TIMER_KEEPALIVE, TIMER_POLL };

static struct metric refused_streams = {.name = "kith_event_streams_refused_total",
                                        .help = "Event streams refused: too many are open, of all clients or of one."};

struct events {
    struct subscriber *subscribers;
    uint32_t count;
    struct event_cursor tail; /* the last cursor of any subscriber: the end of the table as far as it was read */
    bool gathering;           /* TIMER_GATHER is set */
    bool sharing;             /* the shared read is under way */
    bool changed;             /* a change came during the shared read */
    int breaker;              /* enum breaker_state */
};

/* --- reading --- */

static bool events_is_at_tail(const struct events *e, const struct subscriber *s)
{
    return s->cursor.number == e->tail.number && s->cursor.mark == e->tail.mark;
}

/* Frees the subscriber; an orphan is in no list. */
static void events_remove(struct events *e, struct subscriber *s)
{
    if (!s->orphan) {
        DL_DELETE(e->subscribers, s);
        e->count--;
    }
    free(s);
}

static void events_send_page(struct events *e, struct subscriber *s, const struct store_reply *page)
{
    struct buf out = {0};

    if (s->cursor.number < 0) {
        s->cursor = (struct event_cursor){page->next, page->mark};
        event_text_hello(&out, s->cursor);
    } else {
        event_text_page(&out, page, &s->cursor);
    }
    if (s->breaker_due)
        event_text_breaker(&out, e->breaker);
    s->breaker_due = false;
    if (s->cursor.number > e->tail.number || page->rewound)
        e->tail = s->cursor;
    subscriber_send(s, &out);
    buf_free(&out);
}

static void events_on_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct subscriber *s = context;
    struct events *e = actor_state(self);

    s->state = SUBSCRIBER_IDLE;
    if (s->gone)
        events_remove(e, s);
    else if (status == ACTOR_OK && r->status == STORE_OK)
        events_send_page(e, s, r);
}

static struct store_list *events_page_message(struct actor *self, struct event_cursor cursor)
{
    const struct events_config *config = actor_config(self);
    struct store_list *m = STORE_MESSAGE(STORE_EVENTS, store_list);

    m->after = cursor.number < 0 ? INT64_MAX : cursor.number;
    m->mark = cursor.mark;
    m->limit = config->page;
    return m;
}

static void events_read_for(struct actor *self, struct subscriber *s)
{
    const struct events_config *config = actor_config(self);
    struct store_list *m = events_page_message(self, s->cursor);

    s->state = SUBSCRIBER_READING;
    actor_ask(self, "store", &m->m.head, config->store_ms, events_on_page, s);
}

/* Sends the text to all subscribers that share the read. Their cursors move to `cursor`. */
static void events_send_shared(struct events *e, const struct buf *text, struct event_cursor cursor)
{
    struct subscriber *s, *next;

    DL_FOREACH_SAFE(e->subscribers, s, next)
    {
        if (s->state != SUBSCRIBER_SHARING)
            continue;
        s->state = SUBSCRIBER_IDLE;
        if (s->gone) {
            events_remove(e, s);
            continue;
        }
        s->cursor = cursor;
        subscriber_send(s, text);
    }
    e->tail = cursor;
}

static void events_on_shared_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct events_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct events *e = actor_state(self);
    struct buf out = {0};
    struct event_cursor cursor = e->tail;

    (void)context;
    e->sharing = false;
    if (status == ACTOR_OK && r->status == STORE_OK) {
        if (r->rewound)
            log_event(LOG_WARN, "events reset", LOG_INT("read_to", cursor.number), LOG_INT("newest", r->next),
                      LOG_STR("reason", "the events that were read last are not in the database: an older one was "
                                        "restored, or KITH_EVENTS_KEEP is too small"));
        event_text_page(&out, r, &cursor);
    }
    events_send_shared(e, &out, cursor);
    buf_free(&out);
    if (e->changed || (status == ACTOR_OK && r->more))
        actor_after(self, 1, TIMER_GATHER);
    else if (status == ACTOR_OK && r->waits)
        actor_after(self, config->gather_ms, TIMER_GATHER);
}

/* Starts the next read of every idle subscriber. */
static void events_read_all(struct actor *self)
{
    const struct events_config *config = actor_config(self);
    struct events *e = actor_state(self);
    struct subscriber *s;
    bool shared = false;

    e->gathering = false;
    e->changed = e->sharing;
    if (e->sharing)
        return;
    DL_FOREACH(e->subscribers, s)
    {
        if (s->state != SUBSCRIBER_IDLE || s->gone)
            continue;
        if (events_is_at_tail(e, s) && !s->breaker_due) {
            s->state = SUBSCRIBER_SHARING;
            shared = true;
        } else {
            events_read_for(self, s);
        }
    }
    if (shared) {
        e->sharing = true;
        actor_ask(self, "store", &events_page_message(self, e->tail)->m.head, config->store_ms, events_on_shared_page,
                  NULL);
    }
}

/* Changes within gather_ms are read together. */
static void events_gather(struct actor *self)
{
    const struct events_config *config = actor_config(self);
    struct events *e = actor_state(self);

    if (e->gathering || e->count == 0)
        return;
    e->gathering = true;
    actor_after(self, config->gather_ms, TIMER_GATHER);
}

/* --- subscribers --- */

/* The event after which the stream starts: Last-Event-ID, else ?after=; number -1: at the newest. False: answered. */
static bool events_read_cursor(struct http_request *request, struct event_cursor *cursor)
{
    char text[HTTP_QUERY_MAX];
    bool header = http_request_header(request, "last-event-id", text, sizeof text);

    *cursor = (struct event_cursor){.number = -1};
    if (!header && !http_request_query(request, "after", text, sizeof text))
        return true;
    if (event_cursor_parse(text, cursor))
        return true;
    http_problem(request, 400, "wrong-value", "“%s” must be the id of an event.", header ? "Last-Event-ID" : "after");
    return false;
}

/* Whether the client may open one more stream; false: answered. */
static bool events_admit(struct actor *self, struct http_request *request)
{
    const struct events_config *config = actor_config(self);
    const struct events *e = actor_state(self);
    uint64_t key = http_request_key(request);
    char address[SUBSCRIBER_ADDRESS_BYTES] = "";
    uint32_t of_key = 0, of_address = 0;
    const struct subscriber *s;

    if (http_request_address_is_limited(request))
        http_request_address(request, address, sizeof address);
    DL_FOREACH(e->subscribers, s)
    {
        of_key += key && s->key == key;
        of_address += address[0] && strcmp(s->address, address) == 0;
    }
    if (e->count >= config->subscribers_max)
        http_problem(request, 503, "too-many-subscribers", "%u event streams are open (KITH_MAX_SUBSCRIBERS).",
                     e->count);
    else if (of_address >= config->address_max)
        http_problem(request, 429, "too-many-subscribers",
                     "%u event streams of your address are open (KITH_MAX_SUBSCRIBERS_PER_ADDRESS).", of_address);
    else if (of_key >= config->key_max)
        http_problem(request, 429, "too-many-subscribers",
                     "%u event streams of this API key are open (KITH_MAX_SUBSCRIBERS_PER_KEY).", of_key);
    else
        return true;
    metric_add(&refused_streams, 1);
    return false;
}

static void events_subscribe(struct actor *self, struct http_request *request)
{
    struct events *e = actor_state(self);
    struct subscriber *s;
    struct event_cursor cursor;

    if (!events_admit(self, request) || !events_read_cursor(request, &cursor) ||
        !(s = subscriber_new(self, request, cursor)))
        return;
    DL_APPEND(e->subscribers, s);
    e->count++;
    events_read_for(self, s);
}

static void events_on_stream_ready(struct actor *self, struct subscriber *s)
{
    struct events *e = actor_state(self);

    if (s->gone || s->orphan || s->state != SUBSCRIBER_SENDING)
        return;
    s->state = SUBSCRIBER_IDLE;
    if (!events_is_at_tail(e, s) || s->breaker_due)
        events_read_for(self, s);
    else if (!e->gathering) /* for changes that came while this subscriber was not idle */
        actor_after(self, 1, TIMER_GATHER);
}

/* In READING and SHARING the end of the read frees it. */
static void events_on_stream_gone(struct actor *self, struct subscriber *s)
{
    if (s->orphan || (s->state != SUBSCRIBER_READING && s->state != SUBSCRIBER_SHARING))
        events_remove(actor_state(self), s);
}

/* Ends the streams of API keys that were revoked or lost the role read. */
static void events_end_revoked(struct events *e, const struct msg_keys *m)
{
    struct subscriber *s, *next;

    DL_FOREACH_SAFE(e->subscribers, s, next)
    {
        uint64_t key;
        int i = 0;

        if (s->gone) /* its request may be freed already */
            continue;
        key = http_request_key(s->request);
        while (i < m->count && m->keys[i] != key)
            i++;
        if (key && i == m->count)
            http_stream_end(s->request);
    }
}

static void events_send_keepalive(struct actor *self)
{
    const struct events_config *config = actor_config(self);
    struct events *e = actor_state(self);
    const struct buf comment = {.data = (char *)(uintptr_t) ": \n\n", .len = 4};
    struct subscriber *s;

    DL_FOREACH(e->subscribers, s)
    {
        if (s->state == SUBSCRIBER_IDLE)
            subscriber_send(s, &comment);
    }
    actor_after(self, config->keepalive_ms, TIMER_KEEPALIVE);
}

static void events_on_breaker(struct actor *self, int state)
{
    struct events *e = actor_state(self);
    struct subscriber *s;

    e->breaker = state;
    DL_FOREACH(e->subscribers, s)
    {
        s->breaker_due = true;
    }
    events_gather(self);
}

/* --- the actor --- */

static int events_start(struct actor *self)
{
    const struct events_config *config = actor_config(self);

    metric_register(&refused_streams);
    actor_after(self, config->keepalive_ms, TIMER_KEEPALIVE);
    msg_tell(self, "breaker", MSG_SEND_STATE); /* on a restart it does not tell its state by itself */
    if (config->poll_ms)
        actor_after(self, config->poll_ms, TIMER_POLL);
    return 0;
}

static void events_receive(struct actor *self, const struct msg *m)
{
    switch (m->type) {
    case MSG_HTTP:
        events_subscribe(self, ((const struct msg_http *)m)->request);
        break;
    case STORE_CHANGED:
        events_gather(self);
        break;
    case MSG_BREAKER:
        events_on_breaker(self, ((const struct msg_breaker *)m)->state);
        break;
    case MSG_KEYS:
        events_end_revoked(actor_state(self), (const struct msg_keys *)m);
        break;
    case MSG_EVENTS_STREAM_READY:
        events_on_stream_ready(self, ((const struct msg_stream *)m)->subscriber);
        break;
    case MSG_EVENTS_STREAM_GONE:
        events_on_stream_gone(self, ((const struct msg_stream *)m)->subscriber);
        ((struct msg_stream *)(uintptr_t)m)->subscriber = NULL;
        break;
    }
}

static void events_timer(struct actor *self, uint32_t timer)
{
    const struct events_config *config = actor_config(self);

    if (timer == TIMER_GATHER) {
        events_read_all(self);
    } else if (timer == TIMER_POLL) {
        actor_after(self, config->poll_ms, TIMER_POLL);
        events_gather(self);
    } else {
        events_send_keepalive(self);
    }
}

/* Ends all streams. Clients reconnect with the id of the last event that they got. */
static void events_stop(struct actor *self)
{
    struct events *e = actor_state(self);
    struct subscriber *s, *next;

    DL_FOREACH_SAFE(e->subscribers, s, next)
    {
        DL_DELETE(e->subscribers, s);
        s->orphan = true;
        if (!s->gone)
            http_stream_end(s->request);
    }
}

static const uint32_t events_accepts[] = {
    MSG_HTTP, STORE_CHANGED, MSG_BREAKER, MSG_KEYS, MSG_EVENTS_STREAM_READY, MSG_EVENTS_STREAM_GONE, 0};

const struct actor_ops events_actor = {
    .name = "events",
    .state_size = sizeof(struct events),
    .start = events_start,
    .accepts = events_accepts,
    .receive = events_receive,
    .timer = events_timer,
    .stop = events_stop,
};
