/* Words about faces: places, templates with a reason, what is decided again. */
#include "test/unit/store_world.h"

/* Finishes a run with faces in a row, 100 pixels apart; each has its number as the embedding. */
static struct store_reply *run(int64_t id, int64_t attempt, const char *sha256, const char *model, const int *faces,
                               int count)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = attempt;
    m->outcome = OUTCOME_FACES;
    m->sha256 = sha256;
    m->faces = arena_alloc(&m->m.arena, (size_t)count * sizeof *m->faces);
    m->face_count = count;
    for (int i = 0; i < count; i++) {
        float *e = arena_alloc(&m->m.arena, 2 * sizeof *e);

        e[0] = (float)faces[i];
        m->faces[i] = (struct face){.x = (float)faces[i],
                                    .width = 40,
                                    .height = 40,
                                    .model = model,
                                    .embedding = e,
                                    .dimension = 2,
                                    .person = PERSON_UNKNOWN};
    }
    return ask(m);
}

static int64_t new_image(const char *path, const char *sha256, const int *faces, int count)
{
    int64_t id = submit(path);

    claim(10);
    assert_int_equal(run(id, 1, sha256, "m", faces, count)->changed, 1);
    return id;
}

static void again(int64_t id, const char *sha256, const char *model, const int *faces, int count)
{
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);
    int64_t attempt = image(id)->attempt + 1;

    m->id = id;
    assert_int_equal(ask(m)->changed, 1);
    claim(10);
    assert_int_equal(run(id, attempt, sha256, model, faces, count)->changed, 1);
}

static struct store_reply *name(int64_t face, const char *who, bool no_template)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    m->face = face;
    m->person_name = who;
    m->no_template = no_template;
    m->said_by = "key";
    return ask(m);
}

static struct store_reply *say(int64_t face, int kind, int64_t person_id, bool take_back)
{
    struct store_word *m = STORE_MESSAGE(STORE_WORD, store_word);

    m->face = face;
    m->kind = kind;
    m->person = person_id;
    m->take_back = take_back;
    return ask(m);
}

static int64_t number(const char *sql)
{
    int64_t n;

    open_observer();
    n = observer_number(sql);
    close_observer();
    return n;
}

#define TEMPLATES "SELECT COUNT(*) FROM templates"

static struct face *face_at(int64_t id, int x)
{
    struct image *i = image(id);

    for (int n = 0; n < i->face_count; n++)
        if ((int)i->faces[n].x / 50 == x / 50)
            return &i->faces[n];
    fail_msg("no face at %d", x);
    return NULL;
}

static void test_faces_keep_their_ids_when_they_are_found_again(void **state)
{
    static const int first[] = {0, 100, 200}, second[] = {203, 300, 98};
    int64_t id = new_image("/a", "s", first, 3), at_0 = face_at(id, 0)->id, at_100 = face_at(id, 100)->id,
            at_200 = face_at(id, 200)->id;

    (void)state;
    again(id, "s", "m", second, 3);
    assert_int_equal(image(id)->face_count, 3);
    assert_int_equal(face_at(id, 200)->id, at_200);
    assert_int_equal(face_at(id, 98)->id, at_100);
    assert_true(face_at(id, 300)->id > at_200);
    again(id, "other", "m", second, 3);
    assert_true(face_at(id, 200)->id > at_200);
    assert_true(at_0 > 0);
}

