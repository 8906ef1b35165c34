/* Packets from a worker. The parent does not trust them: it checks every length and number. */
#include "core/base/must.h"
#include "core/image/quality.h"
#include "plugins/host/worker_internal.h"
#include "plugins/host/worker_text.h"
#include "plugins/shared/face_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURE_MAX = 8 << 20, LABEL_MAX = 256 /* bytes, with the NUL */ };

static const uint64_t CPU_US_MAX = UINT64_C(3600) * 1000000; /* of one job */

static size_t receive_landmark_bytes(const struct packet_face *p)
{
    return (size_t)p->landmark_count * 2 * sizeof(float);
}

static size_t receive_embedding_bytes(const struct packet_face *p)
{
    return (size_t)p->dimension * sizeof(float);
}

/* `len`: of the packet's body, header included. */
static bool receive_has_length(const struct packet_face *p, size_t len)
{
    return p->landmark_count <= KITH_LANDMARKS_MAX && p->dimension <= PACKET_MAX / sizeof(float) &&
           p->label_bytes <= LABEL_MAX && p->flaw < FLAWS &&
           len == sizeof *p + receive_landmark_bytes(p) + receive_embedding_bytes(p) + p->label_bytes;
}

/* Keeps the first reason why the answer to the current job is refused. */
static void receive_note_fault(struct worker *w, const char *reason)
{
    if (!w->fault[0])
        snprintf(w->fault, sizeof w->fault, "%s", reason);
}

static bool receive_face_is_valid(struct worker *w, const struct packet_face *p, const float *landmarks,
                                  const float *embedding)
{
    const struct face_rules rules = {.metric = w->hello.metric, .dimension = w->hello.dimension};
    const struct face_numbers numbers = {.x = p->x,
                                         .y = p->y,
                                         .width = p->width,
                                         .height = p->height,
                                         .quality = p->quality,
                                         .label_distance = p->label_distance,
                                         .landmark_count = p->landmark_count,
                                         .dimension = p->dimension,
                                         .landmarks = landmarks,
                                         .embedding = embedding,
                                         .has_label = p->label_bytes > 0};
    struct error error;

    if (face_check(&numbers, &rules, &error) == 0)
        return true;
    receive_note_fault(w, error.text);
    return false;
}

/* A label in UTF-8; replacement characters may make it longer. */
static const char *receive_copy_label(struct arena *arena, const char *label, size_t bytes)
{
    char text[3 * LABEL_MAX];

    worker_text_copy(text, sizeof text, label, bytes, LABEL_MAX);
    return arena_copy(arena, text, strlen(text));
}

/* False when the packet is malformed; a face with an invalid number is noted as a fault of the answer. */
static bool receive_face(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->event;
    const float *landmarks, *embedding = NULL;
    struct packet_face p;
    struct face *f;

    if (len < sizeof p || e->face_count >= (int)w->options.max_faces)
        return false;
    memcpy(&p, body, sizeof p);
    if (!receive_has_length(&p, len))
        return false;
    body += sizeof p;
    landmarks = (const float *)(const void *)arena_copy(&e->arena, body, receive_landmark_bytes(&p));
    body += receive_landmark_bytes(&p);
    if (p.dimension)
        embedding = (const float *)(const void *)arena_copy(&e->arena, body, receive_embedding_bytes(&p));
    if (!receive_face_is_valid(w, &p, landmarks, embedding))
        return true;
    if (!e->faces)
        e->faces = arena_alloc(&e->arena, w->options.max_faces * sizeof *e->faces);
    f = &e->faces[e->face_count++];
    *f = (struct face){.x = p.x,
                       .y = p.y,
                       .width = p.width,
                       .height = p.height,
                       .quality = p.quality,
                       .flaw = (int)p.flaw,
                       .landmark_count = (int)p.landmark_count,
                       .landmarks = landmarks,
                       .dimension = (int)p.dimension,
                       .embedding = embedding,
                       .person = PERSON_UNKNOWN};
    if (p.label_bytes) {
        f->person_name = receive_copy_label(&e->arena, body + receive_embedding_bytes(&p), p.label_bytes - 1);
        f->distance = (double)p.label_distance;
    }
    return true;
}

static bool receive_picture(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->event;
    uint8_t *larger;

    if (len == 0 || e->picture_len + len > PICTURE_MAX)
        return false;
    if (!(larger = realloc(e->picture, e->picture_len + len)))
        out_of_memory();
    memcpy(larger + e->picture_len, body, len);
    e->picture = larger;
    e->picture_len += len;
    return true;
}

static float receive_clamp_ms(float ms)
{
    return ms > 0 && ms < 1e7f ? ms : 0;
}

