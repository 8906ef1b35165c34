/* The scan of the known-people folder, against replies of the store that the test makes. */
#include "actors/known/known_folder.h"

#include "core/image/photo_name.h"

#include "test/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PHOTOS = 2000, ROWS = 10000 };

static char folder[] = "/tmp/kith-known-XXXXXX";

static struct store_reply *new_reply(void)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);

    r->files = arena_alloc(&r->m.arena, PHOTOS * sizeof *r->files);
    r->photos = arena_alloc(&r->m.arena, ROWS * sizeof *r->photos);
    return r;
}

static void write_photo(const char *name)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* The file is known as it is now. */
static void add_known(struct store_reply *r, const char *name, bool taken)
{
    char path[256];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &st), 0);
    r->files[r->file_count++] = (struct known_file){.path = arena_text(&r->m.arena, path),
                                                    .person_name = "ann",
                                                    .sha256 = taken ? arena_text(&r->m.arena, name) : "refused",
                                                    .size = st.st_size,
                                                    .mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
                                                    .ctime_ns = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec,
                                                    .photo = taken ? r->file_count + 1 : 0,
                                                    .person = taken ? 7 : 0,
                                                    .state = taken ? KNOWN_ENROLLED : KNOWN_REFUSED,
                                                    .taken = taken};
}

static void add_row(struct store_reply *r, int64_t id, const char *name)
{
    r->photos[r->photo_count++] = (struct photo){.id = id, .person = 7, .name = arena_text(&r->m.arena, name)};
}

static struct known_folder_options options;
static struct path_roots *roots;

static struct known_folder_scan *scan(struct store_reply *known, struct store_reply *legacy, int max_files)
{
    struct known_folder_scan *s;

    options.max_files = max_files;
    s = known_folder_scan_new(1, &options, "m", known, legacy);
    while (s->stage != KNOWN_SCAN_DONE)
        known_folder_scan_work(&s->head);
    assert_int_equal(s->status, 0);
    return s;
}

/* The n-th action that enrols. */
static const struct known_action *enrolment(const struct known_folder_scan *s, int n)
{
    for (int i = 0; i < s->plan.count; i++)
        if (s->plan.actions[i].kind == KNOWN_ENROL && n-- == 0)
            return &s->plan.actions[i];
    return NULL;
}

static int make_folder(void **state)
{
    char path[64];

    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    roots = path_roots_open(folder, 0, &(struct error){0});
    options = (struct known_folder_options){.folder = folder, .roots = roots, .max_file = 1000};
    snprintf(path, sizeof path, "%s/ann", folder);
    return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
    char command[64];

    (void)state;
    path_roots_free(roots);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command); /* NOLINT(cert-env33-c): the name is the test's own */
}

static void write_content(const char *name, const char *content)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void test_only_new_changed_and_legacy_photos_are_enrolled(void **state)
{
    struct store_reply *known = new_reply(), *legacy = new_reply();
    struct known_folder_scan *s;

    (void)state;
    write_content("bob_1.jpg", "bob");
    write_content("known_1.jpg", "known");
    write_content("changed_1.jpg", "changed");
    write_content("notes.txt", "no photo");
    write_content("ann/legacy.png", "legacy");
    write_content("ann/refused.png", "refused");
    add_known(known, "known_1.jpg", true);
    add_known(known, "changed_1.jpg", true);
    known->files[1].mtime_ns--;
    add_known(known, "ann/legacy.png", true);
    add_known(known, "ann/refused.png", false);
    add_row(legacy, 3, "//ann/legacy.png"); /* a path below the folder, and the oldest row */
    add_row(legacy, 4, "legacy.png");
    add_row(legacy, 5, "refused.png");
    s = scan(known, legacy, 100);
    assert_int_equal(s->count, 5);
    assert_int_equal(s->other, 1);
    assert_int_equal(s->read, 2); /* what is unchanged is not read */
    assert_string_equal(s->photos[enrolment(s, 0)->file].photo, "legacy.png");
    assert_string_equal(s->photos[enrolment(s, 0)->file].person, "ann");
    assert_int_equal(enrolment(s, 0)->legacy_row, 3);
    assert_int_equal(enrolment(s, 0)->person, 7);
    assert_string_equal(s->photos[enrolment(s, 1)->file].person, "bob");
    assert_int_equal(enrolment(s, 1)->legacy_row, 0);
    assert_string_equal(s->photos[enrolment(s, 2)->file].photo, "changed_1.jpg");
    assert_null(enrolment(s, 3));
    msg_unref(&s->head);
}

