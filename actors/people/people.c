/* People over HTTP. What changes who is known waits for the gallery: when it is answered, the images of those who
 * were unknown already carry their names, and the answer says how many. */
#include "actors/people/people.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/people/enroller.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 255 };

static void ask_gallery(struct actor *self, struct call *call, actor_reply_fn then)
{
    const struct people_config *config = actor_config(self);

    actor_ask(self, config->gallery, msg_new(MSG_GALLERY_CHANGED, sizeof(struct msg)), config->call_ms, then, call);
}

/* How many images got a name by it; the change itself is in, whatever the gallery says. */
static int64_t resolved(int status, const struct msg *reply)
{
    return status == ACTOR_OK ? ((const struct msg_count *)reply)->count : 0;
}

/* --- reading --- */

static void on_people(struct actor *self, void *context, int status, const struct msg *reply)
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

static void list_people(struct actor *self, struct http_request *request)
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
    actor_ask(self, "store", &m->m.head, config->store_ms, on_people, call_new(self, request, 0));
}

static void on_person(struct actor *self, void *context, int status, const struct msg *reply)
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
        buf_str(&out, "]}");
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static struct store_id *id_message(uint32_t type, int64_t id)
{
    struct store_id *m = STORE_MESSAGE(type, store_id);

    m->id = id;
    return m;
}

/* --- a name --- */

static void on_named(struct actor *self, void *context, int status, const struct msg *reply)
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

static void on_person_changed(struct actor *self, void *context, int status, const struct msg *reply)
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
        audit(call->request, call->op == OP_PERSON_ADD ? "person added" : "person renamed", call->id, 0, call->name);
    ask_gallery(self, call, on_named);
}

static bool read_name(struct http_request *request, char **name)
{
    json_t *object = body_object(request);
    size_t len;
    const char *text = object ? body_text(request, object, "name", NAME_MAX_BYTES, &len) : NULL;

    *name = text ? strdup(text) : NULL;
    json_decref(object);
    return text != NULL;
}

static void change_person(struct actor *self, struct http_request *request, int op)
{
    const struct people_config *config = actor_config(self);
    struct store_person *m;
    struct call *call;
    int64_t id = 0;
    char *name;

    if ((op == OP_PERSON_RENAME && !part_number(request, 0, &id)) || !read_name(request, &name))
        return;
    call = call_new(self, request, op);
    call->id = id;
    call->name = name;
    m = STORE_MESSAGE(op == OP_PERSON_ADD ? STORE_PERSON_ADD : STORE_PERSON_RENAME, store_person);
    m->id = id;
    m->name = arena_text(&m->m.arena, name);
    actor_ask(self, "store", &m->m.head, config->store_ms, on_person_changed, call);
}

/* --- forgetting --- */

static void on_forgotten(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    (void)self;
    (void)status;
    (void)reply;
    http_reply(call->request, 204, NULL, NULL, 0);
    call_free(call);
}

static void on_person_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct people_config *config = actor_config(self);
    struct call *call = context;

    if (reply_failed(call->request, status, reply))
        call_free(call);
    else if (((const struct store_reply *)reply)->more)
        actor_ask(self, "store", &id_message(STORE_PERSON_DELETE, call->id)->m.head, config->store_ms,
                  on_person_deleted, call);
    else {
        audit(call->request, "person deleted", call->id, 0, NULL);
        ask_gallery(self, call, on_forgotten);
    }
}

static void on_photo_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    audit(call->request, "photo deleted", ((const struct store_reply *)reply)->id, call->id, NULL);
    ask_gallery(self, call, on_forgotten);
}

static void ask_by_id(struct actor *self, struct http_request *request, uint32_t type, int part, actor_reply_fn then)
{
    const struct people_config *config = actor_config(self);
    struct call *call;
    int64_t id;

    if (!part_number(request, part, &id))
        return;
    call = call_new(self, request, 0);
    call->id = id;
    actor_ask(self, "store", &id_message(type, id)->m.head, config->store_ms, then, call);
}

/* --- photos --- */

static void on_photo_known(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    buf_printf(&out, "{\"id\":%lld,\"person\":%lld,\"resolved\":%lld}", (long long)call->photo, (long long)call->id,
               (long long)resolved(status, reply));
    reply_json(call->request, 201, &out);
    call_free(call);
}

