/* The actor runtime on a fake clock: messages, asks, mailboxes, timers, offloaded jobs. */
#include "core/actor/mailbox.h"
#include "core/actor/offload.h"
#include "test/unit/actor_world.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void test_full_mailbox_refuses_at_once_except_control_messages(void **state)
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

static void test_tell_returns_full_and_gone(void **state)
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

static void test_ask_to_an_unknown_actor_and_to_a_full_mailbox_ends(void **state)
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

static struct cancel *chained;

static void on_chained_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context, (void)reply;
    seen.endings++;
    seen.last_status = status;
}

/* Asks another actor on behalf of the message that it handles. */
static void cancel_relay_receive(struct actor *self, const struct msg *m)
{
    struct msg *ask = number(MSG_LATER, 0);

    (void)m;
    ask->skip_cancelled = true;
    actor_ask(self, "worker", ask, 1000, on_chained_reply, NULL);
    assert_ptr_equal(ask->cancel, chained);
    actor_tell(self, "worker", number(MSG_ADD, 7)); /* a tell stands for itself */
}

static const struct actor_ops cancel_relay = {.name = "relay", .receive = cancel_relay_receive};

static struct msg *cancellable(uint32_t type, struct cancel *cancel)
{
    struct msg *m = number(type, 1);

    m->cancel = cancel_ref(cancel);
    m->skip_cancelled = true;
    return m;
}

static void test_a_cancelled_message_is_dropped_and_counted(void **state)
{
    struct actor_system *s = new_system();
    struct cancel *cancel = cancel_new();
    struct actor_stats stats;

    (void)state;
    spawn(s, "worker", &worker);
    actor_system_tell(s, "worker", cancellable(MSG_ADD, cancel));
    settle(s);
    assert_int_equal(seen.count, 1);
    actor_system_tell(s, "worker", cancellable(MSG_ADD, cancel));
    cancel_set(cancel);
    settle(s);
    assert_int_equal(seen.count, 1);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.cancelled, 1);
    cancel_unref(cancel);
    actor_system_free(s);
}

static void test_an_ask_inherits_the_cancel_of_its_cause(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    chained = cancel_new();
    spawn(s, "relay", &cancel_relay);
    spawn(s, "worker", &worker);
    actor_system_tell(s, "relay", cancellable(MSG_GO, chained));
    cancel_set(chained);
    settle(s); /* the relay's own message is dropped: it was cancelled before */
    assert_int_equal(seen.endings, 0);
    cancel_unref(chained);
    chained = cancel_new();
    actor_system_tell(s, "relay", cancellable(MSG_GO, chained));
    settle(s);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.endings, 0); /* the worker answers later */
    settle_after(s, 1000);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_TIMEOUT);
    cancel_unref(chained);
    actor_system_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_arrive_in_order),
        cmocka_unit_test(test_full_mailbox_refuses_at_once_except_control_messages),
        cmocka_unit_test(test_mailbox_is_bounded_by_bytes),
        cmocka_unit_test(test_tell_returns_full_and_gone),
        cmocka_unit_test(test_ask_gets_its_reply_once),
        cmocka_unit_test(test_unanswered_ask_ends_at_its_deadline_and_a_late_answer_is_ignored),
        cmocka_unit_test(test_deferred_answer_arrives),
        cmocka_unit_test(test_ask_to_an_unknown_actor_and_to_a_full_mailbox_ends),
        cmocka_unit_test(test_timer_fires_once_moves_and_cancels),
        cmocka_unit_test(test_turn_keeps_its_budget),
        cmocka_unit_test(test_an_ask_that_has_ended_is_not_handled),
        cmocka_unit_test(test_accepted_types_reach_the_actor),
        cmocka_unit_test(test_a_cancelled_message_is_dropped_and_counted),
        cmocka_unit_test(test_an_ask_inherits_the_cancel_of_its_cause),
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
