/* Cursor pages of list endpoints: ?limit= and ?after=, and “next” in the response. */
#ifndef KITH_ACTORS_API_PAGE_H
#define KITH_ACTORS_API_PAGE_H

#include "actors/messages.h"

/* Parses `limit` (1 to `most`, default 50) and `after`; false: answered with 400. */
bool query_page(struct http_request *request, int64_t most, int *limit, int64_t *after);
/* Ends the list and the object of a page. `next`: the cursor of the next page, 0 for none. */
void json_next(struct buf *out, int64_t next);

#endif
