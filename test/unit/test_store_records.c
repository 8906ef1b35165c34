/* People, the gallery's log, events, limits, a second process: what the records are beside the runs. */
#include "test/unit/store_world.h"

/* Many requests at once, of which the middle one breaks a constraint of the schema. */
enum { CROWD = 200 };
static int crowd_of_status[STORE_MISMATCH + 1], crowd_answered;

static void on_crowd_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    assert_int_equal(status, ACTOR_OK);
    crowd_of_status[((const struct store_reply *)reply)->status]++;
    crowd_answered++;
}

static void ask_crowd(struct actor *self)
{
    for (int i = 0; i < CROWD; i++) {
        char path[32];

        snprintf(path, sizeof path, "/crowd/%d", i);
        actor_ask(self, "store",
                  i == CROWD / 2 ? STORE_MESSAGE(STORE_QUARANTINE, store_text) : (void *)submission(path), 60000,
                  on_crowd_reply, NULL);
    }
}

static void test_naming_a_face_resolves_its_image_and_makes_a_template(void **state)
{
    int64_t id = submit("/a"), face;
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    (void)state;
    claim(1);
    finish_with_face(id, 1, PERSON_UNKNOWN, 0);
    face = image(id)->faces[0].id;
    m->face = face;
    m->person_name = "Bo";
    assert_int_equal(ask(m)->images[0].status, IMAGE_PROCESSED);
    assert_string_equal(last->images[0].person_name, "Bo");
    expect_tally(0, 1, 0, 0, 0);
    struct store_list *list = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);
    list->limit = 10;
    assert_int_equal(ask(list)->change_count, 2);
    assert_int_equal(last->changes[0].kind, GALLERY_PERSON_NAMED);
    assert_string_equal(last->changes[0].name, "Bo");
    assert_int_equal(last->changes[1].kind, GALLERY_TEMPLATE_ADDED);
    assert_true(last->changes[1].template.embedding[0] > 0.99f);
}

static void test_resolving_leaves_a_named_face_alone(void **state)
{
    int64_t id = submit("/a"), ann = person("Ann"), bo = person("Bo");
    struct resolved list[1];
    struct store_resolve *m;

    (void)state;
    claim(1);
    finish_with_face(id, 1, ann, 0.1);
    list[0] = (struct resolved){.face = image(id)->faces[0].id, .image = id, .person = bo, .distance = 0.2};
    m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    m->faces = list;
    m->count = 1;
    assert_int_equal(ask(m)->changed, 0);
    assert_int_equal(image(id)->person, ann);
}

static void test_forgetting_a_person_unnames_the_images(void **state)
{
    int64_t ann = person("Ann"), id = submit("/a");
    struct store_id *m = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

    (void)state;
    claim(1);
    finish_with_face(id, 1, ann, 0.1);
    m->id = ann;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_false(last->more);
    assert_int_equal(image(id)->person, PERSON_UNKNOWN);
    assert_int_equal(last->images[0].verdict, VERDICT_UNKNOWN);
    expect_tally(1, 0, 0, 0, 1);
}

static void test_one_that_fails_costs_its_neighbours_nothing(void **state)
{
    (void)state;
    crowd_answered = 0;
    memset(crowd_of_status, 0, sizeof crowd_of_status);
    ask_many = ask_crowd;
    actor_system_tell(sys, "events", msg_new(MSG_MANY, sizeof(struct msg)));
    while (crowd_answered < CROWD)
        if (!actor_system_turn(sys) && crowd_answered < CROWD)
            wait_for_work();
    assert_int_equal(crowd_of_status[STORE_OK], CROWD - 1);
    assert_int_equal(crowd_of_status[STORE_BROKEN], 1);
    expect_tally(CROWD - 1, 0, 0, 0, 0);
}

/* The refused operation creates the person before it finds out that there is no such unknown person. */
static struct msg *name_nobody(const char *name)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);

    m->face = 999;
    m->person_name = name;
    return &m->m.head;
}

static int people_count(void)
{
    struct store_list *list = STORE_MESSAGE(STORE_PEOPLE, store_list);

    list->limit = 100;
    return ask(list)->person_count;
}

static void ask_crowd_with_a_refusal(struct actor *self)
{
    for (int i = 0; i < CROWD; i++) {
        char path[32];

        snprintf(path, sizeof path, "/refused/%d", i);
        actor_ask(self, "store", i == CROWD / 2 ? name_nobody("Ghost") : (void *)submission(path), 60000,
                  on_crowd_reply, NULL);
    }
}

