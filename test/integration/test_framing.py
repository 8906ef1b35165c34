"""HTTP/1 that two programs may read differently is refused; early answers reach the client; clients that left are noticed."""
import json
import os
import re
import signal
import socket
import ssl
import struct

import pytest

h2 = pytest.importorskip('h2')
pytest.importorskip('h2.connection')
from harness import closed_within, png, until
from http2 import Http2
from test_keys import make_key
from test_tls import ask, connect, files  # noqa: F401

FIRST = b'POST /v1/people HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n'
PERSON = b'{"name":"smuggled"}'
CHUNKED = b'transfer-encoding: chunked\r\n'
CHUNK = b'%x\r\n%s\r\n0\r\n\r\n' % (len(PERSON), PERSON)
MALFORMED = {
    'two lengths': FIRST + b'content-length: 19\r\ncontent-length: 5\r\n\r\n' + PERSON,
    'one length twice': FIRST + b'content-length: 19\r\ncontent-length: 19\r\n\r\n' + PERSON,
    'length and chunks': FIRST + b'content-length: 4\r\n' + CHUNKED + b'\r\n' + CHUNK,
    'chunks and length': FIRST + CHUNKED + b'content-length: 4\r\n\r\n' + CHUNK,
    'two encodings': FIRST + b'transfer-encoding: identity\r\n' + CHUNKED + b'\r\n' + CHUNK,
    'chunks in HTTP/1.0': FIRST.replace(b'1.1', b'1.0', 1) + CHUNKED + b'\r\n' + CHUNK,
    'folded': FIRST + b'x: a\r\n b\r\ncontent-length: 19\r\n\r\n' + PERSON,
    'space before the colon': FIRST + b'transfer-encoding : chunked\r\n\r\n' + CHUNK,
    'lines in LF': (FIRST + b'content-length: 19\r\n\r\n').replace(b'\r\n', b'\n') + PERSON,
    'a NUL': FIRST + b'x: a\0b\r\ncontent-length: 19\r\n\r\n' + PERSON,
    'two hosts': FIRST + b'host: localhost\r\ncontent-length: 19\r\n\r\n' + PERSON,
    'no host': FIRST.replace(b'host', b'x-host') + b'content-length: 19\r\n\r\n' + PERSON,
    'chunk lines in LF': FIRST + CHUNKED + b'\r\n' + CHUNK.replace(b'\r\n', b'\n'),
    'text after a size': FIRST + CHUNKED + b'\r\n' + CHUNK.replace(b'\r\n', b' x\r\n', 1),
    'garbage': b'\x16\x03\x01' + b'\0' * 600000,
    'an endless line': b'GET /' + b'a' * 600000,
    'an endless header': b'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ' + b'a' * 600000,
}
HEALTH = b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'


def sent(client, data, step=None):
    """All bytes of the answer until the server closes."""
    step = step or len(data)
    answer = b''
    try:
        for at in range(0, len(data), step):
            client.sendall(data[at:at + step])
    except ConnectionError:
        pass  # it was answered before
    try:
        while more := client.recv(65536):
            answer += more
    except ConnectionError:
        pass
    return answer


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_requests_are_refused_and_the_connection_is_closed(kith, name):
    data = MALFORMED[name] + HEALTH
    for before, step in ((b'', None), (b'', 1), (HEALTH * 2, None), (HEALTH * 2, 7)):
        if step and len(data) > 10000:
            continue
        answer = sent(kith.socket(), before + data, step)
        statuses = re.findall(rb'^HTTP/1\.1 (\d+)', answer, re.M)
        assert statuses[:-1] == [b'200'] * before.count(b'GET')
        assert statuses[-1] in (b'400', b'431'), answer[-300:]
        assert b'\r\nconnection: close\r\n' in answer[answer.rindex(b'HTTP/1.1 4'):].lower(), answer[-300:]
    assert kith.get('/v1/people').json['people'] == []
    until(lambda: kith.metric('kith_http_connections') == 1, 'the connections to be closed')
    assert kith.metric('kith_http_memory_bytes') == 0


UPGRADE = b'connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n'


