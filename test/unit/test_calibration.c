/* The calibration of the score threshold: the quantile, types of faces that are confused, missed people among the
 * impostors; and whole decisions on synthetic embeddings of two types of faces. */
#include "core/match/calibration.h"
#include "core/match/policy.h"
#include "plugins/recognizer.h"
#include "test/unit/test.h"
#include "test/unit/test_random.h"

#include <math.h>
#include <string.h>

/* --- scores --- */

enum { SEEN = 2000, PEOPLE = 100 };
static const double RATE = 0.01;

/* An impostor with PEOPLE independent normal scores around `mean`. */
static struct impostor impostor(double mean, double alike)
{
    struct impostor one = {.best = -INFINITY, .rival = -INFINITY, .alike = alike, .weight = 1};

    for (int k = 0; k < PEOPLE; k++) {
        double score = mean + random_normal();

        one.rival = fmax(one.rival, fmin(one.best, score));
        one.best = fmax(one.best, score);
    }
    return one;
}

static struct calibration calibrate_list(const struct impostor *impostors, int count)
{
    static struct impostor list[SEEN];
    struct calibration c;
    int left;

    memcpy(list, impostors, (size_t)count * sizeof *list);
    left = calibrate_begin(&c, list, count, RATE);
    calibrate_end(&c, list, left, RATE);
    return c;
}

/* The share of impostors above their threshold. */
static double share_above(const struct calibration *c, double mean, double alike)
{
    enum { TRIES = 4000 };
    int above = 0;

    for (int i = 0; i < TRIES; i++) {
        struct impostor one = impostor(mean, alike);

        above += one.best >= calibration_threshold(c, alike, one.rival);
    }
    return (double)above / TRIES;
}

static void test_the_asked_share_of_impostors_exceeds_the_threshold(void **state)
{
    static struct impostor list[SEEN];
    struct calibration c;
    double share;

    (void)state;
    for (int i = 0; i < SEEN; i++)
        list[i] = impostor(0, NAN);
    c = calibrate_list(list, SEEN);
    share = share_above(&c, 0, NAN);
    assert_true(share > RATE / 2 && share < RATE * 1.5);
}

static void test_each_type_of_faces_keeps_the_rate(void **state)
{
    static struct impostor list[SEEN];
    struct calibration c;

    (void)state;
    for (int i = 0; i < SEEN; i++) { /* a tenth is of a type that scores 1.5 more; neighbours are like it */
        double mean = i % 10 ? 0 : 1.5;

        list[i] = impostor(mean, 1 + 0.7 * mean + 0.1 * random_normal());
    }
    c = calibrate_list(list, SEEN);
    assert_true(c.slope > 0.8);
    for (int type = 0; type < 2; type++) {
        double share = share_above(&c, type * 1.5, type ? 2.05 : 1);

        assert_true(share > RATE / 4 && share < RATE * 2);
    }
    assert_true(calibration_threshold(&c, 2.05, 2) > calibration_threshold(&c, 1, 2) + 0.8);
}

static void test_neighbours_that_say_nothing_change_nothing(void **state)
{
    static struct impostor list[SEEN];
    struct calibration c;

    (void)state;
    for (int i = 0; i < SEEN; i++)
        list[i] = impostor(0, random_normal());
    c = calibrate_list(list, SEEN);
    assert_true(c.slope < 0.06);
    assert_true(fabs(calibration_threshold(&c, 3, 0) - calibration_threshold(&c, NAN, 0)) < 0.25);
}

/* Missed faces of enrolled people match one person far better than the next. */
static void test_missed_people_among_the_impostors_do_not_raise_the_threshold(void **state)
{
    static struct impostor list[SEEN];
    struct calibration clean, mixed;

    (void)state;
    for (int i = 0; i < SEEN; i++)
        list[i] = impostor(0, NAN);
    clean = calibrate_list(list, SEEN);
    for (int i = 0; i < SEEN; i += 5) /* a fifth */
        list[i].best = list[i].rival + 4;
    mixed = calibrate_list(list, SEEN);
    assert_true(fabs(mixed.threshold - clean.threshold) < 0.2);
}