/* Two boxes overlap by more than half: each face takes the one that it overlaps with most. */
static void test_two_alike_boxes_are_not_mixed_up(void **state)
{
    static const int first[] = {0, 12}, second[] = {14, 1};
    int64_t id = new_image("/a", "s", first, 2), left = image(id)->faces[0].id, right = image(id)->faces[1].id;

    (void)state;
    assert_int_equal(name(left, "Left", false)->status, STORE_OK);
    assert_int_equal(name(right, "Right", false)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM words"), 2);
    again(id, "s", "m", second, 2);
    assert_int_equal(image(id)->face_count, 2);
    assert_int_equal(image(id)->faces[0].id, left);
    assert_int_equal((int)last->images[0].faces[0].x, 1);
    assert_string_equal(last->images[0].faces[0].person_name, "Left");
    assert_string_equal(last->images[0].faces[1].person_name, "Right");
}

static void test_words_belong_to_the_content(void **state)
{
    static const int face[] = {0};
    int64_t a = new_image("/a", "s", face, 1), b = new_image("/b", "s", face, 1), c;

    (void)state;
    assert_int_equal(name(image(a)->faces[0].id, "Ann", false)->changed, 2);
    assert_string_equal(image(b)->faces[0].person_name, "Ann");
    c = new_image("/c", "s", face, 1);
    assert_string_equal(image(c)->faces[0].person_name, "Ann");
    assert_int_equal(last->images[0].status, IMAGE_PROCESSED);
    again(a, "other", "m", face, 1);
    assert_int_equal(image(a)->faces[0].word, WORD_NONE);
    again(a, "s", "m", face, 1);
    assert_string_equal(image(a)->faces[0].person_name, "Ann");
    assert_int_equal(number(TEMPLATES), 1);
    assert_int_equal(image(a)->faces[0].word_count, 1);
    assert_string_equal(last->images[0].faces[0].words[0].said_by, "key");
    assert_int_equal(say(last->images[0].faces[0].id, WORD_NAMED, 0, true)->changed, 3);
    assert_int_equal(number(TEMPLATES), 0);
    assert_int_equal(image(c)->person, PERSON_UNKNOWN);
    assert_int_equal(number("SELECT COUNT(*) FROM faces WHERE place > 0"), 0);
}

static void test_a_named_face_stays_when_it_is_not_found_again(void **state)
{
    static const int both[] = {0, 100}, one[] = {100};
    int64_t id = new_image("/a", "s", both, 2);

    (void)state;
    name(face_at(id, 0)->id, "Ann", true);
    again(id, "s", "m", one, 1);
    assert_int_equal(image(id)->face_count, 2);
    assert_string_equal(last->images[0].person_name, "Ann");
    again(id, "s", "m", both, 2);
    assert_int_equal(image(id)->face_count, 2);
}

static void test_naming_again_moves_the_template_and_decides_what_it_named(void **state)
{
    static const int face[] = {0};
    int64_t a = new_image("/a", "s", face, 1), b = submit("/b"), first, template;
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    (void)state;
    first = name(image(a)->faces[0].id, "Ann", false)->id;
    template = number("SELECT id FROM templates");
    claim(10);
    m->id = b;
    m->attempt = 1;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){
        .width = 40, .height = 40, .model = "m", .person = first, .template = template, .similarity = 0.9};
    assert_int_equal(ask(m)->changed, 1);
    for (int i = 0; i < 3; i++) {
        name(image(a)->faces[0].id, "Bea", false);
        assert_int_equal(last->changed, i == 0);
        assert_int_equal(last->deciding, i == 0);
    }
    assert_int_equal(number(TEMPLATES), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM words"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM decide_again WHERE kind = 1"), 1);
}

/* A template that went while its image was compared. */
static void test_a_name_by_a_template_that_has_gone_is_decided_again(void **state)
{
    int64_t ann = person("Ann"), id = submit("/a");
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    struct store_list *list = STORE_MESSAGE(STORE_AGAIN_FACES, store_list);

    (void)state;
    claim(10);
    m->id = id;
    m->attempt = 1;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){.width = 40, .model = "m", .person = ann, .template = 77, .similarity = 0.9};
    assert_int_equal(ask(m)->deciding, 1);
    list->limit = 10;
    assert_int_equal(ask(list)->face_count, 0); /* the gallery has not read that far */
    list = STORE_MESSAGE(STORE_AGAIN_FACES, store_list);
    list->limit = 10;
    list->head = INT64_MAX;
    assert_int_equal(ask(list)->face_count, 1);
    assert_int_equal(last->again_count, 1);
}

static void test_another_model_makes_another_template_of_the_word(void **state)
{
    static const int face[] = {0};
    int64_t id = new_image("/a", "s", face, 1);

    (void)state;
    name(image(id)->faces[0].id, "Ann", false);
    again(id, "s", "m2", face, 1);
    again(id, "s", "m2", face, 1);
    assert_int_equal(number(TEMPLATES), 2);
    say(image(id)->faces[0].id, WORD_NAMED, 0, true);
    assert_int_equal(number(TEMPLATES), 0);
}

