"""Real recognisers on real photos. Skipped without the models or the photos."""
import json
import sqlite3
import struct

import pytest
from fixtures import needs_plugin
from harness import ROOT, until

SAMPLES = ROOT / 'samples'
OBAMA = ['obama2.jpg', 'obama3.jpg', 'obama_partial_face.jpg', 'obama_partial_face2.jpg', '32bit.png']

pytestmark = [
    pytest.mark.skipif(not (ROOT / 'models/dlib_face_recognition_resnet_model_v1.dat').exists(),
                       reason='no models: deploy/setup.sh fetches them'),
    pytest.mark.skipif(not (SAMPLES / 'obama.jpg').exists(), reason='no photos: deploy/setup.sh fetches them'),
    needs_plugin('dlib')]


def enrol(kith, name, photo):
    person = kith.post('/v1/people', {'name': name}).json['id']
    answer = kith.post(f'/v1/people/{person}/photos', (SAMPLES / photo).read_bytes(), content_type='image/jpeg')
    assert answer.status == 201, answer


def names(kith, photos):
    numbers = kith.submit(*[SAMPLES / p for p in photos])
    images = [kith.finished(n) for n in numbers]
    return [i['person']['name'] if i['person'] else i['verdict'] for i in images]


def test_dlib_names_every_sample_correctly(make):
    kith = make(recognizer='dlib', image_roots=SAMPLES).start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    assert names(kith, OBAMA) == ['Barack Obama'] * 5
    assert names(kith, ['biden.jpg']) == ['unknown']
    face = kith.get('/v1/images?verdict=unknown').json['images'][0]['faces'][0]
    assert len(face['landmarks']) == 5 and face['similarity'] < 0.5
    kith.post(f'/v1/faces/{face["id"]}/person', {'name': 'Joe Biden'})
    until(lambda: kith.get('/v1/images?verdict=unknown').json['images'] == [], 'the name')


def embeddings(make, folder, variables=(), **settings):
    """The embeddings of all faces of the samples, in the order of the photos, as a kith with these settings stores them."""
    kith = make(recognizer='dlib', image_roots=SAMPLES, workers=1, data=folder, **settings)
    kith.variables.update(variables)
    kith.start()
    for number in kith.submit(*sorted(SAMPLES.iterdir())):
        assert kith.finished(number)['verdict']
    kith.stop()
    with sqlite3.connect(folder / 'kith.db') as records:
        rows = records.execute('SELECT embedding FROM faces ORDER BY image_id, id').fetchall()
    records.close()
    return [struct.unpack('128f', row[0]) for row in rows]


def largest_difference(some, others):
    assert len(some) == len(others) >= 7
    return max(abs(a - b) for x, y in zip(some, others) for a, b in zip(x, y))


@pytest.mark.parametrize('mirror', ['on', 'off'])
def test_onednn_and_dlib_compute_the_same_embeddings(make, tmp_path, mirror):
    """At each level of vector instructions: it is chosen at the start."""
    reference = embeddings(make, tmp_path / 'dlib', inference='dlib', flip_augment=mirror)
    assert largest_difference(reference, embeddings(make, tmp_path / 'fast', flip_augment=mirror)) < 1e-3
    if mirror == 'on':
        for level in ('avx2', 'plain'):
            older = embeddings(make, tmp_path / level, instructions=level)
            assert largest_difference(reference, older) < 1e-3, level


