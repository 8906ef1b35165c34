/* The scan of the known-people folder, against replies of the store that the test makes. */
#include "actors/known/known_folder.h"

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
                                                    .size = st.st_size,
                                                    .mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
                                                    .taken = taken};
}

static void add_row(struct store_reply *r, int64_t id, const char *name)
{
    r->photos[r->photo_count++] = (struct photo){.id = id, .person = 7, .name = arena_text(&r->m.arena, name)};
}

static struct known_folder_scan *scan(struct store_reply *known, struct store_reply *legacy, int max_files)
{
    struct known_folder_scan *s = known_folder_scan_new(1, folder, max_files, known, legacy);

    known_folder_scan_work(&s->head);
    assert_int_equal(s->status, 0);
    return s;
}

static int make_folder(void **state)
{
    char path[64];

    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/ann", folder);
    return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command); /* NOLINT(cert-env33-c): the name is the test's own */
}

static void test_only_new_changed_and_legacy_photos_are_listed(void **state)
{
    struct store_reply *known = new_reply(), *legacy = new_reply();
    struct known_folder_scan *s;

    (void)state;
    write_photo("bob_1.jpg");
    write_photo("known_1.jpg");
    write_photo("changed_1.jpg");
    write_photo("notes.txt");
    write_photo("ann/legacy.png");
    write_photo("ann/refused.png");
    add_known(known, "known_1.jpg", true);
    add_known(known, "changed_1.jpg", true);
    known->files[1].mtime_ns--;
    add_known(known, "ann/legacy.png", true);
    add_known(known, "ann/refused.png", false);
    add_row(legacy, 3, "//ann/legacy.png"); /* a path below the folder, and the oldest row */
    add_row(legacy, 4, "legacy.png");
    add_row(legacy, 5, "refused.png");
    s = scan(known, legacy, 100);
    assert_int_equal(s->seen, 5);
    assert_int_equal(s->count, 3);
    assert_string_equal(s->photos[0].photo, "legacy.png");
    assert_string_equal(s->photos[0].person, "ann");
    assert_int_equal(s->photos[0].legacy_row, 3);
    assert_int_equal(s->photos[0].legacy_person, 7);
    assert_string_equal(s->photos[1].person, "bob");
    assert_int_equal(s->photos[1].legacy_row, 0);
    assert_string_equal(s->photos[2].photo, "changed_1.jpg");
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
    assert_int_equal(s->seen, PHOTOS);
    assert_int_equal(s->count, 1);
    assert_true(s->comparisons < 8 * (PHOTOS + ROWS));
    msg_unref(&s->head);
}

static void test_photos_over_the_limit_are_reported(void **state)
{
    struct known_folder_scan *s;

    (void)state;
    write_photo("a.jpg");
    write_photo("b.jpg");
    s = scan(new_reply(), new_reply(), 1);
    assert_true(s->too_many);
    assert_int_equal(s->count, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_new_changed_and_legacy_photos_are_listed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_lookups_do_not_grow_with_photos_times_rows, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_names_that_are_not_utf8_are_skipped_and_reported, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_photos_over_the_limit_are_reported, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