static void test_deleting_removes_words_and_templates(void **state)
{
    static const int face[] = {0};
    int64_t a = new_image("/a", "s", face, 1), b = new_image("/b", "s", face, 1), ann = person("Ann"), bea;

    (void)state;
    bea = name(image(a)->faces[0].id, "Bea", false)->id;
    say(image(a)->faces[0].id, WORD_NOT, ann, false);
    assert_int_equal(number(TEMPLATES), 2);
    for (int i = 0; i < 2; i++) {
        struct store_id *m = STORE_MESSAGE(STORE_DELETE, store_id);

        m->id = i ? b : a;
        assert_int_equal(ask(m)->status, STORE_OK);
        assert_int_equal(last->deleted.templates, i ? 2 : 0);
        assert_int_equal(number(TEMPLATES), i ? 0 : 2); /* the other image has the same content */
        assert_int_equal(number("SELECT COUNT(*) FROM words"), i ? 0 : 2);
    }
    a = new_image("/c", "s", face, 1);
    name(image(a)->faces[0].id, "Bea", false);
    struct store_id *m = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);
    m->id = bea;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(number(TEMPLATES), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM words"), 0);
    assert_int_equal(image(a)->faces[0].word, WORD_NONE);
    assert_int_equal(number("SELECT COUNT(*) FROM decide_again WHERE kind = 2"), 1);
}

static void test_a_drawn_face_is_in_every_image_of_the_content(void **state)
{
    static const int face[] = {0};
    int64_t a = new_image("/a", "s", face, 1), b = new_image("/b", "s", face, 1);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct store_draw *m = STORE_MESSAGE(STORE_DRAW_FACE, store_draw);
        struct face *drawn = arena_alloc(&m->m.arena, sizeof *drawn);

        *drawn = (struct face){.x = 300, .y = 10, .width = 40, .height = 40, .model = "m"};
        m->image = i ? b : a;
        m->face = drawn;
        m->named = true;
        m->person_name = "Ann";
        assert_int_equal(ask(m)->status, STORE_OK);
        assert_int_equal(last->changed, i ? 0 : 4); /* two faces, two names */
        assert_int_equal(image(b)->face_count, 2);
        assert_string_equal(last->images[0].faces[1].person_name, "Ann");
        assert_int_equal(last->images[0].status, IMAGE_PROCESSED);
    }
    again(b, "s", "m", face, 1);
    assert_int_equal(image(b)->face_count, 2);
    assert_string_equal(last->images[0].faces[1].person_name, "Ann");
    expect_status_counts(0, 2, 0, 0, 0);
}

static void test_a_drawn_face_has_its_embedding_in_an_image_that_comes_later(void **state)
{
    static const int face[] = {0};
    static const float embedding[2] = {7, 8};
    int64_t a = new_image("/a", "s", face, 1), b;
    struct store_draw *m = STORE_MESSAGE(STORE_DRAW_FACE, store_draw);
    struct face drawn = {
        .x = 300, .y = 10, .width = 40, .height = 40, .model = "m", .embedding = embedding, .dimension = 2};

    (void)state;
    m->image = a;
    m->face = &drawn;
    assert_int_equal(ask(m)->status, STORE_OK);
    b = new_image("/b", "s", face, 1);
    assert_int_equal(image(b)->face_count, 2);
    assert_int_equal(last->images[0].faces[1].dimension, 2);
    assert_memory_equal(last->images[0].faces[1].embedding, embedding, sizeof embedding);
    assert_string_equal(last->images[0].faces[1].model, "m");
    assert_int_equal(number("SELECT COUNT(*) FROM decide_again d JOIN faces f ON f.id = d.subject WHERE d.kind = 2 AND "
                            "f.image_id = (SELECT MAX(id) FROM images)"),
                     1);
}

