/* Unknown people: list them, name one, ignore one. Part of the actor faces. */
#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/people/faces_internal.h"

#include <stdlib.h>
#include <string.h>

static void unknown_people_on_list(struct actor *self, void *context, int status, const struct msg *reply)
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

void unknown_people_list(struct actor *self, struct http_request *request)
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
    actor_ask(self, "store", &m->m.head, config->store_ms, unknown_people_on_list,
              call_new(self, request, OP_UNKNOWN_PEOPLE));
}

static int64_t unknown_people_id(const struct call *call)
{
    return strtoll(http_request_part(call->request, 0), NULL, 10);
}

/* --- name --- */

/* One batch of faces is named. The next one names the person by id and adds no templates: the first has added them. */
static void unknown_people_on_named(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct faces_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct store_name_face *m;

    if (!faces_add_answer(call, status, reply))
        return;
    call->id = r->id;
    if (r->more) {
        m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);
        m->face = unknown_people_id(call);
        m->person = r->id;
        m->next_batch = true;
        m->said_by = request_said_by(call->request, &m->m.arena);
        actor_ask(self, "store", &m->m.head, config->store_ms, unknown_people_on_named, call);
        return;
    }
    audit(call->request, "unknown person named", r->id, "unknown_person", unknown_people_id(call), call->name);
    faces_ask_gallery(self, call);
}

void unknown_people_name(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_name_face *m;
    struct face_name name;
    struct call *call;
    json_t *object;
    int64_t id;
    bool good;

    if (!part_number(request, 0, &id) || !(object = body_object(request)))
        return;
    m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);
    good = faces_read_name(request, object, &m->m.arena, true, &name);
    json_decref(object);
    if (!good) {
        msg_unref(&m->m.head);
        return;
    }
    m->face = id;
    m->person = name.person;
    m->person_name = name.name;
    m->no_template = name.no_template;
    m->said_by = request_said_by(request, &m->m.arena);
    call = call_new(self, request, OP_NAME_UNKNOWN_PERSON);
    call->name = name.name ? strdup(name.name) : NULL;
    actor_ask(self, "store", &m->m.head, config->store_ms, unknown_people_on_named, call);
}

/* --- ignore --- */

static void unknown_people_on_ignored(struct actor *self, void *context, int status, const struct msg *reply);

static void unknown_people_ask_ignore(struct actor *self, struct call *call, bool next_batch)
{
    const struct faces_config *config = actor_config(self);
    struct store_word *m = STORE_MESSAGE(STORE_IGNORE_UNKNOWN_PERSON, store_word);

    m->kind = WORD_IGNORED;
    m->take_back = call->op == OP_UNIGNORE_UNKNOWN_PERSON;
    m->face = call->id;
    m->next_batch = next_batch;
    m->said_by = request_said_by(call->request, &m->m.arena);
    actor_ask(self, "store", &m->m.head, config->store_ms, unknown_people_on_ignored, call);
}

static void unknown_people_on_ignored(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (!faces_add_answer(call, status, reply))
        return;
    if (r->more) {
        unknown_people_ask_ignore(self, call, true);
        return;
    }
    audit(call->request,
          call->op == OP_IGNORE_UNKNOWN_PERSON ? "unknown person ignored" : "unknown person ignored no more", 0,
          "unknown_person", call->id, NULL);
    faces_ask_gallery(self, call);
}

void unknown_people_ignore(struct actor *self, struct http_request *request, bool take_back)
{
    struct call *call;
    int64_t id;

    if (!part_number(request, 0, &id))
        return;
    call = call_new(self, request, take_back ? OP_UNIGNORE_UNKNOWN_PERSON : OP_IGNORE_UNKNOWN_PERSON);
    call->id = id;
    unknown_people_ask_ignore(self, call, false);
}
