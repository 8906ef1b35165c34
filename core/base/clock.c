#include "core/base/clock.h"

#include <string.h>
#include <time.h>

uint64_t clock_monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ".123Z" and a NUL. Returns 5. */
static size_t clock_add_milliseconds(char *text, int ms)
{
    const char part[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', 0};

    memcpy(text, part, sizeof part);
    return sizeof part - 1;
}

size_t clock_format(int64_t wall_ms, char text[static CLOCK_TEXT_BYTES])
{
    /* The calendar is computed once a second: every log line has a time. */
    static _Thread_local char known[CLOCK_TEXT_BYTES];
    static _Thread_local size_t known_len;
    static _Thread_local time_t known_seconds;
    time_t seconds = (time_t)(wall_ms / 1000);

    if (known_len == 0 || seconds != known_seconds) {
        struct tm tm;

        gmtime_r(&seconds, &tm);
        known_len = strftime(known, sizeof known, "%Y-%m-%dT%H:%M:%S", &tm);
        known_seconds = seconds;
    }
    memcpy(text, known, known_len);
    return known_len + clock_add_milliseconds(text + known_len, (int)(wall_ms % 1000));
}
