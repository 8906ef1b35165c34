/* People by name: alike names, several people of one name, search, notes and portraits. */
#include "core/base/name/name.h"
#include "test/unit/store_world.h"

static struct store_person *naming(uint32_t type, int64_t id, const char *name, bool another)
{
    struct store_person *m = store_message_new(type, sizeof *m);

    m->id = id;
    m->name = name;
    m->another = another;
    return m;
}

static int64_t twin(const char *name)
{
    assert_int_equal(ask(naming(STORE_PERSON_ADD, 0, name, true))->status, STORE_OK);
    return last->id;
}

static void test_alike_names_are_one_person_with_the_clean_first_name(void **state)
{
    static const char *const alike[] = {"Jos\u00e9", "Jose\u0301", " jos\u00e9 ", "JOS\u00c9", "Jo\u200bse\u0301"};
    int64_t jose = person(" Jose\u0301  ");

    (void)state;
    assert_int_equal(last->changed, 1);
    assert_string_equal(last->people[0].name, "Jos\u00e9");
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        assert_int_equal(person(alike[i]), jose);
        assert_int_equal(last->changed, 0);
        assert_string_equal(last->people[0].name, "Jos\u00e9");
    }
    assert_int_not_equal(person("Jose"), jose);
}

static void test_a_text_that_is_no_name_is_refused(void **state)
{
    static const char *const texts[] = {"", "  ", "\u200b", "\xff"};
    int64_t ann = person("Ann");

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(ask(naming(STORE_PERSON_ADD, 0, texts[i], false))->status, STORE_BAD_NAME);
        assert_int_equal(ask(naming(STORE_PERSON_ADD, 0, texts[i], true))->status, STORE_BAD_NAME);
        assert_int_equal(ask(naming(STORE_PERSON_RENAME, ann, texts[i], false))->status, STORE_BAD_NAME);
    }
}

static void test_two_people_of_one_name_exist_when_one_says_so(void **state)
{
    int64_t first = person("Ann"), second = twin("ann");

    (void)state;
    assert_int_not_equal(first, second);
    assert_int_equal(ask(naming(STORE_PERSON_ADD, 0, "Ann", false))->status, STORE_CONFLICT);
    assert_int_equal(last->alike_count, 2);
    assert_int_equal(last->alike[0].id, first);
    assert_int_equal(last->alike[1].id, second);
    struct store_photo *p = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    p->person_name = "ANN";
    p->photo_name = "a.jpg";
    assert_int_equal(ask(p)->status, STORE_CONFLICT);
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);
    delete->id = first;
    assert_int_equal(ask(delete)->status, STORE_OK);
    assert_int_equal(person("Ann"), second);
    assert_int_not_equal(twin("Ann"), second);
}

static void test_a_rename_onto_an_alike_name_names_the_other(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo");

    (void)state;
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, bo, " ANN", false))->status, STORE_CONFLICT);
    assert_int_equal(last->alike[0].id, ann);
    assert_non_null(strstr(last->error, "merge"));
    assert_int_equal(person("Bo"), bo);
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, ann, "ANN", false))->status, STORE_OK); /* another spelling */
    assert_string_equal(last->people[0].name, "ANN");
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, bo, "Ann", true))->status, STORE_OK);
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, bo, "aNN", false))->status, STORE_OK);
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, ann, "Anna", false))->status, STORE_OK);
    assert_int_equal(person("ann"), bo);
    assert_int_equal(person("Anna"), ann);
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, 99, "X", false))->status, STORE_NOT_FOUND);
}

static struct store_reply *search(const char *name, int limit, int64_t after, const char *after_word)
{
    struct store_list *m = STORE_MESSAGE(STORE_PEOPLE, store_list);

    m->name = name;
    m->limit = limit;
    m->after = after;
    m->after_word = after_word ? arena_text(&m->m.arena, after_word) : NULL;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last;
}

static void test_people_are_found_by_how_a_word_of_the_name_begins(void **state)
{
    int64_t anderson = person("Ann Anderson"), emilie = person("\u00c9milie Annan"), bo = person("Bo");

    (void)state;
    assert_int_equal(search("ann", 10, 0, NULL)->person_count, 2);
    assert_int_equal(last->people[0].id, anderson);
    assert_int_equal(last->people[1].id, emilie);
    assert_int_equal(search("an", 10, 0, NULL)->person_count, 2); /* each once, though two words match */
    assert_int_equal(search("emi", 10, 0, NULL)->people[0].id, emilie);
    assert_int_equal(search("nn", 10, 0, NULL)->person_count, 0);
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, bo, "Annette", false))->status, STORE_OK);
    assert_int_equal(search("bo", 10, 0, NULL)->person_count, 0);
    assert_int_equal(search("annet", 10, 0, NULL)->people[0].id, bo);
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);
    delete->id = bo;
    ask(delete);
    assert_int_equal(search("annet", 10, 0, NULL)->person_count, 0);
}

