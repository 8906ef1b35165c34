/* Enrols a photo: makes a template of its face. Asked with MSG_ENROL. */
#ifndef KITH_ACTORS_PEOPLE_ENROLLER_H
#define KITH_ACTORS_PEOPLE_ENROLLER_H

#include "actors/messages.h"
#include "core/store/spool.h"

struct msg_enrol {
    struct msg head;
    struct arena arena;
    const char *name; /* of the person, created when absent; NULL: `person` is used */
    int64_t person;
    const char *photo; /* its display name */
    const char *path;  /* a file below the roots */
    const void *bytes; /* or the photo itself: it is spooled */
    size_t len;
    bool urgent;
    int64_t adopted_photo; /* row of person_images without a path that names this photo; 0: none */
};

enum enrolled { ENROLLED_OK, ENROLLED_NO_FACE, ENROLLED_FACES, ENROLLED_REFUSED, ENROLLED_LATER, ENROLLED_NO_PERSON };

struct msg_enrolled {
    struct msg head;
    int status;
    char reason[REASON_BYTES]; /* when it is not OK, in words */
    int64_t person, photo;
};

struct msg_enrol *msg_enrol_new(const char *name, int64_t person, const char *photo, const char *path,
                                const void *bytes, size_t len);

struct enroller_config {
    const char *recognizer;
    const struct spool *spool; /* NULL: of uploaded photos only the template is kept */
    struct offload *files;
    uint64_t call_ms;
    float quality; /* a face of lower quality is refused (KITH_ENROLL_QUALITY) */
};

extern const struct actor_ops enroller_actor;

#endif
