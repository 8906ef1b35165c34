#include "core/base/log/log_rate.h"

#include "core/base/log/log.h"

enum { SECOND_MS = 1000 };

void log_rate_report(struct log_rate *rate, uint64_t now_ms)
{
    if (now_ms - rate->begun_ms < SECOND_MS || !rate->left_out)
        return;
    log_event(LOG_WARN, "lines left out", LOG_STR("event", rate->event), LOG_INT("count", rate->left_out));
    rate->left_out = 0;
}

bool log_rate_permits(struct log_rate *rate, uint64_t now_ms)
{
    if (rate->per_second == 0)
        return true;
    if (now_ms - rate->begun_ms >= SECOND_MS) {
        log_rate_report(rate, now_ms);
        rate->begun_ms = now_ms;
        rate->lines = 0;
    }
    if (rate->lines < rate->per_second) {
        rate->lines++;
        return true;
    }
    rate->left_out++;
    return false;
}