/* A word that a merge parked keeps its place, which a face of a new image of the content has too. */
static void test_a_name_is_one_in_all_images_though_a_merge_parked_a_word(void **state)
{
    static const int face[] = {0};
    int64_t a = new_image("/a", "s", face, 1), b, ann, bo;
    struct store_merge *m = STORE_MESSAGE(STORE_MERGE, store_merge);

    (void)state;
    ann = person("Ann");
    bo = person("Bo");
    assert_int_equal(say(image(a)->faces[0].id, WORD_NOT, ann, false)->status, STORE_OK);
    assert_int_equal(say(image(a)->faces[0].id, WORD_NOT, bo, false)->status, STORE_OK);
    m->person = ann;
    m->into = bo;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(say(image(a)->faces[0].id, WORD_NOT, bo, true)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM words WHERE kind > 0"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM words WHERE kind < 0"), 1);
    b = new_image("/b", "s", face, 1);
    assert_int_equal(name(image(b)->faces[0].id, "Cleo", false)->changed, 2);
    assert_string_equal(image(a)->faces[0].person_name, "Cleo");
}

/* As the gallery does it: the first face of the image is one of the unknown person. */
static void assign_to_unknown(int64_t id, int64_t unknown_person)
{
    struct store_resolve *m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *list = arena_alloc(&m->m.arena, sizeof *list);

    *list = (struct resolved){.face = image(id)->faces[0].id,
                              .image = id,
                              .was = PERSON_UNKNOWN,
                              .person = PERSON_UNKNOWN,
                              .unknown_person = unknown_person};
    m->faces = list;
    m->count = 1;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void test_what_is_no_face_stays_so_when_its_unknown_person_is_ignored(void **state)
{
    static const int face[] = {0};
    int64_t a = new_image("/a", "s", face, 1), who = image(a)->faces[0].id, b = new_image("/b", "t", face, 1);
    struct store_word *m = STORE_MESSAGE(STORE_IGNORE_UNKNOWN_PERSON, store_word);

    (void)state;
    assign_to_unknown(a, who);
    m->face = who;
    assert_int_equal(ask(m)->changed, 1);
    assert_int_equal(say(image(b)->faces[0].id, WORD_NOT_A_FACE, 0, false)->status, STORE_OK);
    assign_to_unknown(b, who);
    assert_int_equal(image(b)->faces[0].word, WORD_NOT_A_FACE);
}

static void test_an_ignored_unknown_person_stays_ignored(void **state)
{
    static const int face[] = {0};
    int64_t a = new_image("/a", "s", face, 1), who = image(a)->faces[0].id, b = new_image("/b", "t", face, 1);
    struct store_word *m;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assign_to_unknown(i ? b : a, who);
        assert_int_equal(image(i ? b : a)->faces[0].word, i ? WORD_IGNORED : WORD_NONE);
        m = STORE_MESSAGE(STORE_IGNORE_UNKNOWN_PERSON, store_word);
        m->face = who;
        assert_int_equal(ask(m)->changed, i ? 0 : 1);
    }
    struct store_list *list = STORE_MESSAGE(STORE_UNKNOWN_PEOPLE, store_list);
    list->limit = 10;
    assert_int_equal(ask(list)->unknown_person_count, 0);
    m = STORE_MESSAGE(STORE_IGNORE_UNKNOWN_PERSON, store_word);
    m->face = who;
    m->take_back = true;
    assert_int_equal(ask(m)->changed, 2);
    assert_int_equal(last->deciding, 2);
    assert_int_equal(image(b)->faces[0].unknown_person, who);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_faces_keep_their_ids_when_they_are_found_again),
        TEST(test_two_alike_boxes_are_not_mixed_up),
        TEST(test_words_belong_to_the_content),
        TEST(test_a_named_face_stays_when_it_is_not_found_again),
        TEST(test_naming_again_moves_the_template_and_decides_what_it_named),
        TEST(test_a_name_by_a_template_that_has_gone_is_decided_again),
        TEST(test_another_model_makes_another_template_of_the_word),
        TEST(test_deleting_removes_words_and_templates),
        TEST(test_a_drawn_face_is_in_every_image_of_the_content),
        TEST(test_a_drawn_face_has_its_embedding_in_an_image_that_comes_later),
        TEST(test_a_name_is_one_in_all_images_though_a_merge_parked_a_word),
        TEST(test_what_is_no_face_stays_so_when_its_unknown_person_is_ignored),
        TEST(test_an_ignored_unknown_person_stays_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
