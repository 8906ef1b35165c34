"""The memory that clients can make the server hold: bodies under way, unread answers; and requests of clients that left."""
import re
import select
import signal
import socket

import pytest
from harness import closed_within, png, until

pytest.importorskip('h2.connection')
import h2.settings  # noqa: E402
from http2 import Http2  # noqa: E402

MB = 1 << 20


def head(kith, length, **more):
    lines = ''.join(f'{k.replace("_", "-")}: {v}\r\n' for k, v in more.items())
    return (f'POST /v1/images HTTP/1.1\r\nhost: {kith.api}\r\ncontent-type: image/png\r\ncontent-length: {length}\r\n'
            f'{lines}\r\n').encode()


def picture_of(size):
    """A picture of one colour followed by bytes that decoders ignore."""
    image = png(1, 2, 3)
    return image + b'\0' * (size - len(image))


def held(kith):
    return kith.metric('kith_http_memory_bytes')


@pytest.mark.parametrize('all_of_them, of_an_address', [('4MB', '64MB'), ('64MB', '4MB')])
def test_unfinished_http2_bodies_are_bounded_and_refused_in_words(make, all_of_them, of_an_address):
    kith = make(http_memory=all_of_them, http_address_memory=of_an_address).start()
    client = Http2(kith)
    body = picture_of(MB)
    streams = [client.begin('POST', '/v1/images', content_type='image/png', content_length=len(body)) for _ in range(20)]
    for stream in streams:
        client.send(stream, body[:-1])
    client.connection.ping(b'12345678')
    client.flush()
    until(lambda: any(type(e).__name__ == 'PingAckReceived' for e in client.read()), 'all to be read')
    assert held(kith) <= 5 * MB, '4 MB, and one read comes on top'
    for stream in streams:
        client.send(stream, body[-1:], end=True)
    answers = [client.answer(stream) for stream in streams]
    statuses = [status for status, _ in answers]
    assert statuses[0] == 202, 'the oldest body is kept'
    assert statuses.count(202) >= 3 and statuses.count(503) >= 10 and set(statuses) == {202, 503}
    assert all(b'KITH_HTTP_MEMORY' in text for status, text in answers if status == 503)
    status, _ = client.answer(client.request('POST', '/v1/images', body, content_type='image/png'))
    assert status == 202, 'there is room again'
    client.close()
    until(lambda: held(kith) == 0, 'the memory to be free')


def test_http1_bodies_above_the_budget_wait_and_are_served(make):
    kith = make(http_memory='3MB', http_address_memory='2MB').start()
    body = picture_of(MB)
    clients = [kith.socket() for _ in range(24)]
    for client in clients:
        client.sendall(head(kith, len(body)))
        client.setblocking(False)
    sent, most = [0] * len(clients), 0
    while min(sent) < len(body):
        _, ready, _ = select.select([], [c for c, n in zip(clients, sent) if n < len(body)], [], 30)
        assert ready, 'nobody may send'
        for n, client in enumerate(clients):
            if client in ready:
                sent[n] += client.send(body[sent[n]:sent[n] + 65536])
        most = max(most, held(kith))
    assert most <= 8 * MB, 'of 24 MB: the share, the oldest body, and complete ones until they are stored'
    for client in clients:
        client.setblocking(True)
        assert client.recv(100).startswith(b'HTTP/1.1 202')
        client.close()
    until(lambda: held(kith) == 0, 'the memory to be free')


@pytest.mark.parametrize('protocol', [1, 2])
def test_a_trickle_is_cut_and_a_slow_upload_is_not(make, protocol):
    kith = make(idle_timeout='1s', min_rate='1KB').start()
    body = picture_of(131072)

    def upload(step, pause):
        if protocol == 2:
            client = Http2(kith)
            stream = client.begin('POST', '/v1/images', content_type='image/png', content_length=len(body))
            send = lambda part, end: client.send(stream, part, end=end)  # noqa: E731
        else:
            client = kith.socket()
            client.sendall(head(kith, len(body)))
            send = lambda part, end: client.sendall(part)  # noqa: E731
        try:
            for at in range(0, min(len(body), 200 * step), step): # a trickle lasts 10 s, unless it is cut
                send(body[at:at + step], at + step >= len(body))
                select.select([], [], [], pause)
            if step < 100:
                return 'open'
            if protocol == 2:
                return client.answer(stream)[0]
            return int(client.recv(100).split()[1])
        except ConnectionError:
            return 'cut'
        finally:
            client.close()

    assert upload(2048, 0.05) == 202, '40 KB a second, for three windows'
    assert upload(2, 0.05) == 'cut', '40 bytes a second, and some frames'


