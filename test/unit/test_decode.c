/* Headers and decoders: synthetic images in all orientations, truncated files, contradictory headers. */
#include "test/unit/pictures/quarters.h"
#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <webp/encode.h>

enum { MAX_PIXELS = 50000000, MAX_SCANS = 32 };

static const struct image_limits limits = {.max_pixels = MAX_PIXELS, .max_scans = MAX_SCANS};
static const struct image_limits tight = {.max_pixels = 4 * WIDTH * HEIGHT, .max_scans = MAX_SCANS};

static uint8_t *jpeg(size_t *len)
{
    struct pixels p = quarters();
    uint8_t *data = pixels_jpeg(&p, 95, len);

    pixels_free(&p);
    assert_non_null(data);
    return data;
}

/* Inserts an EXIF segment after the start marker of a JPEG. */
static uint8_t *with_exif(const uint8_t *data, size_t len, int orientation, bool big, size_t *out_len)
{
    uint8_t exif[] = {0xff,
                      0xe1,
                      0,
                      34,
                      'E',
                      'x',
                      'i',
                      'f',
                      0,
                      0,
                      'I',
                      'I',
                      42,
                      0,
                      8,
                      0,
                      0,
                      0,
                      1,
                      0,
                      0x12,
                      1,
                      3,
                      0,
                      1,
                      0,
                      0,
                      0,
                      (uint8_t)orientation,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0};
    static const uint8_t big_endian[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
    uint8_t *out = malloc(len + sizeof exif);

    if (big) {
        memcpy(exif + 10, big_endian, sizeof big_endian);
        exif[28] = 0;
        exif[29] = (uint8_t)orientation;
    }
    memcpy(out, data, 2);
    memcpy(out + 2, exif, sizeof exif);
    memcpy(out + 2 + sizeof exif, data + 2, len - 2);
    *out_len = len + sizeof exif;
    return out;
}

static void test_all_eight_orientations_come_out_upright(void **state)
{
    /* What is stored as "rgbw" is shown as this. */
    static const char *const shown[] = {"", "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"};
    size_t len, exif_len;
    uint8_t *plain = jpeg(&len);

    (void)state;
    for (int big = 0; big < 2; big++)
        for (int o = 1; o <= 8; o++) {
            uint8_t *data = with_exif(plain, len, o, big != 0, &exif_len);
            struct error error = {0};
            struct pixels p;
            char seen[5];

            assert_int_equal(decode(data, exif_len, &limits, 0, 1, &p, &error), 0);
            assert_int_equal(p.width, o >= 5 ? HEIGHT : WIDTH);
            assert_int_equal(p.picture_width, p.width);
            assert_int_equal(p.picture_height, p.height);
            read_quarters(&p, seen);
            assert_string_equal(seen, shown[o]);
            pixels_free(&p);
            free(data);
        }
    free(plain);
}

static void test_a_large_jpeg_is_decoded_smaller(void **state)
{
    struct pixels large = {.width = 1000, .height = 600, .rgb = calloc(1000 * 600, 3)}, p;
    size_t len;
    uint8_t *data = pixels_jpeg(&large, 80, &len);

    (void)state;
    assert_int_equal(decode(data, len, &limits, 300, 1, &p, NULL), 0);
    assert_int_equal(p.width, 300);
    assert_int_equal(p.height, 180);
    assert_int_equal(p.picture_width, 1000);
    assert_true(p.scale > 0.299 && p.scale < 0.301);
    pixels_free(&p);
    pixels_free(&large);
    free(data);
}

static void test_png_with_transparency_lies_on_white(void **state)
{
    uint8_t rgba[WIDTH * HEIGHT * 4] = {0}, *data = malloc(100000);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGBA};
    png_alloc_size_t len = 100000;
    struct pixels p;

    (void)state;
    assert_true(png_image_write_to_memory(&image, data, &len, 0, rgba, 0, NULL));
    assert_int_equal(decode(data, len, &limits, 0, 1, &p, NULL), 0);
    assert_int_equal(colour_at(&p, 0.5, 0.5), 'w');
    pixels_free(&p);
    free(data);
}

