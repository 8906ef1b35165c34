"""Server-Sent Events and pictures."""
import shutil

from harness import Events, png, until


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
