/* Which face of a photo is enrolled. */
#include "actors/people/face_choice.h"

#include "test/unit/test.h"

#include <string.h>

enum { FACES_MAX = 4 };

static void test_the_face_that_stands_out_is_chosen(void **state)
{
    static const struct {
        const char *what;
        float heights[FACES_MAX];
        int64_t people[FACES_MAX]; /* as the gallery says; 0: nobody */
        int expected;
        const char *reason;
    } cases[] = {
        {"one face", {10}, {0}, 0, NULL},
        {"a bystander", {40, 20}, {0, 0}, 0, NULL},
        {"the order does not matter", {20, 10, 40}, {0}, 2, NULL},
        {"nearly equal ones", {40, 30}, {0, 0}, -1, "1.33 times"},
        {"the largest is like the person anyway", {40, 39}, {7, 0}, 0, NULL},
        {"the smaller one is like the person", {40, 20}, {0, 7}, 1, NULL},
        {"two are like the person, and none is larger", {40, 39}, {7, 7}, -1, "none stands out"},
        {"two are like the person, and one is larger", {40, 20}, {7, 7}, 0, NULL},
        {"the largest is another person", {40, 20}, {8, 0}, -1, "looks like Bo"},
        {"the largest is another person, the other one the person", {40, 20}, {8, 7}, 1, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct face faces[FACES_MAX] = {0};
        char reason[200] = "";
        int count = 0, chosen;

        for (; count < FACES_MAX && cases[i].heights[count] > 0; count++)
            faces[count] = (struct face){.height = cases[i].heights[count],
                                         .person = cases[i].people[count] ? cases[i].people[count] : PERSON_UNKNOWN,
                                         .person_name = cases[i].people[count] == 8 ? "Bo" : "Ann"};
        chosen = face_choose(faces, count, 7, NULL, 1.5, reason, sizeof reason);
        if (chosen != cases[i].expected || (cases[i].reason && !strstr(reason, cases[i].reason)))
            fail_msg("%s: face %d, “%s”", cases[i].what, chosen, reason);
        assert_int_equal(face_choose(faces, count, 0, "Ann", 1.5, reason, sizeof reason), cases[i].expected);
    }
}

static void test_a_box_is_found_again_where_half_of_it_overlaps(void **state)
{
    struct face faces[] = {{.x = 0, .y = 0, .width = 10, .height = 10}, {.x = 20, .y = 0, .width = 10, .height = 10}};
    char box[FACE_BOX_BYTES];

    (void)state;
    face_box_write(&faces[1], box);
    assert_int_equal(face_find_box(faces, 2, box), 1);
    assert_int_equal(face_find_box(faces, 2, "22 0 10 10"), 1);
    assert_int_equal(face_find_box(faces, 2, "26 0 10 10"), -1);
    assert_int_equal(face_find_box(faces, 2, "not a box"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_face_that_stands_out_is_chosen),
                                       cmocka_unit_test(test_a_box_is_found_again_where_half_of_it_overlaps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
