#include "core/actor/system.h"

#include "core/actor/actor_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One actor's share before the next one's turn: long enough to keep its code in the cache, short enough to be fair. */
enum { BATCH = 64 };

uint64_t system_clock_ns(const struct actor_system *system)
{
    return system->o.now_ns(system->o.clock_context);
}

#define OR_DEFAULT(field, value) ((field) ? (field) : (value))

struct actor_system *actor_system_new(const struct actor_system_options *options)
{
    struct actor_system *system = calloc(1, sizeof *system);

    if (!system)
        abort();
    assert(options->now_ns);
    system->o = *options;
    system->o.max_failures = OR_DEFAULT(options->max_failures, 5);
    assert(system->o.max_failures < FAILURES_REMEMBERED);
    system->o.failure_window_ms = OR_DEFAULT(options->failure_window_ms, 30000);
    system->o.backoff_min_ms = OR_DEFAULT(options->backoff_min_ms, 100);
    system->o.backoff_max_ms = OR_DEFAULT(options->backoff_max_ms, 5000);
    system->o.max_asks = OR_DEFAULT(options->max_asks, 262144);
    system->o.turn_messages = OR_DEFAULT(options->turn_messages, 4096);
    system->o.turn_ns = OR_DEFAULT(options->turn_ns, 2000000);
    system->now_ms = system_clock_ns(system) / 1000000;
    system->root.name = strdup("root");
    pthread_mutex_init(&system->post_lock, NULL);
    return system;
}

static void actor_destroy(struct actor *actor)
{
    HASH_DELETE(hh, actor->system->by_name, actor);
    mailbox_free(&actor->box);
    free(actor->name);
    free(actor);
}

void actor_system_free(struct actor_system *system)
{
    struct actor *prev;

    if (!system)
        return;
    system->finished = true;
    for (struct actor *a = system->spawn_last; a; a = a->spawn_prev) {
        supervise_stop(a);
        a->run = RUN_STOPPED;
    }
    for (struct actor *a = system->spawn_last; a; a = prev) {
        prev = a->spawn_prev;
        actor_destroy(a);
    }
    while (system->groups) {
        struct actor_group *group = system->groups;

        system->groups = group->next;
        free(group->name);
        free(group);
    }
    for (uint32_t i = 0; i < system->posted_count; i++)
        msg_unref(system->posted[i].msg);
    free(system->posted);
    free(system->root.name);
    asks_free(system);
    timer_heap_free(&system->heap);
    pthread_mutex_destroy(&system->post_lock);
    free(system);
}

struct actor_group *actor_group_new(struct actor_system *system, const char *name, struct actor_group *parent,
                                    enum actor_strategy strategy)
{
    struct actor_group *group = calloc(1, sizeof *group);

    if (!group)
        abort();
    group->name = strdup(name);
    group->parent = parent;
    group->strategy = strategy;
    group->next = system->groups;
    system->groups = group;
    return group;
}

struct actor *actor_find(struct actor_system *system, const char *name)
{
    struct actor *actor;

    HASH_FIND_STR(system->by_name, name, actor);
    return actor;
}

struct actor *actor_spawn(struct actor_system *system, const struct actor_spec *spec)
{
    struct actor *actor;

    if (actor_find(system, spec->name))
        return NULL;
    actor = calloc(1, sizeof *actor);
    if (!actor)
        abort();
    actor->system = system;
    actor->name = strdup(spec->name);
    actor->ops = spec->ops;
    actor->config = spec->config;
    actor->group = spec->group ? spec->group : &system->root;
    actor->restart.kind = NODE_RESTART;
    mailbox_init(&actor->box, OR_DEFAULT(spec->mailbox_max, 1024), OR_DEFAULT(spec->mailbox_max_bytes, 16u << 20),
                 CONTROL_ROOM);
    HASH_ADD_KEYPTR(hh, system->by_name, actor->name, strlen(actor->name), actor);
    actor->spawn_prev = system->spawn_last;
    if (system->spawn_last)
        system->spawn_last->spawn_next = actor;
    else
        system->spawn_first = actor;
    system->spawn_last = actor;
    /* Starting is work like any other: it happens at the next turn, so that all names are known by then. */
    actor->restart.due_ms = system->now_ms;
    timer_heap_add(&system->heap, &actor->restart);
    actor->restarts = UINT64_MAX; /* the first start is none */
    return actor;
}

