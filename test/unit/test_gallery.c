/* The search for the nearest people: exact after any additions and removals, at every level of vector instructions. */
#include "core/match/index.h"
#include "core/match/search/distance.h"
#include "core/match/search/quantizer.h"
#include "core/match/search/rotation.h"
#include "core/match/search/scan.h"
#include "core/match/search/slot_index.h"
#include "core/match/template_set.h"
#include "plugins/recognizer.h"
#include "test/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add(struct gallery_index *g, int64_t id, int64_t person, const char *model, float x, float y)
{
    float e[2] = {x, y};

    gallery_index_add(g, INDEX_TEMPLATES,
                      &(struct template){.id = id, .person = person, .model = model, .embedding = e, .dimension = 2});
}

static int nearest(struct gallery_index *g, const char *model, const float *probe, int dimension, struct hit *out,
                   int max)
{
    struct template_set *s = gallery_index_template_set(g, INDEX_TEMPLATES, model, dimension);
    int found = 0;

    if (s)
        template_set_search(s, KITH_METRIC_L2, &probe, 1, &out, &found, max);
    return found;
}

static void test_search_returns_each_person_once_nearest_first(void **state)
{
    struct gallery_index *g = gallery_index_new(NULL, 0);
    struct hit c[5] = {{0}};
    float probe[2] = {0, 0};

    (void)state;
    add(g, 1, 10, "m", 3, 4);  /* 5 */
    add(g, 2, 20, "m", 1, 0);  /* 1 */
    add(g, 3, 10, "m", 0, 2);  /* 2: the nearest template of person 10 */
    add(g, 4, 30, "m", 6, 8);  /* 10 */
    add(g, 5, 20, "m", 9, 12); /* 15 */
    assert_int_equal(nearest(g, "m", probe, 2, c, 5), 3);
    assert_int_equal(c[0].person, 20);
    assert_int_equal(c[1].person, 10);
    assert_int_equal(c[2].person, 30);
    assert_true(fabs(c[1].distance - 2) < 1e-6);
    assert_int_equal(nearest(g, "m", probe, 2, c, 1), 1);
    assert_int_equal(c[0].person, 20);
    gallery_index_free(g);
}

static void test_models_are_never_compared(void **state)
{
    struct gallery_index *g = gallery_index_new(NULL, 0);
    struct hit c[5] = {{0}};
    float probe[3] = {0, 0, 0};

    (void)state;
    add(g, 1, 10, "one", 0, 0);
    assert_int_equal(nearest(g, "two", probe, 2, c, 5), 0);
    assert_int_equal(nearest(g, "one", probe, 3, c, 5), 0);
    gallery_index_free(g);
}

static void test_embeddings_with_nan_are_ignored(void **state)
{
    struct gallery_index *g = gallery_index_new(NULL, 0);

    (void)state;
    add(g, 1, 10, "m", NAN, 0);
    add(g, 2, 10, "m", INFINITY, 0);
    assert_int_equal(gallery_index_size(g), 0);
    add(g, 3, 10, "m", 0, 0); /* zero is usable for L2, but not for the cosine */
    assert_int_equal(gallery_index_size(g), 1);
    assert_false(embedding_is_sane(KITH_METRIC_COSINE, (float[2]){0, 0}, 2));
    gallery_index_free(g);
}

static void test_a_smaller_id_is_added_later_and_an_existing_id_is_ignored(void **state)
{
    struct gallery_index *g = gallery_index_new(NULL, 0);
    struct hit c[5] = {{0}};
    float probe[2] = {0, 0};

    (void)state;
    add(g, 7, 70, "m", 1, 0);
    add(g, 5, 50, "m", 2, 0);
    add(g, 5, 51, "m", 3, 0);
    add(g, 7, 71, "m", 4, 0);
    assert_int_equal(gallery_index_size(g), 2);
    assert_int_equal(nearest(g, "m", probe, 2, c, 5), 2);
    assert_int_equal(c[1].person, 50);
    gallery_index_free(g);
}

