"""Accepting images: the original endpoints, /v1/images with paths, lines and bytes."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import sqlite3

import pytest
from harness import BUILD, Kith, png, until


def test_a_posted_path_is_recognised(kith):
    kith.picture('red.png', 255, 0, 0)
    answer = kith.post('/image/post', {'path': 'red.png'})
    path = kith.images / 'red.png'
    assert answer.status == 200
    assert answer.text == f'got path: {path}\nimage saved with id: 1\nimage sent to queue\n'
    image = kith.finished(1)
    assert (image['status'], image['verdict'], image['person']) == ('processed', 'unknown', None)
    assert len(image['faces']) == 1


def test_a_path_posted_twice_keeps_its_row(kith):
    kith.picture('red.png', 255, 0, 0)
    kith.post('/image/post', {'path': 'red.png'})
    again = kith.post('/image/post', {'path': str(kith.images / 'red.png')})
    assert 'already exists' in again.text
    assert 'sent to queue' not in again.text
    answer = kith.post('/v1/images', {'path': './red.png'})
    assert answer.json['images'][0]['id'] == 1 and answer.json['images'][0]['existing'] is True
    assert len(kith.get('/v1/images').json['images']) == 1


def test_original_endpoint_for_many_paths(kith):
    for name in 'abc':
        kith.picture(f'{name}.png', 1, 2, 3)
    answer = kith.post('/images/post', {'paths': [{'path': 'a.png'}, {'path': 'b.png'}, {'path': 'c.png'}]})
    assert answer.text.count('image sent to queue') == 3


def test_the_original_endpoint_goes_on_behind_a_bad_path(kith):
    kith.picture('a.png', 1, 2, 3)
    kith.picture('b.png', 1, 2, 4)
    answer = kith.post('/images/post', {'paths': [{'path': 'a.png'}, {'path': '/etc/passwd'}, {'path': 7}, {},
                                                  {'path': 'b.png'}, {'path': 'a.png'}]})
    assert answer.status == 200, answer
    lines = answer.text.splitlines()
    a, b = kith.images / 'a.png', kith.images / 'b.png'
    assert lines[:4] == [f'got path: {a}', 'image saved with id: 1', 'image sent to queue', 'got path: /etc/passwd']
    assert re.fullmatch('got error while saving image: .*outside.*; moving on to next...', lines[4]), lines[4]
    assert lines[6] == 'got error while saving image: A path must be a string.; moving on to next...'
    assert lines[8] == 'got error while saving image: “path” is missing.; moving on to next...'
    assert lines[9:12] == [f'got path: {b}', 'image saved with id: 2', 'image sent to queue']
    assert lines[13] == f"got error while saving image: image with path '{a}' already exists; moving on to next..."
    assert len(kith.get('/v1/images').json['images']) == 2
    refused = kith.post('/images/post', {'paths': [{'path': '/etc/passwd'}, {'path': '../x'}]})
    assert refused.status == 403 and 'outside' in refused.json['detail'], refused  # no path of it was taken
    assert kith.post('/v1/images', {'paths': ['a.png', '/etc/passwd']}).status == 403


@pytest.mark.parametrize('body', [{'Path': 'a.png'}, {'Paths': [{'PATH': 'a.png'}]}, {'PATHS': ['a.png']},
                                  {'Path': 'b.png', 'path': 'a.png'}])
def test_the_original_endpoints_take_names_of_members_in_any_case(kith, body):
    answer = kith.post('/images/post', body)
    assert answer.status == 200 and f'got path: {kith.images / "a.png"}\n' in answer.text, answer
    assert kith.post('/v1/images', {'Path': 'a.png'}).status == 400


@pytest.mark.parametrize('body', [{'paths': []}, {'Paths': None}])
def test_the_original_endpoint_takes_an_empty_list(kith, body):
    answer = kith.post('/images/post', body)
    assert (answer.status, answer.text) == (200, 'got paths: {Paths:[]}\n')
    assert kith.post('/v1/images', {'paths': []}).status == 400
    assert kith.post('/image/post', {}).status == 400


def test_a_repeated_request_of_the_original_endpoint_has_the_same_refusals(kith):
    kith.picture('a.png', 1, 2, 3)
    body = {'paths': ['/etc/passwd', 'a.png']}
    first, second = (kith.post('/images/post', body, idempotency_key='k') for _ in range(2))
    assert first.status == second.status == 200
    assert first.text.splitlines()[:2] == second.text.splitlines()[:2]


def test_curls_default_content_type_is_taken_as_json(kith):
    answer = kith.post('/image/post', '{"path":"x.jpg"}', content_type='application/x-www-form-urlencoded')
    assert answer.status == 200, answer


def test_paths_as_lines(kith):
    body = '"a.jpg"\n\n{"path":"b.jpg"}\n'
    answer = kith.post('/v1/images', body, content_type='application/x-ndjson')
    assert answer.status == 202
    assert [i['path'].rsplit('/')[-1] for i in answer.json['images']] == ['a.jpg', 'b.jpg']


def test_one_bad_path_refuses_the_whole_request(kith):
    answer = kith.post('/v1/images', {'paths': ['a.jpg', '../b.jpg']})
    assert answer.status == 400
    assert answer.headers['content-type'] == 'application/problem+json'
    assert 'Path number 2' in answer.json['detail']
    assert kith.get('/v1/images').json['images'] == []


def test_bytes_are_spooled_by_their_hash(kith):
    data = png(0, 255, 0)
    answer = kith.post('/v1/images', data, content_type='image/png')
    assert answer.status == 202, answer
    path = answer.json['images'][0]['path']
    name = hashlib.sha256(data).hexdigest()
    assert path.endswith(f'/spool/{name[:2]}/{name}.png')
    assert open(path, 'rb').read() == data
    again = kith.post('/v1/images', data, content_type='image/png').json['images'][0]
    assert again['id'] == answer.json['images'][0]['id'] and again['existing']
    assert kith.finished(again['id'])['verdict'] == 'unknown'


def test_same_key_same_answer_and_another_request_is_refused(kith):
    first = kith.post('/v1/images', {'path': 'a.jpg'}, idempotency_key='k1')
    again = kith.post('/v1/images', {'path': 'a.jpg'}, idempotency_key='k1')
    other = kith.post('/v1/images', {'path': 'b.jpg'}, idempotency_key='k1')
    assert first.json['images'][0]['id'] == again.json['images'][0]['id']
    assert other.status == 422 and 'Idempotency-Key' in other.json['detail']


def test_an_orphan_of_the_spool_is_collected_and_others_stay(make):
    kith = make(orphan_age='1ms', spool_sweep='1ms').start()
    kept = kith.post('/v1/images', png(9, 9, 9), content_type='image/png').json['images'][0]['path']
    orphan = kith.folder / 'data/spool/00'
    orphan.mkdir(exist_ok=True)
    (orphan / 'left.jpg').write_bytes(b'x')
    until(lambda: not (orphan / 'left.jpg').exists(), 'the orphan to go')
    until(lambda: kith.metric('kith_actor_handled_total{actor="janitor"}') > 600, 'every folder to be swept')
    assert open(kept, 'rb').read() == png(9, 9, 9)


def test_orphans_behind_many_live_files_are_collected(make):
    """The sweep of a folder is bounded: the next one continues where it ended."""
    kith = make(workers=1).start()
    path = pathlib.Path(kith.post('/v1/images', png(9, 9, 9), content_type='image/png').json['images'][0]['path'])
    kith.finished(1)
    kith.stop()
    database = sqlite3.connect(kith.folder / 'data' / 'kith.db')
    database.row_factory = sqlite3.Row
    row = dict(database.execute('SELECT * FROM images').fetchone())
    del row['state']  # it follows from the others
    folder = path.parents[1] / '07'
    folder.mkdir(exist_ok=True)
    live, orphans = [folder / f'07live{n:04}.png' for n in range(700)], [folder / f'07orphan{n:02}.png' for n in range(50)]
    for file in live + orphans:
        file.write_bytes(b'x')
        os.utime(file, (1, 1))
    for number, file in enumerate(live, 2):
        copy = {**row, 'id': number, 'path': str(file), 'path_key': hashlib.sha256(str(file).encode()).digest()[:16]}
        database.execute(f'INSERT INTO images({", ".join(copy)}) VALUES({", ".join("?" * len(copy))})', list(copy.values()))
    database.commit()
    database.close()
    kith.settings['spool_sweep'] = '1ms'
    kith.start()
    until(lambda: not any(file.exists() for file in orphans), 'all orphans to go')
    assert all(file.exists() for file in live)


def test_lists_go_by_pages_and_filters(kith):
    kith.submit(*[kith.picture(f'{n:02}.png', n, 0, 0) for n in range(25)])
    kith.submit('missing.jpg')
    until(lambda: kith.get('/v1/stats').json['unknown'] == 25, 'all to be recognised')
    until(lambda: kith.get('/v1/stats').json['failed'] == 1, 'the missing one to fail')
    seen, after = [], ''
    while True:
        page = kith.get(f'/v1/images?limit=10{after}').json
        seen += [i['id'] for i in page['images']]
        if not page['next']:
            break
        after = f'&after={page["next"]}'
    assert seen == list(range(26, 0, -1))
    assert len(kith.get('/v1/images?verdict=unknown&limit=500').json['images']) == 25
    failed = kith.get('/v1/images?status=failed').json['images']
    assert [i['reason'] for i in failed] == ['no such file']
    assert kith.get('/v1/images?limit=501').status == 400
    assert kith.get('/v1/images?limit=x').status == 400
    assert kith.get('/v1/images?status=odd').status == 400
    assert kith.get('/v1/images/999').status == 404
    assert kith.get('/v1/images/x').status == 404


def test_identify_answers_at_once_and_stores_nothing(kith):
    kith.picture('red.png', 255, 0, 0)
    person = kith.post('/v1/people', {'name': 'Red'}).json['id']
    added = kith.post(f'/v1/people/{person}/photos?name=r.png', png(255, 0, 0), content_type='image/png')
    assert added.status == 201, added
    by_path = kith.post('/v1/identify', {'path': 'red.png'})
    by_bytes = kith.post('/v1/identify', png(250, 3, 3), content_type='image/png')
    unknown = kith.post('/v1/identify', png(0, 0, 255), content_type='image/png')
    assert by_path.json['faces'][0]['person'] == {'id': person, 'name': 'Red'}
    assert by_bytes.json['faces'][0]['person']['name'] == 'Red'
    assert by_bytes.json['faces'][0]['similarity'] > 0.99
    assert unknown.json['faces'][0]['person'] is None
    assert unknown.json['faces'][0]['candidates'][0]['person']['name'] == 'Red'
    assert kith.get('/v1/images').json['images'] == []


@pytest.mark.parametrize('path', ['/v1/images', '/images/post'])
def test_a_path_posted_again_when_its_file_has_come_is_looked_at(kith, path):
    number, = kith.submit('late.png')
    assert kith.finished(number)['reason'] == 'no such file'
    kith.picture('late.png', 1, 1, 1)
    answer = kith.post(path, {'paths': [{'path': 'late.png'}]})
    assert answer.status in (200, 202) and kith.image(number)['attempts'] <= 2
    if path == '/v1/images':
        assert answer.json['images'] == [{'id': number, 'path': str(kith.images / 'late.png'), 'status': 'pending',
                                          'existing': True, 'again': True}]
    until(lambda: kith.image(number)['verdict'] == 'unknown', 'another look')
    assert kith.image(number)['attempts'] == 2
    assert kith.post('/v1/images', {'path': 'late.png'}).json['images'][0]['status'] == 'processed'


def test_a_failed_image_is_retried(kith):
    number, = kith.submit('late.png')
    assert kith.finished(number)['reason'] == 'no such file'
    kith.picture('late.png', 1, 1, 1)
    assert kith.post('/v1/images/retry?status=failed').json == {'retried': 1, 'dry_run': False}
    assert kith.finished(number)['verdict'] == 'unknown'
    assert kith.image(number)['attempts'] == 2
    ran = kith.run('retry', number)
    assert ran.returncode == 0, ran.stderr
    until(lambda: kith.image(number)['attempts'] == 3, 'a third attempt')


@pytest.mark.parametrize('how', [[], ['--direct']])
def test_failed_images_are_retried_by_reason_age_and_number(kith, how):
    """By reason, age and number, as a scheduled job does, and with --dry-run before."""
    gone = kith.submit(*[f'{n}.png' for n in range(600)])
    kith.picture('bad.png', 1, 1, 1).write_bytes(b'no picture')
    bad, = kith.submit('bad.png')
    until(lambda: kith.get('/v1/stats').json['failed'] == 601, 'all to fail')

    def retry(*arguments):
        ran = kith.run('retry', *arguments, *how)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def attempts(number):
        return kith.image(number)['attempts']
    assert retry('--dry-run') == '600 images: would be pending again', 'a file that is no picture stays none'
    assert retry('--dry-run', '--reason', 'no such') == '600 images that failed by “no such”: would be pending again'
    assert retry('--dry-run', '--older', '1h') == '0 images: would be pending again'
    assert attempts(bad) == attempts(gone[0]) == 1
    assert retry('--reason=no such', '--limit=550') == '550 images that failed by “no such”: pending again'
    until(lambda: attempts(gone[549]) == 2 and kith.get('/v1/stats').json['failed'] == 601, 'the second attempts')
    assert attempts(gone[550]) == 1 and attempts(bad) == 1
    assert retry('--reason', 'nothing like it') == '0 images that failed by “nothing like it”: pending again'
    assert retry() == '50 images: pending again', 'the others were tried a moment ago (KITH_RETRY_PAUSE)'
    until(lambda: attempts(gone[599]) == 2 and kith.get('/v1/stats').json['failed'] == 601, 'the last 50 to fail again')
    assert retry('--now') == '600 images: pending again'
    assert retry('--reason', 'not an image') == '1 image that failed by “not an image”: pending again'


@pytest.mark.parametrize('query,words', [('older_ms=x', 'older_ms'), ('limit=0', 'limit'), ('status=pending', 'failed'),
                                         ('odd=1', 'odd')])
def test_a_contradictory_retry_is_refused(kith, query, words):
    answer = kith.post(f'/v1/images/retry?{query}')
    assert answer.status == 400 and words in answer.json['detail']


def test_a_backup_is_made_while_images_are_accepted(kith, tmp_path):
    kith.finished(kith.submit(kith.picture('a.png', 1, 2, 3))[0])
    copy = tmp_path / 'copy/data'
    copy.mkdir(parents=True)
    ran = kith.run('backup', copy / 'kith.db')
    assert ran.returncode == 0 and 'checked' in ran.stdout, ran
    files = [copy / 'kith.db', *(kith.folder / 'data').glob('kith.db*')]
    assert len(files) == 4 and all(f.stat().st_mode & 0o777 == 0o600 for f in files), 'for this user only'
    again = kith.run('backup', copy / 'kith.db')
    assert again.returncode == 1 and 'exists' in again.stderr
    assert kith.submit('later.png') == [2]
    restored = Kith(tmp_path / 'restored', data=copy).start()
    try:
        assert [i['id'] for i in restored.get('/v1/images').json['images']] == [1]
        assert restored.image(1)['verdict'] == 'unknown'
    finally:
        restored.stop()


def test_deleting_an_image_takes_its_thumbnail_along(kith):
    path = kith.picture('a.png', 5, 5, 5)
    number, = kith.submit(path)
    kith.finished(number)
    assert kith.get(f'/v1/images/{number}/photo?width=32').status == 200
    thumbs = kith.folder / 'data/thumbs'
    until(lambda: list(thumbs.glob('??/*.jpg')), 'the thumbnail to be kept')
    assert kith.call('DELETE', f'/v1/images/{number}').status == 200
    assert kith.get(f'/v1/images/{number}').status == 404
    until(lambda: not list(thumbs.glob('??/*.jpg')), 'the thumbnail to go')
    assert path.exists(), 'a posted path is the client\'s file'


def test_json_of_a_list_follows_the_contract(kith):
    kith.submit(kith.picture('a.png', 5, 5, 5))
    kith.finished(1)
    page = json.loads(kith.get('/v1/images').body)
    assert set(page) == {'images', 'next'}
    image, = page['images']
    assert set(image) == {'id', 'path', 'status', 'verdict', 'reason', 'attempts', 'person', 'faces', 'created_at',
                          'finished_at', 'review', 'review_reasons'}
    face, = image['faces']
    assert set(face) == {'id', 'box', 'landmarks', 'quality', 'person', 'distance', 'similarity', 'candidates', 'review',
                         'review_reasons'}
    assert face['box'] == {'x': 0, 'y': 0, 'width': 64, 'height': 64}


@pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='LD_PRELOAD and the sanitizers exclude each other')
def test_relative_paths_on_a_slow_disk_do_not_block_the_server(make):
    kith = make()
    other = kith.folder / 'other'  # with one visible root no lookup is needed
    other.mkdir()
    kith.settings['image_roots'] = f'{kith.images}:{other}'
    kith.variables['LD_PRELOAD'] = BUILD / 'test/plugins/slow_disk.so'
    kith.start()
    kith.picture('slow/0.png', 255, 0, 0)
    paths = [f'slow/{n}.png' for n in range(10)]
    alive = 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(kith.post, '/v1/images', {'paths': paths})
        while not answer.done():
            alive += kith.get('/healthz').status == 200
    assert answer.result().status == 202
    assert [i['path'] for i in answer.result().json['images']] == [str(kith.images / path) for path in paths]
    assert alive > 20, 'other requests are answered while the disk is asked'
    assert kith.post('/v1/identify', {'path': 'slow/0.png'}).status == 200
    person = kith.post('/v1/people', {'name': 'Red'}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', {'path': 'slow/0.png'}).status == 201
    assert kith.get(f'/v1/people/{person}').json['photos'][0]['name'] == '0.png'


def test_the_first_wrong_path_is_named(kith):
    cases = [(['a.png', '../b', 5], 400, 'bad-path', 'Path number 2: '),
             (['a.png', 5, '../b'], 400, 'wrong-type', 'Path number 2: '),
             (['a.png', '/etc/passwd', 5], 403, 'outside', 'Path number 2: '),
             (['../b'], 400, 'bad-path', 'the path'),
             (['http://camera/x.jpg'], 400, 'bad-path', 'the path is a URL')]
    for paths, status, slug, words in cases:
        answer = kith.post('/v1/images', {'paths': paths})
        assert answer.status == status and answer.json['type'].endswith(slug), (paths, answer)
        assert answer.json['detail'].startswith(words), (paths, answer)
        lines = '\n \t\r\n'.join(json.dumps(path) for path in paths)
        assert kith.post('/v1/images', lines, content_type='application/x-ndjson').status == status, paths
    assert kith.post('/v1/images', '"a.png"\n \t', content_type='application/x-ndjson').status == 202
    assert kith.post('/v1/images', ' \n \t', content_type='application/x-ndjson').json['type'].endswith('no-body')


@pytest.mark.parametrize('body,headers', [(b'{"path":"a.jpg"}', {'content_type': 'application/json'}),
                                          (None, {'content_type': 'image/png'})])
def test_an_idempotency_key_over_the_limit_is_refused(kith, body, headers):
    body = body or png(1, 2, 3)
    answer = kith.post('/v1/images', body, idempotency_key='k' * 256, **headers)
    assert answer.status == 431 and 'idempotency-key' in answer.json['detail'] and '255' in answer.json['detail'], answer
    assert kith.post('/v1/images', body, idempotency_key='k' * 255, **headers).status == 202


def test_a_boolean_parameter_is_true_false_1_or_0(kith):
    for text, value in (('1', True), ('true', True), ('0', False), ('false', False)):
        assert kith.post(f'/v1/images/retry?dry_run={text}').json['dry_run'] is value
        assert kith.get(f'/v1/images?explain={text}').status == 200
    for path in ('/v1/images/retry?dry_run=maybe', '/v1/images/retry?dry_run=', '/v1/images/retry?dry_run=truefalse'):
        answer = kith.post(path)
        assert answer.status == 400 and '“dry_run”' in answer.json['detail'], answer
    assert kith.get('/v1/images?explain=2').status == 400
