/* kith key: creates, lists and revokes API keys in the database. A running kith reads them from there (KITH_KEYS_POLL).
 *
 * A key is shown once, when it is created: only its SHA-256 is stored. 192 random bits need no slow hash.
 */
#include "actors/access/api_keys.h"
#include "cli/cli.h"
#include "cli/records/records.h"
#include "core/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RANDOM_BYTES = 24, LASTS_DAYS_MAX = 36500 };
#define DAY_MS (24LL * 3600 * 1000)

/* "30d", or a duration as in the settings, from now. Returns 0, or -1: it is no time that a key may last. */
static int key_parse_expiry(const char *text, int64_t *expires_ms)
{
    char *end;
    double days = strtod(text, &end);
    int64_t ms;

    if (end != text && strcmp(end, "d") == 0 && days > 0 && days <= LASTS_DAYS_MAX)
        ms = (int64_t)(days * DAY_MS);
    else if (settings_duration(text, &ms) < 0 || ms <= 0 || ms > LASTS_DAYS_MAX * DAY_MS)
        return -1;
    *expires_ms = clock_wall_ms() + ms;
    return 0;
}

static int key_create(const struct invocation *in)
{
    const char *roles = cli_flag(in, "role"), *name = cli_flag(in, "name"), *expires = cli_flag(in, "expires");
    char key[16 + 2 * RANDOM_BYTES] = "kith_", hash[SHA256_HEX_BYTES];
    uint8_t bytes[RANDOM_BYTES];
    struct records *r;
    struct store_key *m;
    const struct store_reply *reply;
    int64_t expires_ms = 0;

    if (!roles || !access_parse(roles))
        return cli_refuse("key create needs --role submit, read or admin, or several of them separated by commas");
    if (name && (strlen(name) >= KEY_NAME_BYTES || strpbrk(name, "\r\n")))
        return cli_refuse("a key's name has at most %d bytes and one line", KEY_NAME_BYTES - 1);
    if (expires && key_parse_expiry(expires, &expires_ms) < 0)
        return cli_refuse("--expires=%s is not a time from now such as 30d, 12h or 90m, of at most %d days", expires,
                          LASTS_DAYS_MAX);
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return cli_refuse("the system gives no random numbers");
    for (int i = 0; i < RANDOM_BYTES; i++)
        snprintf(key + 5 + 2 * i, 3, "%02x", bytes[i]);
    sha256_hex(key, strlen(key), hash);
    if (!(r = records_open(in->settings)))
        return 1;
    m = STORE_MESSAGE(STORE_KEY_ADD, store_key);
    m->name = arena_text(&m->m.arena, name ? name : roles);
    m->roles = arena_text(&m->m.arena, roles);
    m->hash = arena_text(&m->m.arena, hash);
    m->expires_ms = expires_ms;
    if ((reply = records_ask(r, &m->m.head))) {
        printf("%s\n", key); /* alone on standard output, for scripts */
        fprintf(stderr, "kith: key %lld created, roles %s; it is not shown again\n", (long long)reply->id, roles);
    }
    records_close(r);
    return reply ? 0 : 1;
}

static int key_list(const struct invocation *in)
{
    struct records *r = records_open(in->settings);
    const struct store_reply *reply = r ? records_ask(r, &STORE_MESSAGE(STORE_KEYS, store_list)->m.head) : NULL;

    for (int i = 0; reply && i < reply->key_count; i++) {
        const struct api_key *k = &reply->keys[i];
        char created[CLOCK_TEXT_BYTES], expires[CLOCK_TEXT_BYTES] = "never";

        clock_format(k->created_ms, created);
        if (k->expires_ms)
            clock_format(k->expires_ms, expires);
        if (i == 0)
            printf("%-5s %-14s %-25s %-25s %s\n", "id", "roles", "created", "expires", "name");
        printf("%-5lld %-14s %-25s %-25s %s\n", (long long)k->id, k->roles, created, expires, k->name);
    }
    if (reply && reply->key_count == 0)
        printf("no keys\n");
    records_close(r);
    return reply ? 0 : 1;
}

static int key_revoke(const struct invocation *in)
{
    struct records *r;
    int code = 0;

    if (in->count < 2)
        return cli_refuse("key revoke needs ids from “kith key list”");
    if (!(r = records_open(in->settings)))
        return 1;
    for (int i = 1; i < in->count; i++) {
        struct store_id *m = STORE_MESSAGE(STORE_KEY_REVOKE, store_id);

        m->id = atoll(in->arguments[i]);
        if (records_ask(r, &m->m.head))
            printf("key %lld revoked\n", atoll(in->arguments[i]));
        else
            code = 1;
    }
    records_close(r);
    return code;
}

int cli_key(const struct invocation *in)
{
    const char *what = in->count ? in->arguments[0] : "";

    if (strcmp(what, "create") == 0 && in->count == 1)
        return key_create(in);
    if (strcmp(what, "list") == 0 && in->count == 1)
        return key_list(in);
    if (strcmp(what, "revoke") == 0)
        return key_revoke(in);
    return cli_refuse("usage: kith key create --role submit|read|admin [--name TEXT] [--expires 30d], kith key list, "
                      "kith key revoke ID …");
}
