/* The processor with a fake store, recogniser, gallery and work queue, and a fake clock. Included by one file. */
#ifndef KITH_TEST_UNIT_PROCESSOR_WORLD_H
#define KITH_TEST_UNIT_PROCESSOR_WORLD_H

#include "actors/pipeline/processor.h"

#include "test/unit/pipeline_world.h"

enum { ROWS = 8, LEASE_MS = 30000, POLL_MS = 1000, CALL_MS = 600000, BACKOFF_MS = 2000, QUARANTINE_MS = 3600000 };
enum { BACKOFF_MAX_MS = 300000, FINISHES_MAX = 128, RENEWALS_MAX = 64, MSG_ANSWER_CLAIM = 1, MSG_ANSWER_REQUEST };

/* --- the fake store: rows that wait, and what it was asked --- */

static struct {
    struct image rows[ROWS]; /* ids are 1 + the index; status PENDING: due */
    int claims, last_max;
    int64_t last_ids[ROWS];
    int last_id_count;
    bool hold_claims;
    actor_token held_claim;
    struct image claimed[ROWS]; /* of the held claim */
    int claimed_count, claim_status;

    struct {
        uint64_t at_ms;
        int count;
        int64_t ids[ROWS], attempts[ROWS], lease_ms;
    } renewals[RENEWALS_MAX];
    int renewal_count;

    struct {
        uint64_t at_ms;
        int64_t id, attempt, delay_ms;
        int outcome, face_count;
        bool crashed, has_sha256;
        char reason[256];
    } finishes[FINISHES_MAX];
    int finish_count;
    const char
        *script; /* of the next finishes: 'f' the disk is full, 'r' refused for good; its end: they are written */
    bool poison; /* a finish that says "crashed" fails the image as poison */

    int64_t quarantine_ms;
    char quarantined[SHA256_HEX_BYTES];
} db;

static inline void store_answer_claim(struct actor *self)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);

    r->status = db.claim_status;
    r->images = arena_alloc(&r->m.arena, sizeof db.claimed);
    memcpy(r->images, db.claimed, sizeof db.claimed);
    r->image_count = db.claim_status == STORE_OK ? db.claimed_count : 0;
    r->more = db.last_id_count == 0 && db.claimed_count == db.last_max;
    actor_answer(self, db.held_claim, &r->m.head);
}

static inline bool store_wants(const struct store_claim *m, int64_t id)
{
    if (!m->ids)
        return true;
    for (int i = 0; i < m->id_count; i++)
        if (m->ids[i] == id)
            return true;
    return false;
}

static inline void store_claim_rows(struct actor *self, const struct store_claim *m)
{
    db.claims++;
    db.last_max = m->max;
    db.last_id_count = m->id_count;
    if (m->ids)
        memcpy(db.last_ids, m->ids, (size_t)m->id_count * sizeof *m->ids);
    db.claimed_count = 0;
    for (int i = 0; i < ROWS && db.claimed_count < m->max; i++)
        if (db.rows[i].id && db.rows[i].status == IMAGE_PENDING && store_wants(m, db.rows[i].id)) {
            db.rows[i].status = IMAGE_PROCESSING;
            db.rows[i].attempt++;
            db.rows[i].tries++;
            db.claimed[db.claimed_count++] = db.rows[i];
        }
    db.held_claim = actor_defer(self);
    if (!db.hold_claims)
        store_answer_claim(self);
}

static inline void store_renew_leases(struct actor *self, const struct store_renew *m)
{
    assert_true(db.renewal_count < RENEWALS_MAX);
    db.renewals[db.renewal_count].at_ms = actor_now_ms(self);
    db.renewals[db.renewal_count].count = m->count;
    db.renewals[db.renewal_count].lease_ms = m->lease_ms;
    memcpy(db.renewals[db.renewal_count].ids, m->ids, (size_t)m->count * sizeof *m->ids);
    memcpy(db.renewals[db.renewal_count++].attempts, m->attempts, (size_t)m->count * sizeof *m->attempts);
    actor_reply(self, &STORE_MESSAGE(STORE_REPLY, store_reply)->m.head);
}

