"""Server-Sent Events and pictures."""
import shutil

import pytest
from harness import Events, png, until

pytest.importorskip('h2.connection')
from http2 import Http2  # noqa: E402


def test_a_subscriber_gets_every_change_of_an_image(kith):
    events = Events(kith)
    assert events.until('breaker')['state'] == 'closed'
    number, = kith.submit(kith.picture('a.png', 1, 2, 3))
    done = events.until('image', lambda image: image['finished_at'])
    assert done['id'] == number and done['verdict'] == 'unknown' and len(done['faces']) == 1
    events.close()


def test_a_subscriber_that_reconnects_misses_no_event(kith):
    events = Events(kith)
    events.until('breaker')
    first, = kith.submit(kith.picture('a.png', 1, 2, 3))
    events.until('image', lambda image: image['finished_at'])
    last = events.last_id
    events.close()
    numbers = kith.submit(*[kith.picture(f'{n}.png', n, 2, 3) for n in range(10)])
    for number in numbers:
        kith.finished(number)
    kith.call('DELETE', f'/v1/images/{first}')
    back = Events(kith, after=last)
    seen, deleted = set(), None
    while deleted is None or len(seen) < 10:
        kind, data = back.next()
        if kind == 'image' and data['finished_at']:
            seen.add(data['id'])
        elif kind == 'deleted':
            deleted = data['id']
    assert seen == set(numbers) and deleted == first
    assert int(back.last_id.split('-')[0]) > int(last.split('-')[0])
    back.close()


def test_all_subscribers_see_the_same(make):
    kith = make(events_keepalive='50ms').start()
    many = [Events(kith) for _ in range(20)]
    for events in many:
        events.until('breaker')
    number, = kith.submit(kith.picture('a.png', 1, 2, 3))
    for events in many:
        assert events.until('image', lambda image: image['finished_at'])['id'] == number
        events.close()
    until(lambda: kith.metric('kith_http_streams') == 0, 'the streams to end')


def test_an_event_number_of_the_future_gets_a_reset(kith):
    events = Events(kith, after=10 ** 9)  # of another database
    events.until('reset')
    number, = kith.submit('missing.jpg')
    assert events.until('image', lambda image: image['finished_at'])['id'] == number
    events.close()


def test_an_event_number_that_is_given_out_again_gets_a_reset(kith):
    """An older database was restored: the last event that the client has read is not the one of that number."""
    kith.finished(*kith.submit('missing-1.jpg'))
    kith.stop()
    shutil.copy(kith.folder / 'data/kith.db', kith.folder / 'older.db')
    kith.start()
    events = Events(kith)
    events.until('breaker')
    lost, = kith.submit('missing-2.jpg')
    events.until('image', lambda image: image['id'] == lost and image['finished_at'])
    last = events.last_id
    events.close()
    kith.stop()
    shutil.copy(kith.folder / 'older.db', kith.folder / 'data/kith.db')
    kith.start()
    again = kith.submit('missing-3.jpg', 'missing-4.jpg')
    assert lost in again
    for number in again:
        kith.finished(number)
    events = Events(kith, after=last)
    assert events.next()[0] == 'reset'
    resumed = events.last_id
    events.close()
    events = Events(kith, after=resumed)
    number, = kith.submit('missing-5.jpg')
    assert events.next()[0] == 'breaker'
    events.until('image', lambda image: image['id'] == number and image['finished_at'])
    events.close()
    events = Events(kith, after=last.split('-')[0])  # a client that knows plain numbers only
    events.until('image', lambda image: image['finished_at'])
    events.close()


def test_too_many_subscribers_are_refused(make):
    kith = make(max_subscribers=2).start()
    open_ones = [Events(kith), Events(kith)]
    answer = kith.get('/v1/events')
    assert answer.status == 503 and 'KITH_MAX_SUBSCRIBERS' in answer.json['detail']
    assert kith.get('/v1/events', last_event_id='x').status in (400, 503)
    for events in open_ones:
        events.close()