/* A SHA-256 in hexadecimal digits with its NUL, or nothing but NULs. */
static bool receive_is_hash(const char *text)
{
    size_t digits = 0;

    while (digits < SHA256_HEX_BYTES - 1 && strchr("0123456789abcdef", text[digits]) && text[digits])
        digits++;
    return text[digits] == 0 && (digits == 0 || digits == SHA256_HEX_BYTES - 1);
}

/* What can be checked only at the end of an answer. */
static void receive_check_answer(struct worker *w, const struct packet_done *done)
{
    const struct worker_event *e = w->event;

    if ((uint64_t)done->width * done->height > w->options.max_pixels * SHRUNK_PIXELS)
        receive_note_fault(w, "the worker reported a picture of more pixels than KITH_MAX_PIXELS");
    if (e->picture_len && (e->picture_len < 2 || memcmp(e->picture, "\xff\xd8", 2) != 0))
        receive_note_fault(w, "the worker sent a picture that is not a JPEG");
    for (int i = 0; i < e->face_count && done->width; i++) {
        const struct face *f = &e->faces[i];

        if (f->width > 0 && !face_box_is_inside(f->x, f->y, f->width, f->height, done->width, done->height))
            receive_note_fault(w, "the recogniser returned an invalid face: its box lies outside the picture");
    }
}

static void receive_clean_done(struct packet_done *done)
{
    char reason[REASON_BYTES];

    worker_text_copy(reason, sizeof reason, done->reason, sizeof done->reason - 1, sizeof reason);
    memcpy(done->reason, reason, sizeof reason);
    for (int i = 0; i < KITH_STAGES; i++)
        done->stage_ms[i] = receive_clamp_ms(done->stage_ms[i]);
    done->decode_ms = receive_clamp_ms(done->decode_ms);
    done->partial = done->partial != 0;
    if (done->cpu_us > CPU_US_MAX)
        done->cpu_us = CPU_US_MAX;
}

static bool receive_done(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->event;
    struct packet_done *done = &e->done;

    if (len != sizeof *done || w->pending.waiting) /* it cannot have done a job that was not sent */
        return false;
    memcpy(done, body, sizeof *done);
    if (done->status > WORK_FAILED || !receive_is_hash(done->sha256))
        return false;
    receive_clean_done(done);
    receive_check_answer(w, done);
    if (w->fault[0]) {
        done->status = WORK_FAILED;
        memcpy(done->reason, w->fault, sizeof done->reason);
        done->face_count = 0;
        e->face_count = 0;
    }
    if (done->face_count != (uint32_t)e->face_count)
        return false;
    e->serial = w->serial;
    w->serial = 0;
    worker_post_event(w, WORKER_DONE);
    return true;
}

static bool receive_hello_is_valid(const struct packet_hello *h)
{
    return h->name[0] && h->version[0] && h->model[0] && isfinite(h->threshold) && h->threshold > 0 &&
           h->dimension <= PACKET_MAX / sizeof(float) && h->files < SANDBOX_FILES_COUNT &&
           (!h->dimension || (h->metric >= KITH_METRIC_L2 && h->metric <= KITH_METRIC_CHI_SQUARE));
}

static bool receive_hello(struct worker *w, const char *body, size_t len)
{
    struct packet_hello *h = &w->hello, raw;

    if (len != sizeof raw || w->ready) /* one: embeddings of another model would follow a second */
        return false;
    memcpy(&raw, body, sizeof raw);
    *h = raw;
    worker_text_copy(h->name, sizeof h->name, raw.name, sizeof raw.name - 1, sizeof raw.name);
    worker_text_copy(h->version, sizeof h->version, raw.version, sizeof raw.version - 1, sizeof raw.version);
    worker_text_copy(h->model, sizeof h->model, raw.model, sizeof raw.model - 1, sizeof raw.model);
    if (!receive_hello_is_valid(h))
        return false;
    w->ready = true;
    worker_post_event(w, WORKER_READY);
    return true;
}

bool worker_receive_packet(struct worker *w, const char *data, size_t len)
{
    struct packet head;
    const char *body = data + sizeof head;

    if (len < sizeof head)
        return false;
    memcpy(&head, data, sizeof head);
    if (head.len != len - sizeof head || (head.kind > PACKET_REFUSED && (head.serial != w->serial || !w->serial)))
        return false;
    switch (head.kind) {
    case PACKET_HELLO:
        return receive_hello(w, body, head.len);
    case PACKET_REFUSED:
        worker_text_copy(w->event->words, sizeof w->event->words, body, head.len, REASON_BYTES);
        return true;
    case PACKET_SEEN:
        if (head.len != SHA256_HEX_BYTES || !receive_is_hash(body))
            return false;
        memcpy(w->event->seen, body, SHA256_HEX_BYTES - 1);
        return true;
    case PACKET_FACE:
        return receive_face(w, body, head.len);
    case PACKET_PICTURE:
        return receive_picture(w, body, head.len);
    case PACKET_DONE:
        return receive_done(w, body, head.len);
    default:
        return false;
    }
}
