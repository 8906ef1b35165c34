/* The cache of `kith eval`: a header that says what made it, then a record for each photo. It is only ever added to;
 * a record that was cut short by an interruption ends it, and is written over. */
#include "cli/eval/portraits.h"

#include "core/base/hash.h"
#include "core/base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char MAGIC[8] = "kithev1";

struct portraits_cache {
    FILE *file;
    uint32_t dimension;
};

struct header {
    char magic[8];
    char fingerprint[SHA256_HEX_BYTES + 7];
    struct packet_hello model;
};

struct record {
    uint32_t bytes_of_path, bytes_of_reason, has_embedding;
    int32_t faces;
    int64_t size, mtime_ns;
    float quality;
    uint32_t end; /* a record that is whole ends its head with this */
};
enum { RECORD_END = 0x6b697468, TEXT_MAX = 8192 };

static bool is_same(const struct header *a, const struct header *b)
{
    return memcmp(a->magic, b->magic, sizeof a->magic) == 0 && strcmp(a->fingerprint, b->fingerprint) == 0 &&
           strcmp(a->model.model, b->model.model) == 0 && strcmp(a->model.version, b->model.version) == 0 &&
           a->model.dimension == b->model.dimension;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct portrait *const *)a)->path, (*(struct portrait *const *)b)->path);
}

static bool read_text(FILE *file, uint32_t bytes, char *text)
{
    if (bytes >= TEXT_MAX || fread(text, 1, bytes, file) != bytes)
        return false;
    text[bytes] = 0;
    return true;
}

/* One record into the photo it is of, if that is there and unchanged. False at the end. */
static bool read_record(struct portraits_cache *c, struct portrait **sorted, int count)
{
    char path[TEXT_MAX], reason[TEXT_MAX];
    struct portrait key = {.path = path}, *wanted = &key, **found, *one;
    float *embedding = NULL;
    struct record r;

    if (fread(&r, sizeof r, 1, c->file) != 1 || r.end != RECORD_END || !read_text(c->file, r.bytes_of_path, path) ||
        !read_text(c->file, r.bytes_of_reason, reason))
        return false;
    if (r.has_embedding) {
        embedding = malloc((size_t)c->dimension * sizeof(float) + 1);
        if (!embedding || fread(embedding, sizeof(float), c->dimension, c->file) != c->dimension) {
            free(embedding);
            return false;
        }
    }
    found = bsearch(&wanted, sorted, (size_t)count, sizeof(struct portrait *), by_path);
    one = found ? *found : NULL;
    if (!one || one->size != r.size || one->mtime_ns != r.mtime_ns || one->looked_at) {
        free(embedding);
        return true;
    }
    one->looked_at = true;
    one->faces = r.faces;
    one->quality = r.quality;
    one->embedding = embedding;
    one->reason = reason[0] ? strdup(reason) : NULL;
    return true;
}

static void read_all(struct portraits_cache *c, struct portraits *p)
{
    struct portrait **sorted = malloc((size_t)p->count * sizeof(struct portrait *) + 1);
    long whole;

    if (!sorted)
        out_of_memory();
    for (int i = 0; i < p->count; i++)
        sorted[i] = &p->list[i];
    qsort(sorted, (size_t)p->count, sizeof(struct portrait *), by_path);
    do
        whole = ftell(c->file);
    while (read_record(c, sorted, p->count));
    free(sorted);
    if (fseek(c->file, whole, SEEK_SET) < 0 || ftruncate(fileno(c->file), whole) < 0)
        fprintf(stderr, "kith: the cache cannot be cut to its last whole record: %s\n", strerror(errno));
    for (int i = 0; i < p->count; i++)
        p->cached += p->list[i].looked_at;
}

struct portraits_cache *portraits_cache_open(const char *file, const char *fingerprint, struct portraits *p)
{
    struct portraits_cache *c = calloc(1, sizeof *c);
    struct header wanted = {.model = p->model}, is;

    if (!c)
        out_of_memory();
    memcpy(wanted.magic, MAGIC, sizeof MAGIC);
    snprintf(wanted.fingerprint, sizeof wanted.fingerprint, "%s", fingerprint);
    c->dimension = p->model.dimension;
    c->file = fopen(file, "r+be");
    if (c->file && fread(&is, sizeof is, 1, c->file) == 1 && memchr(is.fingerprint, 0, sizeof is.fingerprint) &&
        memchr(is.model.model, 0, sizeof is.model.model) && memchr(is.model.version, 0, sizeof is.model.version) &&
        is_same(&is, &wanted)) {
        read_all(c, p);
        return c;
    }
    if (c->file)
        fclose(c->file);
    c->file = fopen(file, "w+be");
    if (c->file && fwrite(&wanted, sizeof wanted, 1, c->file) == 1)
        return c;
    fprintf(stderr, "kith: goes on without a cache: %s: %s\n", file, strerror(errno));
    if (c->file)
        fclose(c->file);
    free(c);
    return NULL;
}

void portraits_cache_add(struct portraits_cache *c, const struct portrait *one)
{
    struct record r = {.bytes_of_path = (uint32_t)strlen(one->path),
                       .bytes_of_reason = one->reason ? (uint32_t)strlen(one->reason) : 0,
                       .has_embedding = one->embedding != NULL,
                       .faces = one->faces,
                       .size = one->size,
                       .mtime_ns = one->mtime_ns,
                       .quality = one->quality,
                       .end = RECORD_END};

    fwrite(&r, sizeof r, 1, c->file);
    fwrite(one->path, 1, r.bytes_of_path, c->file);
    fwrite(one->reason ? one->reason : "", 1, r.bytes_of_reason, c->file);
    if (one->embedding)
        fwrite(one->embedding, sizeof(float), c->dimension, c->file);
}

void portraits_cache_close(struct portraits_cache *c)
{
    if (!c)
        return;
    if (fclose(c->file) != 0)
        fprintf(stderr, "kith: the cache may be incomplete: %s\n", strerror(errno));
    free(c);
}