void system_make_ready(struct actor *actor)
{
    struct actor_system *system = actor->system;

    if (actor->queued)
        return;
    actor->queued = true;
    actor->ready_next = NULL;
    if (system->ready_last)
        system->ready_last->ready_next = actor;
    else
        system->ready_first = actor;
    system->ready_last = actor;
}

/* Leaves the message to the caller unless it returns ACTOR_OK. */
int system_deliver(struct actor *to, const struct envelope *e)
{
    if (to->run == RUN_STOPPED)
        return ACTOR_GONE;
    if (!mailbox_push(&to->box, e)) {
        to->refused++;
        return ACTOR_FULL;
    }
    if (to->run == RUN_RUNNING)
        system_make_ready(to);
    return ACTOR_OK;
}

static int tell(struct actor *sender, struct actor *to, struct msg *m, enum mail_lane lane)
{
    struct envelope e = {.sender = sender, .lane = (uint32_t)lane};
    int status;

    if (to)
        m = system_pass(to->system, m);
    e.msg = m;
    status = to ? system_deliver(to, &e) : ACTOR_GONE;

    if (status != ACTOR_OK)
        msg_unref(m);
    return status;
}

int actor_tell(struct actor *self, const char *to, struct msg *m)
{
    if (system_is_remote(to))
        return system_send(self, to, m, 0, 0);
    return tell(self, actor_find(self->system, to), m, MAIL_NORMAL);
}

int actor_tell_control(struct actor *self, const char *to, struct msg *m)
{
    if (system_is_remote(to))
        return system_send(self, to, m, 0, 0);
    return tell(self, actor_find(self->system, to), m, MAIL_CONTROL);
}

int actor_tell_to(struct actor *self, struct actor *to, struct msg *m)
{
    return tell(self, to, m, MAIL_NORMAL);
}

int actor_system_tell(struct actor_system *system, const char *to, struct msg *m)
{
    return tell(NULL, actor_find(system, to), m, MAIL_NORMAL);
}

void actor_post(struct actor_system *system, struct actor *to, struct msg *m)
{
    bool first;

    pthread_mutex_lock(&system->post_lock);
    if (system->posted_count == system->posted_capacity) {
        uint32_t capacity = system->posted_capacity ? system->posted_capacity * 2 : 64;
        struct posted *posted = realloc(system->posted, capacity * sizeof *posted);

        if (!posted)
            abort();
        system->posted = posted;
        system->posted_capacity = capacity;
    }
    first = system->posted_count == 0;
    system->posted[system->posted_count++] = (struct posted){to, m};
    pthread_mutex_unlock(&system->post_lock);
    if (first && system->o.wake)
        system->o.wake(system->o.wake_context);
}

static void take_posted(struct actor_system *system)
{
    struct posted *posted;
    uint32_t count;

    pthread_mutex_lock(&system->post_lock);
    posted = system->posted;
    count = system->posted_count;
    system->posted = NULL;
    system->posted_count = system->posted_capacity = 0;
    pthread_mutex_unlock(&system->post_lock);
    for (uint32_t i = 0; i < count; i++) {
        /* Not a reply to an ask of the runtime, but as awaited as one: it must not be refused. */
        struct envelope e = {.msg = posted[i].msg, .lane = MAIL_REPLY};

        if (system_deliver(posted[i].to, &e) != ACTOR_OK)
            msg_unref(posted[i].msg);
    }
    free(posted);
}

static bool system_accepts(const struct actor_ops *ops, uint32_t type)
{
    if (!ops->accepts && !ops->accepts_last)
        return true;
    for (const uint32_t *t = ops->accepts; t && *t; t++)
        if (*t == type)
            return true;
    return type >= ops->accepts_first && type <= ops->accepts_last;
}

/* A message whose type the receiver does not know would be cast to the wrong struct. */
static void system_refuse(struct actor *actor, const struct envelope *e)
{
    actor->misrouted++;
#ifdef KITH_DEBUG
    fprintf(stderr, "actor %s: misrouted message of type 0x%x\n", actor->name, e->msg->type);
    abort();
#endif
    if (e->ask_id)
        actor_answer_error(actor, e->ask_id, ACTOR_REFUSED);
}

