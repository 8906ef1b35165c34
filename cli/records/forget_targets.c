#include "cli/records/forget_targets.h"
#include "core/base/hash.h"
#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *targets_grow(void *list, int count, size_t size)
{
    list = realloc(list, (size_t)(count + 1) * size);
    if (!list)
        out_of_memory();
    return list;
}

static bool targets_add_id(int64_t **ids, int *count, int64_t id)
{
    for (int i = 0; i < *count; i++)
        if ((*ids)[i] == id)
            return false;
    *ids = targets_grow(*ids, *count, sizeof **ids);
    (*ids)[(*count)++] = id;
    return true;
}

static void targets_add_text(struct targets *t, const char *text)
{
    if (!text || !text[0])
        return;
    for (int i = 0; i < t->text_count; i++)
        if (strcmp(t->texts[i], text) == 0)
            return;
    t->texts = targets_grow(t->texts, t->text_count, sizeof *t->texts);
    t->texts[t->text_count++] = strdup(text);
}

/* The database has the path of an upload relative to the data folder: its name alone, a hash, is in both. */
static void targets_add_path(struct targets *t, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    targets_add_text(t, path);
    if (slash && strlen(slash + 1) >= SHA256_HEX_BYTES - 1)
        targets_add_text(t, slash + 1);
}

static void targets_add_embedding(struct targets *t, const float *embedding, int dimension)
{
    size_t len = (size_t)dimension * sizeof *embedding;
    struct embedding *e;

    if (!embedding || !len)
        return;
    t->embeddings = targets_grow(t->embeddings, t->embedding_count, sizeof *t->embeddings);
    e = &t->embeddings[t->embedding_count++];
    *e = (struct embedding){malloc(len), len};
    if (!e->bytes)
        out_of_memory();
    memcpy(e->bytes, embedding, len);
}

static struct store_traces *targets_ask_traces(int64_t image, int64_t person, const char *text,
                                               const struct embedding *e)
{
    struct store_traces *m = STORE_MESSAGE(STORE_TRACES, store_traces);

    m->image = image;
    m->person = person;
    m->text = text;
    m->embedding = e ? e->bytes : NULL;
    m->embedding_bytes = e ? e->len : 0;
    return m;
}

static int targets_add_image(struct targets *t, struct records *r, int64_t id)
{
    struct store_id *m = STORE_MESSAGE(STORE_IMAGE, store_id);
    const struct store_reply *reply;

    targets_add_id(&t->images, &t->image_count, id);
    m->id = id;
    if (!(reply = records_ask_for(r, &m->m.head, STORE_NOT_FOUND)))
        return -1;
    if (reply->status == STORE_NOT_FOUND)
        return 0;
    /* the path of an upload holds its hash; one by reference is the user's own file and may be posted again */
    targets_add_path(t, reply->images->path);
    targets_add_text(t, reply->images->sha256);
    for (int i = 0; i < reply->images->face_count; i++)
        targets_add_embedding(t, reply->images->faces[i].embedding, reply->images->faces[i].dimension);
    return 1;
}

static int targets_add_person(struct targets *t, struct records *r, int64_t id)
{
    const struct store_reply *reply = records_ask(r, &targets_ask_traces(0, id, NULL, NULL)->m.head);
    struct store_id *m;

    targets_add_id(&t->people, &t->person_count, id);
    if (!reply)
        return -1;
    if (reply->person_count == 0)
        return 0;
    targets_add_text(t, reply->people->name);
    for (int i = 0; i < reply->template_count; i++)
        targets_add_embedding(t, reply->templates[i].embedding, reply->templates[i].dimension);
    m = STORE_MESSAGE(STORE_PHOTOS, store_id);
    m->id = id;
    if (!(reply = records_ask(r, &m->m.head)))
        return -1;
    for (int i = 0; i < reply->photo_count; i++)
        targets_add_path(t, reply->photos[i].path);
    return 1;
}

/* A name, a path or a hash: all that have it. */
static int targets_add_named(struct targets *t, struct records *r, const char *text)
{
    const struct store_reply *reply = records_ask(r, &targets_ask_traces(0, 0, text, NULL)->m.head);
    int64_t *images = NULL, *people = NULL;
    int image_count = 0, person_count = 0, result = 0;

    targets_add_text(t, text);
    for (int i = 0; reply && i < reply->image_count; i++)
        targets_add_id(&images, &image_count, reply->images[i].id);
    for (int i = 0; reply && i < reply->person_count; i++)
        targets_add_id(&people, &person_count, reply->people[i].id);
    for (int i = 0; i < image_count && result >= 0; i++)
        result = targets_add_image(t, r, images[i]);
    for (int i = 0; i < person_count && result >= 0; i++)
        result = targets_add_person(t, r, people[i]);
    free(images);
    free(people);
    return !reply || result < 0 ? -1 : image_count + person_count > 0;
}

