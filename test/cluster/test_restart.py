"""The actors that use the bus fail and restart: the node comes back into the cluster, and nothing is received twice."""
import pytest
from harness import png, until
from load import Load
from servers import Bus

IMAGES = 400


@pytest.fixture
def three(world):
    nodes = [world.start(name) for name in 'abc']
    if 'no running actor' not in nodes[0].post('/v1/debug/actors/nobody/fail').text:
        pytest.skip('not a debug build: it cannot make actors fail')
    world.together()
    return nodes


def restarts(node, actor):
    return node.metric(f'kith_actor_restarts_total{{actor="{actor}"}}')


def fail(node, actor):
    before = restarts(node, actor)
    assert node.post(f'/v1/debug/actors/{actor}/fail').status == 202
    until(lambda: restarts(node, actor) == before + 1, f'{actor} to restart')


def total(nodes, metric):
    return sum(node.metric(metric) for node in nodes)


@pytest.mark.parametrize('actor', ['cluster', 'work_queue'])
def test_images_posted_while_an_actor_restarts_are_processed_once(world, three, actor):
    load = Load(world, three, IMAGES)
    try:
        for n, node in enumerate(three):
            load.wait_for((n + 1) / 5)
            fail(node, actor)
        load.finish()
        world.all_ended()
    finally:
        load.stop()
    world.together()
    world.check()
    world.check_finishes()
    until(lambda: total(three, 'kith_queue_consumed_total') == total(three, 'kith_queue_published_total'),
          'each work item to be received once')
    assert total(three, 'kith_cluster_duplicates_total') == 0, 'a subject was subscribed to twice'
    consumed = total(three, 'kith_queue_consumed_total')
    numbers = [world.submit(three[n % 3], three[0].picture(f'late{n}.png', n, 3, 9))[0] for n in range(30)]
    for number in numbers:
        three[0].finished(number)
    until(lambda: total(three, 'kith_queue_consumed_total') == consumed + 30, 'the work items of the new images')
    assert [restarts(node, actor) for node in three] == [1, 1, 1]


def test_a_node_answers_its_peers_again_after_its_cluster_actor_has_restarted(world, three):
    """A node without recognisers asks its peers."""
    rec = world.start('rec', 'receiver')
    world.together()
    for node in [rec, *three]:
        fail(node, 'cluster')
    world.together()
    answer = rec.post('/v1/identify', png(1, 2, 3), content_type='image/png')
    assert answer.status == 200 and len(answer.json['faces']) == 1, answer
    assert rec.get('/v1/nodes').json['bus'] == 'connected'


def test_a_work_queue_that_restarts_on_an_idle_node_takes_work_items_again(world):
    """With a poll of an hour only work items bring images that were inserted by hand."""
    a = world.start('a', queue_poll='1h')
    if 'no running actor' not in a.post('/v1/debug/actors/nobody/fail').text:
        pytest.skip('not a debug build: it cannot make actors fail')
    warm = [a.picture(f'warm{n}.png', n, 1, 1) for n in range(200)]

    def work_items_flow():  # images posted before the queue is ready wake the node's own processor
        a.finished(world.submit(a, warm.pop())[0])
        return a.metric('kith_queue_consumed_total') > 0
    until(work_items_flow, 'a work item to come through the queue')
    until(lambda: a.metric('kith_images_in_flight') == 0, 'the node to be idle')
    fail(a, 'work_queue')
    path = a.picture('last.png', 3, 1, 4)
    world.mariadb.sql(f"INSERT INTO images(path, person, status) VALUES('{world.images / path}', -1, 0)", 'kube')
    number = int(world.mariadb.rows('SELECT MAX(id) FROM images')[0][0])
    bus = Bus(world.nats)
    bus.publish(f'kith.{world.cluster}.work', str(number).encode())
    bus.flush()
    assert a.finished(number)['verdict'] == 'unknown'
    bus.close()
