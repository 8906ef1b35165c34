"""Recognisers that crash, hang, leak, throw, answer nonsense or attack the sandbox cost one attempt at one image."""
import os
import pathlib
import re

import pytest
from harness import BUILD, Kith, png, until

PLUGINS = BUILD / 'test/plugins'
CRASH, SPIN, SLEEP, LEAK, NONSENSE = (255, 0, 0), (0, 255, 0), (0, 254, 0), (0, 0, 255), (255, 255, 0)
MANY, ESCAPE, FAILS, DISLIKES, LEAVES, NOBODY = ((255, 0, 255), (0, 255, 255), (254,) * 3, (253,) * 3, (252,) * 3,
                                                 (250, 1, 1))
SANITIZED = bool(os.environ.get('KITH_SANITIZED'))


@pytest.fixture
def moody(make, monkeypatch):
    # A worker that crashes shall end by its signal under a sanitizer too, not in a report.
    monkeypatch.setenv('ASAN_OPTIONS', 'handle_segv=0')
    monkeypatch.setenv('TSAN_OPTIONS', 'handle_segv=0')

    def start(**settings):
        return make(recognizer=PLUGINS / 'moody.so', **{'retry_backoff': '1ms', 'recognize_timeout': '2s', **settings}).start()
    return start


def submit(kith, name, colour):
    number, = kith.submit(kith.picture(name, *colour))
    return number


def test_a_crash_costs_only_its_image_an_attempt(moody):
    kith = moody(breaker_failures=100)
    bad = submit(kith, 'bad.png', CRASH)
    good = [submit(kith, f'{n}.png', (n, 100, 100)) for n in range(20)]
    image = kith.finished(bad)
    assert (image['status'], image['reason'], image['attempts']) == ('failed', 'poison', 3)
    for number in good:
        assert kith.finished(number)['verdict'] == 'unknown'
    assert kith.metric('kith_worker_restarts_total') >= 3
    assert 'signal 11' in kith.log()


def test_the_same_bytes_are_refused_for_a_while(moody):
    kith = moody(breaker_failures=100)
    kith.finished(submit(kith, 'bad.png', CRASH))
    restarts = kith.metric('kith_worker_restarts_total')
    until(lambda: kith.metric('kith_actor_mailbox{actor="recognizer"}') == 0)
    again = kith.finished(submit(kith, 'copy of bad.png', CRASH))
    assert again['status'] == 'failed' and again['reason'].startswith('poison') and again['attempts'] == 1
    answer = kith.post('/v1/identify', png(*CRASH), content_type='image/png')
    assert answer.status == 422 and 'KITH_QUARANTINE' in answer.json['detail']
    assert kith.metric('kith_worker_restarts_total') == restarts


@pytest.mark.parametrize('colour', [SPIN, SLEEP])
def test_a_hang_is_killed_at_its_deadline(moody, colour):
    kith = moody(recognize_timeout='300ms', tries=2, breaker_failures=100)
    number = submit(kith, 'hang.png', colour)
    image = kith.finished(number)
    assert image['status'] == 'failed' and image['attempts'] == 2
    assert 'KITH_RECOGNIZE_TIMEOUT' in image['reason'] or 'signal' in image['reason']
    assert kith.finished(submit(kith, 'good.png', (9, 9, 9)))['verdict'] == 'unknown'


@pytest.mark.skipif(SANITIZED, reason='memory limits do not work under sanitizers')
def test_a_leaking_worker_is_replaced_at_its_memory_limit(moody):
    kith = moody(worker_memory='150MB')
    for n in range(12):
        path = kith.images / f'leak{n}.png'
        path.write_bytes(png(*LEAK, width=64 + n))
        number, = kith.submit(path)
        assert kith.finished(number)['verdict'] == 'unknown'
    assert kith.metric('kith_worker_recycled_total') >= 3
    assert kith.metric('kith_worker_restarts_total') == 0


def test_a_worker_is_replaced_after_its_images(moody):
    kith = moody(worker_images=3, workers=1)
    for n in range(10):
        assert kith.finished(submit(kith, f'{n}.png', (n, 50, 50)))['verdict'] == 'unknown'
    assert kith.metric('kith_worker_recycled_total') == 3


@pytest.mark.parametrize('colour, words', [(NONSENSE, 'invalid face'), (MANY, 'invalid number of faces'), (FAILS, 'out of sorts'),
                                           (LEAVES, 'code 3')])
