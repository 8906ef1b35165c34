#include "actors/cluster/wire.h"

#include "actors/messages.h"
#include "kith.pb-c.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FACES_MAX = 200, LANDMARKS_FLOATS_MAX = 2 * KITH_LANDMARKS_MAX, DIMENSION_MAX = 65536, CANDIDATES_MAX = 50 };

/* --- to bytes --- */

static char *text(const char *s)
{
    return (char *)(uintptr_t)(s ? s : "");
}

static void pack(struct buf *body, const ProtobufCMessage *m)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *at = malloc(len + 1);

    if (!at)
        abort();
    protobuf_c_message_pack(m, at);
    buf_add(body, at, len);
    free(at);
}

static Kith__V1__Candidate **put_candidates(struct arena *a, const struct face *f)
{
    Kith__V1__Candidate **list = arena_alloc(a, (size_t)f->candidate_count * sizeof *list + 1);

    for (int i = 0; i < f->candidate_count; i++) {
        const struct candidate *c = &f->candidates[i];

        list[i] = arena_alloc(a, sizeof **list);
        kith__v1__candidate__init(list[i]);
        list[i]->person = c->person;
        list[i]->name = text(c->name);
        list[i]->distance = c->distance;
        list[i]->similarity = c->similarity;
    }
    return list;
}

static Kith__V1__Face *put_face(struct arena *a, const struct face *f, bool matched)
{
    Kith__V1__Face *to = arena_alloc(a, sizeof *to);

    kith__v1__face__init(to);
    to->x = f->x;
    to->y = f->y;
    to->width = f->width;
    to->height = f->height;
    to->quality = f->quality;
    to->flaw = (uint32_t)f->flaw;
    to->landmarks = (float *)(uintptr_t)f->landmarks;
    to->n_landmarks = (size_t)f->landmark_count * 2;
    to->embedding = (float *)(uintptr_t)f->embedding;
    to->n_embedding = f->embedding ? (size_t)f->dimension : 0;
    to->distance = f->distance;
    if (matched) {
        to->similarity = f->similarity;
        to->person = f->person;
        to->person_name = text(f->person_name);
        to->n_candidates = (size_t)f->candidate_count;
        to->candidates = put_candidates(a, f);
        if (f->decision.rule) {
            to->decision = arena_alloc(a, DECISION_BYTES);
            decision_write(&f->decision, to->decision);
        }
    } else {
        to->label = text(f->person_name); /* a recogniser's label stands there */
    }
    return to;
}

static Kith__V1__Found *put_found(struct arena *a, const struct worker_event *e, const struct face *faces, int count,
                                  bool matched)
{
    Kith__V1__Found *to = arena_alloc(a, sizeof *to);

    kith__v1__found__init(to);
    to->recognizer = text(e->hello.name);
    to->recognizer_version = text(e->hello.version);
    to->model = text(e->hello.model);
    to->metric = e->hello.metric;
    to->dimension = e->hello.dimension;
    to->threshold = e->hello.threshold;
    to->width = e->done.width;
    to->height = e->done.height;
    to->cpu_us = e->done.cpu_us;
    to->sha256 = text(e->done.sha256);
    to->picture = (ProtobufCBinaryData){.data = e->picture, .len = e->picture_len};
    to->n_faces = (size_t)count;
    to->faces = arena_alloc(a, (size_t)count * sizeof *to->faces + 1);
    for (int i = 0; i < count; i++)
        to->faces[i] = put_face(a, &faces[i], matched);
    return to;
}

static void put_recognize(struct buf *body, const struct msg_recognize *m)
{
    Kith__V1__Recognize to = KITH__V1__RECOGNIZE__INIT;

    to.kind = (uint32_t)m->kind;
    to.urgent = m->urgent;
    to.enrol = m->enrol;
    to.path = text(m->path);
    to.has_bytes = m->bytes != NULL;
    to.bytes = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)m->bytes, .len = m->len};
    to.x = m->x;
    to.y = m->y;
    to.width = m->width;
    to.height = m->height;
    to.side = m->side;
    to.trace = text(m->trace);
    pack(body, &to.base);
}

static void put_recognized(struct buf *body, const struct msg_recognized *m, struct arena *a)
{
    Kith__V1__Recognized to = KITH__V1__RECOGNIZED__INIT;

    to.outcome = (uint32_t)m->outcome;
    to.reason = text(m->reason);
    to.sha256 = text(m->sha256);
    to.found = m->event ? put_found(a, m->event, m->event->faces, m->event->face_count, false) : NULL;
    pack(body, &to.base);
}

