/* The processor with a fake store, recogniser, gallery and work queue, and a fake clock. */
#include "actors/pipeline/processor.h"

#include "actors/messages.h"
#include "core/actor/system.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <stdio.h>
#include <string.h>

enum { ROWS = 8, LEASE_MS = 30000, POLL_MS = 1000, CALL_MS = 600000, BACKOFF_MS = 2000, QUARANTINE_MS = 3600000 };
enum { BACKOFF_MAX_MS = 300000, FINISHES_MAX = 128, RENEWALS_MAX = 64, MSG_ANSWER_CLAIM = 1, MSG_ANSWER_REQUEST };

static struct fake_clock fake;
static struct actor_system *sys;

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

static void store_answer_claim(struct actor *self)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);

    r->status = db.claim_status;
    r->images = arena_alloc(&r->m.arena, sizeof db.claimed);
    memcpy(r->images, db.claimed, sizeof db.claimed);
    r->image_count = db.claim_status == STORE_OK ? db.claimed_count : 0;
    r->more = db.last_id_count == 0 && db.claimed_count == db.last_max;
    actor_answer(self, db.held_claim, &r->m.head);
}

static bool store_wants(const struct store_claim *m, int64_t id)
{
    if (!m->ids)
        return true;
    for (int i = 0; i < m->id_count; i++)
        if (m->ids[i] == id)
            return true;
    return false;
}

static void store_claim_rows(struct actor *self, const struct store_claim *m)
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

static void store_renew_leases(struct actor *self, const struct store_renew *m)
{
    assert_true(db.renewal_count < RENEWALS_MAX);
    db.renewals[db.renewal_count].at_ms = actor_now_ms(self);
    db.renewals[db.renewal_count].count = m->count;
    db.renewals[db.renewal_count].lease_ms = m->lease_ms;
    memcpy(db.renewals[db.renewal_count].ids, m->ids, (size_t)m->count * sizeof *m->ids);
    memcpy(db.renewals[db.renewal_count++].attempts, m->attempts, (size_t)m->count * sizeof *m->attempts);
    actor_reply(self, &STORE_MESSAGE(STORE_REPLY, store_reply)->m.head);
}

static void store_record_finish(struct actor *self, const struct store_finish *m)
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

static void store_finish_row(struct actor *self, const struct store_finish *m)
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

static void store_receive(struct actor *self, const struct msg *m)
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

static void recognizer_receive(struct actor *self, const struct msg *m)
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

static void gallery_receive(struct actor *self, const struct msg *m)
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

static void work_queue_on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context, (void)reply;
    world.items_answered += status == ACTOR_OK;
}

/* Passes on the items that the test gives it. */
static void work_queue_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_CAPACITY_LEFT)
        world.capacity = ((const struct msg_count *)m)->count;
    else
        actor_ask(self, "processor", msg_ref(m), CALL_MS, work_queue_on_answer, NULL);
}

static void serve_on_stopped(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context, (void)reply;
    world.stopped = status == ACTOR_OK;
}

static void serve_receive(struct actor *self, const struct msg *m)
{
    actor_ask(self, "processor", msg_ref(m), CALL_MS, serve_on_stopped, NULL);
}

static const struct actor_ops fake_store = {.name = "store", .receive = store_receive};
static const struct actor_ops fake_recognizer = {.name = "recognizer", .receive = recognizer_receive};
static const struct actor_ops fake_gallery = {.name = "gallery", .receive = gallery_receive};
static const struct actor_ops fake_work_queue = {.name = "work_queue", .receive = work_queue_receive};
static const struct actor_ops fake_serve = {.name = "serve", .receive = serve_receive};

/* --- what a test does --- */

static void settle(void)
{
    while (actor_system_turn(sys))
        ;
}

static void advance(uint64_t ms)
{
    fake_clock_advance_ms(&fake, ms);
    settle();
}

static uint64_t now_ms(void)
{
    return fake.ns / 1000000;
}

static void tell(const char *to, struct msg *m)
{
    actor_system_tell(sys, to, m);
    settle();
}

static void add_row(int64_t id, int64_t attempt, int64_t tries)
{
    db.rows[id - 1] = (struct image){.id = id, .path = "/a", .attempt = attempt, .tries = tries};
}

static void nudge(void)
{
    tell("processor", msg_new(MSG_NUDGE, sizeof(struct msg)));
}

static void set_ready_workers(int ready)
{
    struct msg_capacity *m = (struct msg_capacity *)msg_new(MSG_CAPACITY, sizeof *m);

    m->workers = m->ready = ready;
    tell("processor", &m->head);
}

