#include "actors/access/api_keys.h"

#include "core/base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { WINDOW_MS = 60000, ADDRESSES_MAX = 16384, ADDRESS_BYTES = 64, RIGHT_MAX = 16 };

/* The characters that a header and a cookie carry unchanged. */
#define KEY_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="

struct key {
    int64_t id; /* of the records; 0: of the file */
    unsigned roles;
    int64_t expires_ms; /* 0: never */
    uint8_t hash[SHA256_BYTES];
    char name[KEY_NAME_BYTES];
};

struct list {
    struct key *keys;
    int count;
};

struct auth_client { /* an address that has sent a key */
    char address[ADDRESS_BYTES];
    uint32_t failures;                      /* since begun_ms */
    uint64_t begun_ms;                      /* of this minute */
    uint8_t right[RIGHT_MAX][SHA256_BYTES]; /* valid keys that it has sent, newest first */
    int right_count;
    UT_hash_handle hh;
};

struct api_keys {
    uint32_t failures;
    struct list file, records;
    struct auth_client *clients;
};

struct api_keys *api_keys_new(uint32_t failures)
{
    struct api_keys *k = calloc(1, sizeof *k);

    if (!k)
        out_of_memory();
    k->failures = failures;
    return k;
}

void api_keys_free(struct api_keys *k)
{
    struct auth_client *s, *next;

    if (!k)
        return;
    HASH_ITER(hh, k->clients, s, next)
    {
        HASH_DEL(k->clients, s);
        free(s);
    }
    free(k->file.keys);
    free(k->records.keys);
    free(k);
}

static const struct {
    const char *word;
    unsigned bit, gives;
} access_roles[] = {
    {"submit", ACCESS_SUBMIT, ACCESS_SUBMIT}, {"read", ACCESS_READ, ACCESS_READ}, {"admin", ACCESS_ADMIN, ACCESS_ALL}};

const char *access_name(unsigned bit)
{
    for (size_t i = 0; i < sizeof access_roles / sizeof access_roles[0]; i++)
        if (access_roles[i].bit == bit)
            return access_roles[i].word;
    return "";
}

unsigned access_parse(const char *words)
{
    unsigned roles = 0;

    while (*words) {
        size_t n = strcspn(words, ","), i = 0;

        while (i < 3 && (strlen(access_roles[i].word) != n || memcmp(access_roles[i].word, words, n) != 0))
            i++;
        if (i == 3)
            return 0;
        roles |= access_roles[i].gives;
        words += n + (words[n] == ',');
    }
    return roles;
}

bool api_keys_text_is_valid(const char *key)
{
    return key[strspn(key, KEY_LETTERS)] == 0;
}