static void test_webp_is_decoded(void **state)
{
    struct pixels from = quarters(), p;
    uint8_t *data;
    size_t len = WebPEncodeLosslessRGB(from.rgb, WIDTH, HEIGHT, WIDTH * 3, &data);
    struct image_header h = sniff(data, len);
    char seen[5];

    (void)state;
    assert_int_equal(h.type, IMAGE_WEBP);
    assert_int_equal(h.width, WIDTH);
    assert_int_equal(h.height, HEIGHT);
    assert_int_equal(decode(data, len, &limits, 0, 1, &p, NULL), 0);
    read_quarters(&p, seen);
    assert_string_equal(seen, "rgbw");
    pixels_free(&p);
    pixels_free(&from);
    WebPFree(data);
}

static void expect_refused(const uint8_t *data, size_t len, const char *words)
{
    struct error error = {0};
    struct pixels p;

    assert_true(decode(data, len, &limits, 0, 1, &p, &error) < 0);
    if (!strstr(error.text, words))
        fail_msg("“%s” does not say “%s”", error.text, words);
}

static void test_what_is_no_image_is_refused_in_words(void **state)
{
    static const uint8_t huge[] = {0x89, 'P',  'N',  'G', 13, 10,   26,   10, 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0,
                                   0,    0xc3, 0x50, 0,   0,  0xc3, 0x50, 8,  2, 0, 0, 0,  0,   0,   0,   0,   0};
    size_t len;
    uint8_t *data = jpeg(&len);

    (void)state;
    expect_refused((const uint8_t *)"", 0, "empty");
    expect_refused((const uint8_t *)"just some text, called .jpg", 27, "not an image");
    expect_refused(huge, sizeof huge, "50000×50000");
    expect_refused(huge, sizeof huge, "KITH_MAX_PIXELS");
    expect_refused(data, 20, "damaged or cut short");
    free(data);
}

/* The first part of a file of `len` bytes; its upper quarters must be there. */
static void expect_part(const uint8_t *data, size_t len, const char *words)
{
    struct error error = {0};
    struct pixels p;
    uint8_t *part = malloc(len * 5 / 8);

    memcpy(part, data, len * 5 / 8);
    if (decode(part, len * 5 / 8, &limits, 0, 1, &p, &error) < 0)
        fail_msg("%s", error.text);
    assert_true(p.partial);
    assert_int_equal(p.picture_height, HEIGHT);
    assert_int_equal(colour_at(&p, 0.25, 0.1), 'r');
    assert_int_equal(colour_at(&p, 0.75, 0.1), 'g');
    assert_int_equal(colour_at(&p, 0.75, 0.99), 'm');
    pixels_free(&p);
    free(part);
    if (words)
        expect_refused(data, 64, words);
}

/* Noise does not shrink, so that the rows of the picture are spread over the file. */
static struct pixels noisy_quarters(void)
{
    struct pixels p = quarters();
    uint32_t seed = 1;

    for (size_t i = 0; i < WIDTH * HEIGHT * 3; i++) {
        seed = seed * 1664525 + 1013904223;
        p.rgb[i] = (uint8_t)(p.rgb[i] ^ (seed >> 24 & 15));
    }
    return p;
}

static void test_what_is_cut_short_is_decoded_as_far_as_it_goes(void **state)
{
    struct pixels from = noisy_quarters(), p;
    png_image image = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGB};
    png_alloc_size_t png_len = 100000;
    uint8_t *png = malloc(png_len), *webp;
    size_t len, webp_len = WebPEncodeRGB(from.rgb, WIDTH, HEIGHT, WIDTH * 3, 95, &webp);
    uint8_t *data = pixels_jpeg(&from, 95, &len);

    (void)state;
    assert_true(png_image_write_to_memory(&image, png, &png_len, 0, from.rgb, 0, NULL));
    expect_part(data, len, NULL);
    expect_part(png, png_len, "cut short");
    expect_part(webp, webp_len, NULL);
    assert_int_equal(decode(data, len, &limits, 0, 1, &p, NULL), 0);
    assert_false(p.partial);
    pixels_free(&p);
    WebPFree(webp);
    free(png);
    free(data);
    pixels_free(&from);
}

