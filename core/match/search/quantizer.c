#include "core/match/search/quantizer.h"

#include "core/base/must.h"
#include "core/match/search/blocks.h"
#include "core/match/search/rotation.h"
#include "core/match/search/scan.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct quantizer {
    int dimension;
    size_t count, room;       /* room: blocks that norms, coarse and fine have room for */
    float range, step, slack; /* slack: more than the arithmetic of floats may be off by */
    float *centre, *turned;   /* what rows are taken relative to; one row, rotated */
    struct blocks blocks;
    float *norms;  /* of each: |template|^2 */
    float *coarse; /* of each block: the largest error of the upper halves */
    float *fine;   /* of each: the error of the whole */
    scan_fn scan;
    scan_row_fn scan_row;
};

struct quantizer *quantizer_new(int dimension, const float *centre, float range)
{
    struct quantizer *c = must(calloc(1, sizeof *c));

    c->centre = must(malloc((size_t)dimension * sizeof(float)));
    c->turned = must(malloc((size_t)dimension * sizeof(float)));
    memcpy(c->centre, centre, (size_t)dimension * sizeof(float));
    c->dimension = dimension;
    blocks_init(&c->blocks, ((size_t)dimension + 7) / 8);
    c->range = range;
    c->step = 2 * range / 256;
    c->slack = 1e-5f * range * sqrtf((float)dimension);
    c->scan = scan_for(cpu_level());
    c->scan_row = scan_row_for(cpu_level());
    return c;
}

void quantizer_free(struct quantizer *c)
{
    if (!c)
        return;
    free(c->centre);
    free(c->turned);
    blocks_free(&c->blocks);
    free(c->norms);
    free(c->coarse);
    free(c->fine);
    free(c);
}

size_t quantizer_bytes(const struct quantizer *c)
{
    return c->blocks.count * 2 * blocks_half(&c->blocks) + c->room * (2 * SCAN_BLOCK + 1) * sizeof(float);
}

/* By a quarter: doubling a large gallery would take as much again. */
static void make_room(struct quantizer *c)
{
    if (c->count < c->blocks.count * SCAN_BLOCK)
        return;
    if (c->blocks.count == c->room) {
        c->room += c->room / 4 + 4;
        c->norms = must(realloc(c->norms, c->room * SCAN_BLOCK * sizeof(float)));
        c->coarse = must(realloc(c->coarse, c->room * sizeof(float)));
        c->fine = must(realloc(c->fine, c->room * SCAN_BLOCK * sizeof(float)));
    }
    for (size_t i = 0; i < SCAN_BLOCK; i++)
        c->norms[c->blocks.count * SCAN_BLOCK + i] = INFINITY; /* nobody: near to nothing */
    c->coarse[c->blocks.count] = 0;
    blocks_add(&c->blocks);
}

/* Where a template's lower halves lie: 4 bytes for every 8 dimensions. */
static uint8_t *row_of(const struct quantizer *c, size_t i)
{
    return blocks_lower(&c->blocks, i / SCAN_BLOCK) + i % SCAN_BLOCK * 4 * c->blocks.groups;
}

/* Where a half byte of a dimension lies, as scan.h has them. */
struct place {
    uint8_t *byte;
    bool high;
};

static struct place upper_at(const struct quantizer *c, size_t i, int d)
{
    uint8_t *group = blocks_upper(&c->blocks, i / SCAN_BLOCK) + (size_t)d / 8 * 4 * SCAN_BLOCK;

    return (struct place){group + i % SCAN_BLOCK * 4 + d % 4, d % 8 >= 4};
}

static struct place lower_at(const struct quantizer *c, size_t i, int d)
{
    const size_t bytes = 4 * c->blocks.groups, at = (size_t)d;

    return (struct place){row_of(c, i) + (at < bytes ? at : at - bytes), at >= bytes};
}

static void put_half(struct place to, unsigned half)
{
    *to.byte = (uint8_t)(to.high ? (*to.byte & 0x0f) | half << 4 : (*to.byte & 0xf0) | half);
}

static unsigned half_of(struct place from)
{
    return from.high ? *from.byte >> 4 : *from.byte & 15u;
}

static float decode_upper(const struct quantizer *c, unsigned half)
{
    return -c->range + (float)(half * 16 + 8) * c->step;
}

/* Neither a shift nor a rotation changes a distance. */
static void turn(const struct quantizer *c, const float *row, float *out)
{
    for (int d = 0; d < c->dimension; d++)
        out[d] = row[d] - c->centre[d];
    rotate(out, c->dimension);
}

