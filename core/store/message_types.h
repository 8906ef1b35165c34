/* The types of the store's messages, and the statuses of its replies. */
#ifndef KITH_CORE_STORE_MESSAGE_TYPES_H
#define KITH_CORE_STORE_MESSAGE_TYPES_H

enum store_status {
    STORE_OK = 0,
    STORE_NOT_FOUND,
    STORE_CONFLICT,
    STORE_NO_SPACE,
    STORE_DISK_LOW, /* the reserve of the disk is reached: nothing new is accepted */
    STORE_BROKEN,
    STORE_MISMATCH,
    STORE_BAD_NAME, /* a text cannot be the name of a person */
    STORE_AWAY      /* the database cannot be reached, or is busy: repeat the request */
};

enum store_message {
    /* writes */
    STORE_SUBMIT = 0x1000,
    STORE_CLAIM,
    STORE_RENEW,
    STORE_FINISH,
    STORE_REAP,
    STORE_RETRY,
    STORE_DELETE,
    STORE_PERSON_ADD,
    STORE_PERSON_RENAME,
    STORE_PERSON_DELETE,
    STORE_PHOTO_ADD,
    STORE_PHOTO_DELETE,
    STORE_NAME_FACE,
    STORE_NAME_UNKNOWN_PERSON,
    STORE_WORD,
    STORE_IGNORE_UNKNOWN_PERSON,
    STORE_DRAW_FACE,
    STORE_RESOLVE,
    STORE_KNOWN_FILE,
    STORE_KNOWN_MOVE,
    STORE_KNOWN_UPDATE,
    STORE_KNOWN_FORGET,
    STORE_CLAIM_PHOTO,
    STORE_CLAIM_WORD,
    STORE_EMBED_WORD,
    STORE_NOT_EMBEDDED,
    STORE_QUARANTINE,
    STORE_PRUNE,
    STORE_KEY_ADD,
    STORE_KEY_REVOKE,
    STORE_CORRECT_COUNTS,
    STORE_MERGE,
    STORE_MERGE_UNDO,
    STORE_EXPIRE,
    STORE_FORGET_UNKNOWN,
    STORE_ERASER_JOIN,
    STORE_ERASED,
    STORE_AUDIT_ADD,
    STORE_LOOK_AGAIN,
    STORE_RESOLVE_LABELS, /* store_text: continues behind this label; texts[0]: the next one, none at the end */
    STORE_REGISTER_NODE,  /* store_node: writes its row; the reply lists all nodes */
    STORE_CONTINUE,
    STORE_POSTED_AGAIN,
    STORE_FIRST_READ,
    /* reads */
    STORE_IMAGE = STORE_FIRST_READ,
    STORE_IMAGES,
    STORE_EVENTS,
    STORE_STATUS_COUNTS,
    STORE_RECOUNT,
    STORE_LOOK_AGAIN_COUNT,
    STORE_OPERATION, /* store_id, `id` not used: the last operation, if any */
    STORE_PEOPLE,
    STORE_PHOTOS,
    STORE_GALLERY_CHANGES,
    STORE_ADOPTED_PHOTOS,
    STORE_UNKNOWN_FACES,
    STORE_PERSON_FACES,
    STORE_AGAIN_FACES,
    STORE_UNKNOWN_PEOPLE,
    STORE_FACE,
    STORE_KNOWN_FILES,
    STORE_KNOWN_REPORT,
    STORE_TEMPLATE_COUNTS,
    STORE_PATH_IN_USE,
    STORE_QUARANTINED,
    STORE_PHOTO_PERSON,
    STORE_KNOWN_PHOTO, /* store_id, `id` not used: the path of a photo of a person, in texts[0]; none: no text */
    STORE_KEYS,
    STORE_MERGES,
    STORE_PORTRAIT, /* store_id: the image to show of a person; with one face, only its box */
    STORE_CLUSTER,  /* store_id, `id` not used: the id of the cluster, in texts[0] */
    STORE_ERASURES,
    STORE_AUDIT,
    STORE_TRACES,
    STORE_SEARCH_COLUMN,
    /* sent by the store */
    STORE_REPLY,
    STORE_CHANGED, /* told to the actor "events" after a commit with events */
    STORE_DONE     /* from the store's threads to the actor */
};

#endif
