#include "actors/api/reply.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/image/sniff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct call *call_new(struct actor *self, struct http_request *request, int op)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call)
        abort();
    call->request = http_request_ref(request);
    call->op = op;
    call->begun_ms = actor_now_ms(self);
    return call;
}

void call_free(struct call *call)
{
    http_request_unref(call->request);
    free(call->text);
    free(call);
}

bool reply_failed(struct http_request *request, int status, const struct msg *reply)
{
    static const struct {
        int status, http;
        const char *slug;
    } table[] = {{STORE_NOT_FOUND, 404, "not-found"}, {STORE_CONFLICT, 409, "conflict"},
                 {STORE_NO_SPACE, 503, "no-space"},   {STORE_BROKEN, 503, "store"},
                 {STORE_AWAY, 503, "database-away"},  {STORE_MISMATCH, 422, "key-reused"}};
    const struct store_reply *r = (const struct store_reply *)reply;

    if (status == ACTOR_TIMEOUT)
        http_problem(request, 504, "timeout", "The store did not answer in time.");
    else if (status != ACTOR_OK)
        http_problem(request, 503, "busy", "The store is %s.", actor_status_name(status));
    else
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
            if (r->status == table[i].status)
                http_problem(request, table[i].http, table[i].slug, "%s", r->error);
    return status != ACTOR_OK || r->status != STORE_OK;
}

bool recognition_failed(struct http_request *request, int status, const struct msg *reply)
{
    const struct msg_recognized *r = (const struct msg_recognized *)reply;

    if (status != ACTOR_OK) {
        http_problem(request, status == ACTOR_TIMEOUT ? 504 : 503, "busy", "The recogniser is %s.",
                     actor_status_name(status));
        return true;
    }
    switch (r->outcome) {
    case RECOGNIZED_OK:
        return false;
    case RECOGNIZED_BAD_IMAGE:
        http_problem(request, 422, "bad-image", "%s", r->reason);
        break;
    case RECOGNIZED_POISON:
        http_problem(request, 422, "poison",
                     "The same bytes have killed recognisers; they are refused for a while "
                     "(KITH_QUARANTINE).");
        break;
    case RECOGNIZED_TIMEOUT:
        http_problem(request, 504, "recognizer-timeout", "%s", r->reason);
        break;
    case RECOGNIZED_CRASHED:
    case RECOGNIZED_FAILED:
        http_problem(request, 502, "recognizer-failed", "The recogniser failed: %s", r->reason);
        break;
    case RECOGNIZED_OPEN:
        http_problem(request, 503, "breaker-open", "The recogniser has failed too often and rests: %s", r->reason);
        break;
    default:
        http_problem(request, 503, "recognizer-unavailable", "The recogniser cannot work now: %s",
                     r->reason[0] ? r->reason : recognized_name(r->outcome));
    }
    return true;
}

/* --- what came --- */

