#include "core/image/formats.h"

#include <string.h>
#include <strings.h>

#define RAW_FORMATS "CR2, CR3, NEF, ARW, DNG, RAF, RW2"
#define ALL_FORMATS                                                                                                    \
    "JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, HEIC, AVIF or the preview of a camera's raw file (" RAW_FORMATS ")"

static const struct image_format formats[IMAGE_TYPES] = {
    [IMAGE_UNKNOWN] = {"", NULL, "bin", ".jxl .orf .pef .srw .psd"},
    [IMAGE_JPEG] = {"JPEG", "image/jpeg", "jpg", ".jpg .jpeg .jpe .jfif .pjpg .pjpeg .mpo"},
    [IMAGE_PNG] = {"PNG", "image/png", "png", ".png .apng"},
    [IMAGE_WEBP] = {"WebP", "image/webp", "webp", ".webp"},
    [IMAGE_GIF] = {"GIF", "image/gif", "gif", ".gif"},
    [IMAGE_BMP] = {"BMP", "image/bmp", "bmp", ".bmp .dib"},
    [IMAGE_TIFF] = {"TIFF", "image/tiff", "tiff", ".tif .tiff"},
    [IMAGE_JP2] = {"JPEG 2000", "image/jp2", "jp2", ".jp2 .j2k .j2c .jpx .jpf"},
    [IMAGE_HEIC] = {"HEIC", "image/heic", "heic", ".heic .heif .hif"},
    [IMAGE_AVIF] = {"AVIF", "image/avif", "avif", ".avif"},
    [IMAGE_RAW] = {"camera raw", "application/octet-stream", "raw", ".cr2 .cr3 .nef .nrw .arw .dng .raf .rw2"},
};

const struct image_format *image_format(enum image_type type)
{
    return &formats[type < IMAGE_TYPES ? type : IMAGE_UNKNOWN];
}

const char *image_formats_text(void)
{
    return ALL_FORMATS;
}

static bool image_is_listed(const char *endings, const char *ending)
{
    const size_t len = strlen(ending);

    for (const char *at = endings; *at;) {
        const size_t n = strcspn(at, " ");

        if (n == len && strncasecmp(at, ending, n) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

bool image_has_ending(const char *name)
{
    const char *dot = strrchr(name, '.');

    for (int type = 0; dot && type < IMAGE_TYPES; type++)
        if (image_is_listed(formats[type].endings, dot))
            return true;
    return false;
}
