/* Messages to bytes. */
#include "actors/cluster/wire.h"

#include "actors/messages.h"
#include "core/base/must.h"
#include "kith.pb-c.h"

#include <stdlib.h>

static char *wire_text(const char *s)
{
    return (char *)(uintptr_t)(s ? s : "");
}

static void wire_pack(struct buf *body, const ProtobufCMessage *m)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *at = malloc(len + 1);

    if (!at)
        out_of_memory();
    protobuf_c_message_pack(m, at);
    buf_add(body, at, len);
    free(at);
}

static Kith__V1__Candidate **wire_write_candidates(struct arena *a, const struct face *f)
{
    Kith__V1__Candidate **list = arena_alloc(a, (size_t)f->candidate_count * sizeof *list + 1);

    for (int i = 0; i < f->candidate_count; i++) {
        const struct candidate *c = &f->candidates[i];

        list[i] = arena_alloc(a, sizeof **list);
        kith__v1__candidate__init(list[i]);
        list[i]->person = c->person;
        list[i]->name = wire_text(c->name);
        list[i]->distance = c->distance;
        list[i]->similarity = c->similarity;
        list[i]->template_id = c->template;
    }
    return list;
}

static Kith__V1__Face *wire_write_face(struct arena *a, const struct face *f, bool matched)
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
        to->template_id = f->template;
        to->person_name = wire_text(f->person_name);
        to->label = wire_text(f->label);
        to->n_candidates = (size_t)f->candidate_count;
        to->candidates = wire_write_candidates(a, f);
        if (f->decision.rule) {
            to->decision = arena_alloc(a, DECISION_BYTES);
            decision_write(&f->decision, to->decision);
        }
    } else {
        to->label = wire_text(f->person_name); /* a recogniser's label stands there */
    }
    return to;
}

static Kith__V1__Found *wire_write_found(struct arena *a, const struct worker_event *e, const struct face *faces,
                                         int count, bool matched)
{
    Kith__V1__Found *to = arena_alloc(a, sizeof *to);

    kith__v1__found__init(to);
    to->recognizer = wire_text(e->hello.name);
    to->recognizer_version = wire_text(e->hello.version);
    to->model = wire_text(e->hello.model);
    to->metric = e->hello.metric;
    to->dimension = e->hello.dimension;
    to->threshold = e->hello.threshold;
    to->width = e->done.width;
    to->height = e->done.height;
    to->partial = e->done.partial != 0;
    to->cpu_us = e->done.cpu_us;
    to->sha256 = wire_text(e->done.sha256);
    to->picture = (ProtobufCBinaryData){.data = e->picture, .len = e->picture_len};
    to->n_faces = (size_t)count;
    to->faces = arena_alloc(a, (size_t)count * sizeof *to->faces + 1);
    for (int i = 0; i < count; i++)
        to->faces[i] = wire_write_face(a, &faces[i], matched);
    return to;
}

static void wire_write_recognize(struct buf *body, const struct msg_recognize *m)
{
    Kith__V1__Recognize to = KITH__V1__RECOGNIZE__INIT;

    to.kind = (uint32_t)m->kind;
    to.urgent = m->urgent;
    to.enrol = m->enrol;
    to.path = wire_text(m->path);
    to.has_bytes = m->bytes != NULL;
    to.bytes = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)m->bytes, .len = m->len};
    to.x = m->x;
    to.y = m->y;
    to.width = m->width;
    to.height = m->height;
    to.side = m->side;
    to.trace = wire_text(m->trace);
    wire_pack(body, &to.base);
}

static void wire_write_recognized(struct buf *body, const struct msg_recognized *m, struct arena *a)
{
    Kith__V1__Recognized to = KITH__V1__RECOGNIZED__INIT;

    to.outcome = (uint32_t)m->outcome;
    to.reason = wire_text(m->reason);
    to.sha256 = wire_text(m->sha256);
    to.file_size = m->file.size;
    to.file_mtime_ns = m->file.mtime_ns;
    to.found = m->event ? wire_write_found(a, m->event, m->event->faces, m->event->face_count, false) : NULL;
    wire_pack(body, &to.base);
}

static void wire_write_match(struct buf *body, const struct msg_match *m, struct arena *a)
{
    Kith__V1__Match to = KITH__V1__MATCH__INIT;

    to.found = wire_write_found(a, m->event, m->event->faces, m->event->face_count, false);
    wire_pack(body, &to.base);
}

static void wire_write_matched(struct buf *body, const struct msg_matched *m, struct arena *a)
{
    Kith__V1__Matched to = KITH__V1__MATCHED__INIT;

    to.found = wire_write_found(a, m->event, m->faces, m->face_count, true);
    to.generation = m->generation;
    to.threshold = m->threshold;
    to.unmatched_label = wire_text(m->unmatched_label);
    wire_pack(body, &to.base);
}

uint32_t wire_encode(const struct msg *m, struct buf *body)
{
    struct arena a = {0};
    uint32_t type = KITH__V1__TYPE__TYPE_NONE;

    switch (m->type) {
    case MSG_RECOGNIZE:
        type = KITH__V1__TYPE__TYPE_RECOGNIZE;
        wire_write_recognize(body, (const struct msg_recognize *)m);
        break;
    case MSG_RECOGNIZED:
        type = KITH__V1__TYPE__TYPE_RECOGNIZED;
        wire_write_recognized(body, (const struct msg_recognized *)m, &a);
        break;
    case MSG_MATCH:
        type = KITH__V1__TYPE__TYPE_MATCH;
        wire_write_match(body, (const struct msg_match *)m, &a);
        break;
    case MSG_MATCHED:
        type = KITH__V1__TYPE__TYPE_MATCHED;
        wire_write_matched(body, (const struct msg_matched *)m, &a);
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
