#include "actors/pipeline/quarantine.h"

#include "actors/pipeline/recognizer_internal.h"

#include <stdio.h>

enum { QUARANTINE_POLL_MS = 5000, QUARANTINE_STORE_MS = 10000 };

void quarantine_send(const struct quarantine *q, struct worker *worker)
{
    worker_quarantine(worker, q->hashes[0], q->count);
}

/* An empty list is sent too: it ends the quarantine of what the workers have. */
static void quarantine_on_list(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *stored = (const struct store_reply *)reply;
    struct recognizer *r = actor_state(self);
    struct quarantine *q = &r->quarantine;

    (void)context;
    if (status == ACTOR_OK && stored->status == STORE_OK) {
        q->count = 0;
        for (int i = 0; i < stored->text_count && q->count < QUARANTINE_MAX; i++)
            snprintf(q->hashes[q->count++], SHA256_HEX_BYTES, "%s", stored->texts[i]);
        worker_slots_send_quarantine(self);
    }
    actor_after(self, QUARANTINE_POLL_MS, TIMER_QUARANTINE);
}

void quarantine_read(struct actor *self)
{
    actor_ask(self, "store", &STORE_MESSAGE(STORE_QUARANTINED, store_list)->m.head, QUARANTINE_STORE_MS,
              quarantine_on_list, NULL);
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
