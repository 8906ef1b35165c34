#include "core/match/search/quantizer.h"

#include "core/base/must.h"
#include "core/match/search/blocks.h"
#include "core/match/search/lanes.h"
#include "core/match/search/rotation.h"
#include "core/match/search/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct quantizer {
    int dimension;
    size_t count, capacity;   /* room: blocks that norms, upper_error and full_error have room for */
    float range, step, slack; /* slack: bounds the rounding errors of the arithmetic */
    float *centre;            /* `dimension` floats: the origin */
    struct rotation *rotation;
    float *rotated; /* scratch: one rotated row, with zeros up to 8 × groups floats */
    uint8_t *codes; /* scratch: the codes of one row, as many */
    struct blocks blocks;
    float *norms;       /* of each template: its squared length */
    float *upper_error; /* of each block: the largest quantization error of the upper halves */
    float *full_error;  /* of each template: the quantization error of the whole code */
    scan_fn scan;
    scan_row_fn scan_row;
};

struct quantizer *quantizer_new(int dimension, const float *centre, float range)
{
    struct quantizer *c = must(calloc(1, sizeof *c));

    blocks_init(&c->blocks, ((size_t)dimension + 7) / 8);
    c->centre = must(malloc((size_t)dimension * sizeof(float)));
    c->rotation = rotation_new(dimension);
    c->rotated = must(calloc(c->blocks.groups * 8, sizeof(float)));
    c->codes = must(calloc(c->blocks.groups, 8));
    memcpy(c->centre, centre, (size_t)dimension * sizeof(float));
    c->dimension = dimension;
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
    rotation_free(c->rotation);
    free(c->rotated);
    free(c->codes);
    blocks_free(&c->blocks);
    free(c->norms);
    free(c->upper_error);
    free(c->full_error);
    free(c);
}

size_t quantizer_bytes(const struct quantizer *c)
{
    return c->blocks.count * 2 * blocks_half(&c->blocks) + c->capacity * (2 * SCAN_BLOCK + 1) * sizeof(float);
}

/* Grows by a quarter: doubling would take too much memory for a large gallery. */
static void quantizer_reserve(struct quantizer *c)
{
    if (c->count < c->blocks.count * SCAN_BLOCK)
        return;
    if (c->blocks.count == c->capacity) {
        c->capacity += c->capacity / 4 + 4;
        c->norms = must(realloc(c->norms, c->capacity * SCAN_BLOCK * sizeof(float)));
        c->upper_error = must(realloc(c->upper_error, c->capacity * sizeof(float)));
        c->full_error = must(realloc(c->full_error, c->capacity * SCAN_BLOCK * sizeof(float)));
    }
    for (size_t i = 0; i < SCAN_BLOCK; i++)
        c->norms[c->blocks.count * SCAN_BLOCK + i] = INFINITY; /* an unused entry is never a candidate */
    c->upper_error[c->blocks.count] = 0;
    blocks_add(&c->blocks);
}

/* The lower halves of a template: 4 bytes for every 8 dimensions. */
static uint8_t *quantizer_lower_row(const struct quantizer *c, size_t i)
{
    return blocks_lower(&c->blocks, i / SCAN_BLOCK) + i % SCAN_BLOCK * 4 * c->blocks.groups;
}

/* The upper halves of a template: 4 bytes for every 8 dimensions, 4 × SCAN_BLOCK bytes apart (scan.h). */
static uint8_t *quantizer_upper_row(const struct quantizer *c, size_t i)
{
    return blocks_upper(&c->blocks, i / SCAN_BLOCK) + i % SCAN_BLOCK * 4;
}

static float quantizer_decode_upper(const struct quantizer *c, unsigned half)
{
    return -c->range + (float)(half * 16 + 8) * c->step;
}

/* Shifts and rotates a row. Neither changes a distance. */
static void quantizer_rotate(const struct quantizer *c, const float *row, float *out)
{
    for (int d = 0; d < c->dimension; d++)
        out[d] = row[d] - c->centre[d];
    rotate(c->rotation, out);
}

/* Writes the codes in their two layouts: quantizer_upper_row() and quantizer_lower_row(). */
static void quantizer_store_codes(const struct quantizer *c, size_t i)
{
    const size_t bytes = 4 * c->blocks.groups;
    uint8_t *upper = quantizer_upper_row(c, i), *lower = quantizer_lower_row(c, i);
    const uint8_t *codes = c->codes;

    for (size_t g = 0; g < c->blocks.groups; g++, upper += (size_t)4 * SCAN_BLOCK)
        for (size_t k = 0; k < 4; k++)
            upper[k] = (uint8_t)(codes[8 * g + k] >> 4 | (codes[8 * g + k + 4] & 0xf0));
    for (size_t k = 0; k < bytes; k++)
        lower[k] = (uint8_t)((codes[k] & 15) | codes[k + bytes] << 4);
}

