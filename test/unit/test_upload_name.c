/* The name of an upload in Content-Disposition. */
#include "actors/intake/upload_name.h"

#include "test/unit/test.h"

#include <errno.h>
#include <string.h>

static void test_headers_and_their_names(void **state)
{
    static const struct {
        const char *header, *name; /* name NULL: `result` */
        int result;
    } cases[] = {
        {"attachment; filename=a.jpg", "a.jpg", 0},
        {"attachment;filename=\"a b.jpg\"", "a b.jpg", 0},
        {" form-data ; name=\"file\" ; filename=\"x;y=z.jpg\" ", "x;y=z.jpg", 0},
        {"inline; FileName=\"a.jpg\"", "a.jpg", 0},
        {"attachment; filename=\"a \\\"b\\\" \\\\c.jpg\"", "a \"b\" \\c.jpg", 0},
        {"attachment; filename=\"C:\\photos\\a.jpg\"", "C:\\photos\\a.jpg", 0},
        {"attachment; filename*=UTF-8''%e2%82%ac%20rates.jpg", "€ rates.jpg", 0},
        {"attachment; filename*=utf-8'en'a.jpg; filename=b.jpg", "a.jpg", 0},
        {"attachment; filename=b.jpg; filename*=UTF-8''a.jpg", "a.jpg", 0},
        {"attachment; filename=first.jpg; filename=second.jpg", "first.jpg", 0},
        {"attachment; filename=\"\"", "", 0},
        {"attachment", NULL, -ENOENT},
        {"attachment; name=x", NULL, -ENOENT},
        {"", NULL, -EINVAL},
        {"; filename=a.jpg", NULL, -EINVAL},
        {"attachment filename=a.jpg", NULL, -EINVAL},
        {"attachment; filename", NULL, -EINVAL},
        {"attachment; filename=", NULL, -EINVAL},
        {"attachment; =a.jpg", NULL, -EINVAL},
        {"attachment; filename=\"a.jpg", NULL, -EINVAL},
        {"attachment; filename=\"a.jpg\\\"", NULL, -EINVAL},
        {"attachment; filename=\"a.jpg\" b", NULL, -EINVAL},
        {"attachment; filename=a.jpg;", NULL, -EINVAL},
        {"attachment; filename*=a.jpg", NULL, -EINVAL},
        {"attachment; filename*=UTF-8'a.jpg", NULL, -EINVAL},
        {"attachment; filename*=ISO-8859-1''a.jpg", NULL, -EINVAL},
        {"attachment; filename*=UTF-8''%", NULL, -EINVAL},
        {"attachment; filename*=UTF-8''%e", NULL, -EINVAL},
        {"attachment; filename*=UTF-8''%gg", NULL, -EINVAL},
        {"attachment; filename*=UTF-8''a%00b", NULL, -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[UPLOAD_HEADER_BYTES] = "";
        int result = upload_name_parse(cases[i].header, name, sizeof name);

        if (result != cases[i].result || (cases[i].name && strcmp(name, cases[i].name) != 0))
            fail_msg("%s: %d, “%s”", cases[i].header, result, name);
    }
}

static void test_a_header_of_the_largest_size(void **state)
{
    char header[UPLOAD_HEADER_BYTES], name[UPLOAD_HEADER_BYTES];
    const char *const begin = "a; filename=";

    (void)state;
    memset(header, 'x', sizeof header - 1);
    header[sizeof header - 1] = 0;
    memcpy(header, begin, strlen(begin));
    assert_int_equal(upload_name_parse(header, name, sizeof name), 0);
    assert_int_equal(strlen(name), strlen(header) - strlen(begin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_and_their_names),
        cmocka_unit_test(test_a_header_of_the_largest_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
