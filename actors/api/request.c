/* Parses bodies, path ids and query parameters. */
#include "actors/api/request.h"

#include "core/actor/system.h"
#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/must.h"
#include "core/image/sniff.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CODING_BYTES = 64 };

struct call *call_new(struct actor *self, struct http_request *request, int op)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call)
        out_of_memory();
    call->request = http_request_ref(request);
    call->op = op;
    call->begun_ms = actor_now_ms(self);
    return call;
}

void call_free(struct call *call)
{
    http_request_unref(call->request);
    free(call->name);
    free(call->path);
    buf_free(&call->body);
    free(call);
}

json_t *body_object(struct http_request *request)
{
    size_t len;
    const char *body = http_request_body(request, &len);
    json_error_t error;
    /* \u0000 is permitted here, so that the error of the text that has it can name the member. */
    json_t *json = body ? json_loadb(body, len, JSON_ALLOW_NUL, &error) : NULL;

    if (!body || len == 0) {
        http_problem(request, 400, "no-body", "The request has no body.");
    } else if (!json) {
        http_problem(request, 400, "not-json", "The body is not JSON: line %d, column %d: %s", error.line, error.column,
                     error.text);
    } else if (!json_is_object(json)) {
        http_problem(request, 400, "wrong-type", "The body must be a JSON object.");
        json_decref(json);
        json = NULL;
    }
    return json;
}

const char *body_text(struct http_request *request, json_t *object, const char *name, size_t max, size_t *len)
{
    json_t *value = json_object_get(object, name);

    if (!value) {
        http_problem(request, 400, "missing", "“%s” is missing.", name);
        return NULL;
    }
    if (!json_is_string(value)) {
        http_problem(request, 400, "wrong-type", "“%s” must be a string.", name);
        return NULL;
    }
    *len = json_string_length(value);
    if (*len == 0 || *len > max || memchr(json_string_value(value), 0, *len)) {
        http_problem(request, 400, "wrong-value", "“%s” must have 1 to %zu bytes and no NUL.", name, max);
        return NULL;
    }
    return json_string_value(value);
}

const char *body_name(struct http_request *request, json_t *object, char name[static NAME_BYTES])
{
    json_t *value = json_object_get(object, "name");
    const char *text = json_string_value(value);
    size_t len = json_string_length(value), chars = 0;

    if (!value) {
        http_problem(request, 400, "missing", "“name” is missing.");
    } else if (!text) {
        http_problem(request, 400, "wrong-type", "“name” must be a string.");
    } else if (memchr(text, 0, len)) {
        http_problem(request, 400, "wrong-value", "“name” must have no NUL.");
    } else if (len > NAME_RAW_BYTES) {
        http_problem(request, 400, "wrong-value", "“name” has %zu bytes; a name has 1 to %d characters.", len,
                     NAME_CHARS);
    } else {
        enum name_flaw flaw = name_clean(text, name, &chars);

        if (flaw == NAME_OK)
            return name;
        if (flaw == NAME_TOO_LONG)
            http_problem(request, 400, "wrong-value", "“name” has %zu characters; it must have 1 to %d.", chars,
                         NAME_CHARS);
        else
            http_problem(request, 400, "wrong-value", "“name” must have 1 to %d characters; %s.", NAME_CHARS,
                         name_flaw_text(flaw));
    }
    return NULL;
}

