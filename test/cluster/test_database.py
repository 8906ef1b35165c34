"""The database and other programs: tables of the original are adopted and stay readable, rows are inserted by hand, and
wrong databases and buses are refused or waited for."""
import subprocess

import pytest
from harness import ROOT, png, refused, until
from servers import Bus, Nats

ORIGINAL = '''
create table images(id int not null auto_increment primary key, path varchar(255) not null, person int, status int);
create table person(id int not null auto_increment primary key, name varchar(255) not null);
create table person_images(id int not null auto_increment primary key, image_name varchar(255), person_id int);
insert into person(name) values('Hannibal'), ('B.A.'), ('Hannibal');
insert into person_images(image_name, person_id) values('hannibal_1.jpg', 1), ('ba_1.jpg', 2);
insert into images(path, person, status) values('{known}', 1, 1), ('{dup}', 1, 1), ('{dup}', null, 2),
    ('{waits}', -1, 0), ('{died}', null, 3), ('/elsewhere/x.jpg', null, 0);
'''


def test_a_database_of_the_original_is_adopted_without_losing_a_row(world):
    for name in ('known.png', 'dup.png', 'waits.png', 'died.png'):
        (world.images / name).write_bytes(png(len(name), 2, 3))
    world.mariadb.sql(ORIGINAL.format(**{n: world.images / f'{n}.png' for n in ('known', 'dup', 'waits', 'died')}), 'kube')
    a = world.start('a')
    rows = world.mariadb.rows
    assert rows('SELECT COUNT(*) FROM images') == [['6']]
    assert rows('SELECT name FROM person ORDER BY id') == [['Hannibal'], ['B.A.'], ['Hannibal']]
    assert a.image(4)['path'] == str(world.images / 'waits.png')
    assert a.finished(4)['verdict'] == 'unknown', 'a pending image is recognised'
    assert a.finished(5)['verdict'] == 'unknown', 'an image that the original was processing, too'
    outside = a.finished(6)
    assert outside['status'] == 'failed'
    assert a.image(1)['person'] == {'id': 1, 'name': 'Hannibal'} and a.image(1)['verdict'] == 'known'
    again = a.post('/v1/images', {'path': 'dup.png'}).json['images'][0]
    assert (again['id'], again.get('existing')) == (2, True), 'a path that is there twice has its first row'
    number, = world.submit(a, a.picture('new.png', 1, 1, 1))
    assert number > 6
    assert a.get('/v1/stats').json['failed'] == 2


def test_readers_of_the_original_go_on_reading(world):
    a = world.start('a')
    number, = world.submit(a, a.picture('red.png', 255, 0, 0), )
    a.finished(number)
    rows = world.mariadb.rows
    assert rows('select id, path, person, status from images') == [[str(number), str(world.images / 'red.png'), '-1', '0']]
    person = a.post('/v1/people', {'name': 'Red'}).json['id']
    a.post(f'/v1/people/{person}/photos?name=red_1.png', png(255, 0, 0), content_type='image/png')
    until(lambda: rows('select person, status from images') == [[str(person), '1']], 'the image to get its person')
    joined = rows("select person.name from person inner join person_images on person_images.person_id = person.id "
                  "where person_images.image_name = 'red_1.png'")
    assert joined == [['Red']]
    world.submit(a, 'gone.png')
    until(lambda: rows("select status from images where path like '%gone.png'") == [['2']], 'the failure')


def test_a_row_written_by_hand_is_picked_up_and_enrolled(world):
    known = world.folder / 'known'
    known.mkdir()
    a = world.start('a', known_people=known)
    world.mariadb.sql("insert into person(name) values('Colonel Red'); "
                      "insert into person_images(image_name, person_id) values('somebody_7.png', 1)", 'kube')
    (known / 'somebody_7.png').write_bytes(png(255, 0, 0))
    until(lambda: a.metric('kith_gallery_templates') == 1, 'the photo to be enrolled')
    face = a.post('/v1/identify', png(255, 0, 0), content_type='image/png').json['faces'][0]
    assert face['person'] == {'id': 1, 'name': 'Colonel Red'}, 'the row names the person, not the file name'
    assert world.mariadb.rows('select count(*) from person_images') == [['1']]


