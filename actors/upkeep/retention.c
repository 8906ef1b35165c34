#include "actors/upkeep/retention.h"

#include "actors/messages.h"
#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

enum { TIMER_CHECK = 1, TIMER_MORE };
enum { MORE_MS = 20 }; /* between two batches: other requests of the store come first */

static struct metric expired = {.name = "kith_images_expired_total", .help = "Images deleted by age."};

/* A check has two passes: images with unknown faces only, then all images. */
struct retention {
    bool unknown;  /* the pass under way */
    int64_t after; /* its cursor */
    int64_t deleted;
};

static void retention_ask(struct actor *self);

static void retention_end_pass(struct actor *self)
{
    const struct retention_config *config = actor_config(self);
    struct retention *r = actor_state(self);

    if (r->deleted)
        log_event(LOG_INFO, "images expired", LOG_INT("images", r->deleted),
                  LOG_STR("setting", r->unknown ? "KITH_KEEP_UNKNOWN" : "KITH_KEEP_IMAGES"));
    r->after = r->deleted = 0;
    r->unknown = !r->unknown;
    if (r->unknown) /* both passes are done */
        actor_after(self, config->check_ms, TIMER_CHECK);
    else
        retention_ask(self);
}

static void retention_on_expired(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *s = (const struct store_reply *)reply;
    struct retention *r = actor_state(self);
    bool succeeded = status == ACTOR_OK && s->status == STORE_OK;

    (void)context;
    if (succeeded && s->changed) {
        r->deleted += s->changed;
        metric_add(&expired, s->changed);
        msg_tell(self, "eraser", MSG_ERASE);
        msg_tell_gallery(self);
    }
    if (succeeded && s->more) {
        r->after = s->next;
        actor_after(self, MORE_MS, TIMER_MORE);
    } else {
        retention_end_pass(self);
    }
}

static void retention_ask(struct actor *self)
{
    const struct retention_config *config = actor_config(self);
    const struct retention *r = actor_state(self);
    int64_t keep_ms = r->unknown ? config->unknown_ms : config->images_ms;
    struct store_expire *m;

    if (!keep_ms) {
        retention_end_pass(self);
        return;
    }
    m = STORE_MESSAGE(STORE_EXPIRE, store_expire);
    m->before_ms = clock_wall_ms() - keep_ms;
    m->unknown_only = r->unknown;
    m->after = r->after;
    actor_ask(self, "store", &m->m.head, config->store_ms, retention_on_expired, NULL);
}

static int retention_start(struct actor *self)
{
    const struct retention_config *config = actor_config(self);
    struct retention *r = actor_state(self);

    metric_register(&expired);
    r->unknown = true;
    if (config->images_ms || config->unknown_ms)
        retention_ask(self);
    return 0;
}

/* It gets its own timers only. */
static void retention_receive(struct actor *self, const struct msg *m)
{
    (void)self, (void)m;
}

static void retention_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    retention_ask(self);
}

static const uint32_t retention_accepts[] = {0};

const struct actor_ops retention_actor = {
    .name = "retention",
    .state_size = sizeof(struct retention),
    .start = retention_start,
    .accepts = retention_accepts,
    .receive = retention_receive,
    .timer = retention_timer,
};
