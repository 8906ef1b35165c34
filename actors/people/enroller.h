/* Enrols a photo: makes a template of its face. Asked with MSG_ENROL (actors/messages.h). */
#ifndef KITH_ACTORS_PEOPLE_ENROLLER_H
#define KITH_ACTORS_PEOPLE_ENROLLER_H

#include "actors/messages.h"
#include "core/store/spool.h"

struct enroller_config {
    const char *recognizer, *gallery;
    const struct spool *spool; /* NULL: of uploaded photos only the template is kept */
    struct offload *files;
    uint64_t call_ms;
    float quality;     /* a face of lower quality is refused (KITH_ENROLL_QUALITY) */
    double prominence; /* how many times as high as the others a face among several is (KITH_ENROLL_PROMINENCE) */
};

extern const struct actor_ops enroller_actor;

#endif
