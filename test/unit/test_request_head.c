/* The grammar of HTTP/1 request heads and of chunked bodies. */
#include "core/http/engine/request_chunks.h"
#include "core/http/engine/request_head.h"
#include "test/unit/test.h"

#include <stdio.h>
#include <string.h>

#define FIRST "POST /v1/people HTTP/1.1\r\n"
#define HOST  "host: 127.0.0.1\r\n"

static void test_heads(void **state)
{
    static const struct {
        const char *head, *error; /* a part of the error; NULL: good */
    } cases[] = {
        {FIRST HOST "\r\n", NULL},
        {"\r\n" FIRST HOST "\r\n", NULL},
        {"GET / HTTP/1.0\r\n\r\n", NULL},
        {"PRI * HTTP/2.0\r\n\r\n", NULL},
        {FIRST HOST "content-length: 12\r\n\r\n", NULL},
        {FIRST HOST "content-length:12 \r\n\r\n", NULL},
        {FIRST HOST "Transfer-Encoding:\tChunked\r\n\r\n", NULL},
        {FIRST HOST "x: caf\xc3\xa9 \t a:b\r\nempty:\r\n\r\n", NULL},
        {FIRST HOST "content-length: 12\r\ncontent-length: 5\r\n\r\n", "“content-length” is given more than once"},
        {FIRST HOST "content-length: 12\r\nContent-Length: 12\r\n\r\n", "“content-length” is given more than once"},
        {FIRST HOST "content-length: 12, 12\r\n\r\n", "not a number"},
        {FIRST HOST "content-length: +12\r\n\r\n", "not a number"},
        {FIRST HOST "content-length: -1\r\n\r\n", "not a number"},
        {FIRST HOST "content-length: 0x0c\r\n\r\n", "not a number"},
        {FIRST HOST "content-length: 1 2\r\n\r\n", "not a number"},
        {FIRST HOST "content-length:\r\n\r\n", "not a number"},
        {FIRST HOST "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n", "exclude each other"},
        {FIRST HOST "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n", "exclude each other"},
        {FIRST HOST "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n", "“chunked”"},
        {FIRST HOST "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", "more than once"},
        {FIRST HOST "transfer-encoding: chunked, identity\r\n\r\n", "“chunked”"},
        {FIRST HOST "transfer-encoding: xchunked\r\n\r\n", "“chunked”"},
        {"POST / HTTP/1.0\r\n" HOST "transfer-encoding: chunked\r\n\r\n", "“chunked”"},
        {FIRST HOST "transfer-encoding : chunked\r\n\r\n", "name of a header"},
        {FIRST HOST "x: a\r\n b\r\n\r\n", "folded"},
        {FIRST HOST "x: a\r\n\tb: c\r\n\r\n", "folded"},
        {FIRST " x: a\r\n" HOST "\r\n", "folded"},
        {FIRST HOST "garbage\r\n\r\n", "no colon"},
        {FIRST HOST ": x\r\n\r\n", "name of a header"},
        {FIRST HOST "x\x01: a\r\n\r\n", "name of a header"},
        {FIRST HOST "x: a\x01\r\n\r\n", "control character"},
        {FIRST HOST "x: a\rb: c\r\n\r\n", "control character"},
        {FIRST "host: 127.0.0.1\n\r\n", "CR LF"},
        {FIRST HOST "\n", "CR LF"},
        {"GET / HTTP/1.1\n" HOST "\r\n", "CR LF"},
        {FIRST "\r\n", "“host” is missing"},
        {FIRST HOST HOST "\r\n", "“host” is given more than once"},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", "request line"},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", "request line"},
        {"GET / a HTTP/1.1\r\n" HOST "\r\n", "request line"},
        {"GET\t/ HTTP/1.1\r\n" HOST "\r\n", "request line"},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", "request line"},
        {"GET /\r\n\r\n", "request line"},
        {"G(T / HTTP/1.1\r\n" HOST "\r\n", "method"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *head = cases[i].head, *error;
        struct request_framing framing;

        assert_int_equal(request_head_length(head, strlen(head), 0), strlen(head));
        error = request_head_error(head, strlen(head), &framing);
        if (cases[i].error ? !error || !strstr(error, cases[i].error) : error != NULL)
            fail_msg("“%s”: %s; expected %s", head, error ? error : "good", cases[i].error ? cases[i].error : "good");
    }
}

