/* Enrols a photo: makes a template of its face.
 *
 *   MSG_ENROL ─▶ recognizer ─▶ [several faces: gallery] ─▶ [bytes: spool] ─▶ STORE_PHOTO_ADD ─▶ MSG_ENROLLED
 *
 * The asker informs the gallery. Of several faces the one that stands out is enrolled (face_choice.h), or the one that
 * was chosen by hand; a photo with no such face is refused with its faces.
 *
 * Embedding anew: a photo that is enrolled gets a template more, and the face of a word an embedding
 * (STORE_EMBED_WORD).
 */
#include "actors/people/enroller.h"

#include "actors/people/face_choice.h"
#include "core/base/log/log.h"
#include "core/base/must.h"
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
    int face;                         /* number of the face that is enrolled */
    char sha256[SHA256_HEX_BYTES];
    bool added;
    struct buf faces; /* as JSON, when the choice is the client's */
};

static void enroller_destroy_reply(struct msg *m)
{
    buf_free(&((struct msg_enrolled *)m)->faces);
}

static void enroller_end(struct actor *self, struct enrolment *e, int status, int64_t person, int64_t photo,
                         const char *reason)
{
    struct msg_enrolled *m = (struct msg_enrolled *)msg_new(MSG_ENROLLED, sizeof *m);

    m->status = status;
    m->person = person;
    m->photo = photo;
    snprintf(m->reason, sizeof m->reason, "%s", reason);
    m->head.destroy = enroller_destroy_reply;
    m->faces = e->faces;
    m->added = e->added;
    memcpy(m->sha256, e->sha256, sizeof m->sha256);
    if (e->event)
        snprintf(m->model, sizeof m->model, "%s", e->event->hello.model);
    actor_answer(self, e->token, &m->head);
    msg_unref(&e->ask->head);
    msg_unref(e->event ? &e->event->head : NULL);
    free(e->path);
    free(e);
}

static int enroller_status(int status)
{
    switch (status) {
    case STORE_NOT_FOUND:
        return ENROLLED_NO_PERSON;
    case STORE_CONFLICT: /* the photo is another person's, or several people have that name */
        return ENROLLED_TAKEN;
    case STORE_BAD_NAME:
    case STORE_MISMATCH:
        return ENROLLED_REFUSED;
    default:
        return ENROLLED_LATER;
    }
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
        e->added = r->changed > 0;
        if (!e->ask->embedded_word)
            log_event(LOG_INFO, "enrolled", LOG_INT("person", r->id), LOG_STR("photo", e->ask->photo));
        enroller_end(self, e, ENROLLED_OK, r->id, r->photo_count ? r->photos->id : 0, "");
    }
}

static void enroller_add_photo(struct actor *self, struct enrolment *e)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    const struct face *face = e->event->hello.dimension ? &e->event->faces[e->face] : NULL;
    struct arena *a = &m->m.arena;
    char box[FACE_BOX_BYTES];

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
    if (face && e->event->face_count > 1) {
        face_box_write(face, box);
        m->face_box = arena_text(a, box);
    }
    m->embedded_photo = e->ask->embedded_photo;
    m->claim = e->ask->claim;
    m->chosen = e->ask->face >= 0;
    m->from_folder = e->ask->from_folder;
    m->spooled = e->ask->bytes != NULL && e->path;
    m->adopted_photo = e->ask->adopted_photo;
    actor_ask(self, "store", &m->m.head, STORE_MS, enroller_on_added, e);
}

/* --- the face of a word --- */

static void enroller_embed_word(struct actor *self, struct enrolment *e)
{
    const struct worker_event *event = e->event;
    struct face box = {
        .x = (float)e->ask->x, .y = (float)e->ask->y, .width = (float)e->ask->width, .height = (float)e->ask->height};
    const struct face *found = face_find_drawn(event->faces, event->face_count, &box);
    struct store_embed *m;
    struct face *face;

    if (!found || !found->embedding) {
        enroller_end(self, e, ENROLLED_NO_FACE, 0, 0, "no face found in the box");
        return;
    }
    m = STORE_MESSAGE(STORE_EMBED_WORD, store_embed);
    m->word = e->ask->embedded_word;
    m->claim = e->ask->claim;
    m->sha256 = event->done.sha256[0] ? arena_text(&m->m.arena, event->done.sha256) : NULL;
    m->face = face = arena_alloc(&m->m.arena, sizeof *face);
    *face = (struct face){.quality = found->quality,
                          .model = arena_text(&m->m.arena, event->hello.model),
                          .dimension = found->dimension,
                          .landmark_count = found->landmark_count};
    face->embedding = (const float *)(const void *)arena_copy(&m->m.arena, found->embedding,
                                                              (size_t)found->dimension * sizeof(float));
    face->landmarks = (const float *)(const void *)arena_copy(&m->m.arena, found->landmarks,
                                                              (size_t)found->landmark_count * 2 * sizeof(float));
    actor_ask(self, "store", &m->m.head, STORE_MS, enroller_on_added, e);
}

/* --- a photo --- */

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

