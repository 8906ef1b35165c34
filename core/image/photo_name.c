#include "core/image/photo_name.h"

#include "core/base/must.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

char *photo_name_person(const char *file)
{
    const char *dot = strrchr(file, '.');
    size_t n = dot && dot > file ? (size_t)(dot - file) : strlen(file), end = n;
    char *person;

    while (end > 0 && isdigit((unsigned char)file[end - 1]))
        end--;
    if (end > 1 && end < n && strchr("_- ", file[end - 1]))
        n = end - 1;
    person = strndup(file, n);
    if (!person)
        out_of_memory();
    return person;
}
