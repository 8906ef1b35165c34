#!/usr/bin/env python3
"""Seeds of the fuzz targets, all synthetic: test/fuzz/corpus.py FOLDER MADE, where MADE has the files of
make_pictures."""
import io
import json
import pathlib
import random
import re
import struct
import sys

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pictures():
    """A gradient in the formats that kith decodes, with EXIF orientations, palettes, alpha and animation."""
    image = Image.new('RGB', (40, 24))
    image.putdata([(x * 6, y * 10, (x * y) % 256) for y in range(24) for x in range(40)])
    made = {}

    def save(name, picture, kind, **options):
        out = io.BytesIO()
        picture.save(out, kind, **options)
        made[name] = out.getvalue()

    save('plain.jpg', image, 'JPEG', quality=60)
    save('progressive.jpg', image, 'JPEG', progressive=True, quality=40)
    save('grey.jpg', image.convert('L'), 'JPEG')
    save('cmyk.jpg', image.convert('CMYK'), 'JPEG')
    for orientation in (3, 6):
        exif = Image.Exif()
        exif[0x112] = orientation
        save(f'exif{orientation}.jpg', image, 'JPEG', exif=exif.tobytes())
        save(f'exif{orientation}.webp', image, 'WEBP', exif=exif.tobytes())
        save(f'exif{orientation}.png', image, 'PNG', exif=exif.tobytes())
    save('plain.png', image, 'PNG')
    save('palette.png', image.convert('P'), 'PNG')
    save('one.png', image.convert('1'), 'PNG')
    save('alpha.png', image.convert('RGBA'), 'PNG')
    save('grey16.png', image.convert('I'), 'PNG')
    save('plain.webp', image, 'WEBP', quality=50)
    save('lossless.webp', image.convert('RGBA'), 'WEBP', lossless=True)
    save('animated.webp', image, 'WEBP', save_all=True, append_images=[image.convert('L').convert('RGB')])
    return made


def decode():
    for number, (name, data) in enumerate(pictures().items()):
        for choice in (0, 5, number % 16):
            yield f'{choice}-{name}', bytes([choice]) + data


def sniff():
    yield from pictures().items()
    for file in sorted(pathlib.Path(sys.argv[2]).iterdir()):
        yield file.name, file.read_bytes()
    yield 'tiff', b'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'
    for name in (b'hannibal_1.jpg', b'hannibal 2.jpg', b'a.b.png', b'_.jpg', b'1.jpg'):
        yield name.decode(), name


def text():
    for number, words in enumerate(('hannibal', 'Zoë Łukasz', '漢字', '😀😀')):
        for room in (1, 5, 200):
            yield f'{number}-{room}', bytes([room, 0]) + words.encode()
    yield 'broken', b'\x40\x09' + b'a\xc3\xe2\x82\xf0\x9f\x98\xed\xa0\x80\xff'


def upload_name():
    for number, header in enumerate((
            'attachment', 'attachment; filename=a.jpg', 'form-data; name="f"; filename="a \\"b\\" \\\\c.jpg"',
            "inline; filename*=UTF-8''%e2%82%ac.jpg; filename=x", "a; filename*=UTF-8''%", 'a; filename="')):
        yield str(number), header.encode()


# --- messages of nodes: every field of every message of kith.proto, set once ---

def varint(value):
    out = b''
    value &= (1 << 64) - 1
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def read_proto():
    messages, name = {}, None
    for line in (ROOT / 'proto/kith.proto').read_text().splitlines():
        if found := re.match(r'message (\w+)', line):
            name = found[1]
            messages[name] = []
        elif name and (found := re.match(r'\s+(repeated )?(\w+) (\w+) = (\d+)', line)):
            messages[name].append((bool(found[1]), found[2], int(found[4]), found[3]))
    return messages


