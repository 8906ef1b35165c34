/* Whose photo a file is by its name, in a folder of known people that has no folder a person. */
#ifndef KITH_CORE_IMAGE_PHOTO_NAME_H
#define KITH_CORE_IMAGE_PHOTO_NAME_H

/* "hannibal_1.jpg", "hannibal 2.jpg" and "hannibal.jpg" are photos of hannibal. Returns it owned. */
char *photo_name_person(const char *file);

#endif
