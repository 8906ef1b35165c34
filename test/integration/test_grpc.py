"""A remote recogniser with the original's face.proto: a real gRPC server that is available, away, slow or wrong."""
import json
import queue
import re
import subprocess
import sys
import threading

import pytest
from fixtures import needs_plugin
from harness import Events, PATIENCE_S, ROOT, free_port, png, until

pytestmark = needs_plugin('grpc')


class FaceServer:
    def __init__(self, stubs):
        self.stubs, self.port, self.process = stubs, free_port(), None
        self.calls = []

    def start(self, *tls, health='original'):
        self.lines = queue.Queue()
        self.process = subprocess.Popen([sys.executable, ROOT / 'test/integration/face_server.py', self.stubs,
                                         str(self.port), health, *map(str, tls)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, args=(self.process.stdout, self.lines), daemon=True).start()
        self.expect('serving')
        return self

    def read(self, stream, lines):
        for line in stream:
            if line.startswith(('identify', 'health', 'trace', 'check', 'overlap')):
                self.calls.append(line.strip())
            else:
                lines.put(line)

    def expect(self, word):
        assert self.lines.get(timeout=PATIENCE_S).startswith(word)

    def order(self, **orders):
        self.process.stdin.write(json.dumps(orders) + '\n')
        self.process.stdin.flush()
        self.expect('obeyed')

    def kill(self):
        self.process.kill()
        self.process.wait()

    def images(self):
        """The calls but those that ask for its health."""
        return [c for c in self.calls if not c.startswith(('health', 'check'))]

    def paths(self):
        return [c.split(' ', 1)[1] for c in self.calls if c.startswith('identify')]


def make_stubs(folder):
    """Python stubs for proto/face.proto, from the protobuf compiler."""
    subprocess.run(['protoc', f'--proto_path={ROOT}/proto', f'--python_out={folder}', f'--grpc_out={folder}',
                    '--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin', 'face.proto'], check=True)
    return folder


@pytest.fixture(scope='module')
def stubs(tmp_path_factory):
    return make_stubs(tmp_path_factory.mktemp('stubs'))


@pytest.fixture
def server(stubs):
    server = FaceServer(stubs)
    yield server
    if server.process and server.process.poll() is None:
        server.kill()


@pytest.fixture
def kith_of(make, server):
    def start(ready=True, **settings):
        return make(recognizer='grpc', **{'grpc_address': f'127.0.0.1:{server.port}', 'retry_backoff': '20ms',
                                          'breaker_timeout': '200ms', 'remote_check': '1h',
                                          **settings}).start(ready=ready)
    return start


def teach(kith, name, *photos):
    person = kith.post('/v1/people', {'name': name}).json['id']
    for photo in photos:
        answer = kith.post(f'/v1/people/{person}/photos', {'path': str(photo)})
        assert answer.status == 201, answer
    return person


def test_the_path_goes_out_and_the_photos_name_comes_back(kith_of, server):
    server.start()
    kith = kith_of()
    known = kith.picture('hannibal_1.png', 1, 2, 3)
    person = teach(kith, 'Hannibal', known)
    here = kith.picture('here.png', 4, 5, 6)
    unknown = kith.picture('unknown.png', 7, 8, 9)
    server.order(people={str(here): 'hannibal_1.png'})
    one, two = kith.submit(here, unknown)
    image = kith.finished(one)
    assert (image['status'], image['verdict']) == ('processed', 'known')
    assert image['person'] == {'id': person, 'name': 'Hannibal'}
    assert image['faces'][0]['box'] is None and image['faces'][0]['person']['id'] == person
    image = kith.finished(two)
    assert (image['status'], image['verdict'], image['person']) == ('processed', 'unknown', None)
    assert set(server.paths()) >= {str(here), str(unknown)}
    crop = kith.get(f'/v1/images/{one}/faces/0/crop')
    assert crop.status == 200, crop  # where the face is nobody said: it is the whole picture


def test_a_row_of_the_original_names_the_person(kith_of, server):
    """Rows that users of the original insert by hand: person and person_images."""
    import sqlite3
    server.start()
    kith = kith_of()
    kith.stop()
    with sqlite3.connect(kith.folder / 'data/kith.db') as records:
        records.execute("INSERT INTO person(id, name) VALUES(41, 'B.A.')")
        records.execute("INSERT INTO person_images(image_name, person_id) VALUES('ba_2.jpg', 41)")
    records.close()
    kith.start()
    server.order(answer='ba_2.jpg')
    number, = kith.submit(kith.picture('x.png', 1, 1, 1))
    assert kith.finished(number)['person'] == {'id': 41, 'name': 'B.A.'}
    found = kith.post('/v1/identify', {'path': str(kith.images / 'x.png')}).json['faces']
    assert [f['person'] for f in found] == [{'id': 41, 'name': 'B.A.'}]


def test_a_file_that_only_the_service_can_read_is_sent_by_path(kith_of, server):
    """As in the original, the folder is mounted at the service only."""
    server.start()
    kith = kith_of()
    elsewhere = kith.images / 'not here.jpg'
    server.order(people={str(elsewhere): 'x.jpg'})
    kith.post('/v1/people', {'name': 'x.jpg'})  # a label may be a person's name as well
    number, = kith.submit(elsewhere)
    assert kith.finished(number)['person']['name'] == 'x.jpg'
    outside = kith.post('/v1/images', {'path': '/etc/passwd'})
    assert outside.status == 403 and server.paths() == [str(elsewhere)]


def test_a_link_that_leads_out_is_not_sent(kith_of, server, tmp_path):
    server.start()
    kith = kith_of()
    (kith.images / 'link.jpg').symlink_to('/etc/passwd')
    number, = kith.submit(kith.images / 'link.jpg')
    assert kith.finished(number)['status'] == 'failed' and server.paths() == []


def test_an_image_keeps_its_label_until_the_photo_comes(kith_of, server):
    server.start()
    kith = kith_of(lease='300ms')
    server.order(answer='murdock_7.jpg')
    numbers = kith.submit(*[kith.picture(f'{n}.png', n, 1, 1) for n in range(3)])
    for number in numbers:
        image = kith.finished(number)
        assert (image['status'], image['verdict'], image['person']) == ('processed', 'unknown', None)
        assert image['faces'][0]['label'] == 'murdock_7.jpg'
    calls = len(server.paths())
    events = Events(kith)
    events.until('breaker')
    person = teach(kith, 'Murdock', kith.picture('murdock_7.jpg', 5, 5, 5))
    missing = set(numbers)

    def last(image):
        if image['person'] == {'id': person, 'name': 'Murdock'}:
            missing.discard(image['id'])
        return not missing
    events.until('image', last)
    events.close()
    for number in numbers:
        image = kith.image(number)
        assert (image['status'], image['verdict']) == ('processed', 'known')
        assert image['faces'][0]['similarity'] > 0.5 and image['faces'][0]['label'] == 'murdock_7.jpg'
    assert len(server.paths()) == calls, 'nothing is recognised again'


def test_a_label_is_resolved_by_a_row_of_another_program_or_the_name_of_a_person(kith_of, server):
    import sqlite3
    server.start()
    kith = kith_of(lease='300ms')
    server.order(answer='ba_2.jpg')
    first, = kith.submit(kith.picture('a.png', 1, 1, 1))
    kith.finished(first)
    server.order(answer='Face')
    second, = kith.submit(kith.picture('b.png', 2, 1, 1))
    kith.finished(second)
    records = sqlite3.connect(kith.folder / 'data/kith.db', timeout=30)
    with records:
        records.execute("INSERT INTO person(id, name) VALUES(41, 'B.A.')")
        records.execute("INSERT INTO person_images(image_name, person_id) VALUES('ba_2.jpg', 41)")
    records.close()
    until(lambda: kith.image(first)['person'] == {'id': 41, 'name': 'B.A.'}, 'the row of another program')
    assert kith.image(second)['verdict'] == 'unknown'
    person = kith.post('/v1/people', {'name': 'Face'}).json['id']
    until(lambda: kith.image(second)['person'] == {'id': person, 'name': 'Face'}, 'the person of that name')


def test_bytes_are_queued_as_a_file_and_refused_by_identify(kith_of, server):
    server.start()
    kith = kith_of()
    answer = kith.post('/v1/images', png(1, 2, 3), content_type='image/png')
    kith.finished(answer.json['images'][0]['id'])
    assert server.paths()[0].startswith(str(kith.folder / 'data'))
    refused = kith.post('/v1/identify', png(1, 2, 3), content_type='image/png')
    assert refused.status == 422 and 'path' in refused.json['detail']


def test_absent_at_the_start(kith_of, server):
    """kith starts first: no image is tried before the service has answered."""
    kith = kith_of(ready=False)
    numbers = kith.submit(*[kith.picture(f'{n}.png', n, 1, 1) for n in range(6)])
    until(lambda: kith.log().count('breaker state=probing') >= 2, 'it to look twice')
    assert 'breaker state=closed' not in kith.log()
    reason = until(lambda: [r for r in kith.get('/readyz').json['reasons'] if 'breaker is open' in r], 'the reason')[0]
    assert f'127.0.0.1:{server.port}' in reason
    assert all(kith.image(number)['status'] == 'pending' for number in numbers)
    server.start()
    for number in numbers:
        image = kith.finished(number)
        assert (image['verdict'], image['attempts']) == ('unknown', 1)
    assert 'health' in server.calls
    kith.until_ready()


def test_it_is_ready_while_the_service_answers(kith_of, server):
    """No image is submitted: the checks alone notice that the service goes and comes back."""
    kith = kith_of(ready=False, remote_check='50ms')

    def reasons():
        answer = kith.get('/readyz')
        return answer.status == 503 and ' '.join(answer.json['reasons'])
    until(lambda: f'127.0.0.1:{server.port}' in (reasons() or ''), 'the reason')
    server.start()
    kith.until_ready()
    server.kill()
    until(lambda: f'127.0.0.1:{server.port}' in (reasons() or ''), 'the reason again')
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))  # images are still taken
    server.start()
    kith.until_ready()
    assert kith.finished(number)['attempts'] == 1
    server.order(ready=False)
    until(lambda: 'reports that it is not ready' in (reasons() or ''), 'what it reports')
    server.order(ready=True)
    kith.until_ready()
    teach(kith, 'Hannibal', known := kith.picture('hannibal_1.png', 1, 2, 3))
    server.order(error='UNAVAILABLE')
    until(lambda: 'told to say UNAVAILABLE' in (reasons() or ''), 'what it says about the known photo')
    assert str(known) in server.paths()
    server.order(error=None)
    kith.until_ready()


