/* The recogniser with fake workers, files that the test opens, a fake store, a fake breaker and a fake clock. */
#include "actors/pipeline/recognizer.h"

#include "actors/messages.h"
#include "core/actor/system.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS_MAX = 64, OPEN_MS = 1000, WAIT_MS = 3000, RECOGNIZE_MS = 4000, START_MS = 5000 };

static struct fake_clock fake;
static struct actor_system *sys;

/* --- the fake workers, in place of plugins/host --- */

struct worker {
    uint64_t number, serial; /* serial: of its job; 0: it has none */
    struct actor *actor;
    bool killed;
    int quarantined; /* hashes of the last list; -1: it got none */
    uint64_t started_ms;
};

static struct {
    struct worker workers[WORKERS_MAX]; /* in the order of their starts */
    int started, jobs;
    bool refuse_start;
} host;

struct worker *worker_start(const struct worker_options *options, uint64_t number, struct error *error)
{
    struct worker *w = &host.workers[host.started++];

    assert_true(host.started <= WORKERS_MAX);
    *w = (struct worker){.number = number, .actor = options->actor, .quarantined = -1, .started_ms = fake.ns / 1000000};
    if (host.refuse_start)
        error_set(error, -EAGAIN, "no process");
    return host.refuse_start ? NULL : w;
}

int worker_send(struct worker *w, uint64_t serial, const struct packet_job *job, const char *path, int fd)
{
    (void)job, (void)path, (void)fd;
    assert_int_equal(w->serial, 0);
    w->serial = serial;
    host.jobs++;
    return 0;
}

void worker_quarantine(struct worker *w, const char *hashes, size_t count)
{
    (void)hashes;
    w->quarantined = (int)count;
}

static struct worker_event *worker_event(const struct worker *w, uint32_t type)
{
    struct worker_event *e = (struct worker_event *)msg_new(type, sizeof *e);

    e->worker = w->number;
    snprintf(e->hello.name, sizeof e->hello.name, "fake");
    snprintf(e->hello.model, sizeof e->hello.model, "m");
    return e;
}

void worker_kill(struct worker *w)
{
    struct worker_event *e = worker_event(w, WORKER_GONE);

    w->killed = true;
    snprintf(e->words, sizeof e->words, "killed");
    actor_post(sys, w->actor, &e->head);
}

void worker_free(struct worker *w)
{
    (void)w;
}

int worker_pid(const struct worker *w)
{
    return (int)w->number;
}

int worker_memory(const void *data, size_t len)
{
    (void)data, (void)len;
    return -ENOMEM;
}

/* --- files: opened at once, or when the test says so --- */

static struct {
    bool hang;
    struct msg *job;
    struct actor *to;
    offload_work_fn work;
} disk;

int offload_run(struct offload *offload, struct actor *to, struct msg *job, offload_work_fn work)
{
    (void)offload;
    disk.job = job;
    disk.to = to;
    disk.work = work;
    if (!disk.hang) {
        work(job);
        actor_post(sys, to, job);
    }
    return ACTOR_OK;
}

int path_open(const struct path_roots *roots, const char *name, struct error *error)
{
    (void)roots;
    return strcmp(name, "/missing") == 0 ? error_set(error, -EACCES, "no such file")
                                         : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* --- the neighbours --- */

static struct {
    int quarantined; /* hashes that the store has */
    struct msg_outcome outcomes[64];
    int told, state_asked;
    int answers, last_outcome;
    char last_reason[REASON_BYTES];
} world;

static void store_receive(struct actor *self, const struct msg *m)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);
    const char **texts = arena_alloc(&r->m.arena, 8 * sizeof *texts);

    assert_int_equal(m->type, STORE_QUARANTINED);
    for (int i = 0; i < world.quarantined; i++)
        texts[i] = "00";
    r->texts = texts;
    r->text_count = world.quarantined;
    actor_reply(self, &r->m.head);
}

static void breaker_receive(struct actor *self, const struct msg *m)
{
    (void)self;
    if (m->type == MSG_OUTCOME)
        world.outcomes[world.told++] = *(const struct msg_outcome *)m;
    else
        world.state_asked += m->type == MSG_SEND_STATE;
}

