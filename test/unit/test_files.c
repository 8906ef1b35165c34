/* core/base: files. Names that change meanwhile, the reserve of the disk, durable names. */
#include "core/base/disk.h"
#include "core/base/path.h"
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* --- names that change while they are used --- */

enum { SWAPS = 20000 };

static _Atomic bool swapping;

/* Makes "photo" a file below the root, and a link that leads out, in turn. */
static void *swap_names(void *root)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    while (swapping) {
        (void)!linkat(fd, "good", fd, "next", 0);
        renameat(fd, "next", fd, "photo");
        (void)!symlinkat("../secret", fd, "next");
        renameat(fd, "next", fd, "photo");
    }
    close(fd);
    return NULL;
}

static void write_byte(const char *parent, const char *name, char byte)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", parent, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, &byte, 1), 1);
    close(fd);
}

static void test_a_name_that_is_swapped_never_opens_a_file_outside(void **state)
{
    char base[] = "/tmp/kith-test-XXXXXX", root[64], name[80], byte;
    struct path_roots *roots;
    int opened = 0;
    pthread_t thread;

    (void)state;
    assert_non_null(mkdtemp(base));
    snprintf(root, sizeof root, "%s/root", base);
    snprintf(name, sizeof name, "%s/photo", root);
    assert_int_equal(mkdir(root, 0700), 0);
    write_byte(base, "secret", 's');
    write_byte(root, "good", 'g');
    write_byte(root, "photo", 'g');
    roots = path_roots_open(root, 0, NULL);
    assert_non_null(roots);
    swapping = true;
    assert_int_equal(pthread_create(&thread, NULL, swap_names, root), 0);
    for (int i = 0; i < SWAPS; i++) {
        struct error error = {0};
        int fd = path_open(roots, name, &error);

        if (fd < 0)
            continue;
        assert_int_equal(read(fd, &byte, 1), 1);
        assert_int_equal(byte, 'g');
        opened++;
        close(fd);
    }
    swapping = false;
    pthread_join(thread, NULL);
    assert_true(opened > 0);
    path_roots_free(roots);
}

/* --- stamps --- */

static void test_a_stamp_tells_files_apart(void **state)
{
    char base[] = "/tmp/kith-files-XXXXXX", name[64], link[64];
    const struct timespec epoch[2] = {{0}};
    struct file_stamp seen, now;
    struct path_roots *roots;
    struct error error = {0};
    int fd;

    (void)state;
    assert_non_null(mkdtemp(base));
    snprintf(name, sizeof name, "%s/photo", base);
    snprintf(link, sizeof link, "%s/link", base);
    roots = path_roots_open(base, 0, NULL);
    assert_int_equal(path_look(roots, name, &seen, &error), -ENOENT);
    write_byte(base, "photo", 'a');
    assert_int_equal(symlink("photo", link), 0);
    assert_int_equal(path_look(roots, link, &seen, &error), -ELOOP);
    assert_int_equal(path_look(roots, base, &seen, &error), -EACCES);
    assert_int_equal(path_look(roots, name, &seen, &error), 0);
    assert_true(seen.size == 1 && file_stamp_is_known(seen));
    fd = path_open(roots, name, &error);
    assert_true(file_stamp_equal(path_stamp(fd), seen));
    assert_int_equal(truncate(name, 2), 0);
    assert_false(file_stamp_equal(path_stamp(fd), seen));
    assert_int_equal(utimensat(AT_FDCWD, name, epoch, 0), 0); /* as archives without times unpack files */
    assert_int_equal(path_look(roots, name, &now, &error), 0);
    assert_true(file_stamp_is_known(now) && now.size == 2);
    close(fd);
    assert_false(file_stamp_is_known(path_stamp(fd)));
    path_roots_free(roots);
    unlink(link);
    unlink(name);
    rmdir(base);
}

/* --- the reserve of the disk --- */

static void test_the_reserve_is_at_most_a_sixteenth_of_the_disk(void **state)
{
    struct statvfs fs;

    (void)state;
    assert_int_equal(statvfs("/tmp", &fs), 0);
    assert_int_equal(disk_read_space("/tmp", 1).reserve, 1);
    assert_int_equal(disk_read_space("/tmp", UINT64_MAX).reserve, fs.f_blocks * fs.f_frsize / 16);
}

/* What other programs write meanwhile is less than the margin. */
static void test_a_disk_is_low_when_a_file_would_not_leave_the_reserve(void **state)
{
    uint64_t free_bytes = disk_read_space("/tmp", 0).free, margin = free_bytes / 4;

    (void)state;
    assert_true(free_bytes > 0 && free_bytes < UINT64_MAX);
    assert_false(disk_is_low("/tmp", 1, 0));
    assert_false(disk_is_low("/tmp", 1, free_bytes - margin));
    assert_true(disk_is_low("/tmp", 1, free_bytes + margin));
    assert_false(disk_is_low("/tmp", 0, free_bytes + margin)); /* no reserve: the disk refuses by itself */
    assert_false(disk_is_low("/no/such/folder", 1, 0));
}

static void test_the_parent_of_a_path_is_synced(void **state)
{
    (void)state;
    assert_int_equal(disk_sync_parent("/tmp/x"), 0);
    assert_int_equal(disk_sync_parent("/tmp//"), 0);
    assert_int_equal(disk_sync_parent("/tmp"), 0);
    assert_int_equal(disk_sync_parent("relative"), 0);
    assert_int_equal(disk_sync_parent("/no/such/folder"), -ENOENT);
}

static void test_which_errors_of_a_file_may_pass(void **state)
{
    static const struct {
        int code;
        enum disk_fault fault;
    } cases[] = {
        {ENOENT, DISK_FAULT_FILE},       {EACCES, DISK_FAULT_FILE},      {EPERM, DISK_FAULT_FILE},
        {ELOOP, DISK_FAULT_FILE},        {EXDEV, DISK_FAULT_FILE},       {ENOTDIR, DISK_FAULT_FILE},
        {EISDIR, DISK_FAULT_FILE},       {EINVAL, DISK_FAULT_FILE},      {ENAMETOOLONG, DISK_FAULT_FILE},
        {ENXIO, DISK_FAULT_FILE},        {EOVERFLOW, DISK_FAULT_FILE},   {0, DISK_FAULT_FILE},
        {EIO, DISK_FAULT_STORAGE},       {ESTALE, DISK_FAULT_STORAGE},   {ETIMEDOUT, DISK_FAULT_STORAGE},
        {EHOSTDOWN, DISK_FAULT_STORAGE}, {ENOTCONN, DISK_FAULT_STORAGE}, {EKEYEXPIRED, DISK_FAULT_STORAGE},
        {EUCLEAN, DISK_FAULT_STORAGE},   {EMFILE, DISK_FAULT_NODE},      {ENFILE, DISK_FAULT_NODE},
        {ENOMEM, DISK_FAULT_NODE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(disk_fault_of(cases[i].code), cases[i].fault);
        assert_int_equal(disk_fault_of(-cases[i].code), cases[i].fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_that_is_swapped_never_opens_a_file_outside),
        cmocka_unit_test(test_a_stamp_tells_files_apart),
        cmocka_unit_test(test_the_reserve_is_at_most_a_sixteenth_of_the_disk),
        cmocka_unit_test(test_a_disk_is_low_when_a_file_would_not_leave_the_reserve),
        cmocka_unit_test(test_the_parent_of_a_path_is_synced),
        cmocka_unit_test(test_which_errors_of_a_file_may_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
