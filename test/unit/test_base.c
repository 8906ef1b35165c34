/* The ground: settings, safe paths, JSON text. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/path.h"
#include "core/base/settings.h"
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct settings_book *load(const char *const *environment, struct error *error)
{
    char *argv[] = {"kith", NULL};
    int rest;

    return settings_load(1, argv, &rest, (char *const *)(uintptr_t)environment, error);
}

static void test_defaults_are_those_of_the_contract(void **state)
{
    const char *none[] = {NULL};
    struct settings_book *book = load(none, NULL);
    const struct settings *s;

    (void)state;
    assert_non_null(book);
    s = settings_of(book);
    assert_string_equal(s->api_listen, "127.0.0.1:8000");
    assert_string_equal(s->database, "sqlite");
    assert_int_equal(s->lease, 30000);
    assert_int_equal(s->breaker_failures, 5);
    assert_int_equal(s->max_body, 16 << 20);
    settings_free(book);
}

static void test_bad_settings_are_refused_and_named(void **state)
{
    static const struct {
        const char *pair, *must_say;
    } cases[] = {
        {"KITH_LEASE=30", "KITH_LEASE: “30” is not a duration"},
        {"KITH_LEASE=abc", "KITH_LEASE"},
        {"KITH_MAX_BODY=12parsec", "KITH_MAX_BODY: “12parsec” is not a size"},
        {"KITH_BREAKER_FAILURES=0", "KITH_BREAKER_FAILURES: 0 is outside 1 to 1000"},
        {"KITH_ISOLATION=jail", "KITH_ISOLATION: “jail” is not one of process,thread"},
        {"KITH_COLOUR=red", "KITH_COLOUR: there is no such setting"},
        {"KITH_DATABASE_PASSWORD_FILE=/nowhere/at/all", "KITH_DATABASE_PASSWORD_FILE: cannot read"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *environment[] = {cases[i].pair, NULL};
        struct error error = {0};

        assert_null(load(environment, &error));
        assert_non_null(strstr(error.text, cases[i].must_say));
    }
}

static void test_flags_beat_the_environment_and_kubernetes_names_are_left_alone(void **state)
{
    char flag[] = "--log-level", value[] = "error", word[] = "serve", name[] = "kith", lease[] = "--lease=5s";
    char *argv[] = {name, word, flag, value, lease, NULL};
    char *environment[] = {"KITH_LOG_LEVEL=debug", "KITH_NODE=a", "KITH_PORT_8000_TCP=tcp://10.0.0.1:8000",
                           "KITH_SERVICE_HOST=10.0.0.1", NULL};
    struct error error = {0};
    int rest;
    struct settings_book *book = settings_load(5, argv, &rest, environment, &error);
    struct buf out = {0};

    (void)state;
    assert_non_null(book);
    assert_string_equal(settings_of(book)->log_level, "error");
    assert_string_equal(settings_of(book)->node, "a");
    assert_int_equal(settings_of(book)->lease, 5000);
    assert_int_equal(rest, 1);
    assert_string_equal(argv[0], "serve");
    settings_print(book, &out);
    buf_add(&out, "", 1);
    assert_non_null(strstr(out.data, "KITH_LOG_LEVEL=error  # flag"));
    assert_non_null(strstr(out.data, "KITH_NODE=a  # environment"));
    buf_free(&out);
    settings_free(book);
}

static void test_secrets_are_masked(void **state)
{
    const char *environment[] = {"KITH_DATABASE_PASSWORD=hunter2", NULL};
    struct settings_book *book = load(environment, NULL);
    struct buf out = {0};

    (void)state;
    settings_print(book, &out);
    buf_add(&out, "", 1);
    assert_null(strstr(out.data, "hunter2"));
    assert_string_equal(settings_of(book)->database_password, "hunter2");
    buf_free(&out);
    settings_free(book);
}

static char folder[64];

static int make_tree(void **state)
{
    char path[128];

    (void)state;
    strcpy(folder, "/tmp/kith-path-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/root", folder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/root/a.jpg", folder);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    snprintf(path, sizeof path, "%s/secret", folder);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    snprintf(path, sizeof path, "%s/root/out", folder);
    if (symlink("../secret", path) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/root/inside", folder);
    if (symlink("a.jpg", path) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/root/pipe", folder);
    return mkfifo(path, 0644);
}

static int remove_tree(void **state)
{
    static const char *const names[] = {"root/a.jpg", "root/out", "root/inside", "root/pipe", "root", "secret", ""};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];

        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

static void test_paths_from_outside_are_checked(void **state)
{
    static const struct {
        const char *path;
        size_t len; /* 0: strlen */
        int status;
        int open_error; /* when status is 0; 0 means that it opens */
    } cases[] = {
        {"a.jpg", 0, 0, 0},
        {".//./a.jpg", 0, 0, 0},
        {"", 0, -EINVAL, 0},
        {"..", 0, -EINVAL, 0},
        {"x/../../secret", 0, -EINVAL, 0},
        {"a.jpg\0.png", 10, -EINVAL, 0},
        {"/etc/passwd", 0, -EACCES, 0},
        {"/", 0, -EINVAL, 0},
        {"missing.jpg", 0, 0, -ENOENT},
        {"out", 0, 0, -ELOOP},
        {"inside", 0, 0, -ELOOP},
        {"pipe", 0, 0, -EINVAL},
        {".", 0, -EACCES, 0},
        {"..jpg", 0, 0, -ENOENT},
    };
    char root[80], name[8192];
    struct path_roots *roots;
    struct error error;

    (void)state;
    snprintf(root, sizeof root, "%s/root", folder);
    roots = path_roots_open(root, 0, &error);
    assert_non_null(roots);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = cases[i].len ? cases[i].len : strlen(cases[i].path);
        int status = path_normalize(roots, cases[i].path, len, 4000, name, sizeof name, &error), fd;

        if (status != cases[i].status)
            fail_msg("%s: %d, expected %d", cases[i].path, status, cases[i].status);
        if (status < 0)
            continue;
        fd = path_open(roots, name, &error);
        if (cases[i].open_error ? fd != cases[i].open_error : fd < 0)
            fail_msg("%s: open gave %d, expected %d", cases[i].path, fd, cases[i].open_error);
        if (fd >= 0)
            close(fd);
    }
    path_roots_free(roots);
}

