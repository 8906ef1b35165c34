/* The first frame of a GIF with giflib, on a white canvas. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

struct gif_source {
    const uint8_t *data;
    size_t len, at;
};

static int gif_read(GifFileType *file, GifByteType *to, int wanted)
{
    struct gif_source *s = file->UserData;
    size_t n = s->len - s->at < (size_t)wanted ? s->len - s->at : (size_t)wanted;

    memcpy(to, s->data + s->at, n);
    s->at += n;
    return (int)n;
}

static bool gif_is_cut(const GifFileType *file)
{
    return file->Error == D_GIF_ERR_READ_FAILED || file->Error == D_GIF_ERR_EOF_TOO_SOON;
}

static int gif_fail(const GifFileType *file, struct error *error)
{
    const char *text = GifErrorString(file->Error);

    if (gif_is_cut(file))
        return error_set(error, -EINVAL, "the GIF is cut short before its first row");
    return error_set(error, -EINVAL, "damaged GIF: %s", text ? text : "it has no picture");
}

/* Skips extensions up to the first frame; the last graphics control block before it is stored in `control`. */
static bool gif_find_frame(GifFileType *file, GraphicsControlBlock *control)
{
    GifRecordType record;
    GifByteType *block;
    int code;

    while (DGifGetRecordType(file, &record) == GIF_OK && record != TERMINATE_RECORD_TYPE) {
        if (record == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(file) == GIF_OK;
        if (record != EXTENSION_RECORD_TYPE)
            continue;
        if (DGifGetExtension(file, &code, &block) != GIF_OK)
            return false;
        if (block && code == GRAPHICS_EXT_FUNC_CODE)
            DGifExtensionToGCB(block[0], block + 1, control);
        while (block)
            if (DGifGetExtensionNext(file, &block) != GIF_OK)
                return false;
    }
    return false;
}

static void gif_draw_row(const GifFileType *file, const ColorMapObject *colours, int transparent,
                         const GifByteType *row, int y, const struct pixels *out)
{
    const GifImageDesc *frame = &file->Image;
    uint8_t *to;

    if (frame->Top + y >= (int)out->height)
        return;
    to = out->rgb + ((size_t)(frame->Top + y) * out->width + (size_t)frame->Left) * 3;
    for (int x = 0; x < frame->Width && frame->Left + x < (int)out->width; x++, to += 3) {
        const GifColorType *c = colours->Colors + row[x];

        if (row[x] == transparent || row[x] >= colours->ColorCount)
            continue;
        to[0] = c->Red;
        to[1] = c->Green;
        to[2] = c->Blue;
    }
}

/* Rows in the order of the file: an interlaced frame has four passes. Returns how many there were. */
static int gif_draw(GifFileType *file, int transparent, GifByteType *row, const struct pixels *out)
{
    static const int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
    const GifImageDesc *frame = &file->Image;
    const ColorMapObject *colours = frame->ColorMap ? frame->ColorMap : file->SColorMap;
    const int passes = frame->Interlace ? 4 : 1;
    int drawn = 0;

    for (int pass = 0; pass < passes; pass++)
        for (int y = frame->Interlace ? starts[pass] : 0; y < frame->Height; y += frame->Interlace ? steps[pass] : 1) {
            if (DGifGetLine(file, row, frame->Width) != GIF_OK)
                return drawn;
            gif_draw_row(file, colours, transparent, row, y, out);
            drawn++;
        }
    return drawn;
}

static int gif_decode_frame(GifFileType *file, struct pixels *out, struct error *error)
{
    GraphicsControlBlock control = {.TransparentColor = NO_TRANSPARENT_COLOR};
    GifByteType *row;
    int drawn;

    if (!gif_find_frame(file, &control))
        return gif_fail(file, error);
    if (!file->Image.ColorMap && !file->SColorMap)
        return error_set(error, -EINVAL, "damaged GIF: it has no colours");
    row = malloc((size_t)file->Image.Width + 1);
    if (!row || !pixels_allocate(out, (uint32_t)file->SWidth, (uint32_t)file->SHeight, 255, error)) {
        free(row);
        return error_set(error, -EINVAL, "no memory for a picture of %d×%d", file->SWidth, file->SHeight);
    }
    drawn = gif_draw(file, control.TransparentColor, row, out);
    free(row);
    if (drawn == file->Image.Height)
        return 0;
    if (drawn == 0 || !gif_is_cut(file))
        return gif_fail(file, error);
    out->partial = true;
    return 0;
}

int decode_gif(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    struct gif_source source = {.data = data, .len = len};
    int code = 0, result;
    GifFileType *file = DGifOpen(&source, gif_read, &code);

    if (!file)
        return error_set(error, -EINVAL, "damaged GIF: %s", GifErrorString(code) ? GifErrorString(code) : "its header");
    if ((uint32_t)file->SWidth != out->picture_width || (uint32_t)file->SHeight != out->picture_height)
        result = error_set(error, -EINVAL, "the GIF's header contradicts itself");
    else
        result = gif_decode_frame(file, out, error);
    DGifCloseFile(file, &code);
    return result;
}
