/* Events as Server-Sent Events. Each function appends to `out`. Loop thread. */
#ifndef KITH_ACTORS_FRONTEND_EVENT_TEXT_H
#define KITH_ACTORS_FRONTEND_EVENT_TEXT_H

#include "actors/messages.h"

/* The first event of a stream. It carries the id of the last event, so that a client that is cut off at once resumes
 * from there. */
void event_text_hello(struct buf *out, int64_t last);
/* The events of a page that was read after `*cursor`; moves the cursor to its end. When events behind the cursor are
 * pruned, or the cursor is beyond the last event (of another database), it is one event `reset`: the client must load
 * its lists again. */
void event_text_page(struct buf *out, const struct store_reply *page, int64_t *cursor);
/* The state of the circuit breaker, an enum breaker_state. It has no id. */
void event_text_breaker(struct buf *out, int state);

#endif
