"""What becomes of an image, as clients are shown it; retries of what can be cured; images that are looked at again."""
import re
import sqlite3

import pytest
from fixtures import needs_plugin
from harness import BUILD, ROOT, Events, until

SAMPLES = ROOT / 'samples'

FAILS, DISLIKES, NOBODY = (254,) * 3, (253,) * 3, (250, 1, 1)  # of the plug-in for tests
SHOWN = ('status', 'verdict', 'reason')


def shown(image):
    return tuple(image[key] for key in SHOWN) + (image.get('retryable'),)


@pytest.fixture
def moody(make):
    def start(**settings):
        return make(recognizer=BUILD / 'test/plugins/moody.so',
                    **{'retry_backoff': '1ms', 'breaker_failures': 1000, 'tries': 1, **settings}).start()
    return start


def submit(kith, name, colour):
    number, = kith.submit(kith.picture(name, *colour))
    return number


def listed(kith, query):
    answer = kith.get(f'/v1/images?{query}')
    assert answer.status == 200, answer
    return sorted(image['id'] for image in answer.json['images'])


def finished_total(kith):
    return {result: int(count) for result, count in
            re.findall(r'kith_images_finished_total\{result="(\w+)"\} (\d+)', kith.get('/metrics').text)}


def landscape(path):
    """Sky, hills and grass, without a face."""
    from PIL import Image, ImageDraw
    image = Image.new('RGB', (800, 600), (120, 170, 230))
    draw = ImageDraw.Draw(image)
    for x in range(-200, 800, 160):
        draw.polygon([(x, 450), (x + 180, 230 + x % 90), (x + 380, 450)], fill=(60 + x % 40, 90, 70))
    draw.rectangle((0, 440, 800, 600), fill=(70, 130, 50))
    image.save(path)


@needs_plugin('dlib')
@pytest.mark.skipif(not (SAMPLES / 'obama.jpg').exists(), reason='no photos: deploy/setup.sh fetches them')
@pytest.mark.skipif(not (ROOT / 'models/dlib_face_recognition_resnet_model_v1.dat').exists(),
                    reason='no models: deploy/setup.sh fetches them')
def test_a_landscape_and_an_unknown_person_are_results_and_no_failures(make, tmp_path):
    """With real recognition; design §4."""
    pytest.importorskip('PIL')
    landscape(tmp_path / 'hills.png')
    (tmp_path / 'letter.jpg').write_bytes(b'Dear Sirs')
    for name in ('obama.jpg', 'biden.jpg'):
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())
    kith = make(recognizer='dlib', image_roots=tmp_path, retry_policy='100ms').start()
    person = kith.post('/v1/people', {'name': 'Barack Obama'}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', (SAMPLES / 'obama2.jpg').read_bytes(),
                     content_type='image/jpeg').status == 201
    events = Events(kith)
    events.until('breaker')
    hills, nameless, known, letter, gone = kith.submit(*[tmp_path / n for n in (
        'hills.png', 'biden.jpg', 'obama.jpg', 'letter.jpg', 'gone.jpg')])
    for number in (hills, nameless, known, letter, gone):
        kith.finished(number)
    assert shown(kith.image(hills)) == ('processed', 'no_face', None, None)
    assert shown(kith.image(nameless)) == ('processed', 'unknown', None, None)
    assert shown(kith.image(known)) == ('processed', 'known', None, None)
    assert kith.image(letter)['status'] == 'failed' and kith.image(letter)['retryable'] is False
    assert events.until('image', lambda i: i['id'] == hills and i['finished_at'])['verdict'] == 'no_face'
    events.close()
    stats = kith.get('/v1/stats').json
    assert (stats['processed'], stats['unknown'], stats['no_face'], stats['pending']) == (3, 1, 1, 0), stats
    counts = finished_total(kith)
    assert (counts['known'], counts['unknown'], counts['no_face']) == (1, 1, 1) and counts['failed'] >= 2, counts
    assert kith.metric('kith_images{status="pending"}') == 0 and kith.metric('kith_images_no_face') == 1
    assert listed(kith, 'status=processed') == sorted([hills, nameless, known])
    assert listed(kith, 'status=processed&verdict=unknown') == listed(kith, 'verdict=unknown') == [nameless]
    assert listed(kith, 'verdict=no_face') == [hills] and listed(kith, f'person={person}') == [known]
    assert listed(kith, 'status=pending') == listed(kith, 'status=pending&verdict=unknown') == []
    # The policy has run many times: it lets results be.
    until(lambda: kith.image(gone)['attempts'] >= 2, 'the policy to try the missing file again')
    assert [kith.image(n)['attempts'] for n in (hills, nameless, known, letter)] == [1, 1, 1, 1]


