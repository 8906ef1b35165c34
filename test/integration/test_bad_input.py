"""Bad input gets an error that names the fault, the limit and the setting; no image is lost or stuck."""
import os
import socket
import threading

import pytest
from harness import png, png_header, until

PROBLEM = 'application/problem+json'
# The original interface goes on behind a bad path, and takes an empty list.
GOES_ON = {'{"paths":[]}', '{"paths":[{"path":"a.jpg"},{"path":7}]}'}


@pytest.mark.parametrize('body, status, words', [
    ('', 400, 'no body'),
    ('{', 400, 'not JSON'),
    ('hello', 400, 'not JSON'),
    ('[1]', 400, 'must be a JSON object'),
    ('{}', 400, '“path” is missing'),
    ('{"path":5}', 400, 'must be a string'),
    ('{"path":null}', 400, 'must be a string'),
    ('{"path":""}', 400, 'empty'),
    ('{"path":"a\\u0000b.jpg"}', 400, 'NUL'),
    ('{"path":"../../etc/passwd"}', 400, '..'),
    ('{"path":"a/../../b.jpg"}', 400, '..'),
    ('{"path":"/etc/passwd"}', 403, 'KITH_IMAGE_ROOTS'),
    ('{"path":"' + 'x' * 5000 + '"}', 400, 'KITH_MAX_PATH'),
    ('{"paths":"a"}', 400, 'must be an array'),
    ('{"paths":[]}', 400, 'empty'),
    ('{"paths":[{"path":"a.jpg"},{"path":7}]}', 400, 'Path number 2'),
    ('{"paths":[{"file":"a.jpg"}]}', 400, 'missing'),
])
@pytest.mark.parametrize('endpoint', ['/image/post', '/v1/images'])
def test_a_wrong_request_gets_an_error_that_names_the_fault(kith, endpoint, body, status, words):
    if endpoint == '/image/post' and body in GOES_ON:
        assert kith.post(endpoint, body, content_type='application/json').status == 200
        return
    answer = kith.post(endpoint, body, content_type='application/json')
    assert answer.status == status, answer
    assert answer.headers['content-type'] == PROBLEM
    assert words in answer.json['detail'], answer.json
    assert kith.get('/v1/images').json['images'] == []


def test_more_paths_than_allowed(make):
    kith = make(max_paths=3).start()
    answer = kith.post('/v1/images', {'paths': ['a', 'b', 'c', 'd']})
    assert answer.status == 413 and 'KITH_MAX_PATHS' in answer.json['detail']
    assert kith.post('/v1/images', {'paths': ['a', 'b', 'c']}).status == 202


def finish(kith, path):
    number, = kith.submit(path)
    return kith.finished(number)


def test_files_that_are_not_images_fail_with_a_reason(kith):
    good = png(1, 2, 3)
    cases = {
        'empty.jpg': (b'', 'empty'),
        'text.jpg': (b'this is not a picture', 'not an image'),
        'cut.png': (good[:45], 'cut short'),
        'huge.png': (png_header(50000, 50000), 'KITH_MAX_PIXELS'),
        'zero.png': (png_header(0, 0), 'damaged'),
    }
    for name, (data, words) in cases.items():
        (kith.images / name).write_bytes(data)
        image = finish(kith, name)
        assert image['status'] == 'failed', (name, image)
        assert words in image['reason'], (name, image)
    assert kith.get('/v1/stats').json['breaker']['state'] == 'closed'
    assert kith.metric('kith_worker_restarts_total') == 0


def test_a_file_that_is_not_regular_fails_at_once(kith):
    (kith.images / 'folder.jpg').mkdir()
    os.mkfifo(kith.images / 'fifo.jpg')
    os.symlink('/etc/passwd', kith.images / 'link.jpg')
    os.symlink('/etc', kith.images / 'etc')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(kith.images / 'socket.jpg'))
    try:
        os.mknod(kith.images / 'device.jpg', 0o20644, os.makedev(1, 5))
        devices = ['device.jpg']
    except PermissionError:
        devices = []
    for name, words in [('folder.jpg', 'regular'), ('fifo.jpg', 'regular'), ('link.jpg', 'symbolic'),
                        ('etc/passwd', 'symbolic'), ('socket.jpg', ''), ('gone.jpg', 'no such file'),
                        *[(d, 'regular') for d in devices]]:
        image = finish(kith, name)
        assert image['status'] == 'failed' and words in image['reason'], (name, image)
    listener.close()
    kith.picture('good.png', 1, 2, 3)
    assert finish(kith, 'good.png')['verdict'] == 'unknown', 'the threads that open files are free'