def test_an_image_inserted_by_hand_is_processed(world):
    a = world.start('a')
    a.picture('hand.png', 4, 4, 4)
    world.mariadb.sql(f"insert into images(path, person, status) values('{world.images}/hand.png', -1, 0)", 'kube')
    until(lambda: world.mariadb.rows('select verdict from images') == [['2']], 'it to be recognised')


def test_a_server_that_refuses_writes_is_not_ready(world):
    """A primary that has become a replica: reads go on, and the log says so once."""
    a = world.start('a')
    number, = world.submit(a, a.picture('a.png', 1, 2, 3))
    a.finished(number)
    world.mariadb.sql('SET GLOBAL read_only = 1')
    reasons = until(lambda: (lambda r: r.json['reasons'] if r.status == 503 else None)(a.get('/readyz')), 'it not to be ready')
    assert 'a test write to the database (KITH_DATABASE) fails' in reasons[0]
    for _ in range(20):
        assert a.get('/readyz').status == 503 and a.image(number)['verdict'] == 'unknown'
    assert a.metric('kith_database_writable') == 0
    assert a.log().count('database away') == 1 and 'database back' not in a.log()
    world.mariadb.sql('SET GLOBAL read_only = 0')
    a.until_ready()
    until(lambda: 'database back' in a.log(), 'the line in the log')
    assert a.metric('kith_database_writable') == 1


def test_the_schema_can_be_applied_by_hand(world):
    """deploy/mariadb.sql is the output of `kith schema mariadb`. Once it is applied, kith needs no right to create tables."""
    printed = world.node('x').run('schema', 'mariadb').stdout
    assert (ROOT / 'deploy/mariadb.sql').read_text() == printed, 'run: kith schema mariadb >deploy/mariadb.sql'
    world.mariadb.sql(printed, 'kube')
    world.mariadb.sql("CREATE USER poor@'127.0.0.1' IDENTIFIED BY 'secret'; "
                      "GRANT SELECT, INSERT, UPDATE, DELETE ON kube.* TO poor@'127.0.0.1'")
    a = world.start('a', database=world.mariadb.url().replace('kith@', 'poor@'))
    number, = world.submit(a, a.picture('a.png', 1, 1, 1))
    assert a.finished(number)['verdict'] == 'unknown'


def test_two_nodes_make_the_schema_at_once(world):
    nodes = [world.node(name) for name in 'abcd']
    for node in nodes:
        node.launch()
    for node in nodes:
        until(node._serving, 'it to serve')
    assert world.mariadb.rows('SELECT COUNT(*) FROM schema_version WHERE version = 1') == [['1']]
    assert world.mariadb.rows('SELECT COUNT(*) FROM status_counts WHERE id = 0') == [['1']]


def test_a_wrong_password(world):
    world.secret.write_text('mistaken')
    refused(world.node('x'), f'KITH_DATABASE_PASSWORD_FILE ({world.secret})', 'kith', secret='mistaken')


def test_a_changed_password_is_read_again(world):
    """The server refuses the old one; kith goes on as soon as the file has the new one."""
    a = world.start('a')
    world.mariadb.sql("ALTER USER kith@'127.0.0.1' IDENTIFIED BY 'newer'")
    for (connection,) in world.mariadb.sql("SELECT id FROM information_schema.processlist WHERE user = 'kith'"):
        world.mariadb.try_sql(f'KILL {connection}')
    until(lambda: a.get('/readyz').status == 503 and 'database away' in a.log(), 'the refusal')
    until(lambda: f'KITH_DATABASE_PASSWORD_FILE ({world.secret})' in a.log(), 'the name of the file')
    world.secret.write_text('newer\n')
    until(lambda: a.get('/readyz').status == 200, 'the new password to be used')
    until(lambda: a.post('/v1/images', {'path': 'a.png'}).status == 202, 'the writers to be back')
    assert 'newer' not in a.log() and 'secret' not in a.log()


