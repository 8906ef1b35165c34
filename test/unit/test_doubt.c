/* When a name is in doubt: each reason, at its limit and when it is switched off. */
#include "core/match/face.h"
#include "test/unit/test.h"

enum { ANN = 1, BO = 2, CY = 3 };
#define LIMITS                                                                                                         \
    {                                                                                                                  \
        .similarity = 0.6, .margin = 0.1, .quality = 0.3                                                               \
    }

struct doubt_case {
    const char *name;
    double similarity, quality; /* quality below 0: the recogniser gives no box */
    struct candidate candidates[3];
    struct doubt_limits limits;
    int word, doubt;
    int64_t person, rival;
};

/* `person` and `quality` 0 are Ann and 1. */
static struct face face_of_case(const struct doubt_case *c)
{
    struct face f = {.person = c->person ? c->person : ANN,
                     .similarity = c->similarity,
                     .quality = c->quality < 0   ? 0
                                : c->quality > 0 ? (float)c->quality
                                                 : 1,
                     .width = c->quality < 0 ? 0 : 50,
                     .word = c->word,
                     .candidates = c->candidates,
                     .rival = 99,
                     .doubt = 99};

    while (f.candidate_count < 3 && c->candidates[f.candidate_count].person)
        f.candidate_count++;
    return f;
}

static void test_each_reason_holds_within_its_limit_only(void **state)
{
    static const struct doubt_case cases[] = {
        {.name = "sure", .similarity = 0.9, .limits = LIMITS},
        {.name = "at the limit of similarity", .similarity = 0.6, .limits = LIMITS},
        {.name = "below it", .similarity = 0.5999, .limits = LIMITS, .doubt = DOUBT_NEAR_THRESHOLD},
        {.name = "at the threshold", .similarity = 0.5, .limits = LIMITS, .doubt = DOUBT_NEAR_THRESHOLD},
        {.name = "near, switched off", .similarity = 0.5, .limits = {.margin = 0.1, .quality = 0.3}},
        {.name = "the person alone is no second one",
         .similarity = 0.9,
         .candidates = {{.person = ANN, .similarity = 0.9}},
         .limits = LIMITS},
        {.name = "a second person",
         .similarity = 0.9,
         .candidates = {{.person = ANN, .similarity = 0.9}, {.person = BO, .similarity = 0.81}},
         .limits = LIMITS,
         .doubt = DOUBT_SMALL_MARGIN,
         .rival = BO},
        {.name = "a second person, behind the limit",
         .similarity = 0.9,
         .candidates = {{.person = ANN, .similarity = 0.9}, {.person = BO, .similarity = 0.79}},
         .limits = LIMITS},
        {.name = "the third is a rival, the first of them counts",
         .similarity = 0.9,
         .candidates = {{.person = ANN, .similarity = 0.9},
                        {.person = CY, .similarity = 0.89},
                        {BO, .similarity = 0.89}},
         .limits = LIMITS,
         .doubt = DOUBT_SMALL_MARGIN,
         .rival = CY},
        {.name = "a person who does not pass the threshold is no rival",
         .similarity = 0.52,
         .candidates = {{.person = ANN, .similarity = 0.52}, {.person = BO, .similarity = 0.4999}},
         .limits = {.margin = 0.1}},
        {.name = "a person at the threshold is",
         .similarity = 0.52,
         .candidates = {{.person = ANN, .similarity = 0.52}, {.person = BO, .similarity = 0.5}},
         .limits = {.margin = 0.1},
         .doubt = DOUBT_SMALL_MARGIN,
         .rival = BO},
        {.name = "a margin of nothing, switched off",
         .similarity = 0.9,
         .candidates = {{.person = ANN, .similarity = 0.9}, {.person = BO, .similarity = 0.95}},
         .limits = {.similarity = 0.6, .quality = 0.3}},
        {.name = "low quality", .similarity = 0.9, .quality = 0.29, .limits = LIMITS, .doubt = DOUBT_LOW_QUALITY},
        {.name = "quality at the limit", .similarity = 0.9, .quality = 0.31, .limits = LIMITS},
        {.name = "low quality, switched off", .similarity = 0.9, .quality = 0.01, .limits = {.similarity = 0.6}},
        {.name = "without a box there is no quality", .similarity = 0.9, .quality = -1, .limits = LIMITS},
        {.name = "all three",
         .similarity = 0.55,
         .quality = 0.1,
         .candidates = {{.person = ANN, .similarity = 0.55}, {.person = BO, .similarity = 0.54}},
         .limits = LIMITS,
         .doubt = DOUBT_ALL,
         .rival = BO},
        {.name = "no name",
         .similarity = 0.55,
         .quality = 0.1,
         .person = PERSON_UNKNOWN,
         .candidates = {{.person = ANN, .similarity = 0.55}, {.person = BO, .similarity = 0.54}},
         .limits = LIMITS},
        {.name = "named by hand",
         .similarity = 0.55,
         .quality = 0.1,
         .word = WORD_NAMED,
         .candidates = {{.person = ANN, .similarity = 0.55}, {.person = BO, .similarity = 0.54}},
         .limits = LIMITS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct face f = face_of_case(&cases[i]);

        doubt_judge(&cases[i].limits, &f);
        if (f.doubt != cases[i].doubt || f.rival != cases[i].rival)
            fail_msg("%s: doubt %d, rival %lld", cases[i].name, f.doubt, (long long)f.rival);
    }
}

static void test_reasons_have_their_names(void **state)
{
    (void)state;
    assert_string_equal(doubt_name(DOUBT_NEAR_THRESHOLD), "near_threshold");
    assert_string_equal(doubt_name(DOUBT_SMALL_MARGIN), "small_margin");
    assert_string_equal(doubt_name(DOUBT_LOW_QUALITY), "low_quality");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_reason_holds_within_its_limit_only),
        cmocka_unit_test(test_reasons_have_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