static void asker_on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_recognized *r = (const struct msg_recognized *)reply;

    (void)self, (void)context;
    if (status != ACTOR_OK)
        return; /* the test has ended */
    world.answers++;
    world.last_outcome = r->outcome;
    snprintf(world.last_reason, sizeof world.last_reason, "%s", r->reason);
}

static void asker_receive(struct actor *self, const struct msg *m)
{
    actor_ask(self, "recognizer", msg_ref(m), 600000, asker_on_answer, NULL);
}

static const struct actor_ops fake_store = {.name = "store", .receive = store_receive};
static const struct actor_ops fake_breaker = {.name = "breaker", .receive = breaker_receive};
static const struct actor_ops asker = {.name = "asker", .receive = asker_receive};

/* --- what a test does --- */

static bool woken; /* something was posted */

static void wake(void *context)
{
    (void)context;
    woken = true;
}

static void settle(void)
{
    do
        woken = false;
    while (actor_system_turn(sys) || woken);
}

static void advance(uint64_t ms)
{
    fake_clock_advance_ms(&fake, ms);
    settle();
}

static void ask_for(int kind, const char *path)
{
    actor_system_tell(sys, "asker", &msg_recognize_new(kind, path, NULL, 0)->head);
    settle();
}

static void ask(void)
{
    ask_for(JOB_RECOGNIZE, "/a");
}

static void post_event(const struct worker *w, struct worker_event *e)
{
    actor_post(sys, w->actor, &e->head);
    settle();
}

static void be_ready(int i)
{
    post_event(&host.workers[i], worker_event(&host.workers[i], WORKER_READY));
}

static void finish_job(int i, uint32_t status)
{
    struct worker *w = &host.workers[i];
    struct worker_event *e = worker_event(w, WORKER_DONE);

    assert_int_not_equal(w->serial, 0);
    e->serial = w->serial;
    e->done.status = status;
    w->serial = 0;
    post_event(w, e);
}

static void tell_breaker_state(int state, uint32_t generation)
{
    struct msg_breaker *m = (struct msg_breaker *)msg_new(MSG_BREAKER, sizeof *m);

    m->state = state;
    m->generation = generation;
    snprintf(m->reason, sizeof m->reason, "it crashed");
    actor_system_tell(sys, "recognizer", &m->head);
    settle();
}

static struct recognizer_config config = {.workers = 1,
                                          .queue_max = 4,
                                          .open_ms = OPEN_MS,
                                          .wait_ms = WAIT_MS,
                                          .recognize_ms = RECOGNIZE_MS,
                                          .start_ms = START_MS,
                                          .images_max = 1000,
                                          .memory_max = 1 << 30};

static int setup(void **state)
{
    struct actor_system_options options = {.now_ns = fake_clock_now, .clock_context = &fake, .wake = wake};

    (void)state;
    fake.ns = 1000000000;
    memset(&host, 0, sizeof host);
    memset(&disk, 0, sizeof disk);
    memset(&world, 0, sizeof world);
    sys = actor_system_new(&options);
    actor_spawn(sys, &(struct actor_spec){.name = "store", .ops = &fake_store});
    actor_spawn(sys, &(struct actor_spec){.name = "breaker", .ops = &fake_breaker});
    actor_spawn(sys, &(struct actor_spec){.name = "recognizer", .ops = &recognizer_actor, .config = &config});
    actor_spawn(sys, &(struct actor_spec){.name = "asker", .ops = &asker});
    settle();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    actor_system_free(sys);
    return 0;
}

/* --- the breaker --- */

static void test_an_open_breaker_lets_only_its_check_through(void **state)
{
    static const int states[] = {BREAKER_OPEN, BREAKER_PROBING};

    (void)state;
    be_ready(0);
    for (int i = 0; i < 2; i++) {
        tell_breaker_state(states[i], 7);
        ask();
        assert_int_equal(world.last_outcome, RECOGNIZED_OPEN);
        assert_string_equal(world.last_reason, "it crashed");
    }
    assert_int_equal(host.jobs, 0);
    ask_for(JOB_HEALTH, "/check");
    assert_int_equal(host.jobs, 1);
    finish_job(0, WORK_OK);
    tell_breaker_state(BREAKER_CLOSED, 8);
    ask();
    assert_int_equal(host.jobs, 2);
    assert_int_equal(world.told, 0); /* neither refusals nor the check */
}

