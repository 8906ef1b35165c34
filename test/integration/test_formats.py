"""Pictures in each format, through the whole program: posted by path and as bytes, in the sandbox, shown as JPEG."""
import io
import struct
import subprocess

import hostile_pictures
import pytest
from harness import BUILD, until
from PIL import Image

TYPES = {'plain.gif': 'image/gif', 'palette.bmp': 'image/bmp', 'alpha.bmp': 'image/bmp', 'turned.tiff': 'image/tiff',
         'tiled.tif': 'image/tiff', 'boxes.jp2': 'image/jp2', 'stream.j2k': 'image/jp2', 'plain.heic': 'image/heic',
         'alpha.heic': 'image/heic', 'plain.avif': 'image/avif', 'preview.dng': 'application/octet-stream'}


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """Name → bytes of a picture of 96 × 64, of which those named `turned` and `preview` lie on their side."""
    folder = tmp_path_factory.mktemp('pictures')
    subprocess.run([BUILD / 'make_pictures', folder], check=True)
    made = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert made.keys() == TYPES.keys()
    return made


def jpeg(width, height, **options):
    image = Image.radial_gradient('L').resize((width, height)).convert('RGB')
    out = io.BytesIO()
    image.save(out, 'JPEG', quality=90, **options)
    return out.getvalue()


def test_each_format_by_path_and_as_bytes(kith, pictures):
    for name, data in pictures.items():
        (kith.images / name).write_bytes(data)
        by_path, = kith.submit(name)
        image = kith.finished(by_path)
        assert image['status'] == 'processed' and 'partial' not in image, (name, image)
        answer = kith.post('/v1/images', data, content_type=TYPES[name])
        assert answer.status == 202, (name, answer)
        assert kith.finished(answer.json['images'][0]['id'])['status'] == 'processed', name
        found = kith.post('/v1/identify', data, content_type='application/octet-stream').json
        sideways = name.startswith(('turned', 'preview'))
        assert (found['width'], found['height']) == ((64, 96) if sideways else (96, 64)), (name, found)
    assert kith.metric('kith_worker_restarts_total') == 0


