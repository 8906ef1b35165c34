#include "actors/routes.h"

#include "actors/messages.h"
#include "actors/ops.h"
#include "core/actor/driver_uv.h"

const struct http_route routes[] = {{"POST", "/image/post", "receiver", OP_IMAGE_POST, NULL},
                                    {"POST", "/images/post", "receiver", OP_IMAGE_POST, NULL},
                                    {"POST", "/v1/images", "receiver", OP_SUBMIT, ""},
                                    {"POST", "/v1/identify", "identify", OP_IDENTIFY, ""},
                                    {"GET", "/v1/images", "frontend", OP_IMAGES, "status person after limit"},
                                    {"POST", "/v1/images/retry", "redeemer", OP_RETRY_ALL, "status"},
                                    {"GET", "/v1/images/{id}", "frontend", OP_IMAGE, ""},
                                    {"DELETE", "/v1/images/{id}", "redeemer", OP_DELETE, ""},
                                    {"GET", "/v1/images/{id}/photo", "pictures", OP_PHOTO, "width"},
                                    {"GET", "/v1/images/{id}/faces/{n}/crop", "pictures", OP_CROP, "width"},
                                    {"POST", "/v1/images/{id}/retry", "redeemer", OP_RETRY, ""},
                                    {"GET", "/v1/people", "people", OP_PEOPLE, "after limit"},
                                    {"POST", "/v1/people", "people", OP_PERSON_ADD, ""},
                                    {"GET", "/v1/people/{id}", "people", OP_PERSON, ""},
                                    {"PATCH", "/v1/people/{id}", "people", OP_PERSON_RENAME, ""},
                                    {"DELETE", "/v1/people/{id}", "people", OP_PERSON_DELETE, ""},
                                    {"GET", "/v1/people/{id}/photos", "people", OP_PERSON, ""},
                                    {"POST", "/v1/people/{id}/photos", "people", OP_PHOTO_ADD, "name"},
                                    {"DELETE", "/v1/people/{id}/photos/{photo}", "people", OP_PHOTO_DELETE, ""},
                                    {"POST", "/v1/faces/{id}/person", "people", OP_NAME_FACE, ""},
                                    {"GET", "/v1/events", "events", OP_EVENTS, "after"},
                                    {"GET", "/v1/nodes", "cluster", OP_NODES, ""},
                                    {"GET", "/v1/stats", "frontend", OP_STATS, ""},
                                    {"GET", "/healthz", "frontend", OP_HEALTHZ, NULL},
                                    {"GET", "/readyz", "frontend", OP_READYZ, NULL},
                                    {"GET", "/metrics", "frontend", OP_METRICS, NULL},
                                    {"GET", "/openapi.yaml", "frontend", OP_OPENAPI, NULL},
                                    {NULL, NULL, NULL, 0, NULL}};

static void destroy(struct msg *m)
{
    http_request_unref(((struct msg_http *)m)->request);
}

void routes_dispatch(void *context, const struct http_route *route, struct http_request *request)
{
    struct msg_http *m = (struct msg_http *)msg_new(MSG_HTTP, sizeof *m);
    size_t len;
    int status;

    http_request_body(request, &len);
    m->head.destroy = destroy;
    m->head.size_bytes += len;
    m->request = request;
    http_request_ref(request);
    status = actor_system_tell(driver_uv_system(context), route->actor, &m->head);
    if (status == ACTOR_GONE)
        http_problem(request, 503, "not-here",
                     "This node does not do that: there is no “%s” among its roles (KITH_ROLES).", route->actor);
    else if (status != ACTOR_OK)
        http_problem(request, 503, "busy", "Too many requests wait for “%s” (KITH_MAILBOX).", route->actor);
    http_request_unref(request);
    driver_uv_kick(context);
}
