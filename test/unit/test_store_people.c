/* People: naming of faces and of unknown people, photos, deletion, and the gallery's log of all this. */
#include "test/unit/store_world.h"

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
    expect_status_counts(0, 1, 0, 0, 0);
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
    expect_status_counts(0, 1, 0, 0, 1);
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
    assert_int_equal(ask(list)->change_count, 2); /* the new name replaces the old one */
    assert_int_equal(last->changes[0].person, ann);
    assert_string_equal(last->changes[0].name, "Anna");
    assert_int_equal(last->changes[1].kind, GALLERY_PERSON_REMOVED);
    assert_int_equal(last->changes[1].person, bo);
    assert_null(last->changes[1].name);
    assert_int_equal(last->next, 4);
}

static bool rewound(int64_t after, int64_t mark)
{
    struct store_list *list = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);

    list->after = after;
    list->mark = mark;
    list->limit = 1;
    assert_int_equal(ask(list)->status, STORE_OK);
    return last->rewound;
}

static void test_a_change_that_was_read_is_known_by_its_mark(void **state)
{
    int64_t head, mark, ann = person("Ann");
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

    (void)state;
    person("Bo");
    assert_false(rewound(0, 0));
    assert_int_equal(last->change_count, 1);
    assert_false(rewound(last->next, last->mark));
    assert_int_equal(last->change_count, 1);
    head = last->next;
    mark = last->mark;
    assert_true(mark != 0);
    assert_false(rewound(head, mark));
    assert_int_equal(last->next, head);
    assert_int_equal(last->mark, mark);
    assert_true(rewound(head, mark + 1));
    assert_int_equal(last->change_count, 0);
    assert_true(rewound(head + 1, mark));
    delete->id = ann;
    assert_int_equal(ask(delete)->status, STORE_OK);
    assert_false(rewound(head, mark)); /* a change that is gone from the log keeps its mark */
    assert_int_equal(last->change_count, 1);
}

static void test_the_cluster_keeps_its_id(void **state)
{
    char id[64];

    (void)state;
    assert_int_equal(ask(STORE_MESSAGE(STORE_CLUSTER, store_id))->status, STORE_OK);
    snprintf(id, sizeof id, "%s", last->texts[0]);
    assert_int_equal(strlen(id), 16);
    assert_int_equal(strspn(id, "0123456789abcdef"), 16);
    close_store();
    open_store();
    assert_string_equal(ask(STORE_MESSAGE(STORE_CLUSTER, store_id))->texts[0], id);
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

/* --- naming an unknown person who has more faces than a batch --- */

enum { MANY_FACES = 600, NAMING_BATCH = 500 };

/* One image with faces of one unknown person, whose id is returned. */
static int64_t submit_unknown_person(void)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    struct store_resolve *r = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *list = arena_alloc(&r->m.arena, MANY_FACES * sizeof *list);
    float *embedding = arena_alloc(&m->m.arena, 2 * sizeof *embedding);
    int64_t id = submit("/a"), who;

    claim(1);
    m->id = id;
    m->attempt = 1;
    m->faces = arena_alloc(&m->m.arena, MANY_FACES * sizeof *m->faces);
    m->face_count = MANY_FACES;
    for (int i = 0; i < MANY_FACES; i++)
        m->faces[i] =
            (struct face){.width = 10, .model = "m", .person = PERSON_UNKNOWN, .embedding = embedding, .dimension = 2};
    assert_int_equal(ask(m)->changed, 1);
    who = image(id)->faces[0].id;
    for (int i = 0; i < MANY_FACES; i++)
        list[i] = (struct resolved){.face = last->images[0].faces[i].id,
                                    .image = id,
                                    .was = PERSON_UNKNOWN,
                                    .person = PERSON_UNKNOWN,
                                    .unknown_person = who};
    r->faces = list;
    r->count = MANY_FACES;
    assert_int_equal(ask(r)->status, STORE_OK);
    return who;
}

static struct store_name_face *name_unknown(int64_t unknown_person, int64_t person_id)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);

    m->face = unknown_person;
    m->person = person_id;
    m->next_batch = person_id != 0;
    m->person_name = person_id ? NULL : "Ann";
    return m;
}

/* What a pass of the gallery does once it has the templates of the first batch. */
static void resolve_the_rest(int64_t person_id)
{
    struct store_resolve *r = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *list = arena_alloc(&r->m.arena, MANY_FACES * sizeof *list);
    struct image *seen = image(1);

    for (int i = 0; i < seen->face_count; i++)
        if (seen->faces[i].person == PERSON_UNKNOWN)
            list[r->count++] = (struct resolved){.face = seen->faces[i].id,
                                                 .image = seen->id,
                                                 .was = PERSON_UNKNOWN,
                                                 .person = person_id,
                                                 .distance = 0.1};
    r->faces = list;
    assert_int_equal(r->count, MANY_FACES - NAMING_BATCH);
    assert_int_equal(ask(r)->status, STORE_OK);
}