@pytest.mark.parametrize('health', ['standard', 'none'])
def test_a_service_without_the_health_check_of_the_original(kith_of, server, health):
    """gRPC's own protocol is asked instead; a service without either is ready when it answers at all."""
    kith = kith_of(ready=False, remote_check='50ms')
    until(lambda: 'breaker state=open' in kith.log(), 'the breaker to open')
    server.start(health=health)
    kith.until_ready()
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    assert kith.finished(number)['verdict'] == 'unknown'
    if health == 'standard':
        assert 'check' in {c.split(' ')[0] for c in server.calls}
        server.order(ready=False)
        until(lambda: 'reports that it is not ready' in kith.get('/readyz').text, 'it not to be ready')
        server.order(ready=True)
        kith.until_ready()
    server.kill()
    until(lambda: kith.get('/readyz').status == 503, 'it not to be ready')


def test_photos_are_enrolled_and_shown_while_the_service_is_away(kith_of, server):
    """Neither needs it."""
    kith = kith_of(ready=False)
    photo = kith.picture('hannibal_1.png', 1, 2, 3)
    until(lambda: 'breaker state=open' in kith.log(), 'the breaker to open')
    person = teach(kith, 'Hannibal', photo)
    number, = kith.submit(photo)
    assert kith.get(f'/v1/images/{number}/photo?width=32').status == 200
    assert kith.get('/readyz').status == 503
    server.start()
    server.order(answer='hannibal_1.png')
    assert kith.finished(number)['person'] == {'id': person, 'name': 'Hannibal'}