static bool targets_parse_id(const char *argument, const char *kind, int64_t *id)
{
    size_t n = strlen(kind);
    char *end;

    if (strncmp(argument, kind, n) != 0)
        return false;
    *id = strtoll(argument + n, &end, 10);
    return *id > 0 && *end == 0;
}

int targets_add(struct targets *t, struct records *r, const char *argument)
{
    int64_t id;

    if (targets_parse_id(argument, "image:", &id))
        return targets_add_image(t, r, id);
    if (targets_parse_id(argument, "person:", &id))
        return targets_add_person(t, r, id);
    return targets_add_named(t, r, argument);
}

void targets_fill_search(const struct targets *t, struct raw_search *s)
{
    for (int i = 0; i < t->text_count; i++)
        if (!raw_search_add_text(s, t->texts[i], t->texts[i]))
            fprintf(stderr, "kith: “%s” is too short to be searched for in files; the tables are searched\n",
                    t->texts[i]);
    for (int i = 0; i < t->embedding_count; i++)
        raw_search_add_bytes(s, "an embedding", t->embeddings[i].bytes, t->embeddings[i].len);
}

static int targets_search_one(struct records *r, struct store_traces *m, const char *of, targets_left_fn left,
                              void *context)
{
    const struct store_reply *reply = records_ask(r, &m->m.head);
    char line[512];

    for (int i = 0; reply && i < reply->text_count; i++) {
        snprintf(line, sizeof line, "table %s (%s)", reply->texts[i], of);
        left(context, line);
    }
    return reply ? reply->text_count : -1;
}

int targets_search_tables(const struct targets *t, struct records *r, targets_left_fn left, void *context)
{
    int count = 0, n = 0;
    char of[64];

    for (int i = 0; i < t->image_count && n >= 0; i++, count += n > 0 ? n : 0) {
        snprintf(of, sizeof of, "image %lld", (long long)t->images[i]);
        n = targets_search_one(r, targets_ask_traces(t->images[i], 0, NULL, NULL), of, left, context);
    }
    for (int i = 0; i < t->person_count && n >= 0; i++, count += n > 0 ? n : 0) {
        snprintf(of, sizeof of, "person %lld", (long long)t->people[i]);
        n = targets_search_one(r, targets_ask_traces(0, t->people[i], NULL, NULL), of, left, context);
    }
    for (int i = 0; i < t->text_count && n >= 0; i++, count += n > 0 ? n : 0)
        n = targets_search_one(r, targets_ask_traces(0, 0, t->texts[i], NULL), t->texts[i], left, context);
    for (int i = 0; i < t->embedding_count && n >= 0; i++, count += n > 0 ? n : 0)
        n = targets_search_one(r, targets_ask_traces(0, 0, NULL, &t->embeddings[i]), "embedding", left, context);
    return n < 0 ? -1 : count;
}

/* In the arena of `m`, which asks for one column. */
static void targets_fill_strings(const struct targets *t, struct store_search *m)
{
    struct search_string *strings =
        arena_alloc(&m->m.arena, (size_t)(t->text_count + t->embedding_count) * sizeof *strings + 1);

    for (int i = 0; i < t->text_count; i++)
        strings[m->count++] =
            (struct search_string){.what = t->texts[i], .bytes = t->texts[i], .len = strlen(t->texts[i]), .text = true};
    for (int i = 0; i < t->embedding_count; i++)
        strings[m->count++] = (struct search_string){
            .what = "an embedding", .bytes = t->embeddings[i].bytes, .len = t->embeddings[i].len};
    m->strings = strings;
}

int targets_search_columns(const struct targets *t, struct records *r, targets_left_fn left, void *context)
{
    const struct store_reply *reply;
    int64_t column = 0;
    int count = 0;

    do {
        struct store_search *m = STORE_MESSAGE(STORE_SEARCH_COLUMN, store_search);

        m->column = column++;
        targets_fill_strings(t, m);
        if (!(reply = records_ask(r, &m->m.head)))
            return -1;
        for (int i = 0; i < reply->text_count; i++)
            left(context, reply->texts[i]);
        count += reply->text_count;
    } while (reply->more);
    return count;
}

void targets_free(struct targets *t)
{
    for (int i = 0; i < t->text_count; i++)
        free(t->texts[i]);
    for (int i = 0; i < t->embedding_count; i++)
        free(t->embeddings[i].bytes);
    free(t->texts);
    free(t->embeddings);
    free(t->images);
    free(t->people);
}