static void test_each_outcome_is_told_once(void **state)
{
    static const struct {
        uint32_t status;
        int outcome;
    } ends[] = {{WORK_OK, RECOGNIZED_OK},
                {WORK_BAD_IMAGE, RECOGNIZED_BAD_IMAGE},
                {WORK_QUARANTINED, RECOGNIZED_POISON},
                {WORK_FAILED, RECOGNIZED_FAILED}};

    (void)state;
    be_ready(0);
    for (int i = 0; i < 4; i++) {
        ask();
        finish_job(0, ends[i].status);
        assert_int_equal(world.answers, i + 1);
        assert_int_equal(world.last_outcome, ends[i].outcome);
        assert_int_equal(world.told, i + 1);
        assert_int_equal(world.outcomes[i].outcome, ends[i].outcome);
    }
}

static void test_an_outcome_carries_the_generation_that_let_it_through(void **state)
{
    (void)state;
    be_ready(0);
    tell_breaker_state(BREAKER_CLOSED, 5);
    ask();
    tell_breaker_state(BREAKER_CLOSED, 6);
    finish_job(0, WORK_FAILED);
    assert_int_equal(world.outcomes[0].generation, 5);
}

static void test_a_restart_asks_for_the_state_of_the_breaker(void **state)
{
    int asked = world.state_asked;

    (void)state;
    assert_int_equal(actor_system_fail(sys, "recognizer", "on purpose"), ACTOR_OK);
    settle();
    advance(1000);
    assert_int_equal(world.state_asked, asked + 1);
}

/* --- time limits --- */

static void test_a_worker_that_hangs_is_killed_and_counts_as_a_failure(void **state)
{
    (void)state;
    be_ready(0);
    ask();
    advance(RECOGNIZE_MS - 1);
    assert_false(host.workers[0].killed);
    advance(1);
    assert_true(host.workers[0].killed);
    assert_int_equal(world.last_outcome, RECOGNIZED_TIMEOUT);
    assert_int_equal(world.told, 1);
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_TIMEOUT);
}

static void test_a_file_that_is_not_opened_in_time_counts_as_a_failure(void **state)
{
    (void)state;
    be_ready(0);
    disk.hang = true;
    ask();
    advance(OPEN_MS - 1);
    assert_int_equal(world.answers, 0);
    advance(1);
    assert_int_equal(world.last_outcome, RECOGNIZED_TIMEOUT);
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_TIMEOUT);
    disk.work(disk.job); /* the disk comes back */
    actor_post(sys, disk.to, disk.job);
    settle();
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.told, 1);
    assert_int_equal(host.jobs, 0);
}

static void test_a_request_that_no_worker_takes_is_busy_and_counts_for_nothing(void **state)
{
    (void)state;
    advance(START_MS / 2); /* the worker starts, and is not ready */
    ask();
    advance(WAIT_MS / 2);
    ask();
    advance(WAIT_MS / 2 - 501);
    assert_int_equal(world.answers, 0);
    be_ready(0);
    assert_int_equal(host.jobs, 1);
    advance(500); /* the worker has the first, the second waits */
    assert_int_equal(world.answers, 0);
    finish_job(0, WORK_OK);
    ask(); /* the worker has the second, the third waits */
    advance(WAIT_MS - 1);
    assert_int_equal(world.answers, 1);
    advance(1);
    assert_int_equal(world.answers, 2);
    assert_int_equal(world.last_outcome, RECOGNIZED_BUSY);
    assert_int_equal(world.told, 1);
    finish_job(0, WORK_OK);
    assert_int_equal(world.last_outcome, RECOGNIZED_OK);
}

static void test_more_requests_than_the_limit_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        ask();
    assert_int_equal(world.answers, 0);
    ask();
    assert_int_equal(world.last_outcome, RECOGNIZED_BUSY);
    assert_non_null(strstr(world.last_reason, "KITH_WORKER_QUEUE"));
    assert_int_equal(world.told, 0);
    be_ready(0);
    for (int i = 0; i < 4; i++)
        finish_job(0, WORK_OK);
    assert_int_equal(world.answers, 5);
}

