/* TIFF and BigTIFF directories: the size of the first picture, its orientation, and the previews of raw files, which
 * are TIFF files with a few tags of their own. */
#include "core/image/sniff_internal.h"

#include <string.h>

enum tiff_tag {
    TAG_JPG_FROM_RAW = 0x2e, /* Panasonic */
    TAG_WIDTH = 256,
    TAG_HEIGHT = 257,
    TAG_BITS = 258,
    TAG_COMPRESSION = 259,
    TAG_PHOTOMETRIC = 262,
    TAG_STRIP_OFFSETS = 273,
    TAG_ORIENTATION = 274,
    TAG_STRIP_BYTES = 279,
    TAG_TILE_WIDTH = 322,
    TAG_TILE_HEIGHT = 323,
    TAG_SUB_DIRECTORIES = 330,
    TAG_JPEG_OFFSET = 513,
    TAG_JPEG_BYTES = 514,
    TAG_DNG_VERSION = 50706
};
enum { TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_IFD = 13, TYPE_LONG8 = 16, TYPE_IFD8 = 18 };
enum { JPEG_OLD = 6, JPEG_NEW = 7, COLOUR_FILTER_ARRAY = 32803, LINEAR_RAW = 34892 };
enum { MAGIC = 42, MAGIC_BIG = 43, MAGIC_RW2 = 0x55 };
enum { SUBS_MAX = 8, DIRECTORIES_MAX = 16, PREVIEW_HEAD = 256 << 10 };

struct tiff_file {
    const uint8_t *data;
    size_t len;
    bool big, wide; /* big endian; BigTIFF */
    uint32_t magic;
};

struct tiff_directory {
    uint64_t width, height, bits, compression, photometric, orientation;
    uint64_t strip_at, strip_bytes, strips, jpeg_at, jpeg_bytes, raw_at, raw_bytes, tile_width, tile_height;
    uint64_t subs[SUBS_MAX], next;
    uint32_t sub_count;
    bool dng;
};

static uint64_t tiff_number(const struct tiff_file *t, const uint8_t *p, int bytes)
{
    if (bytes == 2)
        return t->big ? sniff_big16(p) : sniff_little16(p);
    if (bytes == 4)
        return t->big ? sniff_big32(p) : sniff_little32(p);
    return t->big ? sniff_big64(p) : (uint64_t)sniff_little32(p + 4) << 32 | sniff_little32(p);
}

/* The offset of the first directory; 0: no TIFF. */
static uint64_t tiff_open(struct tiff_file *t, const uint8_t *data, size_t len)
{
    *t = (struct tiff_file){.data = data, .len = len};
    if (len < 8 || (memcmp(data, "II", 2) != 0 && memcmp(data, "MM", 2) != 0))
        return 0;
    t->big = data[0] == 'M';
    t->magic = (uint32_t)tiff_number(t, data + 2, 2);
    t->wide = t->magic == MAGIC_BIG;
    if (t->wide)
        return len >= 16 && tiff_number(t, data + 4, 2) == 8 ? tiff_number(t, data + 8, 8) : 0;
    return t->magic == MAGIC || t->magic == MAGIC_RW2 ? tiff_number(t, data + 4, 4) : 0;
}

static int tiff_type_bytes(uint64_t type)
{
    return type == TYPE_SHORT                        ? 2
           : type == TYPE_LONG || type == TYPE_IFD   ? 4
           : type == TYPE_LONG8 || type == TYPE_IFD8 ? 8
                                                     : 1;
}

struct tiff_entry {
    uint64_t tag, type, count;
    const uint8_t *values; /* NULL: they lie outside the file */
    uint64_t at, first;    /* offset of the values; the first one, 0 when it is no integer */
};

