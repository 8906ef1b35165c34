/* Trusted proxies, forwarded headers and origins. */
#include "core/http/http.h"
#include "core/http/trust.h"
#include "test/unit/test.h"

#include <arpa/inet.h>
#include <string.h>

static struct http_trust *trust_of(const char *proxies)
{
    struct http_trust *trust = http_trust_new(proxies, "", "", NULL);

    assert_non_null(trust);
    return trust;
}

static struct in6_addr address_of(const char *text)
{
    struct in6_addr address;

    assert_true(trust_parse_address(text, strlen(text), &address));
    return address;
}

static void assert_address(const struct in6_addr *address, const char *expected)
{
    struct in6_addr other = address_of(expected);

    assert_memory_equal(address, &other, sizeof other);
}

static void test_ranges(void **state)
{
    static const struct {
        const char *proxies, *address;
        bool trusted;
    } cases[] = {
        {"", "127.0.0.1", false},
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "11.1.2.3", false},
        {"10.0.0.0/8, 192.168.0.0/16", "192.168.7.7", true},
        {"10.0.0.0/8,192.168.0.0/16", "192.169.7.7", false},
        {"10.0.0.0/9", "10.127.0.1", true},
        {"10.0.0.0/9", "10.128.0.1", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_trust *trust = trust_of(cases[i].proxies);
        struct in6_addr address = address_of(cases[i].address);

        if (trust_is_proxy(trust, &address) != cases[i].trusted)
            fail_msg("%s in %s", cases[i].address, cases[i].proxies);
        http_trust_free(trust);
    }
}

static void test_wrong_settings_are_named(void **state)
{
    static const struct {
        const char *proxies, *url, *origins, *word;
    } cases[] = {
        {"10.0.0.0/33", "", "", "KITH_TRUSTED_PROXIES"},
        {"10.0.0.0/", "", "", "KITH_TRUSTED_PROXIES"},
        {"10.0.0.0/8x", "", "", "KITH_TRUSTED_PROXIES"},
        {"localhost", "", "", "KITH_TRUSTED_PROXIES"},
        {"127.0.0.1:80", "", "", "KITH_TRUSTED_PROXIES"},
        {"[::1]", "", "", "KITH_TRUSTED_PROXIES"},
        {"", "kith.example.org", "", "KITH_PUBLIC_URL"},
        {"", "https://a.example/kith", "", "KITH_PUBLIC_URL"},
        {"", "https://", "", "KITH_PUBLIC_URL"},
        {"", "", "*", "KITH_CORS_ORIGINS"},
        {"", "", "https://a.example, null", "KITH_CORS_ORIGINS"},
    };
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(http_trust_new(cases[i].proxies, cases[i].url, cases[i].origins, &error));
        assert_non_null(strstr(error.text, cases[i].word));
    }
}