/* --- workers --- */

static void test_the_back_off_of_a_failed_start_doubles_up_to_a_limit(void **state)
{
    static const uint64_t waits[] = {200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};

    (void)state;
    host.refuse_start = true;
    worker_kill(&host.workers[0]);
    settle();
    for (int i = 0; i < 9; i++) {
        int started = host.started;

        advance(waits[i] - 1);
        assert_int_equal(host.started, started);
        advance(1);
        assert_int_equal(host.started, started + 1);
    }
    ask();
    assert_int_equal(world.last_outcome, RECOGNIZED_UNAVAILABLE);
    assert_string_equal(world.last_reason, "no process");
    host.refuse_start = false;
    advance(10000);
    be_ready(host.started - 1);
    worker_kill(&host.workers[host.started - 1]); /* a start that succeeded ends the doubling */
    settle();
    advance(200);
    assert_int_equal(host.started, 12);
}

static void test_a_crash_costs_its_request_and_no_other(void **state)
{
    (void)state;
    be_ready(0);
    ask();
    ask();
    worker_kill(&host.workers[0]);
    settle();
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.last_outcome, RECOGNIZED_CRASHED);
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_CRASHED);
    advance(200);
    be_ready(1);
    finish_job(1, WORK_OK);
    assert_int_equal(world.answers, 2);
    assert_int_equal(world.last_outcome, RECOGNIZED_OK);
}

static void test_a_recycled_worker_is_replaced_at_once(void **state)
{
    (void)state;
    config.images_max = 2;
    be_ready(0);
    for (int i = 0; i < 2; i++) {
        ask();
        finish_job(0, WORK_OK);
    }
    config.images_max = 1000;
    assert_true(host.workers[0].killed);
    advance(0);
    assert_int_equal(host.started, 2);
    assert_int_equal(world.last_outcome, RECOGNIZED_OK);
}

/* --- quarantine --- */

static void test_the_quarantine_ends_in_the_workers_too(void **state)
{
    (void)state;
    be_ready(0);
    assert_int_equal(host.workers[0].quarantined, -1);
    world.quarantined = 3;
    actor_system_tell(sys, "recognizer", msg_new(MSG_QUARANTINE, sizeof(struct msg)));
    settle();
    assert_int_equal(host.workers[0].quarantined, 3);
    world.quarantined = 0; /* its time is over */
    advance(5000);
    assert_int_equal(host.workers[0].quarantined, 0);
    world.quarantined = 1; /* another node adds one */
    advance(5000);
    assert_int_equal(host.workers[0].quarantined, 1);
}

static void test_a_new_worker_gets_the_quarantine_before_its_first_job(void **state)
{
    (void)state;
    world.quarantined = 2;
    actor_system_tell(sys, "recognizer", msg_new(MSG_QUARANTINE, sizeof(struct msg)));
    settle();
    ask();
    be_ready(0);
    assert_int_equal(host.workers[0].quarantined, 2);
    assert_int_equal(host.jobs, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_open_breaker_lets_only_its_check_through),
        TEST(test_each_outcome_is_told_once),
        TEST(test_an_outcome_carries_the_generation_that_let_it_through),
        TEST(test_a_restart_asks_for_the_state_of_the_breaker),
        TEST(test_a_worker_that_hangs_is_killed_and_counts_as_a_failure),
        TEST(test_a_file_that_is_not_opened_in_time_counts_as_a_failure),
        TEST(test_a_request_that_no_worker_takes_is_busy_and_counts_for_nothing),
        TEST(test_more_requests_than_the_limit_are_refused),
        TEST(test_the_back_off_of_a_failed_start_doubles_up_to_a_limit),
        TEST(test_a_crash_costs_its_request_and_no_other),
        TEST(test_a_recycled_worker_is_replaced_at_once),
        TEST(test_the_quarantine_ends_in_the_workers_too),
        TEST(test_a_new_worker_gets_the_quarantine_before_its_first_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
