/* kith serve: opens what everything stands on, spawns the cast, runs the loop, and takes it all down in order.
 *
 *   SIGTERM ─▶ nothing new is claimed, what is in flight may land ─┐
 *           ─▶ no new connection, requests under way may end ──────┴─▶ both done, or the grace is over ─▶ exit 0
 */
#include "cli/serve/serve.h"

#include "cli/serve/notify.h"
#include "cli/serve/slow.h"

#include "actors/messages.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/settings/secret.h"
#include "core/match/policy.h"
#include "plugins/host/loader.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILE_THREADS = 4, FILE_JOBS = 4096, SEARCH_JOBS = 65536, KEEP_FDS = 512, LOG_STOP_MS = 1000 };

/* --- going down --- */

struct closing { /* the actor "serve": waits for the others to come to an end */
    bool begun, landed, http_stopped;
};

static struct service *service_of(struct actor *self)
{
    return (struct service *)(uintptr_t)actor_config(self);
}

static void stop_if_done(struct actor *self)
{
    struct closing *c = actor_state(self);

    if (c->landed && c->http_stopped)
        uv_stop(&service_of(self)->loop);
}

static void on_landed(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    (void)status; /* the grace is over: what is in flight will be claimed again by the next start */
    (void)reply;
    ((struct closing *)actor_state(self))->landed = true;
    stop_if_done(self);
}

static void on_http_stopped(void *context)
{
    struct service *v = context;

    v->http_stopped = true;
    actor_post(v->system, actor_find(v->system, "serve"), msg_new(MSG_SERVE_HTTP_STOPPED, sizeof(struct msg)));
}

static void serve_receive(struct actor *self, const struct msg *m)
{
    struct service *v = service_of(self);
    struct closing *c = actor_state(self);

    if (m->type == MSG_SERVE_HTTP_STOPPED) {
        c->http_stopped = true;
        stop_if_done(self);
    } else if (c->begun) { /* asked twice: now */
        uv_stop(&v->loop);
    } else {
        c->begun = true;
        log_event(LOG_INFO, "stopping", LOG_INT("grace_ms", v->s->shutdown_grace));
        notify_manager("STOPPING=1");
        actor_tell_control(self, "cluster", msg_new(MSG_STOPPING, sizeof(struct msg)));
        actor_ask(self, "processor", msg_new(MSG_STOPPING, sizeof(struct msg)), (uint64_t)v->s->shutdown_grace,
                  on_landed, NULL);
        http_server_stop(v->server, on_http_stopped, v);
    }
}

static const uint32_t serve_accepts[] = {MSG_SERVE_STOP, MSG_SERVE_HTTP_STOPPED, 0};

static const struct actor_ops serve_actor = {
    .name = "serve", .state_size = sizeof(struct closing), .accepts = serve_accepts, .receive = serve_receive};

static void on_signal(uv_signal_t *handle, int number)
{
    struct service *v = handle->data;

    (void)number;
    actor_post(v->system, actor_find(v->system, "serve"), msg_new(MSG_SERVE_STOP, sizeof(struct msg)));
}

/* Certificates are renewed in place. What is wrong with new ones leaves the old ones in use. */
static void on_hangup(uv_signal_t *handle, int number)
{
    struct service *v = handle->data;
    struct error error;

    (void)number;
    if (!v->s->tls_cert[0])
        return;
    if (http_server_tls(v->server, v->s->tls_cert, v->s->tls_key, &error) < 0)
        log_event(LOG_ERROR, "certificate stays as it was", LOG_STR("reason", error.text));
    else
        log_event(LOG_INFO, "certificate read", LOG_STR("file", v->s->tls_cert));
}

static void on_fatal(void *context, const char *text)
{
    struct service *v = context;

    log_event(LOG_ERROR, "giving up", LOG_STR("reason", text));
    v->code = 1;
    uv_stop(&v->loop);
}

static void on_actor_event(void *context, const char *actor, const char *text)
{
    (void)context;
    log_event(LOG_WARN, "actor", LOG_STR("actor", actor), LOG_STR("event", text));
}

/* --- coming up --- */

static int check_address(const struct settings *s, const char *address, const char *setting)
{
    if (!address[0] || http_address_is_loopback(address) || s->auth[0] || s->api_keys_file[0])
        return 0;
    return cli_refuse("%s=%s can be reached from outside; say KITH_AUTH=keys and make some (“kith key create”), or "
                      "KITH_AUTH=none if everybody there may use it",
                      setting, address);
}