def test_invalid_answers_and_failures_count_against_the_recogniser(moody, colour, words):
    kith = moody(tries=2, breaker_failures=100, poison_crashes=100)
    image = kith.finished(submit(kith, 'x.png', colour))
    assert (image['status'], image['attempts']) == ('failed', 2)
    assert words in image['reason'], image


NAN, INFINITE, NEGATIVE, HUGE, LARGE = range(5)


@pytest.mark.parametrize('member, value, words', [
    (0, NAN, 'its box'), (1, INFINITE, 'its box'), (2, NAN, 'its box'), (3, NEGATIVE, 'its box'), (2, LARGE, 'its box'),
    (4, NAN, 'its quality is'), (4, NEGATIVE, 'its quality is -1'), (4, HUGE, 'its quality is'),
    (5, NAN, 'its distance'), (5, NEGATIVE, 'its distance is -1'), (6, NAN, 'number 2 of its embedding'),
    (6, INFINITE, 'number 2 of its embedding'), (6, HUGE, 'a norm of'), (7, NAN, 'landmark 1'), (7, INFINITE, 'landmark 1'),
    (8, 0, 'outside the picture'), (9, 0, 'has 1000 landmarks'), (10, 0, 'landmarks are missing'), (11, 0, 'size is 8 bytes'),
    (12, 0, 'neither an embedding nor a label')])
def test_a_bad_number_is_the_recognisers_fault(moody, member, value, words):
    kith = moody(tries=2, breaker_failures=100)
    image = kith.finished(submit(kith, 'x.png', (249, member, value)))
    assert (image['status'], image['attempts']) == ('failed', 2), image
    assert 'invalid face' in image['reason'] and words in image['reason'], image
    assert kith.metric('kith_worker_restarts_total') == 0


def test_a_worker_cannot_forge_lines_of_the_log(moody):
    kith = moody()
    kith.finished(submit(kith, 'x.png', (248,) * 3))
    line = until(lambda: re.search(r'.* worker wrote .*forged.*', kith.log()), 'the line').group()
    assert re.search(r' worker wrote worker=moody-\d+ pid=\d+ text="2026-11-28T00:00:00.000Z info  audit who=admin ', line), line
    assert not re.search(r'^2026-11-28T00:00:00.000Z', kith.log(), re.M)
    assert '\x1b' not in kith.log() and re.search(r' worker wrote .*escape', kith.log())


def test_a_flood_of_lines_is_dropped_and_counted(moody):
    kith = moody(workers=1)
    kith.finished(submit(kith, 'x.png', (247,) * 3))
    kith.stop()
    assert kith.log().count(' worker wrote ') <= 200
    assert 19800 <= sum(map(int, re.findall(r' worker lines dropped .*lines=(\d+)', kith.log()))) <= 20000


def test_no_face_and_a_disliked_image_are_the_images_fault(moody):
    kith = moody()
    image = kith.finished(submit(kith, 'n.png', NOBODY))
    assert (image['status'], image['verdict'], image['reason']) == ('processed', 'no_face', None)
    assert kith.finished(submit(kith, 'd.png', DISLIKES))['reason'] == 'do not like it'
    for n in range(10):
        assert kith.finished(submit(kith, f'd{n}.png', (250, n, 2)))['verdict'] == 'no_face'
    assert kith.get('/v1/stats').json['breaker']['state'] == 'closed'


def test_a_reason_is_stored_as_utf8(moody):
    kith = moody()
    assert kith.finished(submit(kith, 'a.png', (251,) * 3))['reason'] == 'caf\ufffd'
    assert kith.finished(submit(kith, 'b.png', (250,) * 3))['reason'].strip() == ''


def test_a_plugin_cannot_get_out(moody):
    trace = pathlib.Path('/tmp/kith-was-here')  # moody.c
    trace.unlink(missing_ok=True)
    kith = moody()
    reason = kith.finished(submit(kith, 'escape.png', ESCAPE))['reason']
    tried = dict(pair.split('=') for pair in reason.split())
    assert set(tried) == {'network', 'file', 'write', 'fork', 'exec', 'kill'}
    assert all(int(errno) != 0 for errno in tried.values()), tried
    assert not trace.exists()


