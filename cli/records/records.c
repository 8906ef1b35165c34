#include "cli/records/records.h"

#include "core/actor/driver_uv.h"
#include "core/base/must.h"
#include "core/store/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MSG_RECORDS_ASK = 0x7000 };

struct records {
    uv_loop_t loop;
    struct driver_uv *driver;
    struct store *store;
    struct spool spool; /* only its name is used */
    const struct msg *answer;
    uint64_t timeout_ms;
    int status;
};

struct msg_records_ask {
    struct msg head;
    struct msg *m;
};

static void records_on_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct records *r = context;

    (void)self;
    r->status = status;
    r->answer = status == ACTOR_OK ? msg_ref(reply) : NULL;
    uv_stop(&r->loop);
}

static void records_receive(struct actor *self, const struct msg *m)
{
    struct records *r = (struct records *)(uintptr_t)actor_config(self);

    actor_ask(self, "store", ((const struct msg_records_ask *)m)->m, r->timeout_ms, records_on_reply, r);
}

static const uint32_t records_accepts[] = {MSG_RECORDS_ASK, 0};

static const struct actor_ops records_actor = {.name = "asker", .accepts = records_accepts, .receive = records_receive};

struct records *records_open(const struct settings *settings)
{
    struct records *r = calloc(1, sizeof *r);
    struct store_options options = {.folder = settings->data,
                                    .database = settings->database,
                                    .password = settings->database_password,
                                    .ca = settings->database_ca,
                                    .node = "command",
                                    .timeout_ms = settings->database_timeout,
                                    .queue_limit = settings->queue_limit,
                                    .relaxed = strcmp(settings->durability, "relaxed") == 0,
                                    .without_lock = true};
    struct actor_system_options nothing = {0};
    struct error error;

    if (!r)
        out_of_memory();
    r->timeout_ms = (uint64_t)settings->database_timeout + 5000;
    options.spool = r->spool.folder;
    if (!(r->store = store_open(&options, &error)) ||
        spool_find_folder(&r->spool, settings->spool, settings->data, &error) < 0) {
        store_close(r->store);
        cli_refuse("%s", error.text);
        free(r);
        return NULL;
    }
    uv_loop_init(&r->loop);
    r->driver = driver_uv_new(&r->loop, &nothing);
    store_attach(r->store, driver_uv_system(r->driver));
    actor_spawn(driver_uv_system(r->driver), &(struct actor_spec){.name = "asker", .ops = &records_actor, .config = r});
    return r;
}

const struct store_reply *records_ask(struct records *r, struct msg *m)
{
    return records_ask_for(r, m, STORE_OK);
}

const struct store_reply *records_ask_for(struct records *r, struct msg *m, int allowed)
{
    struct msg_records_ask *q = (struct msg_records_ask *)msg_new(MSG_RECORDS_ASK, sizeof *q);
    const struct store_reply *reply;

    msg_unref(r->answer);
    r->answer = NULL;
    q->m = m;
    actor_system_tell(driver_uv_system(r->driver), "asker", &q->head);
    driver_uv_kick(r->driver);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    if (!r->answer) {
        fprintf(stderr, "kith: no answer from the database: %s\n", actor_status_name(r->status));
        return NULL;
    }
    reply = (const struct store_reply *)r->answer;
    if (reply->status != STORE_OK && reply->status != allowed) {
        fprintf(stderr, "kith: %s\n", reply->error);
        return NULL;
    }
    return reply;
}

void records_close(struct records *r)
{
    if (!r)
        return;
    msg_unref(r->answer);
    store_detach(r->store);
    driver_uv_free(r->driver);
    while (uv_run(&r->loop, UV_RUN_NOWAIT))
        ;
    store_close(r->store);
    uv_loop_close(&r->loop);
    free(r);
}
