/* Pictures of four quarters (red, green / blue, white) in each format, made by the formats' own libraries. All are
 * owned by the caller. */
#ifndef KITH_TEST_UNIT_PICTURES_FORMAT_FILES_H
#define KITH_TEST_UNIT_PICTURES_FORMAT_FILES_H

#include "test/unit/pictures/quarters.h"
#include "test/unit/test.h"

#include <gif_lib.h>
#include <libheif/heif.h>
#include <openjpeg.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 18 };

#ifdef KITH_SANITIZED
/* x265, which only the tests use, keeps some memory of each encoder. */
const char *__lsan_default_suppressions(void) __attribute__((visibility("default")));
const char *__lsan_default_suppressions(void)
{
    return "leak:x265::";
}
#endif

struct file {
    uint8_t *data;
    size_t len;
};

static inline void file_put(struct file *f, const void *from, size_t n)
{
    assert_true(f->len + n <= FILE_MAX);
    memcpy(f->data + f->len, from, n);
    f->len += n;
}

static inline struct file file_new(void)
{
    struct file f = {.data = calloc(1, FILE_MAX)};

    assert_non_null(f.data);
    return f;
}

static inline int file_write_gif(GifFileType *gif, const GifByteType *from, int n)
{
    file_put(gif->UserData, from, (size_t)n);
    return n;
}

/* A frame of the size of the canvas; `clear`: the white quarter is transparent. */
static inline struct file file_gif(bool interlaced, bool clear)
{
    struct file f = file_new();
    GifColorType colours[8]; /* each twice: which one is chosen by noise, so that the rows are spread over the file */
    ColorMapObject *map;
    int code;
    GifFileType *gif = EGifOpen(&f, file_write_gif, &code);
    static const int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};

    for (int i = 0; i < 8; i++)
        colours[i] = (GifColorType){quarter_colours[i % 4][0], quarter_colours[i % 4][1], quarter_colours[i % 4][2]};
    map = GifMakeMapObject(8, colours);
    EGifSetGifVersion(gif, true);
    assert_int_equal(EGifPutScreenDesc(gif, WIDTH, HEIGHT, 3, 0, map), GIF_OK);
    if (clear)
        assert_int_equal(EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, 4, "\1\0\0\3"), GIF_OK);
    assert_int_equal(EGifPutImageDesc(gif, 0, 0, WIDTH, HEIGHT, interlaced, NULL), GIF_OK);
    for (int pass = 0; pass < (interlaced ? 4 : 1); pass++)
        for (int y = interlaced ? starts[pass] : 0; y < HEIGHT; y += interlaced ? steps[pass] : 1) {
            GifByteType row[WIDTH];

            for (int x = 0; x < WIDTH; x++)
                row[x] = (GifByteType)(quarter_at(x, y) + (clear                                       ? 0
                                                           : (x * x * 7 + y * y * 13 + x * y) % 3 == 0 ? 4
                                                                                                       : 0));
            assert_int_equal(EGifPutLine(gif, row, WIDTH), GIF_OK);
        }
    EGifCloseFile(gif, &code);
    GifFreeMapObject(map);
    return f;
}

static inline void file_number(struct file *f, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8)
        file_put(f, &(uint8_t){(uint8_t)v}, 1);
}

/* Of `bits` 8, 16, 24 or 32; 32 has a mask for alpha, which is 0 in the white quarter. */
static inline struct file file_bmp(uint32_t bits, bool top_down)
{
    struct file f = file_new();
    const uint32_t palette = bits == 8 ? 16 : 0, head = bits == 32 ? 56 : 40, offset = 14 + head + palette;

    file_put(&f, "BM", 2);
    file_number(&f, offset + WIDTH * HEIGHT * bits / 8, 4);
    file_number(&f, 0, 4);
    file_number(&f, offset, 4);
    file_number(&f, head, 4);
    file_number(&f, WIDTH, 4);
    file_number(&f, top_down ? (uint32_t)-HEIGHT : HEIGHT, 4);
    file_number(&f, 1, 2);
    file_number(&f, bits, 2);
    file_number(&f, bits == 32 ? 3 : 0, 4);
    for (int i = 0; i < 5; i++)
        file_number(&f, 0, 4);
    if (bits == 32)
        for (int i = 0; i < 4; i++)
            file_number(&f, (const uint32_t[]){0xff0000, 0xff00, 0xff, 0xff000000}[i], 4);
    for (uint32_t i = 0; i < palette / 4; i++)
        file_number(
            &f, (uint32_t)quarter_colours[i][0] << 16 | (uint32_t)quarter_colours[i][1] << 8 | quarter_colours[i][2],
            4);
    for (int row = 0; row < HEIGHT; row++)
        for (int x = 0; x < WIDTH; x++) {
            const int q = quarter_at(x, top_down ? row : HEIGHT - 1 - row);
            const uint8_t *c = quarter_colours[q];

            if (bits == 8)
                file_number(&f, (uint32_t)q, 1);
            else if (bits == 16)
                file_number(&f, (uint32_t)(c[0] >> 3 << 10 | c[1] >> 3 << 5 | c[2] >> 3), 2);
            else
                file_number(&f, (q == 3 ? 0U : 0xff000000U) | (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2],
                            (int)bits / 8);
        }
    return f;
}