def encode(messages, name, dice, count=1):
    out = b''
    for repeated, kind, number, field in messages[name]:
        for _ in range(2 * count if repeated else 1):
            if kind in ('uint32', 'uint64', 'int32', 'int64', 'sint32', 'sint64', 'bool'):
                value = 1 if field == 'metric' else dice.randrange(3)
                out += varint(number << 3) + varint(value)
            elif kind == 'float':
                out += varint(number << 3 | 5) + struct.pack('<f', dice.uniform(0, 9))
            elif kind == 'double':
                out += varint(number << 3 | 1) + struct.pack('<d', dice.uniform(0, 1))
            else:
                body = b'name' if kind in ('string', 'bytes') else encode(messages, kind, dice)
                out += varint(number << 3 | 2) + varint(len(body)) + body
    return out


def wire():
    messages, dice = read_proto(), random.Random(1)
    proto = (ROOT / 'proto/kith.proto').read_text()
    types = {name: int(number) for name, number in re.findall(r'TYPE_(\w+) = (\d+);', proto)}
    bodies = {'GALLERY_RESOLVED': 'Count'}
    for kind, number in types.items():
        name = bodies.get(kind, kind.title())
        yield f'{kind}-empty', bytes([number])
        if name in messages:
            for n in range(3):
                yield f'{kind}-{n}', bytes([number]) + encode(messages, name, dice, n)


def envelope():
    messages, dice = read_proto(), random.Random(2)
    for n in range(4):
        yield str(n), encode(messages, 'Envelope', dice, n)


# --- packets of a worker: the structs of plugins/shared/protocol.h ---

def packet(kind, body):
    return bytes([kind]) + struct.pack('<H', len(body)) + body


def worker():
    abi = (ROOT / 'plugins/recognizer.h').read_text()
    stages = abi[:abi.index('KITH_STAGES')].rsplit('enum', 1)[1].count('KITH_STAGE_')
    hello = packet(2, struct.pack('<64s64s128sIIdI4x', b'example', b'1', b'colours', 1, 3, 0.5, 1))
    seen = packet(6, b'a' * 64 + b'\0')
    label = b'hannibal\0'

    def face(landmarks, dimension, name=b''):
        head = struct.pack('<6fIIII', 1, 2, 30, 40, 0.5, 0.25, landmarks, dimension, len(name), 1)
        return packet(7, head + struct.pack(f'<{2 * landmarks + dimension}f', *range(2 * landmarks + dimension)) + name)

    def done(status, faces, hash=b'a' * 64):
        head = struct.pack(f'<IIIIQQ{1 + stages}fI', status, faces, 64, 64, 10, 4096, *([0.5] * (1 + stages)), 1)
        body = head + hash + b'\0' + b'no face'.ljust(384, b'\0')
        return packet(9, body + b'\0' * (-len(body) % 8))

    yield 'hello', hello
    yield 'refused', packet(3, b'no model \xff')
    yield 'faces', hello + seen + face(5, 3) + face(0, 0, label) + done(0, 2)
    yield 'picture', hello + packet(8, b'\xff\xd8' * 20) + done(0, 0)
    yield 'empty pictures', packet(8, b'') * 2 + done(0, 0)
    yield 'failed', done(3, 0) + seen + done(1, 0)
    yield 'hash that is no text', done(0, 0, b'\xff' * 64)
    yield 'hash of a crash that is no text', packet(6, b'\xff' * 64 + b'\0')
    yield 'raw', bytes([200]) + struct.pack('<H', 16) + struct.pack('<IIQ', 6, 0, 7)


def settings():
    table = (ROOT / 'core/base/settings/settings_table.h').read_text()
    rows = re.findall(r'SETTING\((\w+), *(\w+), *"([^"]*)"', table)
    for field, _, initial in rows:
        yield field, f'KITH_{field.upper()}={initial}\n--{field}={initial}\n.KITH_{field.upper()}="{initial}"\n'.encode()
    yield 'kubernetes', b'KITH_PORT=tcp://10.0.0.1:80\nKITH_SERVICE_HOST=10.0.0.1\n'
    yield 'wrong', b'KITH_NO_SUCH=1\n'
    yield 'flags', b'serve\n--workers\n4\n--lease=30s\n-x\n'
    yield 'file', b'KITH_NATS_PASSWORD_FILE=/nonexistent\n'


