/* One subscriber of /v1/events: a cursor into the table of events, and the stream that it is sent by.
 *
 *                     change                    page             stream is ready
 *   SUBSCRIBER_IDLE ──────────▶ SUBSCRIBER_READING ──▶ SUBSCRIBER_SENDING ──▶ SUBSCRIBER_IDLE
 *                   ──────────▶ SUBSCRIBER_SHARING ──▶
 *
 * READING asks the store for its own page; SHARING waits for the page that all subscribers at the end of the table
 * share. At most one page is in flight for each subscriber, however slow it reads.
 *
 * The HTTP server calls the stream's callbacks; they post messages to the actor. A subscriber whose actor was stopped
 * is an orphan: it is freed when its stream is gone. Loop thread.
 */
#ifndef KITH_ACTORS_FRONTEND_SUBSCRIBER_H
#define KITH_ACTORS_FRONTEND_SUBSCRIBER_H

#include "actors/frontend/event_text.h"
#include "actors/messages.h"

enum subscriber_state { SUBSCRIBER_IDLE, SUBSCRIBER_READING, SUBSCRIBER_SHARING, SUBSCRIBER_SENDING };

enum { SUBSCRIBER_ADDRESS_BYTES = 64 };

struct subscriber {
    struct subscriber *prev, *next;
    struct http_request *request; /* borrowed from the stream, until that is gone */
    struct actor *actor;
    enum subscriber_state state;
    struct event_cursor cursor;             /* the last event that was sent; number -1: begin at the end of the table */
    uint64_t key;                           /* of the API key; 0: none */
    char address[SUBSCRIBER_ADDRESS_BYTES]; /* of the client; "": a proxy that names no client */
    bool gone;                              /* the stream has ended */
    bool orphan;                            /* its actor was stopped */
    bool breaker_due;                       /* the current state of the breaker was not sent yet */
};

struct msg_stream { /* MSG_EVENTS_STREAM_READY, MSG_EVENTS_STREAM_GONE */
    struct msg head;
    struct subscriber *subscriber; /* GONE: the receiver sets it to NULL */
};

/* Starts the event stream of a request. NULL: the request was answered otherwise. */
struct subscriber *subscriber_new(struct actor *self, struct http_request *request, struct event_cursor cursor);

/* Sends the text and enters SUBSCRIBER_SENDING; SUBSCRIBER_IDLE when it is empty or the stream is gone. */
void subscriber_send(struct subscriber *s, const struct buf *text);

#endif