@pytest.mark.skipif(SANITIZED, reason='a sanitizer ends the process its own way')
def test_an_exception_that_leaves_a_plugin_ends_its_process_only(make):
    kith = make(recognizer=PLUGINS / 'thrower.so', retry_backoff='1ms', breaker_failures=100).start()
    image = kith.finished(submit(kith, 'x.png', (1, 1, 1)))
    assert (image['status'], image['reason']) == ('failed', 'poison')
    assert kith.get('/healthz').status == 200


@pytest.mark.parametrize('plugin, words', [
    ('old_abi', ['ABI 99', 'has ABI 1']), ('wrong_magic', ['not a kith recogniser']), ('too_old', ['has 16 bytes', 'ABI 1 needs at least']),
    ('silent', ['kith_recognizer_get'])])
def test_a_plugin_of_another_abi_is_refused_with_both_versions(make, plugin, words):
    kith = make(recognizer=PLUGINS / f'{plugin}.so').start(ready=False)
    kith.picture('a.png', 1, 1, 1)
    number, = kith.submit('a.png')
    ready = until(lambda: (lambda a: a if 'plug-in' in a.text else None)(kith.get('/readyz')), 'the reason')
    assert ready.status == 503
    for word in words:
        assert word in ready.text
    assert kith.image(number)['status'] == 'pending' and kith.image(number)['attempts'] == 0
    checked = kith.run('plugin', 'check', PLUGINS / f'{plugin}.so')
    assert checked.returncode == 1 and words[0] in checked.stdout


def test_a_plugin_built_with_an_older_header_is_loaded(make):
    kith = make(recognizer=PLUGINS / 'older.so').start()
    assert kith.finished(submit(kith, 'x.png', (1, 1, 1)))['verdict'] == 'unknown'


def test_a_plugin_that_cannot_open_keeps_images_waiting(make):
    kith = make(recognizer=PLUGINS / 'moody.so', lbph_cascade='refuse').start(ready=False)
    until(lambda: 'not in the mood' in kith.get('/readyz').text, 'the reason')
    answer = kith.post('/v1/identify', png(1, 1, 1), content_type='image/png')
    assert answer.status == 503 and 'not in the mood' in answer.json['detail']


def test_the_breaker_opens_and_heals(moody):
    kith = moody(breaker_failures=3, breaker_timeout='300ms', poison_crashes=100, tries=1000, workers=1)
    number = submit(kith, 'bad.png', CRASH)
    until(lambda: kith.metric('kith_breaker_opened_total') >= 1, 'the breaker to open')
    assert kith.call('DELETE', f'/v1/images/{number}').status in (200, 409)
    until(lambda: kith.get('/v1/stats').json['breaker']['state'] == 'closed', 'the breaker to close')
    until(lambda: kith.call('DELETE', f'/v1/images/{number}').status in (200, 404), 'the image to go')
    assert kith.finished(submit(kith, 'good.png', (5, 5, 5)))['verdict'] == 'unknown'
    assert ' breaker state=open' in kith.log() and ' breaker state=closed' in kith.log()


def test_while_open_nothing_is_claimed_and_no_attempt_is_spent(moody):
    kith = moody(breaker_failures=1, breaker_timeout='1m', workers=1)
    assert kith.post('/v1/identify', png(*CRASH), content_type='image/png').status == 502
    until(lambda: kith.get('/v1/stats').json['breaker']['state'] == 'open', 'the breaker to open')
    number = submit(kith, 'good.png', (5, 5, 5))
    answer = kith.post('/v1/identify', png(5, 5, 5), content_type='image/png')
    assert answer.status == 503 and answer.json['type'].endswith('breaker-open')
    kith.until_ready()  # the next worker; images are still taken
    assert 'breaker' in kith.get('/readyz').json['degraded'][0]
    image = kith.image(number)
    assert (image['status'], image['attempts']) == ('pending', 0)


def test_threads_instead_of_processes_for_a_trusted_plugin(make):
    kith = make(isolation='thread').start()
    assert kith.finished(submit(kith, 'a.png', (5, 5, 5)))['verdict'] == 'unknown'
    assert 'pid=0' in kith.log()


def test_workers_die_with_kith(make):
    kith = make().start()
    pids = until(lambda: (lambda p: p if len(p) == 2 else None)(kith.worker_pids()), 'both workers')
    kith.kill()
    until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in pids), 'the workers to be gone')


def test_check_passes_the_example(tmp_path):
    ran = Kith(tmp_path).run('plugin', 'check', 'example')
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert 'the plug-in fits' in ran.stdout and 'example-colours-64' in ran.stdout