static inline void store_record_finish(struct actor *self, const struct store_finish *m)
{
    int n = db.finish_count++;

    assert_true(db.finish_count <= FINISHES_MAX);
    db.finishes[n].at_ms = actor_now_ms(self);
    db.finishes[n].id = m->id;
    db.finishes[n].attempt = m->attempt;
    db.finishes[n].delay_ms = m->delay_ms;
    db.finishes[n].outcome = (int)m->outcome;
    db.finishes[n].face_count = m->face_count;
    db.finishes[n].crashed = m->crashed;
    db.finishes[n].has_sha256 = m->sha256 != NULL;
    snprintf(db.finishes[n].reason, sizeof db.finishes[n].reason, "%s", m->reason ? m->reason : "");
}

static inline void store_finish_row(struct actor *self, const struct store_finish *m)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);
    struct image *row = &db.rows[m->id - 1];

    store_record_finish(self, m);
    if (*db.script) {
        r->permanent = *db.script++ == 'r';
        r->status = r->permanent ? STORE_BROKEN : STORE_NO_SPACE;
    } else if (row->attempt == m->attempt) {
        row->status = m->outcome == OUTCOME_FACES                                 ? IMAGE_PROCESSED
                      : m->outcome == OUTCOME_FAILED || (m->crashed && db.poison) ? IMAGE_FAILED
                                                                                  : -1; /* not due again */
        r->images = arena_alloc(&r->m.arena, sizeof *r->images);
        r->images[0] = *row;
        r->images[0].reason = db.poison ? "poison" : "because";
        r->changed = r->image_count = 1;
    }
    actor_reply(self, &r->m.head);
}

static inline void store_receive(struct actor *self, const struct msg *m)
{
    switch (m->type) {
    case STORE_CLAIM:
        store_claim_rows(self, (const struct store_claim *)m);
        break;
    case STORE_RENEW:
        store_renew_leases(self, (const struct store_renew *)m);
        break;
    case STORE_FINISH:
        store_finish_row(self, (const struct store_finish *)m);
        break;
    case STORE_QUARANTINE:
        db.quarantine_ms = ((const struct store_text *)m)->for_ms;
        snprintf(db.quarantined, sizeof db.quarantined, "%s", ((const struct store_text *)m)->text);
        actor_reply(self, &STORE_MESSAGE(STORE_REPLY, store_reply)->m.head);
        break;
    case MSG_ANSWER_CLAIM:
        store_answer_claim(self);
        break;
    default:
        assert_int_equal(m->type, STORE_REAP);
        actor_reply(self, &STORE_MESSAGE(STORE_REPLY, store_reply)->m.head);
    }
}

/* --- the other neighbours --- */

static struct {
    int outcome; /* of the recogniser; -1: no answer */
    int asked, quarantine_told, unknown_told;
    actor_token held;
    int items_answered;
    int64_t capacity;
    bool stopped;
} world;

static const float embedding[2] = {1, 0};

static struct worker_event *event_with_a_face(void)
{
    struct worker_event *e = (struct worker_event *)msg_new(WORKER_DONE, sizeof *e);
    static struct face face;

    e->faces = &face;
    e->face_count = 1;
    return e;
}

static inline void recognizer_receive(struct actor *self, const struct msg *m)
{
    struct msg_recognized *r;

    if (m->type == MSG_QUARANTINE)
        world.quarantine_told++;
    if (m->type == MSG_ANSWER_REQUEST)
        actor_answer(self, world.held, &msg_recognized_new(RECOGNIZED_BAD_IMAGE, "not an image")->head);
    if (m->type != MSG_RECOGNIZE)
        return;
    world.asked++;
    if (world.outcome < 0) {
        world.held = actor_defer(self);
        return;
    }
    r = msg_recognized_new(world.outcome, "as the test says");
    snprintf(r->sha256, sizeof r->sha256, "%s", "abc");
    if (world.outcome == RECOGNIZED_OK)
        r->event = event_with_a_face();
    actor_reply(self, &r->head);
}

