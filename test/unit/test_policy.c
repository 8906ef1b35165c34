/* The decision policy: fallback threshold, false positive rate, counter-examples, quality, unusable embeddings. */
#include "core/match/cohort.h"
#include "core/match/policy.h"
#include "core/match/template_set.h"
#include "plugins/recognizer.h"
#include "test/unit/test.h"
#include "test/unit/test_random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIMENSION = 32, VIEWS = 2 };

static const struct decider_model model = {
    .id = "made-up", .metric = KITH_METRIC_L2, .dimension = DIMENSION, .threshold = 0.6};

/* A random embedding of person n. Two of one person are about 0.4 apart (L2), of two people about 0.9, rarely 0.5. */
static void look(uint64_t person, float out[DIMENSION])
{
    uint64_t then = random_state;

    random_state = (person + 1) * 0x9e3779b97f4a7c15u;
    for (int d = 0; d < DIMENSION; d++)
        out[d] = (float)(0.57 * random_normal() / sqrt(DIMENSION));
    random_state = then;
    for (int d = 0; d < DIMENSION; d++)
        out[d] += (float)(0.28 * random_normal() / sqrt(DIMENSION));
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

/* Enrols people 1 to `count`, VIEWS templates each. */
static void enrol(struct decider *d, int count)
{
    float e[DIMENSION];

    for (int64_t p = 1; p <= count; p++)
        for (int v = 0; v < VIEWS; v++) {
            look((uint64_t)p, e);
            put(d, INDEX_TEMPLATES, p * VIEWS + v, p, e);
        }
}

static void add_unknown_people(struct decider *d, int count, uint64_t from)
{
    float e[DIMENSION];

    for (int i = 0; i < count; i++) {
        look(from + (uint64_t)i, e);
        decider_assign_unknown(d, &model, (int64_t)(from + (uint64_t)i), 0, e);
    }
}

static void refresh(struct decider *d)
{
    bool threshold_lowered;

    while (decider_refresh(d, &model, &threshold_lowered))
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

static void test_a_small_gallery_uses_the_fallback_threshold(void **state)
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
    farther[0] += 0.08f; /* within the recogniser's threshold, beyond the fallback threshold */
    f = decide(d, farther, model.id, 1);
    assert_int_equal(f.person, PERSON_UNKNOWN);
    assert_true(f.similarity < 0.5);
    enrol(d, 400);
    decide(d, e, model.id, 1);
    assert_true(decider_state(d).threshold < 0.5); /* the fallback threshold falls with the number of people */
    decider_free(d);
}

static void test_false_positives_stay_at_the_rate_and_most_known_people_are_named(void **state)
{
    enum { PEOPLE = 100, TRIES = 2000 };
    struct decider *d = decider_of(-1, 0.01, 0);
    int unknown_people = 0, known = 0, wrong = 0;

    (void)state;
    enrol(d, PEOPLE);
    add_unknown_people(d, 800, 100000);
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
    assert_true(unknown_people <=
                TRIES * 3 / 100); /* the rate is 1 %; the bound leaves three standard deviations and more */
    assert_true(known >= TRIES * 80 / 100);
    assert_true(wrong <= TRIES / 100);
    decider_free(d);
}

static void test_the_score_threshold_rises_with_the_number_of_people(void **state)
{
    double thresholds[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct decider *d = decider_of(-1, 0.01, 0);

        enrol(d, i ? 800 : 40);
        add_unknown_people(d, 800, 100000);
        refresh(d);
        thresholds[i] = decider_state(d).score_threshold;
        decider_free(d);
    }
    assert_true(thresholds[1] > thresholds[0] + 0.2);
}

static void test_a_fixed_threshold_overrides_the_rate(void **state)
{
    struct decider *d = decider_of(0.3, 0.01, 0);
    float e[DIMENSION];

    (void)state;
    look(1, e);
    put(d, INDEX_TEMPLATES, 1, 1, e);
    add_unknown_people(d, 800, 100000);
    refresh(d);
    e[0] += 0.29f;
    assert_int_equal(decide(d, e, model.id, 1).person, 1);
    assert_int_equal(decide(d, e, model.id, 1).decision.rule, DECIDED_BY_FIXED);
    e[0] += 0.02f;
    assert_int_equal(decide(d, e, model.id, 1).person, PERSON_UNKNOWN);
    decider_free(d);
}

static void test_a_face_nearer_to_a_counter_example_is_denied(void **state)
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
    assert_int_equal(decide(d, e, model.id, 1).person, 1); /* a nearer template still wins */
    decider_free(d);
}

