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
#include "actors/people/people_internal.h"

#include <stdlib.h>
#include <string.h>

/* A failure of the gallery is ignored: the change is committed, and the gallery reads it later. */
static void faces_on_read(struct actor *self, void *context, int status, const struct msg *reply)
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

static void faces_ask_gallery(struct actor *self, struct call *call)
{
    const struct faces_config *config = actor_config(self);

    people_ask_gallery_read(self, config->gallery, config->call_ms, faces_on_read, call);
}

/* --- name a face --- */

static void faces_copy_name(struct call *call, const struct image *image)
{
    free(call->name);
    call->name = NULL;
    for (int i = 0; i < image->face_count && !call->name; i++)
        if (image->faces[i].person == call->id && image->faces[i].person_name)
            call->name = strdup(image->faces[i].person_name);
}

static void faces_on_named(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    call->id = r->id;
    faces_copy_name(call, &r->images[0]);
    audit(call->request, "face named", r->id, "image", r->images[0].id, call->name);
    faces_ask_gallery(self, call);
}

/* The body: {"name": …} or {"person": id}; with "template": false the face becomes no template. NULL: answered. */
static struct store_name_face *faces_read_name(struct http_request *request, uint32_t type)
{
    struct store_name_face *m;
    json_t *object, *person, *template;
    char name[NAME_BYTES];
    int64_t id;

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
    else if (body_name(request, object, name))
        m->person_name = arena_text(&m->m.arena, name);
    m->no_template = json_is_false(template);
    json_decref(object);
    if (m->person || m->person_name)
        return m;
    msg_unref(&m->m.head);
    return NULL;
}

static void faces_name(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_name_face *m = faces_read_name(request, STORE_NAME_FACE);

    if (m)
        actor_ask(self, "store", &m->m.head, config->store_ms, faces_on_named, call_new(self, request, OP_NAME_FACE));
}

/* --- deny a name --- */

static void faces_on_denied(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    audit(call->request, "face denied", r->id, "image", r->images[0].id, NULL);
    faces_ask_gallery(self, call);
}

static void faces_deny(struct actor *self, struct http_request *request)
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
    actor_ask(self, "store", &m->m.head, config->store_ms, faces_on_denied, call);
}

/* --- unknown people --- */

static void faces_on_unknown_people(struct actor *self, void *context, int status, const struct msg *reply)
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

static void faces_list_unknown_people(struct actor *self, struct http_request *request)
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
    actor_ask(self, "store", &m->m.head, config->store_ms, faces_on_unknown_people,
              call_new(self, request, OP_UNKNOWN_PEOPLE));
}

static int64_t faces_unknown_person(const struct call *call)
{
    return strtoll(http_request_part(call->request, 0), NULL, 10);
}

/* One batch of faces is named. The next one names the person by id and adds no templates: the first has added them. */
static void faces_on_unknown_person_named(struct actor *self, void *context, int status, const struct msg *reply)
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
        m->face = faces_unknown_person(call);
        m->person = r->id;
        m->next_batch = true;
        actor_ask(self, "store", &m->m.head, config->store_ms, faces_on_unknown_person_named, call);
        return;
    }
    audit(call->request, "unknown person named", r->id, "unknown_person", faces_unknown_person(call), call->name);
    faces_ask_gallery(self, call);
}

static void faces_name_unknown_person(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_name_face *m = faces_read_name(request, STORE_NAME_UNKNOWN_PERSON);
    struct call *call;

    if (!m)
        return;
    call = call_new(self, request, OP_NAME_UNKNOWN_PERSON);
    call->name = m->person_name ? strdup(m->person_name) : NULL;
    actor_ask(self, "store", &m->m.head, config->store_ms, faces_on_unknown_person_named, call);
}

/* --- the actor --- */

static void faces_receive(struct actor *self, const struct msg *m)
{
    struct http_request *request = ((const struct msg_http *)m)->request;

    switch (http_request_route(request)->op) {
    case OP_NAME_FACE:
        faces_name(self, request);
        break;
    case OP_DENY_FACE:
        faces_deny(self, request);
        break;
    case OP_UNKNOWN_PEOPLE:
        faces_list_unknown_people(self, request);
        break;
    case OP_NAME_UNKNOWN_PERSON:
        faces_name_unknown_person(self, request);
        break;
    }
}

static const uint32_t faces_accepts[] = {MSG_HTTP, 0};

const struct actor_ops faces_actor = {.name = "faces", .accepts = faces_accepts, .receive = faces_receive};
