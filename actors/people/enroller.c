/* Enrols a photo: makes a template of its face.
 *
 *   MSG_ENROL ─▶ recognizer (the one face in it) ─▶ [bytes: spool] ─▶ STORE_PHOTO_ADD ─▶ MSG_ENROLLED
 *
 * The asker informs the gallery. A photo with no face or with several faces is refused with a reason, because the
 * face of the person is ambiguous.
 */
#include "actors/people/enroller.h"

#include "core/base/log/log.h"
#include "core/image/quality.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORE_MS = 30000 };

struct enrolment {
    actor_token token;
    const struct msg_enrol *ask;      /* referenced */
    const struct worker_event *event; /* referenced, once there is one */
    char *path;                       /* owned; of the stored photo; NULL: only the template is kept */
};

static void enroller_destroy_ask(struct msg *m)
{
    arena_free(&((struct msg_enrol *)m)->arena);
}

struct msg_enrol *msg_enrol_new(const char *name, int64_t person, const char *photo, const char *path,
                                const void *bytes, size_t len)
{
    struct msg_enrol *m = (struct msg_enrol *)msg_new(MSG_ENROL, sizeof *m);

    m->head.destroy = enroller_destroy_ask;
    m->head.size_bytes += len;
    m->name = arena_text(&m->arena, name);
    m->person = person;
    m->photo = arena_text(&m->arena, photo);
    m->path = arena_text(&m->arena, path);
    if (bytes) {
        m->bytes = arena_copy(&m->arena, bytes, len);
        m->len = len;
    }
    return m;
}

static void enroller_end(struct actor *self, struct enrolment *e, int status, int64_t person, int64_t photo,
                         const char *reason)
{
    struct msg_enrolled *m = (struct msg_enrolled *)msg_new(MSG_ENROLLED, sizeof *m);

    m->status = status;
    m->person = person;
    m->photo = photo;
    snprintf(m->reason, sizeof m->reason, "%s", reason);
    actor_answer(self, e->token, &m->head);
    msg_unref(&e->ask->head);
    msg_unref(e->event ? &e->event->head : NULL);
    free(e->path);
    free(e);
}

static int enroller_status(int status)
{
    if (status == STORE_CONFLICT || status == STORE_BAD_NAME) /* the name; a later try fails in the same way */
        return ENROLLED_REFUSED;
    return status == STORE_NOT_FOUND ? ENROLLED_NO_PERSON : ENROLLED_LATER;
}

static void enroller_on_added(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct enrolment *e = context;

    if (status != ACTOR_OK) {
        enroller_end(self, e, ENROLLED_LATER, 0, 0, actor_status_name(status));
    } else if (r->status != STORE_OK) {
        enroller_end(self, e, enroller_status(r->status), 0, 0, r->error);
    } else {
        log_event(LOG_INFO, "enrolled", LOG_INT("person", r->id), LOG_STR("photo", e->ask->photo));
        enroller_end(self, e, ENROLLED_OK, r->id, r->photo_count ? r->photos->id : 0, "");
    }
}

static void enroller_add_photo(struct actor *self, struct enrolment *e)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    const struct face *face = e->event->hello.dimension ? &e->event->faces[0] : NULL;
    struct arena *a = &m->m.arena;

    m->person = e->ask->person;
    m->person_name = arena_text(a, e->ask->name);
    m->photo_name = arena_text(a, e->ask->photo);
    m->path = arena_text(a, e->path);
    m->sha256 = e->event->done.sha256[0] ? arena_text(a, e->event->done.sha256) : NULL;
    m->model = arena_text(a, e->event->hello.model);
    if (face) {
        m->embedding =
            (const float *)(const void *)arena_copy(a, face->embedding, (size_t)face->dimension * sizeof(float));
        m->dimension = face->dimension;
    }
    m->spooled = e->ask->bytes != NULL && e->path;
    m->adopted_photo = e->ask->adopted_photo;
    actor_ask(self, "store", &m->m.head, STORE_MS, enroller_on_added, e);
}

