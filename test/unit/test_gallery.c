/* The search among templates. */
#include "actors/gallery_index.h"

#include "plugins/recognizer.h"
#include "test/unit/test.h"

#include <math.h>
#include <stdlib.h>

static void add(struct gallery_index *g, int64_t id, int64_t person, const char *model, float x, float y)
{
    float e[2] = {x, y};

    gallery_index_add(g,
                      &(struct template){.id = id, .person = person, .model = model, .embedding = e, .dimension = 2});
}

static void test_nearest_person_first_each_once(void **state)
{
    struct gallery_index *g = gallery_index_new();
    struct candidate c[5];
    float probe[2] = {0, 0};

    (void)state;
    add(g, 1, 10, "m", 3, 4);  /* 5 */
    add(g, 2, 20, "m", 1, 0);  /* 1 */
    add(g, 3, 10, "m", 0, 2);  /* 2: person 10 is nearer by this one */
    add(g, 4, 30, "m", 6, 8);  /* 10 */
    add(g, 5, 20, "m", 9, 12); /* 15 */
    assert_int_equal(gallery_index_nearest(g, "m", KITH_METRIC_L2, probe, 2, c, 5), 3);
    assert_int_equal(c[0].person, 20);
    assert_int_equal(c[1].person, 10);
    assert_int_equal(c[2].person, 30);
    assert_true(fabs(c[1].distance - 2) < 1e-6);
    assert_int_equal(gallery_index_nearest(g, "m", KITH_METRIC_L2, probe, 2, c, 1), 1);
    assert_int_equal(c[0].person, 20);
    gallery_index_free(g);
}

static void test_models_are_never_compared(void **state)
{
    struct gallery_index *g = gallery_index_new();
    struct candidate c[5];
    float probe[3] = {0, 0, 0};

    (void)state;
    add(g, 1, 10, "one", 0, 0);
    assert_int_equal(gallery_index_nearest(g, "two", KITH_METRIC_L2, probe, 2, c, 5), 0);
    assert_int_equal(gallery_index_nearest(g, "one", KITH_METRIC_L2, probe, 3, c, 5), 0);
    gallery_index_free(g);
}

static void test_a_template_that_comes_late_is_taken_and_one_that_is_there_is_not(void **state)
{
    struct gallery_index *g = gallery_index_new();
    struct candidate c[5];
    float probe[2] = {0, 0};

    (void)state;
    add(g, 7, 70, "m", 1, 0);
    add(g, 5, 50, "m", 2, 0);
    add(g, 5, 51, "m", 3, 0);
    add(g, 7, 71, "m", 4, 0);
    assert_int_equal(gallery_index_size(g), 2);
    assert_int_equal(gallery_index_nearest(g, "m", KITH_METRIC_L2, probe, 2, c, 5), 2);
    assert_int_equal(c[1].person, 50);
    gallery_index_free(g);
}

static void test_removed_ones_are_not_found(void **state)
{
    struct gallery_index *g = gallery_index_new();
    struct candidate c[5];
    float probe[2] = {0, 0};

    (void)state;
    for (int i = 1; i <= 100; i++)
        add(g, i, i % 10 + 1, "m", (float)i, 0);
    gallery_index_remove_person(g, 2); /* template 1, the nearest, is person 2's */
    assert_int_equal(gallery_index_size(g), 90);
    gallery_index_nearest(g, "m", KITH_METRIC_L2, probe, 2, c, 5);
    assert_int_equal(c[0].person, 3);
    gallery_index_remove_template(g, 2);
    gallery_index_nearest(g, "m", KITH_METRIC_L2, probe, 2, c, 5);
    assert_int_equal(c[0].person, 4);
    add(g, 50, 77, "m", 0, 0); /* an id seen before: not taken twice */
    assert_int_equal(gallery_index_size(g), 89);
    gallery_index_free(g);
}

/* Against a search that sorts everything. */
static void test_agrees_with_an_exhaustive_search(void **state)
{
    enum { TEMPLATES = 500, PEOPLE = 60, DIMENSION = 2 };
    struct gallery_index *g = gallery_index_new();
    double best[PEOPLE];
    float rows[TEMPLATES][DIMENSION], probe[DIMENSION] = {0.5f, 0.5f};
    struct candidate c[5];

    (void)state;
    srand(7);
    for (int p = 0; p < PEOPLE; p++)
        best[p] = 1e9;
    for (int i = 0; i < TEMPLATES; i++) {
        int person = rand() % PEOPLE;
        double d;

        rows[i][0] = (float)rand() / (float)RAND_MAX;
        rows[i][1] = (float)rand() / (float)RAND_MAX;
        add(g, i + 1, person + 1, "m", rows[i][0], rows[i][1]);
        d = embedding_distance(KITH_METRIC_L2, probe, rows[i], DIMENSION);
        if (d < best[person])
            best[person] = d;
    }
    assert_int_equal(gallery_index_nearest(g, "m", KITH_METRIC_L2, probe, DIMENSION, c, 5), 5);
    for (int k = 0; k < 5; k++) {
        int nearer = 0;

        assert_true(fabs(best[c[k].person - 1] - c[k].distance) < 1e-9);
        for (int p = 0; p < PEOPLE; p++)
            nearer += best[p] < c[k].distance;
        assert_int_equal(nearer, k);
    }
    gallery_index_free(g);
}

static void test_distances(void **state)
{
    float a[9] = {1, 0, 0, 0, 0, 0, 0, 0, 3}, b[9] = {0, 1, 0, 0, 0, 0, 0, 0, 1};

    (void)state;
    assert_true(fabs(embedding_distance(KITH_METRIC_L2, a, b, 9) - sqrt(6)) < 1e-6);
    assert_true(fabs(embedding_distance(KITH_METRIC_COSINE, a, b, 9) - (1 - 3 / (sqrt(10) * sqrt(2)))) < 1e-6);
    assert_true(fabs(embedding_distance(KITH_METRIC_CHI_SQUARE, a, b, 9) - (2 + 2 + 2 * 4 / 4.0)) < 1e-6);
    assert_true(fabs(embedding_distance(KITH_METRIC_COSINE, a, a, 9)) < 1e-6);
}

static void test_similarity_is_half_at_the_threshold(void **state)
{
    (void)state;
    assert_true(fabs(similarity_of(0.6, 0.6) - 0.5) < 1e-12);
    assert_true(fabs(similarity_of(40, 40) - 0.5) < 1e-12);
    assert_true(similarity_of(0, 0.6) > 0.999);
    assert_true(similarity_of(0.3, 0.6) > similarity_of(0.31, 0.6));
    assert_true(similarity_of(1e9, 0.6) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_person_first_each_once),
        cmocka_unit_test(test_models_are_never_compared),
        cmocka_unit_test(test_a_template_that_comes_late_is_taken_and_one_that_is_there_is_not),
        cmocka_unit_test(test_removed_ones_are_not_found),
        cmocka_unit_test(test_agrees_with_an_exhaustive_search),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_similarity_is_half_at_the_threshold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