@pytest.mark.parametrize('query,words', [('verdict=odd', 'verdict'), ('retryable=maybe', 'retryable'),
                                         ('status=pending&retryable=1', 'retryable'), ('status=done', 'status')])
def test_a_contradictory_filter_is_refused(kith, query, words):
    answer = kith.get(f'/v1/images?{query}')
    assert answer.status == 400 and words in answer.json['detail'], answer


def test_the_table_of_outcomes(moody):
    kith = moody()
    nobody, disliked, crashed = (submit(kith, f'{n}.png', colour) for n, colour in enumerate((NOBODY, DISLIKES, FAILS)))
    gone, = kith.submit('gone.png')
    assert shown(kith.finished(nobody)) == ('processed', 'no_face', None, None)
    assert shown(kith.finished(disliked)) == ('failed', None, 'do not like it', False)
    assert shown(kith.finished(gone)) == ('failed', None, 'no such file', False)
    image = kith.finished(crashed)
    assert (image['status'], image['verdict'], image['retryable']) == ('failed', None, True) and image['reason']
    assert listed(kith, 'status=failed&retryable=1') == listed(kith, 'retryable=true') == [crashed]
    assert listed(kith, 'status=failed&retryable=false') == sorted([disliked, gone])
    assert listed(kith, 'status=failed') == sorted([disliked, crashed, gone])
    kith.picture('1.png', 9, 9, 9)
    assert kith.post(f'/v1/images/{disliked}/retry').json['status'] == 'pending', 'one image on request'
    assert shown(kith.finished(disliked)) == ('processed', 'unknown', None, None)


def test_a_queue_limit_counts_only_what_waits(make):
    kith = make(queue_limit=5).start()
    for n in range(20):
        number, = kith.submit(kith.picture(f'{n}.png', n, 1, 1))
        assert kith.finished(number)['verdict'] == 'unknown'


@pytest.mark.parametrize('how', ['api', 'direct'])
def test_failures_for_good_keep_no_others_from_their_retry(moody, how):
    """A thousand with lower ids, as a camera makes in a day, and the shipped timer with its limit."""
    kith = moody()
    path = kith.images / 'broken'
    path.mkdir()
    for n in range(1000):
        (path / f'{n}.png').write_bytes(b'no picture')
    kith.submit(*[path / f'{n}.png' for n in range(1000)])
    until(lambda: kith.get('/v1/stats').json['failed'] == 1000, 'all to fail')
    spoiled = []
    for n in range(3):  # one after the other: two workers may end in another order
        spoiled.append(submit(kith, f'{n}.png', FAILS))
        kith.finished(spoiled[n])
    for n in range(3):
        kith.picture(f'{n}.png', n, 9, 9)
    for n in range(3):
        ran = kith.run('retry', '--limit=1', *(['--direct'] if how == 'direct' else []))
        assert ran.stdout == '1 image: pending again\n', ran
        assert kith.finished(spoiled[n])['verdict'] == 'unknown', 'the oldest try first'
    assert kith.post('/v1/images/retry').json == {'retried': 0, 'dry_run': False}
    assert kith.get('/v1/stats').json['failed'] == 1000