static void put(struct quantizer *c, size_t i, const float *row)
{
    float norm = 0, coarse = 0, fine = 0;

    for (int d = 0; d < c->dimension; d++) {
        float at = floorf((row[d] + c->range) / c->step), x;
        unsigned code = at <= 0 ? 0 : at >= 255 ? 255 : (unsigned)at;

        put_half(upper_at(c, i, d), code >> 4);
        put_half(lower_at(c, i, d), code & 15);
        x = decode_upper(c, code >> 4);
        norm += row[d] * row[d];
        coarse += (row[d] - x) * (row[d] - x);
        x = -c->range + ((float)code + 0.5f) * c->step;
        fine += (row[d] - x) * (row[d] - x);
    }
    c->norms[i] = norm;
    c->coarse[i / SCAN_BLOCK] = fmaxf(c->coarse[i / SCAN_BLOCK], sqrtf(coarse));
    c->fine[i] = sqrtf(fine);
}

void quantizer_add(struct quantizer *c, const float *row)
{
    make_room(c);
    turn(c, row, c->turned);
    put(c, c->count++, c->turned);
}

void quantizer_take_last(struct quantizer *c, size_t to)
{
    size_t last = --c->count;

    for (int d = 0; to != last && d < c->dimension; d++) {
        put_half(upper_at(c, to, d), half_of(upper_at(c, last, d)));
        put_half(lower_at(c, to, d), half_of(lower_at(c, last, d)));
    }
    c->norms[to] = c->norms[last];
    c->norms[last] = INFINITY;
    c->coarse[to / SCAN_BLOCK] = fmaxf(c->coarse[to / SCAN_BLOCK], c->coarse[last / SCAN_BLOCK]);
    c->fine[to] = c->fine[last];
}

/* |narrow - template|^2 = |narrow|^2 + |template|^2 - 2 narrow·decoded - 2 narrow·(template - decoded); a decoded
 * number is linear in its code, and the last term is at most 2 |narrow| |template - decoded|. */
void quantizer_prepare(const struct quantizer *c, const float *row, struct quantizer_probe *out)
{
    float largest = 0, scale, error = 0, norm = 0, sum = 0, *probe = c->turned;

    turn(c, row, probe);
    for (int d = 0; d < c->dimension; d++)
        largest = fmaxf(largest, fabsf(probe[d]));
    scale = largest > 0 ? largest / 127 : 1;
    out->narrow = must(calloc(c->blocks.groups, 8));
    for (int d = 0; d < c->dimension; d++) {
        float x;

        out->narrow[d] = (int8_t)lrintf(probe[d] / scale);
        x = (float)out->narrow[d] * scale;
        error += (probe[d] - x) * (probe[d] - x);
        norm += x * x;
        sum += x;
    }
    out->error = sqrtf(error);
    out->length = sqrtf(norm);
    out->factor = 2 * 16 * c->step * scale;
    out->offset = norm - 2 * decode_upper(c, 0) * sum;
    out->middle = 2 * 7.5f * c->step * sum;
}

void quantizer_done(struct quantizer_probe *probe)
{
    free(probe->narrow);
    probe->narrow = NULL;
}

float quantizer_limit(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach)
{
    float within = reach + probe->error + c->slack;

    return within * within + 2 * probe->length * c->coarse[block] - probe->offset;
}

uint32_t quantizer_near(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach,
                        float about[SCAN_BLOCK])
{
    return c->scan(blocks_upper(&c->blocks, block), probe->narrow, c->blocks.groups, c->norms + block * SCAN_BLOCK,
                   probe->factor, quantizer_limit(c, probe, block, reach), about);
}

void quantizer_fetch(const struct quantizer *c, size_t i)
{
    __builtin_prefetch(row_of(c, i));
    __builtin_prefetch(c->fine + i);
}

/* A code stands for the middle of its step, an upper half for the middle of its 16 steps: between the two lie
 * lower - 7.5 steps. */
float quantizer_at_least(const struct quantizer *c, const struct quantizer_probe *probe, size_t i, float about)
{
    int32_t lower = c->scan_row(row_of(c, i), 4 * c->blocks.groups, probe->narrow);
    float squared = about + probe->offset - probe->factor / 16 * (float)lower + probe->middle;
    float off = 2 * probe->length * c->fine[i] + 1e-5f * (c->norms[i] + probe->length * probe->length);

    return sqrtf(fmaxf(squared - off, 0)) - probe->error - c->slack;
}
