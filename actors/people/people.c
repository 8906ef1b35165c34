/* People over HTTP. A change of people or photos is answered when it is committed and the gallery has read it. Stored
 * faces that it gives or takes a name follow in the background (actors/gallery/pass.h). */
#include "actors/people/people.h"

#include "actors/api/deleted.h"
#include "actors/api/json_records.h"
#include "actors/api/ops.h"
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

/* --- get --- */

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
        buf_printf(&out, ",\"portrait\":\"/v1/people/%lld/portrait\",\"notes\":%s,\"photos\":[",
                   (long long)r->people->id, r->people->notes ? r->people->notes : "null");
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

/* --- create and change --- */

void people_on_change_read(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    (void)self;
    (void)status;
    (void)reply;
    reply_json(call->request, call->op == OP_PERSON_ADD && call->changed ? 201 : 200, &call->body);
    call_free(call);
}

/* The answer is the person as it is stored. */
static void people_on_person_changed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    const struct person *person;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    person = r->people;
    call->changed = r->changed;
    buf_printf(&call->body, "{\"id\":%lld,\"name\":", (long long)person->id);
    buf_json(&call->body, person->name);
    if (person->notes)
        buf_printf(&call->body, ",\"notes\":%s", person->notes);
    buf_str(&call->body, call->op == OP_PERSON_ADD && !r->changed ? ",\"existing\":true}" : "}");
    if (r->changed)
        audit(call->request,
              call->op == OP_PERSON_ADD ? "person added"
              : call->photo             ? "person renamed"
                                        : "person changed",
              person->id, "photo", 0, person->name);
    people_ask_gallery(self, call, people_on_change_read);
}

/* “another”: true makes or names a person also when there are others with an alike name. */
static bool people_read_another(struct http_request *request, json_t *object, struct store_person *m)
{
    json_t *another = json_object_get(object, "another");

    m->another = json_is_true(another);
    if (!another || json_is_boolean(another))
        return true;
    http_problem(request, 400, "wrong-type", "“another” must be true or false.");
    return false;
}

static bool people_read_name(struct http_request *request, json_t *object, struct store_person *m)
{
    char name[NAME_BYTES];

    if (!body_name(request, object, name))
        return false;
    m->name = arena_text(&m->m.arena, name);
    return true;
}

/* “notes”: an object, or null for none. */
static bool people_read_notes(struct http_request *request, json_t *notes, size_t max, struct store_person *m)
{
    char *text;
    size_t len;

    if (json_is_null(notes)) {
        m->notes = "";
        return true;
    }
    if (!json_is_object(notes)) {
        http_problem(request, 400, "wrong-type", "“notes” must be a JSON object or null.");
        return false;
    }
    text = json_dumps(notes, JSON_COMPACT);
    len = text ? strlen(text) : 0;
    if (len > max)
        http_problem(request, 413, "too-large", "“notes” has %zu bytes; the limit is %zu (KITH_NOTES_MAX).", len, max);
    else
        m->notes = arena_text(&m->m.arena, text ? text : "{}");
    free(text);
    return len <= max;
}

/* “portrait”: {"face": id}, {"photo": id}, or null for the default. */
static bool people_read_portrait(struct http_request *request, json_t *portrait, struct store_person *m)
{
    json_t *face = json_object_get(portrait, "face"), *photo = json_object_get(portrait, "photo");

    m->choose_portrait = true;
    m->portrait_face = json_integer_value(face);
    m->portrait_photo = json_integer_value(photo);
    if (json_is_null(portrait) || (m->portrait_face > 0 && !photo) || (m->portrait_photo > 0 && !face))
        return true;
    http_problem(request, 400, "wrong-value",
                 "“portrait” must be {\"face\": id}, {\"photo\": id} or null: a face or a photo of the person.");
    return false;
}

