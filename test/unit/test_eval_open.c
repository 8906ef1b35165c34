/* The open-set evaluation of kith eval: its counts by groups of alike faces, on embeddings whose truth is known. */
#include "cli/eval/eval_open.h"
#include "cli/eval/face_groups.h"
#include "core/match/face.h"
#include "test/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIMENSION = 2, PHOTOS_MAX = 200, REPEATS = 4 };

/* Two types of faces. People of the plain type are 10 apart on a line, those of the confused type all at one point. */
struct world {
    struct portrait portraits[PHOTOS_MAX], *faces[PHOTOS_MAX];
    float embeddings[PHOTOS_MAX][DIMENSION];
    char names[PHOTOS_MAX][32];
    int photos, people;
};

static void world_add(struct world *w, float x, float y, int photos)
{
    for (int k = 0; k < photos; k++) {
        struct portrait *p = &w->portraits[w->photos];

        snprintf(w->names[w->photos], sizeof w->names[0], "person-%03d", w->people);
        w->embeddings[w->photos][0] = x;
        w->embeddings[w->photos][1] = y + 0.01f * (float)k;
        *p = (struct portrait){.path = w->names[w->photos],
                               .photo = w->names[w->photos],
                               .person = w->names[w->photos],
                               .quality = 1,
                               .embedding = w->embeddings[w->photos]};
        w->faces[w->photos++] = p;
    }
    w->people++;
}

/* Evaluates and returns the JSON text, to be freed. Those with more than two photos are enrolled. */
static char *world_evaluate(struct world *w, const char *sizes, int enrolled, double threshold, double rate)
{
    struct settings settings = {
        .threshold = threshold, .fpir = rate, .candidates = 5, .cohort = 1000, .unknown_faces = 1000};
    struct invocation in = {.settings = &settings};
    struct evaluation e = {.in = &in, .faces = w->faces, .count = w->photos, .json = true};
    const struct open_set_options options = {.sizes = sizes, .repeats = REPEATS, .enrolled = enrolled, .groups = 2};

    snprintf(e.all.model.model, sizeof e.all.model.model, "made-up");
    e.all.model.metric = METRIC_L2;
    e.all.model.dimension = DIMENSION;
    e.all.model.threshold = 0.5;
    assert_int_equal(eval_open_set(&e, &options), 0);
    buf_add(&e.out, "", 1);
    return e.out.data;
}

static double number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    assert_non_null(at);
    return strtod(at + strlen(key), NULL);
}

static void world_make(struct world *w)
{
    enum { KNOWN = 8, CONFUSED_KNOWN = 2, IMPOSTORS = 40, CONFUSED_IMPOSTORS = 20 };

    for (int i = 0; i < KNOWN - CONFUSED_KNOWN; i++)
        world_add(w, 0, 10 * (float)i, 4);
    for (int i = 0; i < CONFUSED_KNOWN; i++)
        world_add(w, 5000 + 3 * (float)i, 0, 4);
    for (int i = 0; i < IMPOSTORS - CONFUSED_IMPOSTORS; i++)
        world_add(w, 0, 10 * (float)(i + KNOWN), 1);
    for (int i = 0; i < CONFUSED_IMPOSTORS; i++)
        world_add(w, 5000, 0, 1);
}

