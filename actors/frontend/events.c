/* Server-Sent Events. The events are rows of a table with growing numbers, so a subscriber is a cursor:
 *
 *   IDLE ──something changed──▶ READING a page after its cursor ──▶ SENDING ──it has left──▶ IDLE, or READING again
 *
 * Those who are up to date share one read. One who reads slowly has one page in flight and no more. One who comes back
 * with Last-Event-ID goes on from there; when that is older than what is kept, it is told to `reset`.
 */
#include "actors/frontend/events.h"

#include "actors/api/json_records.h"
#include "actors/api/request.h"
#include "core/actor/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { TIMER_GATHER = 1, TIMER_HEARTBEAT, TIMER_POLL };
enum subscriber_state { IDLE, READING, SHARING, SENDING };

struct subscriber {
    struct subscriber *prev, *next;
    struct http_request *request; /* the stream holds it until it is gone */
    struct actor *actor;
    enum subscriber_state state;
    int64_t cursor;    /* the last event it has; -1: from now on */
    bool gone, orphan; /* orphan: its actor was restarted */
    bool breaker_due;  /* has not seen the breaker's state */
};

struct events {
    struct subscriber *subscribers;
    uint32_t count;
    int64_t tail; /* where those who are up to date stand */
    bool gathering, sharing, changed;
    int breaker;
};

struct msg_stream {
    struct msg head;
    struct subscriber *subscriber;
};

static void read_for(struct actor *self, struct subscriber *s);

/* --- the stream's side: called by the server, handed over as messages --- */

/* The message that a stream is gone was never received: the system ends. */
static void events_destroy_gone(struct msg *m)
{
    struct subscriber *s = ((struct msg_stream *)m)->subscriber;

    if (s && s->orphan)
        free(s);
}

static void post(struct subscriber *s, uint32_t type)
{
    struct msg_stream *m = (struct msg_stream *)msg_new(type, sizeof *m);

    m->subscriber = s;
    m->head.destroy = type == MSG_EVENTS_STREAM_GONE ? events_destroy_gone : NULL;
    actor_post(actor_system_of(s->actor), s->actor, &m->head);
}

static void on_stream_ready(void *context)
{
    post(context, MSG_EVENTS_STREAM_READY);
}

static void on_stream_gone(void *context)
{
    struct subscriber *s = context;

    s->gone = true;
    post(s, MSG_EVENTS_STREAM_GONE);
}

static const struct http_stream_ops stream_ops = {.ready = on_stream_ready, .gone = on_stream_gone};

/* --- sending --- */

static void write_event(struct buf *out, const struct event *e, const struct image *image)
{
    static const char *const names[] = {"", "image", "deleted", "person", "person-deleted"};

    buf_printf(out, "id: %lld\nevent: %s\ndata: ", (long long)e->id, names[e->kind]);
    if (e->kind == EVENT_IMAGE)
        json_image(out, image, false);
    else
        buf_printf(out, "{\"id\":%lld}", (long long)(e->image ? e->image : e->person));
    buf_str(out, "\n\n");
}

static void write_breaker(struct actor *self, struct buf *out)
{
    struct events *e = actor_state(self);

    buf_printf(out, "event: breaker\ndata: {\"state\":\"%s\"}\n\n", breaker_state_name(e->breaker));
}

static void send_text(struct subscriber *s, const struct buf *out)
{
    if (s->gone || out->len == 0) {
        s->state = IDLE;
        return;
    }
    s->state = SENDING;
    http_stream_send(s->request, out->data, out->len);
}

/* A page as text; `cursor` moves behind it. */
static void write_page(struct buf *out, const struct store_reply *r, int64_t *cursor)
{
    if (*cursor > r->last_event || (r->first_event > *cursor + 1 && *cursor < r->last_event)) {
        /* what lay between is pruned, or it is a number of another database: start again from the lists */
        *cursor = r->last_event;
        buf_printf(out, "id: %lld\nevent: reset\ndata: {}\n\n", (long long)r->last_event);
        return;
    }
    for (int i = 0; i < r->event_count; i++)
        write_event(out, &r->events[i], &r->images[i]);
    *cursor = r->next > *cursor ? r->next : *cursor;
}

