/* Images that are looked at again: which, how many at a time, and until when. */
#include "test/unit/store_world.h"

static struct store_reply *act(enum look_again_action action, struct look_again_filter filter, int64_t max)
{
    struct store_look_again *m = STORE_MESSAGE(STORE_LOOK_AGAIN, store_look_again);

    m->action = action;
    m->filter = filter;
    m->max = max;
    return ask(m);
}

static const struct look_again_filter all = {.verdict = -1};

static int64_t count(struct look_again_filter filter)
{
    struct store_look_again *m = STORE_MESSAGE(STORE_LOOK_AGAIN_COUNT, store_look_again);

    m->filter = filter;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_false(last->more);
    return last->changed;
}

static const struct operation *operation(void)
{
    return ask(STORE_MESSAGE(STORE_OPERATION, store_id))->operation;
}

static int64_t ann, known, unknown, faceless, broken, waiting;

/* One image of each kind. */
static void fill(void)
{
    ann = person("Ann");
    known = submit("/known");
    unknown = submit("/unknown");
    faceless = submit("/faceless");
    broken = submit("/broken");
    claim(4);
    finish_with_face(known, 1, ann, 0.3);
    finish_with_face(unknown, 1, PERSON_UNKNOWN, 0);
    finish(faceless, 1, OUTCOME_FACES, false);
    finish(broken, 1, OUTCOME_FAILED, false);
    waiting = submit("/waiting");
}

static bool waits(int64_t id)
{
    return image_shown_status(image(id)) == IMAGE_PENDING;
}

static void test_a_filter_takes_its_images_and_counts_the_same(void **state)
{
    const struct {
        struct look_again_filter filter;
        bool known, unknown, faceless, broken;
    } cases[] = {
        {{.verdict = -1}, true, true, true, true},
        {{.verdict = VERDICT_UNKNOWN}, false, true, false, false},
        {{.verdict = VERDICT_NO_FACE}, false, false, true, false},
        {{.verdict = VERDICT_KNOWN}, true, false, false, false},
        {{.verdict = -1, .person = 1}, true, false, false, false},
        {{.verdict = VERDICT_UNKNOWN, .person = 1}, false, false, false, false},
        {{.verdict = -1, .person = 99}, false, false, false, false},
        {{.verdict = -1, .not_model = "m"}, false, false, false, false},
        {{.verdict = -1, .not_model = "newer"}, true, true, false, false},
        {{.verdict = VERDICT_UNKNOWN, .not_model = "newer"}, false, true, false, false},
        {{.verdict = -1, .person = 1, .not_model = "newer"}, true, false, false, false},
        {{.verdict = -1, .to_ms = 1}, false, false, false, false},
        {{.verdict = -1, .from_ms = INT64_MAX}, false, false, false, false},
        {{.verdict = -1, .from_ms = 1, .to_ms = INT64_MAX}, true, true, true, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int expected = cases[i].known + cases[i].unknown + cases[i].faceless + cases[i].broken;

        fill();
        assert_int_equal(ann, 1);
        assert_int_equal(count(cases[i].filter), expected);
        assert_int_equal(act(LOOK_AGAIN_BEGIN, cases[i].filter, 0)->status, STORE_OK);
        assert_int_equal(act(LOOK_AGAIN_STEP, all, 100)->changed, expected);
        assert_int_equal(waits(known), cases[i].known);
        assert_int_equal(waits(unknown), cases[i].unknown);
        assert_int_equal(waits(faceless), cases[i].faceless);
        assert_int_equal(waits(broken), cases[i].broken);
        assert_int_equal(image(waiting)->attempt, 0);
        assert_int_equal(operation()->state, OPERATION_DONE);
        assert_int_equal(operation()->done, expected);
        assert_int_equal(ask(STORE_MESSAGE(STORE_RECOUNT, store_list))->changed, 0);
        teardown(state);
        setup(state);
    }
}

/* A step that requeues something. A writer of a server has an old count of the waiting images for a while. */
static int64_t step_on(int64_t max)
{
    while (act(LOOK_AGAIN_STEP, all, max)->changed == 0)
        assert_string_not_equal(database(), "sqlite");
    return last->changed;
}

/* New images come first: nothing is requeued while as many wait as a step may requeue. */
static void test_a_step_is_bounded_and_waits_for_the_queue(void **state)
{
    char path[32];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "/%d", i);
        submit(path);
    }
    while (claim(1))
        finish(last->images[0].id, 1, OUTCOME_FACES, false);
    assert_int_equal(act(LOOK_AGAIN_BEGIN, all, 0)->status, STORE_OK);
    assert_int_equal(step_on(4), 4);
    assert_int_equal(operation()->done, 4);
    if (strcmp(database(), "sqlite") == 0) /* the writers of a server count each for itself between two readings */
        assert_int_equal(act(LOOK_AGAIN_STEP, all, 4)->changed, 0);
    close_store();
    open_store(); /* a restart: it goes on where it was */
    claim(4);
    assert_int_equal(step_on(4), 4);
    submit("/new"); /* not of this operation */
    claim(10);
    assert_int_equal(step_on(4), 2);
    assert_int_equal(last->operation->state, OPERATION_DONE);
    assert_int_equal(last->operation->done, 10);
    assert_int_equal(act(LOOK_AGAIN_STEP, all, 4)->changed, 0);
}