def path():
    for number, name in enumerate(('f', 'd/g', './f', 'd/../f', '..', '.', '/', '', 'h', 'l', 'm/secret', '@/a/f',
                                   '@/ab/secret', '@/a', '@/a/', '@/b//h', '@/a/l', '@/a/../ab/secret', '@/ab',
                                   '/etc/passwd', 'a\0b', 'x' * 300, 'd/' * 80 + 'f', 'Zoë.jpg')):
        yield str(number), name.encode()


def api_keys():
    key = 'correct-horse-battery-staple'
    files = {'one': f'read {key} name\n', 'all': f'submit,read,admin {key}\n', 'comment': f'# keys\n\nadmin {key} a\n',
             'hash': 'read sha256:' + '0a' * 32 + ' hashed\n', 'wrong role': f'write {key}\n', 'short': 'read short\n',
             'two': f'read {key} a\nread another-key-of-enough-bytes a\r\n', 'spaces': f'  read\t{key}   a b c  \n'}
    for name, words in files.items():
        yield name, f'{key}\n{words}'.encode()


def http():
    host = b'host: localhost\r\n'
    yield 'get', b'GET /v1/images?status=failed&after=3&limit=5&explain=1 HTTP/1.1\r\n' + host + b'\r\n'
    yield 'escaped', b'GET /v1/images?person=%41+b%00&explain=true HTTP/1.1\r\n' + host + b'\r\n'
    yield 'part', b'GET /v1/images/12/faces/3/crop?width=100 HTTP/1.1\r\n' + host + b'if-none-match: "fuzz"\r\n\r\n'
    yield 'head', b'HEAD /v1/stats HTTP/1.1\r\n' + host + b'\r\n'
    body = b'{"name":"hannibal"}'
    yield 'post', (b'POST /v1/people HTTP/1.1\r\n' + host + b'content-length: %d\r\n\r\n' % len(body)) + body
    yield 'chunked', (b'POST /v1/people HTTP/1.1\r\n' + host + b'transfer-encoding: chunked\r\n\r\n'
                      b'%x\r\n%s\r\n0\r\n\r\n' % (len(body), body))
    yield 'multipart', (b'POST /v1/images HTTP/1.1\r\n' + host + b'content-type: multipart/form-data; boundary=x\r\n'
                        b'content-length: 5\r\n\r\n--x--')
    yield 'headers', (b'GET /v1/session HTTP/1.1\r\n' + host + b'x-request-id: a-b_c.1:2\r\norigin: http://localhost\r\n'
                      b'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n'
                      b'authorization: Bearer x\r\ncookie: a=b; kith_key=x; c=d\r\n\r\n')
    yield 'forwarded', (b'GET /v1/session HTTP/1.1\r\n' + host + b'x-forwarded-for: 2001:db8::7, "192.0.2.7:80", unknown\r\n'
                        b'x-forwarded-proto: https\r\nx-forwarded-host: kith.example\r\norigin: https://app.example.org\r\n'
                        b'forwarded: for="[2001:db8::7]:80";proto=https;host="a\\"b", for=_hidden\r\n\r\n')
    yield 'two', (b'GET /healthz HTTP/1.1\r\n' + host + b'\r\n') * 2
    yield 'expect', b'POST /v1/people HTTP/1.1\r\n' + host + b'expect: 100-continue\r\ncontent-length: 2\r\n\r\n{}'
    settings_frame = b'\0\0\0\x04\0\0\0\0\0'
    yield 'http2', (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + settings_frame
                    + b'\0\0\x0e\x01\x05\0\0\0\x01' + b'\x82\x86\x84\x41\x09localhost')
    yield 'upgrade', (b'GET /healthz HTTP/1.1\r\n' + host + b'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n'
                      b'http2-settings: AAMAAABkAAQAAP__\r\n\r\n')