static void tiff_read_entry(const struct tiff_file *t, const uint8_t *p, struct tiff_entry *e)
{
    const uint64_t room = t->wide ? 8 : 4;
    uint64_t bytes;
    int size;

    e->tag = tiff_number(t, p, 2);
    e->type = tiff_number(t, p + 2, 2);
    e->count = tiff_number(t, p + 4, (int)room);
    e->values = p + 4 + room;
    size = tiff_type_bytes(e->type);
    bytes = e->count > t->len ? UINT64_MAX : e->count * (uint64_t)size;
    e->at = (uint64_t)(e->values - t->data);
    if (bytes > room) {
        e->at = tiff_number(t, e->values, (int)room);
        e->values = e->at > t->len || bytes > t->len - e->at ? NULL : t->data + e->at;
    }
    e->first = e->values && e->count && size > 1 ? tiff_number(t, e->values, size) : 0;
}

static void tiff_take_subs(const struct tiff_file *t, const struct tiff_entry *e, struct tiff_directory *d)
{
    const int size = tiff_type_bytes(e->type);

    for (uint64_t i = 0; e->values && size > 1 && i < e->count && d->sub_count < SUBS_MAX; i++)
        d->subs[d->sub_count++] = tiff_number(t, e->values + i * (uint64_t)size, size);
}

/* The tags of one number, and where it goes. */
static const struct {
    uint64_t tag;
    size_t member;
} numbers[] = {
    {TAG_WIDTH, offsetof(struct tiff_directory, width)},
    {TAG_HEIGHT, offsetof(struct tiff_directory, height)},
    {TAG_BITS, offsetof(struct tiff_directory, bits)},
    {TAG_COMPRESSION, offsetof(struct tiff_directory, compression)},
    {TAG_PHOTOMETRIC, offsetof(struct tiff_directory, photometric)},
    {TAG_ORIENTATION, offsetof(struct tiff_directory, orientation)},
    {TAG_STRIP_OFFSETS, offsetof(struct tiff_directory, strip_at)},
    {TAG_STRIP_BYTES, offsetof(struct tiff_directory, strip_bytes)},
    {TAG_TILE_WIDTH, offsetof(struct tiff_directory, tile_width)},
    {TAG_TILE_HEIGHT, offsetof(struct tiff_directory, tile_height)},
    {TAG_JPEG_OFFSET, offsetof(struct tiff_directory, jpeg_at)},
    {TAG_JPEG_BYTES, offsetof(struct tiff_directory, jpeg_bytes)},
};

static void tiff_take_entry(const struct tiff_file *t, const struct tiff_entry *e, struct tiff_directory *d)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (e->tag == numbers[i].tag)
            memcpy((char *)d + numbers[i].member, &e->first, sizeof e->first);
    if (e->tag == TAG_STRIP_OFFSETS) {
        d->strips = e->count;
    } else if (e->tag == TAG_JPG_FROM_RAW) {
        d->raw_at = e->at;
        d->raw_bytes = e->count;
    } else if (e->tag == TAG_SUB_DIRECTORIES) {
        tiff_take_subs(t, e, d);
    } else if (e->tag == TAG_DNG_VERSION) {
        d->dng = true;
    }
}

/* TIFF 6.0: the number of entries, entries of 12 bytes (BigTIFF: 20), the offset of the next directory. */
static bool tiff_read_directory(const struct tiff_file *t, uint64_t at, struct tiff_directory *d)
{
    const uint64_t head = t->wide ? 8 : 2, entry = t->wide ? 20 : 12, room = t->wide ? 8 : 4;
    uint64_t count;

    *d = (struct tiff_directory){0};
    if (at == 0 || at > t->len || t->len - at < head)
        return false;
    count = tiff_number(t, t->data + at, (int)head);
    at += head;
    if (count > UINT16_MAX)
        return false;
    for (; count && t->len - at >= entry; count--, at += entry) {
        struct tiff_entry e;

        tiff_read_entry(t, t->data + at, &e);
        tiff_take_entry(t, &e, d);
    }
    if (count == 0 && t->len - at >= room)
        d->next = tiff_number(t, t->data + at, (int)room);
    return true;
}

static int tiff_orientation(const struct tiff_directory *d)
{
    return d->orientation >= 1 && d->orientation <= 8 ? (int)d->orientation : 1;
}

int exif_orientation(const uint8_t *tiff, size_t len)
{
    struct tiff_file t;
    struct tiff_directory d;
    uint64_t first = tiff_open(&t, tiff, len);

    return tiff_read_directory(&t, first, &d) ? tiff_orientation(&d) : 1;
}