static void test_two_nodes_do_not_double_the_rate(void **state)
{
    struct store_look_again *m;

    (void)state;
    fill();
    close_store();
    open_store(); /* the writers of a server count what waits */
    act(LOOK_AGAIN_BEGIN, all, 0);
    for (int node = 0; node < 2; node++) {
        m = STORE_MESSAGE(STORE_LOOK_AGAIN, store_look_again);
        m->action = LOOK_AGAIN_STEP;
        m->max = 2;
        m->step_ms = 60000;
        assert_int_equal(ask(m)->changed, node == 0 ? 2 : 0);
        claim(10); /* nothing waits that would keep the second one from it */
    }
}

static void test_it_is_paused_resumed_and_cancelled(void **state)
{
    int64_t first;

    (void)state;
    fill();
    assert_int_equal(act(LOOK_AGAIN_PAUSE, all, 0)->status, STORE_NOT_FOUND);
    assert_null(operation());
    act(LOOK_AGAIN_BEGIN, all, 0);
    first = last->operation->id;
    assert_int_equal(act(LOOK_AGAIN_BEGIN, all, 0)->status, STORE_CONFLICT);
    assert_int_equal(act(LOOK_AGAIN_PAUSE, all, 0)->changed, 1);
    assert_int_equal(act(LOOK_AGAIN_PAUSE, all, 0)->changed, 0); /* a repetition */
    assert_int_equal(act(LOOK_AGAIN_STEP, all, 100)->changed, 0);
    assert_int_equal(act(LOOK_AGAIN_BEGIN, all, 0)->status, STORE_CONFLICT);
    close_store();
    open_store(); /* the writers of a server count what waits */
    assert_int_equal(act(LOOK_AGAIN_RESUME, all, 0)->changed, 1);
    assert_int_equal(act(LOOK_AGAIN_STEP, all, 2)->changed, 2);
    assert_int_equal(act(LOOK_AGAIN_CANCEL, all, 0)->changed, 1);
    assert_int_equal(operation()->state, OPERATION_CANCELLED);
    assert_int_equal(act(LOOK_AGAIN_STEP, all, 100)->changed, 0);
    assert_int_equal(act(LOOK_AGAIN_RESUME, all, 0)->status, STORE_NOT_FOUND);
    assert_int_equal(act(LOOK_AGAIN_BEGIN, all, 0)->status, STORE_OK);
    assert_true(last->operation->id > first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_filter_takes_its_images_and_counts_the_same),
        TEST(test_a_step_is_bounded_and_waits_for_the_queue),
        TEST(test_two_nodes_do_not_double_the_rate),
        TEST(test_it_is_paused_resumed_and_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
