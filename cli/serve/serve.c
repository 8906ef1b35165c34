/* kith serve: checks the settings (check.c), opens what the actors need (startup.c), spawns the actors (cast.c), runs
 * the loop, and closes everything in order (shutdown.c). */
#include "cli/serve/service.h"

#include "cli/serve/notify.h"
#include "core/base/log/log.h"
#include "plugins/shared/loader.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int serve_run(struct service *v)
{
    if (startup_open(v))
        return 2;
    cast_spawn(v);
    shutdown_watch_signals(v);
    if (log_start((size_t)v->s->log_buffer) < 0)
        return cli_refuse("cannot start the thread that writes the log");
    log_event(LOG_INFO, "serving", LOG_STR("version", KITH_VERSION), LOG_STR("api", http_server_address(v->server, 0)),
              LOG_STR("dashboard", http_server_address(v->server, 1)), LOG_STR("data", v->s->data),
              LOG_STR("recognizer", v->s->recognizer), LOG_INT("workers", v->workers), LOG_STR("node", v->node),
              LOG_STR("roles", v->s->roles), LOG_STR("database", v->cluster ? "mariadb" : "sqlite"));
    notify_watchdog(&v->loop);
    notify_manager("READY=1");
    log_hold();
    v->served = true;
    uv_run(&v->loop, UV_RUN_DEFAULT);
    shutdown_ignore_signals(v);
    notify_watchdog_stop();
    return v->code;
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
    if ((code = check_settings(v)) || (code = check_api_keys(v)))
        return code;
    log_setup(strcmp(v->s->log_level, "debug") == 0   ? LOG_DEBUG
              : strcmp(v->s->log_level, "warn") == 0  ? LOG_WARN
              : strcmp(v->s->log_level, "error") == 0 ? LOG_ERROR
                                                      : LOG_INFO,
              strcmp(v->s->log_format, "json") == 0);
    signal(SIGPIPE, SIG_IGN);
    startup_raise_descriptors(v->s);
    if ((code = check_node_name(v)))
        return code;
    v->workers = v->s->workers ? (uint32_t)v->s->workers : loader_workers(v->s->recognizer);
    uv_loop_init(&v->loop);
    code = serve_run(v);
    shutdown_close(v);
    return code;
}
