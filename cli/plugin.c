/* kith plugin check FILE.so: the conformance test of a recogniser.
 *
 * The plug-in is loaded and asked in a worker, as `serve` would, with a picture that shows nobody: what it must survive
 * is a health check, three pictures and its end.
 */
#include "actors/messages.h"
#include "actors/pipeline/probe_image.h"
#include "cli/workshop.h"
#include "core/actor/driver_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PICTURES = 3, TIMER_DEADLINE = 1 };

struct check {
    struct worker_options options;
    struct worker *worker;
    uint64_t deadline_ms;
    int asked, code;
    bool over;
};

static void finish(struct actor *self, int code, const char *words)
{
    struct check *c = (struct check *)(uintptr_t)actor_config(self);

    printf("%s\n", words);
    c->code = code;
    c->over = true;
    uv_stop(c->options.loop);
}

static void ask(struct actor *self)
{
    struct check *c = (struct check *)(uintptr_t)actor_config(self);
    struct packet_job job = {.kind = c->asked ? JOB_RECOGNIZE : JOB_HEALTH};
    int fd = worker_memory(probe_image, sizeof probe_image);

    if (fd < 0 || worker_send(c->worker, (uint64_t)++c->asked, &job, "check.png", fd) < 0)
        finish(self, 1, "the worker does not listen");
    if (fd >= 0)
        close(fd);
}

static int check_start(struct actor *self)
{
    struct check *c = (struct check *)(uintptr_t)actor_config(self);
    struct error error;

    c->options.actor = actor_find(actor_system_of(self), "check");
    c->worker = worker_start(&c->options, 1, &error);
    if (!c->worker)
        finish(self, 1, error.text);
    actor_after(self, c->deadline_ms, TIMER_DEADLINE);
    return 0;
}

static void check_receive(struct actor *self, const struct msg *m)
{
    struct check *c = (struct check *)(uintptr_t)actor_config(self);
    const struct worker_event *e = (const struct worker_event *)m;

    if (c->over)
        return;
    if (m->type == WORKER_GONE) {
        finish(self, 1, e->words);
    } else if (m->type == WORKER_READY) {
        printf("name       %s %s\nmodel      %s\ndimension  %u\nmetric     %u\nthreshold  %g\n", e->hello.name,
               e->hello.version, e->hello.model, e->hello.dimension, e->hello.metric, e->hello.threshold);
        ask(self);
    } else if (e->done.status == WORK_FAILED) {
        finish(self, 1, e->done.reason);
    } else {
        printf("picture %d  %d faces, %.1f ms of CPU, %llu MB resident\n", c->asked, e->face_count,
               (double)e->done.cpu_us / 1000, (unsigned long long)(e->done.rss_bytes >> 20));
        if (c->asked == PICTURES)
            finish(self, 0, "it fits");
        else
            ask(self);
    }
}

static void check_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    finish(self, 1, "it does not answer in time (KITH_START_TIMEOUT)");
}

static const struct actor_ops check_actor = {
    .name = "check", .start = check_start, .receive = check_receive, .timer = check_timer};

int cli_plugin(const struct invocation *in)
{
    struct check check = {.deadline_ms = (uint64_t)in->settings->start_timeout, .code = 1};
    struct actor_system_options options = {0};
    struct driver_uv *driver;
    uv_loop_t loop;

    if (in->count != 2 || strcmp(in->arguments[0], "check") != 0)
        return cli_refuse("usage: kith plugin check FILE.so");
    if (workshop_options(in, in->arguments[1], &check.options))
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
