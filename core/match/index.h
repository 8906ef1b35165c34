/* The gallery index: templates and counter-examples in memory, one template set for each model and kind. One thread at
 * a time. */
#ifndef KITH_CORE_MATCH_INDEX_H
#define KITH_CORE_MATCH_INDEX_H

#include "core/match/face.h"

#include <stddef.h>

struct template_set;
struct gallery_index;

enum index_kind {
    INDEX_TEMPLATES, /* enrolled: the embedding shows the person */
    INDEX_COUNTERS   /* a counter-example: the embedding does not show the person */
};

/* Embeddings of a set beyond `memory_max` bytes are kept in a file in `folder`; NULL: all in memory. Borrows `folder`
 * for the life of the index. */
struct gallery_index *gallery_index_new(const char *folder, size_t memory_max);
void gallery_index_free(struct gallery_index *g); /* NULL is fine */
void gallery_index_clear(struct gallery_index *g);

/* Copies the template. Ignores one whose id the set has already, and one with NaN or infinite numbers. */
void gallery_index_add(struct gallery_index *g, enum index_kind kind, const struct template *t);
void gallery_index_remove_person(struct gallery_index *g, int64_t person);
void gallery_index_remove_template(struct gallery_index *g, int64_t id);
size_t gallery_index_size(const struct gallery_index *g);   /* templates, without counter-examples */
size_t gallery_index_memory(const struct gallery_index *g); /* bytes, of both kinds */

/* The template set of a model, borrowed; NULL: there is none. */
struct template_set *gallery_index_template_set(const struct gallery_index *g, enum index_kind kind, const char *model,
                                                int dimension);

#endif
