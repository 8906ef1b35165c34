/* HEIC, AVIF and CR3: files of boxes (ISO/IEC 14496-12). The box `meta` lists the items of a HEIF file (ISO/IEC
 * 23008-12):
 *
 *   pitm   the number of the primary item
 *   iprp   properties: ipco holds them, ipma gives each item some of them. `ispe` is a width and a height
 *   iref   references: `dimg` from a grid to its tiles, `auxl` from an alpha plane to its picture
 *
 * The orientation is a property that the decoder applies; that of EXIF does not count (ISO/IEC 23000-22, 7.3.6.7). */
#include "core/image/sniff_internal.h"

#include <string.h>

enum { ITEMS_MAX = 4096, TILES_MAX = 1024, PROPERTIES_MAX = 512, ALPHA_MAX = 4, TILE_PIXELS = 20000 };

struct heif_box {
    const uint8_t *body;
    size_t len;
};

struct heif_size {
    uint32_t width, height;
};

struct heif_file {
    struct heif_box meta, ipma, iref;
    struct heif_size sizes[PROPERTIES_MAX + 1]; /* by the number of the property, from 1; 0 × 0: it is no `ispe` */
    uint32_t primary;
};

/* Reads the box at *at and moves behind it. A box that is cut short ends with the data. False: no further box. */
static bool heif_next(const struct heif_box *in, size_t *at, char type[4], struct heif_box *box)
{
    const size_t room = in->len - *at;
    const uint8_t *p = in->body + *at;
    uint64_t size;
    size_t head = 8;

    if (room < head)
        return false;
    size = sniff_big32(p);
    memcpy(type, p + 4, 4);
    if (size == 1) {
        head = 16;
        size = room >= head ? sniff_big64(p + 8) : 0;
    } else if (size == 0) {
        size = room;
    }
    if (size < head)
        return false;
    if (size > room)
        size = room;
    *box = (struct heif_box){p + head, (size_t)size - head};
    *at += (size_t)size;
    return true;
}

static bool heif_find(const struct heif_box *in, size_t at, const char *type, struct heif_box *found)
{
    char kind[4];

    while (at <= in->len && heif_next(in, &at, kind, found))
        if (memcmp(kind, type, 4) == 0)
            return true;
    *found = (struct heif_box){NULL, 0};
    return false;
}

static bool heif_has_brand(const uint8_t *data, size_t len, const char *const *brands)
{
    size_t end = sniff_big32(data) < len ? sniff_big32(data) : len;

    for (size_t at = 8; at + 4 <= end; at += 4)
        for (const char *const *b = brands; *b && at != 12; b++) /* 12: the minor version */
            if (memcmp(data + at, *b, 4) == 0)
                return true;
    return false;
}

enum image_type sniff_heif_type(const uint8_t *data, size_t len)
{
    static const char *const avif[] = {"avif", "avis", NULL}, *const raw[] = {"crx ", NULL};
    static const char *const heic[] = {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", NULL};

    if (len < 16 || memcmp(data + 4, "ftyp", 4) != 0)
        return IMAGE_UNKNOWN;
    if (heif_has_brand(data, len, raw))
        return IMAGE_RAW;
    if (heif_has_brand(data, len, avif))
        return IMAGE_AVIF;
    return heif_has_brand(data, len, heic) ? IMAGE_HEIC : IMAGE_UNKNOWN;
}

/* Version and flags precede the content of a full box. */
static int heif_version(const struct heif_box *box)
{
    return box->len >= 4 ? box->body[0] : -1;
}

static void heif_read_sizes(struct heif_file *f, const struct heif_box *ipco)
{
    struct heif_box box;
    size_t at = 0;
    char type[4];

    for (int i = 1; i <= PROPERTIES_MAX && heif_next(ipco, &at, type, &box); i++)
        if (memcmp(type, "ispe", 4) == 0 && box.len >= 12)
            f->sizes[i] = (struct heif_size){sniff_big32(box.body + 4), sniff_big32(box.body + 8)};
}

/* The `ispe` of an item; 0 × 0: it has none. */
static struct heif_size heif_item_size(const struct heif_file *f, uint32_t item)
{
    const uint8_t *p = f->ipma.body;
    const size_t id_bytes = heif_version(&f->ipma) < 1 ? 2 : 4;
    struct heif_size size = {0, 0};
    size_t at = 8, index_bytes;
    uint32_t count;