def test_a_retry_that_fails_again_pauses_its_image(moody):
    kith = moody(retry_pause='1h')
    number = submit(kith, 'a.png', FAILS)
    kith.finished(number)

    def retry(query=''):
        retried = kith.post(f'/v1/images/retry?{query}').json['retried']
        until(lambda: kith.image(number)['status'] == 'failed', 'the try to fail')
        return retried
    assert [retry(), retry(), retry(), retry('now=true'), retry()] == [1, 0, 0, 1, 0]
    assert kith.run('retry', '--now').stdout == '1 image: pending again\n'
    kith.finished(number)
    kith.picture('a.png', 5, 5, 5)
    assert kith.post(f'/v1/images/{number}/retry').status == 200
    assert kith.finished(number)['verdict'] == 'unknown'


# --- look again ---

def operation(kith):
    return kith.get('/v1/images/look-again').json['operation']


def attempts(kith, numbers):
    return [kith.image(n)['attempts'] for n in numbers]


def test_images_are_looked_at_again_and_names_stay(kith):
    assert operation(kith) is None
    numbers = kith.submit(*[kith.picture(f'{n}.png', n * 20, 1, 1) for n in range(5)])
    face = kith.finished(numbers[0])['faces'][0]['id']
    for number in numbers:
        kith.finished(number)
    assert kith.post(f'/v1/faces/{face}/person', {'name': 'Ann', 'template': False}).status == 200
    dry = kith.post('/v1/images/look-again?dry_run=true')
    assert (dry.status, dry.json) == (200, {'images': 5, 'dry_run': True}) and operation(kith) is None
    assert kith.post('/v1/images/look-again?dry_run=true&verdict=unknown').json['images'] == 4
    assert kith.post('/v1/images/look-again?dry_run=true&not_model=current').json['images'] == 0
    assert kith.post('/v1/images/look-again?dry_run=true&not_model=older').json['images'] == 5
    begun = kith.post('/v1/images/look-again')
    assert begun.status == 202 and begun.json['operation']['state'] == 'running', begun
    until(lambda: operation(kith)['state'] == 'done', 'it to end')
    assert (operation(kith)['done'], operation(kith)['images']) == (5, 5)
    until(lambda: attempts(kith, numbers) == [2] * 5, 'each to be looked at again')
    image = kith.finished(numbers[0])
    assert image['person']['name'] == 'Ann' and image['faces'][0]['id'] == face
    number, = kith.submit(kith.picture('new.png', 1, 99, 1))
    assert kith.finished(number)['attempts'] == 1


def test_looking_again_is_bounded_paused_and_survives_a_restart(make):
    kith = make(look_again_rate=3).start()
    numbers = kith.submit(*[kith.picture(f'{n}.png', n * 20, 1, 1) for n in range(11)])
    for number in numbers:
        kith.finished(number)
    ran = kith.run('look-again', '--all')
    assert ran.stdout == 'running: 0 of 11 images are pending again\n', ran
    again = kith.post('/v1/images/look-again')
    assert again.status == 409 and 'cancel' in again.json['detail'], again
    until(lambda: operation(kith)['done'] == 3, 'the first step')
    assert kith.run('look-again', 'pause').stdout.startswith('paused: ')
    done = operation(kith)['done']
    assert done < 11
    kith.stop()
    kith.start()
    assert (operation(kith)['state'], operation(kith)['done']) == ('paused', done)
    assert kith.post('/v1/images/look-again/resume').json['operation']['state'] == 'running'
    kith.stop()
    kith.start()
    until(lambda: operation(kith)['state'] == 'done', 'it to end')
    until(lambda: attempts(kith, numbers) == [2] * 11, 'each to be looked at again, once')
    assert kith.run('look-again', 'status').stdout == 'done: 11 of 11 images are pending again\n'