static void set_breaker(int state)
{
    struct msg_breaker *m = (struct msg_breaker *)msg_new(MSG_BREAKER, sizeof *m);

    m->state = state;
    tell("processor", &m->head);
}

static void bring_item(int64_t id)
{
    struct msg_work_item *m = (struct msg_work_item *)msg_new(MSG_WORK_ITEM, sizeof *m);

    m->id = id;
    tell("work_queue", &m->head);
}

static void answer_claim(void)
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
    struct actor_system_options options = {.now_ns = fake_clock_now, .clock_context = &fake};

    (void)state;
    fake.ns = 1000000000;
    memset(&db, 0, sizeof db);
    memset(&world, 0, sizeof world);
    world.outcome = -1;
    db.script = "";
    sys = actor_system_new(&options);
    actor_spawn(sys, &(struct actor_spec){.name = "store", .ops = &fake_store});
    actor_spawn(sys, &(struct actor_spec){.name = "work_queue", .ops = &fake_work_queue});
    actor_spawn(sys, &(struct actor_spec){.name = "gallery", .ops = &fake_gallery});
    actor_spawn(sys, &(struct actor_spec){.name = "recognizer", .ops = &fake_recognizer});
    actor_spawn(sys, &(struct actor_spec){.name = "processor", .ops = &processor_actor, .config = &config});
    actor_spawn(sys, &(struct actor_spec){.name = "serve", .ops = &fake_serve});
    settle();
    set_ready_workers(2);
    db.claims = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    actor_system_free(sys);
    return 0;
}

/* --- leases --- */

static void test_leases_are_renewed_when_less_than_half_has_passed(void **state)
{
    enum { STEP_MS = LEASE_MS / 30 };
    uint64_t last_ms;

    (void)state;
    advance(POLL_MS); /* the claim falls between two renewals */
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(world.asked, 1);
    last_ms = now_ms();
    for (int i = 0; i < 300; i++) { /* ten leases long */
        int renewals = db.renewal_count;

        advance(STEP_MS);
        assert_true(now_ms() - last_ms < LEASE_MS / 2);
        if (db.renewal_count > renewals)
            last_ms = now_ms();
    }
    assert_int_equal(db.renewals[0].lease_ms, LEASE_MS);
}

static void test_a_renewal_carries_the_fencing_token_of_each_job(void **state)
{
    (void)state;
    add_row(1, 6, 0);
    add_row(2, 40, 0);
    nudge();
    advance(LEASE_MS / 3);
    assert_int_equal(db.renewals[0].count, 2);
    for (int i = 0; i < 2; i++) {
        int64_t id = db.renewals[0].ids[i];

        assert_true(id == 1 || id == 2);
        assert_int_equal(db.renewals[0].attempts[i], id == 1 ? 7 : 41);
    }
}

static void test_an_ended_job_is_not_renewed(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(db.finish_count, 1);
    advance(LEASE_MS);
    assert_int_equal(db.renewal_count, 0);
}

static void test_a_job_is_renewed_while_its_finish_backs_off(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "ffffffffffffffff";
    add_row(1, 0, 0);
    nudge();
    advance(LEASE_MS / 3);
    assert_int_equal(db.renewals[0].count, 1);
}

/* --- what is written back --- */

static void test_faces_are_finished_under_the_fencing_token(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    add_row(1, 6, 0);
    nudge();
    assert_int_equal(db.finish_count, 1);
    assert_int_equal(db.finishes[0].outcome, OUTCOME_FACES);
    assert_int_equal(db.finishes[0].attempt, 7);
    assert_int_equal(db.finishes[0].face_count, 1);
}

static void test_the_back_off_of_a_retry_doubles_up_to_a_limit(void **state)
{
    static const int outcomes[] = {RECOGNIZED_FAILED, RECOGNIZED_CRASHED, RECOGNIZED_TIMEOUT, RECOGNIZED_UNAVAILABLE};
    int64_t expected = BACKOFF_MS;

    (void)state;
    for (int tries = 0; tries < 100; tries++) {
        world.outcome = outcomes[tries % 4];
        add_row(1, 0, tries);
        nudge();
        assert_int_equal(db.finish_count, tries + 1);
        assert_int_equal(db.finishes[tries].outcome, OUTCOME_RETRY);
        assert_int_equal(db.finishes[tries].crashed, world.outcome == RECOGNIZED_CRASHED);
        assert_int_equal(db.finishes[tries].delay_ms, expected);
        expected = expected * 2 < BACKOFF_MAX_MS ? expected * 2 : BACKOFF_MAX_MS;
    }
}

