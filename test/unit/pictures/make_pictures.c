/* make_pictures FOLDER: writes a small picture of four quarters in each format that has no encoder in the tests' other
 * languages. The tests of the whole program and the seeds of the fuzz targets use them. */
#include "test/unit/pictures/format_files.h"

#include <stdio.h>

static void pictures_write(const char *folder, const char *name, struct file f)
{
    char path[4096];
    FILE *to;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    to = fopen(path, "wb");
    if (!to || fwrite(f.data, 1, f.len, to) != f.len || fclose(to) != 0) {
        perror(path);
        exit(1);
    }
    free(f.data);
}

int main(int argc, char **argv)
{
    const struct tiff_kind tiff = {
        .bits = 8, .photometric = PHOTOMETRIC_RGB, .compression = COMPRESSION_LZW, .orientation = 6};
    const struct tiff_kind tiled = {.bits = 16,
                                    .photometric = PHOTOMETRIC_RGB,
                                    .compression = COMPRESSION_ADOBE_DEFLATE,
                                    .orientation = 1,
                                    .mode = "w8",
                                    .tiled = true};

    if (argc != 2) {
        fprintf(stderr, "usage: make_pictures FOLDER\n");
        return 2;
    }
    pictures_write(argv[1], "plain.gif", file_gif(true, true));
    pictures_write(argv[1], "palette.bmp", file_bmp(8, false));
    pictures_write(argv[1], "alpha.bmp", file_bmp(32, true));
    pictures_write(argv[1], "turned.tiff", file_tiff(&tiff));
    pictures_write(argv[1], "tiled.tif", file_tiff(&tiled));
    pictures_write(argv[1], "boxes.jp2", file_jp2(OPJ_CODEC_JP2, 8));
    pictures_write(argv[1], "stream.j2k", file_jp2(OPJ_CODEC_J2K, 8));
    pictures_write(argv[1], "plain.heic", file_heif(heif_compression_HEVC, false));
    pictures_write(argv[1], "alpha.heic", file_heif(heif_compression_HEVC, true));
    pictures_write(argv[1], "plain.avif", file_heif(heif_compression_AV1, false));
    pictures_write(argv[1], "preview.dng", file_raw(6, false));
    return 0;
}
