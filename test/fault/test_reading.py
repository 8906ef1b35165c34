"""An image on a disk or network file system that fails for a while is tried again; one that is bad fails at once."""
import errno
import os

import pytest
from harness import BUILD, until

pytestmark = pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='the sanitizers intercept the same calls')

AWAY = [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN]


@pytest.fixture
def failing(make):
    """kith with a disk that fails: fail(call, code), fail() for a good one."""
    def start(**settings):
        kith = make(**{'isolation': 'thread', 'retry_backoff': '5ms', 'breaker_timeout': '20ms', 'workers': 1,
                       **settings})
        control = kith.folder / 'failing'
        kith.variables.update(LD_PRELOAD=str(BUILD / 'test/plugins/failing_disk.so'), FAILING_DISK=str(control))

        def fail(call=None, code=None):
            control.unlink(missing_ok=True)
            if call:
                (kith.folder / 'part').write_text(f'{call} {code}')
                (kith.folder / 'part').rename(control)
        return kith.start(), fail
    return start


@pytest.mark.parametrize('call', ['open', 'read'])
@pytest.mark.parametrize('code', AWAY, ids=errno.errorcode.get)
def test_an_image_that_cannot_be_read_now_is_processed_later(failing, call, code):
    kith, fail = failing(tries=1000)
    fail(call, code)
    number, = kith.submit(kith.picture('on a bad disk.png', 1, 2, 3))
    until(lambda: kith.image(number)['attempts'] >= 3, 'three attempts')
    assert kith.image(number)['finished_at'] is None
    fail()
    assert kith.finished(number)['verdict'] == 'unknown'
    assert kith.post('/v1/identify', {'path': 'on a bad disk.png'}).status == 200, 'its bytes are not refused'


@pytest.mark.parametrize('code', [errno.EMFILE, errno.ENOMEM], ids=errno.errorcode.get)
def test_a_node_without_descriptors_or_memory_costs_the_image_no_try(failing, code):
    kith, fail = failing(tries=2)
    fail('open', code)
    number, = kith.submit(kith.picture('on a bad disk.png', 1, 2, 3))
    until(lambda: kith.log().count(f' claimed image={number} ') >= 5, 'five claims')
    assert kith.image(number)['finished_at'] is None and 'state=open' not in kith.log()
    fail()
    assert kith.finished(number)['verdict'] == 'unknown'


@pytest.mark.parametrize('call', ['open', 'read'])
def test_a_disk_that_fails_each_image_opens_the_breaker(failing, call):
    kith, fail = failing(tries=1000, breaker_timeout='1h', breaker_timeout_max='1h')
    fail(call, errno.EIO)
    number, = kith.submit(kith.picture('on a bad disk.png', 1, 2, 3))
    until(lambda: 'breaker state=open' in kith.log(), 'the breaker to open')
    assert 'Input/output error' in kith.log()
    assert kith.image(number)['attempts'] <= 5


def test_the_last_try_fails_with_the_reason_and_a_retry_cures_it(failing):
    kith, fail = failing(tries=2, breaker_failures=100)
    fail('read', errno.EIO)
    number, = kith.submit(kith.picture('on a bad disk.png', 1, 2, 3))
    image = kith.finished(number)
    assert (image['status'], image['attempts']) == ('failed', 2) and 'Input/output error' in image['reason']
    fail()
    assert kith.post(f'/v1/images/{number}/retry').status // 100 == 2
    until(lambda: kith.image(number)['verdict'] == 'unknown', 'the retry')


def test_a_file_that_is_bad_fails_at_once(failing):
    kith, fail = failing()
    for code in (errno.EACCES, errno.EISDIR):
        fail('open', code)
        number, = kith.submit(kith.picture(f'on a bad disk {code}.png', 1, 2, code))
        image = kith.finished(number)
        assert (image['status'], image['attempts']) == ('failed', 1)


@pytest.mark.parametrize('call', ['open', 'read'])
def test_requests_about_such_a_file_are_answered_as_of_now(failing, call):
    kith, fail = failing(breaker_failures=100)
    path = kith.picture('on a bad disk.png', 1, 2, 3)
    number, = kith.submit(path)
    kith.finished(number)
    person = kith.post('/v1/people', {'name': 'Ann'}).json['id']
    fail(call, errno.EIO)
    for answer in (kith.post('/v1/identify', {'path': str(path)}), kith.get(f'/v1/images/{number}/photo'),
                   kith.post(f'/v1/people/{person}/photos', {'path': str(path)})):
        assert answer.status // 100 == 5 and 'Input/output error' in answer.json['detail'], answer
    fail()
    assert kith.post('/v1/identify', {'path': str(path)}).status == 200
    assert kith.get(f'/v1/images/{number}/photo').status == 200


def test_a_root_that_cannot_be_looked_into_is_not_taken_for_another(failing):
    """Of several roots, the first that has the file counts: a later one may have another file of that name."""
    kith, fail = failing()
    other = kith.folder / 'other'
    other.mkdir()
    kith.stop()
    kith.settings['image_roots'] = f'{kith.images}:{other}'
    (other / 'on a bad disk.png').write_bytes(kith.picture('on a bad disk.png', 1, 2, 3).read_bytes())
    kith.start()
    fail('stat', errno.ESTALE)
    for path in ('/v1/images', '/v1/identify'):
        answer = kith.post(path, {'path': 'on a bad disk.png'})
        assert answer.status == 503 and 'Stale file handle' in answer.json['detail'], answer
    fail()
    number, = kith.submit('on a bad disk.png')
    assert kith.image(number)['path'] == str(kith.images / 'on a bad disk.png')