    if (f->ipma.len < at)
        return size;
    index_bytes = p[3] & 1 ? 2 : 1;
    count = sniff_big32(p + 4);
    for (uint32_t i = 0; i < count && i < ITEMS_MAX && at < f->ipma.len && f->ipma.len - at > id_bytes; i++) {
        const uint32_t id = id_bytes == 2 ? sniff_big16(p + at) : sniff_big32(p + at);
        const size_t properties = p[at + id_bytes];

        at += id_bytes + 1;
        for (size_t j = 0; id == item && j < properties && f->ipma.len - at >= (j + 1) * index_bytes; j++) {
            const uint8_t *q = p + at + j * index_bytes;
            const uint32_t index = index_bytes == 2 ? sniff_big16(q) & 0x7fff : *q & 0x7f;

            if (index <= PROPERTIES_MAX && f->sizes[index].width)
                size = f->sizes[index];
        }
        if (id == item)
            break;
        at += properties * index_bytes;
    }
    return size;
}

static uint64_t heif_item_pixels(const struct heif_file *f, uint32_t item)
{
    const struct heif_size size = heif_item_size(f, item);

    return (uint64_t)size.width * size.height;
}

struct heif_reference {
    char type[4];
    uint32_t from, count;
    const uint8_t *to;
    size_t id_bytes;
};

static uint32_t heif_reference_to(const struct heif_reference *r, uint32_t i)
{
    return r->id_bytes == 2 ? sniff_big16(r->to + i * 2) : sniff_big32(r->to + (size_t)i * 4);
}

static bool heif_next_reference(const struct heif_file *f, size_t *at, struct heif_reference *r)
{
    const size_t id = heif_version(&f->iref) == 0 ? 2 : 4;
    struct heif_box box;

    if (*at > f->iref.len || !heif_next(&f->iref, at, r->type, &box) || box.len < id + 2)
        return false;
    r->id_bytes = id;
    r->from = id == 2 ? sniff_big16(box.body) : sniff_big32(box.body);
    r->count = sniff_big16(box.body + id);
    r->to = box.body + id + 2;
    return r->count <= (box.len - id - 2) / id;
}

/* The tiles of `item`; count 0: it has none. */
static struct heif_reference heif_tiles(const struct heif_file *f, uint32_t item)
{
    struct heif_reference r;
    size_t at = 4;

    for (int i = 0; i < ITEMS_MAX && heif_next_reference(f, &at, &r); i++)
        if (r.from == item && memcmp(r.type, "dimg", 4) == 0)
            return r;
    return (struct heif_reference){.count = 0};
}

/* The pixels that decoding an item takes. Tiles that have tiles themselves, and more than TILES_MAX, are not bounded:
 * UINT64_MAX. */
static uint64_t heif_count_pixels(const struct heif_file *f, uint32_t item)
{
    const struct heif_reference tiles = heif_tiles(f, item);
    uint64_t sum = 0, pixels = 0;
    uint32_t last = 0;

    if (tiles.count == 0)
        return heif_item_pixels(f, item);
    if (tiles.count > TILES_MAX)
        return UINT64_MAX;
    for (uint32_t i = 0; i < tiles.count; i++) {
        const uint32_t tile = heif_reference_to(&tiles, i);

        if (i == 0 || tile != last) {
            if (heif_tiles(f, tile).count)
                return UINT64_MAX;
            pixels = heif_item_pixels(f, tile);
        }
        last = tile;
        sum = sniff_add(sum, pixels > TILE_PIXELS ? pixels : TILE_PIXELS);
    }
    return sum;
}

/* Alpha planes and depth maps of the primary item; more than ALPHA_MAX are not bounded. */
static uint64_t heif_count_auxiliary(const struct heif_file *f)
{
    struct heif_reference r;
    uint64_t sum = 0;
    size_t at = 4;
    int found = 0;

    for (int i = 0; i < ITEMS_MAX && heif_next_reference(f, &at, &r); i++) {
        if (memcmp(r.type, "auxl", 4) != 0 || r.count == 0 || heif_reference_to(&r, 0) != f->primary)
            continue;
        if (++found > ALPHA_MAX)
            return UINT64_MAX;
        sum = sniff_add(sum, heif_count_pixels(f, r.from));
    }
    return sum;
}

void sniff_heif(const uint8_t *data, size_t len, struct image_header *h)
{
    const struct heif_box file = {data, len};
    struct heif_file f = {.primary = 0};
    struct heif_box box, iprp, ipco;
    struct heif_size size;

    if (!heif_find(&file, 0, "meta", &f.meta) || !heif_find(&f.meta, 4, "pitm", &box) || box.len < 6 ||
        !heif_find(&f.meta, 4, "iprp", &iprp) || !heif_find(&iprp, 0, "ipco", &ipco) ||
        !heif_find(&iprp, 0, "ipma", &f.ipma))
        return;
    f.primary = heif_version(&box) == 0 ? sniff_big16(box.body + 4) : box.len >= 8 ? sniff_big32(box.body + 4) : 0;
    heif_find(&f.meta, 4, "iref", &f.iref);
    heif_read_sizes(&f, &ipco);
    size = heif_item_size(&f, f.primary);
    h->width = size.width;
    h->height = size.height;
    if (size.width)
        h->coded_pixels = sniff_add(heif_count_pixels(&f, f.primary), heif_count_auxiliary(&f));
}

/* Canon: a box `uuid` of this number holds the preview, a JPEG behind a short header. */
void sniff_cr3(const uint8_t *data, size_t len, struct image_header *h)
{
    static const uint8_t preview[16] = {0xea, 0xf4, 0x2b, 0x5e, 0x1c, 0x98, 0x4b, 0x88,
                                        0xb9, 0xfb, 0xb7, 0xdc, 0x40, 0x6e, 0x4d, 0x16};
    enum { HEADER_MAX = 256 };
    const struct heif_box file = {data, len};
    struct heif_box box;
    size_t at = 0;
    char type[4];

    for (int i = 0; i < ITEMS_MAX && heif_next(&file, &at, type, &box); i++) {
        if (memcmp(type, "uuid", 4) != 0 || box.len < 16 || memcmp(box.body, preview, 16) != 0)
            continue;
        for (size_t j = 16; j + 3 <= box.len && j < HEADER_MAX; j++)
            if (memcmp(box.body + j, "\xff\xd8\xff", 3) == 0) {
                sniff_try_preview(data, len, (uint64_t)(box.body - data) + j, box.len - j, h);
                return;
            }
    }
}