struct tiff_kind {
    uint16_t bits, photometric, compression, orientation, format;
    const char *mode; /* of TIFFFdOpen: byte order, "8" for BigTIFF */
    bool tiled;
};

/* The samples of one pixel; the number of bytes. */
static inline size_t tiff_samples(const struct tiff_kind *k, const uint8_t *c, uint8_t out[16])
{
    size_t n = 0;

    if (k->photometric == PHOTOMETRIC_MINISBLACK && k->format == SAMPLEFORMAT_IEEEFP)
        return memset(out, 0, 4) ? 4 : 0;
    if (k->photometric == PHOTOMETRIC_MINISBLACK) {
        out[0] = (uint8_t)((c[0] + c[1] + c[2]) / 3);
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        const uint8_t v = k->photometric == PHOTOMETRIC_SEPARATED ? (uint8_t)(255 - c[i]) : c[i];

        out[n++] = v;
        if (k->bits == 16)
            out[n++] = v;
    }
    if (k->photometric == PHOTOMETRIC_SEPARATED)
        out[n++] = 0;
    return n;
}

static inline void tiff_write_pixels(TIFF *tiff, const struct tiff_kind *k)
{
    uint8_t *all = calloc(WIDTH * HEIGHT, 16);
    uint8_t sample[16];
    size_t n = 0;

    for (int y = 0; y < HEIGHT; y++) {
        size_t at = 0;

        for (int x = 0; x < WIDTH; x++, at += n) {
            n = tiff_samples(k, quarter_colours[quarter_at(x, y)], sample);
            memcpy(all + (size_t)y * WIDTH * n + at, sample, n);
        }
        if (!k->tiled)
            assert_int_equal(TIFFWriteScanline(tiff, all + (size_t)y * WIDTH * n, (uint32_t)y, 0), 1);
    }
    for (uint32_t y = 0; k->tiled && y < HEIGHT; y += 16)
        for (uint32_t x = 0; x < WIDTH; x += 16) {
            uint8_t tile[16 * 16 * 16];

            for (uint32_t row = 0; row < 16; row++)
                memcpy(tile + row * 16 * n, all + ((y + row) * WIDTH + x) * n, 16 * n);
            assert_true(TIFFWriteTile(tiff, tile, x, y, 0, 0) > 0);
        }
    free(all);
}

static inline struct file file_tiff(const struct tiff_kind *k)
{
    struct file f = file_new();
    char path[] = "/tmp/kith-tiff-XXXXXX";
    int fd = mkstemp(path);
    TIFF *tiff;
    ssize_t n;

    assert_true(fd >= 0);
    unlink(path);
    tiff = TIFFFdOpen(dup(fd), "picture", k->mode ? k->mode : "w");
    assert_non_null(tiff);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, WIDTH);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, HEIGHT);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL,
                 k->photometric == PHOTOMETRIC_MINISBLACK  ? 1
                 : k->photometric == PHOTOMETRIC_SEPARATED ? 4
                                                           : 3);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, k->compression);
    TIFFSetField(tiff, TIFFTAG_ORIENTATION, k->orientation);
    if (k->format)
        TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, k->format);
    if (k->tiled) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 8);
    }
    tiff_write_pixels(tiff, k);
    TIFFClose(tiff);
    n = pread(fd, f.data, FILE_MAX, 0);
    assert_true(n > 0 && n < FILE_MAX);
    f.len = (size_t)n;
    close(fd);
    return f;
}

struct jp2_sink {
    struct file file;
    size_t at;
};

static inline OPJ_SIZE_T file_write_jp2(void *from, OPJ_SIZE_T n, void *context)
{
    struct jp2_sink *s = context;

    assert_true(s->at + n <= FILE_MAX);
    memcpy(s->file.data + s->at, from, n);
    s->at += n;
    s->file.len = s->at > s->file.len ? s->at : s->file.len;
    return n;
}

static inline OPJ_OFF_T file_skip_jp2(OPJ_OFF_T n, void *context)
{
    ((struct jp2_sink *)context)->at += (size_t)n;
    return n;
}

