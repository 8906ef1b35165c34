#include "core/base/log.h"

#include "core/base/buf.h"
#include "core/base/clock.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static enum log_level least_level = LOG_INFO;
static bool as_json;

static _Thread_local bool holding;
static _Thread_local struct buf held; /* empty unless `holding` */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level least, bool json)
{
    least_level = least;
    as_json = json;
}

bool log_wants(enum log_level level)
{
    return level >= least_level;
}

/* Text is quoted when it would not read back as one word. */
static void add_text(struct buf *line, const char *text)
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

static void add_pair(struct buf *line, const struct log_pair *pair)
{
    if (as_json) {
        buf_str(line, ",");
        buf_json(line, pair->key);
        buf_str(line, ":");
    } else {
        buf_printf(line, " %s=", pair->key);
    }
    if (!pair->text)
        buf_printf(line, "%lld", (long long)pair->number);
    else if (as_json)
        buf_json(line, pair->text);
    else
        add_text(line, pair->text);
}

static void add_line(struct buf *line, enum log_level level, const char *event, const struct log_pair *pairs)
{
    char when[CLOCK_TEXT_BYTES];

    clock_format(clock_wall_ms(), when);
    if (as_json)
        buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when, level_names[level], event);
    else
        buf_printf(line, "%s %-5s %s", when, level_names[level], event);
    for (; pairs->key; pairs++)
        if (pairs->key[0])
            add_pair(line, pairs);
    buf_str(line, as_json ? "}\n" : "\n");
}

static void write_out(const char *lines, size_t len)
{
    ssize_t written = write(STDERR_FILENO, lines, len);

    (void)written; /* a log that cannot be written stops nobody */
}

void log_hold(void)
{
    holding = true;
}

void log_flush(void)
{
    if (held.len)
        write_out(held.data, held.len);
    held.len = 0;
}

/* What is written at once stays within PIPE_BUF, so that lines are whole among those of workers and threads. */
static void hold_line(enum log_level level, const char *event, const struct log_pair *pairs)
{
    size_t before = held.len;

    add_line(&held, level, event, pairs);
    if (before && held.len > PIPE_BUF) {
        write_out(held.data, before);
        held.len -= before;
        memmove(held.data, held.data + before, held.len);
    }
    if (level >= LOG_WARN || held.len > PIPE_BUF)
        log_flush();
}

void log_pairs(enum log_level level, const char *event, const struct log_pair *pairs)
{
    struct buf line = {0};

    if (!log_wants(level))
        return;
    if (holding) {
        hold_line(level, event, pairs);
        return;
    }
    add_line(&line, level, event, pairs);
    write_out(line.data, line.len);
    buf_free(&line);
}