static void test_a_jpeg_of_more_pixels_than_the_limit_is_decoded_smaller(void **state)
{
    const struct image_limits third = {.max_pixels = WIDTH * HEIGHT / 3, .max_scans = 32};
    const struct image_limits fifth = {.max_pixels = WIDTH * HEIGHT / 5, .max_scans = 32};
    struct error error = {0};
    struct pixels p;
    size_t len;
    uint8_t *data = jpeg(&len);
    char seen[5];

    (void)state;
    assert_int_equal(decode(data, len, &third, 0, 1, &p, &error), 0);
    assert_int_equal(p.width, WIDTH / 2);
    assert_int_equal(p.picture_width, WIDTH);
    assert_true(p.scale > 0.499 && p.scale < 0.501);
    read_quarters(&p, seen);
    assert_string_equal(seen, "rgbw");
    pixels_free(&p);
    assert_true(decode(data, len, &fifth, 0, 1, &p, &error) < 0);
    assert_string_equal(error.text,
                        "the picture has 96×64 pixels; the limit is 4912 for a JPEG of one scan (KITH_MAX_PIXELS)");
    free(data);
}

static void test_a_header_that_lies_about_the_size_is_refused(void **state)
{
    size_t len;
    uint8_t *data = jpeg(&len), *lie = malloc(len + 12);
    /* A second, small frame header before the real one. */
    static const uint8_t frame[] = {0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0};

    (void)state;
    lie = realloc(lie, len + sizeof frame);
    memcpy(lie, data, 2);
    memcpy(lie + 2, frame, sizeof frame);
    memcpy(lie + 2 + sizeof frame, data + 2, len - 2);
    expect_refused(lie, len + sizeof frame, "JPEG");
    free(lie);
    free(data);
}

/* Decodes every prefix and a bit flip in every byte; sanitizer builds detect invalid accesses. */
static void test_mutations_never_crash(void **state)
{
    struct pixels from = quarters();
    uint8_t *files[3], *webp;
    size_t lens[3];
    png_image image = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGB};
    png_alloc_size_t png_len = 100000;

    (void)state;
    files[0] = jpeg(&lens[0]);
    files[1] = malloc(png_len);
    assert_true(png_image_write_to_memory(&image, files[1], &png_len, 0, from.rgb, 0, NULL));
    lens[1] = png_len;
    lens[2] = WebPEncodeRGB(from.rgb, WIDTH, HEIGHT, WIDTH * 3, 80, &webp);
    files[2] = malloc(lens[2]);
    memcpy(files[2], webp, lens[2]);
    WebPFree(webp);
    for (int f = 0; f < 3; f++) {
        for (size_t i = 0; i < lens[f]; i++) {
            uint8_t *copy = malloc(lens[f]); /* exact size: a sanitizer detects a read beyond it */
            struct pixels p;

            memcpy(copy, files[f], lens[f]);
            copy[i] ^= (uint8_t)(1u << (i % 8));
            if (decode(copy, lens[f], &tight, 0, 1, &p, NULL) == 0)
                pixels_free(&p);
            free(copy);
            copy = malloc(i + 1);
            memcpy(copy, files[f], i + 1);
            if (decode(copy, i, &limits, 0, 1, &p, NULL) == 0)
                pixels_free(&p);
            free(copy);
        }
        free(files[f]);
    }
    pixels_free(&from);
}

