"""Files behind paths on several nodes: one accepts the path, another one reads the file."""
import os
import signal

from harness import png, until

RED, BLUE = (200, 10, 10), (10, 10, 200)


def replace(path, *colour, **size):
    fresh = path.with_name('fresh.tmp')
    fresh.write_bytes(png(*colour, **size))
    os.replace(fresh, path)


def name_of(node, number):
    image = node.image(number)
    return image['finished_at'] and image['person'] and image['person']['name']


def enrol(node, **people):
    for name, colour in people.items():
        person = node.post('/v1/people', {'name': name}).json['id']
        assert node.post(f'/v1/people/{person}/photos', png(*colour), content_type='image/png').status == 201


def test_a_changed_file_is_looked_at_again_by_another_node(world):
    receiver = world.start('receiver', 'receiver')
    recognizer = world.start('recognizer', 'recognizer')
    front = world.start('front', 'frontend')
    world.start('processor', 'processor')
    world.together()
    enrol(front, Red=RED, Blue=BLUE)
    latest = front.picture('latest.png', *RED)
    number, = world.submit(receiver, latest)
    until(lambda: name_of(front, number) == 'Red', 'the first content')
    assert 'again' not in receiver.post('/v1/images', {'path': str(latest)}).json['images'][0]
    replace(latest, *BLUE)
    assert front.image(number)['changed'] is True
    assert front.get(f'/v1/images/{number}/photo').status == 409
    assert receiver.post('/v1/images', {'path': str(latest)}).json['images'][0]['again'] is True
    until(lambda: name_of(front, number) == 'Blue', 'the second content')
    assert front.get(f'/v1/images/{number}/photo').body == latest.read_bytes()
    worker, = recognizer.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    try:
        replace(latest, *RED, width=65)
        receiver.post('/v1/images', {'path': str(latest)})
        until(lambda: recognizer.metric('kith_worker_queue') == 0 and front.image(number)['status'] == 'processing',
              'the worker to have the file')
        replace(latest, *BLUE, width=66)
        assert receiver.post('/v1/images', {'path': str(latest)}).json['images'][0]['status'] == 'processing'
    finally:
        os.kill(worker, signal.SIGCONT)
    until(lambda: name_of(front, number) == 'Blue' and front.image(number)['attempts'] >= 3, 'the last content')
    assert front.get(f'/v1/images/{number}/photo').body == latest.read_bytes()
    world.all_ended()
    world.check()


def test_a_spool_that_was_moved_serves_all_nodes(world):
    a = world.start('a')
    number = a.post('/v1/images?filename=red.png', png(*RED), content_type='image/png').json['images'][0]['id']
    world.accepted.add(number)
    a.finished(number)
    assert a.stop() == 0
    moved = world.folder / 'moved'
    (world.folder / 'spool').rename(moved)
    b = world.start('b', spool=moved)
    image = b.image(number)
    assert image['path'].startswith(f'{moved}/') and image['filename'] == 'red.png' and 'gone' not in image
    assert b.get(f'/v1/images/{number}/photo').body == png(*RED)
    assert b.post(f'/v1/images/{number}/retry').status == 200
    until(lambda: b.image(number)['attempts'] == 2 and b.image(number)['verdict'] == 'unknown', 'the retry')
    again = b.post('/v1/images', png(*RED), content_type='image/png').json['images'][0]
    assert (again['id'], again['existing']) == (number, True)
    world.check()