static bool api_keys_parse_hash(const char *hex, uint8_t hash[SHA256_BYTES])
{
    if (strlen(hex) != SHA256_HEX_BYTES - 1 || strspn(hex, "0123456789abcdefABCDEF") != SHA256_HEX_BYTES - 1)
        return false;
    for (int i = 0; i < SHA256_BYTES; i++) {
        const char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

        hash[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return true;
}

static struct key *api_keys_add(struct list *list)
{
    list->keys = realloc(list->keys, (size_t)(list->count + 1) * sizeof *list->keys);
    if (!list->keys)
        out_of_memory();
    memset(&list->keys[list->count], 0, sizeof *list->keys);
    return &list->keys[list->count++];
}

static int api_keys_parse_line(struct list *list, char *line, int number, struct error *error)
{
    char *save = NULL, *roles, *text, *name;
    struct key *key;

    line[strcspn(line, "#")] = 0;
    if (!(roles = strtok_r(line, " \t\r", &save)))
        return 0;
    text = strtok_r(NULL, " \t\r", &save);
    name = strtok_r(NULL, " \t\r", &save);
    if (!text)
        return error_set(error, -EINVAL, "line %d: expected roles, a key and a name", number);
    key = api_keys_add(list);
    if (!(key->roles = access_parse(roles)))
        return error_set(error, -EINVAL, "line %d: “%.40s” is not a list of the roles submit, read and admin", number,
                         roles);
    if (strncmp(text, "sha256:", 7) == 0) {
        if (!api_keys_parse_hash(text + 7, key->hash))
            return error_set(error, -EINVAL, "line %d: sha256: must be followed by 64 hexadecimal digits", number);
    } else if (strlen(text) < KEY_MIN_BYTES || strlen(text) > KEY_MAX_BYTES || !api_keys_text_is_valid(text)) {
        return error_set(error, -EINVAL,
                         "line %d: a key must have %d to %d characters: letters, digits and -._~+/=", number,
                         KEY_MIN_BYTES, KEY_MAX_BYTES);
    } else {
        sha256(text, strlen(text), key->hash);
    }
    snprintf(key->name, sizeof key->name, "%s", name ? name : "file");
    return 0;
}

int api_keys_set_file(struct api_keys *k, const char *text, struct error *error)
{
    struct list list = {0};
    char *copy = strdup(text), *line = copy;
    int number = 1, status = 0;

    if (!copy)
        out_of_memory();
    while (line && status == 0) {
        char *end = strchr(line, '\n');

        if (end)
            *end++ = 0;
        status = api_keys_parse_line(&list, line, number++, error);
        line = end;
    }
    free(copy);
    if (status < 0) {
        free(list.keys);
        return status;
    }
    free(k->file.keys);
    k->file = list;
    return 0;
}

void api_keys_set_records(struct api_keys *k, const struct api_key *keys, int count)
{
    struct list list = {0};

    for (int i = 0; i < count; i++) {
        uint8_t hash[SHA256_BYTES];
        struct key *key;

        if (!access_parse(keys[i].roles) || !api_keys_parse_hash(keys[i].hash, hash))
            continue; /* roles of a later version: the key gives no access here */
        key = api_keys_add(&list);
        key->id = keys[i].id;
        key->expires_ms = keys[i].expires_ms;
        key->roles = access_parse(keys[i].roles);
        memcpy(key->hash, hash, sizeof hash);
        snprintf(key->name, sizeof key->name, "%s", keys[i].name);
    }
    free(k->records.keys);
    k->records = list;
}

int api_keys_count(const struct api_keys *k)
{
    return k->file.count + k->records.count;
}

static const struct key *api_keys_at(const struct api_keys *k, int i)
{
    return i < k->file.count ? &k->file.keys[i] : &k->records.keys[i - k->file.count];
}

static uint64_t api_keys_number_of(const struct key *key)
{
    uint64_t number;

    memcpy(&number, key->hash, sizeof number);
    return number ? number : 1;
}

uint64_t api_keys_number(const struct api_keys *k, int i)
{
    return api_keys_number_of(api_keys_at(k, i));
}

bool api_keys_each(const struct api_keys *k, int i, int64_t *id, const char **name, unsigned *roles)
{
    const struct key *key;

    if (i < 0 || i >= api_keys_count(k))
        return false;
    key = api_keys_at(k, i);
    *id = key->id;
    *name = key->name;
    *roles = key->roles;
    return true;
}

static bool api_keys_has_expired(const struct key *key, int64_t wall_ms)
{
    return key->expires_ms && wall_ms >= key->expires_ms;
}

bool api_keys_is_expired(const struct api_keys *k, int i, int64_t wall_ms)
{
    return api_keys_has_expired(api_keys_at(k, i), wall_ms);
}

/* --- checking a key --- */

/* Takes constant time. */
static bool api_keys_hash_equal(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES])
{
    volatile uint8_t difference = 0;

    for (int i = 0; i < SHA256_BYTES; i++)
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    return difference == 0;
}

static const struct key *api_keys_find(const struct list *list, const uint8_t hash[SHA256_BYTES],
                                       const struct key *found)
{
    for (int i = 0; i < list->count; i++) /* to the end, found or not */
        if (api_keys_hash_equal(list->keys[i].hash, hash))
            found = &list->keys[i];
    return found;
}

static struct auth_client *api_keys_client_of(struct api_keys *k, const char *address, uint64_t now_ms)
{
    struct auth_client *s;
    char name[ADDRESS_BYTES];

    snprintf(name, sizeof name, "%s", address);
    HASH_FIND_STR(k->clients, name, s);
    if (s)
        return s;
    if (HASH_COUNT(k->clients) >= ADDRESSES_MAX) { /* the table is in order of insertion: evict the oldest */
        s = k->clients;
        HASH_DEL(k->clients, s);
        free(s);
    }
    s = calloc(1, sizeof *s);
    if (!s)
        out_of_memory();
    memcpy(s->address, name, sizeof name);
    s->begun_ms = now_ms;
    HASH_ADD_STR(k->clients, address, s);
    return s;
}

static bool api_keys_client_has_used(const struct auth_client *s, const uint8_t hash[SHA256_BYTES])
{
    bool before = false;

    for (int i = 0; i < s->right_count; i++)
        before |= api_keys_hash_equal(s->right[i], hash);
    return before;
}

static void api_keys_client_remember(struct auth_client *s, const uint8_t hash[SHA256_BYTES])
{
    if (api_keys_client_has_used(s, hash))
        return;
    memmove(s->right[1], s->right[0], sizeof s->right[0] * (RIGHT_MAX - 1));
    memcpy(s->right[0], hash, SHA256_BYTES);
    if (s->right_count < RIGHT_MAX)
        s->right_count++;
}

bool api_keys_has(const struct api_keys *k, const char *key, size_t len)
{
    uint8_t hash[SHA256_BYTES];

    sha256(key, len, hash);
    return api_keys_find(&k->records, hash, api_keys_find(&k->file, hash, NULL)) != NULL;
}

struct api_keys_verdict api_keys_check(struct api_keys *k, const char *address, const char *key, size_t len,
                                       uint64_t now_ms, int64_t wall_ms)
{
    struct api_keys_verdict verdict = {.result = KEY_INVALID};
    struct auth_client *s = api_keys_client_of(k, address, now_ms);
    const struct key *found;
    uint8_t hash[SHA256_BYTES];

    if (now_ms - s->begun_ms >= WINDOW_MS) {
        s->begun_ms = now_ms;
        s->failures = 0;
    }
    sha256(key, len, hash);
    if (s->failures >= k->failures && !api_keys_client_has_used(s, hash)) {
        verdict.result = KEY_RATE_LIMITED;
        verdict.wait_ms = WINDOW_MS - (now_ms - s->begun_ms);
        return verdict;
    }
    found = api_keys_find(&k->records, hash, api_keys_find(&k->file, hash, NULL));
    if (!found) {
        s->failures++;
        return verdict;
    }
    memcpy(verdict.who, found->name, sizeof verdict.who);
    if (api_keys_has_expired(found, wall_ms)) {
        verdict.result = KEY_EXPIRED;
        verdict.expired_ms = found->expires_ms;
        return verdict;
    }
    api_keys_client_remember(s, hash);
    verdict.result = KEY_VALID;
    verdict.roles = found->roles;
    verdict.key = api_keys_number_of(found);
    return verdict;
}
