/* kith plugin check FILE.so: the conformance test of a recogniser.
 *
 * A worker loads the plug-in as under `serve`. It must pass a health check, recognise three pictures without a face,
 * and close.
 */
#include "actors/messages.h"
#include "actors/pipeline/probe_image.h"
#include "cli/local_workers.h"
#include "core/actor/driver_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PICTURES = 3, TIMER_DEADLINE = 1 };

struct plugin_check {
    struct worker_options options;
    struct worker *worker;
    uint64_t deadline_ms;
    int asked, code;
    bool over;
};

static void plugin_finish(struct actor *self, int code, const char *text)
{
    struct plugin_check *c = (struct plugin_check *)(uintptr_t)actor_config(self);

    printf("%s\n", text);
    c->code = code;
    c->over = true;
    uv_stop(c->options.loop);
}

static void plugin_ask(struct actor *self)
{
    struct plugin_check *c = (struct plugin_check *)(uintptr_t)actor_config(self);
    struct packet_job job = {.kind = c->asked ? JOB_RECOGNIZE : JOB_HEALTH};
    int fd = worker_memory(probe_image, sizeof probe_image);

    if (fd < 0 || worker_send(c->worker, (uint64_t)++c->asked, &job, "check.png", fd) < 0)
        plugin_finish(self, 1, "the worker does not accept a job");
    if (fd >= 0)
        close(fd);
}

static int plugin_start(struct actor *self)
{
    struct plugin_check *c = (struct plugin_check *)(uintptr_t)actor_config(self);
    struct error error;

    c->options.actor = actor_find(actor_system_of(self), "check");
    c->worker = worker_start(&c->options, 1, &error);
    if (!c->worker)
        plugin_finish(self, 1, error.text);
    actor_after(self, c->deadline_ms, TIMER_DEADLINE);
    return 0;
}

static void plugin_receive(struct actor *self, const struct msg *m)
{
    struct plugin_check *c = (struct plugin_check *)(uintptr_t)actor_config(self);
    const struct worker_event *e = (const struct worker_event *)m;

    if (c->over)
        return;
    if (m->type == WORKER_GONE) {
        plugin_finish(self, 1, e->words);
    } else if (m->type == WORKER_READY) {
        printf("name       %s %s\nmodel      %s\ndimension  %u\nmetric     %u\nthreshold  %g\n", e->hello.name,
               e->hello.version, e->hello.model, e->hello.dimension, e->hello.metric, e->hello.threshold);
        plugin_ask(self);
    } else if (e->done.status == WORK_FAILED) {
        plugin_finish(self, 1, e->done.reason);
    } else {
        printf("picture %d  %d faces, %.1f ms of CPU, %llu MB resident\n", c->asked, e->face_count,
               (double)e->done.cpu_us / 1000, (unsigned long long)(e->done.rss_bytes >> 20));
        if (c->asked == PICTURES)
            plugin_finish(self, 0, "the plug-in fits");
        else
            plugin_ask(self);
    }
}

static void plugin_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    plugin_finish(self, 1, "no answer within KITH_START_TIMEOUT");
}

static const struct actor_ops check_actor = {
    .name = "check", .start = plugin_start, .receive = plugin_receive, .timer = plugin_timer};

int cli_plugin(const struct invocation *in)
{
    struct plugin_check check = {.deadline_ms = (uint64_t)in->settings->start_timeout, .code = 1};
    struct actor_system_options options = {0};
    struct driver_uv *driver;
    uv_loop_t loop;

    if (in->count != 2 || strcmp(in->arguments[0], "check") != 0)
        return cli_refuse("usage: kith plugin check FILE.so");
    if (local_workers_configure(in, in->arguments[1], &check.options))
        return 2;
    uv_loop_init(&loop);
    driver = driver_uv_new(&loop, &options);
    check.options.loop = &loop;
    check.options.system = driver_uv_system(driver);
    actor_spawn(check.options.system, &(struct actor_spec){.name = "check", .ops = &check_actor, .config = &check});
    uv_run(&loop, UV_RUN_DEFAULT);
    worker_free(check.worker);
    driver_uv_free(driver);
    while (uv_run(&loop, UV_RUN_ONCE))
        ;
    uv_loop_close(&loop);
    return check.code;
}
