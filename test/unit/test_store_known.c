/* The store's rows of the known-people folder, and photos without a template of a model. */
#include "test/unit/store_world.h"

static const float embedding[2] = {1, 0};

static struct store_photo *photo_of(const char *name, const char *path, const char *sha256)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);

    m->person_name = name;
    m->photo_name = "a.jpg";
    m->path = arena_text(&m->m.arena, path);
    m->sha256 = sha256;
    m->model = "m";
    m->embedding = embedding;
    m->dimension = 2;
    m->from_folder = true;
    return m;
}

static struct store_known *known(uint32_t type, const char *path, const char *name, int64_t photo)
{
    struct store_known *m = store_message_new(type, sizeof *m);

    m->file = (struct known_file){.path = arena_text(&m->m.arena, path),
                                  .person_name = name,
                                  .sha256 = "s",
                                  .model = "m",
                                  .size = 3,
                                  .photo = photo,
                                  .state = KNOWN_ENROLLED,
                                  .taken = true};
    m->photo_name = "a.jpg";
    return m;
}

/* Enrols a photo of the folder; returns its id. */
static int64_t enrol(const char *name, const char *path, const char *sha256)
{
    int64_t photo;

    assert_int_equal(ask(photo_of(name, path, sha256))->status, STORE_OK);
    photo = last->photos[0].id;
    assert_int_equal(ask(known(STORE_KNOWN_FILE, path, name, photo))->status, STORE_OK);
    return photo;
}

static void sweep(void)
{
    struct store_known_update *m = STORE_MESSAGE(STORE_KNOWN_UPDATE, store_known_update);

    m->sweep = true;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static struct store_reply *report(unsigned states, const uint8_t *after, int limit)
{
    struct store_known_report *m = STORE_MESSAGE(STORE_KNOWN_REPORT, store_known_report);

    m->states = states;
    m->after = after;
    m->limit = limit;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last;
}

static int64_t number(const char *sql)
{
    int64_t n;

    open_observer();
    n = observer_number(sql);
    close_observer();
    return n;
}

static void test_a_moved_photo_takes_its_template_to_the_other_person(void **state)
{
    int64_t photo = enrol("Ann", "/k/Ann/1", "s1"), moved, before = number("SELECT id FROM templates");

    (void)state;
    enrol("Bo", "/k/Bo/1", "s2");
    assert_int_equal(ask(known(STORE_KNOWN_MOVE, "/k/Bo/2", "Bo", photo))->status, STORE_OK);
    assert_true(last->moved);
    moved = last->id;
    open_observer();
    assert_int_equal(
        observer_number("SELECT COUNT(*) FROM templates t JOIN person p ON p.id = t.person_id WHERE p.name = 'Bo'"), 2);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person_images WHERE path = '/k/Bo/2'"), 1);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM known_files"), 2);
    assert_int_equal(observer_number("SELECT template_id FROM gallery_log WHERE kind = 2"), before);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person"), 2);
    close_observer();
    sweep(); /* the folder made Ann, and nothing is hers */
    assert_int_equal(number("SELECT COUNT(*) FROM person"), 1);
    assert_int_equal(number("SELECT id FROM person"), moved);
}

static void test_a_person_made_by_hand_stays_without_photos(void **state)
{
    int64_t ann = person("Ann"), photo = enrol("Ann", "/k/Ann/1", "s1");

    (void)state;
    enrol("Bo", "/k/Bo/1", "s2");
    assert_int_equal(ask(known(STORE_KNOWN_MOVE, "/k/Bo/2", "Bo", photo))->status, STORE_OK);
    sweep();
    assert_int_equal(number("SELECT COUNT(*) FROM person"), 2);
    assert_int_equal(number("SELECT MIN(id) FROM person"), ann);
}

static void test_a_renamed_folder_renames_its_person_unless_the_name_is_taken(void **state)
{
    int64_t one = enrol("Barak", "/k/Barak/1", "s1"), id = last->id, two = enrol("Barak", "/k/Barak/2", "s2");
    struct store_known *m = known(STORE_KNOWN_MOVE, "/k/Barack/1", "Barack", one);

    (void)state;
    (void)id;
    m->whole_folder = true;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_false(last->moved);
    assert_int_equal(ask(known(STORE_KNOWN_MOVE, "/k/Barack/2", "Barack", two))->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM person WHERE name = 'Barack'"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM person"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM gallery_log WHERE kind = 2"), 0);
    /* onto a name that exists: the photos go there */
    enrol("Obama", "/k/Obama/1", "s3");
    m = known(STORE_KNOWN_MOVE, "/k/Obama/2", "Obama", one);
    m->whole_folder = true;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_true(last->moved);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images pi JOIN person p ON p.id = pi.person_id WHERE p.name = "
                            "'Obama'"),
                     2);
    assert_int_equal(number("SELECT COUNT(*) FROM person WHERE name = 'Barack'"), 1);
}

