#include "plugins/worker/image/limits.h"

#include "plugins/shared/protocol.h"

#include <errno.h>
#include <string.h>

enum { PNG_HEAD = 8, PNG_CHUNK = 12, PNG_INTERLACE_AT = 28, JPEG_SCAN = 0xda, JPEG_END = 0xd9 };

/* Markers that stand alone: restart markers and TEM; 0 is a stuffed byte of entropy-coded data. */
static bool limits_has_no_length(uint8_t marker)
{
    return marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8);
}

/* Walks the markers up to the end marker; true: it is there. */
static bool limits_walk_jpeg(const uint8_t *jpeg, size_t len, uint32_t *scans)
{
    const uint8_t *at = jpeg, *end = jpeg + len;

    *scans = 0;
    while ((at = memchr(at, 0xff, (size_t)(end - at))) && end - at >= 2) {
        const uint8_t marker = at[1];
        size_t segment = 2;

        if (marker == JPEG_END)
            return true;
        if (marker == 0xff) { /* a fill byte */
            at++;
            continue;
        }
        if (!limits_has_no_length(marker)) {
            if (end - at < 4)
                return false;
            segment += (size_t)(at[2] << 8 | at[3]);
            *scans += marker == JPEG_SCAN;
        }
        if (segment >= (size_t)(end - at))
            return false;
        at += segment;
    }
    return false;
}

uint32_t limits_count_scans(const uint8_t *jpeg, size_t len)
{
    uint32_t scans;

    limits_walk_jpeg(jpeg, len, &scans);
    return scans;
}

bool limits_is_cut_jpeg(const uint8_t *jpeg, size_t len)
{
    uint32_t scans;

    return !limits_walk_jpeg(jpeg, len, &scans);
}

size_t limits_strip_png(const uint8_t *png, size_t len, uint8_t *out, bool *cut)
{
    static const char needed[][5] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA",
                                     "cHRM", "sRGB", "iCCP", "sBIT", "bKGD"};
    size_t at = PNG_HEAD, kept = PNG_HEAD;

    *cut = true;
    memcpy(out, png, PNG_HEAD);
    while (at + PNG_CHUNK <= len) {
        const uint8_t *chunk = png + at;
        size_t size = ((size_t)chunk[0] << 24 | (size_t)chunk[1] << 16 | (size_t)chunk[2] << 8 | chunk[3]) + PNG_CHUNK;

        if (size > len - at) /* cut short: the decoder shall see it */
            size = len - at;
        else if (memcmp(chunk + 4, "IEND", 4) == 0)
            *cut = false;
        for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
            if (memcmp(chunk + 4, needed[i], 4) == 0) {
                memcpy(out + kept, chunk, size);
                kept += size;
            }
        at += size;
    }
    return kept;
}

static bool limits_is_lossless_webp(const uint8_t *data, size_t len)
{
    enum { FIRST_CHUNK = 12 };

    return len >= FIRST_CHUNK + 4 && memcmp(data + FIRST_CHUNK, "VP8L", 4) == 0;
}

/* The CPU time of a picture in pixels of a plain one, of which 50 million are decoded and searched for faces in less
 * than half a second. Measured with libjpeg-turbo 2.1 and libwebp 1.2 on pictures of noise: a byte of a WebP needs 48
 * ns and a pixel 4 ns; of a JPEG in several scans a byte needs 30 ns and a pixel 0.6 ns a scan. Tiles and planes may
 * take twice the pixels of the picture, as a grid that does not end with the picture does; what they take beyond that
 * counts. A pixel of JPEG 2000 needs 72 ns (OpenJPEG 2.5). One of HEIC needs 32 ns (libde265 1.0) and
 * counts once all the same, because cameras write such pictures of 48 megapixels. `kind` gets the reason. */
static uint64_t limits_count_pixels(const uint8_t *data, size_t len, const struct image_header *header, uint32_t scans,
                                    const char **kind)
{
    const uint64_t pixels = (uint64_t)header->width * header->height;
    uint64_t counted = pixels, more = header->coded_pixels / 2;

    *kind = more > pixels ? " in tiles, planes or a frame" : "";
    if (header->deep) {
        *kind = " of 16-bit samples";
        counted = pixels * 3;
    } else if (header->type == IMAGE_PNG && data[PNG_INTERLACE_AT]) {
        *kind = " in an interlaced PNG";
        counted = pixels / 2 * 3;
    } else if (header->type == IMAGE_JP2) {
        counted = pixels * 4;
        *kind = more > counted ? *kind : " in a JPEG 2000";
    } else if (header->type == IMAGE_WEBP) {
        *kind = " in a WebP";
        counted = pixels / 2 * 3;
        more = limits_is_lossless_webp(data, len) ? 0 : pixels / 2 + (uint64_t)len * 5;
    } else if (scans > 1) {
        *kind = " in a JPEG of several scans";
        more = pixels / 16 * scans + (uint64_t)len * 3;
    }
    return counted > more ? counted : more;
}

/* A JPEG of one scan is decoded at half its size or less, a quarter of the pixels. */
static uint64_t limits_most_pixels(const struct image_header *header, uint32_t scans, const struct image_limits *limits)
{
    const bool shrinks = (header->type == IMAGE_JPEG || header->type == IMAGE_RAW) && scans <= 1;

    return shrinks ? limits->max_pixels * SHRUNK_PIXELS : limits->max_pixels;
}

static int limits_check_pixels(const uint8_t *data, size_t len, const struct image_header *header, uint32_t scans,
                               const struct image_limits *limits, struct error *error)
{
    const char *kind;
    const uint64_t pixels = (uint64_t)header->width * header->height;
    const uint64_t counted = limits_count_pixels(data, len, header, scans, &kind);
    const uint64_t most = limits_most_pixels(header, scans, limits);

    if (pixels > most)
        return error_set(error, -EINVAL, "the picture has %u×%u pixels; the limit is %llu%s (KITH_MAX_PIXELS)",
                         header->width, header->height, (unsigned long long)most,
                         most > limits->max_pixels ? " for a JPEG of one scan" : "");
    if (counted > most)
        return error_set(error, -EINVAL,
                         "the picture has %u×%u pixels%s of %zu bytes, which count as %llu; the limit is %llu "
                         "(KITH_MAX_PIXELS)",
                         header->width, header->height, kind, len, (unsigned long long)counted,
                         (unsigned long long)most);
    return 0;
}

double limits_shrink(const struct image_header *header, const struct image_limits *limits)
{
    return (uint64_t)header->width * header->height > limits->max_pixels ? 0.5 : 1;
}

int limits_check(const uint8_t *data, size_t len, const struct image_header *header, const struct image_limits *limits,
                 struct error *error)
{
    uint32_t scans = 0;

    if (header->type == IMAGE_JPEG)
        scans = limits_count_scans(data, len);
    else if (header->type == IMAGE_RAW)
        scans = limits_count_scans(data + header->preview_at, header->preview_len);
    if (limits->max_scans && scans > limits->max_scans)
        return error_set(error, -EINVAL, "the JPEG has %u scans; the limit is %u (KITH_MAX_SCANS)", scans,
                         limits->max_scans);
    return limits_check_pixels(data, len, header, scans, limits, error);
}
