/* core/base: settings, safe paths, JSON text, clock, hash. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/must.h"
#include "core/base/path.h"
#include "core/base/settings/settings.h"
#include "core/base/text.h"
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void test_numbers_are_whole_and_decimal(void **state)
{
    static const struct {
        const char *pair, *must_say; /* NULL: it is accepted */
    } cases[] = {
        {"KITH_WORKERS=1.9", "KITH_WORKERS: “1.9” is not a whole number"},
        {"KITH_TRIES=2.7", "KITH_TRIES: “2.7” is not a whole number"},
        {"KITH_TRIES=0x2", "KITH_TRIES: “0x2” is not a whole number"},
        {"KITH_TRIES= 2", "KITH_TRIES: “ 2” is not a whole number"},
        {"KITH_TRIES=2e1", "KITH_TRIES: “2e1” is not a whole number"},
        {"KITH_TRIES=", "KITH_TRIES: “” is not a whole number"},
        {"KITH_TRIES=-2", "KITH_TRIES: “-2” is not a whole number"},
        {"KITH_TRIES=2.", "KITH_TRIES: “2.” is not a whole number"},
        {"KITH_TRIES=7", NULL},
        {"KITH_LEASE=0x10s", "KITH_LEASE: “0x10s” is not a duration"},
        {"KITH_LEASE=infs", "KITH_LEASE: “infs” is not a duration"},
        {"KITH_LEASE=100.5ms", "KITH_LEASE: “100.5ms” is not a duration"},
        {"KITH_LEASE=1.s", "KITH_LEASE: “1.s” is not a duration"},
        {"KITH_LEASE=1.1s", NULL},
        {"KITH_MAX_BODY=0x100000", "KITH_MAX_BODY: “0x100000” is not a size"},
        {"KITH_MAX_BODY=1.5MB", NULL},
        {"KITH_FPIR=0x0", "KITH_FPIR: “0x0” is not a number"},
        {"KITH_FPIR=nan", "KITH_FPIR: “nan” is not a number"},
        {"KITH_FPIR=1e-3", NULL},
        {"KITH_THRESHOLD=-1", NULL},
        {"KITH_LOG_LEVEL=", "KITH_LOG_LEVEL: “” is not one of debug,info,warn,error"},
        {"KITH_LOG_LEVEL=infoo", "KITH_LOG_LEVEL: “infoo” is not one of debug,info,warn,error"},
        {"KITH_AUTH=", NULL}, /* its default is empty */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *environment[] = {cases[i].pair, NULL};
        struct error error = {0};
        struct settings_book *book = load(environment, &error);

        if (!book != !!cases[i].must_say)
            fail_msg("%s: %s", cases[i].pair, book ? "accepted" : error.text);
        if (cases[i].must_say && !strstr(error.text, cases[i].must_say))
            fail_msg("%s: %s", cases[i].pair, error.text);
        settings_free(book);
    }
}

static void test_flags_override_the_environment_and_kubernetes_names_are_ignored(void **state)
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

static const char *const more_folders[] = {"second", "spool", "root-secret"};
static const char *const more_files[] = {"second/b.jpg", "spool/c.jpg", "root-secret/d.jpg"};

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
    if (mkfifo(path, 0644) < 0)
        return -1;
    for (size_t i = 0; i < sizeof more_folders / sizeof more_folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, more_folders[i]);
        mkdir(path, 0755);
    }
    for (size_t i = 0; i < sizeof more_files / sizeof more_files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, more_files[i]);
        close(open(path, O_CREAT | O_WRONLY, 0644));
    }
    return 0;
}

static int remove_tree(void **state)
{
    static const char *const names[] = {
        "root/a.jpg", "root/out",          "root/inside", "root/pipe", "root", "second/b.jpg", "second", "spool/c.jpg",
        "spool",      "root-secret/d.jpg", "root-secret", "secret",    ""};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];

        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

/* As `kith serve` opens them: the image roots, and the spool as a hidden root. */
static struct path_roots *open_roots(const char *list)
{
    char text[256], spool[128];
    struct path_roots *roots;
    struct error error;
    size_t n = 0;

    for (const char *c = list; *c; c++) /* @ is the folder of this test */
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s", *c == '@' ? 64 : 1, *c == '@' ? folder : c);
    roots = path_roots_open(text, 0, &error);
    assert_non_null(roots);
    snprintf(spool, sizeof spool, "%s/spool", folder);
    assert_int_equal(path_roots_add(roots, spool, &error), 0);
    return roots;
}

static void full_path(char *out, size_t size, const char *path)
{
    snprintf(out, size, "%s%s", *path == '@' ? folder : "", *path == '@' ? path + 1 : path);
}

