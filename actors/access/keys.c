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
#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/must.h"
#include "core/base/settings/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_LOAD = 1, COOKIE_AGE_S = 30 * 24 * 3600 };

struct logged_key { /* a key as the audit log last had it */
    int64_t id;
    bool expired;
    unsigned roles;
    char name[KEY_NAME_BYTES];
};

struct keys {
    struct logged_key *logged;
    int logged_count;
    bool loaded;          /* once at least: later changes are logged */
    char file_error[256]; /* the last error of the file that was logged */
};

struct msg_file_read {
    struct msg head;
    const char *file;
    char *text; /* NULL: `error` */
    struct error error;
};

static void keys_destroy_file(struct msg *m)
{
    free(((struct msg_file_read *)m)->text);
}

static void keys_read_file(struct msg *m)
{
    struct msg_file_read *f = (struct msg_file_read *)m;
    char *text = malloc(API_KEYS_FILE_BYTES);

    if (!text)
        out_of_memory();
    if (secret_read(f->file, "KITH_API_KEYS_FILE", text, API_KEYS_FILE_BYTES, &f->error) < 0)
        free(text);
    else
        f->text = text;
}

/* --- changes --- */

static const char *keys_format_roles(unsigned roles)
{
    if (roles & ACCESS_ADMIN)
        return access_name(ACCESS_ADMIN);
    return roles == (ACCESS_SUBMIT | ACCESS_READ) ? "submit,read" : access_name(roles);
}

static bool keys_contains(const struct logged_key *list, int count, const struct logged_key *one)
{
    for (int i = 0; i < count; i++)
        if (list[i].id == one->id && list[i].roles == one->roles && strcmp(list[i].name, one->name) == 0)
            return true;
    return false;
}

static void keys_log_change(const char *what, const struct logged_key *k)
{
    log_event(LOG_INFO, "audit", LOG_STR("what", what), LOG_INT("key", k->id), LOG_STR("name", k->name),
              LOG_STR("roles", keys_format_roles(k->roles)), LOG_STR("from", k->id ? "records" : "KITH_API_KEYS_FILE"));
}

/* Keys that have expired since the last report. */
static void keys_log_expired(const struct keys *k, const struct logged_key *now, int count)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; now[i].expired && j < k->logged_count; j++)
            if (k->logged[j].id == now[i].id && now[i].id && !k->logged[j].expired)
                keys_log_change("key expired", &now[i]);
}

/* Sends the complete list at every poll, so that the next poll repairs a message that a full mailbox refused. */
static void keys_tell_events(struct actor *self)
{
    const struct keys_config *config = actor_config(self);
    const struct api_keys *keys = config->auth->keys;
    int count = api_keys_count(keys);
    int64_t wall_ms = clock_wall_ms();
    struct msg_keys *m;

    if (!config->auth->required)
        return;
    m = (struct msg_keys *)msg_new(MSG_KEYS, sizeof *m + (size_t)count * sizeof m->keys[0]);
    for (int i = 0; i < count; i++) {
        int64_t id;
        const char *name;
        unsigned roles;

        api_keys_each(keys, i, &id, &name, &roles);
        if ((roles & ACCESS_READ) && !api_keys_is_expired(keys, i, wall_ms))
            m->keys[m->count++] = api_keys_number(keys, i);
    }
    actor_tell(self, "events", &m->head);
}

static void keys_report_changes(struct actor *self)
{
    const struct keys_config *config = actor_config(self);
    struct keys *k = actor_state(self);
    int count = api_keys_count(config->auth->keys);
    struct logged_key *now = calloc((size_t)count + 1, sizeof *now);
    int64_t wall_ms = clock_wall_ms();

    if (!now)
        out_of_memory();
    for (int i = 0; i < count; i++) {
        const char *name;

        api_keys_each(config->auth->keys, i, &now[i].id, &name, &now[i].roles);
        snprintf(now[i].name, sizeof now[i].name, "%s", name);
        now[i].expired = api_keys_is_expired(config->auth->keys, i, wall_ms);
    }
    keys_log_expired(k, now, count);
    for (int i = 0; i < count && k->loaded; i++)
        if (!keys_contains(k->logged, k->logged_count, &now[i]))
            keys_log_change("key added", &now[i]);
    for (int i = 0; i < k->logged_count; i++)
        if (!keys_contains(now, count, &k->logged[i]))
            keys_log_change("key revoked", &k->logged[i]);
    keys_tell_events(self);
    if (!k->loaded && config->auth->required)
        log_event(count ? LOG_INFO : LOG_WARN, "keys", LOG_INT("count", count),
                  LOG_SOME("hint", count ? NULL : "every request is refused: “kith key create” makes a key"));
    free(k->logged);
    k->logged = now;
    k->logged_count = count;
    k->loaded = true;
}

/* --- loading --- */

