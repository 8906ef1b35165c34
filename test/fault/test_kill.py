"""kill -9 at any moment: what was answered 2xx is there, ends once, and nothing is half done."""
import os
import random
import signal
import threading
import time

import pytest
from check import check_database, check_spool
from harness import PATIENCE_S, png, until
from shim import Shim
from steps import PREPARE, STEPS, Promises

IMAGES = 300
KILLS = int(os.environ.get('KITH_KILLS', '50'))  # 1000 for a long run


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
    until(lambda: (lambda s: not s['pending'] and not s['processing'])(kith.get('/v1/stats').json),
          'all to end')
    for number, _ in sorted(accepted):
        assert kith.image(number)['verdict'] == 'unknown'
    kith.stop()
    check_database(kith)


def start_until_killed(kith):
    """A start that may be killed at any call, then one that is not."""
    kith.launch()
    try:
        kith.start_serving()
    except (AssertionError, OSError):
        assert kith.process.wait(PATIENCE_S) == -signal.SIGKILL, kith.log()[-2000:]


def run_step(kith, step, promises):
    if step == 'start':
        start_until_killed(kith)
        return
    if kith.process.poll() is not None:
        kith.start()
    STEPS[step](promises)


def kill_within(kith, shim, step, promises, number):
    """Runs the step and kills kith before the call with that number. Runs differ in their calls: when there is no such
    call, an earlier one."""
    while True:
        if step == 'start' and kith.process.poll() is None:
            kith.kill()
        if step != 'start' and kith.process.poll() is not None:
            kith.start()
        if step in PREPARE:
            PREPARE[step](promises)
        shim.arm('any', number, kill=True)
        run_step(kith, step, promises)
        killed = shim.injected
        shim.disarm()
        if killed:
            kith.process.wait()
            return
        assert number > 1
        number = number * 2 // 3


def count_calls(kith, shim, step, promises):
    if step == 'start':
        kith.kill()
    elif step in PREPARE:
        PREPARE[step](promises)
    before = shim.calls('any')
    run_step(kith, step, promises)
    return shim.calls('any') - before


@pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='the sanitizers replace the allocator')
@pytest.mark.parametrize('step', ['start', *STEPS])
def test_killed_at_any_call_of_a_step_it_keeps_what_it_answered(make, step):
    """Before a call on a file or a socket, spread over all calls of the step."""
    # A kill costs the image in work one of its tries.
    kith = make(lease='1s', retry_backoff='1ms', orphan_age='1s', spool_sweep='2ms', workers=1, tries=1000)
    shim, promises = Shim(kith), Promises(kith)
    kills = -(-KILLS // (1 + len(STEPS)))
    kith.start()
    for first in ('upload', 'finish', 'enrol'): # else the first run of a step has more calls
        STEPS[first](promises)
    calls = count_calls(kith, shim, step, promises)
    for n in range(kills):
        kill_within(kith, shim, step, promises, 1 + n * calls // kills)
    kith.start()
    promises.check()
    check_spool(kith)
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
