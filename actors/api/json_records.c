/* Records as JSON: images, faces, people. */
#include "actors/api/json_records.h"

#include "core/base/clock.h"

void json_time(struct buf *out, int64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];

    if (wall_ms == 0) {
        buf_str(out, "null");
        return;
    }
    clock_format(wall_ms, text);
    buf_printf(out, "\"%s\"", text);
}

static void json_named(struct buf *out, int64_t id, const char *name)
{
    if (id <= 0) {
        buf_str(out, "null");
        return;
    }
    buf_printf(out, "{\"id\":%lld,\"name\":", (long long)id);
    buf_json(out, name);
    buf_str(out, "}");
}

static void json_candidates(struct buf *out, const struct face *f)
{
    buf_str(out, ",\"candidates\":[");
    for (int i = 0; i < f->candidate_count; i++) {
        buf_str(out, i ? ",{\"person\":" : "{\"person\":");
        json_named(out, f->candidates[i].person, f->candidates[i].name);
        buf_str(out, ",\"distance\":");
        buf_number(out, f->candidates[i].distance, 4);
        buf_str(out, ",\"similarity\":");
        buf_number(out, f->candidates[i].similarity, 4);
        buf_str(out, "}");
    }
    buf_str(out, "]");
}

static void json_face(struct buf *out, const struct face *f, bool explain)
{
    buf_str(out, "{");
    if (f->id)
        buf_printf(out, "\"id\":%lld,", (long long)f->id);
    if (f->width > 0)
        buf_printf(out, "\"box\":{\"x\":%.0f,\"y\":%.0f,\"width\":%.0f,\"height\":%.0f},\"landmarks\":[", (double)f->x,
                   (double)f->y, (double)f->width, (double)f->height);
    else /* the recogniser gives no box */
        buf_str(out, "\"box\":null,\"landmarks\":[");
    for (int i = 0; i < f->landmark_count; i++)
        buf_printf(out, "%s[%.0f,%.0f]", i ? "," : "", (double)f->landmarks[i * 2], (double)f->landmarks[i * 2 + 1]);
    buf_str(out, "],\"quality\":");
    buf_number(out, (double)f->quality, 3);
    buf_str(out, ",\"person\":");
    json_named(out, f->person, f->person_name);
    if (f->person > 0 || f->candidate_count) {
        buf_str(out, ",\"distance\":");
        buf_number(out, f->person > 0 || !f->candidate_count ? f->distance : f->candidates[0].distance, 4);
        buf_str(out, ",\"similarity\":");
        buf_number(out, f->person > 0 || !f->candidate_count ? f->similarity : f->candidates[0].similarity, 4);
    } else {
        buf_str(out, ",\"distance\":null,\"similarity\":null");
    }
    json_candidates(out, f);
    if (f->label) {
        buf_str(out, ",\"label\":");
        buf_json(out, f->label);
    }
    if (f->person <= 0 && f->unknown_person > 0)
        buf_printf(out, ",\"unknown_person\":%lld", (long long)f->unknown_person);
    if (explain) {
        buf_str(out, ",\"explain\":");
        json_decision(out, f);
    }
    buf_str(out, "}");
}

void json_faces(struct buf *out, const struct face *faces, int count, bool explain)
{
    buf_str(out, "[");
    for (int i = 0; i < count; i++) {
        if (i)
            buf_str(out, ",");
        json_face(out, &faces[i], explain);
    }
    buf_str(out, "]");
}

void json_image(struct buf *out, const struct image *image, bool explain)
{
    static const char *const verdicts[] = {"null", "\"known\"", "\"unknown\""};

    buf_printf(out, "{\"id\":%lld,\"path\":", (long long)image->id);
    buf_json(out, image->path);
    buf_printf(out, ",\"status\":\"%s\",\"verdict\":%s,\"reason\":", image_status_name(image->status),
               verdicts[image->verdict]);
    buf_json(out, image->reason);
    buf_printf(out, ",\"attempts\":%lld,\"person\":", (long long)image->attempt);
    json_named(out, image->person, image->person_name);
    buf_str(out, ",\"faces\":");
    json_faces(out, image->faces, image->face_count, explain);
    buf_str(out, ",\"created_at\":");
    json_time(out, image->created_ms);
    buf_str(out, ",\"finished_at\":");
    json_time(out, image->finished_ms);
    buf_str(out, "}");
}

void json_person(struct buf *out, const struct person *person)
{
    buf_printf(out, "{\"id\":%lld,\"name\":", (long long)person->id);
    buf_json(out, person->name);
    buf_printf(out, ",\"photos\":%lld}", (long long)person->photos);
}

void reply_json(struct http_request *request, int status, struct buf *out)
{
    buf_str(out, "\n");
    http_reply_buf(request, status, "application/json", out);
}