static void enroller_take_face(struct actor *self, struct enrolment *e, int number)
{
    const struct enroller_config *config = actor_config(self);
    const struct face *face = &e->event->faces[number];
    char words[REASON_BYTES];

    e->face = number;
    if (face->quality < config->quality) {
        snprintf(words, sizeof words, "%s: its quality is %.2f, and %.2f is the least to enrol (KITH_ENROLL_QUALITY)",
                 quality_flaw_words(face->flaw), (double)face->quality, (double)config->quality);
        enroller_end(self, e, ENROLLED_REFUSED, 0, 0, words);
    } else if (!face->embedding) {
        enroller_end(self, e, ENROLLED_REFUSED, 0, 0, "the recogniser gave no embedding of this photo");
    } else {
        enroller_spool_photo(self, e);
    }
}

static void enroller_on_matched(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct enroller_config *config = actor_config(self);
    const struct msg_matched *m = (const struct msg_matched *)reply;
    struct enrolment *e = context;
    const struct face *faces = e->event->faces;
    int count = e->event->face_count, chosen;
    char words[REASON_BYTES] = "";

    if (status == ACTOR_OK && m->face_count == count)
        faces = m->faces;
    chosen = face_choose(faces, count, e->ask->person, e->ask->name, config->prominence, words, sizeof words);
    if (chosen >= 0) {
        enroller_take_face(self, e, chosen);
        return;
    }
    face_choice_json(&e->faces, faces, count);
    enroller_end(self, e, ENROLLED_FACES, 0, 0, words);
}

/* The photo shows several faces, or a certain one is asked for. */
static void enroller_choose_face(struct actor *self, struct enrolment *e)
{
    const struct enroller_config *config = actor_config(self);
    const struct worker_event *event = e->event;
    char words[REASON_BYTES];
    int found;

    if (e->ask->face >= event->face_count) {
        snprintf(words, sizeof words, "“face” is %d, and the photo shows %d: 0 to %d", e->ask->face, event->face_count,
                 event->face_count - 1);
        face_choice_json(&e->faces, event->faces, event->face_count);
        enroller_end(self, e, ENROLLED_FACES, 0, 0, words);
    } else if (e->ask->face >= 0) {
        enroller_take_face(self, e, e->ask->face);
    } else if (e->ask->face_box) {
        found = face_find_box(event->faces, event->face_count, e->ask->face_box);
        if (found >= 0)
            enroller_take_face(self, e, found);
        else
            enroller_end(self, e, ENROLLED_REFUSED, 0, 0, "the face that was enrolled is not found again");
    } else if (event->face_count == 1) {
        enroller_take_face(self, e, 0);
    } else if (e->ask->embedded_photo) { /* an older version did not store which face it was */
        enroller_end(self, e, ENROLLED_REFUSED, 0, 0, "several faces found, and the enrolled one is not known");
    } else {
        actor_ask(self, config->gallery, &msg_match_new(event)->head, config->call_ms, enroller_on_matched, e);
    }
}

static void enroller_on_recognized(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_recognized *r = (const struct msg_recognized *)reply;
    struct enrolment *e = context;

    if (status != ACTOR_OK) {
        enroller_end(self, e, ENROLLED_LATER, 0, 0, actor_status_name(status));
        return;
    }
    memcpy(e->sha256, r->sha256, sizeof e->sha256);
    if (r->outcome == RECOGNIZED_BAD_IMAGE || r->outcome == RECOGNIZED_POISON) {
        enroller_end(self, e, ENROLLED_REFUSED, 0, 0, r->outcome == RECOGNIZED_POISON ? "poison" : r->reason);
        return;
    }
    if (r->outcome != RECOGNIZED_OK) {
        enroller_end(self, e, ENROLLED_LATER, 0, 0, r->reason[0] ? r->reason : recognized_name(r->outcome));
        return;
    }
    msg_ref(&r->event->head);
    e->event = r->event;
    if (e->ask->embedded_word)
        enroller_embed_word(self, e);
    else if (r->event->hello.dimension == 0) /* the recogniser matches by itself and gives no embedding */
        enroller_spool_photo(self, e);
    else if (r->event->face_count == 0)
        enroller_end(self, e, ENROLLED_NO_FACE, 0, 0, "no face found");
    else
        enroller_choose_face(self, e);
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
        out_of_memory();
    e->token = actor_defer(self);
    e->ask = (const struct msg_enrol *)msg_ref(m);
    recognize = msg_recognize_new(JOB_RECOGNIZE, ask->path ? ask->path : ask->photo, ask->bytes, ask->len);
    recognize->urgent = ask->urgent;
    recognize->enrol = !ask->embedded_word;
    if (ask->embedded_word)
        msg_recognize_around(recognize, ask->x, ask->y, ask->width, ask->height);
    actor_ask(self, config->recognizer, &recognize->head, config->call_ms, enroller_on_recognized, e);
}

static const uint32_t enroller_accepts[] = {MSG_ENROL, MSG_ENROLLER_SPOOLED, 0};

const struct actor_ops enroller_actor = {.name = "enroller", .accepts = enroller_accepts, .receive = enroller_receive};
