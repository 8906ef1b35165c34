/* The actor runtime alone, on a fake clock: nothing else of kith is included here. */
#include "core/actor/mailbox.h"
#include "core/actor/offload.h"
#include "core/actor/system.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MSG_ADD = 1, MSG_ECHO, MSG_LATER, MSG_FAIL, MSG_GO, MSG_SELF, MSG_JOB, MSG_SLOW };

struct number {
    struct msg head;
    int value;
};

static struct msg *number(uint32_t type, int value)
{
    struct number *m = (struct number *)msg_new(type, sizeof *m);

    m->value = value;
    return &m->head;
}

/* What the actors under test write down. */
static struct {
    int sum, count, order[64], stops, starts, endings, last_status, last_value, fatals, events, timers;
    actor_token token;
    char fatal[256], slow[8][64]; /* slow: "ACTOR CALLBACK ID TOOK_MS" */
    int slows;
} seen;

static struct fake_clock fake;

static void on_fatal(void *context, const char *text)
{
    (void)context;
    seen.fatals++;
    strncpy(seen.fatal, text, sizeof seen.fatal - 1);
}

static void on_event(void *context, const char *actor, const char *text)
{
    (void)context, (void)actor, (void)text;
    seen.events++;
}

static void on_slow(void *context, const struct actor_slow *slow)
{
    (void)context;
    assert_true(seen.slows < 8);
    snprintf(seen.slow[seen.slows++], sizeof seen.slow[0], "%s %s %u %d", slow->actor, slow->callback, slow->id,
             (int)slow->took_ms);
}

static struct actor_system *new_system(void)
{
    struct actor_system_options o = {.now_ns = fake_clock_now,
                                     .clock_context = &fake,
                                     .on_fatal = on_fatal,
                                     .on_event = on_event,
                                     .on_slow = on_slow,
                                     .slow_callback_ms = 100};

    memset(&seen, 0, sizeof seen);
    fake.ns = 1000000000;
    return actor_system_new(&o);
}

static void settle(struct actor_system *system)
{
    while (actor_system_turn(system))
        ;
}

static void settle_after(struct actor_system *system, uint64_t ms)
{
    fake_clock_advance_ms(&fake, ms);
    settle(system);
}

static int worker_start(struct actor *self)
{
    (void)self;
    seen.starts++;
    return 0;
}

static void worker_stop(struct actor *self)
{
    (void)self;
    seen.stops++;
}

static void worker_receive(struct actor *self, const struct msg *m)
{
    const struct number *n = (const struct number *)m;

    switch (m->type) {
    case MSG_ADD:
        seen.sum += n->value;
        if (seen.count < 64)
            seen.order[seen.count] = n->value;
        seen.count++;
        break;
    case MSG_ECHO:
        actor_reply(self, number(MSG_ECHO, n->value + 1));
        break;
    case MSG_LATER:
        seen.token = actor_defer(self);
        break;
    case MSG_FAIL:
        actor_fail(self, "told to");
        break;
    case MSG_SLOW:
        fake_clock_advance_ms(&fake, (uint64_t)n->value);
        break;
    case MSG_JOB:
        seen.last_value = n->value;
        break;
    }
}

static void worker_timer(struct actor *self, uint32_t id)
{
    (void)self;
    seen.timers += (int)id;
    if (id >= 1000)
        fake_clock_advance_ms(&fake, id);
}

static const struct actor_ops worker = {.name = "worker",
                                        .state_size = 64,
                                        .start = worker_start,
                                        .receive = worker_receive,
                                        .timer = worker_timer,
                                        .stop = worker_stop};

static void on_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    seen.endings++;
    seen.last_status = status;
    seen.last_value = reply ? ((const struct number *)reply)->value : -1;
    assert_true((status == ACTOR_OK) == (reply != NULL));
}

/* Asks "worker" what it is told to ask: the type to send is the value. */
static void asker_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_GO)
        actor_ask(self, "worker", number((uint32_t)((const struct number *)m)->value, 41), 100, on_reply, NULL);
    if (m->type == MSG_SELF)
        actor_fail(self, "on purpose");
}

static const struct actor_ops asker = {.name = "asker", .receive = asker_receive};

static struct actor *spawn(struct actor_system *s, const char *name, const struct actor_ops *ops)
{
    struct actor_spec spec = {.name = name, .ops = ops, .mailbox_max = 4, .mailbox_max_bytes = 1 << 20};

    return actor_spawn(s, &spec);
}

