#include "actors/gallery/codes.h"

#include "actors/gallery/rotation.h"
#include "actors/gallery/scan.h"
#include "core/base/must.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_OF_GROUP = 4 * SCAN_BLOCK };

struct codes {
    int dimension;
    size_t groups, count, blocks; /* groups of 8 dimensions; blocks: allocated */
    float range, step, slack;     /* slack: more than the arithmetic of floats may be off by */
    float *centre, *turned;       /* what rows are taken relative to; one row, rotated */
    uint8_t *upper, *lower;       /* scan.h's blocks; rows of 4 × groups bytes */
    float *norms;                 /* of each: |template|^2 */
    float *coarse, *fine;         /* of each block: the largest error of the upper half, of the whole */
    scan_fn scan;
    scan_measure_fn measure;
    scan_fine_fn fine_scan;
};

struct codes *codes_new(int dimension, const float *centre, float range)
{
    struct codes *c = must(calloc(1, sizeof *c));

    c->centre = must(malloc((size_t)dimension * sizeof(float)));
    c->turned = must(malloc((size_t)dimension * sizeof(float)));
    memcpy(c->centre, centre, (size_t)dimension * sizeof(float));
    c->dimension = dimension;
    c->groups = ((size_t)dimension + 7) / 8;
    c->range = range;
    c->step = 2 * range / 256;
    c->slack = 1e-5f * range * sqrtf((float)dimension);
    c->scan = scan_nth(0);
    c->measure = scan_measure_nth(0);
    c->fine_scan = scan_fine_nth(0);
    return c;
}

void codes_free(struct codes *c)
{
    if (!c)
        return;
    free(c->centre);
    free(c->turned);
    free(c->upper);
    free(c->lower);
    free(c->norms);
    free(c->coarse);
    free(c->fine);
    free(c);
}

size_t codes_bytes(const struct codes *c)
{
    return c->blocks * (c->groups * BYTES_OF_GROUP * 2 + (SCAN_BLOCK + 2) * sizeof(float));
}

/* By a quarter: doubling a large gallery would take as much again. */
static void make_room(struct codes *c)
{
    size_t upper = c->groups * BYTES_OF_GROUP, before = c->blocks;

    if (c->count < c->blocks * SCAN_BLOCK)
        return;
    c->blocks += c->blocks / 4 + 4;
    c->upper = must(realloc(c->upper, c->blocks * upper));
    c->lower = must(realloc(c->lower, c->blocks * upper));
    c->norms = must(realloc(c->norms, c->blocks * SCAN_BLOCK * sizeof(float)));
    c->coarse = must(realloc(c->coarse, c->blocks * sizeof(float)));
    c->fine = must(realloc(c->fine, c->blocks * sizeof(float)));
    memset(c->upper + before * upper, 0, (c->blocks - before) * upper);
    memset(c->lower + before * upper, 0, (c->blocks - before) * upper);
    for (size_t i = before * SCAN_BLOCK; i < c->blocks * SCAN_BLOCK; i++)
        c->norms[i] = INFINITY; /* nobody: near to nothing */
    for (size_t i = before; i < c->blocks; i++)
        c->coarse[i] = c->fine[i] = 0;
}

/* Where the half bytes of a dimension lie. */
static uint8_t *upper_at(const struct codes *c, size_t i, int d)
{
    return c->upper + (i / SCAN_BLOCK * c->groups + (size_t)d / 8) * BYTES_OF_GROUP + i % SCAN_BLOCK * 4 + d % 4;
}

static uint8_t *lower_at(const struct codes *c, size_t i, int d)
{
    return c->lower + (i * c->groups + (size_t)d / 8) * 4 + d % 4;
}

static void put_half(uint8_t *byte, int d, unsigned half)
{
    *byte = (uint8_t)(d % 8 < 4 ? (*byte & 0xf0) | half : (*byte & 0x0f) | half << 4);
}

static unsigned half_of(const uint8_t *byte, int d)
{
    return d % 8 < 4 ? *byte & 15u : *byte >> 4;
}

static float decode_upper(const struct codes *c, unsigned half)
{
    return -c->range + (float)(half * 16 + 8) * c->step;
}

/* Neither a shift nor a rotation changes a distance. */
static void turn(const struct codes *c, const float *row, float *out)
{
    for (int d = 0; d < c->dimension; d++)
        out[d] = row[d] - c->centre[d];
    rotate(out, c->dimension);
}

