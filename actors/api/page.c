/* Cursor pages of list endpoints. */
#include "actors/api/page.h"

#include "actors/api/request.h"

bool query_page(struct http_request *request, int64_t most, int *limit, int64_t *after)
{
    char text[32];
    int64_t value;

    *limit = most < 50 ? (int)most : 50;
    *after = 0;
    if (http_request_query(request, "limit", text, sizeof text)) {
        if (!request_parse_number(text, &value) || value < 1 || value > most) {
            http_problem(request, 400, "wrong-value", "“limit” must be 1 to %lld (KITH_PAGE_LIMIT).", (long long)most);
            return false;
        }
        *limit = (int)value;
    }
    if (http_request_query(request, "after", text, sizeof text) && !request_parse_number(text, after)) {
        http_problem(request, 400, "wrong-value", "“after” must be the “next” of the page before.");
        return false;
    }
    return true;
}

void json_next(struct buf *out, int64_t next)
{
    if (next)
        buf_printf(out, "],\"next\":\"%lld\"}", (long long)next);
    else
        buf_str(out, "],\"next\":null}");
}
