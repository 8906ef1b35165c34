/* A flag that says that nobody waits for the result of some work.
 *
 * The loop thread creates, shares and sets it. Any thread may read it, as long as the loop thread holds a reference for
 * that thread.
 */
#ifndef KITH_CORE_BASE_CANCEL_H
#define KITH_CORE_BASE_CANCEL_H

#include <stdbool.h>

struct cancel;

/* One reference, which the caller owns. Never NULL: without memory the process aborts. */
struct cancel *cancel_new(void);

/* One more reference; returns `cancel`. Both accept NULL. Loop thread only. */
struct cancel *cancel_ref(struct cancel *cancel);
void cancel_unref(struct cancel *cancel);

void cancel_set(struct cancel *cancel);
/* False for NULL. Any thread. */
bool cancel_is_set(const struct cancel *cancel);

#endif