def json_bodies():
    bodies = [{'path': 'a.jpg'}, {'paths': ['a.jpg', {'path': 'b/c.jpg'}]}, {'paths': []}, {'path': '/etc/passwd'},
              {'name': 'Hannibal'}, {'name': 'a\0b'}, {'person': 7}, {'name': 'x' * 300}, {'path': 7}, [], 'text', 1e308]
    for endpoint in range(10):
        for number, body in enumerate(bodies):
            yield f'{endpoint}-{number}', bytes([endpoint]) + json.dumps(body).encode()
        yield f'{endpoint}-image', bytes([endpoint]) + pictures()['plain.png']
    yield 'lines', b'\x01"a.jpg"\n{"path":"b.jpg"}\r\n\n  \n"c.jpg"'
    yield 'multipart', b'\x03--x\r\ncontent-disposition: form-data; name="f"\r\n\r\nabc\r\n--x--\r\n'


# --- a model of landmarks: dlib's format ---

def dlib_number(value):
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (128 if value < 0 else 0)]) + abs(value).to_bytes(size, 'little')


def dlib_float(value):
    """mantissa × 2^exponent, as dlib's float_details."""
    mantissa, exponent = int(value * (1 << 20)), -20
    return dlib_number(mantissa) + dlib_number(exponent)


def dlib_column(values):
    return dlib_number(-len(values)) + dlib_number(-1) + b''.join(map(dlib_float, values))


def dlib_list(items):
    return dlib_number(len(items)) + b''.join(items)


def model():
    def of(leaves, points, trees, cascades=1, offset=0.1):
        split = dlib_number(0) + dlib_number(1) + dlib_float(0.5)
        leaf = dlib_column([0.01] * 2 * points)
        tree = dlib_list([split] * (leaves - 1)) + dlib_list([leaf] * leaves)
        forests = dlib_list([dlib_list([tree] * trees)] * cascades)
        anchors = dlib_list([dlib_list([dlib_number(0), dlib_number(points - 1)])] * cascades)
        delta = dlib_float(offset) * 2
        deltas = dlib_list([dlib_list([delta, delta])] * cascades)
        return dlib_number(1) + dlib_column([0.5] * 2 * points) + forests + anchors + deltas
    yield 'small', of(2, 2, 1)
    yield 'larger', of(4, 5, 3, 2)
    yield 'trees of one leaf', of(1, 1, 1)
    yield 'offsets out of all range', of(2, 2, 1, 1, 1e30)


def made(folder, *endings):
    """What make_pictures wrote, as seeds of fuzz_decode.c."""
    def seeds():
        for file in sorted(folder.iterdir()):
            if file.suffix in endings:
                for choice in (0, 5):
                    yield f'{choice}-{file.name}', bytes([choice]) + file.read_bytes()
    return seeds


def main():
    folder, files = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    targets = {'decode': decode, 'sniff': sniff, 'text': text, 'upload_name': upload_name, 'wire': wire,
               'envelope': envelope, 'worker': worker, 'settings': settings, 'path': path, 'api_keys': api_keys, 'http': http, 'json': json_bodies,
               'model': model, 'gif': made(files, '.gif'), 'bmp': made(files, '.bmp'),
               'tiff': made(files, '.tif', '.tiff'), 'jp2': made(files, '.jp2', '.j2k'),
               'heif': made(files, '.heic', '.avif'), 'raw': made(files, '.dng')}
    for name, seeds in targets.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed, data in seeds():
            (folder / name / re.sub(r'\W', '_', seed)).write_bytes(data)
    (folder / 'made').touch()


if __name__ == '__main__':
    main()
