"""kill -9 at any moment: what was answered 2xx is there, ends once, and nothing is half done."""
import os
import random
import signal
import sqlite3
import threading
import time

from harness import png, until

IMAGES = 300


def check_database(kith):
    """What must hold after every test: see it with our own eyes, not through kith."""
    db = sqlite3.connect(f'file:{kith.folder}/data/kith.db?mode=ro', uri=True)
    assert db.execute('PRAGMA integrity_check').fetchone() == ('ok',)
    assert db.execute('SELECT COUNT(*) FROM images WHERE status = 3').fetchone() == (0,), 'nothing is left in work'
    tally = db.execute('SELECT pending, processed, failed, processing, unknown FROM tally').fetchone()
    counted = [db.execute('SELECT COUNT(*) FROM images WHERE status = ?', (s,)).fetchone()[0] for s in range(4)]
    unknown, = db.execute('SELECT COUNT(*) FROM images WHERE verdict = 2').fetchone()
    assert list(tally) == counted + [unknown]
    doubled = db.execute('SELECT path FROM images GROUP BY path HAVING COUNT(*) > 1').fetchall()
    assert doubled == []
    # No half result: an image with a verdict has exactly the one face of its one run.
    odd = db.execute('SELECT i.id, COUNT(f.id) FROM images i LEFT JOIN faces f ON f.image_id = i.id '
                     'GROUP BY i.id HAVING COUNT(f.id) <> (i.verdict > 0)').fetchall()
    assert odd == []
    orphans = db.execute('SELECT COUNT(*) FROM faces WHERE image_id NOT IN (SELECT id FROM images)').fetchone()
    assert orphans == (0,)
    db.close()


def submit_until_it_dies(kith, accepted, stop):
    n = 0
    while not stop.is_set():
        try:
            if n % 10 == 9:
                answer = kith.post('/v1/images', png(n % 250, n // 250, 7), content_type='image/png')
            else:
                answer = kith.post('/v1/images', {'path': f'{n % IMAGES}.png'})
        except (OSError, ConnectionError, Exception):  # noqa: B014 - it was killed in mid-answer
            return
        if answer.status == 202:
            accepted.update((i['id'], i['path']) for i in answer.json['images'])
        n += 1


def test_killed_in_mid_work_nothing_is_lost_and_nothing_done_twice(make):
    kith = make(lease='5s')
    for n in range(IMAGES):
        kith.picture(f'{n}.png', n % 250, n // 250, 9)
    accepted = set()
    dice = random.Random(4)
    for _ in range(4):
        kith.start()
        stop = threading.Event()
        client = threading.Thread(target=submit_until_it_dies, args=(kith, accepted, stop))
        client.start()
        wanted = len(accepted) + dice.randrange(20, 120)
        until(lambda: len(accepted) >= min(wanted, IMAGES) or not client.is_alive(), 'some to be accepted')
        kith.kill()
        stop.set()
        client.join()
    kith.start()
    for number, path in sorted(accepted):
        image = kith.image(number)
        assert image['path'] == path
    until(lambda: (lambda s: s['pending'] == s['unknown'] and not s['processing'])(kith.get('/v1/stats').json),
          'all to end')
    for number, _ in sorted(accepted):
        assert kith.image(number)['verdict'] == 'unknown'
    kith.stop()
    check_database(kith)


def test_a_killed_worker_costs_one_try(make):
    kith = make(workers=2, retry_backoff='1ms').start()
    numbers = kith.submit(*[kith.picture(f'{n}.png', n % 250, 1, 9) for n in range(100)])
    for _ in range(5):
        pids = kith.worker_pids()
        os.kill(pids[-1], signal.SIGKILL)
        until(lambda: len(kith.worker_pids()) > len(pids), 'another worker')
    for number in numbers:
        assert kith.finished(number)['verdict'] == 'unknown'
    assert kith.get('/v1/stats').json['breaker']['state'] == 'closed'
    kith.stop()
    check_database(kith)


def test_a_stopped_kith_whose_lease_ran_out_does_not_write_over_another_run(make):
    """The lease of a paused process is taken over; what it says when it wakes up changes nothing."""
    kith = make(recognizer='example', lease='300ms', workers=1).start()
    numbers = kith.submit(*[kith.picture(f'{n}.png', n, 1, 9, width=800, height=800) for n in range(30)])
    os.kill(kith.process.pid, signal.SIGSTOP)
    paused = time.monotonic()
    until(lambda: time.monotonic() > paused + 0.7, 'its leases to run out')
    os.kill(kith.process.pid, signal.SIGCONT)
    for number in numbers:
        assert kith.finished(number)['verdict'] == 'unknown'
    kith.stop()
    check_database(kith)