/* With a fixed threshold each probed impostor of the confused type gets the name of the one at its place. */
static void test_wrong_names_are_counted_by_group(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    double wrong, impostors, named, known = 8 * REPEATS;
    char *json, *groups;

    (void)state;
    world_make(w);
    json = world_evaluate(w, "8", 2, 0.5, 0.01);
    assert_non_null(strstr(json, "\"asked\":null"));
    impostors = number_after(json, "\"impostors\":");
    assert_true(impostors == 20 * REPEATS);
    groups = strstr(json, "\"groups\":[");
    assert_non_null(groups);
    wrong = number_after(json, "\"wrong_names\":");
    named = number_after(json, "\"names\":");
    assert_true(wrong > 0 && wrong < impostors);
    assert_true(named == known + wrong);
    assert_true(fabs(number_after(json, "\"wrong_share\":") - wrong / named) < 1e-4);
    assert_true(fabs(number_after(json, "\"impostors_named\":") - wrong / impostors) < 1e-4);
    for (int g = 1; g <= 2; g++) {
        bool confused;

        groups = strstr(groups, "\"group\":");
        assert_non_null(groups);
        assert_true(number_after(groups, "\"group\":") == g);
        confused = number_after(groups, "\"people\":") == 22; /* 2 known, 20 impostors */
        assert_true(confused || number_after(groups, "\"people\":") == 26);
        assert_true(number_after(groups, "\"impostors_named\":") == (confused ? 1 : 0));
        assert_true(number_after(groups, "\"known\":") == (confused ? 2 : 6) * REPEATS);
        assert_true(number_after(groups, "\"known_missed\":") == 0);
        assert_true(number_after(groups, "\"wrong_names\":") == (confused ? wrong : 0));
        assert_true(number_after(groups, "\"names\":") == (confused ? 2 : 6) * REPEATS + (confused ? wrong : 0));
        groups++;
    }
    free(json);
    free(w);
}

static void test_the_asked_rate_stands_beside_the_measured_one(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char *json;

    (void)state;
    world_make(w);
    json = world_evaluate(w, "8", 2, -1, 0.02);
    assert_true(number_after(json, "\"asked\":") == 0.02);
    free(json);
    free(w);
}

/* With three photos enrolled of four, the one that is left is met before the calibration: no known one is probed. */
static void test_the_number_of_enrolled_photos_is_chosen(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char *json;

    (void)state;
    world_make(w);
    json = world_evaluate(w, "8", 3, 0.5, 0.01);
    assert_true(number_after(json, "\"known\":") == 0);
    free(json);
    json = world_evaluate(w, "8", 1, 0.5, 0.01); /* of three, one is met and one is probed, or the last two */
    assert_true(number_after(json, "\"known\":") == 8 * REPEATS);
    free(json);
    free(w);
}

static void test_groups_of_faces_are_the_same_at_each_run_and_largest_first(void **state)
{
    enum { FACES = 60 };
    static const float centers[3][DIMENSION] = {{0, 0}, {50, 0}, {0, 50}};
    static float list[FACES][DIMENSION];
    const float *faces[FACES];
    struct face_groups *g, *again;

    (void)state;
    for (int i = 0; i < FACES; i++) { /* 30, 20 and 10 of a kind, in turns */
        int kind = i % 6 < 3 ? 0 : i % 6 < 5 ? 1 : 2;

        list[i][0] = centers[kind][0] + (float)(i % 7) * 0.1f;
        list[i][1] = centers[kind][1] + (float)(i % 5) * 0.1f;
        faces[i] = list[i];
    }
    g = face_groups_new(METRIC_L2, DIMENSION, faces, FACES, 3);
    again = face_groups_new(METRIC_L2, DIMENSION, faces, FACES, 3);
    assert_int_equal(face_groups_count(g), 3);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(face_groups_size(g, k), 30 - 10 * k);
        assert_int_equal(face_groups_nearest(g, centers[k]), k);
        assert_memory_equal(face_groups_center(g, k), face_groups_center(again, k), DIMENSION * sizeof(float));
    }
    face_groups_free(again);
    face_groups_free(g);
    for (int i = 0; i < FACES; i++) /* equal faces are one group */
        faces[i] = list[0];
    g = face_groups_new(METRIC_L2, DIMENSION, faces, FACES, 3);
    assert_int_equal(face_groups_count(g), 1);
    assert_int_equal(face_groups_size(g, 0), FACES);
    face_groups_free(g);
    face_groups_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_names_are_counted_by_group),
        cmocka_unit_test(test_the_asked_rate_stands_beside_the_measured_one),
        cmocka_unit_test(test_the_number_of_enrolled_photos_is_chosen),
        cmocka_unit_test(test_groups_of_faces_are_the_same_at_each_run_and_largest_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
