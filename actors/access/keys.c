/* The API keys of the HTTP interface.
 *
 *   start, poll ─▶ STORE_KEYS ─▶ key file, on a file thread ─▶ api_keys ─▶ audit log, event streams
 *
 * `kith key` writes the records from another process, and a mounted Secret changes in place, so both are polled every
 * KITH_KEYS_POLL. When the database is unavailable or the file is invalid, the keys in use stay.
 *
 *   POST /v1/session ─▶ checks the key and stores it in an HttpOnly cookie
 */
#include "actors/access/keys.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/request.h"
#include "core/base/log.h"
#include "core/base/settings/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_LOOK = 1, COOKIE_AGE_S = 30 * 24 * 3600 };

struct known { /* what the log was told of */
    int64_t id;
    unsigned roles;
    char name[KEY_NAME_BYTES];
};

struct keys {
    struct known *known;
    int known_count;
    bool told;           /* of the first reading */
    char complaint[256]; /* about the file, the last one */
};

struct msg_file_read {
    struct msg head;
    const char *file;
    char *text; /* NULL: `error` */
    struct error error;
};

static void destroy_file(struct msg *m)
{
    free(((struct msg_file_read *)m)->text);
}

static void read_file(struct msg *m)
{
    struct msg_file_read *f = (struct msg_file_read *)m;
    char *text = malloc(API_KEYS_FILE_BYTES);

    if (!text)
        abort();
    if (secret_read(f->file, "KITH_API_KEYS_FILE", text, API_KEYS_FILE_BYTES, &f->error) < 0)
        free(text);
    else
        f->text = text;
}

/* --- what changed --- */

static const char *roles_text(unsigned roles)
{
    if (roles & ACCESS_ADMIN)
        return access_name(ACCESS_ADMIN);
    return roles == (ACCESS_SUBMIT | ACCESS_READ) ? "submit,read" : access_name(roles);
}

static bool holds(const struct known *list, int count, const struct known *one)
{
    for (int i = 0; i < count; i++)
        if (list[i].id == one->id && list[i].roles == one->roles && strcmp(list[i].name, one->name) == 0)
            return true;
    return false;
}

static void tell(const char *what, const struct known *k)
{
    log_event(LOG_INFO, "audit", LOG_STR("what", what), LOG_INT("key", k->id), LOG_STR("name", k->name),
              LOG_STR("roles", roles_text(k->roles)), LOG_STR("from", k->id ? "records" : "KITH_API_KEYS_FILE"));
}

/* Sends the complete list at every poll, so that a message that a full mailbox refused is made good by the next. */
static void keys_tell_events(struct actor *self)
{
    const struct keys_config *config = actor_config(self);
    const struct api_keys *keys = config->door->ring;
    int count = api_keys_count(keys);
    struct msg_keys *m;

    if (!config->door->keys)
        return;
    m = (struct msg_keys *)msg_new(MSG_KEYS, sizeof *m + (size_t)count * sizeof m->keys[0]);
    for (int i = 0; i < count; i++) {
        int64_t id;
        const char *name;
        unsigned roles;

        api_keys_each(keys, i, &id, &name, &roles);
        if (roles & ACCESS_READ)
            m->keys[m->count++] = api_keys_number(keys, i);
    }
    actor_tell(self, "events", &m->head);
}

static void tell_changes(struct actor *self)
{
    const struct keys_config *config = actor_config(self);
    struct keys *k = actor_state(self);
    int count = api_keys_count(config->door->ring);
    struct known *now = calloc((size_t)count + 1, sizeof *now);

    if (!now)
        abort();
    for (int i = 0; i < count; i++) {
        const char *name;

        api_keys_each(config->door->ring, i, &now[i].id, &name, &now[i].roles);
        snprintf(now[i].name, sizeof now[i].name, "%s", name);
    }
    for (int i = 0; i < count && k->told; i++)
        if (!holds(k->known, k->known_count, &now[i]))
            tell("key added", &now[i]);
    for (int i = 0; i < k->known_count; i++)
        if (!holds(now, count, &k->known[i]))
            tell("key revoked", &k->known[i]);
    keys_tell_events(self);
    if (!k->told && config->door->keys)
        log_event(count ? LOG_INFO : LOG_WARN, "keys", LOG_INT("count", count),
                  LOG_SOME("hint", count ? NULL : "nobody can come in: “kith key create” makes one"));
    free(k->known);
    k->known = now;
    k->known_count = count;
    k->told = true;
}

/* --- looking --- */

static void rest(struct actor *self)
{
    actor_after(self, ((const struct keys_config *)actor_config(self))->poll_ms, TIMER_LOOK);
}

static void on_file(struct actor *self, const struct msg_file_read *m)
{
    const struct keys_config *config = actor_config(self);
    struct keys *k = actor_state(self);
    struct error error = m->error;

    if (m->text && api_keys_set_file(config->door->ring, m->text, &error) == 0) {
        k->complaint[0] = 0;
    } else if (strcmp(k->complaint, error.text) != 0) {
        snprintf(k->complaint, sizeof k->complaint, "%.255s", error.text);
        log_event(LOG_ERROR, "keys stay as they were", LOG_STR("reason", error.text));
    }
    if (config->door->read)
        tell_changes(self);
    rest(self);
}

