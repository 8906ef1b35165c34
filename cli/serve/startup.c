/* Opens what the actors need: store, folders, server, actor system. */
#include "cli/serve/service.h"

#include "cli/serve/slow.h"
#include "core/base/log/log.h"
#include "core/match/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { FILE_THREADS = 4, FILE_JOBS = 4096, SEARCH_JOBS = 65536, KEEP_FDS = 512 };

/* Raises the limit of open files to what connections, workers and files may need, as far as the system allows. */
void startup_raise_descriptors(const struct settings *s)
{
    struct rlimit l;
    rlim_t wanted = (rlim_t)s->max_connections + KEEP_FDS;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= wanted)
        return;
    l.rlim_cur = l.rlim_max < wanted ? l.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &l);
}

static void startup_on_fatal(void *context, const char *text)
{
    struct service *v = context;

    log_event(LOG_ERROR, "giving up", LOG_STR("reason", text));
    v->code = 1;
    uv_stop(&v->loop);
}

static void startup_on_actor_event(void *context, const char *actor, const char *text)
{
    (void)context;
    log_event(LOG_WARN, "actor", LOG_STR("actor", actor), LOG_STR("event", text));
}

struct doubt_limits startup_doubt_limits(const struct settings *s)
{
    return (struct doubt_limits){
        .similarity = s->review_similarity, .margin = s->review_margin, .quality = s->review_quality};
}

static int startup_open_folders(struct service *v)
{
    struct store_options options = {.folder = v->s->data,
                                    .database = v->s->database,
                                    .password = v->s->database_password,
                                    .password_file = settings_secret_file(v->in->book, v->s->database_password),
                                    .node = v->node,
                                    .spool = v->spool.folder,
                                    .ca = v->s->database_ca,
                                    .timeout_ms = v->s->database_timeout,
                                    .queue_limit = v->s->queue_limit,
                                    .once_a_picture = strcmp(v->s->once_a_picture, "on") == 0,
                                    .doubt = startup_doubt_limits(v->s),
                                    .recount_ms = v->s->recount,
                                    .disk_reserve = (uint64_t)v->s->disk_reserve,
                                    .give_up = startup_on_fatal,
                                    .context = v,
                                    .relaxed = strcmp(v->s->durability, "relaxed") == 0};
    struct error error;

    if (!(v->store = store_open(&options, &error)) || spool_open(&v->spool, v->s->spool, v->s->data, &error) < 0 ||
        pictures_open(v->s->data, v->thumbs, sizeof v->thumbs, &error) < 0 ||
        !(v->roots = path_roots_open(v->s->image_roots, 1, &error)) ||
        path_roots_add(v->roots, v->spool.folder, &error) < 0)
        return cli_refuse("%s", error.text);
    v->spool.disk_reserve = (uint64_t)v->s->disk_reserve;
    /* Its photos are opened below the roots, which are absolute and without links. */
    if (v->s->known_people[0] && !realpath(v->s->known_people, v->known_folder))
        return cli_refuse("KITH_KNOWN_PEOPLE: %s: %s", v->s->known_people, strerror(errno));
    if (v->known_folder[0] && path_roots_add(v->roots, v->known_folder, &error) < 0)
        return cli_refuse("KITH_KNOWN_PEOPLE: %s", error.text);
    return 0;
}

static int startup_listen(struct service *v)
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

static void startup_after_turn(void *context)
{
    (void)context;
    log_flush();
}

static void startup_make_system(struct service *v)
{
    struct actor_system_options options = {.on_event = startup_on_actor_event,
                                           .on_fatal = startup_on_fatal,
                                           .after_turn = startup_after_turn,
                                           .on_slow = slow_log,
                                           .event_context = v,
                                           .slow_callback_ms = (uint64_t)v->s->slow_callback};
    const struct settings *s = v->s;
    struct actor_spec spec = {.name = "serve", .ops = &serve_actor, .config = v};
    struct http_options http = {.loop = &v->loop,
                                .routes = routes,
                                .dispatch = routes_dispatch,
                                .max_body = (size_t)s->max_body,
                                .max_head = (size_t)s->max_head,
                                .max_connections = (uint32_t)s->max_connections,
                                .max_connections_per_address = (uint32_t)s->max_connections_per_address,
                                .max_requests = (uint32_t)s->max_requests,
                                .max_resets = (uint32_t)s->max_resets,
                                .max_streams = (uint32_t)s->max_subscribers,
                                .idle_timeout_ms = (uint64_t)s->idle_timeout,
                                .response_timeout_ms = (uint64_t)s->request_timeout,
                                .shutdown_grace_ms = (uint64_t)s->shutdown_grace,
                                .min_rate = (uint64_t)s->min_rate,
                                .memory = (size_t)s->http_memory,
                                .address_memory = (size_t)s->http_address_memory,
                                .unknown_body = (size_t)s->unknown_body,
                                .admits = v->auth.required ? routes_admits : NULL,
                                .access_log = strcmp(s->access_log, "on") == 0,
                                .log_refused = (uint32_t)s->log_refused,
                                .trust = v->trust};

    v->driver = driver_uv_new(&v->loop, &options);
    v->system = driver_uv_system(v->driver);
    v->routes = (struct routes_context){.driver = v->driver, .auth = &v->auth};
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

static void startup_copy_plugin_settings(struct service *v)
{
    enum { MAX = sizeof v->plugin_settings / sizeof v->plugin_settings[0] - 1 };
    const char *names[MAX], *texts[MAX];
    int count = settings_texts(v->in->book, names, texts, MAX);

    for (int i = 0; i < count; i++)
        v->plugin_settings[i] = (struct kith_setting){names[i], texts[i]};
}

int startup_open(struct service *v)
{
    startup_make_system(v);
    if (startup_open_folders(v) || startup_listen(v))
        return 2;
    startup_copy_plugin_settings(v);
    store_attach(v->store, v->system);
    v->api_here = http_server_address(v->server, 0);
    return 0;
}