def test_a_database_that_is_not_there(world):
    refused(world.node('x', database=world.mariadb.url().replace('/kube', '/nowhere')), 'KITH_DATABASE', 'nowhere')


def test_no_right_to_make_tables(world):
    world.mariadb.sql("CREATE USER poor@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT SELECT ON kube.* TO poor@'127.0.0.1'")
    refused(world.node('x', database=world.mariadb.url().replace('kith@', 'poor@')), 'KITH_DATABASE', 'denied')


def test_a_schema_of_the_future(world):
    world.mariadb.sql('CREATE TABLE schema_version(version INT PRIMARY KEY); INSERT INTO schema_version VALUES(99)', 'kube')
    refused(world.node('x'), 'KITH_DATABASE', 'newer', '99')


def test_a_schema_that_is_one_version_ahead(world):
    """During a rolling update old nodes keep working: a schema version only adds."""
    a = world.start('a')
    a.stop()
    newest = int(world.mariadb.rows('SELECT MAX(version) FROM schema_version')[0][0])
    world.mariadb.sql(f'INSERT INTO kube.schema_version VALUES({newest + 1}); ALTER TABLE kube.images ADD COLUMN later INT')
    a.start()
    number, = world.submit(a, a.picture('a.png', 1, 1, 1))
    assert a.finished(number)['verdict'] == 'unknown'
    a.stop()
    world.mariadb.sql(f'INSERT INTO kube.schema_version VALUES({newest + 2})')
    refused(world.node('x'), 'KITH_DATABASE', 'newer')


def test_a_server_that_does_not_flush_each_commit_is_refused(world):
    world.mariadb.sql('SET GLOBAL innodb_flush_log_at_trx_commit = 2')
    refused(world.node('x'), 'innodb_flush_log_at_trx_commit', 'KITH_DURABILITY')
    assert world.start('y', durability='relaxed').get('/healthz').status == 200


def test_nats_without_sqlite(tmp_path, world):
    refused(world.node('x', database='sqlite'), 'KITH_NATS', 'KITH_DATABASE')


def test_a_database_that_is_not_there_yet_is_waited_for(world):
    world.mariadb.stop()
    a = world.node('a').start(ready=False)
    answer = a.post('/v1/images', {'path': 'a.png'})
    assert answer.status == 503 and answer.headers['retry-after'] and answer.json['type'].endswith('database-away')
    assert a.get('/healthz').status == 200 and 'KITH_DATABASE' in a.get('/readyz').text
    world.mariadb.start()
    a.until_ready()
    number, = world.submit(a, a.picture('a.png', 1, 1, 1))
    assert a.finished(number)['verdict'] == 'unknown'


@pytest.mark.parametrize('options, words', [((), 'JetStream'), (('-js',), 'other settings')])
def test_a_bus_without_a_work_queue(world, options, words):
    """Without a work queue the table is polled."""
    world.start('first').stop()
    stream, subject = f'kith_{world.cluster}_work', f'kith.{world.cluster}.work'
    server = Nats(world.folder / 'other', *(options or ('-l', 'log2')))
    server.start()
    try:
        if words == 'other settings':
            bus = Bus(server)
            bus.subscribe('answers')
            body = f'{{"name":"{stream}","subjects":["{subject}"],"retention":"limits","storage":"memory"}}'
            bus.socket.sendall(f'PUB $JS.API.STREAM.CREATE.{stream} answers {len(body)}\r\n{body}\r\n'.encode())
            assert b'error' not in bus.next()[1]
            bus.close()
        a = world.node('a', nats=server.url).start(ready=False)
        until(lambda: words in a.log(), 'the log line')
        assert 'KITH_NATS' in next(line for line in a.log().splitlines() if words in line)
        number, = world.submit(a, a.picture('a.png', 1, 1, 1))
        assert a.finished(number)['verdict'] == 'unknown'
    finally:
        server.stop()


