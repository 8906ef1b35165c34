/* A random walk of merges and undoings that is compared with an oracle after each step. KITH_TEST_SEED and
 * KITH_TEST_STEPS change it. */
#include "test/unit/merge_world.h"

enum { PEOPLE = 6, FACES = 40, SHAS = 5, MERGES = 200, STEPS = 400 };

struct truth { /* what must be so */
    int64_t person[PEOPLE];
    bool there[PEOPLE];
    int64_t face[FACES];
    int face_of[FACES];     /* index of a person */
    int said[FACES];        /* which of the names by hand the face has; 0: a gallery's */
    bool has[PEOPLE][SHAS]; /* the photos of a person */
    struct {
        int64_t id;
        int from, into;
        bool open;         /* it may be undone */
        bool faces[FACES]; /* that moved */
        int said[FACES];
        bool photos[SHAS], doubles[SHAS]; /* that moved; that both had */
    } merges[MERGES];
    int merge_count, face_count, said_count;
};

static struct truth truth;

static void walk_merge(int from, int into)
{
    struct truth *t = &truth;
    int n = t->merge_count++;

    assert_int_equal(merge(t->person[from], t->person[into])->status, STORE_OK);
    memset(&t->merges[n], 0, sizeof t->merges[n]);
    t->merges[n].id = last->merges[0].id;
    t->merges[n].from = from;
    t->merges[n].into = into;
    t->merges[n].open = true;
    for (int i = 0; i < t->face_count; i++)
        if (t->face_of[i] == from) {
            t->merges[n].faces[i] = true;
            t->merges[n].said[i] = t->said[i];
            t->face_of[i] = into;
        }
    for (int i = 0; i < SHAS; i++) {
        t->merges[n].photos[i] = t->has[from][i] && !t->has[into][i];
        t->merges[n].doubles[i] = t->has[from][i] && t->has[into][i];
        t->has[into][i] |= t->has[from][i];
        t->has[from][i] = false;
    }
    t->there[from] = false;
}

static void walk_undo(int n)
{
    struct truth *t = &truth;
    int from = t->merges[n].from, into = t->merges[n].into;
    int status = undo(t->merges[n].id)->status;

    if (!t->there[into]) {
        assert_int_equal(status, STORE_CONFLICT);
        return;
    }
    assert_int_equal(status, STORE_OK);
    t->merges[n].open = false;
    t->there[from] = true;
    for (int i = 0; i < t->face_count; i++)
        if (t->merges[n].faces[i] && t->face_of[i] == into && t->said[i] == t->merges[n].said[i])
            t->face_of[i] = from;
    for (int i = 0; i < SHAS; i++) {
        t->has[from][i] = t->merges[n].photos[i] || t->merges[n].doubles[i];
        if (t->merges[n].photos[i])
            t->has[into][i] = false;
    }
}

static void walk_expect(int step)
{
    const struct truth *t = &truth;

    for (int i = 0; i < PEOPLE; i++) {
        assert_int_equal(number("SELECT COUNT(*) FROM person WHERE id = ?", t->person[i], 0), t->there[i]);
        for (int s = 0; s < SHAS; s++) {
            int64_t rows = number("SELECT COUNT(*) FROM person_images pi JOIN templates t ON t.photo_id = pi.id AND "
                                  "t.person_id = pi.person_id WHERE pi.person_id = ? AND pi.sha256 = ?",
                                  t->person[i], s);

            if (rows != t->has[i][s])
                fail_msg("step %d: person %d has photo %d %d times", step, i, s, (int)rows);
        }
    }
    for (int i = 0; i < t->face_count; i++)
        if (person_of_face(t->face[i]) != t->person[t->face_of[i]])
            fail_msg("step %d: face %d is person %d's", step, i, (int)person_of_face(t->face[i]));
    expect_readers_know_the_templates();
}

static void walk_step(int step)
{
    static const char *const shas[SHAS] = {"0", "1", "2", "3", "4"};
    struct truth *t = &truth;
    int a = (int)(random() % PEOPLE), b = (int)(random() % PEOPLE), n = (int)(random() % SHAS);

    switch (random() % 6) {
    case 0:
        if (t->there[a] && t->face_count < FACES) {
            t->face_of[t->face_count] = a;
            t->said[t->face_count] = 0;
            t->face[t->face_count++] = face_of(t->person[a]);
        }
        break;
    case 1:
        if (t->there[a] && t->face_count) {
            int f = (int)(random() % t->face_count);

            name_face(t->face[f], t->person[a]);
            if (t->said[f] == 0 || t->face_of[f] != a) /* else it was said before */
                t->said[f] = ++t->said_count;
            t->face_of[f] = a;
        }
        break;
    case 2:
        if (t->there[a] && !t->has[a][n]) {
            assert_true(enrol(t->person[a], shas[n]) > 0);
            t->has[a][n] = true;
        }
        break;
    case 3:
    case 4:
        if (a != b && t->there[a] && t->there[b] && t->merge_count < MERGES)
            walk_merge(a, b);
        break;
    default:
        for (n = t->merge_count - 1; n >= 0; n--)
            if (t->merges[n].open && random() % 2) {
                walk_undo(n);
                break;
            }
    }
    walk_expect(step);
}

static void test_a_random_walk_of_merges_and_undoings(void **state)
{
    const char *seed = getenv("KITH_TEST_SEED"), *steps = getenv("KITH_TEST_STEPS");

    (void)state;
    srandom(seed ? (unsigned)atoi(seed) : 1);
    memset(&truth, 0, sizeof truth);
    for (int i = 0; i < PEOPLE; i++) {
        char name[] = {(char)('A' + i), 0};

        truth.person[i] = person(name);
        truth.there[i] = true;
    }
    for (int i = 0; i < (steps ? atoi(steps) : STEPS); i++)
        walk_step(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {MERGE_TEST(test_a_random_walk_of_merges_and_undoings)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