static void test_tells_arrive_in_order(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(actor_system_tell(s, "worker", number(MSG_ADD, i)), ACTOR_OK);
    settle(s);
    assert_int_equal(seen.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen.order[i], i + 1);
    actor_system_free(s);
}

static void test_full_mailbox_refuses_at_once_but_has_room_for_control(void **state)
{
    struct mailbox box;
    struct envelope e = {.lane = MAIL_NORMAL};

    (void)state;
    mailbox_init(&box, 2, 1 << 20, 1);
    for (int i = 0; i < 2; i++) {
        e.msg = number(MSG_ADD, i);
        assert_true(mailbox_push(&box, &e));
    }
    e.msg = number(MSG_ADD, 9);
    assert_false(mailbox_push(&box, &e));
    e.lane = MAIL_CONTROL;
    assert_true(mailbox_push(&box, &e));
    e.msg = number(MSG_ADD, 10);
    assert_false(mailbox_push(&box, &e));
    e.lane = MAIL_REPLY;
    assert_true(mailbox_push(&box, &e));
    mailbox_free(&box);
}

static void test_mailbox_is_bounded_by_bytes(void **state)
{
    struct mailbox box;
    struct envelope e = {.lane = MAIL_NORMAL, .msg = number(MSG_ADD, 1)};

    (void)state;
    mailbox_init(&box, 100, 1000, 0);
    e.msg->size_bytes = 5000; /* more than all: enters only while the box is empty */
    assert_true(mailbox_push(&box, &e));
    e.msg = number(MSG_ADD, 2);
    assert_false(mailbox_push(&box, &e));
    msg_unref(e.msg);
    mailbox_free(&box);
}

static void test_tell_says_full_and_gone(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    for (int i = 0; i < 4; i++)
        assert_int_equal(actor_system_tell(s, "worker", number(MSG_ADD, i)), ACTOR_OK);
    assert_int_equal(actor_system_tell(s, "worker", number(MSG_ADD, 5)), ACTOR_FULL);
    assert_int_equal(actor_system_tell(s, "nobody", number(MSG_ADD, 5)), ACTOR_GONE);
    settle(s);
    assert_int_equal(seen.count, 4);
    actor_system_free(s);
}

static void ask_for(struct actor_system *s, int type)
{
    assert_int_equal(actor_system_tell(s, "asker", number(MSG_GO, type)), ACTOR_OK);
    settle(s);
}

static void test_ask_gets_its_reply_once(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "asker", &asker);
    ask_for(s, MSG_ECHO);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_OK);
    assert_int_equal(seen.last_value, 42);
    settle_after(s, 1000);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(actor_system_asks(s), 0);
    actor_system_free(s);
}

static void test_unanswered_ask_ends_at_its_deadline_and_a_late_answer_is_ignored(void **state)
{
    struct actor_system *s = new_system();
    struct actor *w = spawn(s, "worker", &worker);

    (void)state;
    spawn(s, "asker", &asker);
    ask_for(s, MSG_LATER);
    settle_after(s, 99);
    assert_int_equal(seen.endings, 0);
    assert_true(actor_awaited(w, seen.token));
    settle_after(s, 1);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_TIMEOUT);
    assert_false(actor_awaited(w, seen.token));
    actor_answer(w, seen.token, number(MSG_ECHO, 1));
    settle(s);
    assert_int_equal(seen.endings, 1);
    actor_system_free(s);
}

static void test_deferred_answer_arrives(void **state)
{
    struct actor_system *s = new_system();
    struct actor *w = spawn(s, "worker", &worker);

    (void)state;
    spawn(s, "asker", &asker);
    ask_for(s, MSG_LATER);
    actor_answer(w, seen.token, number(MSG_ECHO, 7));
    actor_answer(w, seen.token, number(MSG_ECHO, 8)); /* a second answer changes nothing */
    settle(s);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_value, 7);
    actor_system_free(s);
}

static void test_ask_to_nobody_and_to_a_full_mailbox_ends(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "asker", &asker);
    ask_for(s, MSG_ECHO);
    assert_int_equal(seen.last_status, ACTOR_GONE);
    actor_system_free(s);

    s = new_system();
    spawn(s, "asker", &asker); /* first in line: it asks while the worker's mailbox is still full */
    spawn(s, "worker", &worker);
    settle(s);
    actor_system_tell(s, "asker", number(MSG_GO, MSG_ECHO));
    for (int i = 0; i < 4; i++)
        actor_system_tell(s, "worker", number(MSG_ADD, i));
    settle(s);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_FULL);
    actor_system_free(s);
}

