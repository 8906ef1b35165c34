/* Who may do what: the keys of the HTTP interface, by their hashes, and the addresses that showed wrong ones.
 *
 * A key is looked for among all of them in the same time, whatever it is. An address that shows wrong keys too often
 * has to wait, with one exception: a key that it showed rightly before still works, so that somebody who guesses from
 * behind the same gateway locks nobody out.
 *
 * Plain data, no library, no clock of its own. One thread at a time.
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

/* `failures` wrong keys in a minute are answered, more have to wait. */
struct api_keys *api_keys_new(uint32_t failures);
void api_keys_free(struct api_keys *k);

/* Whether a key has only characters that a header and a cookie carry unchanged. Says nothing about its length. */
bool api_keys_text_is_valid(const char *key);

/* "submit,read" → bits; admin has all of them. 0 when it is none or a word is unknown. */
unsigned access_parse(const char *words);
/* The word of one bit: "submit", "read", "admin". */
const char *access_name(unsigned bit);

/* The keys of a file: lines of "ROLES KEY [NAME]", KEY as it is or as sha256:HEX, # starts a comment. Takes their
 * place, or changes nothing and returns -EINVAL with words that name the line. */
int api_keys_set_file(struct api_keys *k, const char *text, struct error *error);
/* Those of the records take their place. */
void api_keys_set_records(struct api_keys *k, const struct api_key *keys, int count);
/* How many there are; and each: for those who tell of changes. */
int api_keys_count(const struct api_keys *k);
/* A number that identifies the i-th key, from its hash; never 0. Another key under the same name has another number. */
uint64_t api_keys_number(const struct api_keys *k, int i);
bool api_keys_each(const struct api_keys *k, int i, int64_t *id, const char **name, unsigned *roles);

enum { KEY_RIGHT, KEY_WRONG, KEY_RATE_LIMITED };
struct api_keys_verdict {
    int result;
    unsigned roles;
    uint64_t wait_ms;         /* KEY_RATE_LIMITED */
    uint64_t key;             /* KEY_RIGHT: its number, see api_keys_number */
    char who[KEY_NAME_BYTES]; /* KEY_RIGHT: its name */
};
/* Whether it is a key. `address` is that of who shows it, any text. */
struct api_keys_verdict api_keys_check(struct api_keys *k, const char *address, const char *key, size_t len,
                                       uint64_t now_ms);

#endif