static void test_who_is_busy_or_open_costs_no_try(void **state)
{
    static const int outcomes[] = {RECOGNIZED_BUSY, RECOGNIZED_OPEN, RECOGNIZED_STOPPING};

    (void)state;
    for (int i = 0; i < 3; i++) {
        world.outcome = outcomes[i];
        add_row(1, 0, 0);
        nudge();
        assert_int_equal(db.finishes[i].outcome, OUTCOME_RELEASE);
    }
}

static void test_a_recogniser_that_never_answers_costs_a_try(void **state)
{
    (void)state;
    add_row(1, 0, 0);
    nudge();
    advance(CALL_MS);
    assert_int_equal(db.finish_count, 1);
    assert_int_equal(db.finishes[0].outcome, OUTCOME_RETRY);
    assert_int_equal(db.finishes[0].delay_ms, BACKOFF_MS);
}

static void test_poison_is_in_quarantine_for_the_time_of_the_setting(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_CRASHED;
    db.poison = true;
    add_row(1, 2, 2);
    nudge();
    assert_int_equal(db.quarantine_ms, QUARANTINE_MS);
    assert_string_equal(db.quarantined, "abc");
    assert_int_equal(world.quarantine_told, 1);
}

/* --- a store that cannot write, or will not --- */

static void test_a_finish_that_fails_now_is_repeated_with_back_off(void **state)
{
    static const uint64_t waits[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};

    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "fffffff";
    add_row(1, 0, 0);
    nudge();
    for (int i = 0; i < 7; i++) {
        assert_int_equal(db.finish_count, i + 1);
        advance(waits[i] - 1);
        assert_int_equal(db.finish_count, i + 1);
        advance(1);
    }
    assert_int_equal(db.finish_count, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(db.finishes[i].outcome, OUTCOME_FACES);
        assert_int_equal(db.finishes[i].face_count, 1);
    }
    assert_int_equal(db.rows[0].status, IMAGE_PROCESSED);
}

static void test_a_result_that_is_refused_for_good_becomes_a_failure_without_data(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "r";
    add_row(1, 6, 0);
    nudge();
    assert_int_equal(db.finish_count, 2);
    assert_int_equal(db.finishes[1].at_ms, db.finishes[0].at_ms);
    assert_int_equal(db.finishes[1].outcome, OUTCOME_FAILED);
    assert_int_equal(db.finishes[1].attempt, 7);
    assert_int_equal(db.finishes[1].face_count, 0);
    assert_false(db.finishes[1].has_sha256);
    assert_string_equal(db.finishes[1].reason, "the database refused the result; the log has the reason");
    assert_int_equal(db.rows[0].status, IMAGE_FAILED);
}

static void test_a_failure_in_place_of_a_result_is_repeated_when_the_disk_is_full(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "rf";
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(db.finish_count, 2);
    advance(500);
    assert_int_equal(db.finish_count, 3);
    assert_int_equal(db.finishes[2].outcome, OUTCOME_FAILED);
    assert_int_equal(db.rows[0].status, IMAGE_FAILED);
}

static void test_a_job_that_can_never_be_finished_is_dropped_and_does_not_block_the_queue(void **state)
{
    (void)state;
    set_ready_workers(1); /* one place: a stuck job would be all that runs */
    world.outcome = RECOGNIZED_OK;
    db.script = "rr";
    add_row(1, 0, 0);
    add_row(2, 0, 0);
    nudge();
    assert_int_equal(db.finishes[0].id, 1);
    assert_int_equal(db.finishes[1].id, 1);
    assert_int_equal(db.finishes[2].id, 2);
    assert_int_equal(db.rows[0].status, IMAGE_PROCESSING);
    assert_int_equal(db.rows[1].status, IMAGE_PROCESSED);
    advance(2 * LEASE_MS);
    assert_int_equal(db.finish_count, 3);  /* not asked again */
    assert_int_equal(db.renewal_count, 0); /* and its lease ends */
}

/* --- claims and the work queue --- */

static void test_a_work_item_is_answered_after_its_claim_has_committed(void **state)
{
    (void)state;
    add_row(3, 0, 0);
    db.hold_claims = true;
    bring_item(3);
    assert_int_equal(db.claims, 1);
    assert_int_equal(db.last_id_count, 1);
    assert_int_equal(db.last_ids[0], 3);
    advance(POLL_MS);
    assert_int_equal(world.items_answered, 0);
    answer_claim();
    assert_int_equal(world.items_answered, 1);
    assert_int_equal(world.asked, 1);
}

