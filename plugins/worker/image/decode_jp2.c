/* JPEG 2000 with OpenJPEG, at a reduced resolution (1/2, 1/4, …) when that is large enough, composed on white. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <math.h>
#include <openjpeg.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_ROOM = 160, BITS_MAX = 16 };

struct jp2_source {
    const uint8_t *data;
    size_t len, at;
};

static OPJ_SIZE_T jp2_read(void *to, OPJ_SIZE_T wanted, void *context)
{
    struct jp2_source *s = context;
    size_t n = s->len - s->at < wanted ? s->len - s->at : wanted;

    if (n == 0)
        return (OPJ_SIZE_T)-1;
    memcpy(to, s->data + s->at, n);
    s->at += n;
    return n;
}

static OPJ_OFF_T jp2_skip(OPJ_OFF_T by, void *context)
{
    struct jp2_source *s = context;

    if (by < 0 || s->at == s->len)
        return -1;
    if ((size_t)by > s->len - s->at)
        by = (OPJ_OFF_T)(s->len - s->at);
    s->at += (size_t)by;
    return by;
}

static OPJ_BOOL jp2_seek(OPJ_OFF_T to, void *context)
{
    struct jp2_source *s = context;

    if (to < 0 || (size_t)to > s->len)
        return OPJ_FALSE;
    s->at = (size_t)to;
    return OPJ_TRUE;
}

static opj_stream_t *jp2_open(struct jp2_source *s)
{
    opj_stream_t *stream = opj_stream_create(OPJ_J2K_STREAM_CHUNK_SIZE, OPJ_TRUE);

    if (!stream)
        return NULL;
    opj_stream_set_user_data(stream, s, NULL);
    opj_stream_set_user_data_length(stream, s->len);
    opj_stream_set_read_function(stream, jp2_read);
    opj_stream_set_skip_function(stream, jp2_skip);
    opj_stream_set_seek_function(stream, jp2_seek);
    return stream;
}

static void jp2_on_error(const char *text, void *context)
{
    char *reason = context;
    const size_t n = strcspn(text, "\n");

    if (!reason[0])
        snprintf(reason, REASON_ROOM, "%.*s", (int)(n < REASON_ROOM ? n : REASON_ROOM - 1), text);
}

/* The number of halvings after which the longer side is still not below `wanted`, at most those of the file. */
static uint32_t jp2_choose_halvings(opj_codec_t *codec, uint32_t longer, uint32_t wanted)
{
    opj_codestream_info_v2_t *info = opj_get_cstr_info(codec);
    uint32_t halvings = 0, most = 0;

    if (info && info->m_default_tile_info.tccp_info && info->m_default_tile_info.tccp_info[0].numresolutions)
        most = info->m_default_tile_info.tccp_info[0].numresolutions - 1;
    if (info)
        opj_destroy_cstr_info(&info);
    while (wanted && halvings < most && longer >> (halvings + 1) >= wanted)
        halvings++;
    return halvings;
}

/* The sample of a component, 0 to 255; components may be smaller than the picture. */
static int jp2_sample(const opj_image_comp_t *c, const opj_image_comp_t *first, uint32_t x, uint32_t y)
{
    const uint32_t sx = (uint32_t)((uint64_t)x * first->dx / c->dx), sy = (uint32_t)((uint64_t)y * first->dy / c->dy);
    const unsigned bits = c->prec >= 1 && c->prec <= BITS_MAX ? c->prec : BITS_MAX; /* jp2_check() has checked it */
    const int64_t most = ((int64_t)1 << bits) - 1;
    int64_t v = c->data[(size_t)(sy < c->h ? sy : c->h - 1) * c->w + (sx < c->w ? sx : c->w - 1)];

    v = (v + (c->sgnd ? ((int64_t)1 << (bits - 1)) : 0)) * 255 / most;
    return v < 0 ? 0 : v > 255 ? 255 : (int)v;
}

static uint8_t jp2_clamp(double v)
{
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)lround(v);
}

/* ITU-R BT.601, as in JFIF. */
static void jp2_convert_ycc(const int in[4], uint8_t rgb[3])
{
    const double y = in[0], cb = in[1] - 128, cr = in[2] - 128;

    rgb[0] = jp2_clamp(y + 1.402 * cr);
    rgb[1] = jp2_clamp(y - 0.344136 * cb - 0.714136 * cr);
    rgb[2] = jp2_clamp(y + 1.772 * cb);
}