void sniff_try_preview(const uint8_t *data, size_t len, uint64_t at, uint64_t size, struct image_header *h)
{
    struct image_header jpeg = {.type = IMAGE_JPEG, .orientation = 1};

    if (at >= len)
        return;
    if (size > len - at)
        size = len - at;
    if (size < 4 || memcmp(data + at, "\xff\xd8\xff", 3) != 0)
        return;
    sniff_jpeg(data + at, size < PREVIEW_HEAD ? (size_t)size : PREVIEW_HEAD, &jpeg);
    if (jpeg.lossless || (uint64_t)jpeg.width * jpeg.height <= (uint64_t)h->width * h->height)
        return;
    h->width = jpeg.width;
    h->height = jpeg.height;
    h->preview_at = (size_t)at;
    h->preview_len = (size_t)size;
    if (jpeg.orientation > 1)
        h->orientation = jpeg.orientation;
}

/* All directories: those of the chain, and those below them. */
static void tiff_find_previews(const struct tiff_file *t, uint64_t first, struct image_header *h, bool *raw)
{
    uint64_t waiting[1 + DIRECTORIES_MAX * (SUBS_MAX + 1)] = {first};
    size_t count = 1;
    struct tiff_directory d;

    for (size_t i = 0; i < count && i < DIRECTORIES_MAX; i++) {
        if (!tiff_read_directory(t, waiting[i], &d))
            continue;
        *raw = *raw || d.dng || d.photometric == COLOUR_FILTER_ARRAY || d.photometric == LINEAR_RAW;
        sniff_try_preview(t->data, t->len, d.jpeg_at, d.jpeg_bytes, h);
        if (d.compression == JPEG_OLD || d.compression == JPEG_NEW)
            sniff_try_preview(t->data, t->len, d.strip_at, d.strips == 1 ? d.strip_bytes : 0, h);
        if (t->magic == MAGIC_RW2)
            sniff_try_preview(t->data, t->len, d.raw_at, d.raw_bytes, h);
        for (uint32_t s = 0; s < d.sub_count; s++)
            waiting[count++] = d.subs[s];
        if (d.next)
            waiting[count++] = d.next;
    }
}

bool sniff_is_tiff(const uint8_t *data, size_t len)
{
    struct tiff_file t;

    return tiff_open(&t, data, len) != 0;
}

void sniff_tiff(const uint8_t *data, size_t len, struct image_header *h)
{
    struct tiff_file t;
    struct tiff_directory d;
    const uint64_t first = tiff_open(&t, data, len);
    struct image_header raw = {.type = IMAGE_RAW};
    bool is_raw = t.magic == MAGIC_RW2 || (len >= 10 && memcmp(data + 8, "CR", 2) == 0);

    if (tiff_read_directory(&t, first, &d)) {
        raw.orientation = h->orientation = tiff_orientation(&d);
        h->deep = d.bits == 16;
        h->width = d.width <= INT32_MAX ? (uint32_t)d.width : 0;
        h->height = d.height <= INT32_MAX ? (uint32_t)d.height : 0;
        if (d.tile_width && d.tile_height && h->width && h->height) /* a tile is decoded whole */
            h->coded_pixels = d.tile_width > UINT32_MAX || d.tile_height > UINT32_MAX
                                  ? UINT64_MAX
                                  : sniff_add((uint64_t)h->width * h->height, d.tile_width * d.tile_height);
        tiff_find_previews(&t, first, &raw, &is_raw);
    }
    if (is_raw) {
        raw.orientation += raw.orientation == 0;
        *h = raw;
    }
}

/* Fujifilm: the offset and the length of the preview stand at fixed places. */
bool sniff_is_raf(const uint8_t *data, size_t len)
{
    return len >= 16 && memcmp(data, "FUJIFILMCCD-RAW ", 16) == 0;
}

void sniff_raf(const uint8_t *data, size_t len, struct image_header *h)
{
    if (len >= 92)
        sniff_try_preview(data, len, sniff_big32(data + 84), sniff_big32(data + 88), h);
}