def certificate(folder):
    """A certificate authority and a server certificate for 127.0.0.1."""
    def run(*command):
        subprocess.run(['openssl', *command], check=True, capture_output=True, cwd=folder)
    run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca', '-days', '2')
    run('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-out', 'req.pem', '-subj', '/CN=127.0.0.1')
    (folder / 'ext').write_text('subjectAltName=IP:127.0.0.1')
    run('x509', '-req', '-in', 'req.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'cert.pem',
        '-days', '2', '-extfile', 'ext')


def test_a_database_with_tls(world):
    folder = world.folder / 'pki'
    folder.mkdir()
    certificate(folder)
    world.mariadb.stop()
    world.mariadb.options = [f'--ssl-cert={folder}/cert.pem', f'--ssl-key={folder}/key.pem', '--require-secure-transport']
    world.mariadb.start()
    until(lambda: world.mariadb.try_sql('SELECT 1') is not None, 'the server')
    a = world.start('a', database_ca=folder / 'ca.pem')
    number, = world.submit(a, a.picture('a.png', 1, 1, 1))
    assert a.finished(number)['verdict'] == 'unknown'
    assert a.run('key', 'create', '--role', 'read').returncode == 0, 'the commands use TLS, too'
    other = world.folder / 'other-pki'
    other.mkdir()
    certificate(other)
    b = world.node('b', database_ca=other / 'ca.pem').start(ready=False)
    until(lambda: 'database away' in b.log(), 'a server of an unknown authority to be refused')
    assert b.get('/readyz').status == 503


def test_a_bus_with_tls_and_a_token(world):
    folder = world.folder / 'pki'
    folder.mkdir()
    certificate(folder)
    server = Nats(world.folder / 'secure', '-js', '--tls', '--tlscert', folder / 'cert.pem', '--tlskey', folder / 'key.pem',
                  '--auth', 'token-of-ours')
    server.start()
    try:
        a = world.start('a', nats=server.url, nats_token='token-of-ours', nats_ca=folder / 'ca.pem')
        until(lambda: a.metric('kith_bus_connected') == 1, 'the connection')
        other = world.folder / 'other-pki'
        other.mkdir()
        certificate(other)
        b = world.start('b', nats=server.url, nats_token='token-of-ours', nats_ca=other / 'ca.pem')
        until(lambda: ' bus away ' in b.log(), 'a server of an unknown authority to be refused')
        assert b.metric('kith_bus_connected') == 0 and 'token-of-ours' not in b.log()
    finally:
        server.stop()


def test_a_changed_password_of_the_bus_is_read_again(world):
    password = world.folder / 'nats-password'
    password.write_text('older')
    password.chmod(0o600)
    server = Nats(world.folder / 'closed', '-js', '--user', 'kith', '--pass', 'older')
    server.start()
    try:
        a = world.start('a', nats=server.url, nats_user='kith', nats_password_file=password)
        until(lambda: a.metric('kith_bus_connected') == 1, 'the connection')
        server.stop()
        server.options = '-js', '--user', 'kith', '--pass', 'newer'
        server.start()
        until(lambda: 'authentication error' in (server.folder / 'log').read_text(), 'the refusal')
        password.write_text('newer')
        until(lambda: a.metric('kith_bus_connected') == 1, 'the new password to be used')
    finally:
        server.stop()


def test_a_bus_with_user_and_password(world):
    server = Nats(world.folder / 'closed', '-js', '--user', 'kith', '--pass', 'key')
    server.answers = lambda: Nats.answers(server)
    server.start()
    try:
        a = world.start('a', nats=server.url, nats_user='kith', nats_password='wrong')
        until(lambda: 'KITH_NATS_USER' in a.log(), 'the log line with the setting')
        assert 'wrong' not in a.log()
        b = world.start('b', nats=server.url, nats_user='kith', nats_password='key')
        until(lambda: b.metric('kith_bus_connected') == 1, 'the right one to get in')
    finally:
        server.stop()
