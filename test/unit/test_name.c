/* core/base/name: which names are alike, how they are stored and how they are found. */
#include "core/base/name/name.h"
#include "test/unit/test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void test_a_name_is_stored_in_nfc_without_blanks_around(void **state)
{
    static const struct {
        const char *text, *stored;
    } cases[] = {
        {"Ann", "Ann"},
        {"  Ann \t\n Lee ", "Ann Lee"},
        {"Jose\u0301", "Jos\u00e9"},
        {"Jose\u200b\u0301", "Jos\u00e9"}, /* composed after the invisible character went */
        {"Ann\u00a0Lee\u3000", "Ann Lee"},
        {"\ufeffAnn\u2060", "Ann"},
        {"\u0628\u200c\u0628", "\u0628\u200c\u0628"}, /* a joiner of Persian stays */
        {"\u845b\U000E0100", "\u845b\U000E0100"},     /* a variant of a Japanese character stays */
        {"\u202eAnn", "Ann"},                         /* no text runs backwards */
        {"\u1100\u1161", "\uac00"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char stored[NAME_BYTES];

        assert_int_equal(name_clean(cases[i].text, stored, NULL), NAME_OK);
        assert_string_equal(stored, cases[i].stored);
    }
}

static void test_names_without_visible_characters_are_empty(void **state)
{
    static const char *const cases[] = {"",       " ",      "   ",    "\u200b", " \u200b\u2060 \t",
                                        "\u200c", "\ufe0f", "\u00ad", "\u3164"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char stored[NAME_BYTES];

        assert_int_equal(name_clean(cases[i], stored, NULL), NAME_EMPTY);
        assert_string_equal(stored, "");
    }
}

static void test_the_limit_counts_characters(void **state)
{
    char text[4 * 300 + 1], stored[NAME_BYTES];
    size_t chars;

    (void)state;
    for (int i = 0; i < 256; i++)
        memcpy(text + (size_t)i * 4, "\U0001F600", 5);
    assert_int_equal(name_clean(text, stored, &chars), NAME_TOO_LONG);
    assert_int_equal(chars, 256);
    text[255 * 4] = 0;
    assert_int_equal(name_clean(text, stored, &chars), NAME_OK);
    assert_int_equal(chars, 255);
    assert_int_equal(strlen(stored), 1020);
    assert_int_equal(name_clean("\xff", stored, NULL), NAME_NOT_UTF8);
    assert_int_equal(name_clean("\xed\xa0\x80", stored, NULL), NAME_NOT_UTF8);
}

static void expect_alike(const char *a, const char *b, bool alike)
{
    char *first = name_alike(a), *second = name_alike(b);

    if ((strcmp(first, second) == 0) != alike)
        fail_msg("“%s” (%s) and “%s” (%s)", a, first, b, second);
    free(first);
    free(second);
}

static void test_alike_names(void **state)
{
    (void)state;
    expect_alike("Jos\u00e9", "Jose\u0301", true);
    expect_alike("Jos\u00e9", " jOSE\u0301 ", true);
    expect_alike("Ann  Lee", "ann\tlee", true);
    expect_alike("Stra\u00dfe", "STRASSE", true);
    expect_alike("\u039d\u03af\u03ba\u03bf\u03c2", "\u039d\u038a\u039a\u039f\u03a3", true); /* the final sigma */
    expect_alike("\u041c\u0430\u043a\u0441", "\u043c\u0430\u043a\u0441", true);
    expect_alike("A\u200bnn", "Ann", true);
    expect_alike("\u0628\u200c\u0628", "\u0628\u0628", true);
    expect_alike("Jos\u00e9", "Jose", false);
    expect_alike("Ann Lee", "AnnLee", false);
    expect_alike("Ann", "Anna", false);
    assert_null(name_alike("\xc3"));
}

static void test_the_search_form_has_no_accents(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {{"\u00c9milie", "emilie"},
                 {"S\u00f8ren \u00c6r\u00f8", "soren aero"},
                 {"\u0141ukasz", "lukasz"},
                 {"Anne-Marie", "anne marie"},
                 {"Ann ", "ann"},
                 {"\uff21nn", "ann"},
                 {"-Ann", "ann"},
                 {"-", ""},
                 {"\u200b", ""},
                 {"\xff", ""}};
    char word[NAME_WORD_BYTES], many[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(name_search(cases[i].text, word), strlen(cases[i].word));
        assert_string_equal(word, cases[i].word);
    }
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = 0;
    assert_int_equal(name_search(many, word), NAME_WORD_CHARS);
}

static void test_the_words_of_a_name(void **state)
{
    char words[NAME_WORDS][NAME_WORD_BYTES], many[200] = "";

    (void)state;
    assert_int_equal(name_words("Jos\u00e9 Mar\u00eda  Garc\u00eda-L\u00f3pez", words), 4);
    assert_string_equal(words[0], "jose maria garcia lopez");
    assert_string_equal(words[1], "maria garcia lopez");
    assert_string_equal(words[3], "lopez");
    assert_int_equal(name_words("Chris d'Artagnan", words), 3);
    assert_string_equal(words[2], "artagnan");
    assert_int_equal(name_words("", words), 0);
    for (int i = 0; i < 20; i++)
        strcat(many, "ab ");
    assert_int_equal(name_words(many, words), NAME_WORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_is_stored_in_nfc_without_blanks_around),
        cmocka_unit_test(test_names_without_visible_characters_are_empty),
        cmocka_unit_test(test_the_limit_counts_characters),
        cmocka_unit_test(test_alike_names),
        cmocka_unit_test(test_the_search_form_has_no_accents),
        cmocka_unit_test(test_the_words_of_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
