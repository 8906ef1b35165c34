/* Events as Server-Sent Events. Each function appends to `out`. Loop thread. */
#ifndef KITH_ACTORS_FRONTEND_EVENT_TEXT_H
#define KITH_ACTORS_FRONTEND_EVENT_TEXT_H

#include "actors/messages.h"

/* What a reader has read: the number of an event, and its mark (core/store/ops/changes/read_events.c), which tells
 * whether that event is still the one in the database. 0: not known.
 *
 * The id of an event for clients is "NUMBER-MARK", the mark in hex. A plain number is accepted, too. */
struct event_cursor {
    int64_t number, mark;
};

/* False when `text` is neither. */
bool event_cursor_parse(const char *text, struct event_cursor *cursor);

/* The first event of a stream. It carries the id of the last event, so that a client that is cut off at once resumes
 * from there. */
void event_text_hello(struct buf *out, struct event_cursor last);
/* The events of a page; moves the cursor to its end. When the page is `rewound` it is one event `reset`: the client
 * must load its lists again. */
void event_text_page(struct buf *out, const struct store_reply *page, struct event_cursor *cursor);
/* The state of the circuit breaker, an enum breaker_state. It has no id. */
void event_text_breaker(struct buf *out, int state);

#endif
