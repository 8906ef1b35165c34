"""Deleting forgets on every node, also on one that was down; in the database's dump and in what NATS keeps."""
import hashlib
import subprocess

from forgetting import noise, traces
from harness import until

NAME = 'Zacharias Quux'


def upload(node, picture):
    answer = node.post('/v1/images', picture, content_type='image/png')
    assert answer.status == 202, answer
    number = answer.json['images'][0]['id']
    node.finished(number)
    return number


def dump(mariadb):
    return subprocess.run(['mariadb-dump', '--no-defaults', '-uroot', '-S', mariadb.socket, '--hex-blob', 'kube'],
                          check=True, capture_output=True).stdout


def hex_of(mariadb, sql):
    return [row[0].encode() for row in mariadb.rows(sql)]


def cached(node, *needles):
    return traces(node.folder / 'data/thumbs', *needles)


def test_a_deletion_is_done_on_each_node_and_by_one_that_was_down_when_it_is_back(world):
    a, b = (world.start(name, upload_grace='100ms') for name in 'ab')
    world.together()
    picture, photo = noise(1), noise(2)
    number = upload(a, picture)
    person = a.post('/v1/people', {'name': NAME}).json['id']
    assert a.post(f'/v1/people/{person}/photos', photo, content_type='image/png').status == 201
    sha = hashlib.sha256(picture).hexdigest()
    faces = hex_of(world.mariadb, f'SELECT HEX(embedding) FROM faces WHERE image_id = {number}')
    templates = hex_of(world.mariadb, 'SELECT HEX(embedding) FROM templates')
    for node in (a, b):
        assert node.get(f'/v1/images/{number}/photo?width=32').status == 200
        until(lambda: cached(node, sha), 'the cache of each node to be written')
    assert faces[0] in dump(world.mariadb) and templates[0] in dump(world.mariadb)
    b.kill()
    assert a.call('DELETE', f'/v1/images/{number}').status == 200
    assert a.call('DELETE', f'/v1/people/{person}').status == 200
    until(lambda: not cached(a, sha) and not traces(world.folder / 'spool', picture, photo), 'a to forget')
    assert cached(b, sha), 'b is down'
    b.start()
    until(lambda: not cached(b, sha), 'b to forget')
    until(lambda: world.mariadb.rows('SELECT COUNT(*) FROM erasures') == [['0']], 'nothing to be left to do')
    text = dump(world.mariadb)
    for needle in (sha.encode(), faces[0], templates[0], NAME.encode()):
        assert needle not in text
    assert not traces(world.nats.folder, picture, photo, NAME, sha, *map(bytes.fromhex, map(bytes.decode, faces + templates)))
    ran = a.run('forget', '--verify', NAME, sha)
    assert ran.returncode == 0, ran
    world.accepted.discard(number)


def test_images_expire_once_though_both_nodes_look(world):
    a, b = (world.start(name, upload_grace='100ms', keep_images='1s', keep_check='20ms') for name in 'ab')
    world.together()
    numbers = [upload(a, noise(n, 8, 8)) for n in range(20)]
    until(lambda: world.mariadb.rows('SELECT COUNT(*) FROM images') == [['0']], 'all images to expire')
    assert a.metric('kith_images_expired_total') + b.metric('kith_images_expired_total') >= len(numbers)
    counts = world.mariadb.rows('SELECT SUM(pending), SUM(processed), SUM(failed), SUM(processing), SUM(unknown) FROM '
                                'status_counts')
    assert counts == [['0'] * 5], counts