def test_the_file_and_a_jpeg_of_each_format(kith, pictures):
    for name, data in pictures.items():
        (kith.images / name).write_bytes(data)
        number, = kith.submit(name)
        kith.finished(number)
        original = kith.get(f'/v1/images/{number}/photo')
        assert original.headers['content-type'] == TYPES[name] and original.body == data, name
        shown = until(lambda: kith.get(f'/v1/images/{number}/photo?width=64'), 'the thumbnail')
        assert shown.headers['content-type'] == 'image/jpeg', name
        picture = Image.open(io.BytesIO(shown.body)).convert('RGB')
        assert max(picture.size) == 64, name
        corner = picture.getpixel((picture.width // 4, picture.height // 4))
        wanted = (20, 20, 220) if name.startswith(('turned', 'preview')) else (220, 20, 20)
        assert all(abs(a - b) < 40 for a, b in zip(corner, wanted)), (name, corner)


def test_other_formats_are_refused_with_the_list(kith):
    for data in (b'\xff\x0a' + bytes(100), b'%PDF-1.7\n' + bytes(100), b'8BPS\0\1' + bytes(100),
                 b'<svg xmlns="http://www.w3.org/2000/svg"/>', b'\0\0\0\x18ftypmp42\0\0\0\0mp42isom' + bytes(100)):
        answer = kith.post('/v1/images', data, content_type='image/x')
        assert answer.status == 415 and 'HEIC, AVIF or the preview' in answer.json['detail'], answer
        (kith.images / 'other').write_bytes(data)
        answer = kith.post('/v1/identify', {'path': 'other'})
        assert answer.status == 422 and 'HEIC, AVIF or the preview' in answer.json['detail'], answer


def test_a_picture_that_is_cut_short_is_looked_at_as_far_as_it_goes(kith):
    data = jpeg(300, 200)
    (kith.images / 'cut.jpg').write_bytes(data[:len(data) * 2 // 3])
    (kith.images / 'head.jpg').write_bytes(data[:300])
    cut, head = kith.submit('cut.jpg', 'head.jpg')
    image = kith.finished(cut)
    assert image['status'] == 'processed' and image['partial'] is True, image
    image = kith.finished(head)
    assert image['status'] == 'failed' and 'cut short' in image['reason'], image
    found = kith.post('/v1/identify', data[:len(data) * 2 // 3], content_type='image/jpeg')
    assert found.json['partial'] is True, found
    (kith.images / 'cut.jpg').write_bytes(data)  # it has grown
    assert kith.post('/v1/images/look-again', {}).status in (200, 202)
    until(lambda: 'partial' not in kith.get(f'/v1/images/{cut}').json, 'the whole picture')


def test_a_jpeg_of_108_megapixels_is_decoded_smaller(kith):
    """A file of one colour, so that it is quickly made: 12000 × 9000."""
    out = io.BytesIO()
    Image.new('RGB', (12000, 9000), (250, 40, 40)).save(out, 'JPEG', quality=50)
    found = kith.post('/v1/identify', out.getvalue(), content_type='image/jpeg')
    assert found.status == 200, found
    assert (found.json['width'], found.json['height']) == (12000, 9000)
    for face in found.json['faces']:  # boxes are pixels of the full picture
        box = face['box']
        assert box['x'] + box['width'] > 6000


def test_faces_of_a_jpeg_that_is_decoded_smaller_are_where_they_were_drawn(make):
    """Three stripes of 200 pixels; the picture has more than twice KITH_MAX_PIXELS."""
    kith = make(max_pixels=100000).start()
    stripes = Image.new('RGB', (600, 400), (250, 30, 30))
    stripes.paste((30, 250, 30), (200, 0, 400, 400))
    stripes.paste((30, 30, 250), (400, 0, 600, 400))
    stripes.save(kith.images / 'stripes.jpg', quality=90)
    number, = kith.submit('stripes.jpg')
    assert kith.finished(number)['faces'][0]['box']['width'] == 600
    drawn = kith.post(f'/v1/images/{number}/faces', {'box': {'x': 240, 'y': 120, 'width': 120, 'height': 120}})
    assert drawn.status == 201, drawn
    crop = until(lambda: kith.get(f'/v1/images/{number}/faces/1/crop'), 'the crop')
    picture = Image.open(io.BytesIO(crop.body)).convert('RGB')
    assert picture.size == (90, 90), 'a box of 120 with a margin of 30, at half its size'
    for x in (5, 45, 84):
        red, green, blue = picture.getpixel((x, 45))
        assert green > 150 > red and green > blue, (x, red, green, blue)


def boxes(kind, *parts):
    body = b''.join(parts)
    return struct.pack('>I', len(body) + 8) + kind + body


def heif(tiles, width, height):
    """A HEIF file of boxes only: a grid of `tiles` of one tile that has no data."""
    full = b'\0\0\0\0'
    size = [boxes(b'ispe', full, struct.pack('>II', *pair)) for pair in ((width, height), (width, height))]
    ipma = boxes(b'ipma', full, struct.pack('>I', 2), b'\0\1\1\1', b'\0\2\1\2')
    iref = boxes(b'iref', full, boxes(b'dimg', struct.pack('>HH', 1, tiles), b'\0\2' * tiles))
    meta = boxes(b'meta', full, boxes(b'pitm', full, b'\0\1'), boxes(b'iprp', boxes(b'ipco', *size), ipma), iref)
    return boxes(b'ftyp', b'heic\0\0\0\0mif1heic') + meta


def bombs():
    gif = b'GIF89a\x40\0\x40\0\x80\0\0' + bytes(6) + b'\x2c\0\0\0\0\xff\xff\xff\xff\0\2\0;'
    tiff = struct.pack('<2sHIH', b'II', 42, 8, 2) + struct.pack('<HHII', 256, 4, 1, 60000) + \
        struct.pack('<HHII', 257, 4, 1, 60000) + bytes(4)
    bmp = b'BM' + bytes(8) + struct.pack('<IIiiHHI', 54, 40, 60000, 60000, 1, 24, 0) + bytes(20)
    stream = b'\xff\x4f\xff\x51\0\x29\0\0' + struct.pack('>8I', 3840, 3840, 0, 0, 1, 1, 0, 0) + b'\0\1\7\1\1'
    return {'GIF': (gif, 'KITH_MAX_PIXELS'), 'TIFF': (tiff, '60000×60000'), 'BMP': (bmp, '60000×60000'),
            'JPEG 2000': (stream, 'KITH_MAX_PIXELS'), 'HEIC': (heif(4, 30000, 30000), '30000×30000'),
            'tiles': (heif(1000, 2000, 2000), 'KITH_MAX_PIXELS'), 'empty HEIC': (heif(1, 100, 100), 'HEIC')}


def test_bombs_are_refused_before_decoding(kith):
    for name, (data, words) in bombs().items():
        answer = kith.post('/v1/identify', data, content_type='image/png')
        assert answer.status == 422 and words in answer.json['detail'], (name, answer)
        assert '\n' not in answer.json['detail'], name
    assert kith.metric('kith_worker_restarts_total') == 0


def test_what_is_within_the_limits_costs_no_worker(kith, pictures):
    """Headers that promise more than the file holds."""
    big = struct.pack('<I', 6000)
    bmp = bytearray(pictures['alpha.bmp'])
    bmp[18:22] = bmp[22:26] = big
    gif = bytearray(pictures['plain.gif'])
    gif[6:10] = b'\x70\x17\x70\x17'
    for data in (bytes(bmp), bytes(gif), hostile_pictures.with_size(jpeg(64, 64), 7000, 7000)):
        assert kith.post('/v1/identify', data, content_type='image/png').status in (200, 422)
    assert kith.metric('kith_worker_restarts_total') == 0
