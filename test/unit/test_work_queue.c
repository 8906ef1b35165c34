/* The work queue with a fake bus, a fake processor and a fake clock. */
#include "actors/pipeline/work_queue.h"

#include "core/bus/bus_messages.h"
#include "test/unit/pipeline_world.h"

enum { SENT_MAX = 64, MSG_ANSWER_ITEM = 1, CLAIM_DEADLINE_MS = 30000 };

/* --- the fake bus: what was published --- */

static struct {
    struct {
        char subject[192], reply[96], body[640];
    } sent[SENT_MAX];
    int count;
    bool connected;
} wire;

bool bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data, size_t len)
{
    (void)bus;
    assert_true(wire.count < SENT_MAX);
    snprintf(wire.sent[wire.count].subject, sizeof wire.sent[0].subject, "%s", subject);
    snprintf(wire.sent[wire.count].reply, sizeof wire.sent[0].reply, "%s", reply ? reply : "");
    snprintf(wire.sent[wire.count].body, sizeof wire.sent[0].body, "%.*s", (int)len, (const char *)data);
    wire.count++;
    return true;
}

struct bus_stats bus_stats(struct bus *bus)
{
    (void)bus;
    return (struct bus_stats){.connected = wire.connected};
}

/* --- the fake processor --- */

static struct {
    int asked, nudged;
    int64_t last_id, capacity; /* it tells the capacity when it changes, and when it is asked */
    actor_token held;
} processor;

static void processor_tell_capacity(struct actor *self)
{
    struct msg_count *m = (struct msg_count *)msg_new(MSG_CAPACITY_LEFT, sizeof *m);

    m->count = processor.capacity;
    actor_tell(self, "work_queue", &m->head);
}

static void processor_receive(struct actor *self, const struct msg *m)
{
    switch (m->type) {
    case MSG_WORK_ITEM:
        processor.asked++;
        processor.last_id = ((const struct msg_work_item *)m)->id;
        processor.held = actor_defer(self);
        break;
    case MSG_NUDGE:
        processor.nudged++;
        break;
    case MSG_SEND_STATE:
        processor_tell_capacity(self);
        break;
    case MSG_CAPACITY_LEFT: /* from the test */
        processor.capacity = ((const struct msg_count *)m)->count;
        processor_tell_capacity(self);
        break;
    case MSG_ANSWER_ITEM: /* its claim has committed */
        actor_answer(self, processor.held, msg_new(MSG_WORK_ITEM, sizeof(struct msg_work_item)));
        break;
    }
}

static const struct actor_ops fake_processor = {.name = "processor", .receive = processor_receive};

/* --- what a test does --- */

static void receive(const char *subject, const char *reply, const char *status, const char *data)
{
    struct bus_message m = {.subject = subject, .reply = reply, .status = status, .data = data, .len = strlen(data)};

    tell("work_queue", &msg_bus_new(&m)->head);
}

static void answer(const char *inbox, const char *status, const char *data)
{
    char subject[64];

    snprintf(subject, sizeof subject, "_INBOX.kith-7.%s", inbox);
    receive(subject, NULL, status, data);
}

static void bring_item(const char *id)
{
    char ack[64];

    snprintf(ack, sizeof ack, "$JS.ACK.items.%s", id);
    receive("items", ack, NULL, id);
}

static void set_capacity(int64_t count)
{
    struct msg_count *m = (struct msg_count *)msg_new(MSG_CAPACITY_LEFT, sizeof *m);

    m->count = count;
    tell("processor", &m->head);
}

static void set_connected(bool connected)
{
    wire.connected = connected;
    tell("work_queue", &msg_bus_state_new(connected, "")->head);
}

static const char *last_subject(void)
{
    return wire.count ? wire.sent[wire.count - 1].subject : "";
}

static const char *last_body(void)
{
    return wire.count ? wire.sent[wire.count - 1].body : "";
}

static bool acknowledged(const char *id)
{
    char ack[64];

    snprintf(ack, sizeof ack, "$JS.ACK.items.%s", id);
    for (int i = 0; i < wire.count; i++)
        if (strcmp(wire.sent[i].subject, ack) == 0 && strcmp(wire.sent[i].body, "+ACK") == 0)
            return true;
    return false;
}

static void become_ready(void)
{
    set_connected(true);
    answer("stream", NULL, "{}");
    answer("consumer", NULL, "{}");
}

static struct bus *no_bus;
static const struct work_queue_config config = {
    .bus = &no_bus, .prefix = "kith", .cluster = "c1", .inbox = "_INBOX.kith-7.*", .claims = true, .max_age_ms = 60000};

static int setup(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof wire);
    memset(&processor, 0, sizeof processor);
    new_system();
    spawn(&fake_processor, NULL);
    spawn(&work_queue_actor, &config);
    settle();
    return 0;
}

/* --- work items to this node --- */

