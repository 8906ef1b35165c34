#include "actors/messages.h"

#include <stdio.h>
#include <string.h>

const char *recognized_name(int outcome)
{
    static const char *const names[] = {"ok",      "bad image",   "poison", "failed", "crashed",
                                        "timeout", "unavailable", "busy",   "open",   "stopping"};

    return names[outcome];
}

const char *breaker_state_name(int state)
{
    static const char *const names[] = {"closed", "open", "probing"};

    return names[state];
}

static void msg_recognize_destroy(struct msg *m)
{
    arena_free(&((struct msg_recognize *)m)->arena);
}

struct msg_recognize *msg_recognize_new(int kind, const char *path, const void *bytes, size_t len)
{
    struct msg_recognize *m = (struct msg_recognize *)msg_new(MSG_RECOGNIZE, sizeof *m);

    m->head.destroy = msg_recognize_destroy;
    m->head.size_bytes += len;
    m->kind = kind;
    m->path = arena_text(&m->arena, path);
    if (bytes) {
        m->bytes = arena_copy(&m->arena, bytes, len);
        m->len = len;
    }
    return m;
}

static void msg_recognized_destroy(struct msg *m)
{
    const struct worker_event *event = ((struct msg_recognized *)m)->event;

    msg_unref(event ? &event->head : NULL);
}

void msg_recognize_around(struct msg_recognize *m, double x, double y, double width, double height)
{
    const double margin = 0.5; /* of the box, on each side */

    m->x = x - margin * width;
    m->y = y - margin * height;
    m->width = (1 + 2 * margin) * width;
    m->height = (1 + 2 * margin) * height;
}

struct msg_recognized *msg_recognized_new(int outcome, const char *reason)
{
    struct msg_recognized *m = (struct msg_recognized *)msg_new(MSG_RECOGNIZED, sizeof *m);

    m->head.destroy = msg_recognized_destroy;
    m->outcome = outcome;
    snprintf(m->reason, sizeof m->reason, "%s", reason ? reason : "");
    return m;
}

static void msg_match_destroy(struct msg *m)
{
    msg_unref(&((struct msg_match *)m)->event->head);
}

struct msg_match *msg_match_new(const struct worker_event *event)
{
    struct msg_match *m = (struct msg_match *)msg_new(MSG_MATCH, sizeof *m);

    m->head.destroy = msg_match_destroy;
    msg_ref(&event->head);
    m->event = event;
    return m;
}

static void msg_matched_destroy(struct msg *m)
{
    struct msg_matched *matched = (struct msg_matched *)m;

    msg_unref(&matched->event->head);
    arena_free(&matched->arena);
}

struct msg_matched *msg_matched_new(const struct worker_event *event)
{
    struct msg_matched *m = (struct msg_matched *)msg_new(MSG_MATCHED, sizeof *m);

    m->head.destroy = msg_matched_destroy;
    msg_ref(&event->head);
    m->event = event;
    return m;
}

void msg_tell(struct actor *self, const char *to, uint32_t type)
{
    actor_tell(self, to, msg_new(type, sizeof(struct msg)));
}

void msg_tell_gallery(struct actor *self)
{
    actor_tell_control(self, "gallery", msg_new(MSG_GALLERY_CHANGED, sizeof(struct msg)));
}

static void msg_work_items_destroy(struct msg *m)
{
    arena_free(&((struct msg_work_items *)m)->arena);
}

void msg_tell_waiting(struct actor *self, const char *to, const struct image *images, int count)
{
    struct msg_work_items *m = (struct msg_work_items *)msg_new(MSG_WORK_ITEMS, sizeof *m);
    int64_t *ids = arena_alloc(&m->arena, (size_t)count * sizeof *ids + 1);

    m->head.destroy = msg_work_items_destroy;
    m->ids = ids;
    for (int i = 0; i < count; i++)
        if (images[i].status == IMAGE_PENDING && (!images[i].existing || images[i].again))
            ids[m->count++] = images[i].id;
    m->head.size_bytes += m->arena.total;
    actor_tell(self, to, &m->head);
}

static void msg_enrol_destroy(struct msg *m)
{
    arena_free(&((struct msg_enrol *)m)->arena);
}

struct msg_enrol *msg_enrol_new(const char *name, int64_t person, const char *photo, const char *path,
                                const void *bytes, size_t len)
{
    struct msg_enrol *m = (struct msg_enrol *)msg_new(MSG_ENROL, sizeof *m);

    m->head.destroy = msg_enrol_destroy;
    m->head.size_bytes += len;
    m->name = arena_text(&m->arena, name);
    m->person = person;
    m->face = -1;
    m->photo = arena_text(&m->arena, photo);
    m->path = arena_text(&m->arena, path);
    if (bytes) {
        m->bytes = arena_copy(&m->arena, bytes, len);
        m->len = len;
    }
    return m;
}
