#include "core/image/photo_name.h"

#include "core/base/must.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Words that cameras, phones and programs put before a number or a date. Lower case; they are compared with the letters
 * that a name begins with, or with its beginning where they have a blank or a dash. Sources: the prefixes that ExifTool
 * and Android's and iOS's cameras, Windows, WhatsApp and scanners use. */
static const char *const camera_words[] = {
    "img",      "imag",      "image",      "images", "imgp",      "dsc",        "dscn",      "dscf",
    "dcim",     "dji",       "pxl",        "mvimg",  "gopr",      "gp",         "gh",        "gx",
    "cimg",     "hpim",      "kimg",       "mg",     "p",         "pic",        "pict",      "picture",
    "photo",    "photos",    "foto",       "fotos",  "bild",      "video",      "vid",       "mov",
    "movie",    "scan",      "scanned",    "scans",  "scanimage", "screenshot", "screencap", "bildschirmfoto",
    "capture",  "snapshot",  "snap",       "frame",  "burst",     "pano",       "unnamed",   "untitled",
    "download", "received",  "attachment", "upload", "copy",      "edited",     "fb",        "signal",
    "whatsapp", "telegram",  "snapchat",   "inshot", "lrm",       "wp",         "wa",        "screen",
    "camera",   "thumbnail", "unbenannt",  "kopie",  "file",      "doc",        "page",      NULL};
static const char *const camera_beginnings[] = {"whatsapp image", "screen shot", "photo on ", "image from ", "signal-",
                                                "photo ",         "picture ",    "bild ",     NULL};

static size_t photo_name_stem(const char *file)
{
    const char *dot = strrchr(file, '.');

    return dot && dot > file ? (size_t)(dot - file) : strlen(file);
}

/* The length without the last number, and whether a separator stood before the number. "(2)" is a number too. */
static size_t photo_name_base(const char *file, bool *numbered, bool *separated)
{
    size_t n = photo_name_stem(file), end = n, close = n > 2 && file[n - 1] == ')' ? 1 : 0;

    end -= close;
    while (end > 0 && isdigit((unsigned char)file[end - 1]))
        end--;
    *numbered = end < n - close;
    *separated = false;
    if (!*numbered || end == 0)
        return n;
    if (close) {
        if (file[end - 1] != '(' || end < 2)
            return n;
        end--;
    }
    *separated = close || (end > 1 && strchr("_- ", file[end - 1]));
    while (end > 1 && strchr("_- ", file[end - 1]))
        end--;
    return end;
}

static char *photo_name_copy(const char *file, size_t n)
{
    char *person = strndup(file, n);

    if (!person)
        out_of_memory();
    return person;
}

char *photo_name_person(const char *file)
{
    bool numbered, separated;

    return photo_name_copy(file, photo_name_base(file, &numbered, &separated));
}

static bool photo_name_is_letter(char c)
{
    return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool photo_name_is_of_camera(const char *file, size_t base)
{
    size_t letters = 0;

    while (isalpha((unsigned char)file[letters]))
        letters++;
    for (const char *const *b = camera_beginnings; *b; b++)
        if (strncasecmp(file, *b, strlen(*b)) == 0)
            return true;
    for (const char *const *w = camera_words; *w; w++)
        if (strlen(*w) == letters && strncasecmp(file, *w, letters) == 0 && letters <= base &&
            !photo_name_is_letter(file[letters]))
            return true;
    return false;
}

/* A name of the Design rule for Camera File system (JEITA CP-3461B): four upper-case characters and four digits. */
static bool photo_name_is_dcf(const char *file, size_t stem)
{
    bool letter = false;

    if (stem != 8)
        return false;
    for (int i = 0; i < 8; i++) {
        bool digit = isdigit((unsigned char)file[i]), upper = isupper((unsigned char)file[i]) || file[i] == '_';

        if (i < 4 ? !digit && !upper : !digit)
            return false;
        letter = letter || isupper((unsigned char)file[i]);
    }
    return letter;
}

/* A hash or a uuid. */
static bool photo_name_is_hex(const char *file, size_t stem)
{
    bool digit = false;

    for (size_t i = 0; i < stem; i++) {
        if (!isxdigit((unsigned char)file[i]) && !strchr("-_", file[i]))
            return false;
        digit = digit || isdigit((unsigned char)file[i]);
    }
    return digit && stem >= 16;
}

enum photo_name photo_name_kind(const char *file)
{
    bool numbered, separated, plain = true;
    size_t stem = photo_name_stem(file), base = photo_name_base(file, &numbered, &separated), letters = 0;

    for (size_t i = 0; i < base; i++) {
        letters += photo_name_is_letter(file[i]);
        plain = plain && (photo_name_is_letter(file[i]) || strchr(" _-.'", file[i]));
    }
    if (letters < 2 || photo_name_is_of_camera(file, base) || photo_name_is_dcf(file, stem) ||
        photo_name_is_hex(file, stem))
        return PHOTO_NAME_CAMERA;
    if (numbered && !separated) /* DSC01234 and scan0001 of makers that are not in the list */
        return stem - base > 2 ? PHOTO_NAME_CAMERA : PHOTO_NAME_MAYBE;
    return plain ? PHOTO_NAME_PERSON : PHOTO_NAME_MAYBE;
}

static int photo_names_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void photo_names_read(const char *const *files, int count, bool all, char **people)
{
    char **sorted = calloc((size_t)count + 1, sizeof *sorted);
    bool *alone = calloc((size_t)count + 1, sizeof *alone);
    int bases = 0;

    if (!sorted || !alone)
        out_of_memory();
    for (int i = 0; i < count; i++) {
        people[i] = all || photo_name_kind(files[i]) != PHOTO_NAME_CAMERA ? photo_name_person(files[i]) : NULL;
        if (people[i])
            sorted[bases++] = people[i];
    }
    qsort(sorted, (size_t)bases, sizeof *sorted, photo_names_compare);
    for (int i = 0; i < count; i++) {
        char *const *found =
            people[i] ? bsearch(&people[i], sorted, (size_t)bases, sizeof *sorted, photo_names_compare) : NULL;

        alone[i] = found && (found == sorted || strcmp(found[-1], people[i]) != 0) &&
                   (found + 1 == sorted + bases || strcmp(found[1], people[i]) != 0);
    }
    for (int i = 0; i < count; i++)
        if (alone[i] && !all && photo_name_kind(files[i]) == PHOTO_NAME_MAYBE) {
            free(people[i]);
            people[i] = NULL;
        }
    free(alone);
    free(sorted);
}

const char *photo_name_advice(void)
{
    return "the file's name names nobody: put it into a folder with the person's name, or say --flat (KITH_FLAT=on) "
           "when file names are people's names";
}
