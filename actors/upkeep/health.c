#include "actors/upkeep/health.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/actor/system.h"
#include "core/base/disk.h"
#include "core/base/metrics.h"
#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>

struct health {
    struct msg_capacity capacity; /* as last reported */
    struct msg_breaker breaker;
    struct disk_space disk;
    bool silent;                    /* the database did not answer in ANSWER_MS; a probe is under way */
    uint64_t written_ms;            /* end of the last test of a write; 0: none yet */
    bool writing;                   /* one is under way */
    bool unwritable;                /* it failed */
    char why[256];                  /* so: the store's words */
    struct msg_templates templates; /* as last told; people 0: not told yet */
    uint32_t copies;                /* peers on another database with the id of ours */
};

enum { TIMER_DISK = 1, DISK_MS = 2000 };
enum {
    ANSWER_MS = 700, /* /readyz and /metrics answer within a second, whatever the database does: a write … */
    BOTH_MS = 900,   /* … and then a read */
    WRITE_MS = 1000, /* a test of a write is repeated after this time at the earliest */
    PROBE_MS = 60000
};

struct health_wait {   /* for the test of a write */
    struct call *call; /* owned */
    uint64_t begun_ms;
};

struct disk_job {
    struct msg head;
    const struct health_config *config;
    struct disk_space space;
};

/* --- statistics and readiness --- */

static void health_write_stats(struct health *h, struct buf *out, const struct store_reply *r)
{
    for (int i = 0; i < IMAGE_STATUSES; i++)
        buf_printf(out, "%s\"%s\":%lld", i ? "," : "{", image_status_name(i), (long long)r->counts.by_status[i]);
    buf_printf(out,
               ",\"unknown\":%lld,\"no_face\":%lld,\"review\":%lld,\"workers\":%d,\"workers_ready\":%d,\"recognizer\":",
               (long long)r->counts.unknown, (long long)r->counts.no_face, (long long)r->counts.review,
               h->capacity.workers, h->capacity.ready);
    buf_json(out, h->capacity.recognizer);
    buf_printf(out, ",\"breaker\":{\"state\":\"%s\",\"wait_ms\":%llu,\"reason\":", breaker_state_name(h->breaker.state),
               (unsigned long long)h->breaker.wait_ms);
    buf_json(out, h->breaker.reason[0] ? h->breaker.reason : NULL);
    buf_str(out, "}}");
}

/* With an open breaker a receiver still accepts images, which wait; a node that only recognises is not ready. A remote
 * recogniser that does not answer is like a plug-in that cannot be loaded. */
static bool health_breaker_blocks(struct actor *self)
{
    const struct health_config *config = actor_config(self);
    struct health *h = actor_state(self);

    return config->recognizes && (config->remote || !config->receives) && h->breaker.state != BREAKER_CLOSED;
}

static void health_write_breaker(struct buf *out, const struct msg_breaker *breaker)
{
    char text[REASON_BYTES + 64];

    snprintf(text, sizeof text, "the recogniser's breaker is %s: %s",
             breaker->state == BREAKER_OPEN ? "open" : "waiting for a health check",
             breaker->reason[0] ? breaker->reason : "its state is not known yet");
    buf_json(out, text);
}

static bool health_disk_low(struct actor *self)
{
    const struct health_config *config = actor_config(self);
    struct health *h = actor_state(self);

    return config->receives && config->disk_reserve && h->disk.free < h->disk.reserve;
}

static void health_write_unwritable(struct buf *out, const char *why)
{
    char text[300];

    snprintf(text, sizeof text, "a test write to the database (KITH_DATABASE) fails: %s", why);
    buf_json(out, text);
}