@pytest.mark.parametrize('name', [n for n in MALFORMED if MALFORMED[n].startswith(FIRST)])
def test_an_upgrade_is_checked_like_other_requests(kith, name):
    """Also one whose bytes came with an earlier request."""
    data = MALFORMED[name].replace(b'\r\n', b'\r\n' + UPGRADE, 1)
    for before in (b'', HEALTH * 2):
        answer = sent(kith.socket(), before + data + HEALTH)
        statuses = re.findall(rb'^HTTP/1\.1 (\d+)', answer, re.M)
        assert statuses == [b'200'] * before.count(b'GET') + [b'400'], answer[-300:]
    assert kith.get('/v1/people').json['people'] == []


def test_requests_in_one_segment_are_answered_in_order(kith):
    body = json.dumps({'name': 'Ann'}).encode()
    chunked = FIRST + CHUNKED + b'\r\n3;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\nx: y\r\n\r\n' % (body[:3], len(body) - 3, body[3:])
    plain = FIRST + b'content-length: %d\r\n\r\n%s' % (len(body), body)
    last = HEALTH.replace(b'\r\n\r\n', b'\r\nconnection: close\r\n\r\n')
    data = HEALTH + chunked + HEALTH * 30 + plain + b'\r\n' + chunked + plain + last + HEALTH
    for step in (None, 1, 1000):
        answer = sent(kith.socket(), data, step)
        statuses = re.findall(rb'^HTTP/1\.1 (\d+)', answer, re.M)
        first = b'200' if step else b'201'  # it made the person, or there is one
        assert statuses == [b'200', first] + [b'200'] * 34, answer[-300:]
    assert [p['name'] for p in kith.get('/v1/people').json['people']] == ['Ann']
    until(lambda: kith.metric('kith_http_memory_bytes') == 0, 'the memory to be given back')


def test_a_body_that_waits_for_a_100_is_checked_to_its_end(kith):
    head = FIRST + CHUNKED + b'expect: 100-continue\r\n\r\n'
    for rest, status in ((b'e\r\ne":"Expected"}\r\n0\r\n\r\n', b'201'), (b'e\ne":"Expected"}\n0\n\n', b'400')):
        client = kith.socket()
        client.sendall(head + b'5\r\n{"nam\r\n')
        assert client.recv(100).startswith(b'HTTP/1.1 100')
        answer = sent(client, rest + HEALTH.replace(b'\r\n\r\n', b'\r\nconnection: close\r\n\r\n'))
        assert re.findall(rb'^HTTP/1\.1 (\d+)', answer, re.M)[0] == status, answer
    assert [p['name'] for p in kith.get('/v1/people').json['people']] == ['Expected']


def test_what_comes_with_the_end_of_the_handshake_is_checked(make, files):
    kith = make(**files).start(ready=False)
    for data in (MALFORMED['chunk lines in LF'], MALFORMED['two lengths'], HEALTH + MALFORMED['text after a size'],
                 HEALTH * 3):
        raw, incoming, outgoing = kith.socket(), ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ssl._create_unverified_context().wrap_bio(incoming, outgoing, server_hostname='127.0.0.1')
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        tls.write(data + HEALTH.replace(b'\r\n\r\n', b'\r\nconnection: close\r\n\r\n'))
        raw.sendall(outgoing.read())  # the end of the handshake and the requests, in one segment
        while more := raw.recv(65536):
            incoming.write(more)
        answer, good = tls.read(1 << 20), data.count(b'GET')
        while len(re.findall(rb'HTTP/1\.1 ', answer)) < good + 1:
            answer += tls.read(1 << 20)
        statuses = re.findall(rb'^HTTP/1\.1 (\d+)', answer, re.M)
        assert statuses == [b'200'] * good + [b'200' if data == HEALTH * 3 else b'400'], answer[-300:]
    assert b'smuggled' not in ask(kith, '/v1/people')