@pytest.mark.parametrize('protocol', [1, 2])
def test_one_client_address_has_a_share_of_the_streams(make, protocol):
    kith = make(max_subscribers=20, max_subscribers_per_address=3, trusted_proxies='127.0.0.1').start()
    status = streams_of(kith, protocol)
    one = {'x_forwarded_for': '192.0.2.7'}
    assert [status(**one)[0] for _ in range(3)] == [200] * 3
    code, text = status(**one)
    assert code == 429 and b'KITH_MAX_SUBSCRIBERS_PER_ADDRESS' in text
    assert status(x_forwarded_for='192.0.2.8')[0] == 200, 'another client of the same proxy'
    assert [status()[0] for _ in range(5)] == [200] * 5, 'a proxy that names no client serves many'
    assert kith.metric('kith_event_streams_refused_total') == 1


def test_one_key_has_a_share_of_the_streams(make):
    kith = make(auth='keys', keys_poll='50ms', max_subscribers=20, max_subscribers_per_key=2).start()
    one, other = (kith.run('key', 'create', '--role', 'read').stdout.strip() for _ in range(2))
    until(lambda: kith.get('/v1/people', x_api_key=one).status == kith.get('/v1/people', x_api_key=other).status == 200,
          'the keys')
    status = streams_of(kith, 1)
    assert [status(x_api_key=one)[0] for _ in range(2)] == [200] * 2
    code, text = status(x_api_key=one)
    assert code == 429 and b'KITH_MAX_SUBSCRIBERS_PER_KEY' in text
    assert status(x_api_key=other)[0] == 200


def streams_of(kith, protocol):
    """A function that opens an event stream, keeps it, and returns the status and the begin of the answer."""
    kept = []

    def http1(**headers):
        client = kith.socket()
        kept.append(client)
        lines = ''.join(f'{k.replace("_", "-")}: {v}\r\n' for k, v in headers.items())
        client.sendall(f'GET /v1/events HTTP/1.1\r\nhost: {kith.api}\r\n{lines}\r\n'.encode())
        answer = client.recv(4096)
        return int(answer.split()[1]), answer

    def http2(**headers):
        client = Http2(kith)
        kept.append(client)
        stream = client.request('GET', '/v1/events', **headers)
        while not any(getattr(e, 'stream_id', None) == stream and hasattr(e, 'headers') for e in client.events):
            client.read()
        status = next(int(dict(e.headers)[b':status']) for e in client.events if hasattr(e, 'headers'))
        return status, b'' if status == 200 else client.answer(stream)[1]
    return {1: http1, 2: http2}[protocol]


def test_photo_thumbnail_and_crop(kith):
    path = kith.picture('a.png', 1, 2, 3, width=640, height=480)
    number, = kith.submit(path)
    kith.finished(number)
    photo = kith.get(f'/v1/images/{number}/photo')
    assert photo.headers['content-type'] == 'image/png' and photo.body == path.read_bytes()
    for url in (f'/v1/images/{number}/photo?width=64', f'/v1/images/{number}/faces/0/crop'):
        for _ in range(2):  # made, then from the cache
            answer = kith.get(url)
            assert answer.status == 200 and answer.headers['content-type'] == 'image/jpeg'
            assert answer.body.startswith(b'\xff\xd8\xff')
        assert kith.get(url, if_none_match=answer.headers['etag']).status == 304
    assert kith.get(f'/v1/images/{number}/faces/1/crop').status == 404
    assert kith.get(f'/v1/images/{number}/photo?width=9').status == 400
    assert kith.get('/v1/images/99/photo').status == 404
    path.unlink()
    assert kith.get(f'/v1/images/{number}/photo').status == 404


def test_a_file_that_is_no_image_is_never_shown(kith):
    (kith.images / 'page.jpg').write_text('<script>alert(1)</script>')
    number, = kith.submit('page.jpg')
    kith.finished(number)
    answer = kith.get(f'/v1/images/{number}/photo')
    assert answer.status == 415 and b'<script>' not in answer.body


def test_photo_bytes_are_returned_unchanged(kith):
    data = png(7, 7, 7)
    number = kith.post('/v1/images', data, content_type='image/png').json['images'][0]['id']
    assert kith.get(f'/v1/images/{number}/photo').body == data