static void health_write_not_ready(struct actor *self, struct buf *out, int status, const struct msg *reply)
{
    const struct health_config *config = actor_config(self);
    struct health *h = actor_state(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    const char *separator = "";

    buf_str(out, "{\"ready\":false,\"reasons\":[");
    if (status != ACTOR_OK || r->status != STORE_OK) {
        buf_json(out, status == ACTOR_OK ? r->error : "the database (KITH_DATABASE) does not answer");
        separator = ",";
    }
    if (h->unwritable) {
        buf_str(out, separator);
        health_write_unwritable(out, h->why);
        separator = ",";
    }
    if (config->recognizes && h->capacity.ready == 0) {
        buf_str(out, separator);
        buf_json(out, h->capacity.why[0] ? h->capacity.why : "the recogniser's workers are loading their models");
        separator = ",";
    }
    if (health_breaker_blocks(self)) {
        buf_str(out, separator);
        health_write_breaker(out, &h->breaker);
        separator = ",";
    }
    if (health_disk_low(self)) {
        buf_str(out, separator);
        buf_json(out, "the disk of KITH_DATA has less than KITH_DISK_RESERVE bytes free");
        separator = ",";
    }
    if (h->copies) {
        buf_str(out, separator);
        buf_json(out,
                 "another node works on a copy of the database (KITH_DATABASE) with the same cluster id; see the log");
    }
    buf_str(out, "]}");
}

static void health_write_ready(struct actor *self, struct buf *out)
{
    const struct health_config *config = actor_config(self);
    const struct health *h = actor_state(self);
    bool open = config->recognizes && h->breaker.state != BREAKER_CLOSED;
    char text[256];

    buf_str(out, "{\"ready\":true");
    if (open || h->templates.without)
        buf_str(out, ",\"degraded\":[");
    if (open)
        buf_str(out, "\"the recogniser's breaker is open: images are queued\"");
    if (h->templates.without) {
        snprintf(text, sizeof text, "%lld of %lld people have no template of the model %s",
                 (long long)h->templates.without, (long long)h->templates.people, h->templates.model);
        buf_str(out, open ? "," : "");
        buf_json(out, text);
    }
    buf_str(out, open || h->templates.without ? "]}" : "}");
}

/* --- metrics --- */

enum actor_metric {
    METRIC_MAILBOX,
    METRIC_HANDLED,
    METRIC_REFUSED,
    METRIC_MISROUTED,
    METRIC_CANCELLED,
    METRIC_RESTARTS,
    METRIC_SLOW,
    METRIC_SECONDS
};

static const struct {
    const char *name, *kind, *help;
} actor_metrics[] = {
    [METRIC_MAILBOX] = {"kith_actor_mailbox", "gauge", "Messages in the mailbox."},
    [METRIC_HANDLED] = {"kith_actor_handled_total", "counter", "Messages handled."},
    [METRIC_REFUSED] = {"kith_actor_refused_total", "counter", "Messages refused: mailbox full."},
    [METRIC_MISROUTED] = {"kith_actor_misrouted_total", "counter",
                          "Messages refused: a type that the actor does not accept."},
    [METRIC_CANCELLED] = {"kith_actor_cancelled_total", "counter", "Messages dropped because their client had left."},
    [METRIC_RESTARTS] = {"kith_actor_restarts_total", "counter", "Restarts after a failure."},
    [METRIC_SLOW] = {"kith_slow_callbacks_total", "counter", "Callbacks that took longer than KITH_SLOW_CALLBACK."},
    [METRIC_SECONDS] = {"kith_actor_seconds_total", "counter", "Seconds spent handling messages."},
};

struct actor_metric_writer {
    struct buf *out;
    enum actor_metric metric;
};

static void health_write_actor(void *context, const struct actor_stats *s)
{
    struct actor_metric_writer *w = context;
    const long long values[] = {[METRIC_MAILBOX] = s->depth,
                                [METRIC_HANDLED] = (long long)s->handled,
                                [METRIC_REFUSED] = (long long)s->refused,
                                [METRIC_MISROUTED] = (long long)s->misrouted,
                                [METRIC_CANCELLED] = (long long)s->cancelled,
                                [METRIC_RESTARTS] = (long long)s->restarts,
                                [METRIC_SLOW] = (long long)s->slow};

    buf_printf(w->out, "%s{actor=\"%s\"} ", actor_metrics[w->metric].name, s->name);
    if (w->metric == METRIC_SECONDS)
        buf_printf(w->out, "%.6f\n", (double)s->handling_ns / 1e9);
    else
        buf_printf(w->out, "%lld\n", values[w->metric]);
}

static void health_write_head(struct buf *out, const char *name, const char *kind, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* `r`: the reply of the store, NULL when the database does not answer. */
static void health_write_metrics(struct actor *self, struct buf *out, const struct store_reply *r)
{
    const struct health_config *config = actor_config(self);
    struct health *h = actor_state(self);
    struct actor_system *system = actor_system_of(self);
    struct http_stats http = http_server_stats(config->server);
    const struct {
        const char *name, *kind, *help;
        long long value;
        bool store; /* needs the reply of the store */
    } table[] = {
        {"kith_asks", "gauge", "Asks that have not ended.", (long long)actor_system_asks(system), false},
        {"kith_http_connections", "gauge", "Open connections.", http.connections, false},
        {"kith_http_requests_active", "gauge", "Requests that are not answered yet.", http.requests, false},
        {"kith_http_streams", "gauge", "Event streams.", http.streams, false},
        {"kith_http_requests_total", "counter", "Requests handled.", (long long)http.handled, false},
        {"kith_http_refused_total", "counter", "Connections refused.", (long long)http.refused, false},
        {"kith_http_memory_bytes", "gauge", "Bytes of request bodies under way and of answers that are not sent yet.",
         (long long)http.held, false},
        {"kith_http_paused", "gauge", "Connections whose request bodies wait for memory.", http.paused, false},
        {"kith_http_cut_off_total", "counter", "Connections cut off.", (long long)http.cut_off, false},
        {"kith_disk_free_bytes", "gauge", "Free bytes on the disk of KITH_DATA; -1 when they are not known.",
         h->disk.free > INT64_MAX ? -1 : (long long)h->disk.free, false},
        {"kith_disk_reserve_bytes", "gauge", "Free bytes below which no new image is accepted.",
         (long long)h->disk.reserve, false},
        {"kith_database_reachable", "gauge", "1 while the database answers.", r != NULL, false},
        {"kith_database_writable", "gauge", "1 while a test write to the database succeeds.",
         r && h->written_ms && !h->unwritable, false},
        {"kith_images_unknown", "gauge", "Processed images with unknown faces only.",
         r ? (long long)r->counts.unknown : 0, true},
        {"kith_images_no_face", "gauge", "Processed images without a face.", r ? (long long)r->counts.no_face : 0,
         true},
        {"kith_images_review", "gauge", "Processed images with a name in doubt.", r ? (long long)r->counts.review : 0,
         true},
    };

    metrics_write(out);
    for (size_t i = 0; i < sizeof actor_metrics / sizeof actor_metrics[0]; i++) {
        health_write_head(out, actor_metrics[i].name, actor_metrics[i].kind, actor_metrics[i].help);
        actor_system_each(system, health_write_actor, &(struct actor_metric_writer){out, (enum actor_metric)i});
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].store && !r)
            continue;
        health_write_head(out, table[i].name, table[i].kind, table[i].help);
        buf_printf(out, "%s %lld\n", table[i].name, table[i].value);
    }
    if (!r)
        return;
    health_write_head(out, "kith_images", "gauge", "Images by status.");
    for (int i = 0; i < IMAGE_STATUSES; i++)
        buf_printf(out, "kith_images{status=\"%s\"} %lld\n", image_status_name(i), (long long)r->counts.by_status[i]);
}