/* Fills in `m` from the body of a PATCH. False: answered. */
static bool people_read_changes(struct http_request *request, json_t *object, size_t notes_max, struct store_person *m)
{
    json_t *notes = json_object_get(object, "notes"), *portrait = json_object_get(object, "portrait");

    if (!notes && !portrait && !json_object_get(object, "name")) {
        http_problem(request, 400, "missing", "“name” is missing; “notes” or “portrait” may stand instead.");
        return false;
    }
    return (!json_object_get(object, "name") || people_read_name(request, object, m)) &&
           (!notes || people_read_notes(request, notes, notes_max, m)) &&
           (!portrait || people_read_portrait(request, portrait, m));
}

static void people_change_person(struct actor *self, struct http_request *request, int op)
{
    const struct people_config *config = actor_config(self);
    struct store_person *m;
    struct call *call;
    json_t *object;
    int64_t id = 0;
    bool good;

    if ((op == OP_PERSON_RENAME && !part_number(request, 0, &id)) || !(object = body_object(request)))
        return;
    m = STORE_MESSAGE(op == OP_PERSON_ADD ? STORE_PERSON_ADD : STORE_PERSON_RENAME, store_person);
    m->id = id;
    good = people_read_another(request, object, m) &&
           (op == OP_PERSON_ADD ? people_read_name(request, object, m)
                                : people_read_changes(request, object, config->notes_max, m));
    json_decref(object);
    if (!good) {
        msg_unref(&m->m.head);
        return;
    }
    call = call_new(self, request, op);
    call->photo = m->name != NULL;
    actor_ask(self, "store", &m->m.head, config->store_ms, people_on_person_changed, call);
}

/* --- delete --- */

void people_on_deletion_read(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    (void)status;
    (void)reply;
    msg_tell(self, "eraser", MSG_ERASE);
    reply_deleted(call->request, &call->deleted);
    call_free(call);
}

static void people_on_person_deleted(struct actor *self, void *context, int status, const struct msg *reply);

static void people_ask_deletion(struct actor *self, struct call *call)
{
    const struct people_config *config = actor_config(self);
    struct store_id *m = people_id_message(STORE_PERSON_DELETE, call->id);

    m->said_by = request_said_by(call->request, &m->m.arena);
    actor_ask(self, "store", &m->m.head, config->store_ms, people_on_person_deleted, call);
}

/* call->changed: the batches that are done. A janitor that took this request for dead may have done the last one. */
static void people_on_person_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    bool ended = call->changed && status == ACTOR_OK && r->status == STORE_NOT_FOUND;

    if (!ended && reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    deleted_add(&call->deleted, &r->deleted);
    call->changed++;
    if (r->more && !ended) {
        people_ask_deletion(self, call);
    } else {
        audit(call->request, "person deleted", call->id, "photo", 0, NULL);
        people_ask_gallery(self, call, people_on_deletion_read);
    }
}

static void people_delete(struct actor *self, struct http_request *request)
{
    struct call *call;
    int64_t id;

    if (!part_number(request, 0, &id))
        return;
    call = call_new(self, request, OP_PERSON_DELETE);
    call->id = id;
    people_ask_deletion(self, call);
}

/* --- the actor --- */

static void people_on_http(struct actor *self, struct http_request *request)
{
    switch (http_request_route(request)->op) {
    case OP_PEOPLE:
        people_list(self, request);
        break;
    case OP_PERSON:
        people_ask_by_id(self, request, STORE_PHOTOS, people_on_person);
        break;
    case OP_PERSON_ADD:
    case OP_PERSON_RENAME:
        people_change_person(self, request, (int)http_request_route(request)->op);
        break;
    case OP_FOLDER:
        folder_report(self, request);
        break;
    case OP_PERSON_DELETE:
        people_delete(self, request);
        break;
    case OP_PHOTO_ADD:
        photos_add(self, request);
        break;
    case OP_PHOTO_DELETE:
        photos_delete(self, request);
        break;
    default:
        merges_on_http(self, request);
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
