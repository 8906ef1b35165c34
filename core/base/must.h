/* Ends the program when it cannot go on: an allocation failed, or a promise of the system is broken.
 *
 * The last line names what failed and the function. It is one write(2) of a text on the stack to stderr: neither memory
 * nor the log's thread is needed. Any thread; also in a signal handler. */
#ifndef KITH_CORE_BASE_MUST_H
#define KITH_CORE_BASE_MUST_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn static inline void must_end_in(const char *reason, const char *function)
{
    const char *const parts[] = {"kith: ", reason, " in ", function, "\n"};
    char line[256];
    size_t len = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t n = strlen(parts[i]), space = sizeof line - 1 - len; /* the last byte is for the newline */

        memcpy(line + len, parts[i], n < space ? n : space);
        len += n < space ? n : space;
    }
    line[line[len - 1] == '\n' ? len - 1 : len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        abort(); /* nobody reads the line */
    abort();
}

/* Writes "kith: REASON in FUNCTION" and aborts. */
#define must_end(reason) must_end_in((reason), __func__)
#define out_of_memory()  must_end("out of memory")

/* What uthash calls when an allocation fails. Files that include uthash.h include this header before. */
#define uthash_fatal(message) out_of_memory()

static inline void *must_in(void *allocated, const char *function)
{
    if (!allocated)
        must_end_in("out of memory", function);
    return allocated;
}

/* The allocated memory; ends the program when there is none. */
#define must(allocated) must_in((allocated), __func__)

#endif
