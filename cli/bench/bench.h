/* What the files of `kith bench` share. */
#ifndef KITH_CLI_BENCH_BENCH_H
#define KITH_CLI_BENCH_BENCH_H

#include "cli/cli.h"
#include "core/base/buf.h"

struct bench {
    const struct invocation *in;
    int64_t seconds; /* that each measurement takes, about */
    bool json;
    struct buf out; /* JSON, under way */
};

/* A line of the table, or nothing when JSON is wanted. */
void bench_say(const struct bench *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Monotonic. */
double bench_now_ms(void);

/* Each prints its table, or adds a member to `out`, with a comma before. 0, or the program's exit code.
 *
 * bench_photos.c: what recognition takes, stage by stage, by one worker and by all. */
int bench_photos(struct bench *b);
/* bench_search.c: the search at several sizes of a gallery; then a whole decision. */
int bench_search(struct bench *b);
/* bench_accept.c: a kith of its own, that recognises nothing, is given paths. */
int bench_accept(struct bench *b);

#endif