def test_an_open_stream_does_not_shelter_an_unfinished_body(make):
    kith = make(idle_timeout='400ms').start()
    client = Http2(kith)
    client.request('GET', '/v1/events')
    client.begin('POST', '/v1/images', content_type='image/png', content_length=100000)
    assert closed_within(client.socket, 20)


def test_without_a_key_a_large_body_is_not_kept(make):
    kith = make(auth='keys', keys_poll='50ms', unknown_body='16KB').start()
    key = kith.run('key', 'create', '--role', 'submit').stdout.strip()
    body = picture_of(2 * MB)
    until(lambda: kith.post('/v1/images', body, content_type='image/png', x_api_key=key).status == 202, 'the key')

    client = kith.socket()
    client.sendall(head(kith, len(body)) + body[:100000])
    assert b'KITH_UNKNOWN_BODY' in client.recv(4096) or b'KITH_UNKNOWN_BODY' in client.recv(4096)
    assert closed_within(client, 20)

    client = Http2(kith)
    streams = [client.begin('POST', '/v1/images', content_type='image/png') for _ in range(10)]
    for stream in streams:
        client.send(stream, body, end=True)
    assert all(client.answer(stream)[0] == 401 for stream in streams)
    client.close()

    client = Http2(kith)
    for credentials in ({'x_api_key': key}, {'authorization': f'Bearer {key}'}):
        status, text = client.answer(client.request('POST', '/v1/images', body, content_type='image/png', **credentials))
        assert status == 202, text
    client.close()
    client = kith.socket()
    client.sendall(head(kith, len(body), X_Api_Key=key) + body)
    assert client.recv(100).startswith(b'HTTP/1.1 202')
    client.close()


def test_answers_that_are_not_read_are_bounded(make):
    kith = make(http_memory='8MB', http_address_memory='6MB').start()
    big = kith.images / 'big.png'
    big.write_bytes(picture_of(2 * MB))
    number, = kith.submit(big)
    kith.finished(number)
    client = Http2(kith)
    client.connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    client.flush()
    for _ in range(20):
        client.connection.send_headers(client.connection.get_next_available_stream_id(),
                                       client.headers('GET', f'/v1/images/{number}/photo'), end_stream=True)
    client.flush()
    until(lambda: kith.metric('kith_http_requests_total') >= 21, 'all to be asked')
    until(lambda: held(kith) >= 3 * MB, 'answers to wait')
    assert held(kith) <= 7 * MB
    client.close()
    until(lambda: held(kith) == 0, 'the memory to be free')


def test_requests_that_were_reset_are_not_worked_on(make):
    kith = make(max_resets=1000000).start()
    for n in range(50):
        kith.picture(f'{n}.png', n, 0, 0)
    kith.submit(*[kith.images / f'{n}.png' for n in range(50)])

    def burst():
        client = Http2(kith)
        for _ in range(40):
            stream = client.connection.get_next_available_stream_id()
            client.connection.send_headers(stream, client.headers('GET', '/v1/images'), end_stream=True)
            client.connection.reset_stream(stream, 8)
        client.flush()
        client.close()
        return re.search(r'^kith_actor_cancelled_total{actor="frontend"} [1-9]', kith.get('/metrics').text, re.M)
    until(burst, 'a request to be dropped')
    assert kith.get('/v1/images').status == 200


def test_a_cut_connection_is_not_dispatched(make):
    kith = make(max_resets=10).start()
    client = Http2(kith)
    for n in range(80):
        stream = client.connection.get_next_available_stream_id()
        client.connection.send_headers(stream, client.headers('POST', '/v1/people', content_type='application/json'))
        client.connection.send_data(stream, b'{"name":"Ghost %d"}' % n, end_stream=True)
        client.connection.reset_stream(stream, 8)
    client.flush()
    assert closed_within(client.socket, 20)
    assert len(kith.get('/v1/people?limit=500').json['people']) <= 12