static void enroller_on_spooled(struct actor *self, const struct spool_job *job)
{
    struct enrolment *e = job->context;

    if (job->status < 0) {
        enroller_end(self, e, ENROLLED_LATER, 0, 0, job->error.text);
        return;
    }
    e->path = strdup(job->path);
    enroller_add_photo(self, e);
}

static void enroller_spool_photo(struct actor *self, struct enrolment *e)
{
    const struct enroller_config *config = actor_config(self);
    struct spool_job *job;

    if (!e->ask->bytes || !config->spool) {
        e->path = e->ask->path ? strdup(e->ask->path) : NULL;
        enroller_add_photo(self, e);
        return;
    }
    job = spool_job_new(MSG_ENROLLER_SPOOLED, config->spool, e->ask->bytes, e->ask->len, e);
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &job->head, spool_work) < 0)
        enroller_end(self, e, ENROLLED_LATER, 0, 0, "too many images are being written");
}

static void enroller_on_recognized(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct enroller_config *config = actor_config(self);
    const struct msg_recognized *r = (const struct msg_recognized *)reply;
    struct enrolment *e = context;
    char words[REASON_BYTES];

    if (status != ACTOR_OK) {
        enroller_end(self, e, ENROLLED_LATER, 0, 0, actor_status_name(status));
    } else if (r->outcome == RECOGNIZED_BAD_IMAGE || r->outcome == RECOGNIZED_POISON) {
        enroller_end(self, e, ENROLLED_REFUSED, 0, 0, r->outcome == RECOGNIZED_POISON ? "poison" : r->reason);
    } else if (r->outcome != RECOGNIZED_OK) {
        enroller_end(self, e, ENROLLED_LATER, 0, 0, r->reason[0] ? r->reason : recognized_name(r->outcome));
    } else if (r->event->hello.dimension == 0) { /* the recogniser matches by itself and gives no embedding */
        msg_ref(&r->event->head);
        e->event = r->event;
        enroller_spool_photo(self, e);
    } else if (r->event->face_count == 0) {
        enroller_end(self, e, ENROLLED_NO_FACE, 0, 0, "no face found");
    } else if (r->event->face_count > 1) {
        snprintf(words, sizeof words, "%d faces found; a photo to enrol must show one", r->event->face_count);
        enroller_end(self, e, ENROLLED_FACES, 0, 0, words);
    } else if (r->event->faces[0].quality < config->quality) {
        snprintf(words, sizeof words, "%s: its quality is %.2f, and %.2f is the least to enrol (KITH_ENROLL_QUALITY)",
                 quality_flaw_words(r->event->faces[0].flaw), (double)r->event->faces[0].quality,
                 (double)config->quality);
        enroller_end(self, e, ENROLLED_REFUSED, 0, 0, words);
    } else if (!r->event->faces[0].embedding) {
        enroller_end(self, e, ENROLLED_REFUSED, 0, 0, "the recogniser gave no embedding of this photo");
    } else {
        msg_ref(&r->event->head);
        e->event = r->event;
        enroller_spool_photo(self, e);
    }
}

static void enroller_receive(struct actor *self, const struct msg *m)
{
    const struct enroller_config *config = actor_config(self);
    const struct msg_enrol *ask = (const struct msg_enrol *)m;
    struct msg_recognize *recognize;
    struct enrolment *e;

    if (m->type != MSG_ENROL) {
        enroller_on_spooled(self, (const struct spool_job *)m);
        return;
    }
    e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->token = actor_defer(self);
    e->ask = (const struct msg_enrol *)msg_ref(m);
    recognize = msg_recognize_new(JOB_RECOGNIZE, ask->path ? ask->path : ask->photo, ask->bytes, ask->len);
    recognize->urgent = ask->urgent;
    recognize->enrol = true;
    actor_ask(self, config->recognizer, &recognize->head, config->call_ms, enroller_on_recognized, e);
}

static const uint32_t enroller_accepts[] = {MSG_ENROL, MSG_ENROLLER_SPOOLED, 0};

const struct actor_ops enroller_actor = {.name = "enroller", .accepts = enroller_accepts, .receive = enroller_receive};
