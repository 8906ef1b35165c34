/* The life of a system: making it, spawning actors, freeing it, and its statistics. */
#include "core/actor/system.h"

#include "core/actor/actor_internal.h"
#include "core/base/must.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t system_clock_ns(const struct actor_system *system)
{
    return system->o.now_ns(system->o.clock_context);
}

uint64_t system_coarse_ns(const struct actor_system *system)
{
    return (system->o.coarse_ns ? system->o.coarse_ns : system->o.now_ns)(system->o.clock_context);
}

#define OR_DEFAULT(field, value) ((field) ? (field) : (value))

struct actor_system *actor_system_new(const struct actor_system_options *options)
{
    struct actor_system *system = calloc(1, sizeof *system);

    if (!system)
        out_of_memory();
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
    for (uint32_t i = 0; i < system->posted_count; i++)
        msg_unref(system->posted[i].msg);
    free(system->posted);
    asks_free(system);
    timer_heap_free(&system->heap);
    pthread_mutex_destroy(&system->post_lock);
    free(system);
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
        out_of_memory();
    actor->system = system;
    actor->name = strdup(spec->name);
    actor->ops = spec->ops;
    actor->config = spec->config;
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
    /* The start happens at the next turn, when all names are known. */
    actor->restart.due_ms = system->now_ms;
    timer_heap_add(&system->heap, &actor->restart);
    actor->restarts = UINT64_MAX; /* the first start makes it 0 */
    return actor;
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
                                    .cancelled = a->cancelled,

                                    .slow = a->slow,
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
