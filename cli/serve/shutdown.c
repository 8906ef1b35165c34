/* The order of shutdown, and the signals that begin it.
 *
 *   SIGTERM ─▶ processor claims nothing new and finishes what is in flight ──┐
 *           ─▶ server accepts no connection and finishes the open requests ──┴─▶ both done, or KITH_SHUTDOWN_GRACE over
 */
#include "cli/serve/service.h"

#include "cli/serve/notify.h"
#include "core/base/log/log.h"
#include "core/match/policy.h"

#include <signal.h>

enum { LOG_STOP_MS = 1000 };

/* --- the actor "serve" --- */

struct shutdown {
    bool begun, processor_stopped, http_stopped;
};

static struct service *shutdown_service(struct actor *self)
{
    return (struct service *)(uintptr_t)actor_config(self);
}

static void shutdown_stop_if_done(struct actor *self)
{
    struct shutdown *c = actor_state(self);

    if (c->processor_stopped && c->http_stopped)
        uv_stop(&shutdown_service(self)->loop);
}

static void shutdown_on_processor_stopped(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    (void)status; /* a timeout: images in flight are claimed again when their leases expire */
    (void)reply;
    ((struct shutdown *)actor_state(self))->processor_stopped = true;
    shutdown_stop_if_done(self);
}

static void shutdown_on_http_stopped(void *context)
{
    struct service *v = context;

    v->http_stopped = true;
    actor_post(v->system, actor_find(v->system, "serve"), msg_new(MSG_SERVE_HTTP_STOPPED, sizeof(struct msg)));
}

static void shutdown_receive(struct actor *self, const struct msg *m)
{
    struct service *v = shutdown_service(self);
    struct shutdown *c = actor_state(self);

    if (m->type == MSG_SERVE_HTTP_STOPPED) {
        c->http_stopped = true;
        shutdown_stop_if_done(self);
    } else if (c->begun) { /* the second signal: stop now */
        uv_stop(&v->loop);
    } else {
        c->begun = true;
        log_event(LOG_INFO, "stopping", LOG_INT("grace_ms", v->s->shutdown_grace));
        notify_manager("STOPPING=1");
        actor_tell_control(self, "cluster", msg_new(MSG_STOPPING, sizeof(struct msg)));
        actor_ask(self, "processor", msg_new(MSG_STOPPING, sizeof(struct msg)), (uint64_t)v->s->shutdown_grace,
                  shutdown_on_processor_stopped, NULL);
        http_server_stop(v->server, shutdown_on_http_stopped, v);
    }
}

static const uint32_t shutdown_accepts[] = {MSG_SERVE_STOP, MSG_SERVE_HTTP_STOPPED, 0};

const struct actor_ops serve_actor = {
    .name = "serve", .state_size = sizeof(struct shutdown), .accepts = shutdown_accepts, .receive = shutdown_receive};

/* --- signals --- */

static void shutdown_on_signal(uv_signal_t *handle, int number)
{
    struct service *v = handle->data;

    (void)number;
    actor_post(v->system, actor_find(v->system, "serve"), msg_new(MSG_SERVE_STOP, sizeof(struct msg)));
}

/* SIGHUP: reads the certificate again. A wrong one leaves the old one in use. */
static void shutdown_on_hangup(uv_signal_t *handle, int number)
{
    struct service *v = handle->data;
    struct error error;

    (void)number;
    if (!v->s->tls_cert[0])
        return;
    if (http_server_tls(v->server, v->s->tls_cert, v->s->tls_key, &error) < 0)
        log_event(LOG_ERROR, "certificate not reloaded", LOG_STR("reason", error.text));
    else
        log_event(LOG_INFO, "certificate reloaded", LOG_STR("file", v->s->tls_cert));
}

void shutdown_watch_signals(struct service *v)
{
    static const int stop_signals[] = {SIGTERM, SIGINT};

    for (int i = 0; i < 2; i++) {
        uv_signal_init(&v->loop, &v->signals[i]);
        v->signals[i].data = v;
        uv_signal_start(&v->signals[i], shutdown_on_signal, stop_signals[i]);
    }
    uv_signal_init(&v->loop, &v->hangup);
    v->hangup.data = v;
    uv_signal_start(&v->hangup, shutdown_on_hangup, SIGHUP);
}

void shutdown_ignore_signals(struct service *v)
{
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&v->signals[i], NULL);
    uv_close((uv_handle_t *)&v->hangup, NULL);
}

/* --- closing --- */

static void shutdown_on_http_closed(void *context)
{
    ((struct service *)context)->http_stopped = true;
}

/* Requests and event streams end while the actors that they post to exist. After SIGTERM this has happened already;
 * when kith gives up, connections are open and new ones are accepted until here. */
static void shutdown_close_http(struct service *v)
{
    if (!v->server || v->http_stopped)
        return;
    http_server_stop_now(v->server, shutdown_on_http_closed, v);
    while (!v->http_stopped && uv_run(&v->loop, UV_RUN_ONCE))
        ;
}

/* The HTTP library's context is not freed: libh2o has no complete way to do it, and the process ends here. */
void shutdown_close(struct service *v)
{
    shutdown_close_http(v);
    bus_link_close(&v->bus_link); /* before the actors that get its messages */
    offload_free(v->files);
    offload_free(v->search);
    if (v->store)
        store_detach(v->store);
    driver_uv_free(v->driver);
    for (int i = 0; i < 200 && uv_run(&v->loop, UV_RUN_NOWAIT); i++)
        ; /* the handles of workers and timers close */
    store_close(v->store);
    decider_free(v->decider);
    path_roots_free(v->roots);
    api_keys_free(v->auth.keys);
    http_trust_free(v->trust);
    if (v->served) /* the last line */
        log_event(LOG_INFO, "stopped", LOG_INT("code", v->code));
    log_stop(LOG_STOP_MS);
}
