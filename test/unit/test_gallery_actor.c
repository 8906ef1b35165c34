/* The gallery actor: changes of the gallery, and the passes over stored faces that follow them. */
#include "test/unit/gallery_world.h"

static void test_a_pass_names_the_unknown_faces_of_an_enrolled_person(void **state)
{
    (void)state;
    for (int i = 0; i < PAGE + 3; i++) /* more than a page */
        add_face(i % 2 ? anna : berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    assert_int_equal(world.named, (PAGE + 3) / 2);
    for (int i = 0; i < world.face_count; i++)
        assert_int_equal(world.faces[i].person, i % 2 ? 7 : PERSON_UNKNOWN);
}

static void test_a_change_during_a_pass_is_answered_at_once_and_followed_by_another_pass(void **state)
{
    (void)state;
    add_face(anna);
    add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    world.hold = STORE_UNKNOWN_FACES;
    ask_changed();
    UNTIL(world.held_count == 1);
    assert_int_equal(heard.read, 1);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(heard.read == 2);
    ask_match(anna); /* the change is known, the pass has not ended */
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
    assert_int_equal(world.held_count, 1);
    assert_true(is_passing());
    release();
    UNTIL(!is_passing());
    assert_int_equal(world.faces[0].person, 7);
}

/* A face like Anna's that no pass has named although she is enrolled: a pass that compares all templates would. */
static void add_missed_face(void)
{
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    add_face(anna);
    world.faces[world.face_count - 1].unknown_person = 99;
}

static void test_a_pass_compares_with_the_templates_that_were_added(void **state)
{
    (void)state;
    add_missed_face();
    add_face(berta);
    add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 2);
    assert_int_equal(world.faces[0].person, PERSON_UNKNOWN);
    assert_int_equal(world.faces[0].unknown_person, 99);
    assert_int_equal(world.faces[1].person, 8);
}

static void test_a_pass_compares_with_all_templates_after_a_failed_one(void **state)
{
    static const float cleo[DIMENSION] = {0, 0, 9, 0};

    (void)state;
    add_missed_face();
    add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    world.fail = STORE_UNKNOWN_FACES;
    ask_changed();
    UNTIL(world.fail == 0);
    turn();
    add_change(GALLERY_TEMPLATE_ADDED, 9, cleo); /* not the only one that the next pass compares */
    fake_clock_advance_ms(&fake, PASS_RETRY_MS);
    UNTIL(!is_passing() && heard.read == 2);
    assert_int_equal(world.faces[0].person, 7);
}

static void test_a_pass_compares_with_all_templates_when_a_counter_example_has_gone(void **state)
{
    (void)state;
    add_missed_face();
    add_change(GALLERY_COUNTER_REMOVED, 7, NULL);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 2);
    assert_int_equal(world.faces[0].person, 7);
}

static void test_a_pass_compares_with_all_templates_after_many_were_added(void **state)
{
    (void)state;
    assert_true(CHANGES_MAX > PASS_ADDED_MAX + 2);
    add_missed_face();
    world.hold = STORE_UNKNOWN_FACES; /* this pass has taken the first ones */
    add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    ask_changed();
    UNTIL(world.held_count == 1);
    while (world.change_count < CHANGES_MAX)
        add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    ask_changed();
    UNTIL(heard.read == 3);
    assert_int_equal(world.faces[0].person, PERSON_UNKNOWN);
    release();
    UNTIL(!is_passing());
    assert_int_equal(world.faces[0].person, 7);
}