def test_killed_and_back(kith_of, server):
    server.start()
    kith = kith_of(tries=20, workers=1)
    first, = kith.submit(kith.picture('a.png', 1, 1, 1))
    kith.finished(first)
    server.kill()
    second, = kith.submit(kith.picture('b.png', 2, 1, 1))
    until(lambda: 'breaker state=open' in kith.log(), 'the breaker to open')
    story = kith.log()
    # the fifth failure opens it: the image has been requeued after each of the four before it
    assert story[:story.index('breaker state=open')].count(f' requeued image={second} ') == 4, story
    assert re.search(r'breaker state=open .*reason="the remote recogniser 127\.0\.0\.1:\d+', story), story
    assert kith.post('/v1/images', {'path': str(kith.images / 'b.png')}).status == 202, 'images are still taken'
    until(lambda: kith.get('/readyz').status == 503, 'it not to be ready')
    server.start()
    assert kith.finished(second)['verdict'] == 'unknown'
    story = kith.log()
    story = story[story.index('state=open'):]
    assert story.index('state=probing') < story.rindex('state=closed')


def test_a_service_that_is_not_ready_keeps_the_breaker_open(kith_of, server):
    server.start()
    kith = kith_of(tries=20)
    server.order(ready=False, error='UNAVAILABLE')
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    until(lambda: 'reports that it is not ready' in kith.log(), 'the check to fail')
    server.order(ready=True, error=None)
    assert kith.finished(number)['verdict'] == 'unknown'


