/* Cursor pages of list endpoints. */
#include "actors/api/page.h"

#include "actors/api/request.h"

enum { PAGE_DEFAULT = 50 };

bool query_page(struct http_request *request, int64_t most, int *limit, int64_t *after)
{
    int64_t number = most < PAGE_DEFAULT ? most : PAGE_DEFAULT;

    *after = 0;
    if (!query_number(request, "limit", 1, most, &number) || !query_number(request, "after", 0, INT64_MAX, after))
        return false;
    *limit = (int)number;
    return true;
}

void json_next(struct buf *out, int64_t next)
{
    if (next)
        buf_printf(out, "],\"next\":\"%lld\"}", (long long)next);
    else
        buf_str(out, "],\"next\":null}");
}