static void on_enrolled(struct actor *self, void *context, int status, const struct msg *reply)
{
    static const struct {
        int http;
        const char *slug;
    } table[] = {[ENROLLED_NO_FACE] = {422, "no-face"},
                 [ENROLLED_FACES] = {422, "several-faces"},
                 [ENROLLED_REFUSED] = {422, "bad-image"},
                 [ENROLLED_LATER] = {503, "recognizer-unavailable"},
                 [ENROLLED_NO_PERSON] = {404, "not-found"}};
    const struct msg_enrolled *m = (const struct msg_enrolled *)reply;
    struct call *call = context;

    if (status != ACTOR_OK) {
        http_problem(call->request, 503, "busy", "Enrolling is %s.", actor_status_name(status));
    } else if (m->status != ENROLLED_OK) {
        http_problem(call->request, table[m->status].http, table[m->status].slug, "%s", m->reason);
    } else {
        call->id = m->person;
        call->photo = m->photo;
        audit(call->request, "photo added", m->person, m->photo, NULL);
        ask_gallery(self, call, on_photo_known);
        return;
    }
    call_free(call);
}

/* Bytes as the body, with ?name= for their name; or {"path": …}. */
static struct msg_enrol *read_photo(struct actor *self, struct http_request *request, int64_t person)
{
    const struct people_config *config = actor_config(self);
    char name[HTTP_QUERY_MAX] = "", path[PATH_MAX];
    const char *text, *slash;
    struct error error;
    json_t *object;
    size_t len;

    if (http_request_query(request, "name", name, sizeof name) && strlen(name) > NAME_MAX_BYTES) {
        http_problem(request, 400, "too-long", "“name” is longer than %d bytes.", NAME_MAX_BYTES);
        return NULL;
    }
    if (body_is_image(request)) {
        const char *body = http_request_body(request, &len);

        if (body && len)
            return msg_enrol_new(NULL, person, name[0] ? name : "upload", NULL, body, len);
        http_problem(request, 400, "no-body", "The request has no body.");
        return NULL;
    }
    if (!(object = body_object(request)))
        return NULL;
    text = body_text(request, object, "path", config->max_path, &len);
    if (text && path_normalize(config->roots, text, len, config->max_path, path, sizeof path, &error) < 0) {
        http_problem(request, 400, "bad-path", "%s", error.text);
        text = NULL;
    }
    json_decref(object);
    slash = text ? strrchr(path, '/') : NULL;
    return text ? msg_enrol_new(NULL, person, name[0] ? name : slash + 1, path, NULL, 0) : NULL;
}

static void add_photo(struct actor *self, struct http_request *request)
{
    const struct people_config *config = actor_config(self);
    struct msg_enrol *m;
    int64_t person;

    if (!part_number(request, 0, &person) || !(m = read_photo(self, request, person)))
        return;
    m->urgent = true;
    actor_ask(self, "enroller", &m->head, config->call_ms, on_enrolled, call_new(self, request, OP_PHOTO_ADD));
}

/* --- the actor --- */

static void people_receive(struct actor *self, const struct msg *m)
{
    struct http_request *request = ((const struct msg_http *)m)->request;

    switch (http_request_route(request)->op) {
    case OP_PEOPLE:
        list_people(self, request);
        break;
    case OP_PERSON:
        ask_by_id(self, request, STORE_PHOTOS, 0, on_person);
        break;
    case OP_PERSON_ADD:
    case OP_PERSON_RENAME:
        change_person(self, request, (int)http_request_route(request)->op);
        break;
    case OP_PERSON_DELETE:
        ask_by_id(self, request, STORE_PERSON_DELETE, 0, on_person_deleted);
        break;
    case OP_PHOTO_ADD:
        add_photo(self, request);
        break;
    case OP_PHOTO_DELETE:
        ask_by_id(self, request, STORE_PHOTO_DELETE, 1, on_photo_deleted);
        break;
    }
}

static const uint32_t people_accepts[] = {MSG_HTTP, 0};

const struct actor_ops people_actor = {.name = "people", .accepts = people_accepts, .receive = people_receive};
