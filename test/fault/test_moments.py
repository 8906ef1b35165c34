"""Kills, pauses and repetitions at chosen moments. Numbers in brackets are those of README.md."""
import collections
import concurrent.futures
import os
import signal

import pytest
from check import check_database
from harness import Events, png, until
from shim import Shim
from steps import GIVEN_UP

needs_shim = pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='the sanitizers replace the allocator')


def stop_workers(kith):
    until(lambda: len(kith.worker_pids()) == kith.settings['workers'], 'all workers')
    for pid in kith.worker_pids():
        os.kill(pid, signal.SIGSTOP)


def continue_workers(kith):
    for pid in kith.worker_pids():
        os.kill(pid, signal.SIGCONT)


def begin_processing(kith, *paths):
    """Claimed, and not finished before continue_workers."""
    stop_workers(kith)
    numbers = kith.submit(*paths)
    until(lambda: kith.image(numbers[0])['status'] == 'processing', 'the claim')
    return numbers


def ended(kith, number):
    try:
        return kith.image(number)['finished_at']
    except GIVEN_UP:
        return True


def count_sends(kith, shim):
    before = shim.calls('send')
    answer = kith.post('/v1/images', png(9, 9, 9), content_type='image/png', idempotency_key='rehearsal')
    assert answer.status == 202
    kith.finished(answer.json['images'][0]['id'])
    return shim.calls('send') - before


@needs_shim
def test_a_request_that_is_repeated_after_a_kill_gets_the_same_image(make):
    """[3] The kill is at each send to a socket: one is the answer, after the commit."""
    kith = make(lease='1s').start()
    shim = Shim(kith)
    kith.stop()
    kith.start()
    unanswered = 0
    for n in range(1, count_sends(kith, shim) + 1):
        data, key = png(n, 2, 3), f'key {n}'
        shim.arm('send', n, kill=True)
        try:
            kith.post('/v1/images', data, content_type='image/png', idempotency_key=key)
        except GIVEN_UP:
            unanswered += 1
        shim.disarm()
        kith.kill()
        kith.start()
        before = len(kith.get('/v1/images?limit=500').json['images'])
        first, again = [kith.post('/v1/images', data, content_type='image/png', idempotency_key=key) for _ in range(2)]
        assert first.status == again.status == 202
        number = first.json['images'][0]['id']
        assert again.json['images'][0]['id'] == number
        assert len(kith.get('/v1/images?limit=500').json['images']) <= before + 1
        assert kith.finished(number)['verdict'] == 'unknown'
    assert unanswered
    kith.stop()
    check_database(kith)


def test_a_restarted_kith_takes_its_own_back_at_once(make):
    """[4, 5] With a lease of an hour only the restart can free the images; the workers end with their parent."""
    kith = make(lease='1h', retry_backoff='1ms').start()
    numbers = begin_processing(kith, *[kith.picture(f'{n}.png', n, 2, 3) for n in range(5)])
    workers = kith.worker_pids()
    kith.kill()
    until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in workers), 'the workers to end')
    kith.start()
    for number in numbers:
        assert kith.finished(number)['verdict'] == 'unknown'
    assert kith.image(numbers[0])['attempts'] == 2
    kith.stop()
    check_database(kith)


@needs_shim
def test_an_event_is_sent_after_a_kill_and_once(make):
    """[7, 8] The result is committed with its event; a subscriber that returns reads on from its last one."""
    kith = make(lease='1s', retry_backoff='1ms', workers=1, tries=1000)
    shim = Shim(kith)
    kith.start()
    for n in range(1, 9):
        events = Events(kith)
        marker, = kith.submit(kith.picture(f'before{n}.png', n, 1, 1))
        events.until('image', lambda image, marker=marker: image['finished_at'] and image['id'] == marker)
        last = events.last_id
        events.close()
        path = kith.picture(f'{n}.png', n, 2, 3)
        number, = kith.submit(path)
        shim.arm('sync', n % 4 + 1, kill=True)
        until(lambda number=number: ended(kith, number), 'the kill or the result')
        shim.disarm()
        kith.kill()
        kith.start()
        kith.finished(number)
        after, = kith.submit(kith.picture(f'after{n}.png', n, 3, 3))
        back = Events(kith, after=last)
        finished = collections.Counter()
        while after not in finished:
            kind, image = back.next()
            if kind == 'image' and image['finished_at']:
                finished[image['id']] += 1
        back.close()
        assert finished[number] == 1, finished


def test_an_image_that_is_deleted_while_it_is_processed_stays_deleted(make):
    """[P1]"""
    kith = make(lease='1h').start()
    number, = begin_processing(kith, kith.picture('a.png', 1, 2, 3))
    assert kith.call('DELETE', f'/v1/images/{number}').status == 200
    continue_workers(kith)
    other, = kith.submit(kith.picture('b.png', 4, 5, 6))
    kith.finished(other)
    until(lambda: kith.metric('kith_images_in_flight') == 0, 'the work to end')
    assert kith.get(f'/v1/images/{number}').status == 404
    kith.stop()
    check_database(kith)


@pytest.mark.parametrize('kind', ['path', 'bytes'])
def test_fifty_equal_requests_at_once_are_one_image(kith, kind):
    """[20] And another body under the same key is refused."""
    kith.picture('a.png', 1, 2, 3)

    def post(colour):
        if kind == 'path':
            return kith.post('/v1/images', {'path': 'a.png' if colour == 1 else 'b.png'}, idempotency_key='k')
        return kith.post('/v1/images', png(colour, 2, 3), content_type='image/png', idempotency_key='k')
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, [1] * 50))
    assert {a.status for a in answers} == {202}, collections.Counter(a.status for a in answers)
    assert len({a.json['images'][0]['id'] for a in answers}) == 1
    assert post(2).status == 422
    assert len(kith.get('/v1/images').json['images']) == 1


@needs_shim
def test_after_an_error_of_a_sync_the_database_is_opened_again(make):
    """[18] The request gets an error, what was answered stays, and the next one is accepted."""
    kith = make()
    shim = Shim(kith)
    kith.start()
    kept, = kith.submit(kith.picture('a.png', 1, 2, 3))
    kith.finished(kept)
    shim.arm('sync', 1)
    answer = kith.post('/v1/images', {'path': str(kith.picture('b.png', 4, 5, 6))})
    assert shim.injected and answer.status == 503, answer
    assert 'the database cannot write' in kith.log()
    until(lambda: kith.post('/v1/images', {'path': 'b.png'}).status == 202, 'the next request')
    assert kith.image(kept)['verdict'] == 'unknown'


@needs_shim
@pytest.mark.parametrize('hours', [1, -1])
def test_a_clock_that_steps_during_a_lease_costs_no_image(make, hours):
    """[36] Numbers stay unique, results are written once, and new images are processed at once."""
    kith = make(lease='2s', queue_poll='100ms', retry_backoff='1ms')
    shim = Shim(kith)
    shim.set_clock(0)
    kith.start()
    numbers = begin_processing(kith, *[kith.picture(f'{n}.png', n, 2, 3) for n in range(20)])
    shim.set_clock(hours)
    continue_workers(kith)
    numbers += kith.submit(*[kith.picture(f'late{n}.png', n, 3, 3) for n in range(20)])
    for number in numbers:
        assert kith.finished(number)['verdict'] == 'unknown'
    assert len(set(numbers)) == 40
    assert kith.get('/readyz').status == 200
    shim.set_clock(0)
    kith.stop()
    check_database(kith)
