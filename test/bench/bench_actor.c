/* What the actor runtime costs: hops and ask round trips on one thread, printed as JSON for run.py.
 *
 *   bench_actor [SECONDS]
 *
 * hops       a ring of eight actors passes 64 messages round: each hop is a tell, a mailbox and a call of a behaviour
 * fresh      the same with a message allocated and freed for every hop
 * ask        one actor asks another and asks again when the answer is there: one at a time, with a deadline each
 */
#include "core/actor/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RING = 8, IN_FLIGHT = 64, MSG_BALL = 1, MSG_FRESH, MSG_QUESTION, MSG_ANSWER, MSG_START };

static uint64_t rounds;

static uint64_t now_ns(void *context)
{
    struct timespec t;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t coarse_ns(void *context)
{
    struct timespec t;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct player {
    struct actor *next;
};

static int player_start(struct actor *self)
{
    struct player *player = actor_state(self);

    player->next = actor_find(actor_system_of(self), (const char *)actor_config(self));
    return player->next ? 0 : -1;
}

static void player_receive(struct actor *self, const struct msg *m)
{
    struct player *player = actor_state(self);

    rounds++;
    actor_tell_to(self, player->next, m->type == MSG_FRESH ? msg_new(MSG_FRESH, sizeof(struct msg) + 64) : msg_ref(m));
}

static const struct actor_ops player_ops = {
    .name = "player", .state_size = sizeof(struct player), .start = player_start, .receive = player_receive};

static void answerer_receive(struct actor *self, const struct msg *m)
{
    (void)m;
    actor_reply(self, msg_new(MSG_ANSWER, sizeof(struct msg)));
}

static const struct actor_ops answerer_ops = {.name = "answerer", .receive = answerer_receive};

static void on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)reply;
    if (status == ACTOR_GONE) /* the end of the measurement */
        return;
    if (status != ACTOR_OK)
        abort();
    rounds++;
    actor_ask_to(self, context, msg_new(MSG_QUESTION, sizeof(struct msg)), 1000, on_answer, context);
}

static void asker_receive(struct actor *self, const struct msg *m)
{
    struct actor *answerer = actor_find(actor_system_of(self), "answerer");

    (void)m;
    actor_ask_to(self, answerer, msg_new(MSG_QUESTION, sizeof(struct msg)), 1000, on_answer, answerer);
}

static const struct actor_ops asker_ops = {.name = "asker", .receive = asker_receive};

static const char *const names[RING + 1] = {"0", "1", "2", "3", "4", "5", "6", "7", "0"};

static double rate(const char *to, uint32_t type, int count, double seconds)
{
    struct actor_system_options options = {.now_ns = now_ns, .coarse_ns = coarse_ns, .slow_callback_ms = 100};
    struct actor_system *system = actor_system_new(&options);
    uint64_t begun, ended, until;

    for (int i = 0; i < RING; i++)
        actor_spawn(system, &(struct actor_spec){.name = names[i], .ops = &player_ops, .config = names[i + 1]});
    actor_spawn(system, &(struct actor_spec){.name = "answerer", .ops = &answerer_ops});
    actor_spawn(system, &(struct actor_spec){.name = "asker", .ops = &asker_ops});
    actor_system_turn(system);
    for (int i = 0; i < count; i++)
        actor_system_tell(system, to, msg_new(type, sizeof(struct msg) + 64));
    rounds = 0;
    begun = now_ns(NULL);
    until = begun + (uint64_t)(seconds * 1e9);
    do
        actor_system_turn(system);
    while ((ended = now_ns(NULL)) < until);
    actor_system_free(system);
    return (double)rounds * 1e9 / (double)(ended - begun);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    double hops = rate("0", MSG_BALL, IN_FLIGHT, seconds);
    double fresh = rate("0", MSG_FRESH, IN_FLIGHT, seconds);
    double asks = rate("asker", MSG_START, 1, seconds);

    printf("{\"hops_per_s\": %.0f, \"fresh_hops_per_s\": %.0f, \"ask_ns\": %.0f}\n", hops, fresh, 1e9 / asks);
    return 0;
}
