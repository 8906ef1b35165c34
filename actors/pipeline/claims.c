#include "actors/pipeline/claims.h"

#include "actors/pipeline/processor_internal.h"
#include "core/base/log/log.h"

#include <string.h>

static uint32_t claims_capacity(const struct processor *p)
{
    return processor_may_claim(p) && p->claims.window > p->jobs.count ? p->claims.window - p->jobs.count : 0;
}

void claims_tell_capacity(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    int64_t capacity = claims_capacity(p);
    struct msg_count *m;

    if (!config->work_queue || capacity == p->claims.told_capacity)
        return;
    p->claims.told_capacity = capacity;
    m = (struct msg_count *)msg_new(MSG_CAPACITY_LEFT, sizeof *m);
    m->count = capacity;
    actor_tell_control(self, "work_queue", &m->head);
}

/* Answers the first `count` held items: the table knows them, or a poll will find them. */
static void claims_answer_items(struct actor *self, uint32_t count)
{
    struct processor *p = actor_state(self);
    struct claims *c = &p->claims;

    for (uint32_t i = 0; i < count; i++)
        actor_answer(self, c->items[i].token, msg_new(MSG_WORK_ITEM, sizeof(struct msg_work_item)));
    c->item_count -= count;
    memmove(c->items, c->items + count, c->item_count * sizeof c->items[0]);
}

static void claims_on_claimed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct processor *p = actor_state(self);
    struct claims *c = &p->claims;

    (void)context;
    c->asked = false;
    claims_answer_items(self, c->asked_items);
    c->asked_items = 0;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        log_event(LOG_WARN, "cannot claim",
                  LOG_STR("reason", status == ACTOR_OK ? r->error : actor_status_name(status)));
        return; /* the poll tries again */
    }
    c->rows_may_be_due |= r->more;
    for (int i = 0; i < r->image_count; i++)
        jobs_start(self, &r->images[i]);
    claims_try(self);
}

/* Puts held items into the claim, as many as it may take. */
static void claims_add_items(struct claims *c, struct store_claim *m)
{
    int64_t *ids = arena_alloc(&m->m.arena, c->item_count * sizeof *ids);

    for (; m->id_count < m->max && (uint32_t)m->id_count < c->item_count; m->id_count++)
        ids[m->id_count] = c->items[m->id_count].id;
    m->ids = ids;
    c->asked_items = (uint32_t)m->id_count;
}

void claims_try(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    struct claims *c = &p->claims;
    struct store_claim *m;

    claims_tell_capacity(self);
    if (c->asked || (!c->rows_may_be_due && !c->item_count) || claims_capacity(p) == 0)
        return;
    c->asked = true;
    m = STORE_MESSAGE(STORE_CLAIM, store_claim);
    m->max = (int)claims_capacity(p);
    if (c->item_count)
        claims_add_items(c, m);
    else
        c->rows_may_be_due = false;
    m->owner = arena_printf(&m->m.arena, "%s#%llu", config->owner, (unsigned long long)++c->number);
    m->lease_ms = (int64_t)config->lease_ms;
    actor_ask(self, "store", &m->m.head, PROCESSOR_STORE_MS, claims_on_claimed, NULL);
}

void claims_try_due(struct actor *self)
{
    struct processor *p = actor_state(self);

    p->claims.rows_may_be_due = true;
    claims_try(self);
}

void claims_on_work_item(struct actor *self, const struct msg_work_item *m)
{
    struct processor *p = actor_state(self);
    struct claims *c = &p->claims;

    c->items[c->item_count++] = (struct held_item){.id = m->id, .token = actor_defer(self)};
    claims_try(self);
    if (c->item_count && !c->asked) { /* nothing can be claimed now: the poll will find it */
        c->rows_may_be_due = true;
        claims_answer_items(self, c->item_count);
    } else if (c->item_count == JOBS_MAX) {
        c->rows_may_be_due = true;
        actor_answer(self, c->items[--c->item_count].token, msg_new(MSG_WORK_ITEM, sizeof(struct msg_work_item)));
    }
}

void claims_on_capacity(struct actor *self, const struct msg_capacity *m)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    uint32_t window = (uint32_t)m->ready * config->ahead;

    p->claims.window = window < JOBS_MAX ? window : JOBS_MAX;
    claims_try_due(self);
}