/* The same photo was enrolled for a person and denied to be that person. */
static void test_a_counter_example_at_the_same_distance_as_the_template_denies_the_person(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    float e[DIMENSION], probe[DIMENSION];
    struct face f;

    (void)state;
    look(1, e);
    put(d, INDEX_TEMPLATES, 1, 1, e);
    put(d, INDEX_COUNTERS, 2, 1, e);
    memcpy(probe, e, sizeof e);
    probe[0] += 0.1f;
    f = decide(d, probe, model.id, 1);
    assert_int_equal(f.person, PERSON_UNKNOWN);
    assert_int_equal(f.decision.rule, DECIDED_BY_DENIAL);
    f.embedding = probe;
    f.model = model.id;
    assert_true(decider_denies(d, &model, &f, 1));
    decider_free(d);
}

static void test_of_people_at_the_same_distance_the_smallest_id_is_named(void **state)
{
    static const int64_t people[] = {5, 3, 9, 4, 7, 8, 6};
    enum { COUNT = sizeof people / sizeof people[0] };
    struct decider *d = decider_of(-1, 0.01, 0);
    float e[DIMENSION];
    struct face f = {.model = model.id, .embedding = e, .dimension = DIMENSION, .quality = 1}, *faces = &f;
    struct arena arena = {0}, *arenas = &arena;

    (void)state;
    look(1, e);
    for (int i = 0; i < COUNT; i++) /* one photo was enrolled for all of them */
        put(d, INDEX_TEMPLATES, i + 1, people[i], e);
    decider_decide(d, &model, &faces, &arenas, 1);
    assert_int_equal(f.person, 3);
    assert_int_equal(f.candidate_count, 5);
    for (int i = 0; i < f.candidate_count; i++)
        assert_int_equal(f.candidates[i].person, 3 + i);
    gallery_index_remove_template(decider_index(d), 1); /* the last template moves to its slot */
    decider_decide(d, &model, &faces, &arenas, 1);
    for (int i = 0; i < f.candidate_count; i++)
        assert_int_equal(f.candidates[i].person, i < 2 ? 3 + i : 4 + i);
    gallery_index_remove_person(decider_index(d), 3);
    decider_decide(d, &model, &faces, &arenas, 1);
    assert_int_equal(f.person, 4);
    arena_free(&arena);
    decider_free(d);
}

/* 200 different faces: documented in the explanation of a decision and in the change log. */
static void test_scores_decide_from_a_cohort_of_200_faces_on(void **state)
{
    enum { PEOPLE = 20, FACES = 200 };
    float e[DIMENSION];

    (void)state;
    for (int missing = 1; missing >= 0; missing--) {
        struct decider *d = decider_of(-1, 0.01, 0);

        enrol(d, PEOPLE);
        for (int64_t i = 1; i <= FACES - PEOPLE - missing; i++) {
            look(100000 + (uint64_t)i, e);
            decider_assign_unknown(d, &model, i, i, e);
        }
        refresh(d);
        assert_int_equal(decider_state(d).cohort, FACES - missing);
        assert_int_equal(decider_state(d).calibrated, !missing);
        assert_int_equal(decide_look(d, 2).decision.rule, missing ? DECIDED_BY_FALLBACK : DECIDED_BY_FPIR);
        decider_free(d);
    }
}

static void test_a_probe_is_measured_with_at_least_half_of_the_smallest_cohort(void **state)
{
    enum { FACES = COHORT_MIN / 2, NEAREST = FACES / 3, FIRST = 10 };
    struct template_set *unknown = template_set_new(model.id, DIMENSION, NULL, 1 << 20);
    struct cohort *c = cohort_new(model.metric, DIMENSION, FACES);
    float e[DIMENSION] = {0}, probe[DIMENSION] = {0};
    struct normal n;

    (void)state;
    for (int i = 0; i < FACES; i++) { /* at the distances FIRST, FIRST + 1, … */
        e[0] = (float)(FIRST + i);
        assert_true(template_set_add(unknown, i + 1, i + 1, e));
    }
    cohort_fill(c, unknown, NULL);
    assert_true(cohort_measure(c, probe, FIRST, &n)); /* a face at exactly this distance counts */
    assert_true(fabs(n.mean - (FIRST + (NEAREST - 1) / 2.0)) < 1e-9);
    assert_true(fabs(n.deviation - sqrt((NEAREST * NEAREST - 1) / 12.0)) < 1e-9);
    assert_false(cohort_measure(c, probe, FIRST + 0.5, &n)); /* one is left out: too few */
    cohort_free(c);
    template_set_free(unknown);
}