static void test_another_protocol_is_told_by_its_first_line(void **state)
{
    static const struct {
        const char *bytes;
        bool is_http;
    } cases[] = {
        {"", true},
        {"GET / HT", true},
        {"GET / HTTP/1.1\r\nhost", true},
        {"\r\nGET / HTTP/9\r\n", true},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true},
        {"INVALID CONNECTION PREFACE\r\n\r\n", false},
        {"GET /\r\nx: HTTP/1.1", false},
        {"\r\n\r\n", false},
        {"EHLO mail\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(request_head_is_http(cases[i].bytes, strlen(cases[i].bytes)), cases[i].is_http);
}

static void test_a_nul_is_no_text(void **state)
{
    static const char head[] = FIRST HOST "x: a\0b\r\n\r\n", name[] = FIRST HOST "x\0: a\r\n\r\n";
    struct request_framing framing;

    (void)state;
    assert_non_null(request_head_error(head, sizeof head - 1, &framing));
    assert_non_null(request_head_error(name, sizeof name - 1, &framing));
}

static void test_the_framing_of_the_body(void **state)
{
    static const struct {
        const char *head;
        struct request_framing framing;
    } cases[] = {
        {FIRST HOST "\r\n", {.length = 0}},
        {FIRST HOST "content-length: 12\r\n\r\n", {.length = 12}},
        {FIRST HOST "content-length: 18446744073709551620\r\n\r\n", {.length = UINT64_MAX}},
        {FIRST HOST "content-length: 99999999999999999999999\r\n\r\n", {.length = UINT64_MAX}},
        {FIRST HOST "transfer-encoding: chunked\r\n\r\n", {.chunked = true}},
        {"PRI * HTTP/2.0\r\n\r\n", {.http2 = true}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request_framing framing;

        assert_null(request_head_error(cases[i].head, strlen(cases[i].head), &framing));
        assert_int_equal(framing.length, cases[i].framing.length);
        assert_int_equal(framing.chunked, cases[i].framing.chunked);
        assert_int_equal(framing.http2, cases[i].framing.http2);
    }
}

static void test_the_end_of_a_chunked_body(void **state)
{
    static const char body[] = "c\r\nhello, world\r\n0\r\nx: y\r\n\r\n", next[] = "GET / HTTP/1.1\r\n";
    char both[sizeof body + sizeof next];

    (void)state;
    snprintf(both, sizeof both, "%s%s", body, next);
    for (size_t cut = 0; cut <= strlen(both); cut++) {
        struct request_chunks chunks = {0};
        size_t first = 0, second = 0;

        assert_true(request_chunks_read(&chunks, both, cut, &first));
        assert_true(request_chunks_read(&chunks, both + cut, strlen(both) - cut, &second));
        assert_int_equal(chunks.state, CHUNK_END);
        assert_int_equal(first + second, strlen(body));
    }
}

static void test_the_end_of_a_head_is_found_at_every_cut(void **state)
{
    static const char *const heads[] = {FIRST HOST "\r\n", "\r\n" FIRST HOST "\r\n", "GET / HTTP/1.1\nhost: x\n\n"};

    (void)state;
    for (size_t n = 0; n < sizeof heads / sizeof heads[0]; n++) {
        size_t len = strlen(heads[n]);

        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(request_head_length(heads[n], cut, 0), 0);
            assert_int_equal(request_head_length(heads[n], len, cut), len);
        }
    }
}

static void test_chunked_bodies(void **state)
{
    static const struct {
        const char *body;
        bool good;
    } cases[] = {
        {"c\r\nhello, world\r\n0\r\n\r\n", true},
        {"0C;a=b\r\nhello, world\r\n0\r\nx: y\r\n\r\nGET \n", true},
        {"c\r\nhello", true}, /* goes on */
        {"c\nhello, world\n0\n\n", false},
        {"c\r\nhello, world\n0\r\n\r\n", false},
        {"c\r\nhello, worldXX0\r\n\r\n", false},
        {"c;a\nb\r\nhello, world\r\n0\r\n\r\n", false},
        {"c \r\nhello, world\r\n0\r\n\r\n", false},
        {"0\r\nx: y\n\r\n", false},
        {"0\r\n\n", false},
        {"\r\n", false},
        {";a\r\n", false},
        {"-c\r\n", false},
        {"0xc\r\n", false},
        {"1000000000000000c\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *body = cases[i].body;

        for (size_t cut = 0; cut <= strlen(body); cut++) {
            struct request_chunks chunks = {0};
            size_t used;
            bool good = request_chunks_read(&chunks, body, cut, &used) &&
                        request_chunks_read(&chunks, body + cut, strlen(body) - cut, &used);

            if (good != cases[i].good)
                fail_msg("“%s” cut at %zu: %s", body, cut, good ? "good" : "malformed");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heads),
                                       cmocka_unit_test(test_a_nul_is_no_text),
                                       cmocka_unit_test(test_another_protocol_is_told_by_its_first_line),
                                       cmocka_unit_test(test_the_end_of_a_head_is_found_at_every_cut),
                                       cmocka_unit_test(test_chunked_bodies),
                                       cmocka_unit_test(test_the_framing_of_the_body),
                                       cmocka_unit_test(test_the_end_of_a_chunked_body)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