static void test_removed_templates_are_not_found(void **state)
{
    struct gallery_index *g = gallery_index_new(NULL, 0);
    struct hit c[5] = {{0}};
    float probe[2] = {0, 0};

    (void)state;
    for (int i = 1; i <= 100; i++)
        add(g, i, i % 10 + 1, "m", (float)i, 0);
    gallery_index_remove_person(g, 2); /* person 2 has template 1, the nearest */
    assert_int_equal(gallery_index_size(g), 90);
    nearest(g, "m", probe, 2, c, 5);
    assert_int_equal(c[0].person, 3);
    gallery_index_remove_template(g, 2);
    nearest(g, "m", probe, 2, c, 5);
    assert_int_equal(c[0].person, 4);
    add(g, 50, 77, "m", 0, 0); /* the id exists: it is ignored */
    assert_int_equal(gallery_index_size(g), 89);
    gallery_index_free(g);
}

/* --- against an exhaustive comparison --- */

enum { MOST = 3000, DIMENSION = 44, ALL_PEOPLE = 200, K = 5 };

static struct world { /* what the template set must hold */
    float rows[MOST][DIMENSION];
    int64_t persons[MOST], ids[MOST];
    int count;
    int64_t next_id;
} world;

static float noise(void)
{
    float sum = 0;

    for (int i = 0; i < 4; i++)
        sum += (float)rand() / (float)RAND_MAX - 0.5f;
    return sum;
}

static void world_add(struct template_set *s, bool positive)
{
    float *row = world.rows[world.count];

    for (int d = 0; d < DIMENSION; d++)
        row[d] = positive ? fabsf(noise())
                          : noise() + (rand() % 500 == 0 ? 40 : 0); /* some numbers are outside the quantizer's range */
    if (world.count && rand() % 4 == 0) /* one photo is enrolled for several people: equal distances */
        memcpy(row, world.rows[rand() % (world.count < 8 ? world.count : 8)], sizeof world.rows[0]);
    world.persons[world.count] = rand() % ALL_PEOPLE + 1;
    world.ids[world.count] = ++world.next_id;
    assert_true(template_set_add(s, world.next_id, world.persons[world.count], row));
    world.count++;
}

static void world_forget(int i)
{
    world.count--;
    memmove(world.rows[i], world.rows[world.count], sizeof world.rows[0]);
    world.persons[i] = world.persons[world.count];
    world.ids[i] = world.ids[world.count];
}

static void check_one(struct template_set *s, uint32_t metric, const float *probe, const struct hit *hits, int found)
{
    double best[ALL_PEOPLE + 1];
    int people = 0;

    for (int p = 0; p <= ALL_PEOPLE; p++)
        best[p] = INFINITY;
    for (int i = 0; i < world.count; i++)
        best[world.persons[i]] =
            fmin(best[world.persons[i]], embedding_distance(metric, probe, world.rows[i], DIMENSION));
    for (int p = 1; p <= ALL_PEOPLE; p++)
        people += isfinite(best[p]);
    assert_int_equal(found, people < K ? people : K);
    assert_int_equal(template_set_people(s), people);
    for (int k = 0; k < found; k++) {
        int before = 0;

        assert_true(hits[k].distance == best[hits[k].person]);
        assert_int_equal(template_set_person(s, hits[k].slot), hits[k].person);
        for (int p = 1; p <= ALL_PEOPLE; p++) {
            before += best[p] < hits[k].distance || (best[p] == hits[k].distance && p < hits[k].person);
        }
        assert_int_equal(before, k);
        for (int j = 0; j < k; j++)
            assert_int_not_equal(hits[j].person, hits[k].person);
    }
}

static void check_all(struct template_set *s, uint32_t metric)
{
    enum { PROBES = 7 };
    float probes[PROBES][DIMENSION];
    const float *list[PROBES];
    struct hit room[PROBES][K], *hits[PROBES];
    int found[PROBES];

    for (int i = 0; i < PROBES; i++) {
        for (int d = 0; d < DIMENSION; d++) /* some at random, some near a template */
            probes[i][d] = metric == KITH_METRIC_CHI_SQUARE ? fabsf(noise()) : noise();
        if (i % 2 && world.count)
            memcpy(probes[i], world.rows[rand() % world.count], sizeof probes[i]);
        list[i] = probes[i];
        hits[i] = room[i];
    }
    template_set_search(s, metric, list, PROBES, hits, found, K);
    for (int i = 0; i < PROBES; i++)
        check_one(s, metric, probes[i], hits[i], found[i]);
}

