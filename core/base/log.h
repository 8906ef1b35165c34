/* One line an event, as text or JSON, on standard error. Any thread.
 *
 *   log_event(LOG_INFO, "finished", LOG_INT("image", id), LOG_STR("person", name));
 *
 * gives, as text,
 * `2026-11-23T19:22:01.123Z info  finished image=7 person=Hannibal`. No embedding, no secret, no image bytes ever.
 */
#ifndef KITH_CORE_BASE_LOG_H
#define KITH_CORE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before the first thread starts. */
void log_setup(enum log_level least, bool json);
bool log_wants(enum log_level level);

struct log_pair {
    const char *key;
    const char *text; /* NULL: the number is meant */
    int64_t number;
};

static inline const char *log_text(const char *text)
{
    return text ? text : "-";
}

/* One pair; a NULL text is shown as "-". */
#define LOG_STR(k, v)                                                                                                  \
    {                                                                                                                  \
        .key = (k), .text = log_text(v)                                                                                \
    }
/* One that is left out when there is no text. */
#define LOG_SOME(k, v)                                                                                                 \
    {                                                                                                                  \
        .key = (v) ? (k) : "", .text = log_text(v)                                                                     \
    }
#define LOG_INT(k, v)                                                                                                  \
    {                                                                                                                  \
        .key = (k), .number = (int64_t)(v)                                                                             \
    }

#define log_event(level, event, ...) log_pairs((level), (event), (const struct log_pair[]){__VA_ARGS__, {.key = 0}})

/* From now on the lines of this thread are held until log_flush(), so that a burst costs one write: for a loop that
 * flushes before it waits. A warning or an error, and what is held before it, is written at once. */
void log_hold(void);
void log_flush(void);

/* The pairs end with a NULL key. */
void log_pairs(enum log_level level, const char *event, const struct log_pair *pairs);

#endif