/* What is wrong with the keys' file is said before anything listens. */
static int open_door(struct service *v)
{
    const struct settings *s = v->s;
    char *text;
    struct error error;
    int code = 0;

    v->door.ring = api_keys_new((uint32_t)s->auth_failures);
    v->door.keys = strcmp(s->auth, "keys") == 0 || (!s->auth[0] && s->api_keys_file[0]);
    if (!s->api_keys_file[0])
        return 0;
    if (!(text = malloc(API_KEYS_FILE_BYTES)))
        abort();
    if (secret_read(s->api_keys_file, "KITH_API_KEYS_FILE", text, API_KEYS_FILE_BYTES, &error) < 0)
        code = cli_refuse("%s", error.text);
    else if (api_keys_set_file(v->door.ring, text, &error) < 0)
        code = cli_refuse("KITH_API_KEYS_FILE: %s: %s", s->api_keys_file, error.text);
    free(text);
    return code;
}

static int check_settings(struct service *v)
{
    const struct settings *s = v->s;
    struct error error;

    if (v->in->count)
        return cli_refuse("serve takes no argument “%s”", v->in->arguments[0]);
    if (!s->tls_cert[0] != !s->tls_key[0])
        return cli_refuse("KITH_TLS_CERT and KITH_TLS_KEY go together: one of them is missing");
    if (roles_parse(s->roles, &v->roles) < 0)
        return cli_refuse("KITH_ROLES=%s: expected all, or some of receiver,processor,recognizer,frontend", s->roles);
    v->cluster = strcmp(s->database, "sqlite") != 0;
    if (s->nats[0] && !v->cluster)
        return cli_refuse(
            "KITH_NATS: nodes share their records: KITH_DATABASE must be a mariadb://…, sqlite is one node's own");
    if (strchr(s->nats, '@'))
        return cli_refuse(
            "KITH_NATS: addresses only; who we are there goes into KITH_NATS_USER and KITH_NATS_PASSWORD, "
            "KITH_NATS_TOKEN or KITH_NATS_CREDS");
    if ((v->roles & ROLE_PROCESSOR) && !(v->roles & ROLE_RECOGNIZER) && !s->nats[0])
        return cli_refuse("KITH_ROLES=%s: a processor needs recognisers: its own, or other nodes' over KITH_NATS",
                          s->roles);
    if (s->nats_prefix[0] == 0 || strspn(s->nats_prefix, NODE_LETTERS) != strlen(s->nats_prefix) ||
        strlen(s->nats_prefix) > 32)
        return cli_refuse("KITH_NATS_PREFIX: “%s” is not a word of at most 32 letters, digits, “-” and “_”",
                          s->nats_prefix);
    if (s->node_timeout < 2 * s->node_heartbeat)
        return cli_refuse("KITH_NODE_TIMEOUT must be at least twice KITH_NODE_HEARTBEAT");
    if (s->breaker_timeout > s->breaker_timeout_max)
        return cli_refuse("KITH_BREAKER_TIMEOUT is above KITH_BREAKER_TIMEOUT_MAX");
    if (loader_find(s->recognizer, s->plugins, v->plugin, sizeof v->plugin, &error) < 0)
        return cli_refuse("%s", error.text);
    return check_address(s, s->api_listen, "KITH_API_LISTEN") |
           check_address(s, s->dashboard_listen, "KITH_DASHBOARD_LISTEN");
}

/* Connections, workers, files: as many descriptors as the system lets us have, up to what the settings may need. */
static void raise_descriptors(const struct settings *s)
{
    struct rlimit l;
    rlim_t wanted = (rlim_t)s->max_connections + KEEP_FDS;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= wanted)
        return;
    l.rlim_cur = l.rlim_max < wanted ? l.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &l);
}

