/* Turns failed asks into problem documents. */
#include "actors/api/problem.h"

/* The people who have the name of the request already. */
static void problem_reply_alike(struct http_request *request, const struct store_reply *r)
{
    struct buf members = {0};

    buf_str(&members, "\"people\":[");
    for (int i = 0; i < r->alike_count; i++) {
        buf_printf(&members, "%s{\"id\":%lld,\"name\":", i ? "," : "", (long long)r->alike[i].id);
        buf_json(&members, r->alike[i].name);
        buf_str(&members, "}");
    }
    buf_add(&members, "]", sizeof "]"); /* with its NUL */
    http_problem_with(request, 409, "conflict", members.data, "%s", r->error);
    buf_free(&members);
}

bool reply_failed(struct http_request *request, int status, const struct msg *reply)
{
    static const struct {
        int status, http;
        const char *slug;
    } table[] = {{STORE_NOT_FOUND, 404, "not-found"}, {STORE_CONFLICT, 409, "conflict"},
                 {STORE_NO_SPACE, 503, "no-space"},   {STORE_DISK_LOW, 507, "disk-low"},
                 {STORE_BROKEN, 503, "store"},        {STORE_AWAY, 503, "database-away"},
                 {STORE_MISMATCH, 422, "key-reused"}, {STORE_BAD_NAME, 400, "bad-name"}};
    const struct store_reply *r = (const struct store_reply *)reply;

    if (status == ACTOR_TIMEOUT)
        http_problem(request, 504, "timeout", "The store did not answer in time.");
    else if (status != ACTOR_OK)
        http_problem(request, 503, "busy", "The store is %s.", actor_status_name(status));
    else if (r->status == STORE_CONFLICT && r->alike_count)
        problem_reply_alike(request, r);
    else
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
            if (r->status == table[i].status)
                http_problem(request, table[i].http, table[i].slug, "%s", r->error);
    return status != ACTOR_OK || r->status != STORE_OK;
}

bool recognition_failed(struct http_request *request, int status, const struct msg *reply)
{
    const struct msg_recognized *r = (const struct msg_recognized *)reply;

    if (status != ACTOR_OK) {
        http_problem(request, status == ACTOR_TIMEOUT ? 504 : 503, "busy", "The recogniser is %s.",
                     actor_status_name(status));
        return true;
    }
    switch (r->outcome) {
    case RECOGNIZED_OK:
        return false;
    case RECOGNIZED_BAD_IMAGE:
        http_problem(request, 422, "bad-image", "%s", r->reason);
        break;
    case RECOGNIZED_POISON:
        http_problem(request, 422, "poison",
                     "These bytes have crashed workers of the recogniser; they are refused for a time "
                     "(KITH_QUARANTINE).");
        break;
    case RECOGNIZED_TIMEOUT:
        http_problem(request, 504, "recognizer-timeout", "%s", r->reason);
        break;
    case RECOGNIZED_CRASHED:
    case RECOGNIZED_FAILED:
        http_problem(request, 502, "recognizer-failed", "Recognition failed: %s", r->reason);
        break;
    case RECOGNIZED_OPEN:
        http_problem(request, 503, "breaker-open", "The circuit breaker of the recogniser is open: %s", r->reason);
        break;
    default:
        http_problem(request, 503, "recognizer-unavailable", "The recogniser is unavailable: %s",
                     r->reason[0] ? r->reason : recognized_name(r->outcome));
    }
    return true;
}