/* --- answers --- */

/* `status` and `reply` are those of the ask of the store. Takes the call. */
static void health_answer(struct actor *self, struct call *call, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct health *h = actor_state(self);
    struct buf out = {0};
    const struct health_config *config = actor_config(self);
    bool succeeded = status == ACTOR_OK && r->status == STORE_OK;
    bool blocked = (config->recognizes && h->capacity.ready == 0) || health_breaker_blocks(self) ||
                   health_disk_low(self) || h->copies || h->unwritable;

    if (call->op == OP_METRICS) { /* also without the database: its failure must be visible */
        health_write_metrics(self, &out, succeeded ? r : NULL);
        http_reply_buf(call->request, 200, "text/plain; version=0.0.4", &out);
    } else if (call->op == OP_READYZ && (!succeeded || blocked)) {
        health_write_not_ready(self, &out, status, reply);
        reply_json(call->request, 503, &out);
    } else if (call->op == OP_READYZ) {
        health_write_ready(self, &out);
        reply_json(call->request, 200, &out);
    } else if (!reply_failed(call->request, status, reply) && r) {
        health_write_stats(h, &out, r);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

/* --- a database that does not answer --- */

static void health_ask_counts(struct actor *self, uint64_t deadline_ms, actor_reply_fn on_reply, void *context)
{
    actor_ask(self, "store", &STORE_MESSAGE(STORE_STATUS_COUNTS, store_list)->m.head, deadline_ms, on_reply, context);
}

/* Writes this node's row, which says that the node works on this database. */
static void health_ask_write(struct actor *self, uint64_t deadline_ms, actor_reply_fn on_reply, void *context)
{
    const struct health_config *config = actor_config(self);
    struct store_node *m = STORE_MESSAGE(STORE_REGISTER_NODE, store_node);

    m->node = config->node;
    m->boot = (int64_t)config->boot;
    actor_ask(self, "store", &m->m.head, deadline_ms, on_reply, context);
}

/* An error is an answer, too: the next request learns it from the store. */
static void health_on_read_probed(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct health *h = actor_state(self);

    (void)context, (void)reply;
    h->silent = status != ACTOR_OK;
    if (h->silent)
        health_ask_counts(self, PROBE_MS, health_on_read_probed, NULL);
}

static void health_note_write(struct actor *self, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct health *h = actor_state(self);

    h->written_ms = actor_now_ms(self) + 1;
    h->unwritable = r->status != STORE_OK;
    snprintf(h->why, sizeof h->why, "%s", h->unwritable ? r->error : "");
}

static void health_on_write_probed(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct health *h = actor_state(self);

    (void)context;
    h->silent = status != ACTOR_OK;
    if (h->silent)
        health_ask_write(self, PROBE_MS, health_on_write_probed, NULL);
    else
        health_note_write(self, reply);
}

/* While one probe waits, requests are answered at once: they do not add to the queue of the store. */
static void health_on_status_counts(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct health *h = actor_state(self);
    struct call *call = context;

    if (status == ACTOR_TIMEOUT && call->op != OP_STATS && !h->silent)
        health_on_read_probed(self, NULL, status, NULL);
    health_answer(self, call, status, reply);
}

static void health_on_written(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct health *h = actor_state(self);
    struct health_wait *wait = context;
    const uint64_t took_ms = actor_now_ms(self) - wait->begun_ms;

    h->writing = false;
    if (status == ACTOR_TIMEOUT && !h->silent)
        health_on_write_probed(self, NULL, status, NULL);
    if (status == ACTOR_OK) {
        health_note_write(self, reply);
        health_ask_counts(self, BOTH_MS > took_ms ? BOTH_MS - took_ms : 1, health_on_status_counts, wait->call);
    } else {
        health_answer(self, wait->call, status, NULL);
    }
    free(wait);
}

/* A database may answer reads and refuse writes: its disk is full, or the server is a replica. Requests that come while
 * one tests a write, or soon after, use its result. */
static void health_test_database(struct actor *self, struct call *call)
{
    struct health *h = actor_state(self);
    struct health_wait *wait;

    if (h->writing || (h->written_ms && actor_now_ms(self) - h->written_ms < WRITE_MS)) {
        health_ask_counts(self, ANSWER_MS, health_on_status_counts, call);
        return;
    }
    wait = malloc(sizeof *wait);
    if (!wait)
        out_of_memory();
    *wait = (struct health_wait){call, actor_now_ms(self)};
    h->writing = true;
    health_ask_write(self, ANSWER_MS, health_on_written, wait);
}

/* --- the actor --- */

static void health_on_http(struct actor *self, struct http_request *request)
{
    const struct health_config *config = actor_config(self);
    struct health *h = actor_state(self);
    int op = (int)http_request_route(request)->op;

    if (op == OP_HEALTHZ) /* the answer itself shows that the loop runs and actors handle messages */
        http_reply(request, 200, "application/json", "{\"ok\":true}\n", 12);
    else if (op != OP_STATS && h->silent)
        health_answer(self, call_new(self, request, op), ACTOR_TIMEOUT, NULL);
    else if (op == OP_STATS)
        health_ask_counts(self, config->store_ms, health_on_status_counts, call_new(self, request, op));
    else
        health_test_database(self, call_new(self, request, op));
}

static void health_read_disk(struct msg *m)
{
    struct disk_job *job = (struct disk_job *)m;

    job->space = disk_read_space(job->config->folder, job->config->disk_reserve);
}

/* When the files' threads have no room for the job, the next tick tries again. */
static void health_timer(struct actor *self, uint32_t timer_id)
{
    const struct health_config *config = actor_config(self);
    struct disk_job *job = (struct disk_job *)msg_new(MSG_HEALTH_DISK, sizeof *job);

    (void)timer_id;
    job->config = config;
    offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &job->head, health_read_disk);
    actor_after(self, DISK_MS, TIMER_DISK);
}

/* After a restart, asks the other actors to send their state. */
static int health_start(struct actor *self)
{
    const struct health_config *config = actor_config(self);
    struct health *h = actor_state(self);

    h->disk.free = UINT64_MAX;
    h->breaker.state = config->remote ? BREAKER_PROBING : BREAKER_CLOSED; /* until the breaker tells it */
    health_timer(self, TIMER_DISK);
    msg_tell(self, "recognizer", MSG_SEND_STATE);
    msg_tell(self, "breaker", MSG_SEND_STATE);
    msg_tell(self, "cluster", MSG_SEND_STATE);
    return 0;
}

static void health_receive(struct actor *self, const struct msg *m)
{
    struct health *h = actor_state(self);

    switch (m->type) {
    case MSG_HTTP:
        health_on_http(self, ((const struct msg_http *)m)->request);
        break;
    case MSG_HEALTH_DISK:
        h->disk = ((const struct disk_job *)m)->space;
        break;
    case MSG_CAPACITY:
        h->capacity = *(const struct msg_capacity *)m;
        break;
    case MSG_TEMPLATES:
        h->templates = *(const struct msg_templates *)m;
        break;
    case MSG_COPIES:
        h->copies = (uint32_t)((const struct msg_count *)m)->count;
        break;
    case MSG_BREAKER:
        h->breaker = *(const struct msg_breaker *)m;
        break;
    }
}

static const uint32_t health_accepts[] = {
    MSG_HTTP, MSG_HEALTH_DISK, MSG_CAPACITY, MSG_BREAKER, MSG_TEMPLATES, MSG_COPIES, 0};

const struct actor_ops health_actor = {.name = "health",
                                       .state_size = sizeof(struct health),
                                       .start = health_start,
                                       .accepts = health_accepts,
                                       .receive = health_receive,
                                       .timer = health_timer};