def test_the_mirror_image_is_averaged_in(make, tmp_path):
    """The mean differs from both embeddings and is the same for a photo and its mirror image."""
    image = pytest.importorskip('PIL.Image', reason='no python3-pil: deploy/setup.sh test installs it')
    alone, both = embeddings(make, tmp_path / 'a', flip_augment='off'), embeddings(make, tmp_path / 'b')
    assert largest_difference(alone, both) > 1e-2
    with image.open(SAMPLES / 'obama.jpg') as photo:
        photo.save(tmp_path / 'as it is.png')
        photo.transpose(image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / 'mirrored.png')
    kith = make(recognizer='dlib', image_roots=tmp_path, data=tmp_path / 'c').start()
    person = kith.post('/v1/people', {'name': 'Obama'}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', {'path': str(tmp_path / 'as it is.png')}).status == 201
    found = kith.post('/v1/identify', {'path': str(tmp_path / 'mirrored.png')}).json['faces'][0]
    assert found['person']['name'] == 'Obama' and found['distance'] < 0.2


@pytest.mark.parametrize('keep', [1000, 0.5])
def test_a_model_file_that_is_cut_short(make, tmp_path, keep):
    folder = tmp_path / 'models'
    folder.mkdir()
    for model in (ROOT / 'models').iterdir():
        data = model.read_bytes()
        if 'resnet' in model.name:
            data = data[:keep if keep > 1 else int(len(data) * keep)]
        (folder / model.name).write_bytes(data)
    kith = make(recognizer='dlib', models=folder).start(ready=False)
    text = until(lambda: (lambda t: t if 'resnet' in t else '')(kith.get('/readyz').text), 'the reason')
    assert 'KITH_MODELS' in text and kith.get('/readyz').status == 503


def test_nine_faces_in_one_photo_each_get_their_person(make, tmp_path):
    """A mosaic of two men: each face is stored with its person; the image gets the most similar one."""
    image = pytest.importorskip('PIL.Image', reason='no python3-pil: deploy/setup.sh test installs it')
    tiles = []
    for name, box in [('obama2.jpg', (130, 160, 570, 600)), ('biden.jpg', (370, 140, 770, 540))]:
        with image.open(SAMPLES / name) as photo:
            tiles.append(photo.convert('RGB').crop(box).resize((240, 240)))
    mosaic = image.new('RGB', (720, 720))
    for n in range(9):
        mosaic.paste(tiles[n % 2], (n % 3 * 240, n // 3 * 240))
    mosaic.save(tmp_path / 'nine.png')
    kith = make(recognizer='dlib', image_roots=tmp_path).start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    number, = kith.submit(tmp_path / 'nine.png')
    found = kith.finished(number)
    assert found['status'] == 'processed' and found['person']['name'] == 'Barack Obama'
    who = {}
    for face in found['faces']:
        cell = int(face['box']['y'] + face['box']['height'] / 2) // 240 * 3 + int(face['box']['x'] + face['box']['width'] / 2) // 240
        who[cell] = face['person'] and face['person']['name']
    assert who == {n: 'Barack Obama' if n % 2 == 0 else None for n in range(9)}
    assert found['faces'] and min(f['distance'] for f in found['faces'] if f['person']) == min(
        f['distance'] for f in found['faces'])


def test_a_known_people_folder_and_a_photo_without_a_face(make, tmp_path):
    known = tmp_path / 'known'
    (known / 'Barack Obama').mkdir(parents=True)
    (known / 'Barack Obama' / '1.jpg').write_bytes((SAMPLES / 'obama.jpg').read_bytes())
    (known / 'nobody_1.png').write_bytes(__import__('harness').png(90, 90, 90, width=300, height=300))
    kith = make(recognizer='dlib', image_roots=SAMPLES, known_people=known).start()
    until(lambda: kith.metric('kith_gallery_templates') == 1, 'the template')
    until(lambda: 'photo refused' in kith.log() and 'no face found' in kith.log(), 'the refusal')
    assert names(kith, ['obama2.jpg']) == ['Barack Obama']


@pytest.mark.parametrize('damage', ['missing', 'short', 'another'])
def test_a_model_file_missing_or_damaged_is_named(make, tmp_path, damage):
    models = tmp_path / 'models'
    models.mkdir()
    for file in (ROOT / 'models').glob('*.dat'):
        data = file.read_bytes()
        if 'resnet' in file.name:
            if damage == 'missing':
                continue
            data = data[:1000000] if damage == 'short' else (ROOT / 'models/mmod_human_face_detector.dat').read_bytes()
        (models / file.name).write_bytes(data)
    kith = make(recognizer='dlib', models=models).start(ready=False)
    text = until(lambda: (lambda t: t if 'resnet' in t else None)(kith.get('/readyz').text), 'the reason')
    assert 'dlib_face_recognition_resnet_model_v1.dat' in text and 'KITH_MODELS' in text
    assert kith.post('/image/post', {'path': 'a.jpg'}).status == 200


def test_a_face_is_found_however_its_picture_is_written(make, tmp_path):
    from PIL import Image
    with Image.open(SAMPLES / 'obama.jpg') as photo:
        rgb = photo.convert('RGB').resize((455, 568))
    grey = rgb.convert('L')
    rgb.convert('CMYK').save(tmp_path / 'cmyk.jpg')
    grey.save(tmp_path / 'grey.jpg')
    grey.convert('I').point(lambda v: v * 257).convert('I;16').save(tmp_path / 'sixteen bits.png')
    rgb.convert('P', palette=Image.ADAPTIVE, colors=255).save(tmp_path / 'palette.png')
    rgb.convert('RGBA').save(tmp_path / 'alpha.png')
    grey.convert('LA').save(tmp_path / 'grey with alpha.png')
    rgb.save(tmp_path / 'progressive.jpg', progressive=True)
    rgb.save(tmp_path / 'lossy.webp')
    rgb.save(tmp_path / 'lossless.webp', lossless=True)
    kith = make(recognizer='dlib', image_roots=f'{SAMPLES}:{tmp_path}').start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    files = sorted(f for f in tmp_path.iterdir() if f.suffix in ('.jpg', '.png', '.webp'))
    assert len(files) == 9
    for file, number in zip(files, kith.submit(*files)):
        image = kith.finished(number)
        assert image['person'] and image['person']['name'] == 'Barack Obama', (file.name, image)


def test_images_of_extreme_shapes_are_recognised_or_refused(make, tmp_path):
    from PIL import Image
    for name, size in (('dot.png', (1, 1)), ('line.png', (20000, 20)), ('tower.jpg', (20, 20000)), ('thin.png', (3, 900))):
        Image.new('RGB', size, (200, 180, 170)).save(tmp_path / name)
    frames = [Image.new('RGB', (80, 80), (n * 60, 0, 0)) for n in range(3)]
    frames[0].save(tmp_path / 'moving.webp', save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / 'moving.png', save_all=True, append_images=frames[1:])
    kith = make(recognizer='dlib', image_roots=tmp_path).start()
    for name in ('dot.png', 'line.png', 'tower.jpg', 'thin.png'):
        number, = kith.submit(tmp_path / name)
        image = kith.finished(number)
        assert (image['status'], image['verdict'], image['reason']) == ('processed', 'no_face', None), name
    number, = kith.submit(tmp_path / 'moving.webp')
    image = kith.finished(number)
    assert image['status'] == 'failed' and 'animated' in image['reason']
    number, = kith.submit(tmp_path / 'moving.png')
    image = kith.finished(number)
    assert image['verdict'] == 'no_face' or 'animated' in image['reason']
    assert kith.metric('kith_worker_restarts_total') == 0


def test_a_photo_with_more_faces_than_are_taken(make, tmp_path):
    from PIL import Image
    with Image.open(SAMPLES / 'obama.jpg') as photo:
        face = photo.convert('RGB').crop((241, 100, 641, 500)).resize((110, 110))
    crowd = Image.new('RGB', (20 * 110, 10 * 110))
    for n in range(200):
        crowd.paste(face, (n % 20 * 110, n // 20 * 110))
    crowd.save(tmp_path / 'crowd.jpg', quality=95)
    kith = make(recognizer='dlib', image_roots=tmp_path, max_faces=200, recognize_timeout='60s').start()
    number, = kith.submit(tmp_path / 'crowd.jpg')
    image = kith.finished(number)
    assert image['verdict'] == 'unknown'
    assert 150 <= len(image['faces']) <= 200
    kith.stop()
    few = make(recognizer='dlib', image_roots=tmp_path, max_faces=7, data=tmp_path / 'other').start()
    number, = few.submit(tmp_path / 'crowd.jpg')
    assert len(few.finished(number)['faces']) == 7


def test_a_photo_of_low_quality_is_not_enrolled_and_its_fault_is_named(make, tmp_path):
    import io
    from PIL import Image, ImageFilter
    kith = make(recognizer='dlib', image_roots=SAMPLES, enroll_quality=0.3).start()
    person = kith.post('/v1/people', {'name': 'Barack Obama'}).json['id']
    with Image.open(SAMPLES / 'obama.jpg') as photo:
        blurred = photo.convert('RGB').filter(ImageFilter.GaussianBlur(16))
    data = io.BytesIO()
    blurred.save(data, 'JPEG')
    answer = kith.post(f'/v1/people/{person}/photos', data.getvalue(), content_type='image/jpeg')
    assert answer.status == 422, answer
    assert 'too blurred' in answer.json['detail'] and 'KITH_ENROLL_QUALITY' in answer.json['detail']
    enrol_again = kith.post(f'/v1/people/{person}/photos', (SAMPLES / 'obama.jpg').read_bytes(), content_type='image/jpeg')
    assert enrol_again.status == 201
    number, = kith.submit(SAMPLES / 'obama2.jpg')
    assert kith.finished(number)['faces'][0]['quality'] > 0.5


def test_the_cnn_detector_finds_the_faces(make):
    for way in ('cnn', 'hard'):
        kith = make(recognizer='dlib', image_roots=SAMPLES, detector=way).start()
        enrol(kith, 'Barack Obama', 'obama.jpg')
        assert names(kith, ['obama2.jpg', 'obama_partial_face.jpg', 'biden.jpg']) == ['Barack Obama'] * 2 + ['unknown']
        kith.stop()


def test_a_larger_smallest_face_is_faster_and_finds_the_large(make):
    sizes = {}
    for least in (40, 320):
        kith = make(recognizer='dlib', image_roots=SAMPLES, min_face=least).start()
        enrol(kith, 'Barack Obama', 'obama.jpg')
        assert names(kith, ['obama2.jpg']) == ['Barack Obama']
        face = kith.get('/v1/images').json['images'][0]['faces'][0]
        sizes[least] = face['box']['width']
        sizes[least, 'detect'] = kith.metric('kith_stage_seconds_total{stage="detect"}')
        kith.stop()
    assert abs(sizes[40] - sizes[320]) < sizes[40] / 4  # boxes are of the picture, whatever size it was looked at
    assert sizes[320, 'detect'] < sizes[40, 'detect']


def test_jitters_make_another_template_of_the_same_person(make):
    kith = make(recognizer='dlib', image_roots=SAMPLES, enroll_jitters=5).start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    number, = kith.submit(SAMPLES / 'obama.jpg')
    face = kith.finished(number)['faces'][0]
    assert face['person']['name'] == 'Barack Obama' and 0.01 < face['distance'] < 0.4


@needs_plugin('lbph')
def test_lbph_recognises_through_the_same_interface(make):
    kith = make(recognizer='lbph', image_roots=SAMPLES).start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    number, = kith.submit(SAMPLES / 'obama.jpg')
    image = kith.finished(number)
    assert image['person']['name'] == 'Barack Obama' and image['faces'][0]['distance'] < 0.01
    other, = kith.submit(SAMPLES / 'biden.jpg')
    face = kith.finished(other)['faces'][0]
    assert face['distance'] > 1 and face['candidates'][0]['person']['name'] == 'Barack Obama'


@needs_plugin('lbph')
def test_embeddings_of_two_recognisers_are_never_compared(make):
    """The one whose photo is still there is embedded anew; of the other there is an LBPH template only."""
    kith = make(recognizer='lbph').start()
    for name, photo in (('Barack Obama', 'obama.jpg'), ('Joe Biden', 'biden.jpg')):
        person = kith.post('/v1/people', {'name': name}).json['id']
        (kith.images / photo).write_bytes((SAMPLES / photo).read_bytes())
        assert kith.post(f'/v1/people/{person}/photos', {'path': photo}).status == 201
    kith.stop()
    (kith.images / 'obama.jpg').unlink()
    kith.settings['recognizer'] = 'dlib'
    kith.start()

    def candidates():
        answer = kith.post('/v1/identify', (SAMPLES / 'obama.jpg').read_bytes(), content_type='image/jpeg')
        return [c['person']['name'] for c in answer.json['faces'][0]['candidates']]
    until(candidates, 'a template of the other model')
    assert candidates() == ['Joe Biden']
