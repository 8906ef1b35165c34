/* A face that the recogniser missed: a client draws its box. Part of the actor faces.
 *
 *   STORE_IMAGE ─▶ recognizer (a part of the picture around the box) ─▶ STORE_DRAW_FACE ─▶ gallery
 *
 * A face without an embedding, because none is found there either, is kept with its name. */
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/people/face_choice.h"
#include "actors/people/faces_internal.h"
#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>

struct drawing {
    struct call *call;
    struct store_draw *m; /* what is asked of the store in the end; owned */
    struct face *face;    /* in its arena */
};

static void drawing_free(struct drawing *d)
{
    msg_unref(d->m ? &d->m->m.head : NULL);
    call_free(d->call);
    free(d);
}

static void drawing_on_drawn(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (!faces_add_answer(call, status, reply))
        return;
    call->id = r->id;
    audit(call->request, "face drawn", 0, "image", r->images[0].id, NULL);
    faces_ask_gallery(self, call);
}

static void drawing_ask_store(struct actor *self, struct drawing *d)
{
    const struct faces_config *config = actor_config(self);
    struct call *call = d->call;
    struct store_draw *m = d->m;

    free(d);
    actor_ask(self, "store", &m->m.head, config->store_ms, drawing_on_drawn, call);
}

/* Takes the embedding of the face whose centre is in the box and nearest to the box's. */
static void drawing_take_face(struct drawing *d, const struct worker_event *event)
{
    struct arena *a = &d->m->m.arena;
    const struct face *best = face_find_drawn(event->faces, event->face_count, d->face);

    d->face->model = arena_text(a, event->hello.model);
    if (!best)
        return;
    d->face->quality = best->quality;
    d->face->landmark_count = best->landmark_count;
    d->face->landmarks =
        (const float *)(const void *)arena_copy(a, best->landmarks, (size_t)best->landmark_count * 2 * sizeof(float));
    if (best->embedding) {
        d->face->dimension = best->dimension;
        d->face->embedding =
            (const float *)(const void *)arena_copy(a, best->embedding, (size_t)best->dimension * sizeof(float));
    }
}

static void drawing_on_recognized(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct drawing *d = context;
    const struct worker_event *event;

    if (recognition_failed(d->call->request, status, reply)) {
        drawing_free(d);
        return;
    }
    event = ((const struct msg_recognized *)reply)->event;
    if (event->done.width && (d->face->x + d->face->width > (float)event->done.width ||
                              d->face->y + d->face->height > (float)event->done.height)) {
        http_problem(d->call->request, 422, "box-outside",
                     "The box ends outside the picture, which has %u × %u pixels.", event->done.width,
                     event->done.height);
        drawing_free(d);
        return;
    }
    d->m->sha256 = event->done.sha256[0] ? arena_text(&d->m->m.arena, event->done.sha256) : NULL;
    drawing_take_face(d, event);
    drawing_ask_store(self, d);
}

static void drawing_on_image(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct faces_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct drawing *d = context;
    struct msg_recognize *m;

    if (reply_failed(d->call->request, status, reply)) {
        drawing_free(d);
        return;
    }
    m = msg_recognize_new(JOB_RECOGNIZE, r->images[0].path, NULL, 0);
    m->urgent = true;
    msg_recognize_around(m, (double)d->face->x, (double)d->face->y, (double)d->face->width, (double)d->face->height);
    actor_ask(self, config->recognizer, &m->head, config->call_ms, drawing_on_recognized, d);
}

/* {"box": {"x", "y", "width", "height"}} in pixels of the upright picture. False: answered. */
static bool drawing_read_box(struct http_request *request, json_t *object, struct face *face)
{
    static const char *const names[] = {"x", "y", "width", "height"};
    float *members[] = {&face->x, &face->y, &face->width, &face->height};
    json_t *box = json_object_get(object, "box");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *number = json_object_get(box, names[i]);
        double value = json_number_value(number);

        if (!json_is_number(number) || value < (i < 2 ? 0 : 1) || value > 1e6) {
            http_problem(request, 400, "wrong-value",
                         "“box” must have the numbers x, y, width and height, in pixels: x and y from 0, width and "
                         "height from 1, to 1000000. “%s” is not so.",
                         names[i]);
            return false;
        }
        *members[i] = (float)value;
    }
    return true;
}

void drawn_faces_add(struct actor *self, struct http_request *request)
{
    const struct faces_config *config = actor_config(self);
    struct store_id *ask;
    struct face_name name;
    struct drawing *d;
    json_t *object;
    int64_t image;
    bool good;

    if (!part_number(request, 0, &image) || !(object = body_object(request)))
        return;
    d = calloc(1, sizeof *d);
    if (!d)
        out_of_memory();
    d->call = call_new(self, request, OP_DRAW_FACE);
    d->m = STORE_MESSAGE(STORE_DRAW_FACE, store_draw);
    d->m->face = d->face = arena_alloc(&d->m->m.arena, sizeof *d->face);
    good = drawing_read_box(request, object, d->face) && faces_read_name(request, object, &d->m->m.arena, false, &name);
    json_decref(object);
    if (!good) {
        drawing_free(d);
        return;
    }
    d->m->image = image;
    d->m->named = name.given;
    d->m->person = name.person;
    d->m->person_name = name.name;
    d->m->no_template = name.no_template;
    d->m->said_by = request_said_by(request, &d->m->m.arena);
    ask = STORE_MESSAGE(STORE_IMAGE, store_id);
    ask->id = image;
    actor_ask(self, "store", &ask->m.head, config->store_ms, drawing_on_image, d);
}
