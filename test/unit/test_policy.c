/* Decisions: when too little is known, by a rate of strangers, against counter-examples; what is no embedding. */
#include "core/match/calibration.h"
#include "core/match/policy.h"
#include "plugins/recognizer.h"
#include "test/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIMENSION = 32, VIEWS = 2 };

static const struct decider_model model = {
    .id = "made-up", .metric = KITH_METRIC_L2, .dimension = DIMENSION, .threshold = 0.6};

static uint64_t random_state;

static double uniform(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return ((double)(random_state >> 11) + 0.5) * 0x1p-53;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

/* Person n always looks alike; another look differs from the first by about 0.45, other people by 0.8, with luck 0.5.
 */
static void look(uint64_t person, float out[DIMENSION])
{
    uint64_t then = random_state;

    random_state = (person + 1) * 0x9e3779b97f4a7c15u;
    for (int d = 0; d < DIMENSION; d++)
        out[d] = (float)(0.57 * normal() / sqrt(DIMENSION));
    random_state = then;
    for (int d = 0; d < DIMENSION; d++)
        out[d] += (float)(0.28 * normal() / sqrt(DIMENSION));
}

static struct decider *decider_of(double threshold, double rate, double quality)
{
    return decider_new(&(struct decider_policy){.threshold = threshold,
                                                .rate = rate,
                                                .quality = quality,
                                                .candidates = 5,
                                                .cohort = 500,
                                                .unknown_people = 5000,
                                                .memory_max = 64 << 20});
}

static void put(struct decider *d, enum index_kind kind, int64_t id, int64_t person, const float *embedding)
{
    gallery_index_add(
        decider_index(d), kind,
        &(struct template){
            .id = id, .person = person, .model = model.id, .embedding = embedding, .dimension = DIMENSION});
}

/* People 1 to `count`, who look like look(1) to look(count). */
static void enrol(struct decider *d, int count)
{
    float e[DIMENSION];

    for (int64_t p = 1; p <= count; p++)
        for (int v = 0; v < VIEWS; v++) {
            look((uint64_t)p, e);
            put(d, INDEX_TEMPLATES, p * VIEWS + v, p, e);
        }
}

static void meet(struct decider *d, int count, uint64_t from)
{
    float e[DIMENSION];

    for (int i = 0; i < count; i++) {
        look(from + (uint64_t)i, e);
        decider_meet(d, &model, (int64_t)(from + (uint64_t)i), 0, e);
    }
}

static void refresh(struct decider *d)
{
    bool eased;

    while (decider_refresh(d, &model, &eased))
        ;
}

static struct face decide(struct decider *d, const float *embedding, const char *id, float quality)
{
    struct face f = {.model = id, .embedding = embedding, .dimension = DIMENSION, .quality = quality}, *faces = &f;
    struct arena arena = {0}, *arenas = &arena;

    f.person = PERSON_UNKNOWN;
    decider_decide(d, &model, &faces, &arenas, 1);
    arena_free(&arena);
    f.candidates = NULL;
    return f;
}

static struct face decide_look(struct decider *d, uint64_t person)
{
    static float e[DIMENSION];

    look(person, e);
    return decide(d, e, model.id, 1);
}

static void test_of_little_is_known_it_is_careful_and_says_so(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    float e[DIMENSION], farther[DIMENSION];
    struct face f;

    (void)state;
    look(1, e);
    put(d, INDEX_TEMPLATES, 1, 1, e);
    memcpy(farther, e, sizeof e);
    farther[0] += 0.5f;
    f = decide(d, farther, model.id, 1);
    assert_int_equal(f.person, 1);
    assert_int_equal(f.decision.rule, DECIDED_BY_FALLBACK);
    assert_true(f.decision.threshold < model.threshold);
    farther[0] += 0.08f; /* near enough for the recogniser, not for the careful */
    f = decide(d, farther, model.id, 1);
    assert_int_equal(f.person, PERSON_UNKNOWN);
    assert_true(f.similarity < 0.5);
    enrol(d, 400);
    decide(d, e, model.id, 1);
    assert_true(decider_state(d).threshold < 0.5); /* of many people one is near by chance */
    decider_free(d);
}

static void test_few_unknown_people_get_a_name_and_most_known_people_do(void **state)
{
    enum { PEOPLE = 100, TRIES = 2000 };
    struct decider *d = decider_of(-1, 0.01, 0);
    int unknown_people = 0, known = 0, wrong = 0;

    (void)state;
    enrol(d, PEOPLE);
    meet(d, 800, 100000);
    refresh(d);
    assert_true(decider_state(d).calibrated);
    for (int i = 0; i < TRIES; i++) {
        struct face f = decide_look(d, 200000 + (uint64_t)i), k = decide_look(d, 1 + (uint64_t)i % PEOPLE);

        assert_int_equal(f.decision.rule, DECIDED_BY_FPIR);
        assert_true((f.person > 0) == (f.similarity >= 0.5));
        unknown_people += f.person > 0;
        known += k.person == 1 + i % PEOPLE;
        wrong += k.person > 0 && k.person != 1 + i % PEOPLE;
    }
    assert_true(unknown_people <= TRIES * 3 / 100); /* one of a hundred is asked for */
    assert_true(known >= TRIES * 80 / 100);
    assert_true(wrong <= TRIES / 100);
    decider_free(d);
}

static void test_more_people_need_a_higher_score(void **state)
{
    double needed[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct decider *d = decider_of(-1, 0.01, 0);

        enrol(d, i ? 800 : 40);
        meet(d, 800, 100000);
        refresh(d);
        needed[i] = decider_state(d).needed;
        decider_free(d);
    }
    assert_true(needed[1] > needed[0] + 0.2);
}

static void test_a_fixed_threshold_decides_alone(void **state)
{
    struct decider *d = decider_of(0.3, 0.01, 0);
    float e[DIMENSION];

    (void)state;
    look(1, e);
    put(d, INDEX_TEMPLATES, 1, 1, e);
    meet(d, 800, 100000);
    refresh(d);
    e[0] += 0.29f;
    assert_int_equal(decide(d, e, model.id, 1).person, 1);
    assert_int_equal(decide(d, e, model.id, 1).decision.rule, DECIDED_BY_FIXED);
    e[0] += 0.02f;
    assert_int_equal(decide(d, e, model.id, 1).person, PERSON_UNKNOWN);
    decider_free(d);
}

static void test_who_is_nearer_to_a_counter_example_is_not_that_person(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    float e[DIMENSION], twin[DIMENSION];
    struct face f;

    (void)state;
    look(1, e);
    put(d, INDEX_TEMPLATES, 1, 1, e);
    memcpy(twin, e, sizeof e);
    twin[3] += 0.3f;
    assert_int_equal(decide(d, twin, model.id, 1).person, 1);
    put(d, INDEX_COUNTERS, 2, 1, twin);
    twin[4] += 0.05f;
    f = decide(d, twin, model.id, 1);
    assert_int_equal(f.person, PERSON_UNKNOWN);
    assert_int_equal(f.decision.rule, DECIDED_BY_DENIAL);
    assert_int_equal(f.decision.denied, 1);
    assert_int_equal(decide(d, e, model.id, 1).person, 1); /* the person stays who they are */
    decider_free(d);
}

static void test_a_bad_picture_gets_no_name(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0.4);
    float e[DIMENSION];

    (void)state;
    look(1, e);
    put(d, INDEX_TEMPLATES, 1, 1, e);
    assert_int_equal(decide(d, e, model.id, 0.5f).person, 1);
    assert_int_equal(decide(d, e, model.id, 0.3f).person, PERSON_UNKNOWN);
    assert_int_equal(decide(d, e, model.id, 0.3f).decision.rule, DECIDED_BY_QUALITY);
    decider_free(d);
}