static void test_a_search_is_read_page_by_page(void **state)
{
    bool seen[64] = {false};
    char name[64], word[NAME_WORD_BYTES] = "";
    int64_t after = 0;
    int found = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, i % 2 ? "Ann %c Ander" : "Bo %c Ann", 'A' + i / 2);
        assert_int_equal(person(name), i + 1);
    }
    twin("Ann A Ander");
    do {
        search("an", 7, after, word[0] ? word : NULL);
        for (int i = 0; i < last->person_count; i++, found++) {
            assert_false(seen[last->people[i].id]);
            seen[last->people[i].id] = true;
        }
        after = last->next;
        if (after)
            snprintf(word, sizeof word, "%s", last->texts[0]);
    } while (after);
    assert_int_equal(found, 41);
}

static void test_notes_are_replaced_and_kept(void **state)
{
    struct store_person *m = naming(STORE_PERSON_RENAME, person("Ann"), NULL, false);

    (void)state;
    m->notes = "{\"a\":1}";
    assert_string_equal(ask(m)->people[0].notes, "{\"a\":1}");
    assert_string_equal(last->people[0].name, "Ann");
    assert_int_equal(ask(naming(STORE_PERSON_RENAME, 1, "Anna", false))->status, STORE_OK);
    assert_string_equal(last->people[0].notes, "{\"a\":1}");
    m = naming(STORE_PERSON_RENAME, 1, NULL, false);
    m->notes = "";
    assert_null(ask(m)->people[0].notes);
}

static struct store_reply *portrait(int64_t id)
{
    struct store_id *m = STORE_MESSAGE(STORE_PORTRAIT, store_id);

    m->id = id;
    return ask(m);
}

static struct store_reply *choose(int64_t id, int64_t photo, int64_t face)
{
    struct store_person *m = naming(STORE_PERSON_RENAME, id, NULL, false);

    m->choose_portrait = true;
    m->portrait_photo = photo;
    m->portrait_face = face;
    return ask(m);
}

static void test_a_portrait_is_chosen_or_the_best(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), id = submit("/a"), photo, face;
    struct store_photo *p = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);

    (void)state;
    assert_int_equal(portrait(ann)->status, STORE_NOT_FOUND);
    assert_int_equal(portrait(99)->status, STORE_NOT_FOUND);
    claim(1);
    finish_with_face(id, 1, ann, 0.1);
    face = image(id)->faces[0].id;
    assert_string_equal(portrait(ann)->images[0].path, "/a");
    assert_int_equal(last->images[0].face_count, 1);
    p->person = ann;
    p->photo_name = "p.jpg";
    p->path = "/people/p.jpg";
    photo = ask(p)->photos[0].id;
    assert_string_equal(portrait(ann)->images[0].path, "/people/p.jpg");
    assert_int_equal(last->images[0].face_count, 0);
    assert_int_equal(choose(ann, 0, face)->status, STORE_OK);
    assert_string_equal(portrait(ann)->images[0].path, "/a");
    assert_int_equal(choose(ann, photo, 0)->status, STORE_OK);
    assert_string_equal(portrait(ann)->images[0].path, "/people/p.jpg");
    assert_int_equal(choose(bo, photo, 0)->status, STORE_NOT_FOUND);
    assert_int_equal(choose(bo, 0, face)->status, STORE_NOT_FOUND);
    assert_int_equal(choose(ann, 0, face)->status, STORE_OK);
    struct store_name_face *name = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);
    name->face = face;
    name->person = bo;
    name->no_template = true;
    assert_int_equal(ask(name)->status, STORE_OK);
    assert_string_equal(portrait(ann)->images[0].path, "/people/p.jpg"); /* the chosen face is another person's now */
    assert_int_equal(choose(ann, 0, 0)->status, STORE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alike_names_are_one_person_with_the_clean_first_name),
        TEST(test_a_text_that_is_no_name_is_refused),
        TEST(test_two_people_of_one_name_exist_when_one_says_so),
        TEST(test_a_rename_onto_an_alike_name_names_the_other),
        TEST(test_people_are_found_by_how_a_word_of_the_name_begins),
        TEST(test_a_search_is_read_page_by_page),
        TEST(test_notes_are_replaced_and_kept),
        TEST(test_a_portrait_is_chosen_or_the_best),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
