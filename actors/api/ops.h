/* Operations of the HTTP actors: the `op` of a row in routes.c. */
#ifndef KITH_ACTORS_API_OPS_H
#define KITH_ACTORS_API_OPS_H

enum http_op {
    /* receiver */
    OP_IMAGE_POST = 1, /* the original interface: lines of text */
    OP_SUBMIT,
    /* identify */
    OP_IDENTIFY,
    /* frontend */
    OP_IMAGES,
    OP_IMAGE,
    OP_STATS,
    OP_HEALTHZ,
    OP_READYZ,
    OP_METRICS,
    OP_OPENAPI,
    OP_DEBUG_FAIL, /* in builds with KITH_DEBUG only */
    /* pictures */
    OP_PHOTO,
    OP_CROP,
    /* retry */
    OP_RETRY,
    OP_RETRY_ALL,
    OP_DELETE,
    OP_UNKNOWN_DELETE,
    /* people */
    OP_PEOPLE,
    OP_PERSON_ADD,
    OP_PERSON,
    OP_PERSON_RENAME,
    OP_PERSON_DELETE,
    OP_PHOTO_ADD,
    OP_PHOTO_DELETE,
    /* faces */
    OP_NAME_FACE,
    OP_DENY_FACE,
    OP_UNKNOWN_PEOPLE,
    OP_NAME_UNKNOWN_PERSON,
    /* events */
    OP_EVENTS,
    /* keys */
    OP_SESSION,
    OP_SESSION_BEGIN,
    OP_SESSION_END,
    /* audit */
    OP_AUDIT,
    /* cluster */
    OP_NODES
};

#endif
