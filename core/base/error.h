/* An error code with a message for the user. Set where the cause is known; the caller decides what to do. */
#ifndef KITH_CORE_BASE_ERROR_H
#define KITH_CORE_BASE_ERROR_H

struct error {
    int code; /* negative errno, or 0 */
    char text[384];
};

/* Fills `error` (may be NULL) and returns `code`, so that a function can `return error_set(...)`. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
