/* API keys by SHA-256 hash with their roles, and rate limits for client addresses that send wrong keys.
 *
 * The lookup takes constant time. An address with too many failures is rate-limited, but may still use a key that it
 * has used successfully: a guesser behind a shared gateway does not lock out other clients.
 *
 * Not thread-safe. Does no I/O; the caller passes the time.
 */
#ifndef KITH_ACTORS_ACCESS_API_KEYS_H
#define KITH_ACTORS_ACCESS_API_KEYS_H

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/store/store.h"

#include <stdbool.h>

enum access { ACCESS_PUBLIC = 0, ACCESS_SUBMIT = 1, ACCESS_READ = 2, ACCESS_ADMIN = 4, ACCESS_ALL = 7 };
enum { KEY_NAME_BYTES = 64, KEY_MIN_BYTES = 16, KEY_MAX_BYTES = 256, API_KEYS_FILE_BYTES = 256 << 10 };

struct api_keys;

/* `failures`: wrong keys a minute and address before the rate limit applies. */
struct api_keys *api_keys_new(uint32_t failures);
void api_keys_free(struct api_keys *k);

/* Whether a key has only characters that a header and a cookie carry unchanged. Says nothing about its length. */
bool api_keys_text_is_valid(const char *key);

/* Parses "submit,read" into bits; admin includes all roles. 0 when empty or a role is unknown. */
unsigned access_parse(const char *words);
/* The name of one role: "submit", "read", "admin". */
const char *access_name(unsigned bit);

/* Replaces the keys of the key file. Lines: "ROLES KEY [NAME]", KEY in plain text or as sha256:HEX; # starts a comment.
 * Returns 0, or -EINVAL with an error that names the line; then nothing changes. */
int api_keys_set_file(struct api_keys *k, const char *text, struct error *error);
/* Replaces the keys of the database. */
void api_keys_set_records(struct api_keys *k, const struct api_key *keys, int count);
/* The number of keys, and the i-th key. */
int api_keys_count(const struct api_keys *k);
/* A number that identifies the i-th key, from its hash; never 0. Another key under the same name has another number. */
uint64_t api_keys_number(const struct api_keys *k, int i);
bool api_keys_each(const struct api_keys *k, int i, int64_t *id, const char **name, unsigned *roles);
/* Whether the i-th key has expired at `wall_ms` (milliseconds since 1970). */
bool api_keys_is_expired(const struct api_keys *k, int i, int64_t wall_ms);

enum { KEY_VALID, KEY_INVALID, KEY_RATE_LIMITED, KEY_EXPIRED, KEY_NOT_LOADED /* auth.c */ };
struct api_keys_verdict {
    int result;
    unsigned roles;
    int64_t expired_ms;       /* KEY_EXPIRED: since when */
    uint64_t wait_ms;         /* KEY_RATE_LIMITED */
    uint64_t key;             /* KEY_VALID: its number, see api_keys_number */
    char who[KEY_NAME_BYTES]; /* KEY_VALID, KEY_EXPIRED: its name */
};
/* Whether it is one of the keys, expired or not. Counts nothing. */
bool api_keys_has(const struct api_keys *k, const char *key, size_t len);
/* Checks a key that the client at `address` (any text) sent. `now_ms`: of a monotonic clock, for the rate limit. An
 * expired key is no guess: it does not count as a failure. */
struct api_keys_verdict api_keys_check(struct api_keys *k, const char *address, const char *key, size_t len,
                                       uint64_t now_ms, int64_t wall_ms);

#endif