static void test_a_change_is_answered_before_the_pass_over_many_unknown_faces(void **state)
{
    int64_t before = metric_value("kith_gallery_pass_faces_total");

    (void)state;
    for (int i = 0; i < FACES_MAX; i++)
        add_face(berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    world.hold = STORE_UNKNOWN_FACES;
    ask_changed();
    UNTIL(heard.read == 1);
    UNTIL(world.held_count == 1);
    for (int page = 0; page * PAGE < FACES_MAX; page++) { /* matches are made between two pages */
        int64_t decided = metric_value("kith_gallery_pass_faces_total") - before;

        assert_int_equal(decided, page * PAGE);
        assert_int_equal(world.held_ask[0].limit, PAGE);
        ask_match(anna);
        UNTIL(heard.matched == page + 1);
        assert_true(is_passing());
        actor_system_tell(sys, "store", msg_new(STORE_SUBMIT, sizeof(struct msg)));
        turn();
        UNTIL(world.held_count == 1);
    }
    release();
    UNTIL(!is_passing());
    assert_int_equal(metric_value("kith_gallery_pass_faces_total") - before, FACES_MAX);
    assert_int_equal(heard.read, 1);
}

static void test_a_change_that_cannot_be_read_is_answered_when_it_is(void **state)
{
    (void)state;
    world.fail = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.fail == 0);
    turn();
    assert_int_equal(heard.read, 0);
    fake_clock_advance_ms(&fake, PASS_RETRY_MS);
    UNTIL(heard.read == 1);
    assert_int_equal(heard.errors, 0);
}

static void test_too_many_waiting_changes_are_refused(void **state)
{
    (void)state;
    world.hold = STORE_GALLERY_CHANGES;
    for (int i = 0; i < WAITERS_MAX + 3; i++) {
        ask_changed();
        turn();
    }
    assert_int_equal(heard.errors, 3);
    release();
    UNTIL(heard.read == WAITERS_MAX);
}

static void test_an_unknown_face_of_an_old_generation_during_a_pass_is_followed_by_another_pass(void **state)
{
    struct msg_count *m = (struct msg_count *)msg_new(MSG_FOUND_UNKNOWN, sizeof *m);

    (void)state;
    add_face(anna);
    add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    world.hold = STORE_UNKNOWN_FACES;
    ask_changed();
    UNTIL(world.held_count == 1);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    m->count = 12345;
    actor_system_tell(sys, "gallery", &m->head);
    turn();
    release();
    UNTIL(world.faces[0].person == 7);
}

static void check_retried(uint32_t type)
{
    add_face(anna);
    add_change(GALLERY_COUNTER_ADDED, 8, berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    world.fail = type;
    ask_changed();
    UNTIL(world.fail == 0);
    turn();
    fake_clock_advance_ms(&fake, PASS_RETRY_MS - 1);
    turn();
    assert_int_equal(world.faces[0].person, PERSON_UNKNOWN);
    fake_clock_advance_ms(&fake, 1);
    UNTIL(!is_passing() && heard.read == 1);
    assert_int_equal(world.faces[0].person, 7);
    assert_int_equal(world.reviewed[world.reviewed_count - 1], 8);
    assert_int_equal(heard.errors, 0);
}

static void test_an_error_of_the_store_while_the_log_is_read_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_GALLERY_CHANGES);
}

static void test_an_error_of_the_store_while_faces_are_read_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_UNKNOWN_FACES);
}

static void test_an_error_of_the_store_while_a_review_reads_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_PERSON_FACES);
}

static void test_an_error_of_the_store_while_results_are_stored_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_RESOLVE);
}

static void test_reviews_beyond_the_limit_of_the_queue_are_deferred_and_keep_their_order(void **state)
{
    enum { PEOPLE = REVIEWS_MAX + 2 * PAGE + 5 };
    static bool seen[PEOPLE + 1];

    (void)state;
    for (int i = 1; i <= PEOPLE; i++)
        add_change(GALLERY_COUNTER_ADDED, i, berta);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    assert_true(world.reviewed_count >= PEOPLE);
    for (int i = 0; i < REVIEWS_MAX; i++)
        assert_int_equal(world.reviewed[i], i + 1);
    for (int i = 0; i < world.reviewed_count; i++)
        seen[world.reviewed[i]] = true;
    for (int i = 1; i <= PEOPLE; i++)
        if (!seen[i])
            fail_msg("person %d was not reviewed", i);
}

