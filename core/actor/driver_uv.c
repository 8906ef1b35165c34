#include "core/actor/driver_uv.h"

#include "core/base/must.h"

#include <stdlib.h>
#include <time.h>

struct driver_uv {
    struct actor_system *system;
    uv_loop_t *loop;
    uv_prepare_t prepare; /* turns before the loop sleeps, so that it handles all messages sent meanwhile */
    uv_idle_t idle;       /* active while there is work: the loop polls without sleeping */
    uv_timer_t timer;
    uv_async_t async;
    int open_handles;
};

static uint64_t driver_now_ns(void *context)
{
    (void)context;
    return uv_hrtime();
}

static uint64_t driver_coarse_ns(void *context)
{
    struct timespec t;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void driver_wake(void *context)
{
    uv_async_send(&((struct driver_uv *)context)->async);
}

static void driver_on_nothing_timer(uv_timer_t *handle)
{
    (void)handle; /* it only ends the loop's sleep; the prepare handle turns the system */
}

static void driver_on_nothing_idle(uv_idle_t *handle)
{
    (void)handle;
}

static void driver_on_async(uv_async_t *handle)
{
    (void)handle;
}

static void driver_on_prepare(uv_prepare_t *handle)
{
    struct driver_uv *driver = handle->data;
    uint64_t due_ms, now_ms;

    if (actor_system_turn(driver->system)) {
        uv_idle_start(&driver->idle, driver_on_nothing_idle);
        return;
    }
    uv_idle_stop(&driver->idle);
    due_ms = actor_system_next_due_ms(driver->system);
    now_ms = uv_hrtime() / 1000000;
    if (due_ms == UINT64_MAX) {
        uv_timer_stop(&driver->timer);
        return;
    }
    /* uv_timer_start counts from the loop's cached time; a stale time makes the sleep too short. */
    uv_update_time(driver->loop);
    uv_timer_start(&driver->timer, driver_on_nothing_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

struct driver_uv *driver_uv_new(uv_loop_t *loop, struct actor_system_options *options)
{
    struct driver_uv *driver = calloc(1, sizeof *driver);

    if (!driver)
        out_of_memory();
    driver->loop = loop;
    options->now_ns = driver_now_ns;
    options->coarse_ns = driver_coarse_ns;
    options->wake = driver_wake;
    options->wake_context = driver;
    uv_prepare_init(loop, &driver->prepare);
    uv_idle_init(loop, &driver->idle);
    uv_timer_init(loop, &driver->timer);
    uv_async_init(loop, &driver->async, driver_on_async);
    driver->prepare.data = driver->idle.data = driver->timer.data = driver->async.data = driver;
    driver->open_handles = 4;
    driver->system = actor_system_new(options);
    uv_prepare_start(&driver->prepare, driver_on_prepare);
    return driver;
}

struct actor_system *driver_uv_system(struct driver_uv *driver)
{
    return driver->system;
}

void driver_uv_kick(struct driver_uv *driver)
{
    uv_idle_start(&driver->idle, driver_on_nothing_idle);
}

static void driver_on_close(uv_handle_t *handle)
{
    struct driver_uv *driver = handle->data;

    if (--driver->open_handles == 0)
        free(driver);
}

void driver_uv_free(struct driver_uv *driver)
{
    if (!driver)
        return;
    actor_system_free(driver->system);
    uv_close((uv_handle_t *)&driver->prepare, driver_on_close);
    uv_close((uv_handle_t *)&driver->idle, driver_on_close);
    uv_close((uv_handle_t *)&driver->timer, driver_on_close);
    uv_close((uv_handle_t *)&driver->async, driver_on_close);
}