static void test_forwarded_headers(void **state)
{
    static const char proxies[] = "10.0.0.0/8, 2001:db8::/32";
    static const struct {
        const char *peer;
        struct trust_headers headers;
        const char *address; /* NULL: refused */
        bool https;
        const char *host;
    } cases[] = {
        /* an untrusted peer is believed nothing */
        {"203.0.113.5", {.x_for = "1.2.3.4", .x_proto = "https", .x_host = "a"}, "203.0.113.5", false, ""},
        {"203.0.113.5", {.forwarded = "for=1.2.3.4;proto=https"}, "203.0.113.5", false, ""},
        {"10.0.0.1", {0}, "10.0.0.1", false, ""},
        {"10.0.0.1", {.x_for = "203.0.113.5"}, "203.0.113.5", false, ""},
        {"::ffff:10.0.0.1", {.x_for = "203.0.113.5"}, "203.0.113.5", false, ""},
        {"10.0.0.1", {.x_for = "::ffff:203.0.113.5"}, "203.0.113.5", false, ""},
        {"10.0.0.1", {.x_for = "203.0.113.5:4711"}, "203.0.113.5", false, ""},
        {"2001:db8::1", {.x_for = "[2001:4::7]:80"}, "2001:4::7", false, ""},
        {"2001:db8::1", {.x_for = "2001:4::7"}, "2001:4::7", false, ""},
        /* what the client wrote itself stands left of its own address */
        {"10.0.0.1", {.x_for = "1.1.1.1, 203.0.113.5"}, "203.0.113.5", false, ""},
        {"10.0.0.1", {.x_for = "10.9.9.9, 203.0.113.5"}, "203.0.113.5", false, ""},
        /* two proxies */
        {"10.0.0.1", {.x_for = "1.1.1.1, 203.0.113.5, 10.0.0.2"}, "203.0.113.5", false, ""},
        {"10.0.0.1",
         {.x_for = "203.0.113.5, 10.0.0.2", .x_proto = "https, http", .x_host = "kith.example, inner"},
         "203.0.113.5",
         true,
         "kith.example"},
        {"10.0.0.1",
         {.x_for = "203.0.113.5,10.0.0.2", .x_proto = "https", .x_host = "kith.example:8443"},
         "203.0.113.5",
         true,
         "kith.example:8443"},
        {"10.0.0.1", {.x_for = "203.0.113.5", .x_proto = "https, http"}, "203.0.113.5", false, ""},
        {"10.0.0.1", {.x_for = "10.0.0.3, 10.0.0.2"}, "10.0.0.3", false, ""},
        /* no address: the client is the proxy that wrote it */
        {"10.0.0.1", {.x_for = "unknown"}, "10.0.0.1", false, ""},
        {"10.0.0.1", {.x_for = "1.2.3.4, , 10.0.0.2"}, "10.0.0.2", false, ""},
        {"10.0.0.1", {.x_for = ""}, "10.0.0.1", false, ""},
        {"10.0.0.1",
         {.forwarded = "for=1.1.1.1, For=\"[2001:4::7]:80\";Proto=HTTPS;host=\"kith.example\", for=10.0.0.2;by=_x"},
         "2001:4::7",
         true,
         "kith.example"},
        {"10.0.0.1", {.forwarded = "for=_hidden;proto=https"}, "10.0.0.1", true, ""},
        {"10.0.0.1", {.forwarded = "for=\"a,b\", for=203.0.113.5"}, "203.0.113.5", false, ""},
        /* both headers */
        {"10.0.0.1", {.x_for = "203.0.113.5", .forwarded = "for=203.0.113.5;proto=https"}, "203.0.113.5", true, ""},
        {"10.0.0.1", {.x_for = "203.0.113.5", .forwarded = "for=1.2.3.4"}, NULL, false, ""},
        {"10.0.0.1", {.x_for = "203.0.113.5", .x_proto = "gopher"}, NULL, false, ""},
        {"10.0.0.1", {.x_for = "203.0.113.5", .x_host = "a/b"}, NULL, false, ""},
    };
    struct http_trust *trust = trust_of(proxies);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct in6_addr peer = address_of(cases[i].peer);
        struct trust_client client;
        const char *why = NULL;
        bool good = trust_find_client(trust, &peer, &cases[i].headers, &client, &why);

        if (good != (cases[i].address != NULL))
            fail_msg("case %zu: %s", i, why);
        if (!good)
            continue;
        assert_address(&client.address, cases[i].address);
        assert_int_equal(client.https, cases[i].https);
        assert_string_equal(client.host, cases[i].host);
    }
    http_trust_free(trust);
}

/* A list longer than is read: the entries nearest to the proxy count. */
static void test_a_long_list_is_read_from_the_right(void **state)
{
    struct http_trust *trust = trust_of("10.0.0.0/8");
    struct in6_addr peer = address_of("10.0.0.1");
    struct trust_client client;
    char list[2000] = "";
    const char *why;

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(list, "1.1.1.1, ");
    strcat(list, "203.0.113.5");
    assert_true(trust_find_client(trust, &peer, &(struct trust_headers){.x_for = list}, &client, &why));
    assert_address(&client.address, "203.0.113.5");
    http_trust_free(trust);
}

static void test_origins(void **state)
{
    struct http_trust *trust =
        http_trust_new("", "https://Kith.Example/", "https://app.example, http://localhost:3000", NULL);

    (void)state;
    assert_string_equal(trust_public_origin(trust), "https://kith.example");
    assert_true(trust_is_cors_origin(trust, "https://app.example"));
    assert_true(trust_is_cors_origin(trust, "http://localhost:3000"));
    assert_false(trust_is_cors_origin(trust, "http://app.example"));
    assert_false(trust_is_cors_origin(trust, "https://app.example.evil"));
    assert_false(trust_is_cors_origin(trust, "null"));
    assert_false(trust_is_cors_origin(NULL, "https://app.example"));
    http_trust_free(trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_wrong_settings_are_named),
        cmocka_unit_test(test_forwarded_headers),
        cmocka_unit_test(test_a_long_list_is_read_from_the_right),
        cmocka_unit_test(test_origins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