static inline void gallery_receive(struct actor *self, const struct msg *m)
{
    struct msg_matched *matched;

    if (m->type == MSG_FOUND_UNKNOWN)
        world.unknown_told++;
    if (m->type != MSG_MATCH)
        return;
    matched = msg_matched_new(((const struct msg_match *)m)->event);
    matched->face_count = 1;
    matched->faces = arena_alloc(&matched->arena, sizeof *matched->faces);
    matched->faces[0] = (struct face){.model = "m", .embedding = embedding, .dimension = 2, .person = 5};
    actor_reply(self, &matched->head);
}

static inline void work_queue_on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context, (void)reply;
    world.items_answered += status == ACTOR_OK;
}

/* Passes on the items that the test gives it. */
static inline void work_queue_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_CAPACITY_LEFT)
        world.capacity = ((const struct msg_count *)m)->count;
    else
        actor_ask(self, "processor", msg_ref(m), CALL_MS, work_queue_on_answer, NULL);
}

static inline void serve_on_stopped(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context, (void)reply;
    world.stopped = status == ACTOR_OK;
}

static inline void serve_receive(struct actor *self, const struct msg *m)
{
    actor_ask(self, "processor", msg_ref(m), CALL_MS, serve_on_stopped, NULL);
}

static const struct actor_ops fake_store = {.name = "store", .receive = store_receive};
static const struct actor_ops fake_recognizer = {.name = "recognizer", .receive = recognizer_receive};
static const struct actor_ops fake_gallery = {.name = "gallery", .receive = gallery_receive};
static const struct actor_ops fake_work_queue = {.name = "work_queue", .receive = work_queue_receive};
static const struct actor_ops fake_serve = {.name = "serve", .receive = serve_receive};

/* --- what a test does --- */

static inline void add_row(int64_t id, int64_t attempt, int64_t tries)
{
    db.rows[id - 1] = (struct image){.id = id, .path = "/a", .attempt = attempt, .tries = tries};
}

static inline void nudge(void)
{
    tell("processor", msg_new(MSG_NUDGE, sizeof(struct msg)));
}

static inline void set_ready_workers(int ready)
{
    struct msg_capacity *m = (struct msg_capacity *)msg_new(MSG_CAPACITY, sizeof *m);

    m->workers = m->ready = ready;
    tell("processor", &m->head);
}

static inline void set_breaker(int state)
{
    struct msg_breaker *m = (struct msg_breaker *)msg_new(MSG_BREAKER, sizeof *m);

    m->state = state;
    tell("processor", &m->head);
}

static inline void bring_item(int64_t id)
{
    struct msg_work_item *m = (struct msg_work_item *)msg_new(MSG_WORK_ITEM, sizeof *m);

    m->id = id;
    tell("work_queue", &m->head);
}

static inline void answer_claim(void)
{
    tell("store", msg_new(MSG_ANSWER_CLAIM, sizeof(struct msg)));
}

static const struct processor_config config = {.owner = "node/1",
                                               .node = "node",
                                               .recognizer = "recognizer",
                                               .work_queue = true,
                                               .ahead = 1,
                                               .lease_ms = LEASE_MS,
                                               .poll_ms = POLL_MS,
                                               .call_ms = CALL_MS,
                                               .backoff_ms = BACKOFF_MS,
                                               .tries = 5,
                                               .crashes = 3,
                                               .quarantine_ms = QUARANTINE_MS};

static int setup(void **state)
{
    (void)state;
    memset(&db, 0, sizeof db);
    memset(&world, 0, sizeof world);
    world.outcome = -1;
    db.script = "";
    new_system();
    spawn(&fake_store, NULL);
    spawn(&fake_work_queue, NULL);
    spawn(&fake_gallery, NULL);
    spawn(&fake_recognizer, NULL);
    spawn(&processor_actor, &config);
    spawn(&fake_serve, NULL);
    settle();
    set_ready_workers(2);
    db.claims = 0;
    return 0;
}

#endif
