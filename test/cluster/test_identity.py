"""Each database names its cluster: clusters on one NATS do not mix, and a restored older database gives no wrong names."""
import shutil
import signal

import pytest
from harness import Events, png, until
from servers import Bus, MariaDB, envelope
from world import World

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


@pytest.fixture
def other(tmp_path, template, nats):
    """A second cluster on the same NATS, with a database of its own."""
    server = MariaDB(tmp_path / 'other-mariadb', template=template)
    server.start()
    (tmp_path / 'other').mkdir()
    world = World(tmp_path / 'other', server, nats)
    yield world
    world.end()
    server.stop()


def enrol(node, name, colour):
    # /readyz says that the database can be read; the connection that writes may come back later
    person = until(lambda: node.post('/v1/people', {'name': name}).json.get('id'), 'the database to be written')
    assert node.post(f'/v1/people/{person}/photos', png(*colour), content_type='image/png').status == 201
    return person


def identify(node, colour):
    answer = node.post('/v1/identify', png(*colour), content_type='image/png')
    assert answer.status == 200, answer
    person = answer.json['faces'][0]['person']
    return person and person['name']


def names(node):
    return {n['name'] for n in node.get('/v1/nodes').json['nodes']}


def test_two_clusters_on_one_nats_do_not_mix(world, other):
    a, b = world.start('a'), world.start('b')
    c = other.start('a')  # of another cluster: it may have the same name
    world.together()
    assert a.get('/v1/nodes').json['cluster'] == world.cluster != other.cluster
    for node in a, b, c:
        until(lambda: node.metric('kith_cluster_foreign_total') > 3, 'heartbeats of the other cluster to be refused')
        assert node.log().count('another cluster on this NATS') == 1
    assert names(a) == names(b) == {'a', 'b'} and names(c) == {'a'}
    enrol(a, 'Ann', RED)
    enrol(c, 'Bea', RED)
    assert identify(b, RED) == 'Ann' and identify(c, RED) == 'Bea'
    for n in range(40):
        a.picture(f'{n}.png', n, 7, 7)
        c.picture(f'{n}.png', n, 8, 8)
        world.submit(a, f'{n}.png')
        other.submit(c, f'{n}.png')
    for each in world, other:
        each.all_ended()
        each.check()
        each.check_finishes()


def test_a_node_asks_no_recogniser_of_another_cluster(world, other):
    world.start('a')
    lonely = other.node('lonely', 'receiver').start(ready=False)
    until(lambda: lonely.metric('kith_cluster_foreign_total') > 3, 'the recogniser of the other cluster to be heard')
    assert lonely.post('/v1/identify', png(*RED), content_type='image/png').status == 503


def test_an_envelope_of_another_cluster_is_refused(world):
    a = world.start('a')
    until(lambda: a.metric('kith_bus_connected') == 1, 'the connection')
    bus = Bus(world.nats)
    for n, cluster in enumerate(['0123456789abcdef', '', world.cluster[:-1], world.cluster + '0']):
        bus.publish(f'kith.{world.cluster}.node.a', envelope(type=9, id=n + 1, node='x', boot=1, to='processor', cluster=cluster))
    bus.flush()
    until(lambda: a.metric('kith_cluster_foreign_total') == 4, 'all of them to be refused')
    assert a.metric('kith_cluster_nodes') == 1
    bus.close()


def test_a_restored_older_database_gives_no_wrong_name(world):
    """After the restore the numbers of people and of changes are given out again, to another person."""
    a, b = world.start('a'), world.start('b')
    world.together()
    enrol(a, 'Ann', RED)
    assert identify(b, RED) == 'Ann'
    events = Events(a)
    events.until('breaker')
    data, copy = world.mariadb.folder / 'data', world.folder / 'copy'
    world.mariadb.stop()
    shutil.copytree(data, copy)
    world.mariadb.start()
    for node in a, b:
        until(lambda: node.get('/readyz').status == 200, 'the database to be back')
    bob = enrol(a, 'Bob', BLUE)
    assert identify(a, BLUE) == identify(b, BLUE) == 'Bob'
    events.until('person', lambda p: p['id'] == bob)  # else Carl's event is simply the next one
    b.process.send_signal(signal.SIGSTOP)  # it sees nothing of the restore before the numbers are given out again
    world.mariadb.stop()
    shutil.rmtree(data)
    shutil.copytree(copy, data)
    world.mariadb.start()
    until(lambda: a.get('/readyz').status == 200, 'the database to be back')
    assert identify(a, BLUE) is None
    assert enrol(a, 'Carl', GREEN) == bob, 'the number of a person who is not in the copy is given out again'
    events.until('reset')  # the number of Bob's event is Carl's now
    events.close()
    b.process.send_signal(signal.SIGCONT)
    until(lambda: b.get('/readyz').status == 200, 'the database to be back')
    for node in a, b:
        assert identify(node, BLUE) is None, 'a person who is not in the copy'
        assert identify(node, GREEN) == 'Carl' and identify(node, RED) == 'Ann'
        assert node.metric('kith_gallery_reloads_total') == 1 and 'gallery reload' in node.log()
        assert node.metric('kith_gallery_templates') == 2


def test_a_node_whose_database_becomes_that_of_another_cluster_stops(world):
    """With exit 1, so that its supervisor starts it again."""
    a = world.start('a')
    until(lambda: a.get('/v1/nodes').json['cluster'], 'the id to be read')
    world.mariadb.sql("UPDATE cluster_identity SET cluster = '0123456789abcdef'", 'kube')
    assert a.process.wait(60) == 1
    assert 'KITH_DATABASE: it now holds another cluster: 0123456789abcdef' in a.log()
    del world.nodes['a']


def test_a_copy_of_the_database_beside_its_original_is_noticed(world, other):
    """Both have one id; the heartbeats of one node name a row that the database of the other does not have."""
    a = world.start('a')
    a2 = world.start('a2')
    world.together()
    enrol(a, 'Ann', RED)
    world.mariadb.stop()
    other.mariadb.stop()
    shutil.rmtree(other.mariadb.folder / 'data')
    shutil.copytree(world.mariadb.folder / 'data', other.mariadb.folder / 'data')
    world.mariadb.start()
    other.mariadb.start()
    b = other.node('b').start(ready=False)
    for node, peer in (a, 'b'), (a2, 'b'), (b, 'a'):
        until(lambda: 'a copy of our database is in use' in node.log(), 'it to be noticed')
        ready = until(lambda: (lambda r: r if r.status == 503 else None)(node.get('/readyz')), 'it to be not ready')
        assert 'copy of the database' in ready.text
        assert f'node={peer}' in next(line for line in node.log().splitlines() if 'a copy of our database' in line)
    assert 'node=a2' not in ''.join(line for line in a.log().splitlines() if 'a copy of our database' in line)
    b.stop()
    for node in a, a2:
        until(lambda: node.get('/readyz').status == 200, 'the nodes of one database to be ready again')
    other.mariadb.sql("UPDATE cluster_identity SET cluster = LEFT(SHA2(UUID(), 256), 16)", 'kube')
    b.start()
    for node in a, a2, b:
        assert identify(node, RED) == 'Ann'
        assert node.get('/readyz').status == 200