def test_a_connection_of_many_requests_without_a_key_is_cut(make):
    """Each is answered before its reset arrives, so it is no cancelled request."""
    kith = make(auth='keys', max_resets=10, access_log='on').start()
    client = Http2(kith)
    for _ in range(80):
        stream = client.connection.get_next_available_stream_id()
        client.connection.send_headers(stream, client.headers('GET', '/v1/images'), end_stream=True)
        client.connection.reset_stream(stream, 8)
    client.flush()
    assert closed_within(client.socket, 20)
    until(lambda: 'why="requests without a key"' in kith.log(), 'the reason')
    assert kith.log().count(' status=401 ') <= 12
    assert kith.get('/healthz').status == 200


def test_clients_that_come_at_once_are_all_accepted(make):
    """More than are accepted in one turn of the loop."""
    kith = make().start()
    host, port = kith.api.rsplit(':', 1)
    kith.process.send_signal(signal.SIGSTOP)
    clients = [socket.create_connection((host, int(port)), timeout=20) for _ in range(100)]
    for client in clients:
        client.sendall(b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
    kith.process.send_signal(signal.SIGCONT)
    for client in clients:
        assert client.recv(4096).startswith(b'HTTP/1.1 200')
    again = socket.create_connection((host, int(port)), timeout=20)
    again.sendall(b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
    assert again.recv(4096).startswith(b'HTTP/1.1 200')


def test_an_address_with_many_idle_connections_makes_room_for_another(make):
    kith = make(max_connections=20, max_connections_per_address=18, idle_timeout='1h').start()
    host, port = kith.api.rsplit(':', 1)

    def connect(source):
        return socket.create_connection((host, int(port)), timeout=20, source_address=(source, 0))

    def answers(client):
        try:
            client.sendall(b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
            return client.recv(4096).startswith(b'HTTP/1.1 200')
        except ConnectionError:
            return False
    busy = connect('127.0.0.9')
    busy.sendall(head(kith, 200))
    until(lambda: held(kith) > 0, 'the head to be seen')
    idle = [connect('127.0.0.9') for _ in range(17)] + [connect('127.0.0.8') for _ in range(2)]
    until(lambda: kith.log().count('connection cut off') or all(answers(client) for client in idle), 'all to be open')
    others = [connect('127.0.0.7') for _ in range(3)]
    assert all(answers(client) for client in others)
    assert closed_within(idle[0], 20), 'the oldest idle one of the address with the most'
    assert 'room for another address' in kith.log()
    assert answers(idle[-1]) and answers(idle[-2]), 'not those of an address with few'
    busy.sendall(picture_of(200))
    assert busy.recv(100).startswith(b'HTTP/1.1 202'), 'nor one that sends a body'


def test_photos_that_nobody_fetches_are_not_read(make):
    kith = make(http_memory='8MB', http_address_memory='4MB').start()
    big = kith.images / 'big.png'
    big.write_bytes(picture_of(2 * MB))
    number, = kith.submit(big)
    kith.finished(number)
    clients = []
    for _ in range(3):
        client = Http2(kith)
        client.connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        for _ in range(90):
            client.connection.send_headers(client.connection.get_next_available_stream_id(),
                                           client.headers('GET', f'/v1/images/{number}/photo'), end_stream=True)
        client.flush()
        clients.append(client)
    until(lambda: kith.metric('kith_http_requests_total') >= 270, 'all to be asked')
    until(lambda: re.search(r'^kith_actor_handled_total{actor="pictures"} ([2-9]\d\d)', kith.get('/metrics').text, re.M),
          'all to be handled')
    rss = int(re.search(r'VmHWM:\s+(\d+)', open(f'/proc/{kith.process.pid}/status').read()).group(1)) // 1024
    assert rss < 300, 'eight reads of 2 MB beside the 4 MB of answers, not 270'
    for client in clients:
        client.close()
    until(lambda: held(kith) == 0, 'the memory to be free')