static void test_a_clients_path_is_checked(void **state)
{
    static const struct {
        const char *roots, *path; /* @ is the folder of this test */
        size_t len;               /* 0: strlen */
        int status;
        const char *text; /* the name, or a part of the error */
        int open_error;   /* when status is 0; 0 means that it opens */
    } cases[] = {
        {"@/root", "a.jpg", 0, 0, "@/root/a.jpg", 0},
        {"@/root", ".//./a.jpg", 0, 0, "@/root/a.jpg", 0},
        {"@/root", "", 0, -EINVAL, "the path is empty", 0},
        {"@/root", "..", 0, -EINVAL, "“..”", 0},
        {"@/root", "x/../../secret", 0, -EINVAL, "“..”", 0},
        {"@/root", "a.jpg\0.png", 10, -EINVAL, "NUL", 0},
        {"@/root", "/etc/passwd", 0, -EACCES, "outside the image roots", 0},
        {"@/root", "@/rootless/a.jpg", 0, -EACCES, "outside the image roots", 0}, /* the root is a prefix of its name */
        {"/", "/proc/version", 0, 0, "/proc/version", -EXDEV},                    /* a file of a mount below the root */
        {"@/root", "missing.jpg", 0, 0, "@/root/missing.jpg", -ENOENT},
        {"@/root", "out", 0, 0, "@/root/out", -ELOOP},
        {"@/root", "inside", 0, 0, "@/root/inside", -ELOOP},
        {"@/root", "pipe", 0, 0, "@/root/pipe", -EINVAL},
        {"@/root", "..jpg", 0, 0, "@/root/..jpg", -ENOENT},
        /* a URL is no path; a colon may stand in a name */
        {"@/root", "http://camera/x.jpg", 0, -EINVAL, "is a URL", 0},
        {"@/root:@/second", "s3+v1.x-y://", 0, -EINVAL, "is a URL", 0},
        {"@/root", "http:/camera/x.jpg", 0, 0, "@/root/http:/camera/x.jpg", -ENOENT},
        {"@/root", "1st://x.jpg", 0, 0, "@/root/1st:/x.jpg", -ENOENT},
        {"@/root", "./a://x.jpg", 0, 0, "@/root/a:/x.jpg", -ENOENT},
        {"@/root", "://x.jpg", 0, 0, "@/root/:/x.jpg", -ENOENT},
        /* no file is named */
        {"@/root", "/", 0, -EINVAL, "names no file", 0},
        {"@/root", ".", 0, -EINVAL, "names no file", 0},
        {"@/root", "./", 0, -EINVAL, "names no file", 0},
        {"@/root", ".//.", 0, -EINVAL, "names no file", 0},
        {"@/root", "@/root", 0, -EINVAL, "names an image root", 0},
        {"@/root", "@/root/", 0, -EINVAL, "names an image root", 0},
        {"@/root:@/second", ".", 0, -EINVAL, "names no file", 0},
        {"@/root:@/second", "./", 0, -EINVAL, "names no file", 0},
        /* several roots */
        {"@/root:@/second", "b.jpg", 0, 0, "@/second/b.jpg", 0},
        {"@/second:@/root", "b.jpg", 0, 0, "@/second/b.jpg", 0},
        {"@/root:@/second", "./a.jpg", 0, 0, "@/root/a.jpg", 0},
        {"@/root:@/second", "missing.jpg", 0, 0, "@/root/missing.jpg", -ENOENT},
        {"@/root:@/second", "@/second/b.jpg", 0, 0, "@/second/b.jpg", 0},
        /* the spool: by its absolute name only */
        {"@/root:@/second", "c.jpg", 0, 0, "@/root/c.jpg", -ENOENT},
        {"@/root", "@/spool/c.jpg", 0, 0, "@/spool/c.jpg", 0},
        /* a folder whose name begins with a root's name is not below that root */
        {"@/root", "@/root-secret/d.jpg", 0, -EACCES, "outside the image roots", 0},
        {"@/root", "@/rootless.jpg", 0, -EACCES, "outside the image roots", 0},
        /* the root "/" */
        {"/", ".", 0, -EINVAL, "names no file", 0},
        {"/", "/", 0, -EINVAL, "names no file", 0},
        {"/", "/a", 0, 0, "/a", -ENOENT},
        {"/", "a", 0, 0, "/a", -ENOENT},
        {"/:@/root", "a.jpg", 0, 0, "@/root/a.jpg", 0},
        {"/:@/root", "proc/version", 0, 0, "/proc/version", -EXDEV}, /* another file system is mounted there */
        {"/", "/proc/version", 0, 0, "/proc/version", -EXDEV},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct path_roots *roots = open_roots(cases[i].roots);
        char path[256], text[256], name[8192];
        struct error error;
        size_t len = cases[i].len;
        int status, fd;

        if (!len)
            full_path(path, sizeof path, cases[i].path);
        else
            memcpy(path, cases[i].path, len);
        full_path(text, sizeof text, cases[i].text);
        memset(name, 'S', sizeof name); /* what an earlier path may have left there */
        name[sizeof name - 1] = 0;
        status = path_normalize(roots, path, len ? len : strlen(path), 4000, name, sizeof name, &error);
        if (status != cases[i].status)
            fail_msg("%s below %s: %d, expected %d", path, cases[i].roots, status, cases[i].status);
        if (status < 0 && !strstr(error.text, text))
            fail_msg("%s below %s: “%s”, expected “%s”", path, cases[i].roots, error.text, text);
        if (status == 0) {
            assert_string_equal(name, text);
            fd = path_open(roots, name, &error);
            if (cases[i].open_error ? fd != cases[i].open_error : fd < 0)
                fail_msg("%s below %s: open gave %d, expected %d", path, cases[i].roots, fd, cases[i].open_error);
            if (fd >= 0)
                close(fd);
        }
        path_roots_free(roots);
    }
}