static void test_failed_actor_restarts_with_back_off_and_keeps_its_mail(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    actor_system_tell(s, "worker", number(MSG_ADD, 5));
    settle(s);
    assert_int_equal(seen.stops, 1);
    assert_int_equal(seen.count, 0);
    settle_after(s, 99);
    assert_int_equal(seen.starts, 1);
    settle_after(s, 1);
    assert_int_equal(seen.starts, 2);
    assert_int_equal(seen.sum, 5);
    /* the second failure waits twice as long */
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    settle_after(s, 100);
    settle_after(s, 199);
    assert_int_equal(seen.starts, 2);
    settle_after(s, 1);
    assert_int_equal(seen.starts, 3);
    actor_system_free(s);
}

static void test_ask_ends_when_the_asked_one_fails_after_taking_it(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "asker", &asker);
    ask_for(s, MSG_LATER);
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    settle(s);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_FAILED);
    actor_system_free(s);
}

static void test_failing_asker_hears_the_end_of_its_asks(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "asker", &asker);
    ask_for(s, MSG_LATER);
    actor_system_tell(s, "asker", number(MSG_SELF, 0));
    settle(s);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_GONE);
    assert_int_equal(actor_system_asks(s), 0);
    actor_system_free(s);
}

static void test_five_failures_in_thirty_seconds_take_the_node_down(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(seen.fatals, 0);
        actor_system_tell(s, "worker", number(MSG_FAIL, 0));
        settle_after(s, 5000);
        settle(s);
    }
    assert_int_equal(seen.fatals, 1);
    assert_string_equal(seen.fatal, "actor worker failed 5 times in 30 s, last: told to");
    actor_system_free(s);
}

static void test_failures_far_apart_are_forgiven(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    for (int i = 0; i < 20; i++) {
        actor_system_tell(s, "worker", number(MSG_FAIL, 0));
        settle(s);
        settle_after(s, 10000);
    }
    assert_int_equal(seen.fatals, 0);
    assert_int_equal(seen.starts, 21);
    actor_system_free(s);
}

static int failing_start(struct actor *self)
{
    (void)self;
    seen.starts++;
    return -5;
}

static const struct actor_ops never_starts = {.name = "never", .start = failing_start, .receive = worker_receive};

static void test_actor_that_cannot_start_is_tried_again_then_ends_the_node(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "never", &never_starts);
    for (int i = 0; i < 10; i++)
        settle_after(s, 5000);
    assert_int_equal(seen.starts, 5);
    assert_int_equal(seen.fatals, 1);
    assert_string_equal(seen.fatal, "actor never failed 5 times in 30 s, last: start returned -5");
    actor_system_free(s);
}

static void test_timer_fires_once_moves_and_cancels(void **state)
{
    struct actor_system *s = new_system();
    struct actor *w = spawn(s, "worker", &worker);

    (void)state;
    settle(s);
    actor_after(w, 50, 1);
    actor_after(w, 100, 1); /* moved */
    actor_after(w, 60, 10);
    actor_after(w, 60, 100);
    actor_cancel(w, 100);
    settle_after(s, 70);
    assert_int_equal(seen.timers, 10);
    assert_int_equal(actor_system_next_due_ms(s), 1000 + 100);
    settle_after(s, 30);
    assert_int_equal(seen.timers, 11);
    settle_after(s, 1000);
    assert_int_equal(seen.timers, 11);
    actor_system_free(s);
}

static void relay_receive(struct actor *self, const struct msg *m)
{
    seen.count++;
    actor_tell_to(self, self, msg_ref(m));
}

static const struct actor_ops relay = {.name = "relay", .receive = relay_receive};

static void test_turn_keeps_its_budget(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "relay", &relay);
    actor_system_tell(s, "relay", number(MSG_ADD, 1));
    assert_true(actor_system_turn(s)); /* endless work: the turn must still return */
    assert_in_range(seen.count, 4096, 4096 + 64);
    actor_system_free(s);
}

static void count_actor(void *context, const struct actor_stats *stats)
{
    struct actor_stats *out = context;

    if (strcmp(stats->name, "worker") == 0)
        *out = *stats;
}

