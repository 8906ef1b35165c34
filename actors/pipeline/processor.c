/* Takes images from the table through recognition and back into the table (design §4).
 *
 *   claim ─▶ flight:  RECOGNIZING ──faces──▶ MATCHING ──people──▶ FINISHING ──▶ landed
 *                          │ bad image, crash, breaker open            ▲
 *                          └───────────────────────────────────────────┘
 *
 * As many images are in flight as there are free workers, plus those they find waiting when they have finished. A
 * finish that the store cannot write (disk full) is asked again until it can: its lease is renewed meanwhile, and if
 * this process dies the lease runs out. At the start the leases of dead processes are taken back.
 */
#include "actors/pipeline/processor.h"

#include "actors/messages.h"
#include "core/base/log.h"
#include "core/base/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FLIGHTS_MAX = 1024, STORE_MS = 30000, FINISH_AGAIN_MS = 500, BACKOFF_MAX_MS = 300000, BUSY_MS = 100 };
enum { TIMER_POLL = 1, TIMER_RENEW, TIMER_FINISH, TIMER_REAP, TIMER_AGAIN };

enum flight_stage { LANDED, RECOGNIZING, MATCHING, FINISHING, FINISH_AGAIN };

struct flight {
    struct actor *self;
    enum flight_stage stage;
    int64_t id, attempt, tries;
    uint64_t begun_ms;
    uint64_t generation; /* of the gallery that was asked */
    const struct store_finish *finish;
};

struct hinted {
    int64_t id;
    actor_token token;
};

struct processor {
    struct flight flights[FLIGHTS_MAX];
    uint32_t in_flight, window;
    uint64_t claims;
    struct hinted hinted[FLIGHTS_MAX];    /* images that hints spoke of, not claimed yet */
    uint32_t hinted_count, claimed_hints; /* the first so many are in the claim under way */
    int64_t told_room;
    bool breaker_closed, claiming, more, reaped, stopping;
    actor_token stop_token;
};

static struct metric finished = {
    .name = "kith_images_finished_total", .labels = "result=\"known\"", .help = "Images finished."};
static struct metric unknown = {
    .name = "kith_images_finished_total", .labels = "result=\"unknown\"", .help = "Images finished."};
static struct metric failed = {
    .name = "kith_images_finished_total", .labels = "result=\"failed\"", .help = "Images finished."};
static struct metric retried = {.name = "kith_images_retried_total", .help = "Tries that the recogniser spoiled."};
static struct metric superseded = {.name = "kith_images_superseded_total",
                                   .help = "Results of a run that was not current."};
static struct metric flying = {
    .name = "kith_images_in_flight", .help = "Images being processed.", .kind = METRIC_GAUGE};
static struct histogram duration = {.name = "kith_image_processing_seconds", .help = "From claim to finish."};

static void try_claim(struct actor *self);

/* --- landing --- */

static void land(struct actor *self, struct flight *f)
{
    struct processor *p = actor_state(self);

    msg_unref(f->finish ? &f->finish->m.head : NULL);
    memset(f, 0, sizeof *f);
    p->in_flight--;
    metric_set(&flying, p->in_flight);
    if (p->stopping && p->in_flight == 0) {
        actor_answer(self, p->stop_token, msg_new(MSG_STOPPED, sizeof(struct msg)));
        p->stop_token = 0;
    }
    try_claim(self);
}

static void put_into_quarantine(struct actor *self, const char *sha256);

/* Faces nobody knew: the gallery remembers them, and looks again when it has changed meanwhile. */
static void tell_of_unknown(struct actor *self, const struct flight *f)
{
    const struct store_finish *m = f->finish;
    struct msg_count *found;

    for (int i = 0; i < m->face_count; i++)
        if (m->faces[i].person == PERSON_UNKNOWN && m->faces[i].embedding) {
            found = (struct msg_count *)msg_new(MSG_FOUND_UNKNOWN, sizeof *found);
            found->count = (int64_t)f->generation;
            actor_tell_control(self, "gallery", &found->head);
            return;
        }
}