def test_a_service_that_is_ready_but_cannot_identify_keeps_the_breaker_open(kith_of, server):
    server.start()
    kith = kith_of(tries=20, workers=1)
    known = kith.picture('a.png', 1, 1, 1)
    first, = kith.submit(known)
    kith.finished(first)
    server.order(error='UNAVAILABLE')
    second, = kith.submit(kith.picture('b.png', 2, 1, 1))
    until(lambda: kith.log().count('breaker state=probing') >= 3, 'two health checks beside the first')
    story = kith.log()
    assert 'breaker state=closed' not in story[story.index('breaker state=open'):]
    server.order(error=None)
    assert kith.finished(second)['verdict'] == 'unknown'
    assert server.paths().count(str(known)) >= 3  # once as an image, then by each check


def test_a_health_check_asks_about_a_known_photo(kith_of, server):
    """It is closed only when the service answers for a photo that it must know."""
    kith = kith_of(ready=False, tries=20, workers=1)
    known = kith.picture('hannibal_1.png', 1, 2, 3)
    until(lambda: 'breaker state=open' in kith.log(), 'the breaker to open')
    person = teach(kith, 'Hannibal', known)
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    server.start()
    server.order(error='UNAVAILABLE', answer='hannibal_1.png')
    until(lambda: str(known) in server.paths(), 'the question about the known photo')
    assert 'breaker state=closed' not in kith.log()[kith.log().index('breaker state=open'):]
    server.order(error=None)
    assert kith.finished(number)['person'] == {'id': person, 'name': 'Hannibal'}


def test_one_call_at_a_time_is_the_default(kith_of, server):
    server.start()
    kith = kith_of(workers=0, remote_check='10ms')
    assert ' workers=1 ' in kith.log()
    known = kith.picture('known.png', 200, 1, 1)
    teach(kith, 'Hannibal', known)
    server.order(wait=0.05)
    for number in kith.submit(*[kith.picture(f'{n}.png', n, 1, 1) for n in range(10)]):
        kith.finished(number)
    until(lambda: server.paths().count(str(known)) > 3, 'checks')
    assert not [c for c in server.calls if c.startswith('overlap')]


def test_a_photo_that_is_enrolled_is_not_sent(kith_of, server):
    server.start()
    kith = kith_of()
    teach(kith, 'Hannibal', kith.picture('hannibal_1.png', 1, 2, 3))
    assert server.paths() == []


def test_a_unix_socket_is_refused_in_words(make):
    kith = make(recognizer='grpc', grpc_address='unix:/tmp/nothing').start(ready=False)
    until(lambda: 'no Unix sockets' in kith.get('/readyz').text, 'the reason')


