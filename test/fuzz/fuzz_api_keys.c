/* The key file: loaded whole, or refused with an error that names the line and changes nothing; and any key checked
 * against it. The first line of an input is the key that is checked, the rest the file. */
#include "actors/access/api_keys.h"
#include "test/fuzz/fuzz.h"

static const char *const good = "read,submit correct-horse-battery-staple one\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct api_keys *keys = api_keys_new(10);
    char *key = fuzz_line(&in), *text = fuzz_copy(in.data, in.len);
    struct error error = {0};
    const char *name;
    unsigned roles;
    int64_t id;

    fuzz_require(api_keys_set_file(keys, good, &error) == 0 && api_keys_count(keys) == 1);
    if (api_keys_set_file(keys, text, &error) < 0) {
        fuzz_require(error.text[0] && api_keys_count(keys) == 1);
        fuzz_require(api_keys_check(keys, "::1", good + 12, 28, 1000, 0).result == KEY_VALID);
    }
    for (int i = 0; i < api_keys_count(keys); i++)
        fuzz_require(api_keys_each(keys, i, &id, &name, &roles) && roles && api_keys_number(keys, i));
    access_parse(key ? key : "");
    for (int i = 0; key && i < 12; i++) {
        struct api_keys_verdict v = api_keys_check(keys, "::1", key, strlen(key), 1000 + (uint64_t)i, 0);

        fuzz_require(v.result != KEY_VALID || (v.roles && v.key && strlen(key) >= KEY_MIN_BYTES));
        fuzz_require(v.result != KEY_VALID || memchr(v.who, 0, sizeof v.who));
    }
    free(key);
    free(text);
    api_keys_free(keys);
    return 0;
}