static void count_finish(struct actor *self, const struct flight *f, const struct image *image)
{
    const struct processor_config *config = actor_config(self);
    const struct store_finish *m = f->finish;

    histogram_observe_ms(&duration, (double)(actor_now_ms(self) - f->begun_ms));
    if (m->outcome == OUTCOME_FACES)
        tell_of_unknown(self, f);
    if (image->status == IMAGE_FAILED) {
        metric_add(&failed, 1);
        log_event(LOG_WARN, "failed", LOG_INT("image", f->id), LOG_INT("attempt", f->attempt),
                  LOG_STR("reason", image->reason));
        if (m->crashed && m->sha256 && image->reason && strcmp(image->reason, "poison") == 0)
            put_into_quarantine(self, m->sha256);
    } else if (m->outcome == OUTCOME_FACES && image->status == IMAGE_PROCESSED) {
        metric_add(&finished, 1);
        log_event(LOG_INFO, "finished", LOG_INT("image", f->id), LOG_INT("attempt", f->attempt),
                  LOG_INT("person", image->person), LOG_INT("faces", m->face_count),
                  LOG_INT("ms", actor_now_ms(self) - f->begun_ms));
    } else if (m->outcome == OUTCOME_FACES) {
        metric_add(&unknown, 1);
        log_event(LOG_INFO, "finished", LOG_INT("image", f->id), LOG_INT("attempt", f->attempt),
                  LOG_STR("person", "unknown"), LOG_INT("faces", m->face_count),
                  LOG_INT("ms", actor_now_ms(self) - f->begun_ms));
    } else {
        log_event(LOG_INFO, m->outcome == OUTCOME_RETRY ? "put back" : "released", LOG_INT("image", f->id),
                  LOG_INT("attempt", f->attempt), LOG_STR("reason", m->reason), LOG_INT("again_in_ms", m->delay_ms));
        if (m->outcome == OUTCOME_RETRY)
            metric_add(&retried, 1);
        if ((uint64_t)m->delay_ms < config->poll_ms) /* the poll finds the others */
            actor_after(self, (uint64_t)m->delay_ms + 1, TIMER_AGAIN);
    }
}

static void on_finished(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct flight *f = context;

    if (status != ACTOR_OK || r->status != STORE_OK) {
        log_event(LOG_ERROR, "cannot finish", LOG_INT("image", f->id),
                  LOG_STR("reason", status == ACTOR_OK ? r->error : actor_status_name(status)));
        f->stage = FINISH_AGAIN;
        actor_after(self, FINISH_AGAIN_MS, TIMER_FINISH);
        return;
    }
    if (r->changed) {
        count_finish(self, f, &r->images[0]);
    } else {
        metric_add(&superseded, 1);
        log_event(LOG_INFO, "superseded", LOG_INT("image", f->id), LOG_INT("attempt", f->attempt));
    }
    land(self, f);
}

static void ask_finish(struct actor *self, struct flight *f)
{
    f->stage = FINISHING;
    actor_ask(self, "store", msg_ref(&f->finish->m.head), STORE_MS, on_finished, f);
}

static struct store_finish *finish_of(struct actor *self, struct flight *f, int outcome, const char *reason,
                                      const char *sha256)
{
    const struct processor_config *config = actor_config(self);
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = f->id;
    m->attempt = f->attempt;
    m->outcome = (enum outcome)outcome;
    m->reason = arena_text(&m->m.arena, reason);
    m->sha256 = sha256 && sha256[0] ? arena_text(&m->m.arena, sha256) : NULL;
    m->max_tries = config->tries;
    m->max_crashes = config->crashes;
    f->finish = m;
    return m;
}

/* --- what recognition says --- */

