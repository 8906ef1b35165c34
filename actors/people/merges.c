/* Merging people, undoing it, and the list of merges. Part of the actor people.
 *
 * A merge is done in batches of the store, one after the other. After a crash a janitor continues it, and so does a
 * request that is repeated.
 * The answer counts what all batches moved. One that takes longer than half of KITH_REQUEST_TIMEOUT is answered with
 * 202 before its end and goes on. */
#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/people/people.h"
#include "actors/people/people_internal.h"
#include "core/base/log/log.h"

#include <stdlib.h>
#include <string.h>

static void merges_ask(struct actor *self, struct call *call);

static void merges_write(struct actor *self, struct call *call, const struct person_merge *m)
{
    const struct people_config *config = actor_config(self);

    json_merge(&call->body, m, config->merge_undo_ms);
    buf_printf(&call->body, ",\"deciding\":%lld}", (long long)call->changed);
}

/* begun_ms 0: it is answered already. */
static void merges_answer_early(struct actor *self, struct call *call, const struct person_merge *m)
{
    const struct people_config *config = actor_config(self);

    if (call->begun_ms == 0 || actor_now_ms(self) - call->begun_ms < config->call_ms / 2)
        return;
    merges_write(self, call, m);
    reply_json(call->request, 202, &call->body);
    call->begun_ms = 0;
}

static void merges_on_read(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    if (call->begun_ms)
        people_on_change_read(self, call, status, reply);
    else
        call_free(call);
}

/* call->changed: faces that are decided again. */
static void merges_on_batch(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    const struct person_merge *m;

    if (call->begun_ms == 0 && (status != ACTOR_OK || r->status != STORE_OK)) {
        log_event(LOG_WARN, "merge cut short", LOG_INT("person", call->id),
                  LOG_STR("reason", status == ACTOR_OK ? r->error : actor_status_name(status)));
        call_free(call);
        return;
    }
    if (call->begun_ms && reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    call->changed += r->deciding;
    m = &r->merges[0];
    if (r->more) {
        merges_answer_early(self, call, m);
        merges_ask(self, call);
        return;
    }
    merges_write(self, call, m);
    if (r->changed)
        audit(call->request, call->op == OP_MERGE ? "people merged" : "merge undone", m->into, "merge", m->id, m->name);
    people_ask_gallery(self, call, merges_on_read);
}

/* call->id: the person or the merge; call->photo: the person into whom. */
static void merges_ask(struct actor *self, struct call *call)
{
    const struct people_config *config = actor_config(self);
    struct store_merge *m = STORE_MESSAGE(call->op == OP_MERGE ? STORE_MERGE : STORE_MERGE_UNDO, store_merge);

    m->person = m->merge = call->id;
    m->into = call->photo;
    m->said_by = request_said_by(call->request, &m->m.arena);
    actor_ask(self, "store", &m->m.head, config->store_ms, merges_on_batch, call);
}

/* The body: {"into": id}. */
static void merges_merge(struct actor *self, struct http_request *request)
{
    json_t *object, *into;
    struct call *call;
    int64_t id, other;

    if (!part_number(request, 0, &id) || !(object = body_object(request)))
        return;
    into = json_object_get(object, "into");
    other = json_integer_value(into);
    if (!into)
        http_problem(request, 400, "missing", "“into” is missing.");
    else if (other <= 0)
        http_problem(request, 400, "wrong-type", "“into” must be the id of a person.");
    else if (other == id)
        http_problem(request, 400, "wrong-value", "“into” is person %lld itself.", (long long)id);
    json_decref(object);
    if (other <= 0 || other == id)
        return;
    call = call_new(self, request, OP_MERGE);
    call->id = id;
    call->photo = other;
    merges_ask(self, call);
}

static void merges_undo(struct actor *self, struct http_request *request)
{
    struct call *call;
    int64_t id;

    if (!part_number(request, 0, &id))
        return;
    call = call_new(self, request, OP_MERGE_UNDO);
    call->id = id;
    merges_ask(self, call);
}

static void merges_on_list(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct people_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    if (!reply_failed(call->request, status, reply)) {
        buf_str(&out, "{\"merges\":[");
        for (int i = 0; i < r->merge_count; i++) {
            buf_str(&out, i ? "," : "");
            json_merge(&out, &r->merges[i], config->merge_undo_ms);
            buf_str(&out, "}");
        }
        json_next(&out, r->next);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void merges_list(struct actor *self, struct http_request *request)
{
    const struct people_config *config = actor_config(self);
    struct store_list *m = STORE_MESSAGE(STORE_MERGES, store_list);

    if (query_page(request, config->page_limit, &m->limit, &m->after))
        actor_ask(self, "store", &m->m.head, config->store_ms, merges_on_list, call_new(self, request, OP_MERGES));
    else
        msg_unref(&m->m.head);
}

void merges_on_http(struct actor *self, struct http_request *request)
{
    switch (http_request_route(request)->op) {
    case OP_MERGE:
        merges_merge(self, request);
        break;
    case OP_MERGE_UNDO:
        merges_undo(self, request);
        break;
    case OP_MERGES:
        merges_list(self, request);
        break;
    }
}
