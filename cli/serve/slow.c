#include "cli/serve/slow.h"

#include "core/base/log/log.h"

#include <stdio.h>

enum { LINE_INTERVAL_MS = 1000 };

static uint64_t next_ms; /* no line before this */
static uint64_t skipped; /* since the last line */

void slow_log(void *context, const struct actor_slow *slow)
{
    char id[16];

    (void)context;
    if (slow->now_ms < next_ms) {
        skipped++;
        return;
    }
    snprintf(id, sizeof id, "0x%x", slow->id);
    log_event(LOG_WARN, "slow callback", LOG_STR("actor", slow->actor), LOG_STR("callback", slow->callback),
              LOG_STR("type", id), LOG_INT("count", slow->count), LOG_INT("took_ms", slow->took_ms),
              LOG_INT("skipped", skipped));
    next_ms = slow->now_ms + LINE_INTERVAL_MS;
    skipped = 0;
}