def test_a_file_larger_than_allowed(make):
    kith = make(max_image='1KB').start()
    (kith.images / 'big.png').write_bytes(png(1, 2, 3) + b'\0' * 2000)
    assert 'KITH_MAX_IMAGE' in finish(kith, 'big.png')['reason']


def test_a_file_of_a_terabyte_without_bytes_costs_nothing(kith):
    with open(kith.images / 'sparse.png', 'wb') as file:
        file.write(png(1, 2, 3))
        file.truncate(1 << 40)
    assert 'KITH_MAX_IMAGE' in finish(kith, 'sparse.png')['reason']


def test_a_file_that_grows_while_it_is_read_is_read_up_to_the_limit(make):
    kith = make(max_image='1MB').start()
    data = png(1, 2, 3)
    path = kith.images / 'growing.png'
    path.write_bytes(data)
    stop = threading.Event()

    def grow():
        with open(path, 'ab') as file:
            while not stop.is_set():
                file.write(bytes(1 << 20))
                file.flush()
                file.truncate(len(data))
    writer = threading.Thread(target=grow)
    writer.start()
    numbers = [kith.post('/v1/images', {'path': 'growing.png'}).json['images'][0]['id']]
    for _ in range(20):
        image = kith.finished(numbers[0])
        assert image['verdict'] == 'unknown' or image['reason'], image
        assert kith.call('POST', f'/v1/images/{numbers[0]}/retry').status // 100 == 2
    kith.finished(numbers[0])
    stop.set()
    writer.join()
    assert kith.metric('kith_worker_restarts_total') == 0


def test_identify_and_photos_refuse_a_path_outside_the_roots(kith):
    assert kith.post('/v1/identify', {'path': '/etc/passwd'}).status == 403
    person = kith.post('/v1/people', {'name': 'x'}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', {'path': '/etc/passwd'}).status in (400, 403)


@pytest.mark.parametrize('path', ['.', './', './/.', '/'])
def test_a_path_that_names_no_file_is_refused_and_reveals_no_other(kith, path):
    assert kith.post('/image/post', {'path': str(kith.picture('alice/passport.png', 1, 2, 3))}).status == 200
    answer = kith.post('/image/post', {'path': path})
    assert answer.status == 400 and 'names no file' in answer.text and 'alice' not in answer.text, answer


@pytest.mark.parametrize('body', [b'plain text, no image', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'])
def test_bytes_that_are_not_an_image_are_refused(kith, body):
    answer = kith.post('/v1/images', body, content_type='image/jpeg')
    assert answer.status == 415, answer
    assert not list((kith.folder / 'data/spool').glob('??/*'))


def test_identify_names_the_fault_of_an_image(kith):
    answer = kith.post('/v1/identify', png_header(60000, 60000), content_type='image/png')
    assert answer.status == 422 and 'KITH_MAX_PIXELS' in answer.json['detail']


def test_wrong_method_and_unknown_path(kith):
    assert kith.get('/image/post').status == 405
    assert kith.get('/v1/nothing').status == 404
    assert kith.call('DELETE', '/v1/people/77').status == 404
    assert kith.post('/v1/faces/77/person', {'name': 'x'}).status == 404
    assert kith.post('/v1/images/77/retry').status == 404


def test_a_page_of_another_site_cannot_post(kith):
    answer = kith.post('/image/post', '{"path":"a.jpg"}', origin='http://evil.example')
    assert answer.status == 403
    rebound = kith.post('/image/post', '{"path":"a.jpg"}', host='evil.example')
    assert rebound.status == 403


def test_file_names_of_any_bytes_give_valid_json(kith):
    name = b'caf\xe9 \x01"quoted".png'
    with open(os.fsencode(kith.images) + b'/' + name, 'wb') as file:
        file.write(png(1, 2, 3))
    body = b'{"path":"caf\\u00e9.png"}'
    assert kith.post('/v1/images', body, content_type='application/json').status == 202
    until(lambda: kith.get('/v1/images?status=failed').json['images'], 'the list to be valid JSON')


@pytest.mark.parametrize('path, words', [
    ('/v1/images?colour=red', ['“colour”', 'status verdict retryable review person after limit']),
    ('/v1/images?status=' + 'x' * 2000, ['“status”', '1024']),
    ('/v1/images?status=failed%00', ['“status”', 'NUL']),
    ('/v1/images?=1', ['parameter']),
    ('/v1/stats?x', ['none']),
])
def test_an_unknown_parameter_is_refused(kith, path, words):
    answer = kith.get(path)
    assert answer.status == 400, answer
    for word in words:
        assert word in answer.json['detail']
    assert kith.get('/healthz?probe=1').status == 200
