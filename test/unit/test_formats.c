/* Each format that kith decodes: upright, on white, cut short, refused. The files are made by the formats' libraries.
 */
#include "core/image/formats.h"
#include "test/unit/pictures/format_files.h"

static const struct image_limits limits = {.max_pixels = 50000000, .max_scans = 32};
static const struct tiff_kind plain_tiff = {
    .bits = 8, .photometric = PHOTOMETRIC_RGB, .compression = COMPRESSION_LZW, .orientation = 1};

static void file_free(struct file *f)
{
    free(f->data);
}

/* Decodes a copy of the exact size, so that a sanitizer detects a read beyond it. */
static int decode_file(const struct file *f, size_t len, struct pixels *p, struct error *error)
{
    uint8_t *copy = malloc(len + 1);
    int result;

    memcpy(copy, f->data, len);
    copy = realloc(copy, len ? len : 1);
    result = decode(copy, len, &limits, 0, 1, p, error);
    free(copy);
    return result;
}

static void expect_quarters(const struct file *f, enum image_type type, const char *expected)
{
    const struct image_header h = sniff(f->data, f->len);
    struct error error = {0};
    struct pixels p;
    char seen[5];

    assert_int_equal(h.type, type);
    if (decode_file(f, f->len, &p, &error) < 0)
        fail_msg("%s: %s", image_format(type)->name, error.text);
    assert_false(p.partial);
    assert_int_equal(p.picture_width, p.width);
    read_quarters(&p, seen);
    assert_string_equal(seen, expected);
    pixels_free(&p);
}

static void expect_and_free(struct file f, enum image_type type, const char *expected)
{
    expect_quarters(&f, type, expected);
    file_free(&f);
}

static void expect_refused(const struct file *f, const char *words)
{
    struct error error = {0};
    struct pixels p;

    assert_true(decode_file(f, f->len, &p, &error) < 0);
    if (!strstr(error.text, words))
        fail_msg("“%s” does not say “%s”", error.text, words);
}

static void test_gif_gives_its_first_frame(void **state)
{
    struct file f = file_gif(false, false), twice = file_gif(false, false);

    (void)state;
    expect_and_free(file_gif(true, false), IMAGE_GIF, "rgbw");
    expect_and_free(file_gif(true, true), IMAGE_GIF, "rgbw"); /* white shines through */
    twice.len--;                                              /* its trailer; then a frame of red only */
    file_put(&twice, "\x2c\0\0\0\0\x60\0\x40\0\0\2\2\x84\x51\0;", 16);
    expect_quarters(&f, IMAGE_GIF, "rgbw");
    expect_quarters(&twice, IMAGE_GIF, "rgbw");
    file_free(&twice);
    file_free(&f);
}

/* The frame of a GIF moved and enlarged by its descriptor. */
static void test_a_frame_beyond_its_canvas_is_clipped_or_refused(void **state)
{
    struct file f = file_gif(false, false);
    uint8_t *frame = memchr(f.data + 13 + 24, 0x2c, f.len - 37);

    (void)state;
    frame[1] = WIDTH / 2; /* to the right by half a width */
    expect_quarters(&f, IMAGE_GIF, "wrwb");
    frame[1] = 0;
    memset(frame + 5, 0xff, 4); /* 65535 × 65535 */
    expect_refused(&f, "in tiles, planes or a frame");
    file_free(&f);
}

static void test_bmp_of_all_depths(void **state)
{
    static const uint32_t bits[] = {8, 16, 24, 32};

    (void)state;
    for (int i = 0; i < 4; i++)
        for (int top_down = 0; top_down < 2; top_down++)
            expect_and_free(file_bmp(bits[i], top_down != 0), IMAGE_BMP, "rgbw");
}

static void test_a_compressed_bmp_is_refused_in_words(void **state)
{
    struct file f = file_bmp(8, false);

    (void)state;
    f.data[30] = 1;
    expect_refused(&f, "a compressed BMP (1)");
    f.data[30] = 0;
    f.data[28] = 2;
    expect_refused(&f, "a BMP of 2 bits");
    file_free(&f);
}