static void test_two_files_that_change_places_keep_both_photos(void **state)
{
    int64_t a = enrol("Ann", "/k/Ann/1", "s1"), b = enrol("Bo", "/k/Bo/1", "s2");

    (void)state;
    assert_int_equal(ask(known(STORE_KNOWN_MOVE, "/k/Bo/1", "Bo", a))->status, STORE_OK);
    assert_int_equal(report(1u << KNOWN_REPLACED, NULL, 10)->file_count, 1);
    assert_int_equal(last->files[0].photo, b);
    assert_int_equal(ask(known(STORE_KNOWN_MOVE, "/k/Ann/1", "Ann", b))->status, STORE_OK);
    assert_int_equal(report(0x7f, NULL, 10)->file_count, 2);
    assert_int_equal(last->known_counts[KNOWN_ENROLLED], 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates t JOIN person p ON p.id = t.person_id JOIN person_images i "
                            "ON i.id = t.photo_id WHERE (p.name = 'Bo' AND i.sha256 = 's1') OR (p.name = 'Ann' AND "
                            "i.sha256 = 's2')"),
                     2);
}

static void test_a_displaced_photo_that_is_nowhere_is_forgotten(void **state)
{
    int64_t a = enrol("Ann", "/k/Ann/1", "s1"), b = enrol("Bo", "/k/Bo/1", "s2");
    struct store_known *m;

    (void)state;
    assert_int_equal(ask(known(STORE_KNOWN_MOVE, "/k/Bo/1", "Bo", a))->status, STORE_OK);
    m = known(STORE_KNOWN_FORGET, "/k/Bo/1", "Bo", b);
    m->file.state = KNOWN_REPLACED;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM templates"), 1);
    assert_int_equal(number("SELECT photo_id FROM known_files"), a);
}

static void test_a_row_with_another_photo_forgets_the_one_before(void **state)
{
    int64_t second;

    (void)state;
    enrol("Ann", "/k/Ann/1", "s1");
    second = enrol("Ann", "/k/Ann/1", "s2");
    assert_int_equal(number("SELECT COUNT(*) FROM templates"), 1);
    assert_int_equal(number("SELECT id FROM person_images"), second);
    assert_int_equal(number("SELECT COUNT(*) FROM gallery_log WHERE kind = 2"), 1);
}

static void test_an_uploaded_photo_of_the_same_bytes_is_not_the_folder_s(void **state)
{
    struct store_photo *upload = photo_of("Ann", "/spool/s1", "s1");
    int64_t photo;

    (void)state;
    upload->spooled = true;
    photo = ask(upload)->photos[0].id;
    assert_int_equal(enrol("Ann", "/k/Ann/1", "s1"), photo);
    assert_int_equal(ask(known(STORE_KNOWN_MOVE, "/k/Bo/1", "Bo", photo))->status, STORE_CONFLICT);
    assert_int_equal(ask(known(STORE_KNOWN_FORGET, "/k/Ann/1", "Ann", photo))->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM templates"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM known_files"), 0);
}

