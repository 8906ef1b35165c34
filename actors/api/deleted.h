/* The answer to a deletion: what was done, and what must wait. */
#ifndef KITH_ACTORS_API_DELETED_H
#define KITH_ACTORS_API_DELETED_H

#include "actors/messages.h"

/* Answers 200 with the rows that were deleted and what follows the answer. */
void reply_deleted(struct http_request *request, const struct deleted *deleted);
/* Adds the counts of one batch. */
void deleted_add(struct deleted *sum, const struct deleted *batch);

#endif