static void test_metrics_count_what_happened(void **state)
{
    struct actor_system *s = new_system();
    struct actor_stats stats;

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    for (int i = 0; i < 5; i++)
        actor_system_tell(s, "worker", number(MSG_ADD, i));
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.depth, 4);
    assert_int_equal(stats.refused, 1);
    settle(s);
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    settle(s);
    settle_after(s, 100);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.handled, 5);
    assert_int_equal(stats.restarts, 1);
    assert_int_equal(stats.depth, 0);
    assert_true(stats.running);
    actor_system_free(s);
}

static void slow_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context, (void)status, (void)reply;
    fake_clock_advance_ms(&fake, 400);
}

static void slow_asker_receive(struct actor *self, const struct msg *m)
{
    (void)m;
    actor_ask(self, "worker", number(MSG_ECHO, 1), 1000, slow_reply, NULL);
}

static int slow_start(struct actor *self)
{
    (void)self;
    fake_clock_advance_ms(&fake, 500);
    return 0;
}

static const struct actor_ops slow_asker = {.name = "slow asker", .start = slow_start, .receive = slow_asker_receive};

static void test_slow_callbacks_are_reported(void **state)
{
    static const char *const expected[] = {"worker message 8 200", "worker timer 3000 3000", "other start 0 500",
                                           "other reply 2 400"};
    struct actor_system *s = new_system();
    struct actor *w = spawn(s, "worker", &worker);
    struct actor_stats stats = {0};

    (void)state;
    settle(s);
    actor_system_tell(s, "worker", number(MSG_SLOW, 100)); /* at the limit: not reported */
    actor_system_tell(s, "worker", number(MSG_SLOW, 200));
    actor_system_tell(s, "worker", number(MSG_ADD, 1));
    settle(s);
    actor_after(w, 0, 3000);
    settle(s);
    spawn(s, "other", &slow_asker);
    settle(s);
    actor_system_tell(s, "other", number(MSG_GO, 0));
    settle(s);
    assert_int_equal(seen.slows, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(seen.slow[i], expected[i]);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.slow, 2);
    assert_int_equal(stats.handling_ns, 3300 * 1000000ull);
    actor_system_free(s);
}

static void test_an_actor_can_be_made_to_fail_and_restarts_alone(void **state)
{
    struct actor_system *s = new_system();
    struct actor_stats stats;

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "other", &worker);
    assert_int_equal(actor_system_fail(s, "worker", "test"), ACTOR_GONE); /* it has not started */
    settle(s);
    assert_int_equal(actor_system_fail(s, "worker", "test"), ACTOR_OK);
    assert_int_equal(actor_system_fail(s, "nobody", "test"), ACTOR_GONE);
    settle(s);
    assert_int_equal(seen.stops, 1);
    assert_int_equal(actor_system_fail(s, "worker", "test"), ACTOR_GONE); /* it waits for its restart */
    settle_after(s, 100);
    assert_int_equal(seen.starts, 3);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.restarts, 1);
    assert_true(stats.running);
    actor_system_free(s);
}

static void test_an_ask_that_has_ended_is_not_handled(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "asker", &asker);
    settle(s);
    for (int i = 0; i < 2; i++) { /* after the second failure it restarts in 200 ms */
        actor_system_tell(s, "worker", number(MSG_FAIL, 0));
        settle(s);
        settle_after(s, i == 0 ? 100 : 0);
    }
    ask_for(s, MSG_ADD);
    settle_after(s, 100);
    assert_int_equal(seen.last_status, ACTOR_TIMEOUT);
    settle_after(s, 100);
    assert_int_equal(seen.starts, 3);
    assert_int_equal(seen.count, 0);
    actor_system_free(s);
}

static const uint32_t echo_only[] = {MSG_ECHO, 0};
static const struct actor_ops picky = {.name = "picky",
                                       .accepts = echo_only,
                                       .accepts_first = MSG_FAIL,
                                       .accepts_last = MSG_GO,
                                       .start = worker_start,
                                       .receive = worker_receive};

static void test_accepted_types_reach_the_actor(void **state)
{
    struct actor_system *s = new_system();
    struct actor_stats stats;

    (void)state;
    spawn(s, "worker", &picky);
    spawn(s, "asker", &asker);
    ask_for(s, MSG_ECHO);
    assert_int_equal(seen.last_status, ACTOR_OK);
    actor_system_tell(s, "worker", number(MSG_FAIL, 0)); /* the first of its range */
    actor_system_tell(s, "worker", number(MSG_GO, 0));   /* the last */
    settle(s);
    settle_after(s, 100);
    assert_int_equal(seen.starts, 2);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.misrouted, 0);
    actor_system_free(s);
}