/* Whose leases they are: this run of this process. Those of earlier runs of the same node are dead. */
static int name_owner(struct service *v)
{
    if (v->s->node[0])
        snprintf(v->node, sizeof v->node, "%s", v->s->node);
    else if (gethostname(v->node, sizeof v->node - 1) < 0)
        snprintf(v->node, sizeof v->node, "kith");
    for (char *c = v->node; !v->s->node[0] && *c; c++)
        if (!strchr(NODE_LETTERS, *c)) /* a host's name may have dots */
            *c = '-';
    if (strlen(v->s->node) >= sizeof v->node || strspn(v->node, NODE_LETTERS) != strlen(v->node))
        return cli_refuse("KITH_NODE: “%s” is not a name of at most %zu letters, digits, “-” and “_”",
                          v->s->node[0] ? v->s->node : v->node, sizeof v->node - 1);
    if (getrandom(&v->boot, sizeof v->boot, 0) < 0)
        v->boot = (uint64_t)clock_wall_ms();
    v->boot &= INT64_MAX;
    snprintf(v->owner_node, sizeof v->owner_node, "%s:", v->node);
    snprintf(v->owner, sizeof v->owner, "%s%d-%llx", v->owner_node, (int)getpid(), (unsigned long long)v->boot);
    return 0;
}

static int open_folders(struct service *v)
{
    struct store_options options = {.folder = v->s->data,
                                    .database = v->s->database,
                                    .password = v->s->database_password,
                                    .node = v->node,
                                    .ca = v->s->database_ca,
                                    .timeout_ms = v->s->database_timeout,
                                    .queue_limit = v->s->queue_limit,
                                    .relaxed = strcmp(v->s->durability, "relaxed") == 0};
    struct error error;

    if (!(v->store = store_open(&options, &error)) || spool_open(&v->spool, v->s->spool, v->s->data, &error) < 0 ||
        pictures_open(v->s->data, v->thumbs, sizeof v->thumbs, &error) < 0 ||
        !(v->roots = path_roots_open(v->s->image_roots, 1, &error)) ||
        path_roots_add(v->roots, v->spool.folder, &error) < 0)
        return cli_refuse("%s", error.text);
    /* Its photos are opened below the roots, which are known by their whole names. */
    if (v->s->known_people[0] && !realpath(v->s->known_people, v->known_folder))
        return cli_refuse("KITH_KNOWN_PEOPLE: %s: %s", v->s->known_people, strerror(errno));
    if (v->known_folder[0] && path_roots_add(v->roots, v->known_folder, &error) < 0)
        return cli_refuse("KITH_KNOWN_PEOPLE: %s", error.text);
    return 0;
}

static int listen_on(struct service *v)
{
    struct error error;

    if (v->s->tls_cert[0] && http_server_tls(v->server, v->s->tls_cert, v->s->tls_key, &error) < 0)
        return cli_refuse("%s", error.text);
    if (http_server_listen(v->server, v->s->api_listen, "KITH_API_LISTEN", NULL, &error) < 0 ||
        (v->s->dashboard_listen[0] && (v->roles & ROLE_FRONTEND) &&
         http_server_listen(v->server, v->s->dashboard_listen, "KITH_DASHBOARD_LISTEN", web_files, &error) < 0))
        return cli_refuse("%s", error.text);
    return 0;
}

static void after_turn(void *context)
{
    (void)context;
    log_flush();
}

static void make_system(struct service *v)
{
    struct actor_system_options options = {.on_event = on_actor_event,
                                           .on_fatal = on_fatal,
                                           .after_turn = after_turn,
                                           .on_slow = slow_log,
                                           .event_context = v,
                                           .slow_callback_ms = (uint64_t)v->s->slow_callback};
    const struct settings *s = v->s;
    struct actor_spec spec = {.name = "serve", .ops = &serve_actor, .config = v};
    struct http_options http = {.loop = &v->loop,
                                .routes = routes,
                                .dispatch = routes_dispatch,
                                .max_body = (size_t)s->max_body,
                                .max_connections = (uint32_t)s->max_connections,
                                .max_connections_per_address = (uint32_t)s->max_connections_per_address,
                                .max_requests = (uint32_t)s->max_requests,
                                .max_resets = (uint32_t)s->max_resets,
                                .max_streams = (uint32_t)s->max_subscribers,
                                .idle_timeout_ms = (uint64_t)s->idle_timeout,
                                .response_timeout_ms = (uint64_t)s->request_timeout,
                                .shutdown_grace_ms = (uint64_t)s->shutdown_grace,
                                .min_rate = (uint64_t)s->min_rate,
                                .access_log = strcmp(s->access_log, "on") == 0};

    v->driver = driver_uv_new(&v->loop, &options);
    v->system = driver_uv_system(v->driver);
    v->routes = (struct routes_context){.driver = v->driver, .door = &v->door};
    http.context = &v->routes;
    v->server = http_server_new(&http);
    v->files = offload_new(v->system, "files", FILE_THREADS, FILE_JOBS);
    v->search = offload_new(v->system, "gallery", 1, SEARCH_JOBS);
    v->decider = decider_new(&(struct decider_policy){.threshold = s->threshold,
                                                      .rate = s->fpir,
                                                      .quality = s->naming_quality,
                                                      .candidates = (int)s->candidates,
                                                      .cohort = (int)s->cohort,
                                                      .unknown_people = (int)s->unknown_faces,
                                                      .folder = s->data,
                                                      .memory_max = (size_t)s->gallery_memory});
    actor_spawn(v->system, &spec);
}

