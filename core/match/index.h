/* What a node knows of people, in memory: templates and counter-examples, a shelf for each model. One thread at a
 * time. */
#ifndef KITH_CORE_MATCH_INDEX_H
#define KITH_CORE_MATCH_INDEX_H

#include "core/match/face.h"

#include <stddef.h>

struct template_set;
struct gallery_index;

enum index_kind {
    INDEX_TEMPLATES, /* this is how the person looks */
    INDEX_COUNTERS   /* this is not the person, somebody said so */
};

/* Embeddings beyond `memory_max` bytes of a shelf lie in a file in `folder`; NULL: none do. Borrowed. */
struct gallery_index *gallery_index_new(const char *folder, size_t memory_max);
void gallery_index_free(struct gallery_index *g);
void gallery_index_clear(struct gallery_index *g);

/* Copies the template. One of an id that is there already is ignored, and one that holds no numbers. */
void gallery_index_add(struct gallery_index *g, enum index_kind kind, const struct template *t);
void gallery_index_remove_person(struct gallery_index *g, int64_t person);
void gallery_index_remove_template(struct gallery_index *g, int64_t id);
size_t gallery_index_size(const struct gallery_index *g);   /* templates */
size_t gallery_index_memory(const struct gallery_index *g); /* bytes */

/* The shelf of a model, or NULL when nobody has been enrolled with it. */
struct template_set *gallery_index_template_set(const struct gallery_index *g, enum index_kind kind, const char *model,
                                                int dimension);

#endif