static void keys_schedule_load(struct actor *self)
{
    actor_after(self, ((const struct keys_config *)actor_config(self))->poll_ms, TIMER_LOAD);
}

static void keys_on_file(struct actor *self, const struct msg_file_read *m)
{
    const struct keys_config *config = actor_config(self);
    struct keys *k = actor_state(self);
    struct error error = m->error;

    if (m->text && api_keys_set_file(config->auth->keys, m->text, &error) == 0) {
        k->file_error[0] = 0;
    } else if (strcmp(k->file_error, error.text) != 0) {
        snprintf(k->file_error, sizeof k->file_error, "%.255s", error.text);
        log_event(LOG_ERROR, "API keys not reloaded", LOG_STR("reason", error.text));
    }
    if (config->auth->loaded)
        keys_report_changes(self);
    keys_schedule_load(self);
}

static void keys_load_file(struct actor *self)
{
    const struct keys_config *config = actor_config(self);
    struct msg_file_read *m;

    if (!config->file[0]) {
        if (config->auth->loaded)
            keys_report_changes(self);
        keys_schedule_load(self);
        return;
    }
    m = (struct msg_file_read *)msg_new(MSG_KEYS_FILE_READ, sizeof *m);
    m->head.destroy = keys_destroy_file;
    m->file = config->file;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, keys_read_file) < 0)
        keys_schedule_load(self);
}

static void keys_on_records(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct keys_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;

    (void)context;
    if (status == ACTOR_OK && r->status == STORE_OK) {
        api_keys_set_records(config->auth->keys, r->keys, r->key_count);
        config->auth->loaded = true;
    }
    keys_load_file(self);
}

static void keys_load(struct actor *self)
{
    const struct keys_config *config = actor_config(self);

    log_rate_report(&config->auth->log_rate, actor_now_ms(self));
    actor_ask(self, "store", &STORE_MESSAGE(STORE_KEYS, store_list)->m.head, config->store_ms, keys_on_records, NULL);
}

/* --- the session of the dashboard --- */

static void keys_answer_session(struct actor *self, struct http_request *request, unsigned roles)
{
    const struct keys_config *config = actor_config(self);
    struct buf out = {0};
    const char *separator = "";

    buf_printf(&out, "{\"auth\":\"%s\",\"roles\":[", config->auth->required ? "keys" : "none");
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

static void keys_on_session(struct actor *self, struct http_request *request)
{
    const struct keys_config *config = actor_config(self);
    struct api_keys_verdict verdict = {.result = KEY_VALID, .roles = ACCESS_ALL};
    char key[KEY_MAX_BYTES + 1];

    if (config->auth->required) {
        verdict.roles = 0;
        if (auth_key(request, key, sizeof key) == AUTH_KEY_FOUND)
            verdict = auth_authenticate(config->auth, request, key);
    }
    keys_answer_session(self, request, verdict.roles);
}

static void keys_set_cookie(struct http_request *request, const char *key, int age_s)
{
    char text[KEY_MAX_BYTES + 128];

    snprintf(text, sizeof text, KEY_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", key, age_s,
             http_request_is_secure(request) ? "; Secure" : "");
    http_add_header(request, "set-cookie", text);
}

static void keys_begin_session(struct actor *self, struct http_request *request)
{
    const struct keys_config *config = actor_config(self);
    json_t *object = body_object(request);
    size_t len;
    const char *key = object ? body_text(request, object, "key", KEY_MAX_BYTES, &len) : NULL;
    struct api_keys_verdict verdict = {.roles = ACCESS_ALL};

    if (key && !api_keys_text_is_valid(key)) {
        http_problem(request, 400, "wrong-value", "“key” may contain letters, digits and any of -._~+/= only.");
    } else if (key) {
        if (config->auth->required)
            verdict = auth_authenticate(config->auth, request, key);
        if (verdict.result == KEY_VALID) {
            keys_set_cookie(request, key, COOKIE_AGE_S);
            keys_answer_session(self, request, verdict.roles);
        } else {
            auth_refuse(request, &verdict);
        }
    }
    json_decref(object);
}

static void keys_on_http(struct actor *self, struct http_request *request)
{
    switch (http_request_route(request)->op) {
    case OP_SESSION:
        keys_on_session(self, request);
        break;
    case OP_SESSION_BEGIN:
        keys_begin_session(self, request);
        break;
    case OP_SESSION_END:
        keys_set_cookie(request, "", 0);
        http_reply(request, 204, NULL, NULL, 0);
        break;
    }
}

/* --- the actor --- */

static int keys_start(struct actor *self)
{
    keys_load(self);
    return 0;
}

static void keys_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        keys_on_http(self, ((const struct msg_http *)m)->request);
    else if (m->type == MSG_KEYS_FILE_READ)
        keys_on_file(self, (const struct msg_file_read *)m);
}

static void keys_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    keys_load(self);
}

static void keys_stop(struct actor *self)
{
    free(((struct keys *)actor_state(self))->logged);
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