#ifdef KITH_DEBUG
static void test_a_misrouted_message_aborts_a_debug_build(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct actor_system *s = new_system();

        close(STDERR_FILENO);
        spawn(s, "worker", &picky);
        actor_system_tell(s, "worker", number(MSG_ADD, 1));
        settle(s);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}
#else
static void test_a_misrouted_message_is_counted_and_its_ask_refused(void **state)
{
    struct actor_system *s = new_system();
    struct actor_stats stats;

    (void)state;
    spawn(s, "worker", &picky);
    spawn(s, "asker", &asker);
    ask_for(s, MSG_ADD);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_REFUSED);
    actor_system_tell(s, "worker", number(MSG_SELF, 1)); /* one above its range */
    settle(s);
    assert_int_equal(seen.count, 0);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.misrouted, 2);
    assert_true(stats.running);
    actor_system_free(s);
}
#endif

static void square(struct msg *job)
{
    struct number *n = (struct number *)job;

    n->value *= n->value;
}

static void test_offloaded_job_comes_back_with_its_result(void **state)
{
    struct actor_system *s = new_system();
    struct actor *w = spawn(s, "worker", &worker);
    struct offload *o = offload_new(s, "test", 2, 8);

    (void)state;
    assert_int_equal(offload_run(o, w, number(MSG_JOB, 12), square), ACTOR_OK);
    for (int i = 0; i < 5000 && !seen.last_value; i++) { /* a deadline of 5 s, not a wait */
        poll(NULL, 0, 1);
        settle(s);
    }
    assert_int_equal(seen.last_value, 144);
    offload_free(o);
    actor_system_free(s);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_at_gate(struct msg *job)
{
    (void)job;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void test_offload_refuses_one_job_more_than_its_limit(void **state)
{
    struct actor_system *s = new_system();
    struct actor *w = spawn(s, "worker", &worker);
    struct offload *o = offload_new(s, "test", 1, 2);

    (void)state;
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 2; i++)
        assert_int_equal(offload_run(o, w, number(MSG_JOB, i), wait_at_gate), ACTOR_OK);
    assert_int_equal(offload_run(o, w, number(MSG_JOB, 2), wait_at_gate), ACTOR_FULL);
    pthread_mutex_unlock(&gate);
    offload_free(o);
    actor_system_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_arrive_in_order),
        cmocka_unit_test(test_full_mailbox_refuses_at_once_but_has_room_for_control),
        cmocka_unit_test(test_mailbox_is_bounded_by_bytes),
        cmocka_unit_test(test_tell_says_full_and_gone),
        cmocka_unit_test(test_ask_gets_its_reply_once),
        cmocka_unit_test(test_unanswered_ask_ends_at_its_deadline_and_a_late_answer_is_ignored),
        cmocka_unit_test(test_deferred_answer_arrives),
        cmocka_unit_test(test_ask_to_nobody_and_to_a_full_mailbox_ends),
        cmocka_unit_test(test_failed_actor_restarts_with_back_off_and_keeps_its_mail),
        cmocka_unit_test(test_ask_ends_when_the_asked_one_fails_after_taking_it),
        cmocka_unit_test(test_failing_asker_hears_the_end_of_its_asks),
        cmocka_unit_test(test_five_failures_in_thirty_seconds_take_the_node_down),
        cmocka_unit_test(test_failures_far_apart_are_forgiven),
        cmocka_unit_test(test_actor_that_cannot_start_is_tried_again_then_ends_the_node),
        cmocka_unit_test(test_timer_fires_once_moves_and_cancels),
        cmocka_unit_test(test_turn_keeps_its_budget),
        cmocka_unit_test(test_metrics_count_what_happened),
        cmocka_unit_test(test_slow_callbacks_are_reported),
        cmocka_unit_test(test_an_actor_can_be_made_to_fail_and_restarts_alone),
        cmocka_unit_test(test_an_ask_that_has_ended_is_not_handled),
        cmocka_unit_test(test_accepted_types_reach_the_actor),
#ifdef KITH_DEBUG
        cmocka_unit_test(test_a_misrouted_message_aborts_a_debug_build),
#else
        cmocka_unit_test(test_a_misrouted_message_is_counted_and_its_ask_refused),
#endif
        cmocka_unit_test(test_offloaded_job_comes_back_with_its_result),
        cmocka_unit_test(test_offload_refuses_one_job_more_than_its_limit),
    };

    return cmocka_run_group_tests_name("actor", tests, NULL, NULL);
}
