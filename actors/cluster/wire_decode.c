/* Bytes to messages. Every value is checked here, so that a peer's message is as safe as one of this node: numbers are
 * finite, counts and enums are in range. */
#include "actors/cluster/wire.h"

#include "actors/messages.h"
#include "core/image/quality.h"
#include "kith.pb-c.h"

#include <math.h>
#include <stdio.h>

enum { FACES_MAX = 200, LANDMARKS_FLOATS_MAX = 2 * KITH_LANDMARKS_MAX, DIMENSION_MAX = 65536, CANDIDATES_MAX = 50 };

static bool wire_all_finite(const float *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(list[i]))
            return false;
    return true;
}

static float *wire_copy_floats(struct arena *a, const float *list, size_t count)
{
    return count ? (float *)(void *)arena_copy(a, list, count * sizeof *list) : NULL;
}

static bool wire_read_candidates(struct arena *a, const Kith__V1__Face *from, struct face *f)
{
    struct candidate *list;

    if (from->n_candidates > CANDIDATES_MAX)
        return false;
    list = arena_alloc(a, from->n_candidates * sizeof *list + 1);
    for (size_t i = 0; i < from->n_candidates; i++) {
        if (!isfinite(from->candidates[i]->distance) || !isfinite(from->candidates[i]->similarity))
            return false;
        list[i] = (struct candidate){.person = from->candidates[i]->person,
                                     .name = arena_text(a, from->candidates[i]->name),
                                     .distance = from->candidates[i]->distance,
                                     .similarity = from->candidates[i]->similarity,
                                     .template = from->candidates[i]->template_id};
    }
    f->candidates = list;
    f->candidate_count = (int)from->n_candidates;
    return true;
}

static bool wire_face_valid(const Kith__V1__Face *f)
{
    const float numbers[] = {f->x, f->y, f->width, f->height, f->quality};

    return f->n_landmarks <= LANDMARKS_FLOATS_MAX && f->n_landmarks % 2 == 0 && f->n_embedding <= DIMENSION_MAX &&
           wire_all_finite(numbers, sizeof numbers / sizeof numbers[0]) &&
           wire_all_finite(f->landmarks, f->n_landmarks) && wire_all_finite(f->embedding, f->n_embedding) &&
           isfinite(f->distance) && isfinite(f->similarity) && f->flaw < FLAWS;
}

static bool wire_read_face(struct arena *a, const Kith__V1__Face *from, const char *model, struct face *f, bool matched)
{
    if (!wire_face_valid(from))
        return false;
    *f = (struct face){.x = from->x,
                       .y = from->y,
                       .width = from->width,
                       .height = from->height,
                       .quality = from->quality,
                       .flaw = (int)from->flaw,
                       .model = model,
                       .landmarks = wire_copy_floats(a, from->landmarks, from->n_landmarks),
                       .landmark_count = (int)(from->n_landmarks / 2),
                       .embedding = wire_copy_floats(a, from->embedding, from->n_embedding),
                       .dimension = (int)from->n_embedding,
                       .distance = from->distance,
                       .person = PERSON_UNKNOWN};
    if (!matched) {
        f->person_name = from->label[0] ? arena_text(a, from->label) : NULL;
        return true;
    }
    f->similarity = from->similarity;
    f->person = from->person;
    f->template = from->template_id;
    f->label = from->label[0] ? arena_text(a, from->label) : NULL;
    f->decision = decision_read(from->decision);
    f->person_name = from->person_name[0] ? arena_text(a, from->person_name) : NULL;
    return wire_read_candidates(a, from, f);
}

static bool wire_read_faces(struct arena *a, const Kith__V1__Found *from, const char *model, struct face **faces,
                            int *count, bool matched)
{
    if (from->n_faces > FACES_MAX)
        return false;
    *faces = arena_alloc(a, from->n_faces * sizeof **faces + 1);
    *count = (int)from->n_faces;
    for (size_t i = 0; i < from->n_faces; i++)
        if (!wire_read_face(a, from->faces[i], model, &(*faces)[i], matched))
            return false;
    return true;
}

static void wire_destroy_event(struct msg *m)
{
    arena_free(&((struct worker_event *)m)->arena);
}

/* Builds the event that a worker of this node would send. NULL: a value is not valid. */
static struct worker_event *wire_read_found(const Kith__V1__Found *from)
{
    struct worker_event *e;

