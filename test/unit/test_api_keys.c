/* Keys, roles, and addresses that guess. */
#include "actors/access/api_keys.h"

#include "test/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char file[] =
    "# a comment\n"
    "submit,read  0123456789abcdef  robot\n"
    "\n"
    "admin sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 boss # of test\n";

static struct api_keys_verdict look(struct api_keys *k, const char *address, const char *key, uint64_t now_ms)
{
    return api_keys_check(k, address, key, strlen(key), now_ms, 0);
}

static void test_keys_of_a_file(void **state)
{
    struct api_keys *k = api_keys_new(3);
    struct error error;
    struct api_keys_verdict v;

    (void)state;
    assert_int_equal(api_keys_set_file(k, file, &error), 0);
    assert_int_equal(api_keys_count(k), 2);
    v = look(k, "a", "0123456789abcdef", 1);
    assert_int_equal(v.result, KEY_VALID);
    assert_int_equal(v.roles, ACCESS_SUBMIT | ACCESS_READ);
    assert_string_equal(v.who, "robot");
    v = look(k, "a", "test", 1); /* by its hash, whatever its length */
    assert_int_equal(v.result, KEY_VALID);
    assert_int_equal(v.roles, ACCESS_ALL);
    assert_int_equal(look(k, "a", "0123456789abcdeg", 1).result, KEY_INVALID);
    assert_int_equal(look(k, "a", "", 1).result, KEY_INVALID);
    api_keys_free(k);
}

static void test_a_wrong_file_changes_nothing_and_names_the_line(void **state)
{
    static const char *const wrong[] = {"boss 0123456789abcdef", "read", "read short", "read sha256:12",
                                        "read 0123456789abcd;f"};
    struct api_keys *k = api_keys_new(3);
    struct error error;
    char text[200];

    (void)state;
    api_keys_set_file(k, file, &error);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, "read 0123456789abcdefg x\n%s\n", wrong[i]);
        assert_int_equal(api_keys_set_file(k, text, &error), -EINVAL);
        assert_non_null(strstr(error.text, "line 2"));
        assert_int_equal(api_keys_count(k), 2);
    }
    api_keys_free(k);
}

static void test_records_take_each_others_place(void **state)
{
    char hash[SHA256_HEX_BYTES];
    struct api_key keys[] = {{.id = 1, .name = "one", .roles = "read", .hash = hash},
                             {.id = 2, .name = "later", .roles = "emperor", .hash = hash}};
    struct api_keys *k = api_keys_new(3);

    (void)state;
    sha256_hex("the key itself", 14, hash);
    api_keys_set_records(k, keys, 2);
    assert_int_equal(api_keys_count(k), 1); /* a role of a later version opens nothing */
    assert_int_equal(look(k, "a", "the key itself", 1).roles, ACCESS_READ);
    api_keys_set_records(k, NULL, 0);
    assert_int_equal(look(k, "a", "the key itself", 1).result, KEY_INVALID);
    api_keys_free(k);
}

static void test_who_guesses_waits_and_locks_nobody_out(void **state)
{
    struct api_keys *k = api_keys_new(3);
    struct error error;
    struct api_keys_verdict v;

    (void)state;
    api_keys_set_file(k, file, &error);
    assert_int_equal(look(k, "gate", "0123456789abcdef", 1000).result, KEY_VALID);
    for (int i = 0; i < 3; i++)
        assert_int_equal(look(k, "gate", "guess", 1000).result, KEY_INVALID);
    v = look(k, "gate", "guess", 31000);
    assert_int_equal(v.result, KEY_RATE_LIMITED);
    assert_int_equal(v.wait_ms, 30000);
    assert_int_equal(look(k, "gate", "test", 31000).result, KEY_RATE_LIMITED);      /* even a lucky guess */
    assert_int_equal(look(k, "gate", "0123456789abcdef", 31000).result, KEY_VALID); /* it was here before */
    assert_int_equal(look(k, "elsewhere", "test", 31000).result, KEY_VALID);
    assert_int_equal(look(k, "gate", "test", 62001).result, KEY_VALID);
    api_keys_free(k);
}

static void test_addresses_are_forgotten_in_order(void **state)
{
    struct api_keys *k = api_keys_new(1);
    char address[32];

    (void)state;
    look(k, "first", "guess", 1);
    assert_int_equal(look(k, "first", "guess", 1).result, KEY_RATE_LIMITED);
    for (int i = 0; i < 20000; i++) {
        snprintf(address, sizeof address, "%d", i);
        look(k, address, "guess", 1);
    }
    assert_int_equal(look(k, "first", "guess", 1).result, KEY_INVALID);
    assert_int_equal(look(k, "19999", "guess", 1).result, KEY_RATE_LIMITED);
    api_keys_free(k);
}

static void test_roles(void **state)
{
    (void)state;
    assert_int_equal(access_parse("submit"), ACCESS_SUBMIT);
    assert_int_equal(access_parse("read,submit"), ACCESS_SUBMIT | ACCESS_READ);
    assert_int_equal(access_parse("admin"), ACCESS_ALL);
    assert_int_equal(access_parse(""), 0);
    assert_int_equal(access_parse("read,"), ACCESS_READ);
    assert_int_equal(access_parse("reader"), 0);
    assert_int_equal(access_parse("read,,submit"), 0);
}

static void test_a_key_expires_and_its_name_is_told(void **state)
{
    char hash[SHA256_HEX_BYTES];
    struct api_keys *k = api_keys_new(1);
    struct api_key keys[] = {{1, "lodger", "read", hash, 0, 5000}};
    struct api_keys_verdict v;

    (void)state;
    sha256_hex("0123456789abcdef", 16, hash);
    api_keys_set_records(k, keys, 1);
    assert_int_equal(api_keys_check(k, "a", "0123456789abcdef", 16, 1, 4999).result, KEY_VALID);
    assert_false(api_keys_is_expired(k, 0, 4999));
    for (int i = 0; i < 3; i++) { /* it is no guess */
        v = api_keys_check(k, "b", "0123456789abcdef", 16, 1, 5000);
        assert_int_equal(v.result, KEY_EXPIRED);
        assert_int_equal(v.roles, 0);
        assert_int_equal(v.expired_ms, 5000);
        assert_string_equal(v.who, "lodger");
    }
    assert_true(api_keys_is_expired(k, 0, 5000));
    api_keys_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_expires_and_its_name_is_told),
        cmocka_unit_test(test_keys_of_a_file),
        cmocka_unit_test(test_a_wrong_file_changes_nothing_and_names_the_line),
        cmocka_unit_test(test_records_take_each_others_place),
        cmocka_unit_test(test_who_guesses_waits_and_locks_nobody_out),
        cmocka_unit_test(test_addresses_are_forgotten_in_order),
        cmocka_unit_test(test_roles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
