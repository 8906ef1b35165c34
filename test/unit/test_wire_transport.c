/* Envelopes of peers: each is received once, of this cluster only, and parts only in their order. */
#include "actors/cluster/transport.h"

#include "actors/cluster/cluster_internal.h"
#include "actors/cluster/envelope.h"
#include "core/actor/system.h"
#include "kith.pb-c.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>

static struct fake_clock fake;
static struct actor_system *sys;
static struct bus_link link_of_node = {.cluster = "c1"};
static const struct cluster_config config = {
    .link = &link_of_node, .node = "here", .boot = 1, .max_message = 16, .max_body = 32};

static struct {
    int received;
    bool from_peer;
    char body[64];
} seen;

/* Stands for the actor "cluster": its state, and nothing of what it does with a message. */
static void receiver_receive(struct actor *self, const struct msg *m)
{
    struct received r;

    if (!transport_receive(self, (const struct msg_bus *)m, &r))
        return;
    seen.received++;
    seen.from_peer = r.peer != NULL;
    assert_true(r.len < sizeof seen.body);
    memcpy(seen.body, r.len ? r.body : "", r.len);
    seen.body[r.len] = 0;
    transport_release(&r);
}

static void receiver_stop(struct actor *self)
{
    peers_clear(&((struct cluster *)actor_state(self))->peers);
}

static const struct actor_ops receiver = {
    .name = "cluster", .state_size = sizeof(struct cluster), .receive = receiver_receive, .stop = receiver_stop};

static int setup(void **state)
{
    struct actor_system_options options = {.now_ns = fake_clock_now, .clock_context = &fake};

    (void)state;
    fake.ns = 1000000000;
    memset(&seen, 0, sizeof seen);
    sys = actor_system_new(&options);
    actor_spawn(sys, &(struct actor_spec){.name = "cluster", .ops = &receiver, .config = &config});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    actor_system_free(sys);
    return 0;
}

static Kith__V1__Envelope envelope(uint64_t id)
{
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;

    e.version = ENVELOPE_FORMAT;
    e.type = KITH__V1__TYPE__TYPE_NUDGE;
    e.id = id;
    e.node = envelope_text("there");
    e.boot = 7;
    e.from = envelope_text("receiver");
    e.to = envelope_text("processor");
    e.cluster = envelope_text("c1");
    return e;
}

/* Whether it was received as a whole message. */
static bool deliver(const Kith__V1__Envelope *e)
{
    uint8_t bytes[256];
    size_t len = kith__v1__envelope__get_packed_size(e);
    struct bus_message m = {.subject = "kith.c1.node.here", .data = (const char *)bytes, .len = len};
    int before = seen.received;

    assert_true(len <= sizeof bytes);
    kith__v1__envelope__pack(e, bytes);
    actor_system_tell(sys, "cluster", &msg_bus_new(&m)->head);
    while (actor_system_turn(sys))
        ;
    return seen.received > before;
}

static bool deliver_id(uint64_t id)
{
    Kith__V1__Envelope e = envelope(id);

    return deliver(&e);
}

static void test_an_envelope_is_received_once(void **state)
{
    (void)state;
    assert_true(deliver_id(1));
    assert_true(seen.from_peer);
    assert_false(deliver_id(1));
    assert_true(deliver_id(5));
    assert_false(deliver_id(5));
    assert_false(deliver_id(4));
    assert_true(deliver_id(6));
}

static void test_heartbeats_are_counted_apart(void **state)
{
    Kith__V1__Envelope beat = envelope(3);

    (void)state;
    beat.type = KITH__V1__TYPE__TYPE_PRESENCE;
    beat.to = envelope_text("");
    assert_true(deliver_id(9));
    assert_true(deliver(&beat)); /* of another subject: there is no order between the two */
    assert_false(deliver(&beat));
}

static void test_another_run_of_a_node_begins_again(void **state)
{
    Kith__V1__Envelope e = envelope(1);

    (void)state;
    assert_true(deliver_id(9));
    assert_false(deliver(&e));
    e.boot = 8;
    assert_true(deliver(&e));
}

static void test_an_envelope_of_another_cluster_is_refused(void **state)
{
    Kith__V1__Envelope e = envelope(1);

    (void)state;
    e.cluster = envelope_text("c2");
    assert_false(deliver(&e));
    e.cluster = envelope_text("");
    assert_false(deliver(&e));
    assert_true(deliver_id(1)); /* the others did not count */
}

static bool deliver_part(uint64_t id, uint32_t part, uint32_t parts, const char *text)
{
    Kith__V1__Envelope e = envelope(id);

    e.part = part;
    e.parts = parts;
    e.body = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)text, .len = strlen(text)};
    return deliver(&e);
}

static void test_parts_are_joined_in_their_order_only(void **state)
{
    (void)state;
    assert_false(deliver_part(1, 0, 2, "one "));
    assert_true(deliver_part(2, 1, 2, "body"));
    assert_string_equal(seen.body, "one body");
    assert_false(deliver_part(3, 0, 3, "a"));
    assert_false(deliver_part(4, 2, 3, "c")); /* one is missing: the first is dropped, too */
    assert_false(deliver_part(5, 1, 3, "b"));
    assert_false(deliver_part(6, 0, 2, "more than the limit "));
    assert_false(deliver_part(7, 1, 2, "of thirty-two bytes"));
    assert_false(deliver_part(8, 0, 2, "x"));
    assert_true(deliver_part(9, 1, 2, "y"));
    assert_string_equal(seen.body, "xy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_an_envelope_is_received_once),         TEST(test_heartbeats_are_counted_apart),
        TEST(test_another_run_of_a_node_begins_again),   TEST(test_an_envelope_of_another_cluster_is_refused),
        TEST(test_parts_are_joined_in_their_order_only),
    };

    return cmocka_run_group_tests_name("wire_transport", tests, NULL, NULL);
}