static void test_a_person_who_is_seen_often_counts_as_often(void **state)
{
    static struct impostor list[SEEN];
    struct calibration rare, often;

    (void)state;
    for (int i = 0; i < SEEN; i++)
        list[i] = impostor(i % 10 == 0, NAN);
    rare = calibrate_list(list, SEEN);
    for (int i = 0; i < SEEN; i += 10)
        list[i].weight = 40;
    often = calibrate_list(list, SEEN);
    for (int i = 0; i < SEEN; i++)
        list[i] = impostor(1, NAN);
    assert_true(often.average > rare.average + 0.4);
    assert_true(fabs(often.average - calibrate_list(list, SEEN).average) < 0.2);
}

static void test_a_rival_raises_the_threshold_up_to_a_limit(void **state)
{
    const struct calibration c = {.threshold = 3, .slope = 1, .mean = 2, .rival_max = 4};

    (void)state;
    assert_true(calibration_threshold(&c, NAN, NAN) == 3);
    assert_true(calibration_threshold(&c, NAN, 2) > 3);
    assert_true(calibration_threshold(&c, NAN, 9) == calibration_threshold(&c, NAN, 4));
    assert_true(fabs(calibration_threshold(&c, 2.5, NAN) - 3.5) < 1e-12);
    assert_true(fabs(calibration_excess(&c, 5, 2) - (5 + 3 - calibration_threshold(&c, NAN, 2))) < 1e-12);
}

/* --- decisions --- */

enum { DIMENSION = 32, CONFUSED = 1000000 /* people from this number on are of the confused type */ };

static const struct decider_model model = {
    .id = "made-up", .metric = KITH_METRIC_L2, .dimension = DIMENSION, .threshold = 0.6};

/* A random embedding of a person. Two of one person are about 0.4 apart (L2), of two people about 0.9; of two of the
 * confused type, which lies aside, about 0.65. */
static void look(uint64_t person, float out[DIMENSION])
{
    double spread = person >= CONFUSED ? 0.36 : 0.57;
    uint64_t then = random_state;

    random_state = (person + 1) * 0x9e3779b97f4a7c15u;
    for (int d = 0; d < DIMENSION; d++)
        out[d] = (float)(spread * random_normal() / sqrt(DIMENSION));
    random_state = then;
    for (int d = 0; d < DIMENSION; d++)
        out[d] += (float)(0.28 * random_normal() / sqrt(DIMENSION));
    out[0] += person >= CONFUSED ? 0.3f : 0;
}

static void enrol(struct decider *d, int64_t from, int count)
{
    float e[DIMENSION];

    for (int64_t p = from; p < from + count; p++)
        for (int64_t view = 0; view < 2; view++) {
            look((uint64_t)p, e);
            gallery_index_add(
                decider_index(d), INDEX_TEMPLATES,
                &(struct template){
                    .id = p * 2 + view, .person = p, .model = model.id, .embedding = e, .dimension = DIMENSION});
        }
}

static void meet(struct decider *d, int64_t from, int count)
{
    float e[DIMENSION];

    for (int64_t p = from; p < from + count; p++) {
        look((uint64_t)p, e);
        decider_assign_unknown(d, &model, p, p, e);
    }
}

/* The share of people that get a name; of those who get the right one if `right`. */
static double share_named(struct decider *d, int64_t from, int count, bool right)
{
    struct arena arena = {0}, *arenas = &arena;
    float e[DIMENSION];
    int named = 0;

    for (int64_t p = from; p < from + count; p++) {
        struct face f = {.model = model.id, .embedding = e, .dimension = DIMENSION, .quality = 1}, *faces = &f;

        look((uint64_t)p, e);
        decider_decide(d, &model, &faces, &arenas, 1);
        named += right ? f.person == p : f.person > 0;
    }
    arena_free(&arena);
    return (double)named / count;
}

/* Of 100 enrolled people and 900 unknown ones a tenth are of a type that the model confuses. Calibrated. */
static struct decider *decider_of_two_types(void)
{
    struct decider *d = decider_new(&(struct decider_policy){.threshold = -1,
                                                             .rate = RATE,
                                                             .candidates = 5,
                                                             .cohort = 1000,
                                                             .unknown_people = 5000,
                                                             .memory_max = 64 << 20});
    bool lowered;

    enrol(d, 1, 90);
    enrol(d, CONFUSED, 10);
    meet(d, 1000, 810);
    meet(d, CONFUSED + 1000, 90);
    while (decider_refresh(d, &model, &lowered))
        ;
    assert_true(decider_state(d).calibrated);
    return d;
}