static void test_a_refused_operation_leaves_nothing_behind(void **state)
{
    struct store_name_face *m;

    (void)state;
    m = (struct store_name_face *)name_nobody("Ghost");
    assert_int_equal(ask(m)->status, STORE_NOT_FOUND);
    assert_int_equal(people_count(), 0);
    m = (struct store_name_face *)name_nobody("Ghost");
    m->no_template = true;
    assert_int_equal(ask(m)->status, STORE_NOT_FOUND);
    assert_int_equal(people_count(), 0);
    crowd_answered = 0;
    memset(crowd_of_status, 0, sizeof crowd_of_status);
    ask_many = ask_crowd_with_a_refusal;
    actor_system_tell(sys, "events", msg_new(MSG_MANY, sizeof(struct msg)));
    while (crowd_answered < CROWD)
        if (!actor_system_turn(sys) && crowd_answered < CROWD)
            wait_for_work();
    assert_int_equal(crowd_of_status[STORE_OK], CROWD - 1);
    assert_int_equal(crowd_of_status[STORE_NOT_FOUND], 1);
    assert_int_equal(people_count(), 0);
    expect_tally(CROWD - 1, 0, 0, 0, 0);
}

static void test_the_queue_has_a_limit(void **state)
{
    struct store_submit *m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    const char **paths = arena_alloc(&m->m.arena, 1001 * sizeof *paths);

    (void)state;
    for (int i = 0; i < 1001; i++) {
        char path[32];

        snprintf(path, sizeof path, "/%d", i);
        paths[i] = arena_text(&m->m.arena, path);
    }
    m->paths = paths;
    m->count = 1001;
    assert_int_equal(ask(m)->status, STORE_NO_SPACE);
    assert_non_null(strstr(last->error, "KITH_QUEUE_LIMIT"));
    expect_tally(0, 0, 0, 0, 0);
}

static void test_events_are_numbered_and_pruned(void **state)
{
    struct store_list *m;
    struct store_prune *p;

    (void)state;
    for (int i = 0; i < 20; i++) {
        char path[16];

        snprintf(path, sizeof path, "/%d", i);
        submit(path);
    }
    m = STORE_MESSAGE(STORE_EVENTS, store_list);
    m->after = 5;
    m->limit = 4;
    assert_int_equal(ask(m)->event_count, 4);
    assert_int_equal(last->events[0].id, 6);
    assert_int_equal(last->next, 9);
    assert_true(last->more);
    p = STORE_MESSAGE(STORE_PRUNE, store_prune);
    p->events_keep = 8;
    ask(p);
    m = STORE_MESSAGE(STORE_EVENTS, store_list);
    m->limit = 100;
    assert_int_equal(ask(m)->first_event, 13);
    assert_int_equal(last->last_event, 20);
    assert_true(changes_told > 0);
}

static void test_everything_is_there_after_a_restart(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    finish_with_face(id, 1, person("Ann"), 0.25);
    close_store();
    open_store();
    assert_string_equal(image(id)->path, "/a");
    assert_string_equal(last->images[0].person_name, "Ann");
    assert_true(last->images[0].faces[0].distance > 0.24 && last->images[0].faces[0].distance < 0.26);
    expect_tally(0, 1, 0, 0, 0);
}

static void test_a_second_process_is_refused(void **state)
{
    struct store_options so = {.folder = folder, .database = database(), .queue_limit = 1000};
    struct error error = {0};

    (void)state;
    assert_null(store_open(&so, &error));
    assert_non_null(strstr(error.text, "another kith"));
}

static void test_an_address_that_cannot_be_is_refused_in_words(void **state)
{
    static const char *const wrong[] = {"mysql://x@y/z",     "mariadb://y/z",          "mariadb://x@y",
                                        "mariadb://x@y:0/z", "mariadb://x:secret@y/z", "oracle"};
    char other[] = "/tmp/kith-store-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(other));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct store_options so = {.folder = other, .database = wrong[i], .queue_limit = 1000};
        struct error error = {0};

        assert_null(store_open(&so, &error));
        assert_non_null(strstr(error.text, "KITH_DATABASE"));
        assert_null(strstr(error.text, "secret"));
    }
    empty_folder(other);
}

/* A database that counts changed rows alone would take the person for unknown. */
static void test_a_person_may_be_renamed_to_the_same_name(void **state)
{
    struct store_person *rename = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);

    (void)state;
    rename->id = person("Ann");
    rename->name = "Ann";
    assert_int_equal(ask(rename)->status, STORE_OK);
}