static void test_a_face_below_the_quality_limit_gets_no_name(void **state)
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

static void test_embeddings_of_another_model_or_with_nan_are_unknown(void **state)
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
    decider_assign_unknown(d, &model, 5, 0, bad); /* an unusable embedding is not kept */
    refresh(d);
    assert_int_equal(decide(d, e, model.id, 1).person, 1);
    decider_free(d);
}

static void test_each_model_has_its_own_impostor_model(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    struct decider_model other = model;
    float e[DIMENSION];
    struct face f = {.embedding = e, .dimension = DIMENSION, .quality = 1}, *faces = &f;
    struct arena arena = {0}, *arenas = &arena;
    int unknown_people;

    (void)state;
    enrol(d, 50);
    add_unknown_people(d, 400, 100000);
    refresh(d);
    assert_true(decider_state(d).calibrated);
    unknown_people = decider_state(d).unknown_people;
    look(1, e);
    other.id = "another"; /* nodes of a cluster may differ during an upgrade */
    decider_decide(d, &other, &faces, &arenas, 1);
    assert_false(decider_state(d).calibrated);
    assert_int_equal(decider_assign_unknown(d, &other, 7, 0, e), 7);
    assert_int_equal(decide_look(d, 2).decision.rule, DECIDED_BY_FPIR);
    assert_int_equal(decider_state(d).unknown_people, unknown_people);
    for (int i = 0; i < 20; i++) { /* at most MODELS_MAX are kept */
        char id[32];

        snprintf(id, sizeof id, "model %d", i);
        other.id = id;
        decider_decide(d, &other, &faces, &arenas, 1);
    }
    assert_int_equal(decide_look(d, 2).decision.rule, DECIDED_BY_FALLBACK);
    arena_free(&arena);
    decider_free(d);
}

static void test_a_similar_unknown_face_is_assigned_to_the_same_unknown_person(void **state)
{
    struct decider *d = decider_of(-1, 0.01, 0);
    float first[DIMENSION], again[DIMENSION], other[DIMENSION];

    (void)state;
    look(1, first);
    memcpy(again, first, sizeof first);
    again[0] += 0.1f;
    memcpy(other, first, sizeof first);
    other[1] += 2;
    assert_int_equal(decider_assign_unknown(d, &model, 10, 0, first), 10);
    assert_int_equal(decider_assign_unknown(d, &model, 11, 0, again), 10);
    assert_int_equal(decider_assign_unknown(d, &model, 12, 0, other), 12);
    decider_forget(d, 10);
    decider_forget(d, 11);
    assert_int_equal(decider_assign_unknown(d, &model, 13, 0, again), 13); /* faces 10 and 11 are forgotten */
    decider_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_gallery_uses_the_fallback_threshold),
        cmocka_unit_test(test_false_positives_stay_at_the_rate_and_most_known_people_are_named),
        cmocka_unit_test(test_the_score_threshold_rises_with_the_number_of_people),
        cmocka_unit_test(test_a_fixed_threshold_overrides_the_rate),
        cmocka_unit_test(test_a_face_nearer_to_a_counter_example_is_denied),
        cmocka_unit_test(test_a_counter_example_at_the_same_distance_as_the_template_denies_the_person),
        cmocka_unit_test(test_of_people_at_the_same_distance_the_smallest_id_is_named),
        cmocka_unit_test(test_scores_decide_from_a_cohort_of_200_faces_on),
        cmocka_unit_test(test_a_probe_is_measured_with_at_least_half_of_the_smallest_cohort),
        cmocka_unit_test(test_a_face_below_the_quality_limit_gets_no_name),
        cmocka_unit_test(test_embeddings_of_another_model_or_with_nan_are_unknown),
        cmocka_unit_test(test_each_model_has_its_own_impostor_model),
        cmocka_unit_test(test_a_similar_unknown_face_is_assigned_to_the_same_unknown_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