static void test_a_photo_of_two_people_is_refused_unless_its_face_was_chosen(void **state)
{
    struct store_photo *chosen = photo_of("Bo", "/b", "s1");

    (void)state;
    enrol("Ann", "/k/Ann/1", "s1");
    assert_int_equal(ask(photo_of("Bo", "/b", "s1"))->status, STORE_CONFLICT);
    assert_non_null(strstr(last->error, "Ann"));
    assert_int_equal(number("SELECT COUNT(*) FROM person"), 1); /* nothing is left of the refused request */
    chosen->chosen = true;
    assert_int_equal(ask(chosen)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM templates"), 2);
}

static void test_a_chosen_face_of_a_refused_file_counts_as_enrolled(void **state)
{
    struct store_known *refused = known(STORE_KNOWN_FILE, "/k/Ann/1", "Ann", 0);
    struct store_photo *chosen = photo_of("Ann", "/k/Ann/1", "s");

    (void)state;
    refused->file.state = KNOWN_REFUSED;
    refused->file.reason = "two faces";
    assert_int_equal(ask(refused)->status, STORE_OK);
    chosen->chosen = true;
    assert_int_equal(ask(chosen)->status, STORE_OK);
    assert_int_equal(report(0x7f, NULL, 10)->known_counts[KNOWN_ENROLLED], 1);
    assert_null(last->files[0].reason);
}

static void test_the_report_is_read_in_pages(void **state)
{
    char path[32];
    uint8_t key[KNOWN_KEY_BYTES];
    int seen = 0;

    (void)state;
    for (int i = 0; i < 7; i++) {
        struct store_known *m;

        snprintf(path, sizeof path, "/k/Ann/%d", i);
        m = known(STORE_KNOWN_FILE, path, "Ann", 0);
        m->file.state = i == 6 ? KNOWN_DUPLICATE : KNOWN_REFUSED;
        ask(m);
    }
    assert_int_equal(report(1u << KNOWN_REFUSED, NULL, 4)->file_count, 4);
    assert_true(last->more);
    seen += last->file_count;
    memcpy(key, last->next_key, sizeof key);
    assert_int_equal(report(1u << KNOWN_REFUSED, key, 4)->file_count, 2);
    assert_false(last->more);
    assert_int_equal(seen + last->file_count, 6);
    assert_int_equal(last->known_counts[KNOWN_DUPLICATE], 1);
}

/* The photo that the claim of a node gets; NULL: none. */
static const struct photo *claim_photo(const char *model, int64_t after, int64_t lease_ms)
{
    struct store_claim_embedding *m = STORE_MESSAGE(STORE_CLAIM_PHOTO, store_claim_embedding);

    m->model = model;
    m->after = after;
    m->lease_ms = lease_ms;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last->photo_count ? last->photos : NULL;
}

/* Returns the status. */
static int embed(int64_t photo, int64_t claim, const char *model, const char *sha256)
{
    struct store_photo *m = photo_of(NULL, "/k/Ann/1", sha256);

    m->embedded_photo = photo;
    m->claim = claim;
    m->model = model;
    return ask(m)->status;
}

static int64_t not_embedded(int64_t photo, int64_t claim, const char *model)
{
    struct store_embed *m = STORE_MESSAGE(STORE_NOT_EMBEDDED, store_embed);

    m->photo = photo;
    m->claim = claim;
    m->model = model;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last->changed;
}

static struct store_list *of_model(uint32_t type, const char *model)
{
    struct store_list *m = store_message_new(type, sizeof *m);

    m->model = model;
    m->limit = 10;
    return m;
}

static void test_photos_without_a_template_of_a_model_are_found_and_embedded(void **state)
{
    int64_t photo = enrol("Ann", "/k/Ann/1", "s1"), other = enrol("Bo", "/k/Bo/1", "s2");

    (void)state;
    person("Nobody"); /* without photos: no matter of the model */
    assert_null(claim_photo("m", 0, 30000));
    assert_int_equal(ask(of_model(STORE_TEMPLATE_COUNTS, "n"))->without_template, 2);
    assert_int_equal(last->all_people, 3);
    assert_int_equal(claim_photo("n", 0, 30000)->id, photo);
    assert_string_equal(last->photos[0].path, "/k/Ann/1");
    assert_int_equal(embed(photo, 1, "n", "s1"), STORE_OK);
    assert_int_equal(claim_photo("n", 0, 30000)->id, other);
    assert_int_equal(embed(other, 1, "n", "changed"), STORE_MISMATCH);
    assert_int_equal(not_embedded(other, 1, "n"), 1);
    assert_null(claim_photo("n", 0, 30000));
    assert_false(last->more);
    assert_int_equal(ask(of_model(STORE_TEMPLATE_COUNTS, "n"))->without_template, 1);
    /* all templates of a photo end with it */
    ask(known(STORE_KNOWN_FORGET, "/k/Ann/1", "Ann", photo));
    assert_int_equal(number("SELECT COUNT(*) FROM templates"), 1);
}

static void test_of_several_nodes_one_embeds_a_photo(void **state)
{
    int64_t first = enrol("Ann", "/k/Ann/1", "s1"), second = enrol("Bo", "/k/Bo/1", "s2");

    (void)state;
    assert_int_equal(claim_photo("n", 0, 3600000)->id, first);
    assert_int_equal(claim_photo("n", 0, -1)->id, second); /* its lease is over at once: that node has died */
    assert_int_equal(claim_photo("n", 0, 3600000)->id, second);
    assert_int_equal(last->photos[0].claim, 2);
    assert_null(claim_photo("n", 0, 3600000));
    assert_true(last->more); /* nodes are at work */
    assert_int_equal(embed(second, 1, "n", "s2"), STORE_CONFLICT);
    assert_int_equal(not_embedded(second, 1, "n"), 0);
    assert_int_equal(embed(second, 2, "n", "s2"), STORE_OK);
    assert_int_equal(not_embedded(first, 1, NULL), 1); /* its file could not be read */
    assert_int_equal(claim_photo("n", 0, 3600000)->id, first);
    assert_int_equal(last->photos[0].claim, 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_moved_photo_takes_its_template_to_the_other_person),
        TEST(test_a_person_made_by_hand_stays_without_photos),
        TEST(test_a_renamed_folder_renames_its_person_unless_the_name_is_taken),
        TEST(test_two_files_that_change_places_keep_both_photos),
        TEST(test_a_displaced_photo_that_is_nowhere_is_forgotten),
        TEST(test_a_row_with_another_photo_forgets_the_one_before),
        TEST(test_an_uploaded_photo_of_the_same_bytes_is_not_the_folder_s),
        TEST(test_a_photo_of_two_people_is_refused_unless_its_face_was_chosen),
        TEST(test_a_chosen_face_of_a_refused_file_counts_as_enrolled),
        TEST(test_the_report_is_read_in_pages),
        TEST(test_photos_without_a_template_of_a_model_are_found_and_embedded),
        TEST(test_of_several_nodes_one_embeds_a_photo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
