/* The picture formats that kith decodes: one table for errors, content types and names of files. Any thread. */
#ifndef KITH_CORE_IMAGE_FORMATS_H
#define KITH_CORE_IMAGE_FORMATS_H

#include "core/image/sniff.h"

#include <stdbool.h>

struct image_format {
    const char *name;         /* for people: "JPEG 2000" */
    const char *content_type; /* of an answer with the file */
    const char *ending;       /* of an uploaded file in the spool, without the dot */
    const char *endings;      /* of files of this format, with dots, separated by blanks */
};

/* The row of a type; of IMAGE_UNKNOWN it has empty names, the content type NULL and the ending "bin". */
const struct image_format *image_format(enum image_type type);

/* "JPEG, PNG, … or camera raw (…)": all formats, for errors. Static. */
const char *image_formats_text(void);

/* Whether a file name has an ending of a picture, also of formats that kith does not decode: such a file is refused
 * with the reason and not left out in silence. */
bool image_has_ending(const char *name);

#endif