static void test_the_gallery_log_tells_every_change_in_order(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo");
    struct store_person *rename = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);
    struct store_list *list = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);

    (void)state;
    rename->id = ann;
    rename->name = "Anna";
    assert_int_equal(ask(rename)->status, STORE_OK);
    delete->id = bo;
    assert_int_equal(ask(delete)->status, STORE_OK);
    list->limit = 10;
    assert_int_equal(ask(list)->change_count, 3);
    assert_string_equal(last->changes[0].name, "Anna"); /* as it is now */
    assert_int_equal(last->changes[1].person, ann);
    assert_int_equal(last->changes[2].kind, GALLERY_PERSON_REMOVED);
    assert_int_equal(last->changes[2].person, bo);
    assert_null(last->changes[2].name);
    assert_int_equal(last->next, 4);
}

static void test_a_removed_template_leaves_one_change(void **state)
{
    static const float embedding[2] = {1, 0};
    struct store_list *list;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct store_photo *add = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
        struct store_id *drop = STORE_MESSAGE(STORE_PHOTO_DELETE, store_id);

        add->person_name = "Ann";
        add->photo_name = "a.jpg";
        add->path = "/a.jpg";
        add->model = "m";
        add->embedding = embedding;
        add->dimension = 2;
        assert_int_equal(ask(add)->status, STORE_OK);
        drop->id = last->photos[0].id;
        assert_int_equal(ask(drop)->status, STORE_OK);
    }
    list = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);
    list->limit = 100;
    assert_int_equal(ask(list)->change_count, 6);
    assert_int_equal(last->changes[0].kind, GALLERY_PERSON_NAMED);
    for (int i = 1; i < 6; i++)
        assert_int_equal(last->changes[i].kind, GALLERY_TEMPLATE_REMOVED);
    assert_int_equal(last->next, 11);
}

static void test_a_person_with_more_faces_than_a_batch_is_forgotten(void **state)
{
    enum { FACES = 501 };
    int64_t ann = person("Ann"), id = submit("/a");
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    (void)state;
    claim(1);
    m->id = id;
    m->attempt = 1;
    m->faces = arena_alloc(&m->m.arena, FACES * sizeof *m->faces);
    m->face_count = FACES;
    for (int i = 0; i < FACES; i++)
        m->faces[i] = (struct face){.width = 10, .model = "m", .person = ann, .similarity = 0.9};
    assert_int_equal(ask(m)->changed, 1);
    for (int batch = 0; batch < 2; batch++) {
        struct store_id *forget = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

        forget->id = ann;
        assert_int_equal(ask(forget)->status, STORE_OK);
        assert_int_equal(last->changed, batch == 0 ? 500 : 1);
        assert_int_equal(last->more, batch == 0);
    }
    for (int i = 0; i < FACES; i++)
        assert_int_equal((i ? last : (image(id), last))->images[0].faces[i].person, PERSON_UNKNOWN);
}

static void test_a_full_last_page_has_no_next(void **state)
{
    (void)state;
    submit("/a");
    submit("/b");
    person("Ann");
    person("Bo");
    for (int limit = 1; limit <= 2; limit++) {
        struct store_list *images = STORE_MESSAGE(STORE_IMAGES, store_list);
        struct store_list *people = STORE_MESSAGE(STORE_PEOPLE, store_list);

        images->status = images->verdict = -1;
        images->limit = people->limit = limit;
        assert_int_equal(ask(images)->image_count, limit);
        assert_int_equal(last->next != 0, limit == 1);
        assert_int_equal(ask(people)->person_count, limit);
        assert_int_equal(last->next != 0, limit == 1);
    }
}

static void test_a_quarantine_ends(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        struct store_text *m = STORE_MESSAGE(STORE_QUARANTINE, store_text);

        m->text = "abc";
        m->for_ms = ends ? -1000 : 60000;
        ask(m);
        assert_int_equal(ask(STORE_MESSAGE(STORE_QUARANTINED, store_list))->text_count, ends ? 0 : 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_naming_a_face_resolves_its_image_and_makes_a_template),
        TEST(test_resolving_leaves_a_named_face_alone),
        TEST(test_forgetting_a_person_unnames_the_images),
        TEST(test_one_that_fails_costs_its_neighbours_nothing),
        TEST(test_a_refused_operation_leaves_nothing_behind),
        TEST(test_the_queue_has_a_limit),
        TEST(test_events_are_numbered_and_pruned),
        TEST(test_everything_is_there_after_a_restart),
        TEST(test_a_second_process_is_refused),
        TEST(test_an_address_that_cannot_be_is_refused_in_words),
        TEST(test_a_removed_template_leaves_one_change),
        TEST(test_a_person_with_more_faces_than_a_batch_is_forgotten),
        TEST(test_a_full_last_page_has_no_next),
        TEST(test_a_quarantine_ends),
        TEST(test_a_person_may_be_renamed_to_the_same_name),
        TEST(test_the_gallery_log_tells_every_change_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
