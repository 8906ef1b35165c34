/* Two clocks: monotonic for waits and deadlines, wall time for output and the database. Any thread. */
#ifndef KITH_CORE_BASE_CLOCK_H
#define KITH_CORE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void); /* milliseconds since 1970, UTC */

enum { CLOCK_TEXT_BYTES = 32 };
/* RFC 3339 with milliseconds, "2026-11-23T19:22:01.123Z". Returns its length. */
size_t clock_format(int64_t wall_ms, char text[static CLOCK_TEXT_BYTES]);

#endif
