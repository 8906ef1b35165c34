#include "actors/frontend/subscriber.h"

#include "core/base/must.h"

#include <stdlib.h>

/* The actor has set `subscriber` to NULL when it has received the message. */
static void subscriber_destroy_gone(struct msg *m)
{
    struct subscriber *s = ((struct msg_stream *)m)->subscriber;

    if (s && s->orphan)
        free(s);
}

static void subscriber_post(struct subscriber *s, uint32_t type)
{
    struct msg_stream *m = (struct msg_stream *)msg_new(type, sizeof *m);

    m->subscriber = s;
    m->head.destroy = type == MSG_EVENTS_STREAM_GONE ? subscriber_destroy_gone : NULL;
    actor_post(actor_system_of(s->actor), s->actor, &m->head);
}

static void subscriber_on_stream_ready(void *context)
{
    subscriber_post(context, MSG_EVENTS_STREAM_READY);
}

static void subscriber_on_stream_gone(void *context)
{
    struct subscriber *s = context;

    s->gone = true;
    subscriber_post(s, MSG_EVENTS_STREAM_GONE);
}

static const struct http_stream_ops subscriber_stream_ops = {.ready = subscriber_on_stream_ready,
                                                             .gone = subscriber_on_stream_gone};

struct subscriber *subscriber_new(struct actor *self, struct http_request *request, struct event_cursor cursor)
{
    struct subscriber *s = must(calloc(1, sizeof *s));

    s->actor = self;
    s->request = request;
    s->cursor = cursor;
    s->breaker_due = true;
    s->key = http_request_key(request);
    if (http_request_address_is_limited(request))
        http_request_address(request, s->address, sizeof s->address);
    http_add_header(request, "x-accel-buffering", "no"); /* nginx would hold the events back */
    if (http_stream_start(request, "text/event-stream", &subscriber_stream_ops, s))
        return s;
    free(s);
    return NULL;
}

void subscriber_send(struct subscriber *s, const struct buf *text)
{
    if (s->gone || text->len == 0) {
        s->state = SUBSCRIBER_IDLE;
        return;
    }
    s->state = SUBSCRIBER_SENDING;
    http_stream_send(s->request, text->data, text->len);
}