static void live(struct template_set *s, uint32_t metric)
{
    world.count = 0;
    world.next_id = 0;
    srand(11);
    check_all(s, metric);
    for (int round = 0; round < 17; round++) {
        for (int i = 0; i < 200 && world.count < MOST; i++)
            world_add(s, metric == KITH_METRIC_CHI_SQUARE);
        for (int i = 0; i < 30; i++) {
            int at = rand() % world.count;

            assert_true(template_set_remove(s, world.ids[at]));
            world_forget(at);
        }
        check_all(s, metric);
    }
    template_set_remove_person(s, 17);
    for (int i = world.count - 1; i >= 0; i--)
        if (world.persons[i] == 17)
            world_forget(i);
    check_all(s, metric);
    while (world.count) {
        assert_true(template_set_remove(s, world.ids[0]));
        world_forget(0);
        if (world.count % 500 == 0)
            check_all(s, metric);
    }
    assert_int_equal(template_set_count(s), 0);
}

static void test_search_equals_an_exhaustive_comparison(void **state)
{
    static const uint32_t metrics[] = {KITH_METRIC_L2, KITH_METRIC_COSINE, KITH_METRIC_CHI_SQUARE};

    (void)state;
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        struct template_set *s = template_set_new("m", DIMENSION, NULL, 0);

        live(s, metrics[i]);
        template_set_free(s);
    }
}

static void test_search_reads_embeddings_from_the_file(void **state)
{
    struct template_set *s = template_set_new("m", DIMENSION, "/tmp", 1),
                        *refused = template_set_new("m", DIMENSION, "/nowhere", 1);

    (void)state;
    live(s, KITH_METRIC_L2);
    live(refused, KITH_METRIC_L2); /* the file cannot be written: rows stay in memory */
    assert_true(template_set_memory(refused) > 0);
    template_set_free(s);
    template_set_free(refused);
}

/* The bound never exceeds the distance, and inside the range it is close to it: a loose bound would prune nothing. */
static void test_quantizer_gives_a_tight_lower_bound(void **state)
{
    enum { TEMPLATES = 1000 };
    static float rows[TEMPLATES][DIMENSION];
    float centre[DIMENSION] = {0}, probe[DIMENSION], about[SCAN_BLOCK];
    struct quantizer *c = quantizer_new(DIMENSION, centre, 1.6f); /* numbers of noise() are rarely larger */
    int close = 0;

    (void)state;
    srand(8);
    for (int i = 0; i < TEMPLATES; i++) {
        for (int d = 0; d < DIMENSION; d++)
            rows[i][d] = noise() + (i % 50 == 1 && d == 0 ? 9 : 0);
        quantizer_add(c, rows[i]);
    }
    quantizer_move_last(c, 51); /* a template inside the range replaces one outside */
    memcpy(rows[51], rows[TEMPLATES - 1], sizeof rows[51]);
    for (int i = 0; i < TEMPLATES - 1; i++) {
        struct quantizer_probe coded;
        float truth, least;
        size_t block = (size_t)i / SCAN_BLOCK;

        for (int d = 0; d < DIMENSION; d++)
            probe[d] = i % 2 ? noise() : rows[i][d] + noise() / 9; /* another person's; the same person's */
        truth = sqrtf(embedding_squared(probe, rows[i], DIMENSION));
        quantizer_prepare(c, probe, &coded);
        assert_true(quantizer_candidates(c, &coded, block, truth, about) >> (i % SCAN_BLOCK) & 1);
        least = quantizer_lower_bound(c, &coded, (size_t)i, about[i % SCAN_BLOCK]);
        assert_true(least <= truth);
        close += i % 2 && least > 0.98f * truth;
        assert_true(i != 51 || least > 0.98f * truth);
        quantizer_probe_free(&coded);
    }
    assert_in_range(close, TEMPLATES / 2 * 80 / 100, TEMPLATES / 2);
    quantizer_free(c);
}