static void plugin_settings(struct service *v)
{
    enum { MAX = sizeof v->plugin_settings / sizeof v->plugin_settings[0] - 1 };
    const char *names[MAX], *texts[MAX];
    int count = settings_texts(v->in->book, names, texts, MAX);

    for (int i = 0; i < count; i++)
        v->plugin_settings[i] = (struct kith_setting){names[i], texts[i]};
}

static int run(struct service *v)
{
    static const int stop_signals[] = {SIGTERM, SIGINT};

    make_system(v);
    if (open_folders(v) || listen_on(v))
        return 2;
    plugin_settings(v);
    store_attach(v->store, v->system);
    v->api_here = http_server_address(v->server, 0);
    cast_spawn(v);
    bus_join(v);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&v->loop, &v->signals[i]);
        v->signals[i].data = v;
        uv_signal_start(&v->signals[i], on_signal, stop_signals[i]);
    }
    uv_signal_init(&v->loop, &v->hangup);
    v->hangup.data = v;
    uv_signal_start(&v->hangup, on_hangup, SIGHUP);
    if (log_start((size_t)v->s->log_buffer) < 0)
        return cli_refuse("cannot start the thread that writes the log");
    log_event(LOG_INFO, "serving", LOG_STR("version", KITH_VERSION), LOG_STR("api", http_server_address(v->server, 0)),
              LOG_STR("dashboard", http_server_address(v->server, 1)), LOG_STR("data", v->s->data),
              LOG_STR("recognizer", v->s->recognizer), LOG_INT("workers", v->workers), LOG_STR("node", v->node),
              LOG_STR("roles", v->s->roles), LOG_STR("database", v->cluster ? "mariadb" : "sqlite"));
    notify_watchdog(&v->loop);
    notify_manager("READY=1");
    log_hold();
    uv_run(&v->loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&v->signals[i], NULL);
    uv_close((uv_handle_t *)&v->hangup, NULL);
    notify_watchdog_stop();
    log_event(LOG_INFO, "stopped", LOG_INT("code", v->code));
    return v->code;
}

static void on_http_closed(void *context)
{
    ((struct service *)context)->http_stopped = true;
}

/* Requests and event streams end while the actors that they post to exist. After SIGTERM this has happened already;
 * when kith gives up, connections are open and new ones are accepted until here. */
static void serve_close_http(struct service *v)
{
    if (!v->server || v->http_stopped)
        return;
    http_server_stop_now(v->server, on_http_closed, v);
    while (!v->http_stopped && uv_run(&v->loop, UV_RUN_ONCE))
        ;
}

/* The HTTP library's context is not freed: libh2o has no complete way to do it, and the process ends here. */
static void take_down(struct service *v)
{
    serve_close_http(v);
    bus_leave(v); /* before the actors that it speaks to */
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
    api_keys_free(v->door.ring);
    log_stop(LOG_STOP_MS);
}

int cli_serve(const struct invocation *in)
{
    static struct service service; /* large, one a process */
    struct service *v = &service;
    ssize_t n = readlink("/proc/self/exe", v->program, sizeof v->program - 1);
    int code;

    v->in = in;
    v->s = in->settings;
    if (n <= 0)
        return cli_refuse("cannot find the program's own file: %s", strerror(errno));
    if ((code = check_settings(v)) || (code = open_door(v)))
        return code;
    log_setup(strcmp(v->s->log_level, "debug") == 0   ? LOG_DEBUG
              : strcmp(v->s->log_level, "warn") == 0  ? LOG_WARN
              : strcmp(v->s->log_level, "error") == 0 ? LOG_ERROR
                                                      : LOG_INFO,
              strcmp(v->s->log_format, "json") == 0);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors(v->s);
    if ((code = name_owner(v)))
        return code;
    v->workers = v->s->workers ? (uint32_t)v->s->workers : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    uv_loop_init(&v->loop);
    code = run(v);
    take_down(v);
    return code;
}
