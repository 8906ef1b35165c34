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
    OP_PORTRAIT,
    /* retry */
    OP_RETRY,
    OP_RETRY_ALL,
    OP_DELETE,
    OP_UNKNOWN_DELETE,
    /* look_again */
    OP_LOOK_AGAIN,
    OP_LOOK_AGAIN_SHOW,
    OP_LOOK_AGAIN_PAUSE,
    OP_LOOK_AGAIN_RESUME,
    OP_LOOK_AGAIN_CANCEL,
    /* people */
    OP_PEOPLE,
    OP_PERSON_ADD,
    OP_PERSON,
    OP_PERSON_RENAME,
    OP_PERSON_DELETE,
    OP_FOLDER,
    OP_PHOTO_ADD,
    OP_PHOTO_DELETE,
    OP_MERGE,
    OP_MERGES,
    OP_MERGE_UNDO,
    /* faces */
    OP_NAME_FACE,
    OP_UNNAME_FACE,
    OP_DENY_FACE,
    OP_UNDENY_FACE,
    OP_IGNORE_FACE,
    OP_UNIGNORE_FACE,
    OP_NOT_A_FACE,
    OP_A_FACE,
    OP_DRAW_FACE,
    OP_ERASE_FACE,
    OP_UNKNOWN_PEOPLE,
    OP_NAME_UNKNOWN_PERSON,
    OP_IGNORE_UNKNOWN_PERSON,
    OP_UNIGNORE_UNKNOWN_PERSON,
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
