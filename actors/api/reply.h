/* What the actors that answer HTTP share: a request that waits for others, JSON of the records, refusals in words. */
#ifndef KITH_ACTORS_API_REPLY_H
#define KITH_ACTORS_API_REPLY_H

#include "actors/messages.h"

#include <jansson.h>

/* A request while others are asked for it: the context of those asks. */
struct call {
    struct http_request *request; /* one reference */
    int op;
    int64_t id, other; /* what it is about: the op's business */
    char *text;        /* owned */
    uint64_t begun_ms;
};

struct call *call_new(struct actor *self, struct http_request *request, int op);
void call_free(struct call *call);

/* False when an ask of the store succeeded; else the request is answered with what went wrong. */
bool reply_failed(struct http_request *request, int status, const struct msg *reply);
/* The same for an ask of the breaker. */
bool recognition_failed(struct http_request *request, int status, const struct msg *reply);

/* The body as a JSON object, or NULL when it is answered with what is wrong with it. */
json_t *body_object(struct http_request *request);
/* A string of it: NULL when it is answered. `max` bytes at most; empty is refused. */
const char *body_text(struct http_request *request, json_t *object, const char *name, size_t max, size_t *len);
/* Whether the body is bytes of an image (by its Content-Type, or its first bytes when it has none). */
bool body_is_image(struct http_request *request);
/* The number in the n-th part of the path; false (and 404) when it is none. */
bool part_number(struct http_request *request, int n, int64_t *number);
/* A page's `limit` and `after`; false (and 400) when they are no numbers or the limit is too large. */
bool query_page(struct http_request *request, int64_t most, int *limit, int64_t *after);

/* An optional number of the query, left as it is when absent; false (and 400) when it is none of min to max. */
bool query_number(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *value);

/* Logs a change for the audit trail. `key`: "photo", "image" or "unknown_person", what `id` is of; id 0: none. */
void audit(const struct http_request *request, const char *what, int64_t person, const char *key, int64_t id,
           const char *name);

/* `explain`: with the reasons of each decision. */
void json_image(struct buf *out, const struct image *image, bool explain);
void json_faces(struct buf *out, const struct face *faces, int count, bool explain);
/* Ends a page's list: its bracket and `next`, and the object. 0: there is no next page. */
void json_next(struct buf *out, int64_t next);
/* explain.c: an object with the rule, its numbers and a sentence. */
void json_decision(struct buf *out, const struct face *face);
/* An optional boolean query parameter: "true", "1", "false" or "0". Leaves `value` unchanged when it is absent; any
 * other text gets a 400 and returns false. */
bool query_bool(struct http_request *request, const char *name, bool *value);
/* The query parameter “explain”, as query_bool. */
bool query_explain(struct http_request *request, bool *explain);
void json_person(struct buf *out, const struct person *person);
void json_time(struct buf *out, int64_t wall_ms); /* null when 0 */
void reply_json(struct http_request *request, int status, struct buf *out);

#endif