static inline OPJ_BOOL file_seek_jp2(OPJ_OFF_T to, void *context)
{
    ((struct jp2_sink *)context)->at = (size_t)to;
    return OPJ_TRUE;
}

static inline struct file file_jp2(OPJ_CODEC_FORMAT format, uint32_t precision)
{
    struct jp2_sink sink = {.file = file_new()};
    opj_image_cmptparm_t parts[3] = {{0}};
    opj_cparameters_t parameters;
    opj_codec_t *codec = opj_create_compress(format);
    opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_FALSE);
    opj_image_t *image;

    for (int i = 0; i < 3; i++)
        parts[i] = (opj_image_cmptparm_t){.dx = 1, .dy = 1, .w = WIDTH, .h = HEIGHT, .prec = precision};
    image = opj_image_create(3, parts, OPJ_CLRSPC_SRGB);
    image->x1 = WIDTH;
    image->y1 = HEIGHT;
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int c = 0; c < 3; c++)
            image->comps[c].data[i] = quarter_colours[quarter_at(i % WIDTH, i / WIDTH)][c] << (precision - 8);
    opj_set_default_encoder_parameters(&parameters);
    parameters.tcp_numlayers = 1;
    parameters.cp_disto_alloc = 1;
    opj_stream_set_user_data(stream, &sink, NULL);
    opj_stream_set_write_function(stream, file_write_jp2);
    opj_stream_set_skip_function(stream, file_skip_jp2);
    opj_stream_set_seek_function(stream, file_seek_jp2);
    assert_true(opj_setup_encoder(codec, &parameters, image) && opj_start_compress(codec, image, stream) &&
                opj_encode(codec, stream) && opj_end_compress(codec, stream));
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    opj_image_destroy(image);
    return sink.file;
}

static inline struct heif_error file_write_heif(struct heif_context *context, const void *from, size_t n, void *to)
{
    (void)context;
    file_put(to, from, n);
    return (struct heif_error){heif_error_Ok, heif_suberror_Unspecified, ""};
}

/* `clear`: the white quarter is transparent. */
static inline struct file file_heif(enum heif_compression_format format, bool clear)
{
    struct file f = file_new();
    struct heif_context *context = heif_context_alloc();
    struct heif_writer writer = {.writer_api_version = 1, .write = file_write_heif};
    struct heif_encoder *encoder = NULL;
    struct heif_image *image = NULL;
    const int bytes = clear ? 4 : 3;
    uint8_t *plane;
    int stride;

    assert_int_equal(heif_context_get_encoder_for_format(context, format, &encoder).code, 0);
    heif_encoder_set_lossy_quality(encoder, 80);
    heif_image_create(WIDTH, HEIGHT, heif_colorspace_RGB,
                      clear ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, &image);
    heif_image_add_plane(image, heif_channel_interleaved, WIDTH, HEIGHT, 8);
    plane = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            memcpy(plane + y * stride + x * bytes, quarter_colours[quarter_at(x, y)], 3);
            if (clear) {
                plane[y * stride + x * bytes + 3] = quarter_at(x, y) == 3 ? 0 : 255;
                if (quarter_at(x, y) == 3)
                    memset(plane + y * stride + x * bytes, 0, 3);
            }
        }
    assert_int_equal(heif_context_encode_image(context, image, encoder, NULL, NULL).code, 0);
    assert_int_equal(heif_context_write(context, &writer, &f).code, 0);
    heif_image_release(image);
    heif_encoder_release(encoder);
    heif_context_free(context);
    return f;
}

/* A TIFF directory that says it is raw, with a JPEG of 96 × 64 as its preview. */
static inline struct file file_raw(uint8_t orientation, bool lossless)
{
    static const uint8_t head[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 4, 0};
    const uint16_t tags[4][2] = {{274, 3}, {513, 4}, {514, 4}, {50706, 4}};
    struct pixels p = quarters();
    struct file f = file_new();
    size_t len;
    uint8_t *jpeg = pixels_jpeg(&p, 95, &len);
    const uint32_t values[] = {orientation, sizeof head + 4 * 12 + 4, (uint32_t)len, 1};

    file_put(&f, head, sizeof head);
    for (int i = 0; i < 4; i++) {
        file_number(&f, tags[i][0], 2);
        file_number(&f, tags[i][1], 2);
        file_number(&f, 1, 4);
        file_number(&f, values[i], 4);
    }
    file_number(&f, 0, 4);
    if (lossless)
        ((uint8_t *)memmem(jpeg, len, "\xff\xc0", 2))[1] = 0xc3;
    file_put(&f, jpeg, len);
    free(jpeg);
    pixels_free(&p);
    return f;
}

#endif
