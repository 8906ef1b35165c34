"""CPU time of one hostile picture at default settings."""
import io
import os
import tempfile

import hostile_pictures
from harness import BUILD, Kith, png, remove, until

CPU = 'kith_worker_cpu_seconds_total'


def encoded():
    """Noise and plain pictures at the limits of pixels and bytes; nothing without PIL."""
    try:
        from PIL import Image
    except ImportError:
        return []
    noise = Image.frombytes('RGB', (7000, 7000), os.urandom(3 * 7000 * 7000))
    dear = noise.crop((0, 0, 5700, 5700))  # pixels of a WebP count one and a half times
    plain = Image.new('RGB', (7000, 7000), (9, 9, 9))
    saved = []
    for name, picture, settings in [('noise JPEG', noise, {'format': 'JPEG', 'quality': 25}),
                                    ('noise progressive JPEG', noise, {'format': 'JPEG', 'quality': 25, 'progressive': True}),
                                    ('plain progressive JPEG', plain, {'format': 'JPEG', 'progressive': True}),
                                    ('noise WebP', dear, {'format': 'WEBP', 'quality': 20, 'method': 0}),
                                    ('plain lossless WebP', plain.crop((0, 0, 5700, 5700)), {'format': 'WEBP', 'lossless': True, 'method': 0})]:
        file = io.BytesIO()
        picture.save(file, **settings)
        saved.append((name, file.getvalue()))
    return saved


def cpu_of(kith, data):
    before = kith.metric(CPU)
    answer = kith.post('/v1/identify', data, content_type='image/png')
    assert answer.status in (200, 422), answer
    return until(lambda: kith.metric(CPU) - before, 'the CPU time')


def run(figure, quick):
    folder = tempfile.mkdtemp(prefix='kith-bench-')
    has_dlib = (BUILD / 'plugins/dlib.so').exists()
    kith = Kith(folder, recognizer='dlib' if has_dlib else 'example').start()
    try:
        number, = kith.submit(kith.picture('base.png', 200, 100, 50, width=300, height=200))
        kith.finished(number)
        jpeg = until(lambda: kith.get(f'/v1/images/{number}/photo?width=128'), 'a JPEG').body
        cpu_of(kith, png(1, 2, 3))  # the first picture also warms up
        pictures = hostile_pictures.accepted(jpeg, side=700 if quick else 7000) + ([] if quick else encoded())
        pictures += [(name, data) for name, data, _ in hostile_pictures.refused(jpeg)]
        for name, data in pictures:
            if len(data) <= 16 << 20:
                figure(f'CPU of a hostile picture: {name}', cpu_of(kith, data), 's', at_most=1)
    finally:
        kith.stop()
        remove(folder)
