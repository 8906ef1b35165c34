"""Deleting forgets on every node, also on one that was down; in the database's dump and in what NATS keeps."""
import hashlib
import subprocess

from forgetting import noise, traces
from harness import until
from servers import Bus

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


def stored_messages(world):
    """What a stream of kith's holds."""
    stream, bus = f'kith_{world.cluster}_test', Bus(world.nats)
    bus.subscribe('answers')

    def ask(subject, text):
        bus.socket.sendall(b'PUB %s answers %d\r\n%s\r\n' % (subject.encode(), len(text), text.encode()))
        return bus.next()
    ask(f'$JS.API.STREAM.CREATE.{stream}', f'{{"name":"{stream}","subjects":["{stream}"],"storage":"file"}}')
    for text in ('nothing', f'it holds {NAME}.', NAME + 'a'):
        ask(stream, text)
    return lambda: ask(f'$JS.API.STREAM.PURGE.{stream}', '') and bus.close()


def test_the_command_searches_all_columns_the_streams_and_given_folders(world):
    a = world.start('a')
    rows, purge = world.mariadb.rows, stored_messages(world)
    rows(f"CREATE TABLE notes(id INT, text TEXT); INSERT INTO notes VALUES(1, 'of {NAME}'), (2, '{NAME}s')")
    (world.folder / 'backup').mkdir()
    (world.folder / 'backup/old.sql').write_text(f"('{NAME}')")
    ran = a.run('forget', '--verify', '--files', f'{world.folder}/backup:{world.mariadb.folder}/data', NAME)
    left = ran.stdout.splitlines()
    assert ran.returncode == 1 and ran.stderr == '', ran
    assert f'left: column notes.text: 1 row with {NAME}' in left
    assert f'left: NATS stream kith_{world.cluster}_test: a message with {NAME}' in left
    assert f'left: file {world.folder}/backup/old.sql: {NAME}' in left
    assert any(line.startswith(f'left: file {world.mariadb.folder}/data/') for line in left), 'a log or a page of MariaDB'
    rows('DELETE FROM notes')
    purge()
    (world.folder / 'backup/old.sql').unlink()
    ran = a.run('forget', '--verify', '--files', f'{world.folder}/backup', NAME)
    assert ran.returncode == 0 and ran.stdout == 'nothing is left\n', ran
    ran = a.run('forget', '--verify', NAME)
    assert ran.returncode == 0 and 'MariaDB server and of NATS are not searched' in ran.stderr, ran
    nats, a.settings['nats'] = a.settings['nats'], 'nats://127.0.0.1:1'
    ran = a.run('forget', '--verify', NAME)
    assert ran.returncode == 1 and 'KITH_NATS: nats://127.0.0.1:1' in ran.stderr, ran
    a.settings['nats'] = nats
    ran = a.run('forget', '--verify', '--files', '/nowhere/at/all', NAME)
    assert ran.returncode == 1 and '/nowhere/at/all: No such file' in ran.stderr, ran


def test_images_expire_once_though_both_nodes_look(world):
    a, b = (world.start(name, upload_grace='100ms', keep_images='1s', keep_check='20ms') for name in 'ab')
    world.together()
    numbers = [upload(a, noise(n, 8, 8)) for n in range(20)]
    until(lambda: world.mariadb.rows('SELECT COUNT(*) FROM images') == [['0']], 'all images to expire')
    assert a.metric('kith_images_expired_total') + b.metric('kith_images_expired_total') >= len(numbers)
    counts = world.mariadb.rows('SELECT SUM(pending), SUM(processed), SUM(failed), SUM(processing), SUM(unknown) FROM '
                                'status_counts')
    assert counts == [['0'] * 5], counts
