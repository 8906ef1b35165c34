/* The photos of people: enrol one, delete one. Part of the actor people. */
#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/path_job.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/people/enroller.h"
#include "actors/people/people.h"
#include "actors/people/people_internal.h"
#include "core/base/text.h"

#include <stdlib.h>
#include <string.h>

static void photos_on_read(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    (void)status;
    (void)reply;
    buf_printf(&out, "{\"id\":%lld,\"person\":%lld}", (long long)call->photo, (long long)call->id);
    reply_json(call->request, 201, &out);
    call_free(call);
}

/* The problem document lists the faces, so that one can be chosen (?face=). */
static void photos_refuse_faces(struct http_request *request, const struct msg_enrolled *m)
{
    struct buf out = {0};

    buf_str(&out, "{\"type\":\"urn:kith:problem:several-faces\",\"title\":\"Unprocessable Content\",\"status\":422,"
                  "\"detail\":");
    buf_json(&out, m->reason);
    buf_str(&out, ",\"faces\":");
    buf_add(&out, m->faces.data ? m->faces.data : "[]", m->faces.data ? m->faces.len : 2);
    buf_str(&out, ",\"instance\":");
    buf_json(&out, http_request_id(request));
    buf_str(&out, "}\n");
    http_reply_buf(request, 422, "application/problem+json", &out);
}

static void photos_on_enrolled(struct actor *self, void *context, int status, const struct msg *reply)
{
    static const struct {
        int http;
        const char *slug;
    } table[] = {[ENROLLED_NO_FACE] = {422, "no-face"},
                 [ENROLLED_FACES] = {422, "several-faces"},
                 [ENROLLED_REFUSED] = {422, "bad-image"},
                 [ENROLLED_TAKEN] = {409, "already-enrolled"},
                 [ENROLLED_LATER] = {503, "recognizer-unavailable"},
                 [ENROLLED_NO_PERSON] = {404, "not-found"}};
    const struct msg_enrolled *m = (const struct msg_enrolled *)reply;
    struct call *call = context;

    if (status != ACTOR_OK) {
        http_problem(call->request, 503, "busy", "Enrolling is %s.", actor_status_name(status));
    } else if (m->status == ENROLLED_FACES) {
        photos_refuse_faces(call->request, m);
    } else if (m->status != ENROLLED_OK) {
        http_problem(call->request, table[m->status].http, table[m->status].slug, "%s", m->reason);
    } else {
        call->id = m->person;
        call->photo = m->photo;
        audit(call->request, "photo added", m->person, "photo", m->photo, NULL);
        people_ask_gallery(self, call, photos_on_read);
        return;
    }
    call_free(call);
}

/* More than any setting of KITH_MAX_FACES. */
enum { PHOTO_FACES = 1 << 20 };

/* Takes `m` and `call`. call->changed: the number of the chosen face plus one; 0: none was chosen. */
static void photos_enrol(struct actor *self, struct msg_enrol *m, struct call *call)
{
    const struct people_config *config = actor_config(self);

    m->urgent = true;
    m->face = (int)call->changed - 1;
    actor_ask(self, "enroller", &m->head, config->call_ms, photos_on_enrolled, call);
}

/* call->id: the person; call->name: the photo's name, NULL: the file's. */
void photos_on_path(struct actor *self, struct path_job *job)
{
    struct call *call = job->call;
    const char *path;

    if (path_job_left(job))
        return;
    if (job->status < 0) {
        const struct path_refusal refusal = path_job_refusal(job);

        http_problem(call->request, refusal.http == 503 ? 503 : 400, refusal.http == 503 ? refusal.slug : "bad-path",
                     "%s", job->error.text);
        return;
    }
    path = job->paths[0].text;
    job->call = NULL;
    photos_enrol(self, msg_enrol_new(NULL, call->id, call->name ? call->name : strrchr(path, '/') + 1, path, NULL, 0),
                 call);
}

static void photos_add_path(struct actor *self, struct call *call)
{
    const struct people_config *config = actor_config(self);
    json_t *object = body_object(call->request);
    struct path_job *job;
    size_t len;
    const char *text = object ? body_text(call->request, object, "path", config->max_path, &len) : NULL;

    if (text) {
        job = path_job_new(MSG_PEOPLE_RESOLVED, config->roots, config->max_path, call);
        path_job_add(job, text, len);
        path_job_start(self, config->files, job, photos_on_path);
    } else {
        call_free(call);
    }
    json_decref(object);
}

/* ?name=, "" when it is absent. A name is stored as it is or refused, never repaired. False: answered. */
static bool photos_query_name(struct http_request *request, char name[static HTTP_QUERY_MAX])
{
    if (!query_text(request, "name", NAME_MAX_BYTES, name))
        return false;
    if (text_is_utf8(name))
        return true;
    http_problem(request, 400, "wrong-value", "“name” is not UTF-8.");
    return false;
}

/* The body is the photo, or {"path": …}. ?name= names the photo, ?face= chooses one of its faces. */
void photos_add(struct actor *self, struct http_request *request)
{
    char name[HTTP_QUERY_MAX];
    const char *body;
    struct call *call;
    int64_t person, face = -1;
    size_t len;

    if (!part_number(request, 0, &person) || !photos_query_name(request, name) ||
        !query_number(request, "face", 0, PHOTO_FACES - 1, &face))
        return;
    call = call_new(self, request, OP_PHOTO_ADD);
    call->changed = face + 1;
    call->id = person;
    call->name = name[0] ? strdup(name) : NULL;
    if (!body_is_image(request)) {
        photos_add_path(self, call);
    } else if ((body = http_request_body(request, &len)) && len) {
        photos_enrol(self, msg_enrol_new(NULL, person, name[0] ? name : "upload", NULL, body, len), call);
    } else {
        http_problem(request, 400, "no-body", "The request has no body.");
        call_free(call);
    }
}

static void photos_on_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    call->deleted = ((const struct store_reply *)reply)->deleted;
    audit(call->request, "photo deleted", ((const struct store_reply *)reply)->id, "photo", call->id, NULL);
    people_ask_gallery(self, call, people_on_deletion_read);
}

void photos_delete(struct actor *self, struct http_request *request)
{
    const struct people_config *config = actor_config(self);
    struct store_id *m;
    struct call *call;
    int64_t person, photo;

    if (!part_number(request, 0, &person) || !part_number(request, 1, &photo))
        return;
    call = call_new(self, request, 0);
    call->id = photo;
    m = people_id_message(STORE_PHOTO_DELETE, photo);
    m->person = person;
    actor_ask(self, "store", &m->m.head, config->store_ms, photos_on_deleted, call);
}
