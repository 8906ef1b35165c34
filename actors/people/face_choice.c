#include "actors/people/face_choice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool face_choice_is_of(const struct face *f, int64_t person, const char *name)
{
    if (f->person <= 0)
        return false;
    return person ? f->person == person : name && f->person_name && strcmp(f->person_name, name) == 0;
}

int face_choose(const struct face *faces, int count, int64_t person, const char *name, double prominence, char *reason,
                size_t size)
{
    int likely = -1, alike = 0, first = 0, second = -1;
    double times;

    for (int i = 0; i < count; i++)
        if (face_choice_is_of(&faces[i], person, name)) {
            likely = i;
            alike++;
        }
    if (alike == 1)
        return likely;
    for (int i = 1; i < count; i++) {
        if (faces[i].height > faces[first].height) {
            second = first;
            first = i;
        } else if (second < 0 || faces[i].height > faces[second].height) {
            second = i;
        }
    }
    if (second < 0)
        return first;
    times = faces[second].height > 0 ? (double)faces[first].height / (double)faces[second].height : 1;
    if (faces[first].person > 0 && !face_choice_is_of(&faces[first], person, name))
        snprintf(reason, size, "%d faces found, and the largest looks like %.100s; choose one (?face=0 to %d)", count,
                 faces[first].person_name ? faces[first].person_name : "another person", count - 1);
    else if (times < prominence)
        snprintf(reason, size,
                 "%d faces found, and none stands out: the largest is %.2f times as high as the next, and %.2f is the "
                 "least (KITH_ENROLL_PROMINENCE); choose one (?face=0 to %d)",
                 count, times, prominence, count - 1);
    else
        return first;
    return -1;
}

void face_box_write(const struct face *face, char box[static FACE_BOX_BYTES])
{
    snprintf(box, FACE_BOX_BYTES, "%.1f %.1f %.1f %.1f", (double)face->x, (double)face->y, (double)face->width,
             (double)face->height);
}

/* Intersection over union of two intervals' product: of the boxes. */
static double face_choice_overlap(const struct face *a, const struct face *b)
{
    float left = a->x > b->x ? a->x : b->x, top = a->y > b->y ? a->y : b->y;
    float right = a->x + a->width < b->x + b->width ? a->x + a->width : b->x + b->width;
    float bottom = a->y + a->height < b->y + b->height ? a->y + a->height : b->y + b->height;
    double common = right > left && bottom > top ? (double)(right - left) * (double)(bottom - top) : 0;
    double all = (double)a->width * (double)a->height + (double)b->width * (double)b->height - common;

    return all > 0 ? common / all : 0;
}

int face_find_box(const struct face *faces, int count, const char *box)
{
    struct face known = {0};
    double most = 0.5;
    int best = -1;

    if (sscanf(box, "%f %f %f %f", &known.x, &known.y, &known.width, &known.height) != 4) /* NOLINT(cert-err34-c) */
        return -1;
    for (int i = 0; i < count; i++) {
        double overlap = face_choice_overlap(&faces[i], &known);

        if (overlap >= most) {
            most = overlap;
            best = i;
        }
    }
    return best;
}

const struct face *face_find_drawn(const struct face *faces, int count, const struct face *drawn)
{
    const struct face *best = NULL;
    float least = INFINITY;

    for (int i = 0; i < count; i++) {
        const struct face *f = &faces[i];
        float dx = f->x + f->width / 2 - drawn->x - drawn->width / 2;
        float dy = f->y + f->height / 2 - drawn->y - drawn->height / 2;

        if (fabsf(dx) <= drawn->width / 2 && fabsf(dy) <= drawn->height / 2 && hypotf(dx, dy) < least) {
            least = hypotf(dx, dy);
            best = f;
        }
    }
    return best;
}

void face_choice_json(struct buf *out, const struct face *faces, int count)
{
    buf_str(out, "[");
    for (int i = 0; i < count; i++) {
        const struct face *f = &faces[i];

        buf_printf(out, "%s{\"face\":%d,\"box\":{\"x\":%.0f,\"y\":%.0f,\"width\":%.0f,\"height\":%.0f}", i ? "," : "",
                   i, (double)f->x, (double)f->y, (double)f->width, (double)f->height);
        if (f->person > 0) {
            buf_printf(out, ",\"person\":{\"id\":%lld,\"name\":", (long long)f->person);
            buf_json(out, f->person_name);
            buf_str(out, "}");
        }
        buf_str(out, "}");
    }
    buf_str(out, "]");
}
