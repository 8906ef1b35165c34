/* kith bench: how fast is recognition here, and where does the time go?
 *
 * Photos are looked at by workers as `serve` would; the search and the decision run on made-up people; a kith of its
 * own takes paths over HTTP. Figures of one machine, and of the load it has at the moment: compare them with others of
 * the same hour.
 */
#include "cli/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void bench_say(const struct bench *b, const char *format, ...)
{
    va_list args;

    if (b->json)
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    fflush(stdout);
}

double bench_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int cli_bench(const struct invocation *in)
{
    const char *seconds = cli_flag(in, "seconds"), *only = cli_flag(in, "only");
    static const struct {
        const char *name;
        int (*run)(struct bench *b);
    } parts[] = {{"photos", bench_photos}, {"search", bench_search}, {"accept", bench_accept}};
    struct bench b = {.in = in, .seconds = seconds ? strtoll(seconds, NULL, 10) : 5};
    int code = 0, ran = 0;

    b.json = cli_flag(in, "json") != NULL;
    if (b.seconds < 1 || b.seconds > 3600)
        return cli_refuse("--seconds=%s: must be 1 to 3600", seconds);
    buf_printf(&b.out, "{\"version\":\"%s\",\"cores\":%ld", KITH_VERSION, sysconf(_SC_NPROCESSORS_ONLN));
    for (size_t i = 0; code == 0 && i < sizeof parts / sizeof parts[0]; i++)
        if (!only || strcmp(only, parts[i].name) == 0) {
            code = parts[i].run(&b);
            ran++;
        }
    if (!ran)
        code = cli_refuse("--only=%s: must be photos, search or accept", only);
    buf_str(&b.out, "}\n");
    if (code == 0 && b.json)
        fwrite(b.out.data, 1, b.out.len, stdout);
    buf_free(&b.out);
    return code;
}
