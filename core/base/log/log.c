#include "core/base/log/log.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log/log_writer.h"

#include <string.h>

static enum log_level least_level = LOG_INFO;
static bool as_json;

static _Thread_local bool holding;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_columns[] = {" debug ", " info  ", " warn  ", " error "};

void log_setup(enum log_level least, bool json)
{
    least_level = least;
    as_json = json;
}

bool log_wants(enum log_level level)
{
    return level >= least_level;
}

/* Quotes the text unless it is one token of printable ASCII. */
static void log_add_text(struct buf *line, const char *text)
{
    if (*text && !strpbrk(text, " \t\r\n\"\\=") && strlen(text) < 512) {
        for (const char *c = text; *c; c++)
            if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
                goto quoted;
        buf_str(line, text);
        return;
    }
quoted:
    buf_json(line, text);
}

static void log_add_pair(struct buf *line, const struct log_pair *pair)
{
    if (as_json) {
        buf_str(line, ",");
        buf_json(line, pair->key);
        buf_str(line, ":");
    } else {
        buf_str(line, " ");
        buf_str(line, pair->key);
        buf_str(line, "=");
    }
    if (!pair->text)
        buf_int(line, pair->number);
    else if (as_json)
        buf_json(line, pair->text);
    else
        log_add_text(line, pair->text);
}

static void log_add_line(struct buf *line, enum log_level level, const char *event, const struct log_pair *pairs)
{
    char when[CLOCK_TEXT_BYTES];

    clock_format(clock_wall_ms(), when);
    if (as_json) {
        buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when, level_names[level], event);
    } else {
        buf_str(line, when);
        buf_str(line, level_columns[level]);
        buf_str(line, event);
    }
    for (; pairs->key; pairs++)
        if (pairs->key[0])
            log_add_pair(line, pairs);
    buf_str(line, as_json ? "}\n" : "\n");
}

static void log_add_lost_line(struct buf *out, uint64_t lost)
{
    log_add_line(out, LOG_WARN, "log lines lost", (const struct log_pair[]){LOG_INT("lines", lost), {.key = 0}});
}

int log_start(size_t buffer_bytes)
{
    return log_writer_start(buffer_bytes, log_add_lost_line);
}

void log_stop(unsigned timeout_ms)
{
    log_writer_stop(timeout_ms);
}

void log_hold(void)
{
    holding = true;
}

void log_flush(void)
{
    log_writer_wake();
}

void log_pairs(enum log_level level, const char *event, const struct log_pair *pairs)
{
    struct buf line = {0};

    if (!log_wants(level))
        return;
    log_add_line(&line, level, event, pairs);
    log_writer_add(line.data, line.len, !holding || level >= LOG_WARN);
    buf_free(&line);
}
