"""Real recognisers on real photos: who is in them. Skipped, saying so, where the models or photos are not there."""
import json
import os
import sqlite3
import struct

import pytest
from harness import ROOT, until

SAMPLES = ROOT / 'samples'
OBAMA = ['obama2.jpg', 'obama3.jpg', 'obama_partial_face.jpg', 'obama_partial_face2.jpg', '32bit.png']

pytestmark = [
    pytest.mark.skipif(not (ROOT / 'models/dlib_face_recognition_resnet_model_v1.dat').exists(),
                       reason='no models: deploy/setup.sh fetches them'),
    pytest.mark.skipif(not (SAMPLES / 'obama.jpg').exists(), reason='no photos: deploy/setup.sh fetches them'),
    pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='dlib is not built with sanitizers')]


def enrol(kith, name, photo):
    person = kith.post('/v1/people', {'name': name}).json['id']
    answer = kith.post(f'/v1/people/{person}/photos', (SAMPLES / photo).read_bytes(), content_type='image/jpeg')
    assert answer.status == 201, answer


def names(kith, photos):
    numbers = kith.submit(*[SAMPLES / p for p in photos])
    images = [kith.finished(n) for n in numbers]
    return [i['person']['name'] if i['person'] else i['verdict'] for i in images]


def test_dlib_names_every_sample_and_nobody_wrongly(make):
    kith = make(recognizer='dlib', image_roots=SAMPLES).start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    assert names(kith, OBAMA) == ['Barack Obama'] * 5
    assert names(kith, ['biden.jpg']) == ['unknown']
    face = kith.get('/v1/images?status=unknown').json['images'][0]['faces'][0]
    assert len(face['landmarks']) == 5 and face['similarity'] < 0.5
    kith.post(f'/v1/faces/{face["id"]}/person', {'name': 'Joe Biden'})
    assert kith.get('/v1/images?status=unknown').json['images'] == []


def embeddings(make, folder, variables=(), **settings):
    """Of every face of the samples, in the order of the photos: what a kith with these settings stores."""
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
def test_the_fast_network_says_what_dlibs_own_says(make, tmp_path, mirror):
    """On the CPU as it is, and on ones that can do less: the instructions are chosen when it starts."""
    reference = embeddings(make, tmp_path / 'dlib', network='dlib', mirror=mirror)
    assert largest_difference(reference, embeddings(make, tmp_path / 'fast', mirror=mirror)) < 1e-3
    if mirror == 'on':  # a worker's environment is its own; a thread has the program's
        for isa in ('AVX2', 'SSE41'):
            older = embeddings(make, tmp_path / isa, {'DNNL_MAX_CPU_ISA': isa, 'ONEDNN_MAX_CPU_ISA': isa}, isolation='thread')
            assert largest_difference(reference, older) < 1e-3, isa


def test_a_mirror_image_is_looked_at_as_well(make, tmp_path):
    """The mean of both differs from either, and a photo and its mirror image have the same."""
    image = pytest.importorskip('PIL.Image', reason='no python3-pil: deploy/setup.sh test installs it')
    alone, both = embeddings(make, tmp_path / 'a', mirror='off'), embeddings(make, tmp_path / 'b')
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


def test_nine_faces_in_one_photo_each_get_their_own_answer(make, tmp_path):
    """A mosaic of two men: every face is stored with its own person, and the image's is the best of them."""
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


def test_a_known_people_folder_and_a_photo_of_nobody(make, tmp_path):
    known = tmp_path / 'known'
    (known / 'Barack Obama').mkdir(parents=True)
    (known / 'Barack Obama' / '1.jpg').write_bytes((SAMPLES / 'obama.jpg').read_bytes())
    (known / 'nobody_1.png').write_bytes(__import__('harness').png(90, 90, 90, width=300, height=300))
    kith = make(recognizer='dlib', image_roots=SAMPLES, known_people=known).start()
    until(lambda: kith.metric('kith_gallery_templates') == 1, 'the template')
    until(lambda: 'photo refused' in kith.log() and 'no face found' in kith.log(), 'the refusal')
    assert names(kith, ['obama2.jpg']) == ['Barack Obama']


@pytest.mark.parametrize('damage', ['missing', 'short'])
def test_a_model_file_missing_or_damaged_is_named(make, tmp_path, damage):
    models = tmp_path / 'models'
    models.mkdir()
    for file in (ROOT / 'models').glob('*.dat'):
        data = file.read_bytes()
        if 'resnet' in file.name:
            if damage == 'missing':
                continue
            data = data[:1000000]
        (models / file.name).write_bytes(data)
    kith = make(recognizer='dlib', models=models).start(ready=False)
    text = until(lambda: (lambda t: t if 'resnet' in t else None)(kith.get('/readyz').text), 'the reason')
    assert 'dlib_face_recognition_resnet_model_v1.dat' in text and 'KITH_MODELS' in text
    assert kith.post('/image/post', {'path': 'a.jpg'}).status == 200


def test_lbph_proves_the_interface_by_another_recogniser(make):
    kith = make(recognizer='lbph', image_roots=SAMPLES).start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    number, = kith.submit(SAMPLES / 'obama.jpg')
    image = kith.finished(number)
    assert image['person']['name'] == 'Barack Obama' and image['faces'][0]['distance'] < 0.01
    other, = kith.submit(SAMPLES / 'biden.jpg')
    face = kith.finished(other)['faces'][0]
    assert face['distance'] > 1 and face['candidates'][0]['person']['name'] == 'Barack Obama'


def test_embeddings_of_two_recognisers_are_never_compared(make):
    kith = make(recognizer='lbph', image_roots=SAMPLES).start()
    enrol(kith, 'Barack Obama', 'obama.jpg')
    kith.stop()
    kith.settings['recognizer'] = 'dlib'
    kith.start()
    answer = kith.post('/v1/identify', (SAMPLES / 'obama.jpg').read_bytes(), content_type='image/jpeg')
    assert json.loads(answer.body)['faces'][0]['candidates'] == []