/* The codes of four numbers: the steps that they are in. */
static inline lane_ints quantizer_code(lanes x, float range, float step)
{
    const lanes last = lanes_all(255);
    lanes at = (x + range) / step;

    at = lanes_where(at > 0, at);
    at = lanes_where(at < last, at) + lanes_where(at >= last, last);
    return __builtin_convertvector(at, lane_ints);
}

/* `row`: rotated, with zeros behind. */
static void quantizer_encode(struct quantizer *c, size_t i, const float *row)
{
    const float range = c->range, step = c->step;
    lanes norm = lanes_all(0), upper_error = norm, full_error = norm;

    for (int d = 0; d < c->dimension; d += LANES) {
        const lane_ints used = (lane_ints){d, d + 1, d + 2, d + 3} < c->dimension;
        const lanes x = lanes_load(row + d);
        const lane_ints code = quantizer_code(x, range, step) & used;
        const lanes upper = lanes_where(used, x + range - (__builtin_convertvector(code & 0xf0, lanes) + 8) * step);
        const lanes full = lanes_where(used, x + range - (__builtin_convertvector(code, lanes) + 0.5f) * step);

        norm += x * x;
        upper_error += upper * upper;
        full_error += full * full;
        for (int k = 0; k < LANES; k++)
            c->codes[d + k] = (uint8_t)code[k];
    }
    quantizer_store_codes(c, i);
    c->norms[i] = lanes_sum(norm);
    c->upper_error[i / SCAN_BLOCK] = fmaxf(c->upper_error[i / SCAN_BLOCK], sqrtf(lanes_sum(upper_error)));
    c->full_error[i] = sqrtf(lanes_sum(full_error));
}

void quantizer_add(struct quantizer *c, const float *row)
{
    quantizer_reserve(c);
    quantizer_rotate(c, row, c->rotated);
    quantizer_encode(c, c->count++, c->rotated);
}

void quantizer_move_last(struct quantizer *c, size_t to)
{
    size_t last = --c->count;

    if (to != last) {
        uint8_t *upper = quantizer_upper_row(c, to), *from = quantizer_upper_row(c, last);

        for (size_t g = 0; g < c->blocks.groups; g++)
            memcpy(upper + g * 4 * SCAN_BLOCK, from + g * 4 * SCAN_BLOCK, 4);
        memcpy(quantizer_lower_row(c, to), quantizer_lower_row(c, last), 4 * c->blocks.groups);
    }
    c->norms[to] = c->norms[last];
    c->norms[last] = INFINITY;
    c->upper_error[to / SCAN_BLOCK] = fmaxf(c->upper_error[to / SCAN_BLOCK], c->upper_error[last / SCAN_BLOCK]);
    c->full_error[to] = c->full_error[last];
}

/* |narrow - template|^2 = |narrow|^2 + |template|^2 - 2 narrow·decoded - 2 narrow·(template - decoded); a decoded
 * number is linear in its code, and the last term is at most 2 |narrow| |template - decoded|. */
void quantizer_prepare(const struct quantizer *c, const float *row, struct quantizer_probe *out)
{
    float largest = 0, scale, error = 0, norm = 0, sum = 0, *probe = c->rotated;

    quantizer_rotate(c, row, probe);
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
    out->offset = norm - 2 * quantizer_decode_upper(c, 0) * sum;
    out->middle = 2 * 7.5f * c->step * sum;
}

void quantizer_probe_free(struct quantizer_probe *probe)
{
    free(probe->narrow);
    probe->narrow = NULL;
}

float quantizer_limit(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach)
{
    float within = reach + probe->error + c->slack;

    return within * within + 2 * probe->length * c->upper_error[block] - probe->offset;
}

uint32_t quantizer_candidates(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach,
                              float score[SCAN_BLOCK])
{
    return c->scan(blocks_upper(&c->blocks, block), probe->narrow, c->blocks.groups, c->norms + block * SCAN_BLOCK,
                   probe->factor, quantizer_limit(c, probe, block, reach), score);
}

void quantizer_prefetch(const struct quantizer *c, size_t i)
{
    __builtin_prefetch(quantizer_lower_row(c, i));
    __builtin_prefetch(c->full_error + i);
}

/* A code stands for the middle of its step, an upper half for the middle of its 16 steps: between the two lie
 * lower - 7.5 steps. */
float quantizer_lower_bound(const struct quantizer *c, const struct quantizer_probe *probe, size_t i, float score)
{
    int32_t lower = c->scan_row(quantizer_lower_row(c, i), 4 * c->blocks.groups, probe->narrow);
    float squared = score + probe->offset - probe->factor / 16 * (float)lower + probe->middle;
    float off = 2 * probe->length * c->full_error[i] + 1e-5f * (c->norms[i] + probe->length * probe->length);

    return sqrtf(fmaxf(squared - off, 0)) - probe->error - c->slack;
}