/* A type that is confused moderately. Of one whose people differ hardly more than the photos of one person, the rate is
 * lowered, but exceeds the asked one. */
static void test_a_confused_type_gets_no_more_wrong_names_and_the_others_keep_theirs(void **state)
{
    enum { TRIES = 3000 };
    struct decider *d = decider_of_two_types();
    double plain;

    (void)state;
    assert_true(share_named(d, CONFUSED + 10000, TRIES, false) <= RATE * 1.5); /* 3 % with one threshold for all */
    plain = share_named(d, 10000, TRIES, false);
    assert_true(plain <= RATE * 1.5 && plain >= RATE / 4);
    assert_true(share_named(d, 1, 90, true) > 0.97);
    assert_true(share_named(d, CONFUSED, 10, true) > 0.6);
    decider_free(d);
}

static struct face decide(struct decider *d, const float *embedding)
{
    struct face f = {.model = model.id, .embedding = embedding, .dimension = DIMENSION, .quality = 1}, *faces = &f;
    struct arena arena = {0}, *arenas = &arena;

    decider_decide(d, &model, &faces, &arenas, 1);
    arena_free(&arena);
    return f;
}

static void test_a_person_who_was_denied_is_no_rival(void **state)
{
    struct decider *d = decider_of_two_types();
    float e[DIMENSION], twin[DIMENSION];
    struct face alone, beside, after;

    (void)state;
    look(1, e);
    alone = decide(d, e);
    assert_int_equal(alone.person, 1);
    look(1, twin);
    gallery_index_add(
        decider_index(d), INDEX_TEMPLATES,
        &(struct template){.id = 90000, .person = 900, .model = model.id, .embedding = twin, .dimension = DIMENSION});
    beside = decide(d, e);
    assert_true(beside.decision.score_threshold > alone.decision.score_threshold + 0.1);
    gallery_index_add(
        decider_index(d), INDEX_COUNTERS,
        &(struct template){.id = 1, .person = 900, .model = model.id, .embedding = e, .dimension = DIMENSION});
    after = decide(d, e);
    assert_int_equal(after.person, 1);
    assert_true(fabs(after.decision.score_threshold - alone.decision.score_threshold) < 1e-9);
    decider_free(d);
}

/* The last people are deleted while a calibration is under way. */
static void test_a_gallery_that_is_emptied_meanwhile_is_not_calibrated(void **state)
{
    (void)state;
    for (int slices = 1; slices < 100; slices += 49) {
        struct decider *d = decider_of_two_types();
        bool lowered;

        meet(d, 5000, 300);
        for (int i = 0; i < slices; i++)
            decider_refresh(d, &model, &lowered);
        for (int64_t p = 1; p <= 90; p++)
            gallery_index_remove_person(decider_index(d), p);
        for (int64_t p = CONFUSED; p < CONFUSED + 10; p++)
            gallery_index_remove_person(decider_index(d), p);
        while (decider_refresh(d, &model, &lowered))
            ;
        assert_true(decider_state(d).score_threshold < 100); /* a NaN is not */
        assert_true(share_named(d, 1, 90, false) == 0);
        enrol(d, 1, 90);
        while (decider_refresh(d, &model, &lowered))
            ;
        assert_true(decider_state(d).calibrated);
        assert_true(share_named(d, 1, 90, true) > 0.97);
        decider_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_asked_share_of_impostors_exceeds_the_threshold),
        cmocka_unit_test(test_each_type_of_faces_keeps_the_rate),
        cmocka_unit_test(test_neighbours_that_say_nothing_change_nothing),
        cmocka_unit_test(test_missed_people_among_the_impostors_do_not_raise_the_threshold),
        cmocka_unit_test(test_a_person_who_is_seen_often_counts_as_often),
        cmocka_unit_test(test_a_rival_raises_the_threshold_up_to_a_limit),
        cmocka_unit_test(test_a_confused_type_gets_no_more_wrong_names_and_the_others_keep_theirs),
        cmocka_unit_test(test_a_person_who_was_denied_is_no_rival),
        cmocka_unit_test(test_a_gallery_that_is_emptied_meanwhile_is_not_calibrated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