static int64_t backoff(const struct processor_config *config, int64_t tries)
{
    uint64_t ms = config->backoff_ms;

    for (int64_t i = 1; i < tries && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return (int64_t)(ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

static void on_matched(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_matched *matched = (const struct msg_matched *)reply;
    struct flight *f = context;
    struct store_finish *m;
    char words[400];

    if (status != ACTOR_OK) {
        m = finish_of(self, f, OUTCOME_RELEASE, "the gallery does not answer", NULL);
        m->delay_ms = BUSY_MS;
    } else if (matched->unmatched_label[0] && matched->face_count == 1) { /* it knows who that is, and we do not */
        snprintf(words, sizeof words,
                 "the recogniser says “%s”, and neither a photo (person_images) nor a person has that name",
                 matched->unmatched_label);
        finish_of(self, f, OUTCOME_FAILED, words, matched->event->done.sha256);
    } else {
        m = finish_of(self, f, OUTCOME_FACES, NULL, matched->event->done.sha256);
        f->generation = matched->generation;
        m->faces = arena_alloc(&m->m.arena, (size_t)matched->face_count * sizeof *m->faces + 1);
        m->face_count = matched->face_count;
        for (int i = 0; i < m->face_count; i++) { /* deep: the match does not outlive this call */
            struct face *to = &m->faces[i];

            *to = matched->faces[i];
            to->model = arena_text(&m->m.arena, to->model);
            to->landmarks = (const float *)(const void *)arena_copy(&m->m.arena, to->landmarks,
                                                                    (size_t)to->landmark_count * 2 * sizeof(float));
            if (to->embedding)
                to->embedding = (const float *)(const void *)arena_copy(&m->m.arena, to->embedding,
                                                                        (size_t)to->dimension * sizeof(float));
            to->candidates = (const struct candidate *)(const void *)arena_copy(
                &m->m.arena, to->candidates, (size_t)to->candidate_count * sizeof(struct candidate));
        }
    }
    ask_finish(self, f);
}

static void on_recognized(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct processor_config *config = actor_config(self);
    const struct msg_recognized *r = (const struct msg_recognized *)reply;
    struct flight *f = context;
    struct store_finish *m;

    if (status != ACTOR_OK) { /* the breaker's own mailbox or restart: nobody's fault */
        m = finish_of(self, f, OUTCOME_RELEASE, actor_status_name(status), NULL);
        m->delay_ms = BUSY_MS;
    } else if (r->outcome == RECOGNIZED_OK && r->event->face_count > 0) {
        f->stage = MATCHING;
        log_event(LOG_INFO, "recognised", LOG_INT("image", f->id), LOG_INT("faces", r->event->face_count),
                  LOG_INT("cpu_us", r->event->done.cpu_us));
        actor_ask(self, "gallery", &msg_match_new(r->event)->head, config->call_ms, on_matched, f);
        return;
    } else if (r->outcome == RECOGNIZED_OK) {
        finish_of(self, f, OUTCOME_FAILED, "no face found", r->sha256);
    } else if (r->outcome == RECOGNIZED_BAD_IMAGE) {
        finish_of(self, f, OUTCOME_FAILED, r->reason, r->sha256);
    } else if (r->outcome == RECOGNIZED_POISON) {
        finish_of(self, f, OUTCOME_FAILED, "poison: the same bytes have killed recognisers", r->sha256);
    } else if (recognized_is_infrastructure(r->outcome)) {
        m = finish_of(self, f, OUTCOME_RETRY, r->reason, r->sha256);
        m->crashed = r->outcome == RECOGNIZED_CRASHED;
        m->delay_ms = backoff(config, f->tries);
    } else {
        m = finish_of(self, f, OUTCOME_RELEASE, recognized_name(r->outcome), NULL);
        m->delay_ms = r->outcome == RECOGNIZED_BUSY ? BUSY_MS : 0;
    }
    ask_finish(self, f);
}

static void on_put_into_quarantine(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    (void)status;
    (void)reply;
    actor_tell_control(self, "recognizer", msg_new(MSG_QUARANTINE, sizeof(struct msg)));
}

static void put_into_quarantine(struct actor *self, const char *sha256)
{
    const struct processor_config *config = actor_config(self);
    struct store_text *m = STORE_MESSAGE(STORE_QUARANTINE, store_text);

    m->text = arena_text(&m->m.arena, sha256);
    m->for_ms = (int64_t)config->quarantine_ms;
    actor_ask(self, "store", &m->m.head, STORE_MS, on_put_into_quarantine, NULL);
}

/* --- claiming --- */

static void take_off(struct actor *self, const struct image *image)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    struct flight *f = p->flights;
    struct msg_recognize *m;

    while (f->stage != LANDED)
        f++;
    assert(f < p->flights + FLIGHTS_MAX);
    *f = (struct flight){.self = self,
                         .stage = RECOGNIZING,
                         .id = image->id,
                         .attempt = image->attempt,
                         .tries = image->tries,
                         .begun_ms = actor_now_ms(self)};
    p->in_flight++;
    metric_set(&flying, p->in_flight);
    log_event(LOG_INFO, "claimed", LOG_INT("image", f->id), LOG_INT("attempt", f->attempt),
              LOG_STR("path", image->path), LOG_SOME("trace", image->trace));
    m = msg_recognize_new(JOB_RECOGNIZE, image->path, NULL, 0);
    snprintf(m->trace, sizeof m->trace, "%s", image->trace ? image->trace : "");
    actor_ask(self, config->breaker, &m->head, config->call_ms, on_recognized, f);
}

/* Tells the work queue how many more images can be taken. */
static void tell_room(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    int64_t room = 0;
    struct msg_count *m;

    if (p->breaker_closed && !p->stopping && p->reaped && p->window > p->in_flight)
        room = p->window - p->in_flight;
    if (!config->work_queue || room == p->told_room)
        return;
    p->told_room = room;
    m = (struct msg_count *)msg_new(MSG_CAPACITY_LEFT, sizeof *m);
    m->count = room;
    actor_tell_control(self, "work_queue", &m->head);
}

/* The claim is in, or refused: from now on the table knows, and the hint may go. */
static void answer_hints(struct actor *self, uint32_t count)
{
    struct processor *p = actor_state(self);

    for (uint32_t i = 0; i < count; i++)
        actor_answer(self, p->hinted[i].token, msg_new(MSG_WORK_ITEM, sizeof(struct msg_work_item)));
    p->hinted_count -= count;
    memmove(p->hinted, p->hinted + count, p->hinted_count * sizeof p->hinted[0]);
}

static void on_hint(struct actor *self, const struct msg_work_item *m)
{
    struct processor *p = actor_state(self);

    p->hinted[p->hinted_count++] = (struct hinted){.id = m->id, .token = actor_defer(self)};
    try_claim(self);
    if (!p->claiming && p->hinted_count) { /* no room, or no recogniser: the poll will find it */
        p->more = true;
        answer_hints(self, p->hinted_count);
    } else if (p->hinted_count == FLIGHTS_MAX) {
        p->more = true;
        actor_answer(self, p->hinted[--p->hinted_count].token, msg_new(MSG_WORK_ITEM, sizeof(struct msg_work_item)));
    }
}

static void on_claimed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct processor *p = actor_state(self);

    (void)context;
    p->claiming = false;
    answer_hints(self, p->claimed_hints);
    p->claimed_hints = 0;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        log_event(LOG_WARN, "cannot claim",
                  LOG_STR("reason", status == ACTOR_OK ? r->error : actor_status_name(status)));
        return; /* the next look is by the poll */
    }
    p->more |= r->more;
    for (int i = 0; i < r->image_count; i++)
        take_off(self, &r->images[i]);
    try_claim(self);
}