static void test_lookups_do_not_grow_with_photos_times_rows(void **state)
{
    struct store_reply *known = new_reply(), *legacy = new_reply();
    struct known_folder_scan *s;
    char name[64];

    (void)state;
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(name, sizeof name, "ann/p%05d.jpg", i);
        write_photo(name);
        if (i)
            add_known(known, name, true);
    }
    for (int i = 0; i < ROWS; i++) {
        snprintf(name, sizeof name, "other_%d.jpg", i);
        add_row(legacy, i + 1, name);
    }
    s = scan(known, legacy, 100000);
    assert_int_equal(s->count, PHOTOS);
    assert_int_equal(s->read, 1);
    assert_non_null(enrolment(s, 0));
    assert_null(enrolment(s, 1));
    assert_true(s->comparisons < 16 * (PHOTOS + ROWS));
    msg_unref(&s->head);
}

static void test_photos_over_the_limit_are_reported(void **state)
{
    struct store_reply *known = new_reply();
    struct known_folder_scan *s;

    (void)state;
    write_photo("anna.jpg");
    write_photo("bob.jpg");
    add_known(known, "anna.jpg", true);
    add_known(known, "bob.jpg", true);
    s = scan(known, new_reply(), 1);
    assert_true(s->too_many);
    assert_true(s->count <= 1);
    for (int i = 0; i < s->plan.count; i++) /* what was not looked at is not gone */
        assert_int_not_equal(s->plan.actions[i].state, KNOWN_GONE);
    msg_unref(&s->head);
}

