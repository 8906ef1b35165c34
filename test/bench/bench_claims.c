/* How fast one node claims: asks the store for claims, one after the other, until nothing is due.
 *
 *   bench_claims DATABASE PASSWORD NODE BATCH      prints {"claimed": …, "seconds": …}
 *
 * Several at once, on one database, show what claimers cost each other. */
#include "core/actor/driver_uv.h"
#include "core/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uv_loop_t loop;
static int batch;
static const char *node;
static long claimed, asked;
static double begun, ended;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ask(struct actor *self);

static void on_claimed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        fprintf(stderr, "claim: %s\n", status == ACTOR_OK ? r->error : actor_status_name(status));
        exit(1);
    }
    claimed += r->image_count;
    if (r->image_count > 0) {
        ended = now();
        ask(self);
    } else {
        uv_stop(&loop);
    }
}

static void ask(struct actor *self)
{
    struct store_claim *m = STORE_MESSAGE(STORE_CLAIM, store_claim);

    m->max = batch;
    m->owner = arena_printf(&m->m.arena, "%s:1#%ld", node, ++asked);
    m->lease_ms = 600000;
    actor_ask(self, "store", &m->m.head, 60000, on_claimed, NULL);
}

static int claimer_start(struct actor *self)
{
    begun = ended = now();
    ask(self);
    return 0;
}

static void claimer_receive(struct actor *self, const struct msg *m)
{
    (void)self;
    (void)m;
}

static const struct actor_ops claimer = {.name = "claimer", .start = claimer_start, .receive = claimer_receive};

int main(int argc, char **argv)
{
    struct actor_system_options options = {0};
    struct driver_uv *driver;
    struct store *store;
    struct error error;
    char folder[] = "/tmp/kith-bench-XXXXXX", command[64];

    if (argc != 5 || !mkdtemp(folder)) {
        fprintf(stderr, "usage: bench_claims DATABASE PASSWORD NODE BATCH\n");
        return 2;
    }
    node = argv[3];
    batch = atoi(argv[4]);
    uv_loop_init(&loop);
    driver = driver_uv_new(&loop, &options);
    store = store_open(
        &(struct store_options){
            .folder = folder, .database = argv[1], .password = argv[2], .node = node, .queue_limit = 100000000},
        &error);
    if (!store) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    store_attach(store, driver_uv_system(driver));
    actor_spawn(driver_uv_system(driver), &(struct actor_spec){.name = "claimer", .ops = &claimer});
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("{\"claimed\": %ld, \"seconds\": %.4f}\n", claimed, ended - begun);
    store_detach(store);
    driver_uv_free(driver);
    while (uv_run(&loop, UV_RUN_NOWAIT))
        ;
    store_close(store);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}
