"""Nodes, the bus and the database are killed, frozen and restarted while images are posted: no accepted image is lost or
finished twice. Numbers in brackets are those of the fault list that the test covers."""
import os
import pathlib
import signal
import time

import pytest
from harness import until
from load import Load
from servers import Bus, Proxy, envelope

IMAGES = 500
LEASE = {'lease': '2s', 'node_timeout': '1s', 'database_timeout': '1s'}


def descriptors(node):
    return len(list(pathlib.Path(f'/proc/{node.process.pid}/fd').iterdir()))


def mailboxes(node):
    return sum(a['mailbox'] for n in node.get('/v1/nodes').json['nodes'] if n['self'] for a in n['actors'])


@pytest.fixture
def three(world):
    nodes = [world.start(name, **LEASE) for name in 'abc']
    world.together()
    return nodes


@pytest.fixture
def load(world, three):
    before = [descriptors(node) for node in three]
    load = Load(world, three, IMAGES)
    yield load
    load.stop()
    for node, had in zip(three, before):
        until(lambda: mailboxes(node) == 0, 'mailboxes to be empty')
        until(lambda: descriptors(node) <= had + 4, 'descriptors to be where they were')


def settle(world, load):
    load.finish()
    world.all_ended()
    world.check()
    world.check_finishes()


def test_each_node_in_turn_is_killed(world, three, load):
    """[3-6] A killed node loses no image: the others claim its images; restarted, it reclaims its own."""
    for n, node in enumerate(three):
        load.wait_for((n + 1) / 5)
        node.kill()
        until(lambda: len(three[(n + 1) % 3].get('/v1/nodes').json['nodes']) == 2, 'the others to notice')
        settings = node.settings
        node.settings = {**settings, 'api_listen': node.api, 'dashboard_listen': node.dashboard}
        node.start()
    settle(world, load)


def test_what_a_killed_node_had_is_taken_over_in_time(world):
    """[4, 5] Another node claims its images within the lease and one sweep."""
    a = world.start('a', recognizer='example', **LEASE)
    b = world.start('b', **LEASE)
    world.together()
    for n in range(200):
        a.picture(f'{n}.png', n, 3, 3)
    a.process.send_signal(signal.SIGSTOP)
    a.process.send_signal(signal.SIGCONT)
    world.submit(a, *[f'{n}.png' for n in range(200)])
    a.kill()
    begun = time.monotonic()
    world.all_ended()
    assert time.monotonic() - begun < 2 + 5 + 5, 'lease, sweep, and a margin for a busy machine'
    world.check()
    world.check_finishes()
    assert b.get('/readyz').status == 200


