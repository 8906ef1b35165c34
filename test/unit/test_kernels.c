/* Vector kernels that are selected at run time: each instruction level of this CPU gives the same bits as the plain
 * form. The AVX-512 kernel is also compiled with emulated instructions, for CPUs that lack them. */
#include "core/base/cpu.h"
#include "core/match/search/distance.h"
#include "core/match/search/quantizer.h"
#include "core/match/search/scan.h"
#include "core/match/search/scan_avx512.h"
#include "core/match/template_set.h"
#include "plugins/recognizer.h"
#include "test/unit/test.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* scan_avx512.c, compiled with SIMDe. */
uint32_t scan_avx512_emulated(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                              float factor, float limit, float out[SCAN_BLOCK]);

static int best_level(void)
{
    cpu_limit(CPU_AVX512);
    return (int)cpu_level();
}

static float noise(void)
{
    return (float)(rand() % 20001 - 10000) / 9973;
}

static void test_levels_are_limited(void **state)
{
    (void)state;
    for (int level = best_level(); level >= CPU_PLAIN; level--) {
        cpu_limit((enum cpu_level)level);
        assert_int_equal(cpu_level(), level);
    }
    assert_int_equal(cpu_level_of("plain"), CPU_PLAIN);
    assert_int_equal(cpu_level_of("auto"), CPU_AVX512);
    assert_int_equal(cpu_level_of("sse"), -EINVAL);
}

static void test_scan_is_the_same_at_every_level(void **state)
{
    enum { GROUPS = 16 };
    uint8_t block[GROUPS * 4 * SCAN_BLOCK];
    int8_t probe[GROUPS * 8];
    float norms[SCAN_BLOCK], expected[SCAN_BLOCK], values[SCAN_BLOCK];

    (void)state;
    srand(3);
    for (int round = 0; round < 200; round++) {
        uint32_t near;
        float limit = 0, factor = round % 2 ? 1e-4f : 1.7e-3f;

        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (uint8_t)(round == 0 ? 255 : rand());
        for (size_t i = 0; i < sizeof probe; i++)
            probe[i] = (int8_t)(round == 0 ? -127 : rand() % 255 - 127);
        for (int i = 0; i < SCAN_BLOCK; i++)
            norms[i] = (float)(rand() % 4000) / 1000;
        limit = norms[round % SCAN_BLOCK];
        near = scan_for(CPU_PLAIN)(block, probe, GROUPS, norms, factor, limit, expected);
        for (int i = 0; i < SCAN_BLOCK; i++)
            assert_int_equal(near >> i & 1, expected[i] <= limit);
        for (int level = best_level(); level >= CPU_PLAIN; level--) {
            assert_int_equal(near, scan_for((enum cpu_level)level)(block, probe, GROUPS, norms, factor, limit, values));
            assert_memory_equal(values, expected, sizeof values);
        }
        assert_int_equal(near, scan_avx512_emulated(block, probe, GROUPS, norms, factor, limit, values));
        assert_memory_equal(values, expected, sizeof values);
        assert_int_equal(scan_below(expected, limit), near);
    }
}

static void test_scan_of_a_row_is_the_same_at_every_level(void **state)
{
    enum { MOST_BYTES = 100 };
    uint8_t row[MOST_BYTES];
    int8_t probe[2 * MOST_BYTES];

    (void)state;
    srand(4);
    for (size_t bytes = 4; bytes <= MOST_BYTES; bytes += 4) {
        int expected = 0;

        for (size_t i = 0; i < bytes; i++)
            row[i] = (uint8_t)(bytes == 4 ? 255 : rand());
        for (size_t i = 0; i < 2 * bytes; i++)
            probe[i] = (int8_t)(bytes == 4 ? -127 : rand() % 255 - 127);
        for (size_t i = 0; i < bytes; i++)
            expected += row[i] % 16 * probe[i] + row[i] / 16 * probe[bytes + i];
        for (int level = best_level(); level >= CPU_PLAIN; level--)
            assert_int_equal(scan_row_for((enum cpu_level)level)(row, bytes, probe), expected);
    }
}

static void assert_same_distance(uint32_t metric, const float *a, const float *b, int dimension)
{
    double expected;

    cpu_limit(CPU_PLAIN);
    expected = embedding_distance(metric, a, b, dimension);
    for (int level = best_level(); level > CPU_PLAIN; level--) {
        double found;

        cpu_limit((enum cpu_level)level);
        found = embedding_distance(metric, a, b, dimension);
        assert_memory_equal(&found, &expected, sizeof found);
    }
}

static void test_distances_are_the_same_at_every_level(void **state)
{
    enum { LONGEST = 2500 };
    static float a[LONGEST], b[LONGEST];
    static const uint32_t metrics[] = {KITH_METRIC_L2, KITH_METRIC_COSINE, KITH_METRIC_CHI_SQUARE};

    (void)state;
    srand(5);
    for (int dimension = 1; dimension <= LONGEST; dimension += dimension < 40 ? 1 : 61) {
        for (int d = 0; d < dimension; d++) { /* histograms have many empty bins */
            a[d] = rand() % 3 ? noise() * (rand() % 50 ? 1 : 1e4f) : 0;
            b[d] = rand() % 3 ? noise() : 0;
        }
        for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++)
            assert_same_distance(metrics[m], a, b, dimension);
        for (int d = 0; d < dimension; d++) {
            a[d] = fabsf(a[d]);
            b[d] = fabsf(b[d]);
        }
        assert_same_distance(KITH_METRIC_CHI_SQUARE, a, b, dimension);
    }
}

/* A whole search: the index is built and asked at each level. */
static void test_a_search_is_the_same_at_every_level(void **state)
{
    enum { TEMPLATES = 3000, LONG = 128, K = 5, PROBES = 20 };
    static float rows[TEMPLATES][LONG], probes[PROBES][LONG];
    static struct hit hits[CPU_LEVELS][PROBES][K];
    int best = best_level();

    (void)state;
    srand(6);
    for (int i = 0; i < TEMPLATES; i++)
        for (int d = 0; d < LONG; d++)
            rows[i][d] = noise();
    for (int i = 0; i < PROBES; i++)
        for (int d = 0; d < LONG; d++)
            probes[i][d] = rows[i * 7][d] + noise() / 3;
    for (int level = CPU_PLAIN; level <= best; level++) {
        struct template_set *s;
        int found;

        cpu_limit((enum cpu_level)level);
        s = template_set_new("m", LONG, NULL, 0);
        for (int i = 0; i < TEMPLATES; i++)
            assert_true(template_set_add(s, i + 1, i / 3 + 1, rows[i]));
        for (int i = 0; i < PROBES; i++) {
            const float *probe = probes[i];
            struct hit *list = hits[level][i];

            template_set_search(s, KITH_METRIC_L2, &probe, 1, &list, &found, K);
            assert_int_equal(found, K);
        }
        template_set_free(s);
        assert_memory_equal(hits[level], hits[CPU_PLAIN], sizeof hits[level]);
    }
    cpu_limit(CPU_AVX512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_are_limited),
        cmocka_unit_test(test_scan_is_the_same_at_every_level),
        cmocka_unit_test(test_scan_of_a_row_is_the_same_at_every_level),
        cmocka_unit_test(test_distances_are_the_same_at_every_level),
        cmocka_unit_test(test_a_search_is_the_same_at_every_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