static void put_match(struct buf *body, const struct msg_match *m, struct arena *a)
{
    Kith__V1__Match to = KITH__V1__MATCH__INIT;

    to.found = put_found(a, m->event, m->event->faces, m->event->face_count, false);
    pack(body, &to.base);
}

static void put_matched(struct buf *body, const struct msg_matched *m, struct arena *a)
{
    Kith__V1__Matched to = KITH__V1__MATCHED__INIT;

    to.found = put_found(a, m->event, m->faces, m->face_count, true);
    to.generation = m->generation;
    to.threshold = m->threshold;
    to.unmatched_label = text(m->unmatched_label);
    pack(body, &to.base);
}

uint32_t wire_encode(const struct msg *m, struct buf *body)
{
    struct arena a = {0};
    uint32_t type = KITH__V1__TYPE__TYPE_NONE;

    switch (m->type) {
    case MSG_RECOGNIZE:
        type = KITH__V1__TYPE__TYPE_RECOGNIZE;
        put_recognize(body, (const struct msg_recognize *)m);
        break;
    case MSG_RECOGNIZED:
        type = KITH__V1__TYPE__TYPE_RECOGNIZED;
        put_recognized(body, (const struct msg_recognized *)m, &a);
        break;
    case MSG_MATCH:
        type = KITH__V1__TYPE__TYPE_MATCH;
        put_match(body, (const struct msg_match *)m, &a);
        break;
    case MSG_MATCHED:
        type = KITH__V1__TYPE__TYPE_MATCHED;
        put_matched(body, (const struct msg_matched *)m, &a);
        break;
    case MSG_GALLERY_CHANGED:
        type = KITH__V1__TYPE__TYPE_GALLERY_CHANGED;
        break;
    case MSG_GALLERY_READ:
        type = KITH__V1__TYPE__TYPE_GALLERY_RESOLVED;
        break;
    case STORE_CHANGED:
        type = KITH__V1__TYPE__TYPE_STORE_CHANGED;
        break;
    case MSG_NUDGE:
        type = KITH__V1__TYPE__TYPE_NUDGE;
        break;
    }
    arena_free(&a);
    return type;
}

/* --- from bytes --- */

static bool all_finite(const float *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(list[i]))
            return false;
    return true;
}

static float *copy_floats(struct arena *a, const float *list, size_t count)
{
    return count ? (float *)(void *)arena_copy(a, list, count * sizeof *list) : NULL;
}

static bool take_candidates(struct arena *a, const Kith__V1__Face *from, struct face *f)
{
    struct candidate *list = arena_alloc(a, from->n_candidates * sizeof *list + 1);

    if (from->n_candidates > CANDIDATES_MAX)
        return false;
    for (size_t i = 0; i < from->n_candidates; i++)
        list[i] = (struct candidate){.person = from->candidates[i]->person,
                                     .name = arena_text(a, from->candidates[i]->name),
                                     .distance = from->candidates[i]->distance,
                                     .similarity = from->candidates[i]->similarity};
    f->candidates = list;
    f->candidate_count = (int)from->n_candidates;
    return true;
}

static bool take_face(struct arena *a, const Kith__V1__Face *from, const char *model, struct face *f, bool matched)
{
    if (from->n_landmarks > LANDMARKS_FLOATS_MAX || from->n_landmarks % 2 || from->n_embedding > DIMENSION_MAX ||
        !all_finite(from->landmarks, from->n_landmarks) || !all_finite(from->embedding, from->n_embedding) ||
        !isfinite(from->x) || !isfinite(from->y) || !isfinite(from->width) || !isfinite(from->height))
        return false;
    *f = (struct face){.x = from->x,
                       .y = from->y,
                       .width = from->width,
                       .height = from->height,
                       .quality = from->quality,
                       .flaw = (int)from->flaw,
                       .model = model,
                       .landmarks = copy_floats(a, from->landmarks, from->n_landmarks),
                       .landmark_count = (int)(from->n_landmarks / 2),
                       .embedding = copy_floats(a, from->embedding, from->n_embedding),
                       .dimension = (int)from->n_embedding,
                       .distance = from->distance,
                       .person = PERSON_UNKNOWN};
    if (!matched) {
        f->person_name = from->label[0] ? arena_text(a, from->label) : NULL;
        return true;
    }
    f->similarity = from->similarity;
    f->person = from->person;
    f->decision = decision_read(from->decision);
    f->person_name = from->person_name[0] ? arena_text(a, from->person_name) : NULL;
    return take_candidates(a, from, f);
}

