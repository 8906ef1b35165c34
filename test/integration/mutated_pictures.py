"""Pictures with mistakes: seeded mutations of the sample photos as JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, and
drawn ones as HEIC and AVIF. The same number gives the same picture."""
import io
import pathlib
import random
import struct
import subprocess
import tempfile
import zlib

from harness import BUILD, ROOT

SIDE = 160
SPECIAL = (0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff)


def encoded(picture, form, **settings):
    file = io.BytesIO()
    picture.save(file, form, **settings)
    return file.getvalue()


def photos():
    """The sample photos; a gradient where they are not."""
    from PIL import Image
    files = sorted((ROOT / 'samples').glob('*'))
    if not files:
        gradient = Image.new('RGB', (SIDE, SIDE))
        gradient.putdata([(x, y, x * y % 256) for y in range(SIDE) for x in range(SIDE)])
        yield gradient
    for file in files:
        photo = Image.open(file).convert('RGB')
        photo.thumbnail((SIDE, SIDE))
        yield photo


def seeds():
    """Small files of each format and of each way to write it."""
    from PIL import Image
    found = []
    for photo in photos():
        exif = Image.Exif()
        exif[0x112] = 6
        clear = photo.copy()
        clear.putalpha(128)
        found += [encoded(photo, 'JPEG', exif=exif), encoded(photo, 'JPEG', progressive=True, optimize=True),
                  encoded(photo.convert('L'), 'JPEG'), encoded(photo.convert('CMYK'), 'JPEG'),
                  encoded(photo, 'PNG'), encoded(photo.convert('P'), 'PNG'), encoded(clear, 'PNG'),
                  encoded(photo.convert('L'), 'PNG'), encoded(photo, 'WEBP', method=0),
                  encoded(photo, 'WEBP', lossless=True, method=0), encoded(clear, 'WEBP', exif=exif, method=0),
                  encoded(photo, 'GIF'), encoded(photo, 'BMP'), encoded(photo.convert('P'), 'BMP'),
                  encoded(photo, 'TIFF', compression='tiff_lzw'), encoded(clear, 'TIFF', compression='tiff_adobe_deflate'),
                  encoded(photo.convert('CMYK'), 'TIFF', compression='jpeg'), encoded(photo, 'JPEG2000')]
    return found + made()


def made():
    """Formats that Pillow does not write."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([BUILD / 'make_pictures', folder], check=True)
        return [file.read_bytes() for file in sorted(pathlib.Path(folder).iterdir())]


def flip(dice, data):
    for _ in range(dice.randint(1, 20)):
        data[dice.randrange(len(data))] = dice.randrange(256)


def flip_head(dice, data):
    for _ in range(dice.randint(1, 4)):
        data[dice.randrange(min(len(data), 200))] = dice.randrange(256)


def cut(dice, data):
    del data[dice.randrange(1, len(data)):]


def remove(dice, data):
    at = dice.randrange(len(data))
    del data[at:at + dice.randint(1, 100)]
    data += b'\0' * (not data)


def repeat(dice, data):
    at, to = dice.randrange(len(data)), dice.randrange(len(data))
    data[to:to] = data[at:at + dice.randint(1, 2000)] * dice.randint(1, 4)


def insert(dice, data):
    at = dice.randrange(len(data))
    data[at:at] = dice.randbytes(dice.randint(1, 64))


def number(dice, data):
    """A number at a limit of its type, of either byte order."""
    form = dice.choice(['B', '>H', '<H', '>I', '<I'])
    bits = 8 * struct.calcsize(form)
    at = dice.randrange(min(len(data), 400))
    data[at:at + bits // 8] = struct.pack(form, dice.choice(SPECIAL) & (1 << bits) - 1)


MUTATIONS = (flip, flip_head, cut, remove, repeat, insert, number)


def with_valid_sums(data):
    """A PNG whose chunks have right checksums again, so that a mistake gets behind them."""
    at = 8
    while at + 12 <= len(data):
        length, = struct.unpack_from('>I', data, at)
        if at + 12 + length > len(data):
            break
        struct.pack_into('>I', data, at + 8 + length, zlib.crc32(data[at + 4:at + 8 + length]))
        at += 12 + length


def mutated(files, n):
    """Picture `n` from the files of seeds()."""
    dice = random.Random(n)
    data = bytearray(files[n % len(files)])
    for _ in range(dice.randint(1, 3)):
        dice.choice(MUTATIONS)(dice, data)
    if data[:4] == b'\x89PNG' and dice.random() < 0.8:
        with_valid_sums(data)
    return bytes(data)
