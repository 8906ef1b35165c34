/* Labels of recognisers that give no embedding: whom they name, and what people said. */
#include "test/unit/store_world.h"

static int64_t labelled(const char *path, const char *label)
{
    int64_t id = submit(path);

    claim(10);
    assert_int_equal(finish_with_label(id, label)->changed, 1);
    assert_int_equal(image(id)->verdict, VERDICT_UNKNOWN);
    assert_string_equal(last->images[0].faces[0].label, label);
    return id;
}

static int64_t resolve_labels(void)
{
    int64_t changed = 0;
    char at[256] = "";

    do {
        struct store_text *m = STORE_MESSAGE(STORE_RESOLVE_LABELS, store_text);

        m->text = arena_text(&m->m.arena, at);
        assert_int_equal(ask(m)->status, STORE_OK);
        changed += last->changed;
        snprintf(at, sizeof at, "%s", last->text_count ? last->texts[0] : "");
    } while (at[0]);
    return changed;
}

static void expect_person(int64_t id, int64_t person)
{
    assert_int_equal(image(id)->person, person);
    assert_int_equal(last->images[0].faces[0].person, person);
    assert_int_equal(last->images[0].status, person > 0 ? IMAGE_PROCESSED : IMAGE_PENDING);
}

static void test_a_label_is_resolved_when_its_photo_or_person_comes(void **state)
{
    int64_t by_photo = labelled("/a", "a.jpg"), by_name = labelled("/b", "Bo"), nobody = labelled("/c", "zz"), ann, bo;
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);

    (void)state;
    assert_int_equal(resolve_labels(), 0);
    m->person_name = "Ann";
    m->photo_name = "a.jpg";
    m->path = "/known/a.jpg";
    ann = ask(m)->id;
    bo = person("Bo");
    assert_int_equal(resolve_labels(), 2);
    expect_person(by_photo, ann);
    expect_person(by_name, bo);
    expect_person(nobody, PERSON_UNKNOWN);
    expect_status_counts(0, 3, 0, 0, 1);
    open_observer(); /* a row of another program */
    observer_run("INSERT INTO person_images(image_name, person_id) SELECT 'zz', id FROM person WHERE name = 'Ann'");
    close_observer();
    assert_int_equal(resolve_labels(), 1);
    expect_person(nobody, ann);
}

static void test_many_labels_are_resolved_in_batches(void **state)
{
    char path[16], label[16];
    int64_t id = 0;

    (void)state;
    for (int i = 0; i < 150; i++) {
        snprintf(path, sizeof path, "/%d", i);
        snprintf(label, sizeof label, "%03d", i);
        id = labelled(path, label);
    }
    person("149");
    assert_int_equal(resolve_labels(), 1);
    assert_true(image(id)->person > 0);
}

static void say(int64_t image_id, enum face_word kind, bool take_back)
{
    int64_t face = image(image_id)->faces[0].id;
    struct store_word *m = STORE_MESSAGE(STORE_WORD, store_word);

    m->face = face;
    m->kind = kind;
    m->take_back = take_back;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void test_a_label_does_not_override_what_a_client_said(void **state)
{
    int64_t denied = labelled("/a", "Ann"), named = labelled("/b", "Ann"), hidden = labelled("/c", "Zoe"), ann, bo;
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);
    struct store_word *w;

    (void)state;
    bo = person("Bo");
    m->face = image(named)->faces[0].id;
    m->person = bo;
    m->no_template = true;
    assert_int_equal(ask(m)->status, STORE_OK);
    ann = person("Ann");
    assert_int_equal(resolve_labels(), 1);
    expect_person(named, bo);
    expect_person(denied, ann);
    w = STORE_MESSAGE(STORE_WORD, store_word);
    w->kind = WORD_NOT;
    w->face = image(denied)->faces[0].id;
    w->person = ann;
    assert_int_equal(ask(w)->status, STORE_OK);
    expect_person(denied, PERSON_UNKNOWN);
    assert_int_equal(resolve_labels(), 0);
    expect_person(denied, PERSON_UNKNOWN);
    w = STORE_MESSAGE(STORE_WORD, store_word);
    w->kind = WORD_NOT;
    w->face = image(denied)->faces[0].id;
    w->person = ann;
    w->take_back = true;
    assert_int_equal(ask(w)->status, STORE_OK);
    assert_int_equal(resolve_labels(), 1);
    expect_person(denied, ann);
    say(denied, WORD_NAMED, true); /* the name off, without a counter-example */
    assert_int_equal(resolve_labels(), 0);
    expect_person(denied, PERSON_UNKNOWN);
    say(denied, WORD_IGNORED, false);
    say(hidden, WORD_NOT_A_FACE, false);
    person("Zoe");
    assert_int_equal(resolve_labels(), 0);
    assert_int_equal(image(hidden)->faces[0].word, WORD_NOT_A_FACE);
    say(hidden, WORD_NOT_A_FACE, true);
    assert_int_equal(resolve_labels(), 1);
}

static void test_a_label_that_several_people_have_names_nobody(void **state)
{
    int64_t id = labelled("/a", "ann");
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

    (void)state;
    person("Ann");
    m->name = "Ann";
    m->another = true;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(resolve_labels(), 0);
    expect_person(id, PERSON_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_label_is_resolved_when_its_photo_or_person_comes),
        TEST(test_many_labels_are_resolved_in_batches),
        TEST(test_a_label_does_not_override_what_a_client_said),
        TEST(test_a_label_that_several_people_have_names_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