def test_slow(kith_of, server):
    server.start()
    kith = kith_of(grpc_timeout='300ms', tries=2, breaker_failures=100)
    server.order(wait=20)
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    image = kith.finished(number)
    assert image['status'] == 'failed' and 'KITH_GRPC_TIMEOUT' in image['reason'] and image['attempts'] == 2
    server.order(wait=0)
    number, = kith.submit(kith.picture('b.png', 2, 1, 1))
    assert kith.finished(number)['verdict'] == 'unknown'


@pytest.mark.parametrize('answer,words', [('', 'empty name'), ('x' * 300, 'limit is 255')])
def test_wrong_answers(kith_of, server, answer, words):
    server.start()
    kith = kith_of(tries=2, breaker_failures=100)
    server.order(answer=answer)
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    image = kith.finished(number)
    assert image['status'] == 'failed' and words in image['reason'] and image['attempts'] == 2


def test_an_error_about_the_image_is_the_images(kith_of, server):
    server.start()
    kith = kith_of(tries=5)
    server.order(error='INVALID_ARGUMENT')
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    image = kith.finished(number)
    assert (image['status'], image['reason'], image['attempts']) == ('failed', 'told to say INVALID_ARGUMENT', 1)


def test_a_trace_reaches_the_remote_service(kith_of, server):
    """The trace id goes from the request through the queue to the service."""
    server.start()
    kith = kith_of(access_log='on')
    trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    path = str(kith.picture('a.png', 1, 1, 1))
    number = kith.post('/v1/images', {'path': path}, traceparent=trace).json['images'][0]['id']
    kith.finished(number)
    assert server.images() == [f'identify {path}', f'trace {trace}']
    assert re.search(rf' claimed image={number} .*trace={trace}', kith.log())
    assert re.search(rf' request .*trace={trace}', kith.log())
    kith.post('/v1/identify', {'path': path}, traceparent=trace)
    assert server.images()[2:] == [f'identify {path}', f'trace {trace}']
    for wrong in ('', 'x', trace.upper(), trace.replace('-', '_'), '00-' + '0' * 32 + '-b7ad6b7169203331-01', 'ff' + trace[2:]):
        kith.post('/v1/identify', {'path': path}, traceparent=wrong)
    assert server.calls.count(f'trace {trace}') == 2 and len([c for c in server.calls if c.startswith('trace')]) == 2


def test_tls(kith_of, server, tmp_path):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
                    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', tmp_path / 'key', '-out', tmp_path / 'cert'],
                   check=True, capture_output=True)
    server.start(tmp_path / 'cert', tmp_path / 'key')
    kith = kith_of(grpc_ca=tmp_path / 'cert')
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    assert kith.finished(number)['verdict'] == 'unknown'
    assert server.paths()


@pytest.mark.parametrize('settings,words', [
    ({'grpc_address': ''}, 'KITH_GRPC_ADDRESS'), ({'grpc_ca': '/no/such'}, 'KITH_GRPC_CA')])
def test_wrong_settings(make, settings, words):
    kith = make(recognizer='grpc', **{'grpc_address': '127.0.0.1:1', **settings}).start(ready=False)
    until(lambda: words in kith.log(), 'its words')
    ready = kith.get('/readyz')
    assert ready.status == 503 and words in ready.text


def test_a_name_that_does_not_resolve(kith_of):
    kith = kith_of(ready=False, grpc_address='no-such-host.invalid:50051')
    until(lambda: 'no-such-host.invalid' in kith.get('/readyz').text, 'the reason')


def test_a_plugin_gets_the_network_only_when_allowed(make, kith_of, server):
    from harness import BUILD
    server.start()
    settings = {'recognizer': BUILD / 'plugins/grpc.so', 'grpc_address': f'127.0.0.1:{server.port}'}
    kith = make(**settings).start(ready=False)
    until(lambda: 'KITH_PLUGIN_ALLOW_NET' in kith.log(), 'the refusal')
    kith.stop()
    kith = make(**settings, plugin_allow_net='on').start()
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    assert kith.finished(number)['verdict'] == 'unknown'