static void look_at_file(struct actor *self)
{
    const struct keys_config *config = actor_config(self);
    struct msg_file_read *m;

    if (!config->file[0]) {
        if (config->door->read)
            tell_changes(self);
        rest(self);
        return;
    }
    m = (struct msg_file_read *)msg_new(MSG_KEYS_FILE_READ, sizeof *m);
    m->head.destroy = destroy_file;
    m->file = config->file;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, read_file) < 0)
        rest(self);
}

static void on_keys(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct keys_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;

    (void)context;
    if (status == ACTOR_OK && r->status == STORE_OK) {
        api_keys_set_records(config->door->ring, r->keys, r->key_count);
        config->door->read = true;
    }
    look_at_file(self);
}

static void look(struct actor *self)
{
    const struct keys_config *config = actor_config(self);

    actor_ask(self, "store", &STORE_MESSAGE(STORE_KEYS, store_list)->m.head, config->store_ms, on_keys, NULL);
}

/* --- the page's session --- */

static void answer_session(struct actor *self, struct http_request *request, unsigned roles)
{
    const struct keys_config *config = actor_config(self);
    struct buf out = {0};
    const char *separator = "";

    buf_printf(&out, "{\"auth\":\"%s\",\"roles\":[", config->door->keys ? "keys" : "none");
    for (unsigned bit = ACCESS_SUBMIT; bit <= ACCESS_ADMIN; bit *= 2)
        if (roles & bit) {
            buf_printf(&out, "%s\"%s\"", separator, access_name(bit));
            separator = ",";
        }
    buf_str(&out, "],\"name\":");
    buf_json(&out, http_request_who(request)[0] ? http_request_who(request) : NULL);
    buf_str(&out, "}");
    http_add_header(request, "cache-control", "no-store");
    reply_json(request, 200, &out);
}

static void on_session(struct actor *self, struct http_request *request)
{
    const struct keys_config *config = actor_config(self);
    struct api_keys_verdict verdict = {.result = KEY_VALID, .roles = ACCESS_ALL};
    char key[KEY_MAX_BYTES + 1];

    if (config->door->keys) {
        verdict.roles = 0;
        if (auth_key(request, key, sizeof key))
            verdict = auth_authenticate(config->door, request, key);
    }
    answer_session(self, request, verdict.roles);
}

static void set_cookie(struct http_request *request, const char *key, int age_s)
{
    char text[KEY_MAX_BYTES + 128];

    snprintf(text, sizeof text, KEY_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", key, age_s,
             http_request_is_tls(request) ? "; Secure" : "");
    http_add_header(request, "set-cookie", text);
}

static void begin_session(struct actor *self, struct http_request *request)
{
    const struct keys_config *config = actor_config(self);
    json_t *object = body_object(request);
    size_t len;
    const char *key = object ? body_text(request, object, "key", KEY_MAX_BYTES, &len) : NULL;
    struct api_keys_verdict verdict = {.roles = ACCESS_ALL};

    if (key && !api_keys_text_is_valid(key)) {
        http_problem(request, 400, "wrong-value", "“key” may contain letters, digits and any of -._~+/= only.");
    } else if (key) {
        if (config->door->keys)
            verdict = auth_authenticate(config->door, request, key);
        if (verdict.result == KEY_VALID) {
            set_cookie(request, key, COOKIE_AGE_S);
            answer_session(self, request, verdict.roles);
        } else {
            auth_refuse(request, &verdict);
        }
    }
    json_decref(object);
}

static void on_http(struct actor *self, struct http_request *request)
{
    switch (http_request_route(request)->op) {
    case OP_SESSION:
        on_session(self, request);
        break;
    case OP_SESSION_BEGIN:
        begin_session(self, request);
        break;
    case OP_SESSION_END:
        set_cookie(request, "", 0);
        http_reply(request, 204, NULL, NULL, 0);
        break;
    }
}

/* --- the actor --- */

static int keys_start(struct actor *self)
{
    look(self);
    return 0;
}

static void keys_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        on_http(self, ((const struct msg_http *)m)->request);
    else if (m->type == MSG_KEYS_FILE_READ)
        on_file(self, (const struct msg_file_read *)m);
}

static void keys_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    look(self);
}

static void keys_stop(struct actor *self)
{
    free(((struct keys *)actor_state(self))->known);
}

static const uint32_t keys_accepts[] = {MSG_HTTP, MSG_KEYS_FILE_READ, 0};

const struct actor_ops keys_actor = {
    .name = "keys",
    .state_size = sizeof(struct keys),
    .start = keys_start,
    .accepts = keys_accepts,
    .receive = keys_receive,
    .timer = keys_timer,
    .stop = keys_stop,
};
