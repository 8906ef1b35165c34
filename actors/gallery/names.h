/* The names of people, by id and by name. Loop thread. */
#ifndef KITH_ACTORS_GALLERY_NAMES_H
#define KITH_ACTORS_GALLERY_NAMES_H

#include <stdint.h>

struct gallery_name;

struct gallery_names { /* zeroed: empty */
    struct gallery_name *by_id, *by_text;
};

void gallery_names_set(struct gallery_names *n, int64_t id, const char *text); /* copies `text` */
void gallery_names_remove(struct gallery_names *n, int64_t id);
void gallery_names_clear(struct gallery_names *n);

/* Returns the name, valid until the next change, or NULL. */
const char *gallery_names_get(const struct gallery_names *n, int64_t id);
/* Returns the id of the person with this name, the smallest of several, or PERSON_UNKNOWN. In constant time. */
int64_t gallery_names_find(const struct gallery_names *n, const char *text);

#endif
