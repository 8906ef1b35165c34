/* The request of an HTTP actor: its call context, body, path ids and query parameters.
 *
 * Loop thread. A function that returns false or NULL has already answered the request with a problem document that
 * names the parameter and its limit. */
#ifndef KITH_ACTORS_API_REQUEST_H
#define KITH_ACTORS_API_REQUEST_H

#include "actors/messages.h"
#include "core/base/name/name.h"

#include <jansson.h>

/* A request that waits for replies of other actors: the context of those asks. */
struct call {
    struct http_request *request; /* one reference */
    int op;
    int64_t id;       /* the record that the request is about */
    int64_t photo;    /* the photo that was added; 0: none */
    int64_t changed;  /* records that the operation made or changed */
    int64_t deciding; /* faces that are decided again because of it */
    struct deleted deleted;
    char *name;      /* of the person or the new photo; owned */
    char *path;      /* of the image's file; owned */
    struct buf body; /* the answer, until the gallery has read the change */
    uint64_t begun_ms;
};

struct call *call_new(struct actor *self, struct http_request *request, int op);
void call_free(struct call *call);

/* The body as a JSON object; NULL: answered. The caller owns it. */
json_t *body_object(struct http_request *request);
/* A string member of 1 to `max` bytes without NUL, borrowed from `object`; NULL: answered. */
const char *body_text(struct http_request *request, json_t *object, const char *name, size_t max, size_t *len);
/* The member “name” as the name of a person, in the form that is stored (core/base/name/name.h), borrowed from `name`;
 * NULL: answered. */
const char *body_name(struct http_request *request, json_t *object, char name[static NAME_BYTES]);
/* The media type of the body in lower case, without parameters; "" when there is none. */
enum { MEDIA_TYPE_BYTES = 256 };
void request_media_type(const struct http_request *request, char type[MEDIA_TYPE_BYTES]);
/* False when the body has a Content-Encoding or is multipart: answered with 415. */
bool request_body_is_supported(struct http_request *request);
/* Whether the body is an image, by its Content-Type or its first bytes. */
bool body_is_image(struct http_request *request);
/* The positive number in the n-th part of the path; false: answered with 404. */
bool part_number(struct http_request *request, int n, int64_t *number);
/* Parses a non-negative decimal number; false when `text` is anything else or too large. */
bool request_parse_number(const char *text, int64_t *number);

/* An optional number of min to max; `value` is unchanged when it is absent. */
bool query_number(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *value);
/* An optional boolean query parameter: "true", "1", "false" or "0". Leaves `value` unchanged when it is absent; any
 * other text gets a 400 and returns false. */
bool query_bool(struct http_request *request, const char *name, bool *value);
/* An optional text of 1 to max bytes; "" when it is absent. */
bool query_text(struct http_request *request, const char *name, size_t max, char text[HTTP_QUERY_MAX]);
/* The query parameter “explain”, as query_bool. */
bool query_explain(struct http_request *request, bool *explain);

/* Who makes the request, for the record; in the arena. NULL: not known. */
const char *request_said_by(const struct http_request *request, struct arena *arena);
/* Logs a change and stores it in the audit trail. `key`: "photo", "image", "face", "unknown_person" or "merge", what
 * `id` is of; id 0: none. `name`: a person's, for the log only. */
void audit(const struct http_request *request, const char *what, int64_t person, const char *key, int64_t id,
           const char *name);

#endif
