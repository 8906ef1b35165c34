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

/* `doubt`: bits of enum doubt. */
static void json_review(struct buf *out, int doubt)
{
    const char *separator = "";

    buf_printf(out, ",\"review\":%s,\"review_reasons\":[", doubt ? "true" : "false");
    for (int bit = 1; bit <= DOUBT_ALL; bit *= 2)
        if (doubt & bit) {
            buf_printf(out, "%s\"%s\"", separator, doubt_name((enum doubt)bit));
            separator = ",";
        }
    buf_str(out, "]");
}

const char *json_word_name(int kind)
{
    static const char *const names[FACE_WORDS] = {NULL, "named", "ignored", "not_a_face", "not", "not_named", "drawn"};

    return kind > 0 && kind < FACE_WORDS ? names[kind] : NULL;
}

void json_word(struct buf *out, const struct word *word)
{
    buf_printf(out, "{\"word\":\"%s\"", json_word_name(word->kind));
    if (word->person > 0 && word->person_name) {
        buf_str(out, ",\"person\":");
        json_named(out, word->person, word->person_name);
    }
    if (word->kind == WORD_NAMED || word->kind == WORD_NOT)
        buf_printf(out, ",\"template\":%s", word->enrols ? "true" : "false");
    if (word->image > 0 && word->face)
        buf_printf(out, ",\"image\":%lld,\"face\":%lld", (long long)word->image, (long long)word->face);
    buf_str(out, ",\"by\":");
    buf_json(out, word->said_by);
    buf_str(out, ",\"at\":");
    json_time(out, word->said_ms);
    buf_str(out, "}");
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
    json_review(out, f->doubt);
    json_candidates(out, f);
    if (f->label) {
        buf_str(out, ",\"label\":");
        buf_json(out, f->label);
    }
    if (f->person <= 0 && f->unknown_person) /* negative: ignored */
        buf_printf(out, ",\"unknown_person\":%lld",
                   (long long)(f->unknown_person < 0 ? -f->unknown_person : f->unknown_person));
    if (f->word)
        buf_printf(out, ",\"word\":\"%s\"", json_word_name(f->word));
    if (explain) {
        buf_str(out, ",\"words\":[");
        for (int i = 0; i < f->word_count; i++) {
            buf_str(out, i ? "," : "");
            json_word(out, &f->words[i]);
        }
        buf_str(out, "]");
        buf_str(out, ",\"explain\":");
        json_decision(out, f);
    }
    buf_str(out, "}");
}

/* A face that is none is shown to those who ask for reasons only. It stands behind the others. */
void json_faces(struct buf *out, const struct face *faces, int count, bool explain)
{
    buf_str(out, "[");
    for (int i = 0; i < count && (explain || faces[i].word != WORD_NOT_A_FACE); i++) {
        if (i)
            buf_str(out, ",");
        json_face(out, &faces[i], explain);
    }
    buf_str(out, "]");
}

void json_image(struct buf *out, const struct image *image, bool explain)
{
    int status = image_shown_status(image);
    bool processed = status == IMAGE_PROCESSED;

    buf_printf(out, "{\"id\":%lld,\"path\":", (long long)image->id);
    buf_json(out, image->path);
    if (image->filename) {
        buf_str(out, ",\"filename\":");
        buf_json(out, image->filename);
    }
    if (image->file_mark)
        buf_str(out, image->file_mark == FILE_GONE ? ",\"gone\":true" : ",\"changed\":true");
    buf_printf(out, ",\"status\":\"%s\",\"verdict\":", image_status_name(status));
    buf_json(out, processed ? image_verdict_name(image->verdict) : NULL);
    json_review(out, image_doubt(image));
    buf_str(out, ",\"reason\":");
    buf_json(out, processed ? NULL : image->reason);
    if (status == IMAGE_FAILED)
        buf_printf(out, ",\"retryable\":%s", image->cure == CURE_RETRY ? "true" : "false");
    if (processed && image->partial)
        buf_str(out, ",\"partial\":true");
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
    buf_printf(out, ",\"photos\":%lld,\"portrait\":\"/v1/people/%lld/portrait\",\"notes\":%s}",
               (long long)person->photos, (long long)person->id, person->notes ? person->notes : "null");
}

void json_merge(struct buf *out, const struct person_merge *m, int64_t undo_ms)
{
    static const char *const states[2][2] = {{"running", "undoing"}, {"merged", "undone"}};

    buf_printf(out, "{\"id\":%lld,\"person\":%lld,\"name\":", (long long)m->id, (long long)m->person);
    buf_json(out, m->name);
    buf_printf(out,
               ",\"into\":%lld,\"state\":\"%s\",\"faces\":%lld,\"photos\":%lld,\"templates\":%lld,\"words\":%lld,"
               "\"duplicates\":%lld,\"by\":",
               (long long)m->into, states[m->done][m->undone], (long long)m->faces, (long long)m->photos,
               (long long)m->templates, (long long)m->words, (long long)m->duplicates);
    buf_json(out, m->said_by);
    buf_str(out, ",\"at\":");
    json_time(out, m->said_ms);
    buf_str(out, ",\"undo_until\":");
    json_time(out, m->kept || m->undone ? 0 : m->said_ms + undo_ms);
}

void reply_json(struct http_request *request, int status, struct buf *out)
{
    buf_str(out, "\n");
    http_reply_buf(request, status, "application/json", out);
}