/* `more` remembers that the table may hold due work; a nudge sets it, an answer with less than was asked clears it. */
static void try_claim(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    struct store_claim *m;

    tell_room(self);
    if (p->claiming || (!p->more && !p->hinted_count) || p->stopping || !p->reaped || !p->breaker_closed ||
        p->in_flight >= p->window)
        return;
    p->claiming = true;
    m = STORE_MESSAGE(STORE_CLAIM, store_claim);
    m->max = (int)(p->window - p->in_flight);
    if (p->hinted_count) {
        int64_t *ids = arena_alloc(&m->m.arena, p->hinted_count * sizeof *ids);

        for (; m->id_count < m->max && (uint32_t)m->id_count < p->hinted_count; m->id_count++)
            ids[m->id_count] = p->hinted[m->id_count].id;
        m->ids = ids;
        p->claimed_hints = (uint32_t)m->id_count;
    } else {
        p->more = false;
    }
    m->owner = arena_printf(&m->m.arena, "%s#%llu", config->owner, (unsigned long long)++p->claims);
    m->lease_ms = (int64_t)config->lease_ms;
    actor_ask(self, "store", &m->m.head, STORE_MS, on_claimed, NULL);
}

static void on_renewed(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self;
    (void)context;
    (void)status;
    (void)reply; /* a lease lost is seen when its finish changes nothing */
}

static void renew(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    struct store_renew *m;
    int64_t *ids, *attempts;

    actor_after(self, config->lease_ms / 3, TIMER_RENEW);
    if (p->in_flight == 0)
        return;
    m = STORE_MESSAGE(STORE_RENEW, store_renew);
    m->ids = ids = arena_alloc(&m->m.arena, p->in_flight * sizeof *ids);
    m->attempts = attempts = arena_alloc(&m->m.arena, p->in_flight * sizeof *attempts);
    for (struct flight *f = p->flights; f < p->flights + FLIGHTS_MAX; f++)
        if (f->stage != LANDED) {
            ids[m->count] = f->id;
            attempts[m->count++] = f->attempt;
        }
    m->lease_ms = (int64_t)config->lease_ms;
    actor_ask(self, "store", &m->m.head, STORE_MS, on_renewed, NULL);
}