static void test_text_is_resolved_without_the_disk(void **state)
{
    struct path_roots *roots = open_roots("@/root:@/second");
    char name[256], whole[256], expected[256];
    struct error error;

    (void)state;
    assert_int_equal(path_resolve_text(roots, ".//b.jpg", 8, 4000, name, sizeof name, &error), 0);
    assert_string_equal(name, "b.jpg"); /* whether it exists below a root is not known yet */
    assert_int_equal(path_find_root(roots, name, whole, sizeof whole, &error), 0);
    full_path(expected, sizeof expected, "@/second/b.jpg");
    assert_string_equal(whole, expected);
    assert_int_equal(path_find_root(roots, name, whole, 8, &error), -ENAMETOOLONG);
    assert_int_equal(path_resolve_text(roots, "a/b.jpg", 7, 4000, name, 7, &error), -ENAMETOOLONG);
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

static void test_an_integer_is_written_as_printf_writes_it(void **state)
{
    static const int64_t values[] = {0, 7, 10, -1, 1234567890123, INT64_MAX, INT64_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf b = {0};
        char expected[32];

        snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        buf_int(&b, values[i]);
        buf_add(&b, "", 1);
        assert_string_equal(b.data, expected);
        buf_free(&b);
    }
}

static void test_words_are_found_where_they_stand_alone(void **state)
{
    static const struct {
        const char *data, *words;
        bool found;
    } cases[] = {{"Ann", "Ann", true},           {"Annabel, Ann", "Ann", true}, {"Annabel", "Ann", false},
                 {"/JoAnn/1.png", "Ann", false}, {"/Ann/1.png", "Ann", true},   {"Ann2", "Ann", false},
                 {"Ann\xc3\xa9", "Ann", false},  {"x[Ann]x", "[Ann]", true},    {"", "Ann", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (text_has_words(cases[i].data, strlen(cases[i].data), cases[i].words, strlen(cases[i].words)) !=
            cases[i].found)
            fail_msg("%s in %s", cases[i].words, cases[i].data);
}

static void test_clock_and_hash_agree_with_references(void **state)
{
    char text[CLOCK_TEXT_BYTES], hex[SHA256_HEX_BYTES];

    (void)state;
    clock_format(1795461721123, text);
    assert_string_equal(text, "2026-11-23T19:22:01.123Z");
    assert_int_equal(clock_format(1795461721007, text), strlen(text));
    assert_string_equal(text, "2026-11-23T19:22:01.007Z");
    sha256_hex("abc", 3, hex); /* FIPS 180-4, example */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_the_end_without_memory_is_one_line(void **state)
{
    int ends[2], status;
    char line[256] = "";
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    if ((child = fork()) == 0) {
        const struct rlimit no_core = {0, 0};

        signal(SIGABRT, SIG_DFL); /* cmocka's handler reports a failed test */
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        must(NULL);
        _exit(0);
    }
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_string_equal(line, "kith: out of memory in test_the_end_without_memory_is_one_line\n");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_without_memory_is_one_line),
        cmocka_unit_test(test_defaults_are_those_of_the_contract),
        cmocka_unit_test(test_bad_settings_are_refused_and_named),
        cmocka_unit_test(test_numbers_are_whole_and_decimal),
        cmocka_unit_test(test_flags_override_the_environment_and_kubernetes_names_are_ignored),
        cmocka_unit_test(test_secrets_are_masked),
        cmocka_unit_test(test_a_clients_path_is_checked),
        cmocka_unit_test(test_text_is_resolved_without_the_disk),
        cmocka_unit_test(test_a_long_path_names_limit_and_setting),
        cmocka_unit_test(test_json_text_is_always_valid),
        cmocka_unit_test(test_an_integer_is_written_as_printf_writes_it),
        cmocka_unit_test(test_words_are_found_where_they_stand_alone),
        cmocka_unit_test(test_clock_and_hash_agree_with_references),
    };

    return cmocka_run_group_tests_name("base", tests, make_tree, remove_tree);
}
