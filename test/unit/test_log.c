/* The log while standard error is not read. */
#include "core/base/buf.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "test/unit/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINES = 5000, BUFFER = 65536, PATIENCE_S = 20 };

static int from_log; /* the other end of standard error */

/* Runs `test` in a child whose standard error is a pipe. Returns its status; a child that blocks is killed. */
static int run_child(void (*test)(void))
{
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(PATIENCE_S);
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
        from_log = ends[0];
        test();
        _exit(0);
    }
    close(ends[1]);
    from_log = ends[0];
    waitpid(child, &status, 0);
    return status;
}

/* What the log wrote, until `last` is in it; in the child. */
static void read_until(struct buf *out, const char *last)
{
    char part[4096];
    ssize_t n;

    do {
        n = read(from_log, part, sizeof part);
        if (n <= 0)
            _exit(10);
        buf_add(out, part, (size_t)n);
        buf_add(out, "", 1);
        out->len--;
    } while (!strstr(out->data, last) || out->data[out->len - 1] != '\n');
}

static int count(const char *text, const char *what)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void log_lines(void)
{
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "request", LOG_INT("number", i), LOG_STR("path", "/a/long/enough/path/to/fill/a/pipe"));
}

static int sum_after(const char *text, const char *what)
{
    int sum = 0;

    for (const char *at = text; (at = strstr(at, what)); at++)
        sum += atoi(at + strlen(what));
    return sum;
}

static void lose_lines(void)
{
    static const char told[] = "log lines lost lines=";
    struct buf out = {0}, metrics = {0};
    int lost;

    if (log_start(BUFFER) < 0)
        _exit(2);
    log_lines(); /* more than the pipe and the buffer hold: would block for ever */
    do {
        read_until(&out, told);
        lost = sum_after(out.data, told);
    } while (count(out.data, " request ") + lost < LINES);
    if (lost < 1 || count(out.data, " request ") + lost != LINES)
        _exit(3);
    metrics_write(&metrics);
    buf_add(&metrics, "", 1);
    if (sum_after(metrics.data, "\nkith_log_lines_lost_total ") != lost)
        _exit(4);
    log_event(LOG_ERROR, "last", LOG_INT("n", 1));
    log_stop(10000);
    read_until(&out, "last"); /* it is in the pipe, the log is stopped */
    log_event(LOG_ERROR, "later", LOG_INT("n", 1));
    read_until(&out, "later");
}

static void stop_unread(void)
{
    if (log_start(BUFFER) < 0)
        _exit(2);
    log_lines();
    log_stop(100);
    log_lines(); /* nothing blocks after the stop either */
}

static void abort_with_lines(void)
{
    if (log_start(BUFFER) < 0)
        _exit(2);
    log_hold(); /* no wake-up: the line is in the buffer when the process aborts */
    log_event(LOG_INFO, "just before", LOG_INT("n", 1));
    abort();
}

static void fork_and_log(void)
{
    struct buf out = {0};
    pid_t child;

    if (log_start(BUFFER) < 0)
        _exit(2);
    child = fork();
    if (child == 0) {
        log_event(LOG_INFO, "from the child", LOG_INT("n", 1));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    read_until(&out, "from the child");
}

static void write_at_once(void)
{
    struct buf out = {0};

    log_hold();
    log_event(LOG_INFO, "not started", LOG_INT("n", 1));
    read_until(&out, "not started");
}

static void test_a_log_that_is_not_read_loses_lines_and_counts_them(void **state)
{
    (void)state;
    assert_int_equal(run_child(lose_lines), 0);
    close(from_log);
}

static void test_stopping_takes_bounded_time(void **state)
{
    (void)state;
    assert_int_equal(run_child(stop_unread), 0);
    close(from_log);
}

static void test_lines_in_the_buffer_are_written_when_the_process_aborts(void **state)
{
    char text[4096] = "";
    int status = run_child(abort_with_lines);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(read(from_log, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "just before"));
    close(from_log);
}

static void test_a_forked_child_writes_at_once(void **state)
{
    (void)state;
    assert_int_equal(run_child(fork_and_log), 0);
    close(from_log);
}

static void test_lines_are_written_at_once_before_the_start(void **state)
{
    (void)state;
    assert_int_equal(run_child(write_at_once), 0);
    close(from_log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_that_is_not_read_loses_lines_and_counts_them),
        cmocka_unit_test(test_stopping_takes_bounded_time),
        cmocka_unit_test(test_lines_in_the_buffer_are_written_when_the_process_aborts),
        cmocka_unit_test(test_a_forked_child_writes_at_once),
        cmocka_unit_test(test_lines_are_written_at_once_before_the_start),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