static void test_what_is_of_another_model_or_no_number_is_nobody(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    float e[DIMENSION], bad[DIMENSION], zero[DIMENSION] = {0};

    (void)state;
    look(1, e);
    put(d, INDEX_TEMPLATES, 1, 1, e);
    assert_int_equal(decide(d, e, "another", 1).person, PERSON_UNKNOWN);
    memcpy(bad, e, sizeof e);
    bad[7] = NAN;
    assert_int_equal(decide(d, bad, model.id, 1).person, PERSON_UNKNOWN);
    assert_int_equal(decide(d, zero, model.id, 1).person, PERSON_UNKNOWN);
    decider_meet(d, &model, 5, 0, bad); /* nor does it become a stranger that others are like */
    refresh(d);
    assert_int_equal(decide(d, e, model.id, 1).person, 1);
    decider_free(d);
}

static void test_what_is_known_of_unknown_people_is_kept_for_each_model(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    struct decider_model other = model;
    float e[DIMENSION];
    struct face f = {.embedding = e, .dimension = DIMENSION, .quality = 1}, *faces = &f;
    struct arena arena = {0}, *arenas = &arena;
    int unknown_people;

    (void)state;
    enrol(d, 50);
    meet(d, 400, 100000);
    refresh(d);
    assert_true(decider_state(d).calibrated);
    unknown_people = decider_state(d).unknown_people;
    look(1, e);
    other.id = "another"; /* a node that is renewed before the others */
    decider_decide(d, &other, &faces, &arenas, 1);
    assert_false(decider_state(d).calibrated);
    assert_int_equal(decider_meet(d, &other, 7, 0, e), 7);
    assert_int_equal(decide_look(d, 2).decision.rule, DECIDED_BY_FPIR);
    assert_int_equal(decider_state(d).unknown_people, unknown_people);
    for (int i = 0; i < 20; i++) { /* but not of any number of them */
        char id[32];

        snprintf(id, sizeof id, "model %d", i);
        other.id = id;
        decider_decide(d, &other, &faces, &arenas, 1);
    }
    assert_int_equal(decide_look(d, 2).decision.rule, DECIDED_BY_FALLBACK);
    arena_free(&arena);
    decider_free(d);
}

