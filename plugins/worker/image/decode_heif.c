/* HEIC and AVIF with libheif (libde265, libaom), composed on white. libheif applies the file's rotation, mirroring and
 * cropping. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <libheif/heif.h>
#include <stdlib.h>
#include <string.h>

void decode_prepare(void)
{
    heif_init(NULL);
}

static int heif_fail(struct heif_error e, const char *name, struct error *error)
{
    if (e.subcode == heif_suberror_End_of_data)
        return error_set(error, -EINVAL, "the %s is cut short", name);
    return error_set(error, -EINVAL, "damaged %s: %s", name, e.message ? e.message : "it cannot be decoded");
}

static int heif_copy(const struct heif_image *image, bool alpha, const char *name, struct pixels *out,
                     struct error *error)
{
    const int width = heif_image_get_width(image, heif_channel_interleaved),
              height = heif_image_get_height(image, heif_channel_interleaved);
    const size_t bytes = alpha ? 4 : 3;
    int stride = 0;
    const uint8_t *plane = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);

    if (!plane || width <= 0 || height <= 0 || (size_t)stride < (size_t)width * bytes ||
        (uint64_t)width * (uint64_t)height > (uint64_t)out->picture_width * out->picture_height)
        return error_set(error, -EINVAL, "the %s's header contradicts itself", name);
    if (!pixels_allocate(out, (uint32_t)width, (uint32_t)height, PIXELS_MISSING, error))
        return -EINVAL;
    for (size_t y = 0; y < out->height; y++) {
        const uint8_t *row = plane + y * (size_t)stride;
        uint8_t *to = out->rgb + y * out->width * 3;

        if (alpha)
            pixels_compose_on_white(row, to, out->width);
        else
            memcpy(to, row, (size_t)out->width * 3);
    }
    out->picture_width = out->width;
    out->picture_height = out->height;
    return 0;
}

static int heif_decode(const struct heif_image_handle *handle, const char *decoder, const char *name,
                       struct pixels *out, struct error *error)
{
    const bool alpha = heif_image_handle_has_alpha_channel(handle);
    struct heif_decoding_options *options = heif_decoding_options_alloc();
    struct heif_image *image = NULL;
    struct heif_error e;
    int result;

    options->convert_hdr_to_8bit = 1;
    options->decoder_id = decoder;
    e = heif_decode_image(handle, &image, heif_colorspace_RGB,
                          alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, options);
    heif_decoding_options_free(options);
    if (e.code)
        return heif_fail(e, name, error);
    result = heif_copy(image, alpha, name, out, error);
    heif_image_release(image);
    return result;
}

int decode_heif(const uint8_t *data, size_t len, bool av1, struct pixels *out, struct error *error)
{
    const char *name = av1 ? "AVIF" : "HEIC";
    struct heif_context *context = heif_context_alloc();
    struct heif_image_handle *handle = NULL;
    struct heif_error e;
    int result;

    if (!context)
        return error_set(error, -EINVAL, "no memory for the %s decoder", name);
    heif_context_set_max_decoding_threads(context, 0);
    e = heif_context_read_from_memory_without_copy(context, data, len, NULL);
    if (!e.code)
        e = heif_context_get_primary_image_handle(context, &handle);
    /* libaom decodes with one thread; dav1d, which libheif prefers, starts one for each CPU. */
    result = e.code ? heif_fail(e, name, error) : heif_decode(handle, av1 ? "aom" : NULL, name, out, error);
    heif_image_handle_release(handle);
    heif_context_free(context);
    return result;
}
