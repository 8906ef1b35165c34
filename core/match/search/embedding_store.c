#include "core/match/search/embedding_store.h"

#include "core/base/log/log.h"
#include "core/base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1024 }; /* rows that are written to the file together */

struct embedding_store {
    int floats, fd; /* fd -1: no file */
    const char *folder;
    size_t count, memory_max, resident; /* resident: bytes in memory */
    float **chunks;                     /* of CHUNK rows each; NULL: in the file */
    size_t chunk_count, chunk_capacity, next_out;
    bool refused; /* the file cannot be written */
    float *row;   /* scratch: the row that was read last */
};

struct embedding_store *embedding_store_new(int floats, const char *folder, size_t memory_max)
{
    struct embedding_store *r = must(calloc(1, sizeof *r));

    r->floats = floats;
    r->fd = -1;
    r->folder = folder;
    r->memory_max = memory_max;
    r->row = must(malloc((size_t)floats * sizeof(float)));
    return r;
}

void embedding_store_free(struct embedding_store *r)
{
    for (size_t i = 0; i < r->chunk_count; i++)
        free(r->chunks[i]);
    if (r->fd >= 0)
        close(r->fd);
    free(r->chunks);
    free(r->row);
    free(r);
}

static size_t embedding_store_row_bytes(const struct embedding_store *r)
{
    return (size_t)r->floats * sizeof(float);
}

static size_t embedding_store_chunk_bytes(const struct embedding_store *r)
{
    return CHUNK * embedding_store_row_bytes(r);
}

static int embedding_store_write(int fd, const void *data, size_t len, off_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)data + done, len - done, at + (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* Writes the oldest full chunk that is still in memory to the file. */
static void embedding_store_spill(struct embedding_store *r)
{
    size_t c = r->next_out;
    int status = 0;

    if (r->fd < 0)
        r->fd = open(r->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    status = r->fd < 0 ? -errno
                       : embedding_store_write(r->fd, r->chunks[c], embedding_store_chunk_bytes(r),
                                               (off_t)(c * embedding_store_chunk_bytes(r)));
    if (status < 0) {
        log_event(LOG_WARN, "embeddings stay in memory", LOG_STR("folder", r->folder),
                  LOG_STR("reason", strerror(-status)));
        r->refused = true;
        return;
    }
    free(r->chunks[c]);
    r->chunks[c] = NULL;
    r->resident -= embedding_store_chunk_bytes(r);
    r->next_out++;
}

void embedding_store_add(struct embedding_store *r, const float *row)
{
    if (r->count == r->chunk_count * CHUNK) {
        if (r->chunk_count == r->chunk_capacity) {
            r->chunk_capacity = r->chunk_capacity ? r->chunk_capacity * 2 : 16;
            r->chunks = must(realloc(r->chunks, r->chunk_capacity * sizeof(float *)));
        }
        /* Untouched pages of a chunk take no memory. */
        r->chunks[r->chunk_count++] = must(malloc(embedding_store_chunk_bytes(r)));
        r->resident += embedding_store_chunk_bytes(r);
        while (r->folder && !r->refused && r->resident > r->memory_max && r->next_out + 1 < r->chunk_count)
            embedding_store_spill(r);
    }
    embedding_store_set(r, r->count++, row);
}

void embedding_store_set(struct embedding_store *r, size_t i, const float *row)
{
    float *chunk = r->chunks[i / CHUNK];

    if (chunk)
        memcpy(chunk + i % CHUNK * (size_t)r->floats, row, embedding_store_row_bytes(r));
    else if (embedding_store_write(r->fd, row, embedding_store_row_bytes(r),
                                   (off_t)(i * embedding_store_row_bytes(r))) < 0)
        must_end("the file of embeddings cannot be written"); /* the blocks are allocated: only a broken medium fails */
}

void embedding_store_drop_last(struct embedding_store *r)
{
    size_t c = --r->count / CHUNK;

    if (r->count % CHUNK)
        return;
    r->resident -= r->chunks[c] ? embedding_store_chunk_bytes(r) : 0;
    free(r->chunks[c]);
    r->chunk_count--;
    if (r->next_out > r->chunk_count)
        r->next_out = r->chunk_count;
}

const float *embedding_store_get(struct embedding_store *r, size_t i)
{
    const float *chunk = r->chunks[i / CHUNK];
    size_t done = 0;

    if (chunk)
        return chunk + i % CHUNK * (size_t)r->floats;
    while (done < embedding_store_row_bytes(r)) {
        ssize_t n = pread(r->fd, (char *)r->row + done, embedding_store_row_bytes(r) - done,
                          (off_t)(i * embedding_store_row_bytes(r) + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            must_end("the file of embeddings cannot be read");
        done += (size_t)n;
    }
    return r->row;
}

size_t embedding_store_in_memory(const struct embedding_store *r)
{
    return r->resident;
}