def test_an_upgrade_behind_another_request_goes_on_in_http2(kith):
    connection = h2.connection.H2Connection()
    settings = connection.initiate_upgrade_connection()
    upgrade = HEALTH.replace(b'\r\n\r\n', b'\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: '
                             + settings + b'\r\n\r\n')
    client = kith.socket()
    client.sendall(HEALTH + upgrade + connection.data_to_send())
    answer, ended = b'', False
    while b'101 Switching Protocols' not in answer or b'\r\n\r\n' not in answer.partition(b' 101 ')[2]:
        answer += client.recv(65536)
    frames = answer.partition(b' 101 ')[2].partition(b'\r\n\r\n')[2]
    while not ended:
        for event in connection.receive_data(frames):
            ended |= isinstance(event, h2.events.StreamEnded) and event.stream_id == 1
        client.sendall(connection.data_to_send())
        frames = b'' if ended else client.recv(65536)
    assert answer.startswith(b'HTTP/1.1 200')


def test_another_protocol_and_an_empty_path_end_the_connection(kith):
    for data in (b'INVALID CONNECTION PREFACE\r\n\r\n', b'EHLO mail.example\r\n', b'GET /\r\n\r\n'):
        assert sent(kith.socket(), data) == b'', data
    client = Http2(kith)
    client.connection.config.validate_outbound_headers = False
    client.connection.config.normalize_outbound_headers = False
    client.request('GET', '')
    assert closed_within(client.socket, 20)


def test_good_requests_of_old_clients_are_answered(kith):
    for data in (b'\r\n' + HEALTH, HEALTH.replace(b'1.1', b'1.0'),
                 FIRST + CHUNKED + b'\r\n' + CHUNK.replace(b'\r\n', b';a=b\r\n', 1)):
        for step in (None, 1):
            client = kith.socket()
            for at in range(0, len(data), step or len(data)):
                client.sendall(data[at:at + (step or len(data))])
            assert client.recv(100).split()[1] in (b'200', b'201', b'409'), data
            client.close()


def test_the_head_has_a_limit_that_names_its_setting(make):
    kith = make(max_head='4KB').start()
    head = b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: '
    assert sent(kith.socket(), head + b'a' * 3900 + b'\r\nconnection: close\r\n\r\n').startswith(b'HTTP/1.1 200')
    answer = sent(kith.socket(), head + b'a' * 4100 + b'\r\n\r\n')
    assert answer.startswith(b'HTTP/1.1 431 ') and b'KITH_MAX_HEAD' in answer


def big_upload(*headers):
    lines = ''.join(f'{h}\r\n' for h in headers)
    return (f'POST /v1/images HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\ncontent-length: 2000000\r\n{lines}'
            f'\r\n').encode() + png(1, 2, 3) + b'\0' * 300000


@pytest.mark.parametrize('tls', [False, True])
def test_an_upload_without_a_key_gets_its_answer(make, files, tls):
    kith = make(auth='keys', keys_poll='50ms', unknown_body='16KB', **(files if tls else {}))
    kith.start(ready=False)
    until(lambda: ' keys count=0' in kith.log(), 'the keys to be loaded')
    client = (lambda: connect(kith)) if tls else kith.socket
    answer = sent(client(), big_upload())
    assert answer.startswith(b'HTTP/1.1 401 ') and b'KITH_UNKNOWN_BODY' in answer and b'Bearer' in answer
    answer = sent(client(), big_upload('cookie: other=' + 'x' * 9000))
    assert answer.startswith(b'HTTP/1.1 431 ') and b'cookie' in answer and b'8191' in answer
    key = make_key(kith, 'submit')
    whole = big_upload(f'cookie: other={"x" * 5000}; kith_key={key}', 'connection: close')
    whole += b'\0' * 2000000

    def accepted():
        return b'HTTP/1.1 202' in sent(client(), whole)
    until(accepted, 'a key in a long cookie to be seen')


@pytest.mark.parametrize('protocol', [1, 2])
def test_wrong_keys_of_large_bodies_count_against_the_client_behind_the_proxy(make, protocol):
    kith = make(auth='keys', keys_poll='50ms', unknown_body='16KB', auth_failures=2, trusted_proxies='127.0.0.0/8').start()
    key = make_key(kith, 'read')

    def read(address):
        return kith.get('/v1/images', x_api_key=key, x_forwarded_for=address).status
    until(lambda: 'what="key added"' in kith.log(), 'the key')  # until then it is a wrong one, which counts
    assert read('192.0.2.1') == 200
    for n in range(3):
        if protocol == 1:
            answer = sent(kith.socket(), big_upload(f'x-api-key: wrong{n}wrong{n}wrong', 'x-forwarded-for: 192.0.2.7'))
            assert answer.startswith(b'HTTP/1.1 401 ')
        else:
            client = Http2(kith)
            status, _ = client.call('POST', '/v1/images', b'\0' * 200000, content_type='image/png',
                                    x_api_key=f'wrong{n}wrong{n}wrong', x_forwarded_for='192.0.2.7')
            assert status == 401
            client.close()
    assert read('192.0.2.7') == 429, 'that client has sent wrong keys'
    assert read('192.0.2.8') == 200, 'another client of the same proxy has not'