/* --- at the start: leases of dead processes --- */

static void on_reaped(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct processor *p = actor_state(self);

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK || r->more) {
        actor_after(self, r && r->more ? 0 : FINISH_AGAIN_MS, TIMER_REAP);
        return;
    }
    p->reaped = true;
    p->more = true;
    try_claim(self);
}

static void reap(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);

    m->not_owner = config->owner;
    m->node = config->node;
    m->max_tries = config->tries;
    m->max_crashes = config->crashes;
    actor_ask(self, "store", &m->m.head, STORE_MS, on_reaped, NULL);
}

/* --- the actor --- */

static void on_capacity(struct actor *self, const struct msg_capacity *m)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);

    p->window = (uint32_t)m->ready * config->ahead;
    if (p->window > FLIGHTS_MAX)
        p->window = FLIGHTS_MAX;
    p->more = true;
    try_claim(self);
}

static void on_stopping(struct actor *self)
{
    struct processor *p = actor_state(self);

    p->stopping = true;
    tell_room(self);
    if (p->in_flight == 0)
        actor_reply(self, msg_new(MSG_STOPPED, sizeof(struct msg)));
    else
        p->stop_token = actor_defer(self);
}

static int processor_start(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);

    metric_register(&finished);
    metric_register(&unknown);
    metric_register(&failed);
    metric_register(&retried);
    metric_register(&superseded);
    metric_register(&flying);
    histogram_register(&duration);
    p->breaker_closed = true;
    actor_after(self, config->poll_ms, TIMER_POLL);
    actor_after(self, config->lease_ms / 3, TIMER_RENEW);
    msg_tell(self, "recognizer", MSG_SEND_STATE); /* on a restart they do not tell it by themselves */
    msg_tell(self, "breaker", MSG_SEND_STATE);
    msg_tell(self, "cluster", MSG_SEND_STATE);
    reap(self);
    return 0;
}

static void processor_receive(struct actor *self, const struct msg *m)
{
    struct processor *p = actor_state(self);

    switch (m->type) {
    case MSG_WORK_ITEM:
        on_hint(self, (const struct msg_work_item *)m);
        break;
    case MSG_WORK_ITEMS:
    case MSG_NUDGE:
        p->more = true;
        try_claim(self);
        break;
    case MSG_CAPACITY:
        on_capacity(self, (const struct msg_capacity *)m);
        break;
    case MSG_BREAKER:
        p->breaker_closed = ((const struct msg_breaker *)m)->state == BREAKER_CLOSED;
        p->more = true;
        try_claim(self);
        break;
    case MSG_SEND_STATE:
        p->told_room = -1;
        tell_room(self);
        break;
    case MSG_STOPPING:
        on_stopping(self);
        break;
    }
}

static void processor_timer(struct actor *self, uint32_t timer)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);

    switch (timer) {
    case TIMER_POLL: /* not in step with other nodes */
        actor_after(self, config->poll_ms * 3 / 4 + (uint64_t)random() % (config->poll_ms / 2 + 1), TIMER_POLL);
        /* fall through */
    case TIMER_AGAIN:
        p->more = true;
        try_claim(self);
        break;
    case TIMER_RENEW:
        renew(self);
        break;
    case TIMER_REAP:
        reap(self);
        break;
    case TIMER_FINISH:
        for (struct flight *f = p->flights; f < p->flights + FLIGHTS_MAX; f++)
            if (f->stage == FINISH_AGAIN)
                ask_finish(self, f);
        break;
    }
}

/* A fresh state follows: what is in flight is left to its leases, which nobody renews any more. */
static void processor_stop(struct actor *self)
{
    struct processor *p = actor_state(self);

    for (struct flight *f = p->flights; f < p->flights + FLIGHTS_MAX; f++) {
        msg_unref(f->finish ? &f->finish->m.head : NULL);
    }
}

static const uint32_t processor_accepts[] = {MSG_WORK_ITEM, MSG_WORK_ITEMS, MSG_NUDGE,    MSG_CAPACITY,
                                             MSG_BREAKER,   MSG_SEND_STATE, MSG_STOPPING, 0};

const struct actor_ops processor_actor = {
    .name = "processor",
    .state_size = sizeof(struct processor),
    .start = processor_start,
    .accepts = processor_accepts,
    .receive = processor_receive,
    .timer = processor_timer,
    .stop = processor_stop,
};
