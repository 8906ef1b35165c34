/* The names of people from the names of photo files, for known people without a folder for each person.
 *
 * "hannibal_1.jpg", "hannibal 2.jpg", "hannibal (3).jpg" and "hannibal.jpg" give "hannibal". The names that cameras and
 * programs give (IMG_2563, DSC01234, PXL_20230101_120000, WhatsApp Image …, scan0001, numbers, uuids) name nobody. */
#ifndef KITH_CORE_IMAGE_PHOTO_NAME_H
#define KITH_CORE_IMAGE_PHOTO_NAME_H

#include <stdbool.h>

enum photo_name {
    PHOTO_NAME_PERSON, /* letters, perhaps with a number behind a separator */
    PHOTO_NAME_MAYBE,  /* a person's only when other files have the same name with other numbers */
    PHOTO_NAME_CAMERA  /* nobody's */
};

/* The name without its ending and its last number. Returns owned. */
char *photo_name_person(const char *file);
enum photo_name photo_name_kind(const char *file);

/* The people of the files of one folder: `people[i]` is owned, NULL when the file names nobody. `all`: file names are
 * people's names, whatever they look like (KITH_FLAT). */
void photo_names_read(const char *const *files, int count, bool all, char **people);
/* Why a file names nobody, and what to do. One sentence. */
const char *photo_name_advice(void);

#endif
