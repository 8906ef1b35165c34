/* Limits the log lines of one kind of event, so that a flood of refused requests does not flood the log. What is left
 * out is counted, and the count is logged: `lines left out event="wrong key" count=4711`. One thread. */
#ifndef KITH_CORE_BASE_LOG_RATE_H
#define KITH_CORE_BASE_LOG_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct log_rate {
    const char *event;   /* static */
    uint32_t per_second; /* 0: no limit */
    uint32_t lines;      /* in the current second */
    uint64_t begun_ms;   /* of that second */
    uint64_t left_out;   /* not reported yet */
};

/* Whether a line may be logged now. */
bool log_rate_permits(struct log_rate *rate, uint64_t now_ms);
/* Logs how many lines were left out in seconds that are over. For a timer, so that the last count appears, too. */
void log_rate_report(struct log_rate *rate, uint64_t now_ms);

#endif
