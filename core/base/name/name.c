#include "core/base/name/name.h"
#include "core/base/must.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Letters with a stroke, and ligatures, have no decomposition. After case folding. */
static const struct {
    utf8proc_int32_t letter;
    const char *plain;
} strokes[] = {{0xe6, "ae"}, {0xf0, "d"},  {0xf8, "o"},  {0xfe, "th"},  {0x111, "d"},
               {0x127, "h"}, {0x131, "i"}, {0x142, "l"}, {0x153, "oe"}, {0x167, "t"}};

static bool name_is_blank(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);

    return (c >= 0x09 && c <= 0x0d) || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

static bool name_is_invisible(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);

    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || utf8proc_get_property(c)->ignorable;
}

/* Invisible characters that change how their neighbours look: zero-width joiners, selectors of variants. */
static bool name_is_shaper(utf8proc_int32_t c)
{
    return c == 0x200c || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

/* A copy without blanks at the ends, with one space for others, and without invisible characters. NULL: not UTF-8. */
static char *name_strip(const char *text, bool keep_shapers)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    char *copy = malloc(strlen(text) + 1);
    bool blank = false;
    size_t n = 0;

    if (!copy)
        out_of_memory();
    while (*at) {
        utf8proc_int32_t c;
        utf8proc_ssize_t bytes = utf8proc_iterate(at, -1, &c);

        if (bytes < 0) {
            free(copy);
            return NULL;
        }
        if (name_is_blank(c)) {
            blank = true;
        } else if (!name_is_invisible(c) || (keep_shapers && n && name_is_shaper(c))) {
            if (blank && n)
                copy[n++] = ' ';
            blank = false;
            memcpy(copy + n, at, (size_t)bytes);
            n += (size_t)bytes;
        }
        at += bytes;
    }
    copy[n] = 0;
    return copy;
}

static char *name_map(const char *text, bool keep_shapers, int options)
{
    char *stripped = name_strip(text, keep_shapers);
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t length;

    if (!stripped)
        return NULL;
    length = utf8proc_map((const utf8proc_uint8_t *)stripped, 0, &mapped,
                          (utf8proc_option_t)(options | UTF8PROC_STABLE | UTF8PROC_NULLTERM));
    if (length == UTF8PROC_ERROR_NOMEM)
        out_of_memory();
    if (length < 0)
        mapped = NULL;
    free(stripped);
    return (char *)mapped;
}

static bool name_is_start(char byte)
{
    return (byte & 0xc0) != 0x80;
}

enum name_flaw name_clean(const char *text, char stored[static NAME_BYTES], size_t *chars)
{
    char *clean = name_map(text, true, UTF8PROC_COMPOSE);
    enum name_flaw flaw;
    size_t count = 0;

    stored[0] = 0;
    for (const char *c = clean; c && *c; c++)
        count += name_is_start(*c);
    if (chars)
        *chars = count;
    flaw = !clean ? NAME_NOT_UTF8 : count == 0 ? NAME_EMPTY : count > NAME_CHARS ? NAME_TOO_LONG : NAME_OK;
    if (flaw == NAME_OK)
        memcpy(stored, clean, strlen(clean) + 1);
    free(clean);
    return flaw;
}

const char *name_flaw_text(enum name_flaw flaw)
{
    static const char *const texts[] = {"", "it has no visible character", "it has more than 255 characters",
                                        "it is not UTF-8"};

    return texts[flaw];
}

char *name_alike(const char *text)
{
    return name_map(text, false, UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
}

/* What the search form has for the character at `at`; its length in *len. */
static const char *name_search_char(const char *at, size_t *len)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &c);

    for (size_t i = 0; i < sizeof strokes / sizeof strokes[0]; i++)
        if (strokes[i].letter == c) {
            *len = strlen(strokes[i].plain);
            return strokes[i].plain;
        }
    *len = bytes > 0 ? (size_t)bytes : 1;
    return *at == '-' ? " " : at;
}

/* The whole search form, owned by the caller. */
static char *name_search_form(const char *text)
{
    char *folded =
             name_map(text, false,
                      UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE | UTF8PROC_STRIPMARK),
         *form, *to;

    if (!folded)
        return NULL;
    form = to = malloc(strlen(folded) * 2 + 1);
    if (!form)
        out_of_memory();
    for (const char *at = folded; *at;) {
        size_t len;
        const char *plain = name_search_char(at, &len);

        to = mempcpy(to, plain, len);
        at++;
        while (!name_is_start(*at))
            at++;
    }
    *to = 0;
    free(folded);
    return form;
}

/* Copies at most NAME_WORD_CHARS characters without a space at the end: MariaDB compares texts without it. */
static size_t name_cut(const char *form, char word[static NAME_WORD_BYTES])
{
    size_t n = 0, chars = 0;

    for (; form[n]; n++) {
        chars += name_is_start(form[n]);
        if (chars > NAME_WORD_CHARS)
            break;
    }
    while (n && form[n - 1] == ' ')
        n--;
    memcpy(word, form, n);
    word[n] = 0;
    return n;
}

size_t name_search(const char *text, char word[static NAME_WORD_BYTES])
{
    char *form = name_search_form(text);
    size_t n = form ? name_cut(form + strspn(form, " "), word) : 0;

    word[n] = 0;
    free(form);
    return n;
}

static bool name_is_between_words(char c)
{
    return c == ' ' || c == '\'';
}

int name_words(const char *text, char words[static NAME_WORDS][NAME_WORD_BYTES])
{
    char *form = name_search_form(text);
    int count = 0;

    for (const char *at = form; at && *at && count < NAME_WORDS; at++)
        if (!name_is_between_words(*at) && (at == form || name_is_between_words(at[-1])))
            count += name_cut(at, words[count]) > 0;
    free(form);
    return count;
}
