/* The name of a person from the name of a photo file, for known people without a folder for each person. */
#ifndef KITH_CORE_IMAGE_PHOTO_NAME_H
#define KITH_CORE_IMAGE_PHOTO_NAME_H

/* "hannibal_1.jpg", "hannibal 2.jpg" and "hannibal.jpg" give "hannibal". Returns owned. */
char *photo_name_person(const char *file);

#endif