static bool take_faces(struct arena *a, const Kith__V1__Found *from, const char *model, struct face **faces, int *count,
                       bool matched)
{
    if (from->n_faces > FACES_MAX)
        return false;
    *faces = arena_alloc(a, from->n_faces * sizeof **faces + 1);
    *count = (int)from->n_faces;
    for (size_t i = 0; i < from->n_faces; i++)
        if (!take_face(a, from->faces[i], model, &(*faces)[i], matched))
            return false;
    return true;
}

static void destroy_event(struct msg *m)
{
    arena_free(&((struct worker_event *)m)->arena);
}

/* As if a worker of this node had said it. NULL when it cannot be. */
static struct worker_event *take_found(const Kith__V1__Found *from)
{
    struct worker_event *e;

    if (!from)
        return NULL;
    e = (struct worker_event *)msg_new(WORKER_DONE, sizeof *e);
    e->head.destroy = destroy_event;
    snprintf(e->hello.name, sizeof e->hello.name, "%s", from->recognizer);
    snprintf(e->hello.version, sizeof e->hello.version, "%s", from->recognizer_version);
    snprintf(e->hello.model, sizeof e->hello.model, "%s", from->model);
    e->hello.metric = from->metric;
    e->hello.dimension = from->dimension;
    e->hello.threshold = from->threshold;
    e->done.width = from->width;
    e->done.height = from->height;
    e->done.cpu_us = from->cpu_us;
    e->done.face_count = (uint32_t)from->n_faces;
    snprintf(e->done.sha256, sizeof e->done.sha256, "%s", from->sha256);
    if (from->picture.len) {
        e->picture = (uint8_t *)arena_copy(&e->arena, from->picture.data, from->picture.len);
        e->picture_len = from->picture.len;
    }
    if (from->metric < KITH_METRIC_L2 || from->metric > KITH_METRIC_CHI_SQUARE ||
        !take_faces(&e->arena, from, e->hello.model, &e->faces, &e->face_count, false)) {
        msg_unref(&e->head);
        return NULL;
    }
    e->head.size_bytes += e->arena.total;
    return e;
}

static struct msg *take_recognize(const void *body, size_t len)
{
    Kith__V1__Recognize *from = kith__v1__recognize__unpack(NULL, len, body);
    struct msg_recognize *m = NULL;

    if (from && from->kind >= JOB_RECOGNIZE && from->kind <= JOB_PICTURE) {
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

static struct msg *take_recognized(const void *body, size_t len)
{
    Kith__V1__Recognized *from = kith__v1__recognized__unpack(NULL, len, body);
    struct msg_recognized *m = NULL;

    if (from && from->outcome <= RECOGNIZED_STOPPING) {
        m = msg_recognized_new((int)from->outcome, from->reason);
        snprintf(m->sha256, sizeof m->sha256, "%s", from->sha256);
        m->event = take_found(from->found);
        if (m->outcome == RECOGNIZED_OK && !m->event) {
            msg_unref(&m->head);
            m = NULL;
        }
    }
    kith__v1__recognized__free_unpacked(from, NULL);
    return m ? &m->head : NULL;
}

static struct msg *take_match(const void *body, size_t len)
{
    Kith__V1__Match *from = kith__v1__match__unpack(NULL, len, body);
    struct worker_event *e = from ? take_found(from->found) : NULL;
    struct msg_match *m = e ? msg_match_new(e) : NULL;

    msg_unref(e ? &e->head : NULL);
    kith__v1__match__free_unpacked(from, NULL);
    return m ? &m->head : NULL;
}

static struct msg *take_matched(const void *body, size_t len)
{
    Kith__V1__Matched *from = kith__v1__matched__unpack(NULL, len, body);
    struct worker_event *e = from ? take_found(from->found) : NULL;
    struct msg_matched *m = e ? msg_matched_new(e) : NULL;

    if (m) {
        m->generation = from->generation;
        m->threshold = from->threshold;
        snprintf(m->unmatched_label, sizeof m->unmatched_label, "%s", from->unmatched_label);
        if (!take_faces(&m->arena, from->found, e->hello.model, &m->faces, &m->face_count, true)) {
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
        return take_recognize(body, len);
    case KITH__V1__TYPE__TYPE_RECOGNIZED:
        return take_recognized(body, len);
    case KITH__V1__TYPE__TYPE_MATCH:
        return take_match(body, len);
    case KITH__V1__TYPE__TYPE_MATCHED:
        return take_matched(body, len);
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

struct msg *wire_copy(struct msg *m)
{
    struct buf body = {0};
    uint32_t type = wire_encode(m, &body);
    struct msg *copy = type ? wire_decode(type, body.data ? body.data : "", body.len) : NULL;

    buf_free(&body);
    if (!copy)
        return m;
    msg_unref(m);
    return copy;
}