json_t *body_object(struct http_request *request)
{
    size_t len;
    const char *body = http_request_body(request, &len);
    json_error_t error;
    /* \u0000 is let in here and refused where the text is used, in words. */
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

bool body_is_image(struct http_request *request)
{
    char type[128];
    size_t len;
    const char *body = http_request_body(request, &len);

    if (!http_request_header(request, "content-type", type, sizeof type))
        return body && sniff((const uint8_t *)body, len).type != IMAGE_UNKNOWN;
    return strncasecmp(type, "image/", 6) == 0 || strncasecmp(type, "application/octet-stream", 24) == 0 ||
           (body && sniff((const uint8_t *)body, len).type != IMAGE_UNKNOWN);
}

static bool parse_number(const char *text, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
}

bool part_number(struct http_request *request, int n, int64_t *number)
{
    if (parse_number(http_request_part(request, n), number) && *number > 0)
        return true;
    http_problem(request, 404, "not-found", "“%s” is no id.", http_request_part(request, n));
    return false;
}

bool query_page(struct http_request *request, int64_t most, int *limit, int64_t *after)
{
    char text[32];
    int64_t value;

    *limit = most < 50 ? (int)most : 50;
    *after = 0;
    if (http_request_query(request, "limit", text, sizeof text)) {
        if (!parse_number(text, &value) || value < 1 || value > most) {
            http_problem(request, 400, "wrong-value", "“limit” must be 1 to %lld (KITH_PAGE_LIMIT).", (long long)most);
            return false;
        }
        *limit = (int)value;
    }
    if (http_request_query(request, "after", text, sizeof text) && !parse_number(text, after)) {
        http_problem(request, 400, "wrong-value", "“after” must be the “next” of the page before.");
        return false;
    }
    return true;
}

bool query_number(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *value)
{
    char text[32];
    int64_t number;

    if (!http_request_query(request, name, text, sizeof text))
        return true;
    if (!parse_number(text, &number) || number < min || number > max) {
        http_problem(request, 400, "wrong-value", "“%s” must be a number, %lld at least.", name, (long long)min);
        return false;
    }
    *value = number;
    return true;
}

bool query_bool(struct http_request *request, const char *name, bool *value)
{
    char text[8];

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

bool query_explain(struct http_request *request, bool *explain)
{
    *explain = false;
    return query_bool(request, "explain", explain);
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
}

/* --- what goes --- */

void json_time(struct buf *out, int64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];

    if (wall_ms == 0) {
        buf_str(out, "null");
        return;
    }
    clock_format(wall_ms, text);
    buf_printf(out, "\"%s\"", text);
}

static void json_who(struct buf *out, int64_t id, const char *name)
{
    if (id <= 0) {
        buf_str(out, "null");
        return;
    }
    buf_printf(out, "{\"id\":%lld,\"name\":", (long long)id);
    buf_json(out, name);
    buf_str(out, "}");
}

static void json_candidates(struct buf *out, const struct face *f)
{
    buf_str(out, ",\"candidates\":[");
    for (int i = 0; i < f->candidate_count; i++) {
        buf_str(out, i ? ",{\"person\":" : "{\"person\":");
        json_who(out, f->candidates[i].person, f->candidates[i].name);
        buf_str(out, ",\"distance\":");
        buf_number(out, f->candidates[i].distance, 4);
        buf_str(out, ",\"similarity\":");
        buf_number(out, f->candidates[i].similarity, 4);
        buf_str(out, "}");
    }
    buf_str(out, "]");
}

static void json_face(struct buf *out, const struct face *f, bool explain)
{
    buf_str(out, "{");
    if (f->id)
        buf_printf(out, "\"id\":%lld,", (long long)f->id);
    if (f->width > 0)
        buf_printf(out, "\"box\":{\"x\":%.0f,\"y\":%.0f,\"width\":%.0f,\"height\":%.0f},\"landmarks\":[", (double)f->x,
                   (double)f->y, (double)f->width, (double)f->height);
    else /* the recogniser does not say where */
        buf_str(out, "\"box\":null,\"landmarks\":[");
    for (int i = 0; i < f->landmark_count; i++)
        buf_printf(out, "%s[%.0f,%.0f]", i ? "," : "", (double)f->landmarks[i * 2], (double)f->landmarks[i * 2 + 1]);
    buf_str(out, "],\"quality\":");
    buf_number(out, (double)f->quality, 3);
    buf_str(out, ",\"person\":");
    json_who(out, f->person, f->person_name);
    if (f->person > 0 || f->candidate_count) {
        buf_str(out, ",\"distance\":");
        buf_number(out, f->person > 0 || !f->candidate_count ? f->distance : f->candidates[0].distance, 4);
        buf_str(out, ",\"similarity\":");
        buf_number(out, f->person > 0 || !f->candidate_count ? f->similarity : f->candidates[0].similarity, 4);
    } else {
        buf_str(out, ",\"distance\":null,\"similarity\":null");
    }
    json_candidates(out, f);
    if (f->person <= 0 && f->unknown_person > 0)
        buf_printf(out, ",\"unknown_person\":%lld", (long long)f->unknown_person);
    if (explain) {
        buf_str(out, ",\"explain\":");
        json_decision(out, f);
    }
    buf_str(out, "}");
}

void json_faces(struct buf *out, const struct face *faces, int count, bool explain)
{
    buf_str(out, "[");
    for (int i = 0; i < count; i++) {
        if (i)
            buf_str(out, ",");
        json_face(out, &faces[i], explain);
    }
    buf_str(out, "]");
}

void json_image(struct buf *out, const struct image *image, bool explain)
{
    static const char *const verdicts[] = {"null", "\"known\"", "\"unknown\""};

    buf_printf(out, "{\"id\":%lld,\"path\":", (long long)image->id);
    buf_json(out, image->path);
    buf_printf(out, ",\"status\":\"%s\",\"verdict\":%s,\"reason\":", image_status_name(image->status),
               verdicts[image->verdict]);
    buf_json(out, image->reason);
    buf_printf(out, ",\"attempts\":%lld,\"person\":", (long long)image->attempt);
    json_who(out, image->person, image->person_name);
    buf_str(out, ",\"faces\":");
    json_faces(out, image->faces, image->face_count, explain);
    buf_str(out, ",\"created_at\":");
    json_time(out, image->created_ms);
    buf_str(out, ",\"finished_at\":");
    json_time(out, image->finished_ms);
    buf_str(out, "}");
}

void json_person(struct buf *out, const struct person *person)
{
    buf_printf(out, "{\"id\":%lld,\"name\":", (long long)person->id);
    buf_json(out, person->name);
    buf_printf(out, ",\"photos\":%lld}", (long long)person->photos);
}

void json_next(struct buf *out, int64_t next)
{
    if (next)
        buf_printf(out, "],\"next\":\"%lld\"}", (long long)next);
    else
        buf_str(out, "],\"next\":null}");
}

void reply_json(struct http_request *request, int status, struct buf *out)
{
    buf_str(out, "\n");
    http_reply_buf(request, status, "application/json", out);
}
