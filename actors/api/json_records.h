/* Records as JSON, as proto/openapi.yaml describes them. Appends to the buffer `out`; owns nothing. */
#ifndef KITH_ACTORS_API_JSON_RECORDS_H
#define KITH_ACTORS_API_JSON_RECORDS_H

#include "actors/messages.h"

/* `explain`: with the reasons of each decision. */
void json_image(struct buf *out, const struct image *image, bool explain);
void json_faces(struct buf *out, const struct face *faces, int count, bool explain);
void json_person(struct buf *out, const struct person *person);
/* Without the brace at the end. `undo_ms`: for how long a merge can be undone. */
void json_merge(struct buf *out, const struct person_merge *m, int64_t undo_ms);
/* A time in RFC 3339, or null when 0. */
void json_time(struct buf *out, int64_t wall_ms);
/* The name of a word (enum face_word), or NULL. */
const char *json_word_name(int kind);
/* Who said a word and when, with its kind. */
void json_word(struct buf *out, const struct word *word);
/* explain.c: an object with the decision rule, its numbers and a sentence. */
void json_decision(struct buf *out, const struct face *face);
/* Sends the buffer as application/json and empties it. */
void reply_json(struct http_request *request, int status, struct buf *out);

#endif