static void test_a_long_path_names_limit_and_setting(void **state)
{
    char path[5001], name[8192], root[80];
    struct path_roots *roots;
    struct error error;

    (void)state;
    memset(path, 'x', 5000);
    path[5000] = 0;
    snprintf(root, sizeof root, "%s/root", folder);
    roots = path_roots_open(root, 0, &error);
    assert_int_equal(path_normalize(roots, path, 5000, 4000, name, sizeof name, &error), -ENAMETOOLONG);
    assert_string_equal(error.text, "the path has 5000 bytes; the limit is 4000 (KITH_MAX_PATH)");
    path_roots_free(roots);
}

static void test_json_text_is_always_valid(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_json(&b, "a\"b\\c\n\x01\xff\xc3\xa9\xed\xa0\x80");
    buf_add(&b, "", 1);
    assert_string_equal(b.data, "\"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    b.len = 0;
    buf_number(&b, 0.5000, 4);
    buf_str(&b, " ");
    buf_number(&b, 1.0 / 0.0, 4);
    buf_add(&b, "", 1);
    assert_string_equal(b.data, "0.5 null");
    buf_free(&b);
}

static void test_clock_and_hash_write_what_others_write(void **state)
{
    char text[CLOCK_TEXT_BYTES], hex[SHA256_HEX_BYTES];

    (void)state;
    clock_format(1795461721123, text);
    assert_string_equal(text, "2026-11-23T19:22:01.123Z");
    sha256_hex("abc", 3, hex); /* FIPS 180-4, example */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_those_of_the_contract),
        cmocka_unit_test(test_bad_settings_are_refused_and_named),
        cmocka_unit_test(test_flags_beat_the_environment_and_kubernetes_names_are_left_alone),
        cmocka_unit_test(test_secrets_are_masked),
        cmocka_unit_test(test_paths_from_outside_are_checked),
        cmocka_unit_test(test_a_long_path_names_limit_and_setting),
        cmocka_unit_test(test_json_text_is_always_valid),
        cmocka_unit_test(test_clock_and_hash_write_what_others_write),
    };

    return cmocka_run_group_tests_name("base", tests, make_tree, remove_tree);
}