static void handle(struct actor *actor, struct envelope *e)
{
    actor->handled++;
    if (e->lane == MAIL_REPLY && e->ask_id) {
        ask_finish_reply(actor, e);
    } else if (!system_accepts(actor->ops, e->msg->type)) {
        system_refuse(actor, e);
    } else {
        struct ask *ask = ask_find(actor->system, e->ask_id);

        if (ask)
            ask->received = true;
        if (ask || e->ask_id == 0) { /* an ask whose deadline has passed is not worth the work */
            actor->current_ask = e->ask_id;
            actor->ops->receive(actor, e->msg);
            actor->current_ask = 0;
        }
    }
    msg_unref(e->msg);
}

static uint32_t drain(struct actor *actor)
{
    struct envelope e;
    uint32_t n = 0;

    while (n < BATCH && actor->run == RUN_RUNNING && !actor->system->finished && mailbox_pop(&actor->box, &e)) {
        handle(actor, &e);
        n++;
        if (actor->failing)
            supervise_failed(actor);
    }
    return n;
}

static void timer_due(struct actor_timer *timer)
{
    struct actor *owner = timer->owner;
    uint32_t id = timer->id;

    actor_cancel(owner, id);
    if (owner->ops->timer)
        owner->ops->timer(owner, id);
    if (owner->failing)
        supervise_failed(owner);
}

static void run_due(struct actor_system *system)
{
    struct timer_node *node;

    while (!system->finished && (node = timer_heap_first(&system->heap)) && node->due_ms <= system->now_ms) {
        timer_heap_remove(&system->heap, node);
        switch (node->kind) {
        case NODE_ASK: {
            struct actor *asker = ((struct ask *)node)->asker;

            ask_due((struct ask *)node);
            if (asker->failing)
                supervise_failed(asker);
            break;
        }
        case NODE_TIMER:
            timer_due((struct actor_timer *)node);
            break;
        default: {
            struct actor *actor = (struct actor *)((char *)node - offsetof(struct actor, restart));

            supervise_restart_due(actor);
        }
        }
    }
}

bool actor_system_turn(struct actor_system *system)
{
    uint64_t start_ns = system_clock_ns(system), last_ns = start_ns;
    uint32_t messages = 0;

    system->now_ms = start_ns / 1000000;
    take_posted(system);
    run_due(system);
    while (system->ready_first && !system->finished && messages < system->o.turn_messages &&
           last_ns - start_ns < system->o.turn_ns) {
        struct actor *actor = system->ready_first;
        uint64_t now_ns;

        system->ready_first = actor->ready_next;
        if (!system->ready_first)
            system->ready_last = NULL;
        actor->queued = false;
        messages += drain(actor);
        if (actor->box.count && actor->run == RUN_RUNNING)
            system_make_ready(actor);
        now_ns = system_clock_ns(system);
        actor->handling_ns += now_ns - last_ns;
        last_ns = now_ns;
    }
    if (system->o.after_turn)
        system->o.after_turn(system->o.event_context);
    return system->ready_first != NULL && !system->finished;
}

uint64_t actor_system_next_due_ms(const struct actor_system *system)
{
    const struct timer_node *node = timer_heap_first(&system->heap);

    return node && !system->finished ? node->due_ms : UINT64_MAX;
}

void actor_system_each(const struct actor_system *system, void (*each)(void *context, const struct actor_stats *stats),
                       void *context)
{
    for (const struct actor *a = system->spawn_first; a; a = a->spawn_next) {
        struct actor_stats stats = {.name = a->name,
                                    .depth = a->box.count,
                                    .depth_bytes = a->box.bytes,
                                    .handled = a->handled,
                                    .refused = a->refused,
                                    .misrouted = a->misrouted,
                                    .restarts = a->restarts == UINT64_MAX ? 0 : a->restarts,
                                    .handling_ns = a->handling_ns,
                                    .running = a->run == RUN_RUNNING};

        each(context, &stats);
    }
}

uint32_t actor_system_asks(const struct actor_system *system)
{
    return system->ask_count;
}
