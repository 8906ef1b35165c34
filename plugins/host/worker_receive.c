/* Packets from a worker. The parent does not trust them: it checks every length and number. */
#include "plugins/host/worker_internal.h"
#include "plugins/host/worker_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURE_MAX = 8 << 20, LABEL_MAX = 256 /* bytes, with the NUL */ };

static size_t landmark_bytes(const struct packet_face *p)
{
    return (size_t)p->landmark_count * 2 * sizeof(float);
}

static size_t embedding_bytes(const struct packet_face *p)
{
    return (size_t)p->dimension * sizeof(float);
}

/* `len`: of the packet's body, header included. */
static bool face_is_valid(const struct packet_face *p, size_t len)
{
    if (p->landmark_count > KITH_LANDMARKS_MAX || p->dimension > PACKET_MAX / sizeof(float) ||
        p->label_bytes > LABEL_MAX || len != sizeof *p + landmark_bytes(p) + embedding_bytes(p) + p->label_bytes)
        return false;
    if (!isfinite(p->x) || !isfinite(p->y) || !isfinite(p->quality) || !(p->width >= 0 && p->width < 1e9f) ||
        !(p->height >= 0 && p->height < 1e9f))
        return false;
    return (p->width > 0 && p->height > 0) || p->label_bytes; /* a face without a box needs a label */
}

static float clamp_quality(float quality)
{
    return quality < 0 ? 0 : quality > 1 ? 1 : quality;
}

/* A label in UTF-8; replacement characters may make it longer. */
static const char *copy_label(struct arena *arena, const char *label, size_t bytes)
{
    char text[3 * LABEL_MAX];

    worker_text_copy(text, sizeof text, label, bytes, LABEL_MAX);
    return arena_copy(arena, text, strlen(text));
}

static bool receive_face(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->event;
    struct packet_face p;
    struct face *f;

    if (len < sizeof p || e->face_count >= (int)w->options.max_faces)
        return false;
    memcpy(&p, body, sizeof p);
    if (!face_is_valid(&p, len))
        return false;
    if (!e->faces)
        e->faces = arena_alloc(&e->arena, w->options.max_faces * sizeof *e->faces);
    f = &e->faces[e->face_count++];
    *f = (struct face){.x = p.x,
                       .y = p.y,
                       .width = p.width,
                       .height = p.height,
                       .quality = clamp_quality(p.quality),
                       .flaw = (int)p.flaw,
                       .landmark_count = (int)p.landmark_count,
                       .dimension = (int)p.dimension,
                       .person = PERSON_UNKNOWN};
    body += sizeof p;
    f->landmarks = (const float *)(const void *)arena_copy(&e->arena, body, landmark_bytes(&p));
    body += landmark_bytes(&p);
    if (p.dimension) {
        f->embedding = (const float *)(const void *)arena_copy(&e->arena, body, embedding_bytes(&p));
        for (uint32_t i = 0; i < p.dimension; i++)
            if (!isfinite(f->embedding[i]))
                return false;
    }
    if (p.label_bytes) {
        f->person_name = copy_label(&e->arena, body + embedding_bytes(&p), p.label_bytes - 1);
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
        abort();
    memcpy(larger + e->picture_len, body, len);
    e->picture = larger;
    e->picture_len += len;
    return true;
}

/* Whether `hash` is a SHA-256 in hex with its NUL; or empty, when the image was not read. */
static bool worker_hash_is_valid(const char *hash)
{
    size_t len = strspn(hash, "0123456789abcdef");

    return hash[len] == 0 && (len == 0 || len == SHA256_HEX_BYTES - 1);
}

static float clamp_ms(float ms)
{
    return ms > 0 && ms < 1e7f ? ms : 0;
}

static bool receive_done(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->event;
    struct packet_done *done = &e->done;
    char reason[REASON_BYTES];

    if (len != sizeof *done || w->pending.waiting) /* it cannot have done a job that was not sent */
        return false;
    memcpy(done, body, sizeof *done);
    done->sha256[SHA256_HEX_BYTES - 1] = 0;
    worker_text_copy(reason, sizeof reason, done->reason, sizeof done->reason - 1, sizeof reason);
    memcpy(done->reason, reason, sizeof reason);
    for (int i = 0; i < KITH_STAGES; i++)
        done->stage_ms[i] = clamp_ms(done->stage_ms[i]);
    done->decode_ms = clamp_ms(done->decode_ms);
    if (!worker_hash_is_valid(done->sha256) || done->status > WORK_FAILED ||
        done->face_count != (uint32_t)e->face_count)
        return false;
    e->serial = w->serial;
    w->serial = 0;
    worker_post_event(w, WORKER_DONE);
    return true;
}

static bool receive_hello(struct worker *w, const char *body, size_t len)
{
    struct packet_hello *h = &w->hello, raw;

    if (len != sizeof raw)
        return false;
    memcpy(&raw, body, sizeof raw);
    *h = raw;
    worker_text_copy(h->name, sizeof h->name, raw.name, sizeof raw.name - 1, sizeof raw.name);
    worker_text_copy(h->version, sizeof h->version, raw.version, sizeof raw.version - 1, sizeof raw.version);
    worker_text_copy(h->model, sizeof h->model, raw.model, sizeof raw.model - 1, sizeof raw.model);
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
        if (head.len != SHA256_HEX_BYTES)
            return false;
        memcpy(w->event->seen, body, SHA256_HEX_BYTES - 1);
        return worker_hash_is_valid(w->event->seen);
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
