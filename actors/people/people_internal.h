/* What the files of the actors people and faces share. Loop thread. */
#ifndef KITH_ACTORS_PEOPLE_PEOPLE_INTERNAL_H
#define KITH_ACTORS_PEOPLE_PEOPLE_INTERNAL_H

#include "actors/api/request.h"

struct path_job;

/* Bytes in the name of a photo. The column of the database has this size, so it is no setting. */
enum { NAME_MAX_BYTES = 255 };

/* Asks the gallery to read a change that is committed; `then` gets `call`. A failure of the gallery may be ignored: it
 * reads the change later. */
static inline void people_ask_gallery_read(struct actor *self, const char *gallery, uint64_t call_ms,
                                           actor_reply_fn then, struct call *call)
{
    actor_ask(self, gallery, msg_new(MSG_GALLERY_CHANGED, sizeof(struct msg)), call_ms, then, call);
}

/* people.c, for the actor people */
void people_ask_gallery(struct actor *self, struct call *call, actor_reply_fn then);
struct store_id *people_id_message(uint32_t type, int64_t id);
/* The gallery has read a deletion: answers with what it did. */
void people_on_deletion_read(struct actor *self, void *context, int status, const struct msg *reply);

/* Answers call->body with `status` 200 once the gallery has read the change. */
void people_on_change_read(struct actor *self, void *context, int status, const struct msg *reply);

/* list.c: pages of people, by id or by name. */
void people_list(struct actor *self, struct http_request *request);

/* merges.c: merge two people, undo it, list merges. */
void merges_on_http(struct actor *self, struct http_request *request);

/* photos.c: the body is the photo, or {"path": …}; ?name= names the photo. */
void photos_add(struct actor *self, struct http_request *request);
void photos_on_path(struct actor *self, struct path_job *job);
/* folder_report.c: GET /v1/people/folder */
void folder_report(struct actor *self, struct http_request *request);
void photos_delete(struct actor *self, struct http_request *request);

#endif