void request_media_type(const struct http_request *request, char type[MEDIA_TYPE_BYTES])
{
    size_t n;

    if (!http_request_header(request, "content-type", type, MEDIA_TYPE_BYTES))
        type[0] = 0;
    n = strcspn(type, "; \t");
    type[n] = 0;
    for (char *c = type; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

bool request_body_is_supported(struct http_request *request)
{
    char type[MEDIA_TYPE_BYTES], encoding[CODING_BYTES];

    if (http_request_header(request, "content-encoding", encoding, sizeof encoding) &&
        strcasecmp(encoding, "identity") != 0) {
        http_add_header(request, "accept-encoding", "identity");
        http_problem(request, 415, "content-encoding", "The body has the Content-Encoding “%s”; send it without one.",
                     encoding);
        return false;
    }
    request_media_type(request, type);
    if (strncmp(type, "multipart/", 10) == 0) {
        http_problem(
            request, 415, "multipart",
            "Multipart bodies are not supported: send the bytes of one image as the body, or JSON with paths.");
        return false;
    }
    return true;
}

bool body_is_image(struct http_request *request)
{
    char type[MEDIA_TYPE_BYTES];
    size_t len;
    const char *body = http_request_body(request, &len);

    request_media_type(request, type);
    return strncmp(type, "image/", 6) == 0 || strcmp(type, "application/octet-stream") == 0 ||
           (body && sniff((const uint8_t *)body, len).type != IMAGE_UNKNOWN);
}

bool request_parse_number(const char *text, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
}

bool part_number(struct http_request *request, int n, int64_t *number)
{
    if (request_parse_number(http_request_part(request, n), number) && *number > 0)
        return true;
    http_problem(request, 404, "not-found", "“%s” is not an id.", http_request_part(request, n));
    return false;
}

bool query_number(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *value)
{
    char text[HTTP_QUERY_MAX];
    int64_t number;

    if (!http_request_query(request, name, text, sizeof text))
        return true;
    if (!request_parse_number(text, &number) || number < min || number > max) {
        http_problem(request, 400, "wrong-value", "“%s” must be a number from %lld to %lld.", name, (long long)min,
                     (long long)max);
        return false;
    }
    *value = number;
    return true;
}

bool query_bool(struct http_request *request, const char *name, bool *value)
{
    char text[HTTP_QUERY_MAX];

    if (!http_request_query(request, name, text, sizeof text))
        return true;
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) {
        *value = true;
    } else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        *value = false;
    } else {
        http_problem(request, 400, "wrong-value", "“%s” must be true, false, 1 or 0.", name);
        return false;
    }
    return true;
}

bool query_text(struct http_request *request, const char *name, size_t max, char text[HTTP_QUERY_MAX])
{
    if (!http_request_query(request, name, text, HTTP_QUERY_MAX)) {
        text[0] = 0;
        return true;
    }
    if (text[0] && strlen(text) <= max)
        return true;
    http_problem(request, 400, "wrong-value", "“%s” has %zu bytes; it must have 1 to %zu.", name, strlen(text), max);
    return false;
}

bool query_explain(struct http_request *request, bool *explain)
{
    *explain = false;
    return query_bool(request, "explain", explain);
}

/* Stored behind the answer: the actor audit asks the store. */
const char *request_said_by(const struct http_request *request, struct arena *arena)
{
    const char *who = http_request_who(request);

    return who && who[0] ? arena_text(arena, who) : NULL;
}

static void request_tell_audit(const struct http_request *request, const char *what, int64_t person, const char *key,
                               int64_t id)
{
    struct actor_system *system = http_request_context(request);
    struct msg_audit *m;

    if (!system)
        return;
    m = (struct msg_audit *)msg_new(MSG_AUDIT, sizeof *m);
    m->at_ms = clock_wall_ms();
    m->person = person;
    snprintf(m->who, sizeof m->who, "%s", http_request_who(request)[0] ? http_request_who(request) : "anybody");
    snprintf(m->action, sizeof m->action, "%s", what);
    if (strcmp(key, "image") == 0)
        m->image = id;
    else if (strcmp(key, "face") == 0)
        m->face = id;
    else if (id)
        snprintf(m->detail, sizeof m->detail, "%s %lld", key, (long long)id);
    if (actor_system_tell(system, "audit", &m->head) != ACTOR_OK)
        log_event(LOG_ERROR, "audit not stored", LOG_STR("reason", "the mailbox of “audit” is full"));
}

void audit(const struct http_request *request, const char *what, int64_t person, const char *key, int64_t id,
           const char *name)
{
    char address[64];

    http_request_address(request, address, sizeof address);
    log_event(LOG_INFO, "audit", LOG_STR("what", what), LOG_INT("person", person), LOG_INT(key, id),
              LOG_STR("name", name),
              LOG_STR("who", http_request_who(request)[0] ? http_request_who(request) : "anybody"),
              LOG_STR("address", address), LOG_STR("request", http_request_id(request)));
    request_tell_audit(request, what, person, key, id);
}