static void test_a_unknown_person_who_comes_again_is_the_same_one(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    float first[DIMENSION], again[DIMENSION], other[DIMENSION];

    (void)state;
    look(1, first);
    memcpy(again, first, sizeof first);
    again[0] += 0.1f;
    memcpy(other, first, sizeof first);
    other[1] += 2;
    assert_int_equal(decider_meet(d, &model, 10, 0, first), 10);
    assert_int_equal(decider_meet(d, &model, 11, 0, again), 10);
    assert_int_equal(decider_meet(d, &model, 12, 0, other), 12);
    decider_forget(d, 10);
    decider_forget(d, 11);
    assert_int_equal(decider_meet(d, &model, 13, 0, again), 13); /* nobody remembers the first */
    decider_free(d);
}

/* The largest of n normal scores is below s in all but `rate` of the cases when Phi(s)^n is 1 - rate. */
static void test_the_calibration_finds_the_tail_of_the_largest_of_many(void **state)
{
    enum { SEEN = 1000, PEOPLE = 200 };
    static double best[SEEN];
    double expected = normal_quantile(pow(0.99, 1.0 / PEOPLE)), found;

    (void)state;
    for (int i = 0; i < SEEN; i++) {
        best[i] = -INFINITY;
        for (int k = 0; k < PEOPLE; k++)
            best[i] = fmax(best[i], normal());
    }
    found = calibrate_score(best, SEEN, PEOPLE, 0.01);
    assert_true(fabs(found - expected) < 0.3);
    for (int i = 0; i < SEEN / 20; i++) /* a twentieth are people who are known and were missed: far too like */
        best[i] = 9;
    assert_true(fabs(calibrate_score(best, SEEN, PEOPLE, 0.01) - expected) < 0.5);
    assert_true(fabs(normal_quantile(0.975) - 1.959964) < 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_little_is_known_it_is_careful_and_says_so),
        cmocka_unit_test(test_few_unknown_people_get_a_name_and_most_known_people_do),
        cmocka_unit_test(test_more_people_need_a_higher_score),
        cmocka_unit_test(test_a_fixed_threshold_decides_alone),
        cmocka_unit_test(test_who_is_nearer_to_a_counter_example_is_not_that_person),
        cmocka_unit_test(test_a_bad_picture_gets_no_name),
        cmocka_unit_test(test_what_is_of_another_model_or_no_number_is_nobody),
        cmocka_unit_test(test_what_is_known_of_unknown_people_is_kept_for_each_model),
        cmocka_unit_test(test_a_unknown_person_who_comes_again_is_the_same_one),
        cmocka_unit_test(test_the_calibration_finds_the_tail_of_the_largest_of_many),
    };

    random_state = 88172645463325252u;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
