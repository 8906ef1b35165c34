#include "actors/access/audit.h"

#include "actors/api/json_records.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "core/base/must.h"

#include <stdlib.h>
#include <utlist.h>

enum { TIMER_AGAIN = 1, AGAIN_MS = 1000 };

static struct metric lost = {.name = "kith_audit_lost_total",
                             .help = "Changes that are in the log and not in the audit trail."};

struct audit_row {
    struct audit_row *next;
    const struct msg_audit *m; /* referenced */
};

struct audit {
    struct audit_row *waiting; /* the store could not take them; the oldest first */
    int count;                 /* rows that wait or are under way */
};

static void audit_free_row(struct audit *a, struct audit_row *row)
{
    msg_unref(&row->m->head);
    free(row);
    a->count--;
}

/* --- storing --- */

static void audit_on_stored(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct audit *a = actor_state(self);
    struct audit_row *row = context;

    if (status == ACTOR_GONE || (status == ACTOR_OK && r->status == STORE_OK)) { /* gone: this actor stops */
        audit_free_row(a, row);
    } else if (status == ACTOR_OK && r->permanent) {
        log_event(LOG_ERROR, "audit not stored", LOG_STR("action", row->m->action), LOG_STR("reason", r->error));
        metric_add(&lost, 1);
        audit_free_row(a, row);
    } else {
        LL_APPEND(a->waiting, row);
        actor_after(self, AGAIN_MS, TIMER_AGAIN);
    }
}

static void audit_store(struct actor *self, struct audit_row *row)
{
    const struct audit_config *config = actor_config(self);
    struct store_audit *m = STORE_MESSAGE(STORE_AUDIT_ADD, store_audit);

    m->entry = (struct audit_entry){.at_ms = row->m->at_ms,
                                    .person = row->m->person,
                                    .image = row->m->image,
                                    .face = row->m->face,
                                    .who = arena_text(&m->m.arena, row->m->who),
                                    .action = arena_text(&m->m.arena, row->m->action),
                                    .detail = row->m->detail[0] ? arena_text(&m->m.arena, row->m->detail) : NULL};
    actor_ask(self, "store", &m->m.head, config->store_ms, audit_on_stored, row);
}

static void audit_on_told(struct actor *self, const struct msg_audit *m)
{
    const struct audit_config *config = actor_config(self);
    struct audit *a = actor_state(self);
    struct audit_row *row;

    if (a->count >= config->backlog) {
        log_event(LOG_ERROR, "audit not stored", LOG_STR("action", m->action),
                  LOG_STR("reason", "KITH_AUDIT_BACKLOG rows wait for the database"));
        metric_add(&lost, 1);
        return;
    }
    row = calloc(1, sizeof *row);
    if (!row)
        out_of_memory();
    msg_ref(&m->head);
    row->m = m;
    a->count++;
    audit_store(self, row);
}

/* --- listing --- */

static void audit_write_id(struct buf *out, const char *name, int64_t id)
{
    if (id)
        buf_printf(out, ",\"%s\":%lld", name, (long long)id);
    else
        buf_printf(out, ",\"%s\":null", name);
}

static void audit_write(struct buf *out, const struct audit_entry *e)
{
    buf_printf(out, "{\"id\":%lld,\"at\":", (long long)e->id);
    json_time(out, e->at_ms);
    buf_str(out, ",\"who\":");
    buf_json(out, e->who);
    buf_str(out, ",\"action\":");
    buf_json(out, e->action);
    buf_str(out, ",\"person\":");
    if (e->person) {
        buf_printf(out, "{\"id\":%lld,\"name\":", (long long)e->person);
        buf_json(out, e->person_name);
        buf_str(out, "}");
    } else {
        buf_str(out, "null");
    }
    audit_write_id(out, "image", e->image);
    audit_write_id(out, "face", e->face);
    buf_str(out, ",\"detail\":");
    buf_json(out, e->detail);
    buf_str(out, "}");
}

static void audit_on_list(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        buf_str(&out, "{\"audit\":[");
        for (int i = 0; i < r->audit_count; i++) {
            buf_str(&out, i ? "," : "");
            audit_write(&out, &r->audit[i]);
        }
        json_next(&out, r->next);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void audit_on_http(struct actor *self, struct http_request *request)
{
    const struct audit_config *config = actor_config(self);
    char who[HTTP_QUERY_MAX], action[HTTP_QUERY_MAX];
    int64_t after, person = 0, image = 0, since = 0, until = 0;
    struct store_audit_list *m;
    int limit;

    if (!query_page(request, config->page_limit, &limit, &after) ||
        !query_number(request, "person", 1, INT64_MAX, &person) ||
        !query_number(request, "image", 1, INT64_MAX, &image) ||
        !query_number(request, "since_ms", 0, INT64_MAX, &since) ||
        !query_number(request, "until_ms", 1, INT64_MAX, &until) || !query_text(request, "who", 255, who) ||
        !query_text(request, "action", 64, action))
        return;
    m = STORE_MESSAGE(STORE_AUDIT, store_audit_list);
    m->person = person;
    m->image = image;
    m->since_ms = since;
    m->until_ms = until;
    m->after = after;
    m->limit = limit;
    m->who = who[0] ? arena_text(&m->m.arena, who) : NULL;
    m->action = action[0] ? arena_text(&m->m.arena, action) : NULL;
    actor_ask(self, "store", &m->m.head, config->read_ms, audit_on_list, call_new(self, request, 0));
}

/* --- the actor --- */

static int audit_start(struct actor *self)
{
    (void)self;
    metric_register(&lost);
    return 0;
}

static void audit_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        audit_on_http(self, ((const struct msg_http *)m)->request);
    else
        audit_on_told(self, (const struct msg_audit *)m);
}

static void audit_timer(struct actor *self, uint32_t timer)
{
    struct audit *a = actor_state(self);
    struct audit_row *row, *next, *waiting = a->waiting;

    (void)timer;
    a->waiting = NULL;
    LL_FOREACH_SAFE(waiting, row, next)
    {
        row->next = NULL;
        audit_store(self, row);
    }
}

/* Rows under way are stored by the store, which stops later, and freed with the end of their asks. */
static void audit_stop(struct actor *self)
{
    struct audit *a = actor_state(self);
    struct audit_row *row, *next;

    LL_FOREACH_SAFE(a->waiting, row, next)
    {
        log_event(LOG_ERROR, "audit not stored", LOG_STR("action", row->m->action),
                  LOG_STR("reason", "kith stops and the database is away"));
        metric_add(&lost, 1);
        audit_free_row(a, row);
    }
}

static const uint32_t audit_accepts[] = {MSG_HTTP, MSG_AUDIT, 0};

const struct actor_ops audit_actor = {.name = "audit",
                                      .state_size = sizeof(struct audit),
                                      .start = audit_start,
                                      .accepts = audit_accepts,
                                      .receive = audit_receive,
                                      .timer = audit_timer,
                                      .stop = audit_stop};