static void test_a_part_is_clipped_to_the_picture(void **state)
{
    struct pixels from = quarters(), p;

    (void)state;
    pixels_part(&from, -10, -10, 58, 42, 0, &p); /* the red quarter and no more */
    assert_int_equal(p.width, WIDTH / 2);
    assert_int_equal(p.height, HEIGHT / 2);
    assert_int_equal(colour_at(&p, 0.9, 0.9), 'r');
    pixels_free(&p);
    pixels_part(&from, 1000, 1000, 50, 50, 10, &p);
    assert_int_equal(p.width, 1);
    pixels_free(&p);
    pixels_free(&from);
}

/* A JPEG whose first scan, with its header, is repeated. */
static uint8_t *with_scans(const uint8_t *data, size_t len, uint32_t scans, size_t *out_len)
{
    size_t scan = 2;
    uint8_t *out;

    while (data[scan + 1] != 0xda)
        scan += 2 + (size_t)(data[scan + 2] << 8 | data[scan + 3]);
    *out_len = scan;
    out = malloc(scan + scans * (len - scan));
    memcpy(out, data, scan);
    for (uint32_t i = 0; i < scans; i++, *out_len += len - 2 - scan)
        memcpy(out + *out_len, data + scan, len - 2 - scan);
    out[(*out_len)++] = 0xff;
    out[(*out_len)++] = 0xd9;
    return out;
}

static void test_scans_are_counted_before_decoding(void **state)
{
    struct pixels p;
    struct error error;
    size_t len, many_len;
    uint8_t *data = jpeg(&len), *many;

    (void)state;
    assert_int_equal(limits_count_scans(data, len), 1);
    many = with_scans(data, len, MAX_SCANS + 1, &many_len);
    assert_int_equal(limits_count_scans(many, many_len), MAX_SCANS + 1);
    assert_true(decode(many, many_len, &limits, 0, 1, &p, &error) < 0);
    assert_string_equal(error.text, "the JPEG has 33 scans; the limit is 32 (KITH_MAX_SCANS)");
    for (size_t cut = 0; cut < many_len; cut += 7) /* reads nothing beyond the end */
        assert_true(limits_count_scans(many, cut) <= MAX_SCANS + 1);
    free(many);
    free(data);
}

static void test_texts_of_a_png_do_not_reach_its_decoder(void **state)
{
    static const uint8_t png[] = "\x89PNG\r\n\x1a\n"
                                 "\0\0\0\1IHDRacrc!"
                                 "\0\0\0\2zTXtabcrc!"
                                 "\0\0\0\0IDATcrc!"
                                 "\0\0\0\0teStcrc!"
                                 "\0\0\1\0IENDcut";
    static const uint8_t expected[] = "\x89PNG\r\n\x1a\n"
                                      "\0\0\0\1IHDRacrc!"
                                      "\0\0\0\0IDATcrc!"
                                      "\0\0\1\0IENDcut";
    uint8_t out[sizeof png];
    bool cut;

    (void)state;
    assert_int_equal(limits_strip_png(png, sizeof png, out, &cut), sizeof expected);
    assert_true(cut);
    assert_memory_equal(out, expected, sizeof expected);
}

static void test_pixels_that_cost_more_count_more(void **state)
{
    struct image_header header = {.type = IMAGE_PNG, .width = 1000, .height = 600};
    const struct image_limits million = {.max_pixels = 1000000};
    uint8_t png[33] = {0};
    struct error error;

    (void)state;
    assert_int_equal(limits_check(png, sizeof png, &header, &million, &error), 0);
    png[28] = 1;
    assert_int_equal(limits_check(png, sizeof png, &header, &million, &error), 0);
    header.deep = 1;
    assert_true(limits_check(png, sizeof png, &header, &million, &error) < 0);
    assert_string_equal(error.text,
                        "the picture has 1000×600 pixels of 16-bit samples of 33 bytes, which count as 1800000; the "
                        "limit is 1000000 (KITH_MAX_PIXELS)");
}