def test_a_restarted_node_takes_its_own_back_at_once(world):
    """[4] With a lease of an hour only the restart can free them."""
    a = world.start('a', lease='1h')
    for n in range(300):
        a.picture(f'{n}.png', n % 250, n // 250, 4)
    world.submit(a, *[f'{n}.png' for n in range(300)])
    until(lambda: 'claimed' in a.log(), 'work to begin')
    a.kill()
    a.start()
    world.all_ended()
    world.check()
    world.check_finishes()


@pytest.mark.parametrize('how', ['stopped', 'frozen', 'killed', 'forgotten'])
def test_nats_is_away_for_a_while(world, three, load, how):
    """[11-13] Work items are lost, images are not: the poll of the table finds them."""
    load.wait_for(0.2)
    before = len(load.promised)
    if how == 'frozen':
        world.nats.freeze()
    elif how == 'stopped':
        world.nats.stop()
    else:
        world.nats.kill()
    if how == 'forgotten':
        world.nats.forget()
    until(lambda: three[0].metric('kith_bus_connected') == 0, 'the loss of the bus to be noticed')
    until(lambda: len(load.promised) > before + 50, 'images to be accepted nevertheless')
    if how == 'frozen':
        world.nats.thaw()
    else:
        world.nats.start()
    for node in three:
        until(lambda: node.metric('kith_bus_connected') == 1, 'the bus to come back')
    settle(world, load)
    consumed = sum(n.metric('kith_queue_consumed_total') for n in three)
    extra = [three[0].picture(f'extra{n}.png', n, 9, 9) for n in range(30)]

    def work_items_flow():
        if extra:
            world.submit(three[0], extra.pop())
        return sum(n.metric('kith_queue_consumed_total') for n in three) > consumed
    until(work_items_flow, 'work items to flow again')


def test_without_nats_images_are_found_by_the_poll(world):
    """[11] Absent at the start: everything works, later."""
    world.nats.stop()
    a = world.start('a')
    number, = world.submit(a, a.picture('a.png', 1, 1, 1))
    assert a.finished(number)['verdict'] == 'unknown'
    world.nats.start()
    until(lambda: a.metric('kith_bus_connected') == 1, 'the bus to be found')


@pytest.mark.parametrize('how', ['stopped', 'frozen', 'killed'])
def test_mariadb_is_away_for_a_while(world, three, load, how):
    """[14, 15] Submissions are refused with 503 and Retry-After, never taken; running work is finished afterwards."""
    load.wait_for(0.2)
    {'frozen': world.mariadb.freeze, 'stopped': world.mariadb.stop, 'killed': world.mariadb.kill}[how]()
    until(lambda: load.statuses.get(503, 0) > 3, 'refusals')
    promised = len(load.promised)
    for node in three:
        assert node.get('/healthz').status == 200, 'the loop is not blocked'
        for path, status in (('/readyz', 503), ('/metrics', 200), ('/readyz', 503)):
            begun = time.monotonic()
            assert node.get(path).status == status
            assert time.monotonic() - begun < 1, 'it answers within a second'
    assert len(load.promised) <= promised + len(load.threads), 'nothing is accepted while the database is away'
    if how == 'frozen':
        world.mariadb.thaw()
    else:
        world.mariadb.start()
    for node in three:
        until(lambda: node.get('/readyz').status == 200, 'it to be ready again')
    settle(world, load)
    for node in three:
        assert ' database away ' in node.log() and ' database back ' in node.log()


def test_the_answer_of_a_commit_is_cut_off(world):
    """[16] The outcome of the commit is unknown: it is repeated, and no row is there twice."""
    proxy = Proxy(world.mariadb.port)
    a = world.start('a', database=world.mariadb.url(proxy.port), **LEASE)
    b = world.start('b', **LEASE)
    world.together()
    load = Load(world, [a, b], 400)
    try:
        for n in range(10):
            load.wait_for((n + 1) / 20)
            with proxy.lock:
                proxy.cut_commits = 1
            until(lambda: proxy.cuts > n, 'a commit to be cut')
        settle(world, load)
    finally:
        load.stop()
        proxy.close()
    assert proxy.cuts == 10


def test_a_client_that_repeats_after_an_unknown_outcome_gets_the_same_image(world):
    """[3, 16, 20]"""
    a = world.start('a')
    first = a.post('/v1/images', {'path': 'x.png'}, idempotency_key='k').json['images'][0]['id']
    a.kill()
    a.start()
    again = a.post('/v1/images', {'path': 'x.png'}, idempotency_key='k')
    assert again.json['images'][0]['id'] == first
    other = a.post('/v1/images', {'path': 'y.png'}, idempotency_key='k')
    assert other.status == 422
    assert [r[0] for r in world.mariadb.rows('SELECT COUNT(*) FROM images')] == ['1']


def stopped_in_a_transaction(world, node):
    """Freezes the node while it holds row locks: others wait until the server ends the transaction."""
    node.process.send_signal(signal.SIGSTOP)
    if world.mariadb.rows('SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_locked > 0') != [['0']]:
        return True
    node.process.send_signal(signal.SIGCONT)
    return False


def test_a_claimer_that_sleeps_for_two_leases_changes_nothing(world):
    """[22] Another node claims its images; when it continues, its old tokens change no row."""
    a = world.start('a', **LEASE)
    b = world.start('b', **{**LEASE, 'roles': 'receiver'})
    world.together()
    for n in range(1000):
        a.picture(f'{n}.png', n % 250, n // 250, 8)
    world.submit(b, *[f'{n}.png' for n in range(1000)])
    until(lambda: a.log().count(' claimed ') > 5, 'it to be at work')
    # the server renews this table at most every 0.1 s, and only when it is not read meanwhile
    until(lambda: stopped_in_a_transaction(world, a), 'it to be frozen with locks', pause=0.15)
    c = world.start('c', **LEASE)
    world.all_ended()
    taken = int(world.mariadb.rows('SELECT COUNT(*) FROM images WHERE attempt > 1')[0][0])
    before = world.mariadb.rows('SELECT id, attempt, status, finished_at FROM images ORDER BY id')
    a.process.send_signal(signal.SIGCONT)
    until(lambda: a.metric('kith_images_in_flight') == 0, 'it to finish its images')
    assert world.mariadb.rows('SELECT id, attempt, status, finished_at FROM images ORDER BY id') == before
    assert taken == 0 or a.metric('kith_images_superseded_total') >= 1
    assert c.get('/readyz').status == 200
    world.check()


def test_claimers_race_for_each_image_and_one_has_it(world):
    """[21] No work items, only polls of the table, as often as possible."""
    nodes = [world.start(name, nats='', queue_poll='5ms') for name in 'abc']
    for n in range(400):
        nodes[0].picture(f'{n}.png', n % 250, n // 250, 6)
    for n in range(400):
        world.submit(nodes[0], f'{n}.png')
    world.all_ended()
    world.check()
    world.check_finishes()
    assert len(world.finishes()) == 400
    assert {r[0] for r in world.mariadb.rows('SELECT attempt FROM images')} == {'1'}


def test_work_items_doubled_reordered_and_of_no_image(world, three):
    """[19] A work item only announces an image: one that comes twice or late changes nothing."""
    bus = Bus(world.nats)
    for n in range(40):
        three[0].picture(f'{n}.png', n, 2, 2)
    numbers = world.submit(three[0], *[f'{n}.png' for n in range(40)])
    for _ in range(20):
        for number in reversed(numbers + [10**12, -1]):
            bus.publish(f'kith.{world.cluster}.work', str(number).encode())
    bus.publish(f'kith.{world.cluster}.work', b'not a number')
    bus.flush()
    world.all_ended()
    until(lambda: sum(n.metric('kith_queue_consumed_total') for n in three) >= 20 * 42, 'all work items to be taken')
    world.check()
    world.check_finishes()
    assert {r[0] for r in world.mariadb.rows('SELECT attempt FROM images')} == {'1'}
    bus.close()


def test_messages_that_no_node_sends_do_no_harm(world):
    """[40] Unknown types, fields and versions, and arbitrary bytes."""
    a = world.start('a')
    until(lambda: a.metric('kith_bus_connected') == 1)
    bus = Bus(world.nats)
    bus.subscribe(f'kith.{world.cluster}.node.future')
    presence = b''.join([b'\n\x039.9', b'\x12\x03all', b'\xf8\x07\x07'])  # version, roles, and a field nobody knows
    say = {'node': 'future', 'boot': 7, 'cluster': world.cluster}
    of_a = f'kith.{world.cluster}.node.a'
    bus.publish('kith.presence', envelope(type=1, id=1, body=presence, unheard_of='?', **say))
    until(lambda: 'future' in {n['name'] for n in a.get('/v1/nodes').json['nodes']}, 'the node of the future to be seen')
    bus.publish(of_a, envelope(type=4242, id=2, sender='x', to='gallery', correlation=99, budget_ms=1000, **say))
    subject, answer = bus.next()
    assert subject == f'kith.{world.cluster}.node.future' and b'\x40\x63' in answer, 'the ask of an unknown type has one ending'
    for n, rubbish in enumerate([b'', b'\xff' * 1000, envelope(version=77, type=1, id=3, **say),
                                 envelope(type=2, id=4, to='recognizer', body=b'\xff\xff', **say),
                                 envelope(type=4, id=5, to='gallery', body=b'', **say),
                                 envelope(type=2, id=6, to='nobody', correlation=5, **say),
                                 envelope(type=2, id=7, to='recognizer@**', body=b'', **say),
                                 envelope(type=2, id=8, part=3, parts=2**31, **say),
                                 envelope(type=1, id=9, body=b'\x0a\xff\xff\xff\xff\x0f', **say),
                                 envelope(type=1, id=1, body=presence, **say)]):  # a duplicate
        bus.publish(of_a if n % 2 else 'kith.presence', rubbish)
    refused = 0
    actors = ['store', 'enroller', 'people', 'faces', 'events', 'known-people', 'frontend', 'receiver', 'recognizer',
              'breaker', 'gallery', 'cluster', 'keys', 'janitor']
    for to in actors:  # well-formed messages that no peer may send to that actor
        for kind in 9, 8, 6, 7:  # NUDGE, STORE_CHANGED, GALLERY_CHANGED, GALLERY_RESOLVED
            refused += 1
            bus.publish(of_a, envelope(type=kind, id=100 + refused, sender='x', to=to, **say))
    bus.publish(of_a, envelope(type=9, id=500, sender='x', to='store', correlation=100, budget_ms=1000, **say))
    bus.flush()
    answer = b''
    while b'\x40\x64' not in answer:  # correlation 100: a refused ask has one ending
        subject, answer = bus.next()
    until(lambda: a.metric('kith_cluster_undecodable_total') >= 4 and a.metric('kith_cluster_duplicates_total') >= 1)
    until(lambda: a.metric('kith_cluster_refused_total') == refused + 1, 'all of them to be refused')
    assert 1 <= a.log().count('message refused') <= 2, 'the log line is rate-limited'
    number, = world.submit(a, a.picture('a.png', 1, 1, 1))
    assert a.finished(number)['verdict'] == 'unknown'
    bus.close()


def test_sigterm_under_load_hands_back_and_leaves(world, three, load):
    """[10] Exit 0 within the grace; no image waits for a lease to expire."""
    for n, node in enumerate(three):
        load.wait_for((n + 1) / 5)
        assert node.stop() == 0
        assert int(world.mariadb.rows(
            f"SELECT COUNT(*) FROM images WHERE status = 3 AND lease_owner LIKE '{node.settings['node']}:%'")[0][0]) == 0
        node.settings = {**node.settings, 'api_listen': node.api, 'dashboard_listen': node.dashboard}
        node.start()
    settle(world, load)


@pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='a sanitizer wants to be the first library')
def test_a_node_whose_clock_is_an_hour_off(world):
    """[36] Leases and due times are the database's: an early or late node claims, renews and finishes like the others."""
    library = next(pathlib.Path('/usr/lib').glob('*/faketime/libfaketime.so.1'), None)
    if not library:
        pytest.skip('no libfaketime: deploy/setup.sh test installs it')
    a = world.start('a', **LEASE)
    late, early = world.node('late', **LEASE), world.node('early', **LEASE)
    for node, offset in (late, '-1h'), (early, '+1h'):
        node.variables = {'LD_PRELOAD': str(library), 'FAKETIME': offset, 'FAKETIME_DONT_FAKE_MONOTONIC': '1'}
        node.start()
    world.together()
    for n in range(150):
        a.picture(f'{n}.png', n, 5, 1)
    for n in range(150):
        world.submit([a, late, early][n % 3], f'{n}.png')
    world.all_ended()
    world.check()
    world.check_finishes()
    assert {r[0] for r in world.mariadb.rows('SELECT attempt FROM images')} == {'1'}, 'no lease ended early'
