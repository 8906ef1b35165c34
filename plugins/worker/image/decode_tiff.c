/* The first picture of a TIFF with libtiff, in memory: palettes, grey, RGB, CMYK and YCbCr of up to 16 bits, composed
 * on white. libtiff reads strips and tiles; what lies beyond the end of the file is missing. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

struct tiff_source {
    const uint8_t *data;
    uint64_t len, at;
    char text[200]; /* the first error of libtiff */
};

static tmsize_t tiff_read(thandle_t handle, void *to, tmsize_t wanted)
{
    struct tiff_source *s = handle;
    uint64_t n = s->at < s->len ? s->len - s->at : 0;

    if (wanted < 0)
        return -1;
    if (n > (uint64_t)wanted)
        n = (uint64_t)wanted;
    memcpy(to, s->data + (n ? s->at : 0), (size_t)n);
    s->at += n;
    return (tmsize_t)n;
}

static tmsize_t tiff_write(thandle_t handle, void *from, tmsize_t len)
{
    (void)handle;
    (void)from;
    (void)len;
    return -1;
}

static toff_t tiff_seek(thandle_t handle, toff_t to, int whence)
{
    struct tiff_source *s = handle;

    s->at = whence == SEEK_CUR ? s->at + to : whence == SEEK_END ? s->len + to : to;
    return s->at;
}

static int tiff_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t tiff_size(thandle_t handle)
{
    return ((struct tiff_source *)handle)->len;
}

static int tiff_on_error(TIFF *tiff, void *context, const char *module, const char *format, va_list values)
{
    struct tiff_source *s = context;

    (void)tiff;
    (void)module;
    if (!s->text[0])
        vsnprintf(s->text, sizeof s->text, format, values);
    return 1;
}

static int tiff_on_warning(TIFF *tiff, void *context, const char *module, const char *format, va_list values)
{
    (void)tiff;
    (void)context;
    (void)module;
    (void)format;
    (void)values;
    return 1;
}

/* The largest block that libtiff allocates is a strip or a tile, of at most 16 bytes a pixel, or a table of offsets. */
static TIFF *tiff_open(struct tiff_source *s, const struct pixels *out)
{
    enum { LARGEST_PIXEL = 16, TABLES = 1 << 20 };
    const uint64_t most = (uint64_t)out->picture_width * out->picture_height * LARGEST_PIXEL + s->len + TABLES;
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    TIFF *tiff = NULL;

    if (!options)
        return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)most);
    TIFFOpenOptionsSetErrorHandlerExtR(options, tiff_on_error, s);
    TIFFOpenOptionsSetWarningHandlerExtR(options, tiff_on_warning, s);
    tiff = TIFFClientOpenExt("picture", "rm", s, tiff_read, tiff_write, tiff_seek, tiff_close, tiff_size, NULL, NULL,
                             options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

static bool tiff_is_cut(TIFF *tiff, const struct tiff_source *s)
{
    const uint32_t count = TIFFIsTiled(tiff) ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);

    for (uint32_t i = 0; i < count; i++) {
        const uint64_t at = TIFFGetStrileOffset(tiff, i), bytes = TIFFGetStrileByteCount(tiff, i);

        if (at > s->len || bytes > s->len - at)
            return true;
    }
    return false;
}

/* libtiff's pixels hold red in the lowest byte, with premultiplied alpha. */
static void tiff_compose_on_white(const uint32_t *raster, uint8_t *rgb, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        const unsigned white = 255 - TIFFGetA(raster[i]);
        const unsigned colours[] = {TIFFGetR(raster[i]), TIFFGetG(raster[i]), TIFFGetB(raster[i])};

        for (size_t c = 0; c < 3; c++)
            rgb[i * 3 + c] = (uint8_t)(colours[c] + white > 255 ? 255 : colours[c] + white);
    }
}

static int tiff_read_raster(TIFF *tiff, TIFFRGBAImage *image, struct tiff_source *s, struct pixels *out,
                            struct error *error)
{
    const size_t pixels = (size_t)image->width * image->height;
    uint32_t *raster;
    bool complete;

    if (image->width != out->picture_width || image->height != out->picture_height)
        return error_set(error, -EINVAL, "the TIFF's header contradicts itself");
    raster = malloc(pixels * sizeof *raster);
    if (!raster || !pixels_allocate(out, image->width, image->height, PIXELS_MISSING, error)) {
        free(raster);
        return error_set(error, -EINVAL, "no memory for a picture of %u×%u", image->width, image->height);
    }
    for (size_t i = 0; i < pixels; i++)
        raster[i] = 0xff000000U | PIXELS_MISSING * 0x10101U;
    image->req_orientation = image->orientation; /* as stored: the caller turns it */
    complete = TIFFRGBAImageGet(image, raster, image->width, image->height) && !s->text[0];
    tiff_compose_on_white(raster, out->rgb, pixels);
    free(raster);
    if (complete)
        return 0;
    out->partial = tiff_is_cut(tiff, s);
    return out->partial ? 0 : error_set(error, -EINVAL, "damaged TIFF: %s", s->text[0] ? s->text : "its pixels");
}

static int tiff_decode(TIFF *tiff, struct tiff_source *s, struct pixels *out, struct error *error)
{
    char reason[1024] = ""; /* the size that libtiff writes to */
    TIFFRGBAImage image;
    int result;

    if (!TIFFRGBAImageOK(tiff, reason) || !TIFFRGBAImageBegin(&image, tiff, 0, reason))
        return error_set(error, -EINVAL, "a TIFF that kith does not read: %s",
                         reason[0]    ? reason
                         : s->text[0] ? s->text
                                      : "its kind of pixels");
    result = tiff_read_raster(tiff, &image, s, out, error);
    TIFFRGBAImageEnd(&image);
    return result;
}

int decode_tiff(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    struct tiff_source source = {.data = data, .len = len};
    TIFF *tiff = tiff_open(&source, out);
    int result;

    if (!tiff)
        return error_set(error, -EINVAL, "damaged TIFF: %s", source.text[0] ? source.text : "its directory");
    result = tiff_decode(tiff, &source, out, error);
    TIFFClose(tiff);
    return result;
}