static void jp2_draw(const opj_image_t *image, struct pixels *out)
{
    const opj_image_comp_t *first = &image->comps[0];
    const bool colour = image->numcomps >= 3, alpha = image->numcomps == 2 || image->numcomps == 4;
    const bool ycc = colour && (image->color_space == OPJ_CLRSPC_SYCC || image->comps[1].dx != first->dx);
    uint8_t *to = out->rgb;

    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++, to += 3) {
            int v[4] = {0, 0, 0, 255};
            uint8_t rgb[3];

            for (uint32_t c = 0; c < image->numcomps && c < 4; c++)
                v[c] = jp2_sample(&image->comps[c], first, x, y);
            if (ycc)
                jp2_convert_ycc(v, rgb);
            for (int c = 0; c < 3; c++)
                to[c] = pixels_on_white(ycc ? rgb[c] : (uint8_t)v[colour ? c : 0],
                                        alpha ? (uint8_t)v[image->numcomps - 1] : 255);
        }
}

static int jp2_check(const opj_image_t *image, const struct pixels *out, struct error *error)
{
    const opj_image_comp_t *first = image->comps;

    if (image->numcomps < 1 || image->numcomps > 4 || image->color_space == OPJ_CLRSPC_CMYK ||
        image->color_space == OPJ_CLRSPC_EYCC)
        return error_set(error, -EINVAL,
                         "a JPEG 2000 of %u components; kith reads grey, RGB and YCC, with alpha or not",
                         image->numcomps);
    if (image->x1 - image->x0 != out->picture_width || image->y1 - image->y0 != out->picture_height || first->dx != 1 ||
        first->dy != 1)
        return error_set(error, -EINVAL, "the JPEG 2000's header contradicts itself");
    for (uint32_t i = 0; i < image->numcomps; i++)
        if (image->comps[i].prec < 1 || image->comps[i].prec > BITS_MAX || !image->comps[i].dx || !image->comps[i].dy)
            return error_set(error, -EINVAL, "a JPEG 2000 of %u bits; kith reads up to %d", image->comps[i].prec,
                             BITS_MAX);
    return 0;
}

static bool jp2_has_samples(const opj_image_t *image)
{
    for (uint32_t i = 0; i < image->numcomps; i++)
        if (!image->comps[i].data || !image->comps[i].w || !image->comps[i].h)
            return false;
    return true;
}

/* The codestream ends with the marker EOC, which no coded data contains. */
static bool jp2_is_cut(const uint8_t *data, size_t len)
{
    return !memmem(data, len, "\xff\xd9", 2);
}

static int jp2_decode(opj_codec_t *codec, opj_stream_t *stream, opj_image_t **image, uint32_t wanted_side,
                      struct pixels *out, const char *reason, struct error *error)
{
    const uint32_t longer = out->picture_width > out->picture_height ? out->picture_width : out->picture_height;
    int result;

    if (!opj_read_header(stream, codec, image))
        return error_set(error, -EINVAL, "damaged JPEG 2000: %s", reason[0] ? reason : "its header");
    if ((result = jp2_check(*image, out, error)) < 0)
        return result;
    if (!opj_set_decoded_resolution_factor(codec, jp2_choose_halvings(codec, longer, wanted_side)) ||
        !opj_decode(codec, stream, *image) || !jp2_has_samples(*image))
        return error_set(error, -EINVAL, "damaged JPEG 2000: %s", reason[0] ? reason : "it cannot be decoded");
    if ((result = jp2_check(*image, out, error)) < 0) /* a palette makes other components */
        return result;
    if (!pixels_allocate(out, (*image)->comps[0].w, (*image)->comps[0].h, PIXELS_MISSING, error))
        return -EINVAL;
    jp2_draw(*image, out);
    return 0;
}

/* A file that is cut short is refused: OpenJPEG 2.5.0 leaves its memory when it decodes the tiles that are there. */
int decode_jp2(const uint8_t *data, size_t len, uint32_t wanted_side, struct pixels *out, struct error *error)
{
    struct jp2_source source = {.data = data, .len = len};
    opj_codec_t *codec;
    opj_stream_t *stream;
    opj_image_t *image = NULL;
    opj_dparameters_t parameters;
    char reason[REASON_ROOM] = "";
    int result = -EINVAL;

    if (jp2_is_cut(data, len))
        return error_set(error, -EINVAL, "the JPEG 2000 is cut short");
    codec = opj_create_decompress(data[0] == 0xff ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    stream = jp2_open(&source);
    opj_set_default_decoder_parameters(&parameters);
    if (codec && stream && opj_set_error_handler(codec, jp2_on_error, reason) && opj_setup_decoder(codec, &parameters))
        result = jp2_decode(codec, stream, &image, wanted_side, out, reason, error);
    else
        error_set(error, -EINVAL, "no memory for the JPEG 2000 decoder");
    opj_image_destroy(image);
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    return result;
}