static void test_an_item_is_acknowledged_after_its_claim(void **state)
{
    (void)state;
    become_ready();
    set_capacity(1);
    bring_item("12");
    assert_int_equal(processor.asked, 1);
    assert_int_equal(processor.last_id, 12);
    advance(CLAIM_DEADLINE_MS - 1);
    assert_false(acknowledged("12"));
    tell("processor", msg_new(MSG_ANSWER_ITEM, sizeof(struct msg)));
    assert_true(acknowledged("12"));
}

static void test_an_item_whose_claim_is_not_answered_is_left_to_the_poll(void **state)
{
    (void)state;
    become_ready();
    set_capacity(1);
    bring_item("12");
    advance(CLAIM_DEADLINE_MS);
    assert_true(acknowledged("12"));
}

static void test_no_more_items_are_pulled_than_the_processor_can_take(void **state)
{
    (void)state;
    become_ready();
    assert_null(strstr(last_subject(), "MSG.NEXT")); /* no capacity yet */
    set_capacity(3);
    assert_non_null(strstr(last_subject(), "MSG.NEXT"));
    assert_non_null(strstr(last_body(), "\"batch\":3,"));
    wire.count = 0;
    set_capacity(3);
    bring_item("1");
    set_capacity(3);
    assert_int_equal(wire.count, 0); /* two may still come, one is asked */
    tell("processor", msg_new(MSG_ANSWER_ITEM, sizeof(struct msg)));
    assert_non_null(strstr(last_body(), "\"batch\":1,"));
}

static void test_a_pull_that_ends_is_repeated(void **state)
{
    (void)state;
    become_ready();
    set_capacity(2);
    wire.count = 0;
    answer("item", "408", "");
    assert_non_null(strstr(last_body(), "\"batch\":2,"));
}

static void test_a_pull_that_is_not_answered_makes_the_stream_again(void **state)
{
    (void)state;
    become_ready();
    set_capacity(2);
    advance(6000);
    assert_non_null(strstr(last_subject(), "STREAM.CREATE"));
    answer("stream", NULL, "{}");
    answer("consumer", NULL, "{}");
    assert_non_null(strstr(last_body(), "\"batch\":2,"));
}

static void test_a_deleted_consumer_is_made_again(void **state)
{
    (void)state;
    become_ready();
    set_capacity(2);
    answer("item", "409", "");
    assert_non_null(strstr(last_subject(), "STREAM.CREATE"));
}

static void test_a_server_without_jetstream_is_asked_again(void **state)
{
    (void)state;
    set_connected(true);
    answer("stream", "503", "");
    wire.count = 0;
    advance(1999);
    assert_int_equal(wire.count, 0);
    advance(1);
    assert_non_null(strstr(last_subject(), "STREAM.CREATE"));
}

/* Neither the bus nor the processor has news for it: nothing waits, nothing changes. */
static void test_after_a_restart_of_an_idle_node_items_are_pulled_again(void **state)
{
    (void)state;
    become_ready();
    set_capacity(3);
    wire.count = 0;
    assert_int_equal(actor_system_fail(sys, "work_queue", "on purpose"), ACTOR_OK);
    settle();
    advance(1000);
    assert_int_equal(wire.count, 1);
    assert_non_null(strstr(last_subject(), "STREAM.CREATE"));
    answer("stream", NULL, "{}");
    answer("consumer", NULL, "{}");
    assert_int_equal(wire.count, 3);
    assert_non_null(strstr(last_subject(), "MSG.NEXT"));
    assert_non_null(strstr(last_body(), "\"batch\":3,"));
}

/* --- work items from this node --- */

static void announce(void)
{
    const struct image images[] = {{.id = 5}, {.id = 6, .status = IMAGE_PROCESSED}, {.id = 8}};
    struct actor *self = actor_find(sys, "processor");

    msg_tell_waiting(self, "work_queue", images, 3);
    settle();
}

static void test_waiting_images_are_published(void **state)
{
    (void)state;
    become_ready();
    wire.count = 0;
    announce();
    assert_int_equal(wire.count, 2);
    assert_string_equal(wire.sent[0].body, "5");
    assert_string_equal(wire.sent[1].body, "8");
    assert_int_equal(processor.nudged, 0);
}

static void test_without_a_queue_the_processor_of_this_node_is_nudged(void **state)
{
    (void)state;
    announce();
    assert_int_equal(wire.count, 0);
    assert_int_equal(processor.nudged, 1);
    become_ready();
    set_connected(false);
    announce();
    assert_int_equal(processor.nudged, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_item_is_acknowledged_after_its_claim),
        TEST(test_an_item_whose_claim_is_not_answered_is_left_to_the_poll),
        TEST(test_no_more_items_are_pulled_than_the_processor_can_take),
        TEST(test_a_pull_that_ends_is_repeated),
        TEST(test_a_pull_that_is_not_answered_makes_the_stream_again),
        TEST(test_a_deleted_consumer_is_made_again),
        TEST(test_a_server_without_jetstream_is_asked_again),
        TEST(test_after_a_restart_of_an_idle_node_items_are_pulled_again),
        TEST(test_waiting_images_are_published),
        TEST(test_without_a_queue_the_processor_of_this_node_is_nudged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
