/* The gallery actor: matches beside readings of the log, and the loading of the index anew. */
#include "test/unit/gallery_world.h"

static void test_a_match_asked_during_a_reading_waits_for_the_next_one(void **state)
{
    (void)state;
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1); /* this page may be older than what is committed now */
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    world.early = true;
    ask_match(anna);
    turn();
    assert_int_equal(heard.matched, 0);
    release();
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
    assert_int_equal(heard.errors, 0);
}

static void test_requests_during_a_reading_share_the_next_one(void **state)
{
    int before;

    (void)state;
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    before = world.log_reads;
    for (int i = 0; i < 10; i++)
        ask_match(anna);
    turn();
    release();
    UNTIL(heard.matched == 10 && heard.read == 1);
    assert_int_equal(world.log_reads - before, 2);
}

static void test_a_match_is_made_though_the_log_cannot_be_read(void **state)
{
    (void)state;
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    ask_match(anna);
    turn();
    world.hold = 0;
    release();
    world.fail = STORE_GALLERY_CHANGES;
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
}

/* Anna's template is removed, and the log has lost the removal before the gallery has read it. */
static void lose_a_removal(void)
{
    add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    memset(&heard, 0, sizeof heard);
    world.changes[1].kind = 0;
    world.removal = ++world.change_count;
}

static void test_a_gallery_that_a_lost_removal_has_overtaken_is_loaded_anew(void **state)
{
    (void)state;
    lose_a_removal();
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    ask_match(anna);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, PERSON_UNKNOWN);
    ask_match(berta);
    UNTIL(heard.matched == 2);
    assert_int_equal(heard.person, 8);
    world.log_reads = 0;
    add_change(GALLERY_TEMPLATE_ADDED, 9, anna); /* the position is in the log again: it is continued */
    ask_changed();
    UNTIL(!is_passing() && heard.read == 2);
    assert_int_equal(world.log_reads, 1);
}

static void test_a_reading_from_the_start_needs_no_removal_that_the_log_had_lost(void **state)
{
    (void)state;
    world.change_count = 2 * PAGE; /* page 1 ends below the removal */
    world.removal = 2 * PAGE;
    for (int i = 0; i < 2 * PAGE - 1; i++)
        world.changes[i] = (struct gallery_change){
            .kind = GALLERY_PERSON_NAMED, .person = i + 1, .name = "a person", .template = {.id = 0}};
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    assert_int_equal(world.log_reads, 2);
}

static void test_a_match_waits_while_the_gallery_is_loaded_anew(void **state)
{
    (void)state;
    lose_a_removal();
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    actor_system_tell(sys, "store", msg_new(STORE_SUBMIT, sizeof(struct msg))); /* the position is lost */
    turn();
    assert_int_equal(world.held_count, 1); /* the reading from the start */
    world.fail = STORE_GALLERY_CHANGES;
    world.fail_always = true;
    ask_match(berta);
    release(); /* the readings fail, and the index is empty */
    world.fail = 0;
    fake_clock_advance_ms(&fake, PASS_RETRY_MS);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 8);
}

static void test_a_gallery_that_is_ahead_of_a_restored_log_is_loaded_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        add_change(GALLERY_TEMPLATE_ADDED, 7 + i, i == 2 ? anna : berta);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    world.change_count = 1; /* the backup was made before the other two */
    world.mark++;
    ask_changed();
    UNTIL(!is_passing() && heard.read == 2);
    ask_match(anna);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, PERSON_UNKNOWN);
}

/* The numbers of the changes were given out again: only the mark tells. */
static void test_a_restored_database_with_as_many_changes_is_loaded_anew_before_the_next_match(void **state)
{
    (void)state;
    config.poll_ms = 400;
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_match(anna);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
    world.change_count = 0;
    world.mark++;
    add_change(GALLERY_TEMPLATE_ADDED, 7, berta);
    ask_match(anna);
    UNTIL(heard.matched == 2);
    assert_int_equal(heard.person, PERSON_UNKNOWN);
    ask_match(berta);
    UNTIL(heard.matched == 3);
    assert_int_equal(heard.person, 7);
    assert_int_equal(heard.errors, 0);
}

static void test_a_match_waits_for_a_silent_store_until_the_deadline_only(void **state)
{
    (void)state;
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    ask_match(anna);
    turn();
    world.hold = 0;
    fake_clock_advance_ms(&fake, GALLERY_ASK_MS - 1);
    turn();
    assert_int_equal(heard.matched + heard.errors, 0);
    assert_int_equal(heard.read, 1);
    fake_clock_advance_ms(&fake, 1);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
    assert_int_equal(heard.errors, 0);
}

static void ask_match_of_label(const char *label)
{
    struct worker_event *event = (struct worker_event *)msg_new(WORKER_DONE, sizeof *event);
    static struct face face;

    face = (struct face){.quality = 1, .person_name = label, .distance = 0.1, .person = PERSON_UNKNOWN};
    event->hello = hello;
    event->faces = &face;
    event->face_count = 1;
    actor_system_tell(sys, "asker", &msg_match_new(event)->head);
    msg_unref(&event->head);
}

static void test_a_label_that_the_store_does_not_look_up_in_time_is_an_error(void **state)
{
    (void)state;
    world.hold = STORE_PHOTO_PERSON;
    ask_match_of_label("a.jpg");
    UNTIL(world.held_count == 1);
    fake_clock_advance_ms(&fake, GALLERY_ASK_MS - 1);
    turn();
    assert_int_equal(heard.errors, 0);
    fake_clock_advance_ms(&fake, 1);
    turn();
    assert_int_equal(heard.errors, 1);
    assert_int_equal(heard.matched, 0);
}

static void test_a_match_whose_client_has_left_is_not_searched_for(void **state)
{
    struct cancel *cancel = cancel_new();

    (void)state;
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    for (int i = 0; i < 3; i++)
        ask_match_for(anna, cancel);
    ask_match(anna);
    turn();
    cancel_set(cancel);
    release();
    UNTIL(heard.matched == 1 && heard.errors == 3);
    ask_match_for(anna, cancel); /* with an idle search thread, too */
    UNTIL(heard.errors == 4);
    assert_int_equal(heard.matched, 1);
    cancel_unref(cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_match_asked_during_a_reading_waits_for_the_next_one),
        TEST(test_requests_during_a_reading_share_the_next_one),
        TEST(test_a_match_is_made_though_the_log_cannot_be_read),
        TEST(test_a_gallery_that_a_lost_removal_has_overtaken_is_loaded_anew),
        TEST(test_a_reading_from_the_start_needs_no_removal_that_the_log_had_lost),
        TEST(test_a_match_waits_while_the_gallery_is_loaded_anew),
        TEST(test_a_gallery_that_is_ahead_of_a_restored_log_is_loaded_anew),
        TEST(test_a_restored_database_with_as_many_changes_is_loaded_anew_before_the_next_match),
        TEST(test_a_match_waits_for_a_silent_store_until_the_deadline_only),
        TEST(test_a_match_whose_client_has_left_is_not_searched_for),
        TEST(test_a_label_that_the_store_does_not_look_up_in_time_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