static void release(struct events *e, struct subscriber *s)
{
    if (!s->orphan) {
        DL_DELETE(e->subscribers, s);
        e->count--;
    }
    free(s);
}

static void on_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct subscriber *s = context;
    struct events *e = actor_state(self);
    struct buf out = {0};

    s->state = IDLE;
    if (s->gone) {
        release(e, s);
        return;
    }
    if (status == ACTOR_OK && r->status == STORE_OK) {
        if (s->cursor < 0) {
            s->cursor = r->settled_event;
            /* with a number from the first moment on, so that one who is cut off at once comes back to the right place
             */
            buf_printf(&out, "retry: 2000\nid: %lld\nevent: hello\ndata: {}\n\n", (long long)s->cursor);
        } else {
            write_page(&out, r, &s->cursor);
        }
        if (s->breaker_due)
            write_breaker(self, &out);
        s->breaker_due = false;
        if (s->cursor > e->tail)
            e->tail = s->cursor;
        send_text(s, &out);
    }
    buf_free(&out);
}

static struct store_list *page_after(struct actor *self, int64_t after)
{
    const struct events_config *config = actor_config(self);
    struct store_list *m = STORE_MESSAGE(STORE_EVENTS, store_list);

    m->after = after;
    m->limit = config->page;
    return m;
}

static void read_for(struct actor *self, struct subscriber *s)
{
    const struct events_config *config = actor_config(self);

    s->state = READING;
    actor_ask(self, "store", &page_after(self, s->cursor < 0 ? INT64_MAX : s->cursor)->m.head, config->store_ms,
              on_page, s);
}

static void on_shared_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct events_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct events *e = actor_state(self);
    struct subscriber *s, *next;
    struct buf out = {0};
    int64_t cursor = e->tail;

    (void)context;
    e->sharing = false;
    if (status == ACTOR_OK && r->status == STORE_OK)
        write_page(&out, r, &cursor);
    DL_FOREACH_SAFE(e->subscribers, s, next)
    {
        if (s->state != SHARING)
            continue;
        s->state = IDLE;
        if (s->gone) {
            release(e, s);
            continue;
        }
        s->cursor = cursor;
        send_text(s, &out);
    }
    e->tail = cursor;
    buf_free(&out);
    if (e->changed || (status == ACTOR_OK && r->more))
        actor_after(self, 1, TIMER_GATHER);
    else if (status == ACTOR_OK && r->waits)
        actor_after(self, config->gather_ms, TIMER_GATHER);
}

/* Everybody who is idle reads on; those at the tail together. */
static void read_on(struct actor *self)
{
    const struct events_config *config = actor_config(self);
    struct events *e = actor_state(self);
    struct subscriber *s;
    bool any = false;

    e->gathering = false;
    e->changed = e->sharing;
    if (e->sharing)
        return;
    DL_FOREACH(e->subscribers, s)
    {
        if (s->state != IDLE || s->gone)
            continue;
        if (s->cursor == e->tail && !s->breaker_due) {
            s->state = SHARING;
            any = true;
        } else {
            read_for(self, s);
        }
    }
    if (any) {
        e->sharing = true;
        actor_ask(self, "store", &page_after(self, e->tail)->m.head, config->store_ms, on_shared_page, NULL);
    }
}

/* --- subscribing --- */

/* The event after which the stream starts: Last-Event-ID, else ?after=; -1: at the newest. False: answered. */
static bool events_read_cursor(struct http_request *request, int64_t *cursor)
{
    char text[32];

    *cursor = -1;
    if (!http_request_header(request, "last-event-id", text, sizeof text))
        return query_number(request, "after", 0, INT64_MAX, cursor);
    if (request_parse_number(text, cursor))
        return true;
    http_problem(request, 400, "wrong-value", "“Last-Event-ID” must be the id of an event.");
    return false;
}

