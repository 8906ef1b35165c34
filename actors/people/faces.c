/* Faces over HTTP: what people say about them. A change is answered when it is committed and the gallery has read it.
 * Other faces that it gives or takes a name follow in the background (actors/gallery/pass.h).
 *
 *   faces.c           names a face; the answers
 *   face_words.c      other words about a face, and taking words back
 *   drawn_faces.c     a face that was missed
 *   unknown_people.c  all faces of an unknown person
 */
#include "actors/people/faces.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/people/faces_internal.h"
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
    if (call->op == OP_NAME_FACE || call->op == OP_NAME_UNKNOWN_PERSON) {
        buf_str(&out, ",\"name\":");
        buf_json(&out, call->name);
    }
    if (call->op == OP_NAME_UNKNOWN_PERSON || call->op == OP_IGNORE_UNKNOWN_PERSON ||
        call->op == OP_UNIGNORE_UNKNOWN_PERSON)
        buf_printf(&out, ",\"faces\":%lld", (long long)call->changed);
    buf_printf(&out, ",\"changed\":%lld,\"deciding\":%lld}", (long long)call->changed, (long long)call->deciding);
    reply_json(call->request, call->op == OP_DRAW_FACE && call->changed ? 201 : 200, &out);
    call_free(call);
}

bool faces_add_answer(struct call *call, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return false;
    }
    call->changed += r->changed;
    call->deciding += r->deciding;
    return true;
}

void faces_ask_gallery(struct actor *self, struct call *call)
{
    const struct faces_config *config = actor_config(self);

    people_ask_gallery_read(self, config->gallery, config->call_ms, faces_on_read, call);
}

bool faces_read_name(struct http_request *request, json_t *object, struct arena *arena, bool required,
                     struct face_name *name)
{
    json_t *person = json_object_get(object, "person"), *template = json_object_get(object, "template");
    const char *text;
    size_t len;

    *name = (struct face_name){.no_template = json_is_false(template)};
    if (template && !json_is_boolean(template)) {
        http_problem(request, 400, "wrong-type", "“template” must be true or false.");
        return false;
    }
    if (!person && !required && !json_object_get(object, "name"))
        return true;
    name->given = true;
    if (json_is_integer(person) && json_integer_value(person) > 0) {
        name->person = json_integer_value(person);
        return true;
    }
    if (person) {
        http_problem(request, 400, "wrong-type", "“person” must be the id of a person.");
        return false;
    }
    text = body_text(request, object, "name", NAME_MAX_BYTES, &len);
    name->name = text ? arena_text(arena, text) : NULL;
    return text != NULL;
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

    if (!faces_add_answer(call, status, reply))
        return;
    call->id = r->id;
    faces_copy_name(call, &r->images[0]);
    audit(call->request, "face named", r->id, "image", r->images[0].id, call->name);
    faces_ask_gallery(self, call);
}

static void faces_name(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_name_face *m;
    struct face_name name;
    json_t *object;
    int64_t face;
    bool good;

    if (!part_number(request, 0, &face) || !(object = body_object(request)))
        return;
    m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);
    good = faces_read_name(request, object, &m->m.arena, true, &name);
    json_decref(object);
    if (!good) {
        msg_unref(&m->m.head);
        return;
    }
    m->face = face;
    m->person = name.person;
    m->person_name = name.name;
    m->no_template = name.no_template;
    m->said_by = request_said_by(request, &m->m.arena);
    actor_ask(self, "store", &m->m.head, config->store_ms, faces_on_named, call_new(self, request, OP_NAME_FACE));
}

/* --- the actor --- */

static void faces_receive(struct actor *self, const struct msg *m)
{
    struct http_request *request = ((const struct msg_http *)m)->request;
    int op = (int)http_request_route(request)->op;

    switch (op) {
    case OP_NAME_FACE:
        faces_name(self, request);
        break;
    case OP_UNKNOWN_PEOPLE:
        unknown_people_list(self, request);
        break;
    case OP_NAME_UNKNOWN_PERSON:
        unknown_people_name(self, request);
        break;
    case OP_IGNORE_UNKNOWN_PERSON:
    case OP_UNIGNORE_UNKNOWN_PERSON:
        unknown_people_ignore(self, request, op == OP_UNIGNORE_UNKNOWN_PERSON);
        break;
    case OP_DRAW_FACE:
        drawn_faces_add(self, request);
        break;
    default:
        face_words_say(self, request, op);
    }
}

static const uint32_t faces_accepts[] = {MSG_HTTP, 0};

const struct actor_ops faces_actor = {.name = "faces", .accepts = faces_accepts, .receive = faces_receive};
