"""Pictures that are small files and much work for a decoder."""
import struct
import zlib


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(width, height, raw, depth=8, colour=2, interlaced=0, extra=b''):
    head = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, interlaced)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + extra + chunk(b'IDAT', raw) + chunk(b'IEND', b'')


def zeros(count):
    """`count` zeros, compressed, without ever holding them all."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(count >> 20)]
    return b''.join(parts) + packer.compress(bytes(count & 0xfffff)) + packer.flush()


def with_size(jpeg, width, height):
    """The JPEG with another size in its frame header."""
    at = next(i for i in range(2, len(jpeg)) if jpeg[i] == 0xff and jpeg[i + 1] in (0xc0, 0xc1, 0xc2))
    return jpeg[:at + 5] + struct.pack('>HH', height, width) + jpeg[at + 9:]


def with_scans(jpeg, count):
    """The JPEG with its last scan repeated."""
    at = jpeg.rindex(b'\xff\xda')
    return jpeg[:at] + jpeg[at:-2] * count + jpeg[-2:]


def refused(jpeg):
    """(name, file, what the error must say) of pictures that a limit refuses before they are decoded."""
    return [
        ('scans', with_scans(jpeg, 1000), ['1000 scans', 'KITH_MAX_SCANS']),
        ('scans of a large one', with_scans(with_size(jpeg, 7000, 7000), 500), ['500 scans', 'KITH_MAX_SCANS']),
        ('large JPEG', with_size(jpeg, 65535, 65535), ['65535×65535', 'KITH_MAX_PIXELS']),
        ('large PNG', png(50000, 50000, zeros(1000)), ['50000×50000', 'KITH_MAX_PIXELS']),
        ('deep PNG', png(6000, 6000, zeros(1000), depth=16, colour=6), ['16-bit samples', 'KITH_MAX_PIXELS']),
        ('animated WebP', b'RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\xff\0\0\xff\0\0' + bytes(8), ['animated']),
        ('GIF', b'GIF89a\xff\xff\xff\xff\x80\0\0' + bytes(100), ['65535×65535', 'KITH_MAX_PIXELS']),
    ]


def accepted(jpeg, side=7000):
    """(name, file) of pictures within the limits of `side` × `side` pixels, as expensive as they can be."""
    pixels = side * side
    bomb = zeros(pixels)
    deep, dear = side * 4 // 7, side * 11 // 14  # whose pixels count more
    return [
        ('PNG with compressed texts', png(100, 100, zeros(100 * 301),
                                          extra=chunk(b'zTXt', b'k\0\0' + bomb) * 200)),
        ('PNG of many chunks', png(100, 100, zeros(100 * 301), extra=chunk(b'teSt', b'') * (pixels // 100))),
        ('PNG with data behind the picture', png(100, 100, zeros(pixels * 4))),
        ('PNG', png(side, side, zeros(pixels * 3 + side))),
        ('interlaced PNG', png(dear, dear, zeros(dear * dear * 3 + side * 20), interlaced=1)),
        ('deep PNG', png(deep, deep, zeros(deep * deep * 8 + deep), depth=16, colour=6)),
        ('deep interlaced PNG', png(deep, deep, zeros(deep * deep * 8 + deep * 20), depth=16, colour=6, interlaced=1)),
        ('JPEG without its data', with_size(jpeg, side, side)),
        ('JPEG of 32 scans without their data', with_scans(with_size(jpeg, side, side), 32)),
    ]
