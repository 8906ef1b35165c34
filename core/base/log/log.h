/* Log: one line for each event, as text or JSON, to standard error. Any thread.
 *
 *   log_event(LOG_INFO, "finished", LOG_INT("image", id), LOG_STR("person", name));
 *
 * gives, as text,
 * `2026-11-23T19:22:01.123Z info  finished image=7 person=Hannibal`. Embeddings, secrets and image bytes are never
 * logged.
 *
 * Until log_start, lines are written at once (subcommands, workers). After it, a thread writes them and no caller ever
 * blocks: while standard error is not read, lines that do not fit into the buffer are dropped and counted
 * (kith_log_lines_lost_total), and the next line written tells how many.
 */
#ifndef KITH_CORE_BASE_LOG_LOG_H
#define KITH_CORE_BASE_LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before the first thread starts. */
void log_setup(enum log_level least, bool json);
bool log_wants(enum log_level level);

/* Starts the thread that writes, with a buffer of `buffer_bytes`. 0 or negative errno. */
int log_start(size_t buffer_bytes);
/* Writes what is buffered for at most `timeout_ms` and ends the thread. Later lines are written only when standard
 * error can take them at once. Does nothing when log_start was not called. */
void log_stop(unsigned timeout_ms);

struct log_pair {
    const char *key;
    const char *text; /* NULL: the value is `number` */
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
/* One pair; a NULL text leaves it out. */
#define LOG_SOME(k, v)                                                                                                 \
    {                                                                                                                  \
        .key = (v) ? (k) : "", .text = log_text(v)                                                                     \
    }
#define LOG_INT(k, v)                                                                                                  \
    {                                                                                                                  \
        .key = (k), .number = (int64_t)(v)                                                                             \
    }

#define log_event(level, event, ...) log_pairs((level), (event), (const struct log_pair[]){__VA_ARGS__, {.key = 0}})

/* From now on the lines of this thread wait for log_flush(), so that the thread that writes wakes once a burst. A
 * warning or an error wakes it at once. For a loop that flushes before it waits. */
void log_hold(void);
void log_flush(void);

/* The pairs end with a NULL key. */
void log_pairs(enum log_level level, const char *event, const struct log_pair *pairs);

#endif