static void test_tiff_of_many_kinds(void **state)
{
    static const struct tiff_kind kinds[] = {
        {8, PHOTOMETRIC_RGB, COMPRESSION_NONE, 1, 0, "wl", false},
        {8, PHOTOMETRIC_RGB, COMPRESSION_LZW, 1, 0, "wb", false},
        {8, PHOTOMETRIC_RGB, COMPRESSION_ADOBE_DEFLATE, 1, 0, "w8", true},
        {8, PHOTOMETRIC_RGB, COMPRESSION_JPEG, 1, 0, "wl", true},
        {16, PHOTOMETRIC_RGB, COMPRESSION_PACKBITS, 1, 0, "wb", false},
        {8, PHOTOMETRIC_SEPARATED, COMPRESSION_LZW, 1, 0, "wl", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        expect_and_free(file_tiff(&kinds[i]), IMAGE_TIFF, "rgbw");
}

static void test_tiff_turns_upright(void **state)
{
    static const char *const shown[] = {"", "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"};

    (void)state;
    for (uint16_t o = 1; o <= 8; o++) {
        struct tiff_kind kind = plain_tiff;

        kind.orientation = o;
        expect_and_free(file_tiff(&kind), IMAGE_TIFF, shown[o]);
    }
}

static void test_a_tiff_of_floats_is_refused_in_words(void **state)
{
    const struct tiff_kind kind = {.bits = 32,
                                   .photometric = PHOTOMETRIC_MINISBLACK,
                                   .compression = COMPRESSION_NONE,
                                   .orientation = 1,
                                   .format = SAMPLEFORMAT_IEEEFP};
    struct file f = file_tiff(&kind);

    (void)state;
    expect_refused(&f, "a TIFF that kith does not read");
    file_free(&f);
}

static void test_an_orientation_of_type_long_counts(void **state)
{
    static const uint8_t little[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 4, 0, 1, 0, 0, 0, 6, 0, 0, 0},
                         big[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8},
                         high[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 4, 0, 1, 0, 0, 0, 6, 0, 1, 0};

    (void)state;
    assert_int_equal(exif_orientation(little, sizeof little), 6);
    assert_int_equal(exif_orientation(big, sizeof big), 8);
    assert_int_equal(exif_orientation(high, sizeof high), 1);
}

static void test_jpeg_2000_with_and_without_boxes(void **state)
{
    struct file f = file_jp2(OPJ_CODEC_JP2, 8);
    struct pixels p;

    (void)state;
    expect_and_free(file_jp2(OPJ_CODEC_J2K, 8), IMAGE_JP2, "rgbw");
    expect_and_free(file_jp2(OPJ_CODEC_JP2, 12), IMAGE_JP2, "rgbw");
    expect_quarters(&f, IMAGE_JP2, "rgbw");
    assert_int_equal(decode(f.data, f.len, &limits, 24, 1, &p, NULL), 0); /* at a quarter of its resolution */
    assert_int_equal(p.width, 24);
    assert_int_equal(p.picture_width, WIDTH);
    assert_true(p.scale > 0.249 && p.scale < 0.251);
    pixels_free(&p);
    file_free(&f);
}

static void test_many_tiles_of_a_jpeg_2000_are_refused(void **state)
{
    struct file f = file_jp2(OPJ_CODEC_J2K, 8);

    (void)state;
    memcpy(f.data + 8, "\0\0\x0f\0\0\0\x0f\0", 8); /* 3840 × 3840 */
    memcpy(f.data + 24, "\0\0\0\1\0\0\0\1", 8);    /* in tiles of one pixel */
    expect_refused(&f, "in tiles, planes or a frame");
    file_free(&f);
}

static void test_a_jpeg_2000_counts_four_times(void **state)
{
    struct file f = file_jp2(OPJ_CODEC_J2K, 8);

    (void)state;
    memcpy(f.data + 8, "\0\0\x0f\0\0\0\x0f\0", 8);  /* 3840 × 3840 */
    memcpy(f.data + 24, "\0\0\x0f\0\0\0\x0f\0", 8); /* in one tile */
    expect_refused(&f, "in a JPEG 2000");
    file_free(&f);
}

static void test_heic_and_avif(void **state)
{
    (void)state;
    expect_and_free(file_heif(heif_compression_HEVC, false), IMAGE_HEIC, "rgbw");
    expect_and_free(file_heif(heif_compression_HEVC, true), IMAGE_HEIC, "rgbw");
    expect_and_free(file_heif(heif_compression_AV1, false), IMAGE_AVIF, "rgbw");
    expect_and_free(file_heif(heif_compression_AV1, true), IMAGE_AVIF, "rgbw");
}

/* The property `pixi` of the only item becomes `irot`, a rotation by 90° anticlockwise for each turn. */
static void heif_turn(struct file *f, uint8_t turns)
{
    static const uint8_t irot[] = {'i', 'r', 'o', 't'};
    uint8_t *pixi = memmem(f->data, f->len, "pixi", 4);

    assert_non_null(pixi);
    memcpy(pixi, irot, sizeof irot);
    pixi[4] = turns;
}

static void test_the_rotation_of_a_heic_is_applied_once(void **state)
{
    struct file f = file_heif(heif_compression_HEVC, false);

    (void)state;
    heif_turn(&f, 1);
    expect_quarters(&f, IMAGE_HEIC, "gwrb");
    file_free(&f);
}

/* A HEIF file of boxes only: a grid of `tiles` references to one tile of side × side. */
static struct file heif_grid(uint32_t tiles, uint32_t side, bool nested)
{
    struct file f = file_new();
    const uint32_t iref = 12 + 12 + tiles * 2 + (nested ? 14 : 0), ipma = 16 + 2 * 4, ipco = 8 + 20 * 2,
                   iprp = 8 + ipco + ipma, meta = 12 + 14 + iprp + iref;
    const struct {
        uint32_t size;
        const char *type;
    } boxes[] = {{24, "ftyp"}, {meta, "meta"}, {14, "pitm"}, {iprp, "iprp"}, {ipco, "ipco"}};

#define BIG(v) (const uint8_t[]){(uint8_t)((v) >> 24), (uint8_t)((v) >> 16), (uint8_t)((v) >> 8), (uint8_t)(v)}, 4
    file_put(&f, BIG(boxes[0].size)), file_put(&f, "ftypheic\0\0\0\0mif1heic", 20);
    file_put(&f, BIG(meta)), file_put(&f, "meta\0\0\0\0", 8);
    file_put(&f, BIG(14U)), file_put(&f, "pitm\0\0\0\0\0\1", 10);
    file_put(&f, BIG(iprp)), file_put(&f, "iprp", 4);
    file_put(&f, BIG(ipco)), file_put(&f, "ipco", 4);
    file_put(&f, BIG(20U)), file_put(&f, "ispe\0\0\0\0\0\0\3\xe8\0\0\3\xe8", 16); /* the grid: 1000 × 1000 */
    file_put(&f, BIG(20U)), file_put(&f, "ispe\0\0\0\0", 8), file_put(&f, BIG(side)), file_put(&f, BIG(side));
    file_put(&f, BIG(ipma)), file_put(&f, "ipma\0\0\0\0\0\0\0\2\0\1\1\1\0\2\1\2", 20);
    file_put(&f, BIG(iref)), file_put(&f, "iref\0\0\0\0", 8);
    file_put(&f, BIG(12 + tiles * 2)), file_put(&f, "dimg\0\1", 6);
    file_put(&f, (const uint8_t[]){(uint8_t)(tiles >> 8), (uint8_t)tiles}, 2);
    for (uint32_t i = 0; i < tiles; i++)
        file_put(&f, "\0\2", 2);
    if (nested)
        file_put(&f, "\0\0\0\16dimg\0\2\0\1\0\2", 14);
#undef BIG
    return f;
}

static void test_tiles_of_a_heic_count(void **state)
{
    struct file f = heif_grid(4, 500, false);
    struct image_header h = sniff(f.data, f.len);

    (void)state;
    assert_int_equal(h.type, IMAGE_HEIC);
    assert_int_equal(h.width, 1000);
    assert_true(h.coded_pixels == 1000000);
    file_free(&f);
    f = heif_grid(1000, 8000, false); /* one tile of 64 million pixels, a thousand times */
    expect_refused(&f, "in tiles, planes or a frame");
    file_free(&f);
    f = heif_grid(1025, 8, false);
    expect_refused(&f, "in tiles, planes or a frame");
    file_free(&f);
    f = heif_grid(4, 500, true);
    expect_refused(&f, "in tiles, planes or a frame");
    for (size_t len = 0; len < f.len; len++) /* reads nothing beyond the end */
        sniff(f.data + 0, len);
    file_free(&f);
}

static void test_a_raw_file_gives_its_preview(void **state)
{
    struct file f = file_raw(1, true), raf = file_new();
    struct pixels p = quarters();
    size_t len;
    uint8_t *jpeg = pixels_jpeg(&p, 95, &len);

    (void)state;
    expect_and_free(file_raw(1, false), IMAGE_RAW, "rgbw");
    expect_and_free(file_raw(6, false), IMAGE_RAW, "brwg");
    expect_refused(&f, "the raw file has no preview");
    for (size_t cut = 0; cut < 200; cut++) { /* reads nothing beyond the end */
        struct pixels none;

        assert_true(decode_file(&f, cut, &none, NULL) < 0);
    }
    file_put(&raf, "FUJIFILMCCD-RAW ", 16);
    raf.len = 84;
    file_put(&raf, "\0\0\0\x60", 4);
    file_put(&raf, (const uint8_t[]){0, 0, (uint8_t)(len >> 8), (uint8_t)len}, 4);
    raf.len = 96;
    file_put(&raf, jpeg, len);
    expect_quarters(&raf, IMAGE_RAW, "rgbw");
    raf.len = 100;
    expect_refused(&raf, "cut short");
    free(jpeg);
    pixels_free(&p);
    file_free(&raf);
    file_free(&f);
}

static void test_a_cr3_gives_its_preview(void **state)
{
    static const uint8_t uuid[] = {0xea, 0xf4, 0x2b, 0x5e, 0x1c, 0x98, 0x4b, 0x88,
                                   0xb9, 0xfb, 0xb7, 0xdc, 0x40, 0x6e, 0x4d, 0x16};
    struct file f = file_new();
    struct pixels p = quarters();
    size_t len;
    uint8_t *jpeg = pixels_jpeg(&p, 95, &len);

    (void)state;
    file_put(&f,
             "\0\0\0\x18"
             "ftypcrx \0\0\0\1crx isom",
             24);
    file_put(&f, (const uint8_t[]){0, 0, (uint8_t)((len + 40) >> 8), (uint8_t)(len + 40)}, 4);
    file_put(&f, "uuid", 4);
    file_put(&f, uuid, sizeof uuid);
    file_put(&f, "\0\0\0\0PRVW\0\0\0\0\0\0\0\0", 16);
    file_put(&f, jpeg, len);
    expect_quarters(&f, IMAGE_RAW, "rgbw");
    free(jpeg);
    pixels_free(&p);
    file_free(&f);
}

/* A TIFF whose directory stands before its strips, of eight rows each; libtiff writes it behind them. */
static struct file tiff_with_its_directory_first(void)
{
    enum { STRIPS = HEIGHT / 8, STRIP_BYTES = WIDTH * 8 * 3, TAGS = 9, ARRAYS = 8 + 2 + TAGS * 12 + 4 };
    const uint32_t tags[TAGS][4] = {{256, 4, 1, WIDTH}, {257, 4, 1, HEIGHT}, {258, 3, 1, 8},
                                    {259, 3, 1, 1},     {262, 3, 1, 2},      {273, 4, STRIPS, ARRAYS},
                                    {277, 3, 1, 3},     {278, 3, 1, 8},      {279, 4, STRIPS, ARRAYS + STRIPS * 4}};
    struct file f = file_new();
    struct pixels p = quarters();

    file_put(&f, "II*\0\x08\0\0\0\x09\0", 10);
    for (int i = 0; i < TAGS; i++) {
        file_number(&f, tags[i][0], 2);
        file_number(&f, tags[i][1], 2);
        file_number(&f, tags[i][2], 4);
        file_number(&f, tags[i][3], 4);
    }
    file_number(&f, 0, 4);
    for (uint32_t i = 0; i < STRIPS; i++)
        file_number(&f, ARRAYS + STRIPS * 8 + i * STRIP_BYTES, 4);
    for (uint32_t i = 0; i < STRIPS; i++)
        file_number(&f, STRIP_BYTES, 4);
    file_put(&f, p.rgb, WIDTH * HEIGHT * 3);
    pixels_free(&p);
    return f;
}

/* Pictures that are cut after three quarters of their bytes; their upper half is there. */
static void test_what_is_cut_short_is_decoded_as_far_as_it_goes(void **state)
{
    struct file files[] = {file_gif(false, false), file_bmp(24, true), tiff_with_its_directory_first()};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct error error = {0};
        struct pixels p;

        if (decode_file(&files[i], files[i].len * 3 / 4, &p, &error) < 0)
            fail_msg("file %zu: %s", i, error.text);
        assert_true(p.partial);
        assert_int_equal(p.width, WIDTH);
        assert_int_equal(colour_at(&p, 0.25, 0.25), 'r');
        assert_int_equal(colour_at(&p, 0.75, 0.25), 'g');
        pixels_free(&p);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        file_free(&files[i]);
}

static void test_a_file_without_a_row_is_refused(void **state)
{
    struct file f = file_bmp(24, true), heic = file_heif(heif_compression_HEVC, false),
                jp2 = file_jp2(OPJ_CODEC_J2K, 8);

    (void)state;
    f.len = 60;
    expect_refused(&f, "cut short before its first row");
    heic.len -= 100;
    expect_refused(&heic, "cut short");
    jp2.len -= 2;
    expect_refused(&jp2, "the JPEG 2000 is cut short");
    file_free(&jp2);
    file_free(&heic);
    file_free(&f);
}

/* Every prefix and a bit flip in every byte; sanitizer builds detect invalid accesses. */
static void test_mutations_never_crash(void **state)
{
    struct file files[] = {file_gif(true, true),
                           file_bmp(32, false),
                           file_tiff(&plain_tiff),
                           file_jp2(OPJ_CODEC_JP2, 8),
                           file_raw(6, false),
                           heif_grid(4, 500, true),
                           file_heif(heif_compression_HEVC, true)};

    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        const size_t step = files[f].len / 400 + 1;

        for (size_t i = 0; i < files[f].len; i += step) {
            struct pixels p;

            files[f].data[i] ^= (uint8_t)(1U << (i % 8));
            if (decode_file(&files[f], files[f].len, &p, NULL) == 0)
                pixels_free(&p);
            files[f].data[i] ^= (uint8_t)(1U << (i % 8));
            if (decode_file(&files[f], i, &p, NULL) == 0)
                pixels_free(&p);
        }
        file_free(&files[f]);
    }
}

static void test_endings_and_names_of_formats(void **state)
{
    (void)state;
    assert_true(image_has_ending("a.JPG") && image_has_ending("b.heic") && image_has_ending("c.d.Tiff"));
    assert_true(image_has_ending("not decoded.jxl"));
    assert_false(image_has_ending("jpg") || image_has_ending("a.txt") || image_has_ending("a.") ||
                 image_has_ending("a.jp"));
    for (int type = IMAGE_JPEG; type < IMAGE_RAW; type++)
        assert_non_null(strstr(image_formats_text(), image_format((enum image_type)type)->name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gif_gives_its_first_frame),
        cmocka_unit_test(test_a_frame_beyond_its_canvas_is_clipped_or_refused),
        cmocka_unit_test(test_bmp_of_all_depths),
        cmocka_unit_test(test_a_compressed_bmp_is_refused_in_words),
        cmocka_unit_test(test_tiff_of_many_kinds),
        cmocka_unit_test(test_tiff_turns_upright),
        cmocka_unit_test(test_a_tiff_of_floats_is_refused_in_words),
        cmocka_unit_test(test_an_orientation_of_type_long_counts),
        cmocka_unit_test(test_jpeg_2000_with_and_without_boxes),
        cmocka_unit_test(test_many_tiles_of_a_jpeg_2000_are_refused),
        cmocka_unit_test(test_a_jpeg_2000_counts_four_times),
        cmocka_unit_test(test_heic_and_avif),
        cmocka_unit_test(test_the_rotation_of_a_heic_is_applied_once),
        cmocka_unit_test(test_tiles_of_a_heic_count),
        cmocka_unit_test(test_a_raw_file_gives_its_preview),
        cmocka_unit_test(test_a_cr3_gives_its_preview),
        cmocka_unit_test(test_what_is_cut_short_is_decoded_as_far_as_it_goes),
        cmocka_unit_test(test_a_file_without_a_row_is_refused),
        cmocka_unit_test(test_mutations_never_crash),
        cmocka_unit_test(test_endings_and_names_of_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