    if (!from)
        return NULL;
    e = (struct worker_event *)msg_new(WORKER_DONE, sizeof *e);
    e->head.destroy = wire_destroy_event;
    snprintf(e->hello.name, sizeof e->hello.name, "%s", from->recognizer);
    snprintf(e->hello.version, sizeof e->hello.version, "%s", from->recognizer_version);
    snprintf(e->hello.model, sizeof e->hello.model, "%s", from->model);
    e->hello.metric = from->metric;
    e->hello.dimension = from->dimension;
    e->hello.threshold = from->threshold;
    e->done.width = from->width;
    e->done.height = from->height;
    e->done.partial = from->partial != 0;
    e->done.cpu_us = from->cpu_us;
    e->done.face_count = (uint32_t)from->n_faces;
    snprintf(e->done.sha256, sizeof e->done.sha256, "%s", from->sha256);
    if (from->picture.len) {
        e->picture = (uint8_t *)arena_copy(&e->arena, from->picture.data, from->picture.len);
        e->picture_len = from->picture.len;
    }
    if (!isfinite(from->threshold) || from->dimension > DIMENSION_MAX || from->metric < KITH_METRIC_L2 ||
        from->metric > KITH_METRIC_CHI_SQUARE ||
        !wire_read_faces(&e->arena, from, e->hello.model, &e->faces, &e->face_count, false)) {
        msg_unref(&e->head);
        return NULL;
    }
    e->head.size_bytes += e->arena.total;
    return e;
}

static struct msg *wire_read_recognize(const void *body, size_t len)
{
    Kith__V1__Recognize *from = kith__v1__recognize__unpack(NULL, len, body);
    struct msg_recognize *m = NULL;

    if (from && from->kind >= JOB_RECOGNIZE && from->kind <= JOB_PICTURE && isfinite(from->x) && isfinite(from->y) &&
        isfinite(from->width) && isfinite(from->height)) {
        m = msg_recognize_new((int)from->kind, from->path, from->has_bytes ? from->bytes.data : NULL, from->bytes.len);
        m->urgent = from->urgent;
        m->enrol = from->enrol;
        m->x = from->x;
        m->y = from->y;
        m->width = from->width;
        m->height = from->height;
        m->side = from->side;
        snprintf(m->trace, sizeof m->trace, "%s", from->trace);
    }
    kith__v1__recognize__free_unpacked(from, NULL);
    return m ? &m->head : NULL;
}

static struct msg *wire_read_recognized(const void *body, size_t len)
{
    Kith__V1__Recognized *from = kith__v1__recognized__unpack(NULL, len, body);
    struct msg_recognized *m = NULL;

    if (from && from->outcome <= RECOGNIZED_STOPPING) {
        m = msg_recognized_new((int)from->outcome, from->reason);
        snprintf(m->sha256, sizeof m->sha256, "%s", from->sha256);
        if (from->file_size >= 0)
            m->file = (struct file_stamp){from->file_size, from->file_mtime_ns};
        m->event = wire_read_found(from->found);
        if (m->outcome == RECOGNIZED_OK && !m->event) {
            msg_unref(&m->head);
            m = NULL;
        }
    }
    kith__v1__recognized__free_unpacked(from, NULL);
    return m ? &m->head : NULL;
}

static struct msg *wire_read_match(const void *body, size_t len)
{
    Kith__V1__Match *from = kith__v1__match__unpack(NULL, len, body);
    struct worker_event *e = from ? wire_read_found(from->found) : NULL;
    struct msg_match *m = e ? msg_match_new(e) : NULL;

    msg_unref(e ? &e->head : NULL);
    kith__v1__match__free_unpacked(from, NULL);
    return m ? &m->head : NULL;
}

static struct msg *wire_read_matched(const void *body, size_t len)
{
    Kith__V1__Matched *from = kith__v1__matched__unpack(NULL, len, body);
    struct worker_event *e = from ? wire_read_found(from->found) : NULL;
    struct msg_matched *m = e ? msg_matched_new(e) : NULL;

    if (m && !isfinite(from->threshold)) {
        msg_unref(&m->head);
        m = NULL;
    }
    if (m) {
        m->generation = from->generation;
        m->threshold = from->threshold;
        snprintf(m->unmatched_label, sizeof m->unmatched_label, "%s", from->unmatched_label);
        if (!wire_read_faces(&m->arena, from->found, e->hello.model, &m->faces, &m->face_count, true)) {
            msg_unref(&m->head);
            m = NULL;
        }
    }
    msg_unref(e ? &e->head : NULL);
    kith__v1__matched__free_unpacked(from, NULL);
    return m ? &m->head : NULL;
}

struct msg *wire_decode(uint32_t wire_type, const void *body, size_t len)
{
    switch (wire_type) {
    case KITH__V1__TYPE__TYPE_RECOGNIZE:
        return wire_read_recognize(body, len);
    case KITH__V1__TYPE__TYPE_RECOGNIZED:
        return wire_read_recognized(body, len);
    case KITH__V1__TYPE__TYPE_MATCH:
        return wire_read_match(body, len);
    case KITH__V1__TYPE__TYPE_MATCHED:
        return wire_read_matched(body, len);
    case KITH__V1__TYPE__TYPE_GALLERY_CHANGED:
        return msg_new(MSG_GALLERY_CHANGED, sizeof(struct msg));
    case KITH__V1__TYPE__TYPE_GALLERY_RESOLVED:
        return msg_new(MSG_GALLERY_READ, sizeof(struct msg));
    case KITH__V1__TYPE__TYPE_STORE_CHANGED:
        return msg_new(STORE_CHANGED, sizeof(struct msg));
    case KITH__V1__TYPE__TYPE_NUDGE:
        return msg_new(MSG_NUDGE, sizeof(struct msg));
    default:
        return NULL;
    }
}