/* With this many dimensions the codes take three pieces of memory. */
static void test_a_gallery_of_several_pieces(void **state)
{
    enum { MANY = 9000, LONG = 1024 };
    float *rows = malloc(sizeof(float) * MANY * LONG), *probe = malloc(sizeof(float) * LONG);
    struct template_set *s = template_set_new("m", LONG, "/tmp", 1 << 20);

    (void)state;
    assert_non_null(rows);
    assert_non_null(probe);
    srand(6);
    for (int i = 0; i < MANY; i++) {
        for (int d = 0; d < LONG; d++)
            rows[i * LONG + d] = (float)(rand() % 2001 - 1000) / 1000;
        assert_true(template_set_add(s, i + 1, i + 1, rows + (size_t)i * LONG));
    }
    for (int i = 0; i < MANY; i += 500) {
        struct hit hits[K], *list = hits;
        const float *probes = probe;
        int found, nearer = 0;

        for (int d = 0; d < LONG; d++) /* between two templates */
            probe[d] = 0.7f * rows[i * LONG + d] + 0.3f * rows[(MANY - 1 - i) * LONG + d];
        template_set_search(s, KITH_METRIC_L2, &probes, 1, &list, &found, K);
        assert_int_equal(found, K);
        assert_int_equal(hits[0].person, i + 1);
        assert_int_equal(hits[1].person, MANY - i);
        for (int j = 0; j < MANY; j++)
            nearer += embedding_distance(KITH_METRIC_L2, probe, rows + (size_t)j * LONG, LONG) < hits[K - 1].distance;
        assert_int_equal(nearer, K - 1);
    }
    template_set_free(s);
    free(probe);
    free(rows);
}

static void test_rotation_keeps_distances_and_spreads_variance(void **state)
{
    static const int dimensions[] = {1, 2, 3, 44, 128, 300};

    (void)state;
    srand(9);
    for (size_t n = 0; n < sizeof dimensions / sizeof dimensions[0]; n++) {
        struct rotation *r = rotation_new(dimensions[n]);
        float a[300] = {0}, b[300] = {0}, before, largest = 0;

        for (int d = 0; d < dimensions[n]; d++) {
            a[d] = (float)(rand() % 2000 - 1000) / 1000;
            b[d] = (float)(rand() % 2000 - 1000) / 1000;
        }
        before = embedding_squared(a, b, dimensions[n]);
        rotate(r, a);
        rotate(r, b);
        assert_true(fabsf(embedding_squared(a, b, dimensions[n]) - before) <= 1e-5f * before);
        memset(a, 0, sizeof a);
        a[0] = 1; /* all variance in one dimension: the rotation must spread it */
        rotate(r, a);
        for (int d = 0; d < dimensions[n]; d++)
            largest = fmaxf(largest, fabsf(a[d]));
        assert_true(largest <= 4 / sqrtf((float)dimensions[n]));
        rotation_free(r);
    }
}

static void test_slot_index_equals_a_plain_list(void **state)
{
    enum { SLOTS = 400, PERSONS = 37 };
    struct slot_index *o = slot_index_new();
    int64_t person_of[SLOTS];
    size_t count = 0;

    (void)state;
    srand(5);
    for (int round = 0; round < 4000; round++) {
        int64_t person = rand() % PERSONS + 1;
        size_t circle = 0, there = 0, first;

        if (count < SLOTS && (count == 0 || rand() % 5 < 3)) {
            slot_index_add(o, person);
            person_of[count++] = person;
        } else {
            size_t to = (size_t)rand() % count;

            slot_index_move_last(o, to);
            person_of[to] = person_of[--count];
        }
        for (size_t i = 0; i < count; i++) {
            there += person_of[i] == person;
            assert_int_equal(slot_index_of(o, i), person_of[i]);
        }
        first = slot_index_find(o, person);
        if (first != SIZE_MAX)
            for (size_t slot = first; circle == 0 || slot != first; slot = slot_index_next(o, slot)) {
                assert_int_equal(person_of[slot], person);
                circle++;
            }
        assert_int_equal(circle, there);
    }
    slot_index_free(o);
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
        cmocka_unit_test(test_search_returns_each_person_once_nearest_first),
        cmocka_unit_test(test_models_are_never_compared),
        cmocka_unit_test(test_embeddings_with_nan_are_ignored),
        cmocka_unit_test(test_a_smaller_id_is_added_later_and_an_existing_id_is_ignored),
        cmocka_unit_test(test_removed_templates_are_not_found),
        cmocka_unit_test(test_search_equals_an_exhaustive_comparison),
        cmocka_unit_test(test_search_reads_embeddings_from_the_file),
        cmocka_unit_test(test_quantizer_gives_a_tight_lower_bound),
        cmocka_unit_test(test_a_gallery_of_several_pieces),
        cmocka_unit_test(test_rotation_keeps_distances_and_spreads_variance),
        cmocka_unit_test(test_slot_index_equals_a_plain_list),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_similarity_is_half_at_the_threshold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