/* The process before may have been killed between the commit of the counter-example and its review. */
static void test_counter_examples_from_before_the_start_are_reviewed(void **state)
{
    add_change(GALLERY_COUNTER_ADDED, 8, berta);
    teardown(state);
    start_gallery();
    assert_int_equal(world.reviewed_count, 1);
    assert_int_equal(world.reviewed[0], 8);
}

static void test_new_unknown_faces_are_assigned_after_a_while_without_reading_the_old_ones(void **state)
{
    struct msg_count *m = (struct msg_count *)msg_new(MSG_FOUND_UNKNOWN, sizeof *m);

    (void)state;
    add_face(berta);
    actor_system_tell(sys, "gallery", &m->head); /* generation 0: nothing has been read from the log */
    turn();
    assert_int_equal(world.face_reads, 0);
    fake_clock_advance_ms(&fake, PASS_NEW_FACES_MS);
    UNTIL(world.faces[0].unknown_person == 1);
    assert_int_equal(world.log_reads, 0);
}

static void test_every_unknown_face_is_decided_at_the_edges_of_a_page(void **state)
{
    static const int counts[] = {1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE};
    int decided = 0;

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int64_t before = metric_value("kith_gallery_pass_faces_total");

        add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
        for (int n = 0; n < counts[i]; n++)
            add_face(anna);
        decided += counts[i];
        ask_changed();
        UNTIL(!is_passing() && heard.read == (int)i + 1);
        assert_int_equal(world.named, decided);
        assert_int_equal(metric_value("kith_gallery_pass_faces_total") - before, counts[i]);
    }
}

static void test_every_change_is_read_at_the_edges_of_a_page(void **state)
{
    static const int counts[] = {PAGE - 1, PAGE, PAGE + 1, 2 * PAGE};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int pages = counts[i] / PAGE + 1; /* a full page may be followed by another one */

        world.log_reads = 0;
        for (int n = 0; n < counts[i]; n++)
            add_change(GALLERY_TEMPLATE_ADDED, 100 + world.change_count, berta);
        ask_changed();
        UNTIL(!is_passing() && heard.read == (int)i + 1);
        assert_int_equal(world.log_reads, pages);
        UNTIL(metric_value("kith_gallery_templates") == world.change_count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_pass_names_the_unknown_faces_of_an_enrolled_person),
        TEST(test_a_change_during_a_pass_is_answered_at_once_and_followed_by_another_pass),
        TEST(test_a_pass_compares_with_the_templates_that_were_added),
        TEST(test_a_pass_compares_with_all_templates_after_a_failed_one),
        TEST(test_a_pass_compares_with_all_templates_when_a_counter_example_has_gone),
        TEST(test_a_pass_compares_with_all_templates_after_many_were_added),
        TEST(test_a_change_is_answered_before_the_pass_over_many_unknown_faces),
        TEST(test_a_change_that_cannot_be_read_is_answered_when_it_is),
        TEST(test_too_many_waiting_changes_are_refused),
        TEST(test_an_unknown_face_of_an_old_generation_during_a_pass_is_followed_by_another_pass),
        TEST(test_an_error_of_the_store_while_the_log_is_read_is_retried),
        TEST(test_an_error_of_the_store_while_faces_are_read_is_retried),
        TEST(test_an_error_of_the_store_while_a_review_reads_is_retried),
        TEST(test_an_error_of_the_store_while_results_are_stored_is_retried),
        TEST(test_counter_examples_from_before_the_start_are_reviewed),
        TEST(test_reviews_beyond_the_limit_of_the_queue_are_deferred_and_keep_their_order),
        TEST(test_new_unknown_faces_are_assigned_after_a_while_without_reading_the_old_ones),
        TEST(test_every_unknown_face_is_decided_at_the_edges_of_a_page),
        TEST(test_every_change_is_read_at_the_edges_of_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