/* A WebP or a JPEG header, then `scans` scans, then zeros up to `len` bytes. */
static uint8_t *make_picture(enum image_type type, const char *chunk, unsigned scans, size_t len)
{
    static const uint8_t scan[] = {0xff, 0xda, 0, 2};
    uint8_t *data = calloc(1, len);

    assert_non_null(data);
    if (type == IMAGE_WEBP) {
        memcpy(data + 12, chunk, 4);
        return data;
    }
    data[0] = 0xff;
    data[1] = 0xd8;
    for (unsigned i = 0; i < scans; i++)
        memcpy(data + 2 + i * sizeof scan, scan, sizeof scan);
    return data;
}

static void test_bytes_and_scans_that_cost_cpu_time_count(void **state)
{
    static const struct {
        enum image_type type;
        const char *chunk;
        uint32_t side;
        unsigned scans;
        size_t len;
        bool refused;
    } table[] = {
        {IMAGE_WEBP, "VP8 ", 5770, 0, 6500000, false},
        {IMAGE_WEBP, "VP8 ", 5770, 0, 8049796, true},  /* measured: 0.93 to 1.06 s in all */
        {IMAGE_WEBP, "VP8 ", 5770, 0, 15293190, true}, /* 1.23 s */
        {IMAGE_WEBP, "VP8X", 5770, 0, 15293190, true},
        {IMAGE_WEBP, "VP8L", 5770, 0, 40000000, false}, /* a lossless byte costs little */
        {IMAGE_WEBP, "VP8 ", 5000, 0, 7000000, false},
        {IMAGE_WEBP, "VP8 ", 4000, 0, 7418792, false}, /* 0.77 s */
        {IMAGE_WEBP, "VP8 ", 4000, 0, 12000000, true},
        {IMAGE_JPEG, "", 7000, 1, 40000000, false}, /* 0.76 s */
        {IMAGE_JPEG, "", 7000, 10, 2023505, false}, /* 0.80 s */
        {IMAGE_JPEG, "", 7000, 10, 7216301, true},  /* 0.93 to 0.99 s */
        {IMAGE_JPEG, "", 7000, 10, 13570652, true}, /* 1.14 s */
        {IMAGE_JPEG, "", 5000, 10, 11000000, false},
        {IMAGE_JPEG, "", 7000, 32, 290251, true},  /* 1.26 s */
        {IMAGE_JPEG, "", 4000, 32, 8790782, true}, /* 1.02 s */
        {IMAGE_JPEG, "", 1000, 32, 5000000, false},
    };
    const struct image_limits by_default = {.max_pixels = 50000000, .max_scans = 32};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct image_header header = {.type = table[i].type, .width = table[i].side, .height = table[i].side};
        uint8_t *data = make_picture(table[i].type, table[i].chunk, table[i].scans, table[i].len);
        struct error error = {0};
        int result = limits_check(data, table[i].len, &header, &by_default, &error);

        if ((result < 0) != table[i].refused)
            fail_msg("row %zu: %s", i, result < 0 ? error.text : "accepted");
        if (result < 0)
            assert_non_null(strstr(error.text, "KITH_MAX_PIXELS"));
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scans_are_counted_before_decoding),
        cmocka_unit_test(test_texts_of_a_png_do_not_reach_its_decoder),
        cmocka_unit_test(test_bytes_and_scans_that_cost_cpu_time_count),
        cmocka_unit_test(test_pixels_that_cost_more_count_more),
        cmocka_unit_test(test_all_eight_orientations_come_out_upright),
        cmocka_unit_test(test_a_large_jpeg_is_decoded_smaller),
        cmocka_unit_test(test_png_with_transparency_lies_on_white),
        cmocka_unit_test(test_webp_is_decoded),
        cmocka_unit_test(test_what_is_no_image_is_refused_in_words),
        cmocka_unit_test(test_what_is_cut_short_is_decoded_as_far_as_it_goes),
        cmocka_unit_test(test_a_jpeg_of_more_pixels_than_the_limit_is_decoded_smaller),
        cmocka_unit_test(test_a_header_that_lies_about_the_size_is_refused),
        cmocka_unit_test(test_mutations_never_crash),
        cmocka_unit_test(test_a_part_is_clipped_to_the_picture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
