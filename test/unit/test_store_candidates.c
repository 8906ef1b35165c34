/* Candidates of a face: stored when it is decided, shown as the people that they are now. */
#include "test/unit/merge_world.h"

/* A run of the image decided as the first of the candidates, with the second behind it. */
static void finish_with_candidates(int64_t id, int64_t first, int64_t second)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    struct candidate *c = arena_alloc(&m->m.arena, 2 * sizeof *c);

    assert_int_equal(claim(1), 1);
    c[0] = (struct candidate){.person = first, .distance = 0.5, .similarity = 0.4, .template = 1};
    c[1] = (struct candidate){.person = second, .distance = 0.6, .similarity = 0.3, .template = 2};
    m->id = id;
    m->attempt = 1;
    m->outcome = OUTCOME_FACES;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){.width = 10,
                                .height = 10,
                                .model = "m",
                                .person = PERSON_UNKNOWN,
                                .candidates = c,
                                .candidate_count = 2,
                                .decision = {.rule = DECIDED_BY_DENIAL, .denied = first}};
    assert_int_equal(ask(m)->changed, 1);
}

/* The candidates of the image's face are these people. `second` 0: there is one only. */
static void expect_candidates(int64_t id, int64_t first, const char *first_name, int64_t second)
{
    const struct face *f = image(id)->faces;

    assert_int_equal(f->candidate_count, second ? 2 : 1);
    assert_int_equal(f->candidates[0].person, first);
    assert_string_equal(f->candidates[0].name, first_name);
    assert_true(f->candidates[0].distance == 0.5);
    assert_int_equal(f->decision.denied, first);
    if (second)
        assert_int_equal(f->candidates[1].person, second);
}

static void test_candidates_follow_merges_and_their_undoing(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), cleo = person("Cleo"), id = submit("/a"), first, second;
    struct store_person *rename = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

    (void)state;
    finish_with_candidates(id, ann, bo);
    expect_candidates(id, ann, "Ann", bo);
    first = merge(ann, cleo)->merges[0].id;
    expect_candidates(id, cleo, "Cleo", bo);
    second = merge(cleo, bo)->merges[0].id; /* both candidates are Bo now: the nearer one is shown */
    expect_candidates(id, bo, "Bo", 0);
    rename->id = bo;
    rename->name = "Bob";
    assert_int_equal(ask(rename)->status, STORE_OK);
    expect_candidates(id, bo, "Bob", 0);
    assert_int_equal(undo(second)->status, STORE_OK);
    expect_candidates(id, cleo, "Cleo", bo);
    assert_int_equal(undo(first)->status, STORE_OK);
    expect_candidates(id, ann, "Ann", bo);
    merge(ann, cleo);
    delete->id = cleo;
    assert_int_equal(ask(delete)->status, STORE_OK);
    assert_int_equal(image(id)->faces[0].candidate_count, 1);
    assert_int_equal(last->images[0].faces[0].candidates[0].person, bo);
    assert_int_equal(last->images[0].faces[0].decision.denied, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MERGE_TEST(test_candidates_follow_merges_and_their_undoing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
