/* Names of people: the form that is stored, and the forms by which names are compared and found. Any thread.
 *
 *   stored   NFC; blanks at the ends removed, others collapsed to one space; without invisible characters, of which the
 *            joiners of Persian and Indic writing stay
 *   alike    the stored form with case folded and without all invisible characters: two names whose alike forms are
 *            equal are alike
 *   search   the alike form without accents
 *
 * The tables are those of utf8proc (Unicode, default case folding C + F). */
#ifndef KITH_CORE_BASE_NAME_H
#define KITH_CORE_BASE_NAME_H

#include <stddef.h>

/* The column of the database has this size, so it is no setting. */
enum { NAME_CHARS = 255, NAME_BYTES = NAME_CHARS * 4 + 1 };
/* Bytes that a name may have before it is cleaned: decomposed characters and blanks take more. */
enum { NAME_RAW_BYTES = 4 * NAME_BYTES };
/* A word of the search form is cut to this number of characters. */
enum { NAME_WORD_CHARS = 64, NAME_WORD_BYTES = NAME_WORD_CHARS * 4 + 1, NAME_WORDS = 16 };

enum name_flaw { NAME_OK, NAME_EMPTY, NAME_TOO_LONG, NAME_NOT_UTF8 };

/* Writes the stored form of `text`. `chars` (may be NULL) is set to its number of characters, also when it is too long.
 * NAME_EMPTY: only blanks and invisible characters. */
enum name_flaw name_clean(const char *text, char stored[static NAME_BYTES], size_t *chars);
/* What is wrong, for people: "" for NAME_OK. */
const char *name_flaw_text(enum name_flaw flaw);
/* The alike form, owned by the caller; any text. NULL: `text` is not UTF-8. */
char *name_alike(const char *text);
/* Writes the search form, cut to NAME_WORD_CHARS characters. Returns its length in bytes; 0: it is empty or not UTF-8.
 */
size_t name_search(const char *text, char word[static NAME_WORD_BYTES]);
/* Writes the search form from the start of each of the first NAME_WORDS words to the end: "jose perez", "perez".
 * Returns their number. */
int name_words(const char *text, char words[static NAME_WORDS][NAME_WORD_BYTES]);

#endif
