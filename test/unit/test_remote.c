/* Addresses with an "@" go to the remote transport; an ask to another node ends exactly once. */
#include "core/actor/system.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <string.h>

enum { MSG_WORD = 1, MSG_ASK_FAR, MSG_TELL_FAR };

static struct {
    int received, endings, last_status, sent;
    uint64_t ask, timeout_ms;
    char to[64];
    int refuse_with;
    bool deliver_here;
} seen;

static struct fake_clock fake;
static struct actor_system *sys;

static void on_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    assert_true((status == ACTOR_OK) == (reply != NULL));
    seen.endings++;
    seen.last_status = status;
}

static void asker_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_ASK_FAR)
        actor_ask(self, "clerk@far", msg_new(MSG_WORD, sizeof(struct msg)), 1000, on_reply, NULL);
    else if (m->type == MSG_TELL_FAR)
        seen.last_status = actor_tell(self, "clerk@*", msg_new(MSG_WORD, sizeof(struct msg)));
}

static void clerk_receive(struct actor *self, const struct msg *m)
{
    seen.received++;
    actor_reply(self, msg_ref(m));
}

static const struct actor_ops asker = {.name = "asker", .receive = asker_receive};
static const struct actor_ops clerk = {.name = "clerk", .receive = clerk_receive};

static int send(void *context, struct actor *sender, const char *to, struct msg *m, uint64_t ask, uint64_t timeout_ms)
{
    (void)context;
    seen.sent++;
    seen.ask = ask;
    seen.timeout_ms = timeout_ms;
    strncpy(seen.to, to, sizeof seen.to - 1);
    if (seen.deliver_here)
        return actor_system_deliver(sys, sender, "clerk", m, ask);
    msg_unref(m);
    return seen.refuse_with;
}

static void settle(void)
{
    while (actor_system_turn(sys))
        ;
}

static int setup(void **state)
{
    struct actor_system_options o = {.now_ns = fake_clock_now, .clock_context = &fake};
    struct actor_remote remote = {.send = send};

    (void)state;
    memset(&seen, 0, sizeof seen);
    fake.ns = 1000000000;
    sys = actor_system_new(&o);
    actor_spawn(sys, &(struct actor_spec){.name = "asker", .ops = &asker});
    actor_spawn(sys, &(struct actor_spec){.name = "clerk", .ops = &clerk});
    actor_system_set_remote(sys, &remote);
    settle();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    actor_system_free(sys);
    return 0;
}

static void say(uint32_t type)
{
    actor_system_tell(sys, "asker", msg_new(type, sizeof(struct msg)));
    settle();
}

static void test_an_address_with_a_node_goes_to_the_remote(void **state)
{
    (void)state;
    say(MSG_TELL_FAR);
    assert_int_equal(seen.sent, 1);
    assert_string_equal(seen.to, "clerk@*");
    assert_int_equal(seen.ask, 0);
    assert_int_equal(seen.last_status, ACTOR_OK);
    assert_int_equal(seen.received, 0);
}

static void test_without_a_remote_there_is_nobody_there(void **state)
{
    (void)state;
    actor_system_set_remote(sys, &(struct actor_remote){0});
    say(MSG_TELL_FAR);
    assert_int_equal(seen.last_status, ACTOR_GONE);
    say(MSG_ASK_FAR);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_GONE);
}

static void test_an_ask_ends_by_its_answer_and_only_once(void **state)
{
    (void)state;
    say(MSG_ASK_FAR);
    assert_int_equal(seen.timeout_ms, 1000);
    assert_int_equal(seen.endings, 0);
    assert_true(actor_system_ask_waits(sys, seen.ask));
    for (int i = 0; i < 3; i++) { /* the network delivers it three times */
        actor_system_end_ask(sys, seen.ask, ACTOR_OK, msg_new(MSG_WORD, sizeof(struct msg)));
        settle();
    }
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_OK);
    assert_false(actor_system_ask_waits(sys, seen.ask));
    assert_int_equal(actor_system_asks(sys), 0);
}

static void test_an_ask_without_an_answer_ends_by_its_deadline(void **state)
{
    (void)state;
    say(MSG_ASK_FAR);
    fake_clock_advance_ms(&fake, 1001);
    settle();
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_TIMEOUT);
    actor_system_end_ask(sys, seen.ask, ACTOR_OK, msg_new(MSG_WORD, sizeof(struct msg))); /* too late */
    settle();
    assert_int_equal(seen.endings, 1);
}

static void test_an_ask_that_is_refused_ends_at_once(void **state)
{
    (void)state;
    seen.refuse_with = ACTOR_FULL;
    say(MSG_ASK_FAR);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_FULL);
}

static void test_what_is_meant_for_this_node_is_delivered_like_any_other(void **state)
{
    (void)state;
    seen.deliver_here = true;
    say(MSG_ASK_FAR);
    assert_int_equal(seen.received, 1);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_OK);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_address_with_a_node_goes_to_the_remote),
        TEST(test_without_a_remote_there_is_nobody_there),
        TEST(test_an_ask_ends_by_its_answer_and_only_once),
        TEST(test_an_ask_without_an_answer_ends_by_its_deadline),
        TEST(test_an_ask_that_is_refused_ends_at_once),
        TEST(test_what_is_meant_for_this_node_is_delivered_like_any_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
