#include "actors/routes.h"

#include "actors/access/auth.h"
#include "actors/api/ops.h"
#include "actors/api/request.h"
#include "actors/messages.h"
#include "core/actor/driver_uv.h"

const struct http_route routes[] = {
    {"POST", "/image/post", "receiver", OP_IMAGE_POST, ACCESS_SUBMIT, NULL},
    {"POST", "/images/post", "receiver", OP_IMAGE_POST, ACCESS_SUBMIT, NULL},
    {"POST", "/v1/images", "receiver", OP_SUBMIT, ACCESS_SUBMIT, "filename"},
    {"POST", "/v1/identify", "identify", OP_IDENTIFY, ACCESS_SUBMIT, "explain"},
    {"GET", "/v1/images", "frontend", OP_IMAGES, ACCESS_READ,
     "status verdict retryable review person after limit explain"},
    {"POST", "/v1/images/retry", "retry", OP_RETRY_ALL, ACCESS_ADMIN, "status reason older_ms limit now dry_run"},
    {"GET", "/v1/images/look-again", "look_again", OP_LOOK_AGAIN_SHOW, ACCESS_READ, ""},
    {"POST", "/v1/images/look-again", "look_again", OP_LOOK_AGAIN, ACCESS_ADMIN,
     "verdict person not_model from_ms to_ms dry_run"},
    {"POST", "/v1/images/look-again/pause", "look_again", OP_LOOK_AGAIN_PAUSE, ACCESS_ADMIN, ""},
    {"POST", "/v1/images/look-again/resume", "look_again", OP_LOOK_AGAIN_RESUME, ACCESS_ADMIN, ""},
    {"POST", "/v1/images/look-again/cancel", "look_again", OP_LOOK_AGAIN_CANCEL, ACCESS_ADMIN, ""},
    {"GET", "/v1/images/{id}", "frontend", OP_IMAGE, ACCESS_READ, "explain"},
    {"DELETE", "/v1/images/{id}", "retry", OP_DELETE, ACCESS_ADMIN, ""},
    {"GET", "/v1/images/{id}/photo", "pictures", OP_PHOTO, ACCESS_READ, "width"},
    {"GET", "/v1/images/{id}/faces/{n}/crop", "pictures", OP_CROP, ACCESS_READ, "width"},
    {"POST", "/v1/images/{id}/retry", "retry", OP_RETRY, ACCESS_ADMIN, ""},
    {"GET", "/v1/people", "people", OP_PEOPLE, ACCESS_READ, "after limit name"},
    {"POST", "/v1/people", "people", OP_PERSON_ADD, ACCESS_ADMIN, ""},
    {"GET", "/v1/people/folder", "people", OP_FOLDER, ACCESS_READ, "state after limit"},
    {"GET", "/v1/people/{id}", "people", OP_PERSON, ACCESS_READ, ""},
    {"PATCH", "/v1/people/{id}", "people", OP_PERSON_RENAME, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/people/{id}", "people", OP_PERSON_DELETE, ACCESS_ADMIN, ""},
    {"POST", "/v1/people/{id}/merge", "people", OP_MERGE, ACCESS_ADMIN, ""},
    {"GET", "/v1/people/{id}/portrait", "pictures", OP_PORTRAIT, ACCESS_READ, "width"},
    {"GET", "/v1/merges", "people", OP_MERGES, ACCESS_ADMIN, "after limit"},
    {"POST", "/v1/merges/{id}/undo", "people", OP_MERGE_UNDO, ACCESS_ADMIN, ""},
    {"GET", "/v1/people/{id}/photos", "people", OP_PERSON, ACCESS_READ, ""},
    {"POST", "/v1/people/{id}/photos", "people", OP_PHOTO_ADD, ACCESS_ADMIN, "name face"},
    {"DELETE", "/v1/people/{id}/photos/{photo}", "people", OP_PHOTO_DELETE, ACCESS_ADMIN, ""},
    {"POST", "/v1/faces/{id}/person", "faces", OP_NAME_FACE, ACCESS_ADMIN, ""},
    {"PUT", "/v1/faces/{id}/person", "faces", OP_NAME_FACE, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/faces/{id}/person", "faces", OP_UNNAME_FACE, ACCESS_ADMIN, ""},
    {"POST", "/v1/faces/{id}/not/{person}", "faces", OP_DENY_FACE, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/faces/{id}/not/{person}", "faces", OP_UNDENY_FACE, ACCESS_ADMIN, ""},
    {"POST", "/v1/faces/{id}/ignore", "faces", OP_IGNORE_FACE, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/faces/{id}/ignore", "faces", OP_UNIGNORE_FACE, ACCESS_ADMIN, ""},
    {"POST", "/v1/faces/{id}/not-a-face", "faces", OP_NOT_A_FACE, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/faces/{id}/not-a-face", "faces", OP_A_FACE, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/faces/{id}", "faces", OP_ERASE_FACE, ACCESS_ADMIN, ""},
    {"POST", "/v1/images/{id}/faces", "faces", OP_DRAW_FACE, ACCESS_ADMIN, ""},
    {"GET", "/v1/unknown", "faces", OP_UNKNOWN_PEOPLE, ACCESS_READ, "after limit"},
    {"POST", "/v1/unknown/{id}/person", "faces", OP_NAME_UNKNOWN_PERSON, ACCESS_ADMIN, ""},
    {"POST", "/v1/unknown/{id}/ignore", "faces", OP_IGNORE_UNKNOWN_PERSON, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/unknown/{id}/ignore", "faces", OP_UNIGNORE_UNKNOWN_PERSON, ACCESS_ADMIN, ""},
    {"DELETE", "/v1/unknown/{id}", "retry", OP_UNKNOWN_DELETE, ACCESS_ADMIN, ""},
    {"GET", "/v1/events", "events", OP_EVENTS, ACCESS_READ, "after"},
    {"GET", "/v1/audit", "audit", OP_AUDIT, ACCESS_ADMIN, "after limit person image who action since_ms until_ms"},
    {"GET", "/v1/nodes", "cluster", OP_NODES, ACCESS_READ, ""},
    {"GET", "/v1/stats", "health", OP_STATS, ACCESS_READ, ""},
    {"GET", "/v1/session", "keys", OP_SESSION, ACCESS_PUBLIC, ""},
    {"POST", "/v1/session", "keys", OP_SESSION_BEGIN, ACCESS_PUBLIC, ""},
    {"DELETE", "/v1/session", "keys", OP_SESSION_END, ACCESS_PUBLIC, ""},
    {"GET", "/healthz", "health", OP_HEALTHZ, ACCESS_PUBLIC, NULL},
    {"GET", "/readyz", "health", OP_READYZ, ACCESS_PUBLIC, NULL},
    {"GET", "/metrics", "health", OP_METRICS, ACCESS_READ, NULL},
    {"GET", "/openapi.yaml", "frontend", OP_OPENAPI, ACCESS_PUBLIC, NULL},
#ifdef KITH_DEBUG
    {"POST", "/v1/debug/actors/{name}/fail", "frontend", OP_DEBUG_FAIL, ACCESS_ADMIN, ""},
#endif
    {NULL, NULL, NULL, 0, 0, NULL}};

static void routes_destroy_message(struct msg *m)
{
    http_request_unref(((struct msg_http *)m)->request);
}

bool routes_admits(void *context, const char *address, const struct http_credentials *credentials)
{
    const struct routes_context *c = context;

    return auth_admits(c->auth, address, credentials);
}

void routes_dispatch(void *context, const struct http_route *route, struct http_request *request)
{
    const struct routes_context *c = context;
    struct msg_http *m;
    size_t len;
    int status;

    if (!auth_check(c->auth, request, route->access)) {
        http_request_unref(request);
        return;
    }
    http_request_body(request, &len);
    if (len && !request_body_is_supported(request)) {
        http_request_unref(request);
        return;
    }
    m = (struct msg_http *)msg_new(MSG_HTTP, sizeof *m);
    m->head.destroy = routes_destroy_message;
    m->head.size_bytes += len;
    m->head.cancel = cancel_ref(http_request_cancel(request));
    m->head.skip_cancelled = true;
    m->request = request;
    http_request_set_context(request, driver_uv_system(c->driver));
    http_request_ref(request);
    status = actor_system_tell(driver_uv_system(c->driver), route->actor, &m->head);
    if (status == ACTOR_GONE)
        http_problem(request, 503, "not-here",
                     "This node does not serve this path: it runs no actor “%s” (KITH_ROLES).", route->actor);
    else if (status != ACTOR_OK)
        http_problem(request, 503, "busy", "Too many requests wait for “%s” (KITH_MAILBOX_MAX).", route->actor);
    http_request_unref(request);
    driver_uv_kick(c->driver);
}