static void test_names_that_are_not_utf8_are_skipped_and_reported(void **state)
{
    struct known_folder_scan *s;
    char path[96];

    (void)state;
    snprintf(path, sizeof path, "%s/b\xff", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_photo("b\xff/one.jpg"); /* the person's name is the folder's */
    write_photo("caf\xe9.jpg");
    write_photo("notes\xff.txt"); /* no photo: of no interest */
    write_photo("caf\xc3\xa9_1.jpg");
    s = scan(new_reply(), new_reply(), 10);
    assert_int_equal(s->bad_names, 2);
    assert_non_null(strstr(s->bad_name, folder));
    assert_int_equal(s->count, 1);
    assert_string_equal(s->photos[0].person, "caf\xc3\xa9");
    msg_unref(&s->head);
}

static void test_a_photo_over_the_limit_of_bytes_is_refused_unread(void **state)
{
    struct known_folder_scan *s;

    (void)state;
    options.max_file = 3;
    write_content("ann/large.jpg", "four");
    s = scan(new_reply(), new_reply(), 10);
    assert_int_equal(s->read, 0);
    assert_int_equal(s->plan.actions[0].kind, KNOWN_RECORD);
    assert_non_null(strstr(s->plan.actions[0].reason, "KITH_MAX_IMAGE"));
    msg_unref(&s->head);
}

/* Links to each other in many folders: the walk ends at its limit. */
static void test_links_that_multiply_end_at_the_limit(void **state)
{
    struct known_folder_scan *s;
    char path[128], target[16];

    (void)state;
    for (int i = 0; i < 12; i++) {
        snprintf(path, sizeof path, "%s/d%d", folder, i);
        assert_int_equal(mkdir(path, 0700), 0);
        for (int j = 0; j < 12; j++) {
            snprintf(path, sizeof path, "%s/d%d/l%d", folder, i, j);
            snprintf(target, sizeof target, "../d%d", j);
            assert_int_equal(symlink(target, path), 0);
        }
    }
    s = scan(new_reply(), new_reply(), 1000);
    assert_true(s->too_many);
    assert_true(s->folders <= 1000);
    msg_unref(&s->head);
}

static void test_names_of_files_name_people_or_nobody(void **state)
{
    static const struct {
        const char *file, *person; /* NULL: nobody */
    } names[] = {
        {"hannibal_1.jpg", "hannibal"},
        {"hannibal 2.jpg", "hannibal"},
        {"hannibal (3).jpg", "hannibal"},
        {"hannibal.jpg", "hannibal"},
        {"obama.jpg", "obama"},
        {"obama2.jpg", "obama"},
        {"R2-D2_1.jpg", "R2-D2"},
        {"R2-D2_2.jpg", "R2-D2"},
        {"Anna-Maria O'Neil.png", "Anna-Maria O'Neil"},
        {"\xd0\x9c\xd0\xb0\xd0\xba\xd1\x81_1.jpg", "\xd0\x9c\xd0\xb0\xd0\xba\xd1\x81"},
        {"Sam_1.jpg", "Sam"},
        {"Imogen.jpg", "Imogen"},
        {"Scanlon_3.jpg", "Scanlon"},
        {"louis14.jpg", NULL}, /* alone */
        {"IMG_2563.jpg", NULL},
        {"IMG_2563 (2).jpg", NULL},
        {"img-20230101-wa0001.jpg", NULL},
        {"DSC01234.JPG", NULL},
        {"DSC_0001.JPG", NULL},
        {"SAM_0001.JPG", NULL},
        {"ABCD0001.JPG", NULL},
        {"PXL_20230101_120000123.jpg", NULL},
        {"P1000123.jpg", NULL},
        {"WhatsApp Image 2023-01-01 at 12.00.00.jpeg", NULL},
        {"Screenshot 2023-01-01.png", NULL},
        {"Screenshot_20230101-120000.png", NULL},
        {"scan0001.jpg", NULL},
        {"Photo.jpg", NULL},
        {"u220.jpg", NULL},
        {"12345.jpg", NULL},
        {"20230101_120000.jpg", NULL},
        {"1.jpg", NULL},
        {"3f2504e0-4f89-11d3-9a0c-0305e82c3301.jpg", NULL},
        {"0930e3aa77f64de1b6a6.jpg", NULL},
        {"Q.jpg", NULL},
    };
    enum { NAMES = sizeof names / sizeof names[0] };
    const char *files[NAMES];
    char *people[NAMES];

    (void)state;
    for (int i = 0; i < NAMES; i++)
        files[i] = names[i].file;
    photo_names_read(files, NAMES, false, people);
    for (int i = 0; i < NAMES; i++) {
        if (!names[i].person && people[i])
            fail_msg("%s names “%s”", files[i], people[i]);
        if (names[i].person && (!people[i] || strcmp(people[i], names[i].person) != 0))
            fail_msg("%s names “%s” instead of “%s”", files[i], people[i] ? people[i] : "nobody", names[i].person);
        free(people[i]);
    }
    photo_names_read(files, NAMES, true, people);
    for (int i = 0; i < NAMES; i++) {
        assert_non_null(people[i]);
        free(people[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_new_changed_and_legacy_photos_are_enrolled, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_lookups_do_not_grow_with_photos_times_rows, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_names_that_are_not_utf8_are_skipped_and_reported, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_photos_over_the_limit_are_reported, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_photo_over_the_limit_of_bytes_is_refused_unread, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_links_that_multiply_end_at_the_limit, make_folder, remove_folder),
        cmocka_unit_test(test_names_of_files_name_people_or_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
