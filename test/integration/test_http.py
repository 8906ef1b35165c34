"""HTTP: both protocols, limits, and clients that are slow, abusive or disconnected."""
import re
import select
import socket
import subprocess
import time

import pytest
from harness import ROOT, Events, closed_within, png, until

h2 = pytest.importorskip('h2.connection')
import h2.settings  # noqa: E402
from http2 import Http2  # noqa: E402


def curl(kith, *arguments):
    return subprocess.run(['curl', '-s', '--noproxy', '*', '-o', '/dev/null', '-w', '%{http_code} %{http_version}',
                           *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize('flag, version', [('--http1.1', '1.1'), ('--http2-prior-knowledge', '2'), ('--http2', '2')])
def test_both_protocols_and_the_upgrade(kith, flag, version):
    ran = curl(kith, flag, f'http://{kith.api}/healthz')
    assert ran.stdout == f'200 {version}'


def test_many_streams_on_one_connection(kith):
    client = Http2(kith)
    streams = [client.request('POST', '/image/post', b'{"path":"%d.jpg"}' % n) for n in range(50)]
    waiting, statuses = set(streams), []
    while waiting:
        for event in client.read():
            if isinstance(event, h2.events.ResponseReceived):
                statuses.append(dict(event.headers).get(b':status') or dict(event.headers).get(':status'))
            elif isinstance(event, h2.events.StreamEnded):
                waiting.discard(event.stream_id)
    assert [int(s) for s in statuses] == [200] * 50
    assert len(kith.get('/v1/images?limit=500').json['images']) == 50
    client.close()


def test_a_body_over_the_limit_is_answered_on_both_protocols(make):
    kith = make(max_body='64KB').start()
    body = b'x' * 70000
    answer = kith.post('/v1/images', body, content_type='application/json')
    assert answer.status == 413 and 'KITH_MAX_BODY' in answer.json['detail'], answer
    client = Http2(kith)
    status, words = client.answer(client.request('POST', '/v1/images', body, content_type='application/json'))
    assert status == 413 and b'KITH_MAX_BODY' in words
    client.close()
    assert kith.post('/v1/images', b'x' * 500000, content_type='application/json').status == 413


def test_a_slow_upload_with_progress_is_served(make):
    kith = make(idle_timeout='600ms', min_rate='1').start()
    body = b'{"path":"slow.jpg"}'
    client = kith.socket()
    client.sendall(b'POST /image/post HTTP/1.1\r\nhost: %s\r\ncontent-length: %d\r\n\r\n' % (kith.api.encode(), len(body)))
    for byte in body:
        client.sendall(bytes([byte]))
        select.select([], [], [], 0.05)
    assert client.recv(100).startswith(b'HTTP/1.1 200')
    client.close()


@pytest.mark.parametrize('beginning', [
    b'', b'GET /he', b'POST /image/post HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{"pa',
    b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00'])
def test_an_idle_connection_is_closed(make, beginning):
    kith = make(idle_timeout='300ms').start()
    client = kith.socket()
    client.sendall(beginning)
    assert closed_within(client, 20)
    assert kith.get('/healthz').status == 200


def test_a_client_that_does_not_read_is_cut_off_and_costs_no_memory(make):
    kith = make(idle_timeout='500ms', request_timeout='1s', min_rate='1MB').start()
    big = kith.images / 'big.png'
    big.write_bytes(png(1, 2, 3) + b'\0' * 4000000)
    number, = kith.submit(big)
    kith.finished(number)
    client = Http2(kith)
    client.connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    client.flush()
    for _ in range(20):
        client.connection.send_headers(client.connection.get_next_available_stream_id(),
                                       client.headers('GET', f'/v1/images/{number}/photo'), end_stream=True)
    client.flush()
    until(lambda: kith.metric('kith_http_cut_off_total') >= 1, 'it to be cut off')
    client.close()


def test_a_client_that_resets_many_streams_is_cut_off(kith):
    client = Http2(kith)
    asked = 0
    try:
        for _ in range(200):
            for _ in range(20):
                stream = client.connection.get_next_available_stream_id()
                client.connection.send_headers(stream, client.headers('GET', '/v1/images'), end_stream=True)
                client.connection.reset_stream(stream, 8)
                asked += 1
            client.flush()
            if select.select([client.socket], [], [], 0)[0] and not client.socket.recv(65536):
                break
        else:
            assert closed_within(client.socket, 10)
    except (ConnectionError, BrokenPipeError):
        pass
    assert kith.metric('kith_http_cut_off_total') >= 1
    assert kith.get('/healthz').status == 200


def test_a_client_that_disconnects_loses_only_the_answer(make):
    kith = make(events_keepalive='50ms').start()
    kith.picture('a.png', 1, 2, 3)
    for n in range(20):
        client = kith.socket()
        body = b'{"path":"%d.png"}' % n
        client.sendall(b'POST /image/post HTTP/1.1\r\nhost: %s\r\ncontent-length: %d\r\n\r\n%s'
                       % (kith.api.encode(), len(body), body))
        client.close()
    until(lambda: len(kith.get('/v1/images').json['images']) == 20, 'all to be stored')
    events = Events(kith)
    events.close()
    until(lambda: kith.metric('kith_http_connections') <= 1, 'the connections to be gone')


def test_more_connections_than_allowed(make):
    kith = make(max_connections_per_address=8).start()
    clients = [kith.socket() for _ in range(30)]
    until(lambda: sum(closed_within(c, 0.05) for c in clients) >= 20, 'those over the limit to be closed')
    for client in clients:
        client.close()

    def room():
        try:
            return kith.get('/healthz').status == 200
        except ConnectionError:
            return False
    until(room, 'room again')


def test_every_answer_has_a_request_id(kith):
    assert kith.get('/healthz', x_request_id='mine-1').headers['x-request-id'] == 'mine-1'
    assert kith.get('/healthz', x_request_id='bad id').headers['x-request-id'] != 'bad id'
    assert kith.get('/healthz').headers['x-request-id'] != kith.get('/healthz').headers['x-request-id']


def test_the_page_is_served_with_an_etag_and_the_interface_described(kith):
    kith.api, api = kith.dashboard, kith.api
    page = kith.get('/')
    assert page.status == 200 and page.headers['content-type'].startswith('text/html')
    assert kith.get('/', if_none_match=page.headers['etag']).status == 304
    assert "default-src 'self'" in page.headers['content-security-policy']
    assert kith.get('/v1/images').status == 200
    kith.api = api
    assert kith.get('/openapi.yaml').body == (ROOT / 'proto/openapi.yaml').read_bytes()


def test_metrics_are_prometheus_text(kith):
    kith.finished(kith.submit(kith.picture('a.png', 1, 2, 3))[0])
    text = kith.get('/metrics').text
    described = set()
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            name = line.split()[2]
            assert name not in described, f'{name} is described twice'
            described.add(name)
        elif not line.startswith('#'):
            float(line.rsplit(' ', 1)[1])
            name = line.split('{')[0].split(' ')[0]
            base = name.rsplit('_', 1)[0] if name.rsplit('_', 1)[-1] in ('bucket', 'sum', 'count') else name
            assert name in described or base in described, line


def test_head_gets_the_headers_without_a_body(kith):
    client = kith.socket()
    for path, method in (('/healthz', 'GET'), ('/openapi.yaml', 'GET'), ('/nothing', 'GET'), ('/v1/images', 'GET')):
        length = int(kith.call(method, path).headers['content-length'])
        # A second request on the same connection: a body would stand before its status line.
        client.sendall(f'HEAD {path} HTTP/1.1\r\nhost: {kith.api}\r\n\r\n'.encode())
        answer = b''
        while not answer.endswith(b'\r\n\r\n'):
            answer += client.recv(1)
        found = int(re.search(rb'content-length: (\d+)', answer.lower()).group(1))
        assert answer.startswith(b'HTTP/1.1 ') and (found == length or path == '/nothing'), answer
    client.sendall(f'HEAD /healthz HTTP/1.1\r\nhost: {kith.api}\r\nconnection: close\r\n\r\n'.encode())
    rest = b''
    while data := client.recv(65536):
        rest += data
    assert rest.startswith(b'HTTP/1.1 200 OK\r\n') and rest.endswith(b'\r\n\r\n') and rest.count(b'\r\n\r\n') == 1
    client.close()


@pytest.mark.parametrize('path', ['/healthz', '/openapi.yaml', '/v1/events', '/nothing'])
def test_head_over_http2_gets_no_body(kith, path):
    client = Http2(kith)
    status, body = client.answer(client.request('HEAD', path))
    assert status == (404 if path == '/nothing' else 200) and body == b''
    assert client.answer(client.request('GET', '/healthz'))[0] == 200, 'the connection goes on'
    client.close()


def test_head_of_the_events_opens_no_stream(make):
    kith = make(max_subscribers=1).start()
    for _ in range(3):
        client = kith.socket()
        client.sendall(f'HEAD /v1/events HTTP/1.1\r\nhost: {kith.api}\r\nconnection: close\r\n\r\n'.encode())
        answer = b''
        while data := client.recv(65536):
            answer += data
        assert answer.startswith(b'HTTP/1.1 200 OK\r\n') and answer.endswith(b'\r\n\r\n'), answer
        assert b'text/event-stream' in answer
        assert b'x-accel-buffering: no\r\n' in answer and answer.count(b'cache-control: no-store\r\n') == 1, answer
        client.close()
    Events(kith).close()