static void subscribe(struct actor *self, struct http_request *request)
{
    const struct events_config *config = actor_config(self);
    struct events *e = actor_state(self);
    struct subscriber *s;
    int64_t cursor;

    if (!events_read_cursor(request, &cursor))
        return;
    if (e->count >= config->subscribers_max) {
        http_problem(request, 503, "too-many-subscribers", "%u event streams are open (KITH_MAX_SUBSCRIBERS).",
                     e->count);
        return;
    }
    s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->actor = self;
    s->request = request;
    s->cursor = cursor;
    s->breaker_due = true;
    http_add_header(request, "cache-control", "no-store");
    if (!http_stream_start(request, "text/event-stream", &stream_ops, s)) {
        free(s);
        return;
    }
    DL_APPEND(e->subscribers, s);
    e->count++;
    read_for(self, s);
}

static void on_ready(struct actor *self, struct subscriber *s)
{
    struct events *e = actor_state(self);

    if (s->gone || s->orphan || s->state != SENDING)
        return;
    s->state = IDLE;
    if (s->cursor < e->tail || s->breaker_due)
        read_for(self, s);
    else if (!e->gathering)
        actor_after(self, 1, TIMER_GATHER); /* what changed meanwhile */
}

static void on_gone(struct actor *self, struct subscriber *s)
{
    if (s->orphan || (s->state != READING && s->state != SHARING))
        release(actor_state(self), s);
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

static void heartbeat(struct actor *self)
{
    const struct events_config *config = actor_config(self);
    struct events *e = actor_state(self);
    const struct buf out = {.data = (char *)(uintptr_t) ": \n\n", .len = 4};
    struct subscriber *s;

    DL_FOREACH(e->subscribers, s)
    {
        if (s->state == IDLE)
            send_text(s, &out);
    }
    actor_after(self, config->heartbeat_ms, TIMER_HEARTBEAT);
}

/* --- the actor --- */

static void changed(struct actor *self)
{
    const struct events_config *config = actor_config(self);
    struct events *e = actor_state(self);

    if (e->gathering || e->count == 0)
        return;
    e->gathering = true;
    actor_after(self, config->gather_ms, TIMER_GATHER);
}

static int events_start(struct actor *self)
{
    const struct events_config *config = actor_config(self);

    actor_after(self, config->heartbeat_ms, TIMER_HEARTBEAT);
    msg_tell(self, "breaker", MSG_SEND_STATE); /* on a restart it does not tell its state by itself */
    if (config->poll_ms)
        actor_after(self, config->poll_ms, TIMER_POLL);
    return 0;
}

static void events_receive(struct actor *self, const struct msg *m)
{
    struct events *e = actor_state(self);
    struct subscriber *s;

    switch (m->type) {
    case MSG_HTTP:
        subscribe(self, ((const struct msg_http *)m)->request);
        break;
    case STORE_CHANGED:
        changed(self);
        break;
    case MSG_BREAKER:
        e->breaker = ((const struct msg_breaker *)m)->state;
        DL_FOREACH(e->subscribers, s) s->breaker_due = true;
        changed(self);
        break;
    case MSG_KEYS:
        events_end_revoked(e, (const struct msg_keys *)m);
        break;
    case MSG_EVENTS_STREAM_READY:
        on_ready(self, ((const struct msg_stream *)m)->subscriber);
        break;
    case MSG_EVENTS_STREAM_GONE:
        on_gone(self, ((const struct msg_stream *)m)->subscriber);
        ((struct msg_stream *)(uintptr_t)m)->subscriber = NULL; /* received: it frees nothing */
        break;
    }
}

static void events_timer(struct actor *self, uint32_t timer)
{
    const struct events_config *config = actor_config(self);

    if (timer == TIMER_GATHER) {
        read_on(self);
    } else if (timer == TIMER_POLL) {
        actor_after(self, config->poll_ms, TIMER_POLL);
        changed(self);
    } else {
        heartbeat(self);
    }
}

/* Their streams end; clients come back by themselves, with the last id they saw. */
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
