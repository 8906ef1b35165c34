/* The people and templates of decided faces, as they are when the run ends. */
#ifndef KITH_CORE_STORE_OPS_IMAGES_FINISH_PEOPLE_H
#define KITH_CORE_STORE_OPS_IMAGES_FINISH_PEOPLE_H

#include "core/store/store_internal.h"

/* Each face gets the person who is now the one that it was decided to be, or none. `stale`, one for each face, is set
 * when the template that gave the name is not that person's any more. Locks the people and the templates until the end
 * of the transaction. 0 or negative. */
int finish_people_follow(struct op *op, struct face *faces, int count, bool *stale);

#endif