static void put(struct codes *c, size_t i, const float *row)
{
    float norm = 0, coarse = 0, fine = 0;

    for (int d = 0; d < c->dimension; d++) {
        float at = floorf((row[d] + c->range) / c->step), x;
        unsigned code = at <= 0 ? 0 : at >= 255 ? 255 : (unsigned)at;

        put_half(upper_at(c, i, d), d, code >> 4);
        put_half(lower_at(c, i, d), d, code & 15);
        x = decode_upper(c, code >> 4);
        norm += row[d] * row[d];
        coarse += (row[d] - x) * (row[d] - x);
        x = -c->range + ((float)code + 0.5f) * c->step;
        fine += (row[d] - x) * (row[d] - x);
    }
    c->norms[i] = norm;
    c->coarse[i / SCAN_BLOCK] = fmaxf(c->coarse[i / SCAN_BLOCK], sqrtf(coarse));
    c->fine[i / SCAN_BLOCK] = fmaxf(c->fine[i / SCAN_BLOCK], sqrtf(fine));
}

void codes_add(struct codes *c, const float *row)
{
    make_room(c);
    turn(c, row, c->turned);
    put(c, c->count++, c->turned);
}

void codes_take_last(struct codes *c, size_t to)
{
    size_t last = --c->count;

    for (int d = 0; to != last && d < c->dimension; d++) {
        put_half(upper_at(c, to, d), d, half_of(upper_at(c, last, d), d));
        put_half(lower_at(c, to, d), d, half_of(lower_at(c, last, d), d));
    }
    c->norms[to] = c->norms[last];
    c->norms[last] = INFINITY;
    c->coarse[to / SCAN_BLOCK] = fmaxf(c->coarse[to / SCAN_BLOCK], c->coarse[last / SCAN_BLOCK]);
    c->fine[to / SCAN_BLOCK] = fmaxf(c->fine[to / SCAN_BLOCK], c->fine[last / SCAN_BLOCK]);
}

/* |narrow - template|^2 = |narrow|^2 + |template|^2 - 2 narrow·decoded - 2 narrow·(template - decoded); a decoded
 * number is linear in its code, and the last term is at most 2 |narrow| |template - decoded|. */
void codes_prepare(const struct codes *c, const float *row, struct codes_probe *out)
{
    float largest = 0, scale, error = 0, norm = 0, sum = 0, *probe = c->turned;

    turn(c, row, probe);
    for (int d = 0; d < c->dimension; d++)
        largest = fmaxf(largest, fabsf(probe[d]));
    scale = largest > 0 ? largest / 127 : 1;
    out->narrow = must(calloc(c->groups, 8));
    for (int d = 0; d < c->dimension; d++) {
        float x;

        out->narrow[d] = (int8_t)lrintf(probe[d] / scale);
        x = (float)out->narrow[d] * scale;
        error += (probe[d] - x) * (probe[d] - x);
        norm += x * x;
        sum += x;
    }
    out->in_steps = must(calloc(c->groups * 8, sizeof(float)));
    for (int d = 0; d < c->dimension; d++)
        out->in_steps[d] = (probe[d] + c->range) / c->step - 0.5f;
    out->error = sqrtf(error);
    out->length = sqrtf(norm);
    out->factor = 2 * 16 * c->step * scale;
    out->offset = norm - 2 * decode_upper(c, 0) * sum;
}

void codes_done(struct codes_probe *probe)
{
    free(probe->in_steps);
    free(probe->narrow);
    probe->in_steps = NULL;
    probe->narrow = NULL;
}

float codes_limit(const struct codes *c, const struct codes_probe *probe, size_t block, float reach)
{
    float within = reach + probe->error + c->slack;

    return within * within + 2 * probe->length * c->coarse[block] - probe->offset;
}

uint32_t codes_near(const struct codes *c, const struct codes_probe *probe, size_t block, float reach)
{
    return c->scan(c->upper + block * c->groups * BYTES_OF_GROUP, probe->narrow, c->groups,
                   c->norms + block * SCAN_BLOCK, probe->factor, codes_limit(c, probe, block, reach));
}

void codes_estimate(const struct codes *c, const struct codes_probe *probe, size_t block, float out[SCAN_BLOCK])
{
    c->measure(c->upper + block * c->groups * BYTES_OF_GROUP, probe->narrow, c->groups, c->norms + block * SCAN_BLOCK,
               probe->factor, out);
}

void codes_fetch(const struct codes *c, size_t i)
{
    __builtin_prefetch(lower_at(c, i, 0)); /* the upper halves were read just now */
}

float codes_at_least(const struct codes *c, const struct codes_probe *probe, size_t i)
{
    float squared = c->fine_scan(upper_at(c, i, 0), lower_at(c, i, 0), c->groups, probe->in_steps);

    return sqrtf(squared) * c->step - c->fine[i / SCAN_BLOCK] - c->slack;
}
