#include "actors/pipeline/quarantine.h"

#include "actors/pipeline/recognizer_internal.h"
#include "core/base/log/log.h"

#include <stdio.h>

enum { QUARANTINE_POLL_MS = 5000, QUARANTINE_STORE_MS = 10000 };

void quarantine_send(const struct quarantine *q, struct worker *worker)
{
    worker_quarantine(worker, q->hashes[0], q->count);
}

static void quarantine_log_cut(struct quarantine *q, bool cut, uint32_t max)
{
    if (cut && !q->cut)
        log_event(
            LOG_WARN, "quarantine cut", LOG_INT("images", max),
            LOG_STR("reason", "more images are in quarantine than KITH_QUARANTINE_MAX; the oldest are let through"));
    q->cut = cut;
}

/* An empty list is sent too: it ends the quarantine of what the workers have. */
static void quarantine_on_list(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct recognizer_config *config = actor_config(self);
    const struct store_reply *stored = (const struct store_reply *)reply;
    struct recognizer *r = actor_state(self);
    struct quarantine *q = &r->quarantine;

    (void)context;
    if (status == ACTOR_OK && stored->status == STORE_OK) {
        q->count = 0;
        for (int i = 0; i < stored->text_count && q->count < QUARANTINE_MAX; i++)
            snprintf(q->hashes[q->count++], SHA256_HEX_BYTES, "%s", stored->texts[i]);
        quarantine_log_cut(q, stored->more, config->quarantine_max);
        worker_slots_send_quarantine(self);
    }
    actor_after(self, QUARANTINE_POLL_MS, TIMER_QUARANTINE);
}

void quarantine_read(struct actor *self)
{
    const struct recognizer_config *config = actor_config(self);
    struct store_list *m = STORE_MESSAGE(STORE_QUARANTINED, store_list);

    m->limit = (int)config->quarantine_max;
    actor_ask(self, "store", &m->m.head, QUARANTINE_STORE_MS, quarantine_on_list, NULL);
}

/* Tells the recogniser even when the store failed: reading an unchanged list does no harm. */
static void quarantine_on_added(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    (void)status;
    (void)reply;
    actor_tell_control(self, "recognizer", msg_new(MSG_QUARANTINE, sizeof(struct msg)));
}

void quarantine_add(struct actor *self, const char *sha256, uint64_t for_ms)
{
    struct store_text *m = STORE_MESSAGE(STORE_QUARANTINE, store_text);

    m->text = arena_text(&m->m.arena, sha256);
    m->for_ms = (int64_t)for_ms;
    actor_ask(self, "store", &m->m.head, QUARANTINE_STORE_MS, quarantine_on_added, NULL);
}