def leave(client, how):
    if how == 'reset':
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


@pytest.mark.parametrize('how', ['closed', 'reset'])
def test_a_client_that_leaves_before_its_answer_is_noticed(make, how):
    kith = make(workers=1, worker_queue=64, access_log='on').start()
    clients = []
    image = png(9, 9, 9, width=5000, height=5000)
    for n in range(30):
        client = kith.socket()
        client.sendall(b'POST /v1/identify HTTP/1.1\r\nhost: 127.0.0.1\r\nx-request-id: left-%d\r\ncontent-type: image/png\r\n'
                       b'content-length: %d\r\n\r\n' % (n, len(image)) + image)
        clients.append(client)
    until(lambda: kith.metric('kith_worker_queue') >= 10, 'the requests to wait')
    for client in clients:
        leave(client, how)
    until(lambda: kith.metric('kith_http_requests_active') <= 1, 'the requests to end', patience=20)
    until(lambda: kith.log().count('status=499') >= 5, 'the log lines')


def test_an_event_stream_whose_client_left_ends_before_its_next_keep_alive(make):
    kith = make(events_keepalive='1h').start()
    client = kith.socket()
    client.sendall(b'GET /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
    assert client.recv(100).startswith(b'HTTP/1.1 200')
    client.close()
    until(lambda: kith.metric('kith_http_streams') == 0, 'the stream to end', patience=20)


def test_a_refused_client_that_stays_does_not_keep_its_connection(make):
    kith = make(auth='keys', unknown_body='16KB', idle_timeout='1h').start()
    clients = [kith.socket() for _ in range(5)]
    for client in clients:
        client.sendall(big_upload()[:100000])
    until(lambda: all(closed_within(client, 20) for client in clients), 'the end')
    # none of them was closed by its client
    until(lambda: kith.get('/readyz').status == 200 and len(connections_of(kith)) <= 1, 'the sockets to be closed')


def connections_of(kith):
    """Established connections of the process, by /proc."""
    folder = f'/proc/{kith.process.pid}/fd'
    inodes = {m.group(1) for m in (re.match(r'socket:\[(\d+)\]', os.readlink(f'{folder}/{fd}')) for fd in os.listdir(folder)
                                   if os.path.islink(f'{folder}/{fd}')) if m}
    port = f':{int(kith.api.rsplit(":", 1)[1]):04X}'
    rows = [line.split() for line in open('/proc/net/tcp').readlines()[1:]]
    return [r for r in rows if r[9] in inodes and r[1].endswith(port) and r[3] != '0A']


def test_a_request_that_comes_while_its_connection_is_cut_does_not_keep_it(make):
    kith = make(max_connections=12, max_connections_per_address=11, idle_timeout='1h').start()
    host, port = kith.api.rsplit(':', 1)
    idle = []
    for _ in range(10):
        idle.append(kith.socket())
        idle[-1].sendall(HEALTH)
        assert idle[-1].recv(4096).startswith(b'HTTP/1.1 200')
    kith.process.send_signal(signal.SIGSTOP)  # both come at once: first the newcomers, by whom the oldest is cut, then the request
    others = [socket.create_connection((host, int(port)), source_address=('127.0.0.7', 0)) for _ in range(3)]
    for client in idle:
        client.sendall(HEALTH)
    kith.process.send_signal(signal.SIGCONT)
    for client in others:
        client.sendall(HEALTH)
        assert client.recv(4096).startswith(b'HTTP/1.1 200')
    assert 'room for another address' in kith.log()
    until(lambda: all(row[3] == '01' for row in connections_of(kith)), 'what was cut to be closed')
