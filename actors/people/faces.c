/* Faces over HTTP: name a face, deny a name, list and name unknown people. A change is answered when it is committed
 * and the gallery has read it. Other faces that it gives or takes a name follow in the background
 * (actors/gallery/pass.h).
 */
#include "actors/people/faces.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/messages.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 255 };

static void ask_gallery(struct actor *self, struct call *call, actor_reply_fn then)
{
    const struct faces_config *config = actor_config(self);

    actor_ask(self, config->gallery, msg_new(MSG_GALLERY_CHANGED, sizeof(struct msg)), config->call_ms, then, call);
}

/* A failure of the gallery is ignored: the change is committed, and the gallery reads it later. */
static void on_looked_again(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    (void)status;
    (void)reply;
    buf_printf(&out, "{\"id\":%lld", (long long)call->id);
    if (call->op != OP_DENY_FACE) {
        buf_str(&out, ",\"name\":");
        buf_json(&out, call->name);
    }
    if (call->op == OP_NAME_UNKNOWN_PERSON)
        buf_printf(&out, ",\"faces\":%lld", (long long)call->changed);
    buf_str(&out, "}");
    reply_json(call->request, 200, &out);
    call_free(call);
}

/* --- naming --- */

static void keep_name(struct call *call, const struct image *image)
{
    free(call->name);
    call->name = NULL;
    for (int i = 0; i < image->face_count && !call->name; i++)
        if (image->faces[i].person == call->id && image->faces[i].person_name)
            call->name = strdup(image->faces[i].person_name);
}

static void on_face_named(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    call->id = r->id;
    keep_name(call, &r->images[0]);
    audit(call->request, "face named", r->id, "image", r->images[0].id, call->name);
    ask_gallery(self, call, on_looked_again);
}

/* {"name": …} or {"person": id}; "template": false gives the name alone. NULL: it was answered. */
static struct store_name_face *read_name(struct http_request *request, uint32_t type)
{
    struct store_name_face *m;
    json_t *object, *person, *template;
    const char *name = NULL;
    int64_t id;
    size_t len;

    if (!part_number(request, 0, &id) || !(object = body_object(request)))
        return NULL;
    m = STORE_MESSAGE(type, store_name_face);
    m->face = id;
    person = json_object_get(object, "person");
    template = json_object_get(object, "template");
    if (template && !json_is_boolean(template))
        http_problem(request, 400, "wrong-type", "“template” must be true or false.");
    else if (json_is_integer(person) && json_integer_value(person) > 0)
        m->person = json_integer_value(person);
    else if (person)
        http_problem(request, 400, "wrong-type", "“person” must be the id of a person.");
    else if ((name = body_text(request, object, "name", NAME_MAX_BYTES, &len)))
        m->person_name = arena_text(&m->m.arena, name);
    m->no_template = json_is_false(template);
    json_decref(object);
    if (m->person || m->person_name)
        return m;
    msg_unref(&m->m.head);
    return NULL;
}

static void name_face(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_name_face *m = read_name(request, STORE_NAME_FACE);

    if (m)
        actor_ask(self, "store", &m->m.head, config->store_ms, on_face_named, call_new(self, request, OP_NAME_FACE));
}

/* --- denying --- */

static void on_denied(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    audit(call->request, "face denied", r->id, "image", r->images[0].id, NULL);
    ask_gallery(self, call, on_looked_again);
}

static void deny_face(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_name_face *m;
    int64_t face, person;
    struct call *call;

    if (!part_number(request, 0, &face) || !part_number(request, 1, &person))
        return;
    m = STORE_MESSAGE(STORE_DENY_FACE, store_name_face);
    m->face = face;
    m->person = person;
    call = call_new(self, request, OP_DENY_FACE);
    call->id = face;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_denied, call);
}

/* --- unknown people --- */

static void on_unknown_people(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        buf_str(&out, "{\"unknown_people\":[");
        for (int i = 0; i < r->unknown_person_count; i++)
            buf_printf(&out, "%s{\"id\":%lld,\"faces\":%lld,\"face\":%lld,\"image\":%lld}", i ? "," : "",
                       (long long)r->unknown_people[i].id, (long long)r->unknown_people[i].faces,
                       (long long)r->unknown_people[i].face, (long long)r->unknown_people[i].image);
        json_next(&out, r->next);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void list_unknown_people(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_list *m;
    int64_t after;
    int limit;

    if (!query_page(request, config->page_limit, &limit, &after))
        return;
    m = STORE_MESSAGE(STORE_UNKNOWN_PEOPLE, store_list);
    m->after = after;
    m->limit = limit;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_unknown_people,
              call_new(self, request, OP_UNKNOWN_PEOPLE));
}

static int64_t unknown_person_of(const struct call *call)
{
    return strtoll(http_request_part(call->request, 0), NULL, 10);
}

/* A batch of faces; the rest follows under the person's id, its templates are there by then. */
static void on_unknown_person_named(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct faces_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct store_name_face *m;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    call->id = r->id;
    call->changed += r->changed;
    if (r->more) {
        m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);
        m->face = unknown_person_of(call);
        m->person = r->id;
        m->no_template = true;
        actor_ask(self, "store", &m->m.head, config->store_ms, on_unknown_person_named, call);
        return;
    }
    audit(call->request, "unknown person named", r->id, "unknown_person", unknown_person_of(call), call->name);
    ask_gallery(self, call, on_looked_again);
}

static void name_unknown_person(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_name_face *m = read_name(request, STORE_NAME_UNKNOWN_PERSON);
    struct call *call;

    if (!m)
        return;
    call = call_new(self, request, OP_NAME_UNKNOWN_PERSON);
    call->name = m->person_name ? strdup(m->person_name) : NULL;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_unknown_person_named, call);
}

/* --- the actor --- */

static void faces_receive(struct actor *self, const struct msg *m)
{
    struct http_request *request = ((const struct msg_http *)m)->request;

    switch (http_request_route(request)->op) {
    case OP_NAME_FACE:
        name_face(self, request);
        break;
    case OP_DENY_FACE:
        deny_face(self, request);
        break;
    case OP_UNKNOWN_PEOPLE:
        list_unknown_people(self, request);
        break;
    case OP_NAME_UNKNOWN_PERSON:
        name_unknown_person(self, request);
        break;
    }
}

static const uint32_t faces_accepts[] = {MSG_HTTP, 0};

const struct actor_ops faces_actor = {.name = "faces", .accepts = faces_accepts, .receive = faces_receive};
