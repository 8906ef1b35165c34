/* People over HTTP. A change of people or photos is answered when it is committed and the gallery has read it. Stored
 * faces that it gives or takes a name follow in the background (actors/gallery/pass.h). */
#include "actors/people/people.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/people/people_internal.h"

#include <stdlib.h>
#include <string.h>

void people_ask_gallery(struct actor *self, struct call *call, actor_reply_fn then)
{
    const struct people_config *config = actor_config(self);

    people_ask_gallery_read(self, config->gallery, config->call_ms, then, call);
}

struct store_id *people_id_message(uint32_t type, int64_t id)
{
    struct store_id *m = STORE_MESSAGE(type, store_id);

    m->id = id;
    return m;
}

static void people_ask_by_id(struct actor *self, struct http_request *request, uint32_t type, actor_reply_fn then)
{
    const struct people_config *config = actor_config(self);
    struct call *call;
    int64_t id;

    if (!part_number(request, 0, &id))
        return;
    call = call_new(self, request, 0);
    call->id = id;
    actor_ask(self, "store", &people_id_message(type, id)->m.head, config->store_ms, then, call);
}

/* --- list and get --- */

static void people_on_people(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        buf_str(&out, "{\"people\":[");
        for (int i = 0; i < r->person_count; i++) {
            buf_str(&out, i ? "," : "");
            json_person(&out, &r->people[i]);
        }
        json_next(&out, r->next);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void people_list_people(struct actor *self, struct http_request *request)
{
    const struct people_config *config = actor_config(self);
    struct store_list *m;
    int64_t after;
    int limit;

    if (!query_page(request, config->page_limit, &limit, &after))
        return;
    m = STORE_MESSAGE(STORE_PEOPLE, store_list);
    m->after = after;
    m->limit = limit;
    actor_ask(self, "store", &m->m.head, config->store_ms, people_on_people, call_new(self, request, 0));
}

/* What was said of the person, from the kind `first` to `last`. */
static void people_write_words(struct buf *out, const struct store_reply *r, const char *key, int first, int last)
{
    const char *separator = "";

    buf_printf(out, "%s:[", key);
    for (int i = 0; i < r->word_count; i++)
        if (r->words[i].kind >= first && r->words[i].kind <= last) {
            buf_str(out, separator);
            json_word(out, &r->words[i]);
            separator = ",";
        }
    buf_str(out, "]");
}

static void people_on_person(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        buf_printf(&out, "{\"id\":%lld,\"name\":", (long long)r->people->id);
        buf_json(&out, r->people->name);
        buf_str(&out, ",\"photos\":[");
        for (int i = 0; i < r->photo_count; i++) {
            buf_printf(&out, "%s{\"id\":%lld,\"name\":", i ? "," : "", (long long)r->photos[i].id);
            buf_json(&out, r->photos[i].name);
            buf_str(&out, ",\"created_at\":");
            json_time(&out, r->photos[i].created_ms);
            buf_str(&out, "}");
        }
        buf_str(&out, "]");
        people_write_words(&out, r, ",\"faces\"", WORD_NAMED, WORD_NAMED);
        people_write_words(&out, r, ",\"not\"", WORD_NOT, WORD_NAME_OFF);
        buf_str(&out, "}");
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

/* --- create and rename --- */

static void people_on_named(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    (void)status;
    (void)reply;
    buf_printf(&out, "{\"id\":%lld,\"name\":", (long long)call->id);
    buf_json(&out, call->name);
    buf_str(&out, "}");
    reply_json(call->request, call->changed ? 201 : 200, &out);
    call_free(call);
}

static void people_on_person_changed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    if (call->op == OP_PERSON_ADD) {
        call->id = r->id;
        call->changed = r->changed;
    }
    if (r->changed)
        audit(call->request, call->op == OP_PERSON_ADD ? "person added" : "person renamed", call->id, "photo", 0,
              call->name);
    people_ask_gallery(self, call, people_on_named);
}

static bool people_read_name(struct http_request *request, char **name)
{
    json_t *object = body_object(request);
    size_t len;
    const char *text = object ? body_text(request, object, "name", NAME_MAX_BYTES, &len) : NULL;

    *name = text ? strdup(text) : NULL;
    json_decref(object);
    return text != NULL;
}

static void people_change_person(struct actor *self, struct http_request *request, int op)
{
    const struct people_config *config = actor_config(self);
    struct store_person *m;
    struct call *call;
    int64_t id = 0;
    char *name;

    if ((op == OP_PERSON_RENAME && !part_number(request, 0, &id)) || !people_read_name(request, &name))
        return;
    call = call_new(self, request, op);
    call->id = id;
    call->name = name;
    m = STORE_MESSAGE(op == OP_PERSON_ADD ? STORE_PERSON_ADD : STORE_PERSON_RENAME, store_person);
    m->id = id;
    m->name = arena_text(&m->m.arena, name);
    actor_ask(self, "store", &m->m.head, config->store_ms, people_on_person_changed, call);
}

/* --- delete --- */

void people_on_deletion_read(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    (void)self;
    (void)status;
    (void)reply;
    http_reply(call->request, 204, NULL, NULL, 0);
    call_free(call);
}

static void people_on_person_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct people_config *config = actor_config(self);
    struct call *call = context;

    if (reply_failed(call->request, status, reply))
        call_free(call);
    else if (((const struct store_reply *)reply)->more)
        actor_ask(self, "store", &people_id_message(STORE_PERSON_DELETE, call->id)->m.head, config->store_ms,
                  people_on_person_deleted, call);
    else {
        audit(call->request, "person deleted", call->id, "photo", 0, NULL);
        people_ask_gallery(self, call, people_on_deletion_read);
    }
}

/* --- the actor --- */

static void people_on_http(struct actor *self, struct http_request *request)
{
    switch (http_request_route(request)->op) {
    case OP_PEOPLE:
        people_list_people(self, request);
        break;
    case OP_PERSON:
        people_ask_by_id(self, request, STORE_PHOTOS, people_on_person);
        break;
    case OP_PERSON_ADD:
    case OP_PERSON_RENAME:
        people_change_person(self, request, (int)http_request_route(request)->op);
        break;
    case OP_PERSON_DELETE:
        people_ask_by_id(self, request, STORE_PERSON_DELETE, people_on_person_deleted);
        break;
    case OP_PHOTO_ADD:
        photos_add(self, request);
        break;
    case OP_PHOTO_DELETE:
        photos_delete(self, request);
        break;
    }
}

static void people_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        people_on_http(self, ((const struct msg_http *)m)->request);
    else
        photos_on_path(self, (struct path_job *)m);
}

static const uint32_t people_accepts[] = {MSG_HTTP, MSG_PEOPLE_RESOLVED, 0};

const struct actor_ops people_actor = {.name = "people", .accepts = people_accepts, .receive = people_receive};