static void test_a_work_item_is_answered_when_its_claim_is_refused(void **state)
{
    (void)state;
    bring_item(3); /* another node has it */
    assert_int_equal(world.items_answered, 1);
    db.claim_status = STORE_AWAY;
    bring_item(4);
    assert_int_equal(world.items_answered, 2);
    assert_int_equal(world.asked, 0);
}

static void test_a_work_item_without_capacity_is_left_to_the_poll(void **state)
{
    (void)state;
    set_ready_workers(0);
    add_row(3, 0, 0);
    bring_item(3);
    assert_int_equal(world.items_answered, 1);
    assert_int_equal(world.asked, 0);
    set_ready_workers(1);
    assert_int_equal(world.asked, 1);
}

static void test_the_work_queue_hears_how_many_more_can_be_claimed(void **state)
{
    (void)state;
    assert_int_equal(world.capacity, 2);
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(world.capacity, 1);
    set_breaker(BREAKER_OPEN);
    assert_int_equal(world.capacity, 0);
}

static void test_a_work_queue_that_restarts_hears_the_capacity_again(void **state)
{
    (void)state;
    world.capacity = 0;
    tell("processor", msg_new(MSG_SEND_STATE, sizeof(struct msg)));
    assert_int_equal(world.capacity, 2);
}

static void test_no_more_is_claimed_than_workers_can_take(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++)
        add_row(i, 0, 0);
    nudge();
    assert_int_equal(db.last_max, 2);
    assert_int_equal(world.asked, 2);
    advance(10 * POLL_MS);
    assert_int_equal(world.asked, 2);
}

static void test_nothing_is_claimed_while_the_breaker_is_not_closed(void **state)
{
    static const int states[] = {BREAKER_OPEN, BREAKER_PROBING};
    int claims;

    (void)state;
    add_row(1, 0, 0);
    for (int i = 0; i < 2; i++) {
        set_breaker(states[i]);
        claims = db.claims;
        nudge();
        advance(5 * POLL_MS);
        assert_int_equal(db.claims, claims);
    }
    set_breaker(BREAKER_CLOSED);
    assert_int_equal(world.asked, 1);
}

static void test_the_poll_finds_rows_that_nobody_announced(void **state)
{
    (void)state;
    add_row(1, 0, 0);
    advance(POLL_MS * 5 / 4);
    assert_int_equal(world.asked, 1);
}

static void test_at_the_shutdown_jobs_end_and_nothing_is_claimed(void **state)
{
    (void)state;
    add_row(1, 0, 0);
    nudge();
    tell("serve", msg_new(MSG_STOPPING, sizeof(struct msg)));
    add_row(2, 0, 0);
    nudge();
    advance(10 * POLL_MS);
    assert_false(world.stopped);
    assert_int_equal(world.asked, 1);
    tell("recognizer", msg_new(MSG_ANSWER_REQUEST, sizeof(struct msg)));
    assert_int_equal(db.rows[0].status, IMAGE_FAILED);
    assert_true(world.stopped);
    assert_int_equal(world.asked, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_leases_are_renewed_when_less_than_half_has_passed),
        TEST(test_a_renewal_carries_the_fencing_token_of_each_job),
        TEST(test_an_ended_job_is_not_renewed),
        TEST(test_a_job_is_renewed_while_its_finish_backs_off),
        TEST(test_faces_are_finished_under_the_fencing_token),
        TEST(test_the_back_off_of_a_retry_doubles_up_to_a_limit),
        TEST(test_who_is_busy_or_open_costs_no_try),
        TEST(test_a_recogniser_that_never_answers_costs_a_try),
        TEST(test_poison_is_in_quarantine_for_the_time_of_the_setting),
        TEST(test_a_finish_that_fails_now_is_repeated_with_back_off),
        TEST(test_a_result_that_is_refused_for_good_becomes_a_failure_without_data),
        TEST(test_a_failure_in_place_of_a_result_is_repeated_when_the_disk_is_full),
        TEST(test_a_job_that_can_never_be_finished_is_dropped_and_does_not_block_the_queue),
        TEST(test_a_work_item_is_answered_after_its_claim_has_committed),
        TEST(test_a_work_item_is_answered_when_its_claim_is_refused),
        TEST(test_a_work_item_without_capacity_is_left_to_the_poll),
        TEST(test_the_work_queue_hears_how_many_more_can_be_claimed),
        TEST(test_a_work_queue_that_restarts_hears_the_capacity_again),
        TEST(test_no_more_is_claimed_than_workers_can_take),
        TEST(test_nothing_is_claimed_while_the_breaker_is_not_closed),
        TEST(test_the_poll_finds_rows_that_nobody_announced),
        TEST(test_at_the_shutdown_jobs_end_and_nothing_is_claimed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