static void test_a_second_batch_of_names_takes_the_faces_that_are_left(void **state)
{
    int64_t who = submit_unknown_person(), ann;

    (void)state;
    ann = ask(name_unknown(who, 0))->id;
    assert_int_equal(last->changed, NAMING_BATCH);
    assert_true(last->more);
    assert_int_equal(ask(name_unknown(who, ann))->status, STORE_OK);
    assert_int_equal(last->changed, MANY_FACES - NAMING_BATCH);
    assert_false(last->more);
    open_observer();
    assert_int_equal(observer_number("SELECT COUNT(*) FROM templates"), 3); /* of the first batch only */
    close_observer();
}

static void test_a_second_batch_of_names_may_find_no_face_left(void **state)
{
    int64_t who = submit_unknown_person(), ann;

    (void)state;
    ann = ask(name_unknown(who, 0))->id;
    assert_true(last->more);
    resolve_the_rest(ann);
    assert_int_equal(ask(name_unknown(who, ann))->status, STORE_OK);
    assert_int_equal(last->id, ann);
    assert_int_equal(last->changed, 0);
    assert_false(last->more);
}

static void test_a_photo_is_deleted_for_its_own_person_only(void **state)
{
    struct store_photo *add = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    int64_t bo = person("Bo"), ann, photo;

    (void)state;
    add->person_name = "Ann";
    add->photo_name = "a.jpg";
    add->path = "/a.jpg";
    ann = ask(add)->id;
    photo = last->photos[0].id;
    for (int own = 0; own < 2; own++) {
        struct store_id *m = STORE_MESSAGE(STORE_PHOTO_DELETE, store_id);

        m->id = photo;
        m->person = own ? ann : bo;
        assert_int_equal(ask(m)->status, own ? STORE_OK : STORE_NOT_FOUND);
        open_observer();
        assert_int_equal(observer_number("SELECT COUNT(*) FROM person_images"), own ? 0 : 1);
        close_observer();
    }
}

static int rename_person(int64_t id, const char *name)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);

    m->id = id;
    m->name = name;
    return (int)ask(m)->status;
}

static void test_a_name_belongs_to_one_person(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo");

    (void)state;
    assert_int_equal(rename_person(ann, "Bo"), STORE_CONFLICT);
    assert_int_equal(rename_person(ann, "Anna"), STORE_OK);
    assert_int_equal(person("Anna"), ann);
    assert_int_not_equal(person("Ann"), ann); /* the old name is free */
    assert_int_equal(person("Bo"), bo);
    assert_int_equal(rename_person(ann, "Bo"), STORE_CONFLICT);
}

static int64_t enrol_template(const char *name, int64_t *template)
{
    static const float embedding[2] = {1, 0};
    struct store_photo *add = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    int64_t photo;

    add->person_name = name;
    add->photo_name = "a.jpg";
    add->path = "/a.jpg";
    add->model = "m";
    add->embedding = embedding;
    add->dimension = 2;
    photo = ask(add)->photos[0].id;
    open_observer();
    *template = observer_number("SELECT MAX(id) FROM templates");
    close_observer();
    return photo;
}

static void test_the_faces_of_a_removed_template_are_decided_again(void **state)
{
    struct store_id *drop = STORE_MESSAGE(STORE_PHOTO_DELETE, store_id);
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    struct store_list *list = STORE_MESSAGE(STORE_AGAIN_FACES, store_list);
    float *embedding = arena_alloc(&m->m.arena, 2 * sizeof *embedding);
    int64_t template, id = submit("/a");

    (void)state;
    drop->id = enrol_template("Ann", &template);
    claim(1);
    embedding[0] = 1;
    m->id = id;
    m->attempt = 1;
    m->outcome = OUTCOME_FACES;
    m->face_count = 1;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->faces[0] = (struct face){.width = 10,
                                .model = "m",
                                .embedding = embedding,
                                .dimension = 2,
                                .person = person("Ann"),
                                .distance = 0.1,
                                .template = template};
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(ask(drop)->status, STORE_OK);
    assert_int_equal(last->deciding, 1);
    list->limit = 10;
    assert_int_equal(ask(list)->id, 0); /* a gallery that has not read the removal does not decide */
    list = STORE_MESSAGE(STORE_AGAIN_FACES, store_list);
    list->limit = 10;
    list->head = INT64_MAX;
    assert_int_not_equal(ask(list)->id, 0);
    assert_int_equal(last->face_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_naming_a_face_resolves_its_image_and_makes_a_template),
        TEST(test_resolving_leaves_a_named_face_alone),
        TEST(test_forgetting_a_person_unnames_the_images),
        TEST(test_the_gallery_log_tells_every_change_in_order),
        TEST(test_a_person_may_be_renamed_to_the_same_name),
        TEST(test_the_cluster_keeps_its_id),
        TEST(test_a_name_belongs_to_one_person),
        TEST(test_the_faces_of_a_removed_template_are_decided_again),
        TEST(test_a_change_that_was_read_is_known_by_its_mark),
        TEST(test_a_removed_template_leaves_one_change),
        TEST(test_a_person_with_more_faces_than_a_batch_is_forgotten),
        TEST(test_a_second_batch_of_names_takes_the_faces_that_are_left),
        TEST(test_a_second_batch_of_names_may_find_no_face_left),
        TEST(test_a_photo_is_deleted_for_its_own_person_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