def test_looking_again_is_cancelled(make):
    kith = make(look_again_rate=1).start()
    numbers = kith.submit(*[kith.picture(f'{n}.png', n * 20, 1, 1) for n in range(5)])
    for number in numbers:
        kith.finished(number)
    assert kith.post('/v1/images/look-again/cancel').status == 404
    assert kith.post('/v1/images/look-again').status == 202
    answer = kith.post('/v1/images/look-again/cancel')
    assert answer.status == 200 and answer.json['operation']['state'] == 'cancelled', answer
    assert kith.post('/v1/images/look-again/resume').status == 404
    assert sum(attempts(kith, numbers)) < 10


@pytest.mark.parametrize('arguments', [[], ['odd'], ['--verdict', 'odd'], ['--person', 'x']])
def test_a_wrong_look_again_is_refused(kith, arguments):
    ran = kith.run('look-again', *arguments)
    assert ran.returncode != 0 and ran.stderr, ran
    assert operation(kith) is None


def test_another_model_is_looked_at_again(make):
    """The images that have a face of the model before, and no others."""
    kith = make().start()
    old = kith.submit(*[kith.picture(f'{n}.png', n * 20, 1, 1) for n in range(3)])
    for number in old:
        kith.finished(number)
    kith.stop()
    kith.settings['recognizer'] = BUILD / 'test/plugins/moody.so'
    kith.start()
    new, = kith.submit(kith.picture('new.png', 1, 99, 1))
    kith.finished(new)
    assert kith.run('look-again', '--not-model', 'current', '--dry-run').stdout == '3 images would be looked at again\n'
    assert kith.run('look-again', '--not-model', 'current').returncode == 0
    until(lambda: attempts(kith, old) == [2] * 3, 'the old ones to be looked at again')
    assert kith.image(new)['attempts'] == 1
    until(lambda: kith.post('/v1/images/look-again?not_model=current&dry_run=1').json['images'] == 0, 'none to be left')


# --- databases of the version before ---

def test_records_of_the_version_before_are_shown_as_what_they_are(make):
    """Schema 4 knew no verdict for a picture without a face, and not which failures another try may cure."""
    kith = make()
    kith.folder.joinpath('data').mkdir()
    statements = kith.run('schema', 'sqlite').stdout.splitlines()
    newer = next(i for i, sql in enumerate(statements) if re.search(r'ALTER TABLE faces ADD COLUMN +word', sql))
    database = sqlite3.connect(kith.folder / 'data/kith.db')
    for sql in statements[:newer]:
        database.execute(sql)
    database.execute('INSERT INTO schema_version VALUES(4)')
    rows = [('faceless', 2, 0, 'no face found'), ('nameless', 0, 2, None), ('outage', 2, 0, 'the recogniser crashed'),
            ('poison', 2, 0, 'poison'), ('known', 1, 1, None)]
    for name, status, verdict, reason in rows:
        database.execute('INSERT INTO images(path, path_key, status, verdict, reason, run_after, finished_at) '
                         'VALUES(?, ?, ?, ?, ?, ?, 1)',
                         (str(kith.images / name), name.encode().ljust(16), status, verdict, reason, 2 ** 63 - 1))
    database.execute('UPDATE status_counts SET pending = 1, processed = 1, failed = 3, unknown = 1')
    database.commit()
    database.close()
    kith.start()
    assert [shown(kith.image(n))[:2] for n in range(1, 6)] == [
        ('processed', 'no_face'), ('processed', 'unknown'), ('failed', None), ('failed', None), ('processed', 'known')]
    assert listed(kith, 'retryable=1') == [3] and listed(kith, 'verdict=no_face') == [1]
    stats = kith.get('/v1/stats').json
    assert [stats[key] for key in ('pending', 'processed', 'failed', 'unknown', 'no_face')] == [0, 3, 2, 1, 1], stats
