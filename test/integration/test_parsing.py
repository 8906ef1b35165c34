"""Query parameters, headers and paths are parsed whole: a value that is wrong, too long or repeated is an error."""
import json
import re
import socket

import pytest
from harness import ROOT, png, until

pytest.importorskip('h2.connection')
from http2 import Http2  # noqa: E402

VALUES = ['1.9', '0x10', '%201', '', '-1', str(2 ** 64), 'true', 'TRUE', '1%00', '1%2', '1%zz', '%ff', '1' * 1100]
BROKEN = {'1%00', '1%2', '1%zz', '%ff', '1' * 1100}  # refused for any parameter
# What each kind accepts of VALUES, beside its own good values, which come first.
NUMBER, BOOL, STATUS, TEXT, VERDICT = 'number', 'bool', 'status', 'text', 'verdict'
FACE, FILE_STATE, FILE_CURSOR = 'face', 'state of a file', 'key of a file'
PARAMETERS = {
    ('GET', '/v1/images', 'status'): STATUS,
    ('GET', '/v1/images', 'verdict'): VERDICT,
    ('GET', '/v1/images', 'retryable'): BOOL,
    ('GET', '/v1/images', 'review'): BOOL,
    ('GET', '/v1/images', 'person'): NUMBER,
    ('GET', '/v1/images', 'after'): NUMBER,
    ('GET', '/v1/images', 'limit'): NUMBER,
    ('GET', '/v1/images', 'explain'): BOOL,
    ('POST', '/v1/images', 'filename'): TEXT,
    ('GET', '/v1/images/{id}', 'explain'): BOOL,
    ('GET', '/v1/images/{id}/photo', 'width'): NUMBER,
    ('GET', '/v1/images/{id}/faces/{n}/crop', 'width'): NUMBER,
    ('POST', '/v1/identify', 'explain'): BOOL,
    ('POST', '/v1/images/look-again', 'verdict'): VERDICT,
    ('POST', '/v1/images/look-again', 'person'): NUMBER,
    ('POST', '/v1/images/look-again', 'not_model'): TEXT,
    ('POST', '/v1/images/look-again', 'from_ms'): NUMBER,
    ('POST', '/v1/images/look-again', 'to_ms'): NUMBER,
    ('POST', '/v1/images/look-again', 'dry_run'): BOOL,
    ('POST', '/v1/images/retry', 'status'): STATUS,
    ('POST', '/v1/images/retry', 'reason'): TEXT,
    ('POST', '/v1/images/retry', 'older_ms'): NUMBER,
    ('POST', '/v1/images/retry', 'limit'): NUMBER,
    ('POST', '/v1/images/retry', 'now'): BOOL,
    ('POST', '/v1/images/retry', 'dry_run'): BOOL,
    ('GET', '/v1/people', 'after'): NUMBER,
    ('GET', '/v1/people', 'limit'): NUMBER,
    ('GET', '/v1/people', 'name'): TEXT,
    ('GET', '/v1/people/{id}/portrait', 'width'): NUMBER,
    ('GET', '/v1/merges', 'after'): NUMBER,
    ('GET', '/v1/merges', 'limit'): NUMBER,
    ('POST', '/v1/people/{id}/photos', 'name'): TEXT,
    ('POST', '/v1/people/{id}/photos', 'face'): FACE,
    ('GET', '/v1/people/folder', 'state'): FILE_STATE,
    ('GET', '/v1/people/folder', 'after'): FILE_CURSOR,
    ('GET', '/v1/people/folder', 'limit'): NUMBER,
    ('GET', '/v1/unknown', 'after'): NUMBER,
    ('GET', '/v1/unknown', 'limit'): NUMBER,
    ('GET', '/v1/events', 'after'): NUMBER,
    ('GET', '/v1/audit', 'after'): NUMBER,
    ('GET', '/v1/audit', 'limit'): NUMBER,
    ('GET', '/v1/audit', 'person'): NUMBER,
    ('GET', '/v1/audit', 'image'): NUMBER,
    ('GET', '/v1/audit', 'who'): TEXT,
    ('GET', '/v1/audit', 'action'): TEXT,
    ('GET', '/v1/audit', 'since_ms'): NUMBER,
    ('GET', '/v1/audit', 'until_ms'): NUMBER,
}
GOOD = {NUMBER: ['100'], BOOL: ['true', 'false', '1', '0'], STATUS: ['failed'], TEXT: ['Jos%C3%A9+1'],
        VERDICT: ['known', 'unknown', 'no_face'], FACE: ['0'], FILE_CURSOR: ['0' * 32, '9f' * 16],
        FILE_STATE: ['enrolled', 'refused', 'duplicate', 'gone', 'replaced', 'photo_deleted', 'all']}


def accepts(kind, value):
    if value in BROKEN or value == '':
        return False
    return kind == TEXT or (kind == BOOL and value == 'true')


def test_the_table_has_every_parameter_of_every_route():
    routes = re.findall(r'\{"([A-Z]+)", "([^"]+)", "\w+", \w+, \w+,\s+"([^"]+)"\}', (ROOT / 'actors/routes.c').read_text())
    assert {(method, path, word) for method, path, words in routes for word in words.split()} == set(PARAMETERS)


@pytest.fixture
def filled(kith):
    """An image with one face has the id 1, and a person has the id 1 and that face."""
    assert kith.submit(kith.picture('a.png', 1, 2, 3, width=256, height=256)) == [1]
    kith.finished(1)
    assert kith.post('/v1/people', {'name': 'Ann'}).json['id'] == 1
    assert kith.post('/v1/faces/1/person', {'person': 1, 'template': False}).status == 200
    return kith


def call_http1(kith):
    def call(method, target, body):
        answer = kith.call(method, target, body, **({'content_type': 'image/png'} if body else {}))
        return answer.status, answer.body
    return call, lambda: None


def call_http2(kith):
    client = Http2(kith)

    def call(method, target, body):
        return client.call(method, target, body or b'', **({'content_type': 'image/png'} if body else {}))
    return call, client.close


@pytest.mark.parametrize('protocol', [call_http1, call_http2])
def test_query_parameters_are_parsed_whole(filled, protocol):
    call, close = protocol(filled)
    wrong = []
    for number, ((method, path, name), kind) in enumerate(PARAMETERS.items()):
        target = path.replace('{id}', '1').replace('{n}', '0')
        colour = iter(range(256))
        queries = [(f'{name}={v}', accepts(kind, v)) for v in VALUES] + [(name, False)]
        if path != '/v1/events':  # a stream that is accepted does not end
            queries += [(f'{name}={v}', True) for v in GOOD[kind]]
        queries += [(f'{name}={GOOD[kind][0]}&{name}={GOOD[kind][-1]}', False)]
        for query, good in queries:
            body = png(number, next(colour), 200) if method == 'POST' and 'retry' not in path else None
            if 'look-again' in path:  # one at a time
                call('POST', '/v1/images/look-again/cancel', None)
            status, text = call(method, f'{target}?{query}', body)
            if (status < 300) != good or (not good and (status != 400 or f'“{name}”' not in json.loads(text)['detail'])):
                wrong.append((method, path, query[:60], status, text[:200]))
    close()
    assert not wrong, '\n'.join(map(str, wrong))


def test_a_dry_run_of_0_is_none(kith):
    number, = kith.submit('gone.png')
    kith.finished(number)
    assert kith.post('/v1/images/retry?dry_run=1').json == {'retried': 1, 'dry_run': True}
    assert kith.post('/v1/images/retry?dry_run=0').json == {'retried': 1, 'dry_run': False}


# Each header with its limit in bytes.
LIMITS = {'origin': 511, 'cookie': 8191, 'authorization': 263, 'x-api-key': 256, 'idempotency-key': 255,
          'content-type': 255, 'content-encoding': 63, 'content-disposition': 1024, 'last-event-id': 31,
          'if-none-match': 511, 'sec-fetch-site': 31}


@pytest.mark.parametrize('name', LIMITS)
def test_a_header_that_is_too_long_is_an_error(kith, name):
    client = Http2(kith)
    for path in ('/v1/images', '/healthz', '/v1/events'):
        long = 'x' * (LIMITS[name] + 1)
        answer = kith.get(path, **{name: long})
        assert answer.status == 431 and answer.json['title'] == 'Request Header Fields Too Large', answer
        assert f'“{name}”' in answer.json['detail'] and str(LIMITS[name]) in answer.json['detail']
        status, body = client.call('GET', path, **{name: long})
        assert status == 431 and f'“{name}”' in json.loads(body)['detail'], (status, body)
    client.close()


@pytest.mark.parametrize('length', [255, 256, 300, 511, 512, 5000])
def test_a_foreign_origin_of_any_length_is_refused(kith, length):
    origin = 'http://' + 'e' * (length - 7)
    assert kith.post('/image/post', '{"path":"a.jpg"}', origin=origin).status in (403, 431)
    client = Http2(kith)
    assert client.call('POST', '/image/post', b'{"path":"a.jpg"}', origin=origin)[0] in (403, 431)
    client.close()
    assert kith.get('/v1/images').json['images'] == []


@pytest.mark.parametrize('name, value', [('origin', 'http://a'), ('authorization', 'Bearer abc'), ('x-api-key', 'abc'),
                                         ('idempotency-key', 'abc'), ('last-event-id', '1'),
                                         ('content-type', 'image/png'), ('sec-fetch-site', 'none')])
def test_a_repeated_header_is_an_error(kith, name, value):
    client = Http2(kith)
    status, body = client.call('GET', '/v1/images', **{name: [value, value + '1']})
    assert status == 400 and f'“{name}”' in json.loads(body)['detail'], (status, body)
    client.close()
    text = raw(kith, f'GET /v1/images HTTP/1.1\r\nhost: {kith.api}\r\n{name}: {value}\r\n{name}: {value}1\r\n')
    assert text.startswith('HTTP/1.1 400 ') and f'“{name}”' in text, text


def raw(kith, head, body=''):
    """The whole answer to one request over HTTP/1.1."""
    client = kith.socket()
    client.sendall(f'{head}connection: close\r\n\r\n{body}'.encode('latin-1'))
    text = b''
    while data := client.recv(65536):
        text += data
    client.close()
    return text.decode()


def test_cookies_of_http2_are_joined(make):
    kith = make(auth='keys', keys_poll='50ms').start()
    key = kith.run('key', 'create', '--role', 'read').stdout.strip()
    until(lambda: kith.get('/v1/images', x_api_key=key).status == 200, 'the key to be loaded')
    client = Http2(kith)
    assert client.call('GET', '/v1/images', cookie=['other=1', f'kith_key={key}', 'more=2'])[0] == 200
    client.close()


@pytest.mark.parametrize('header, value', [
    ('authorization', 'Bearer ' + 'k' * 256), ('authorization', 'Bearer '), ('x-api-key', ''),
    ('cookie', 'kith_key=' + 'k' * 257), ('cookie', 'kith_key=')])
def test_a_key_that_is_too_long_or_empty_is_an_error(make, header, value):
    kith = make(auth='keys', keys_poll='50ms').start()
    answer = kith.get('/v1/images', **{header: value})
    assert answer.status == 401 and answer.json['type'].endswith(':wrong-key'), answer


@pytest.mark.parametrize('key', ['', 'caf\xe9'])
def test_an_idempotency_key_is_text(kith, key):
    text = raw(kith, f'POST /v1/images HTTP/1.1\r\nhost: {kith.api}\r\nidempotency-key: {key}\r\ncontent-length: 14\r\n',
               '{"path":"a.x"}')
    assert text.startswith('HTTP/1.1 400 ') and 'Idempotency-Key' in text, text
    assert kith.get('/v1/images').json['images'] == []


@pytest.mark.parametrize('value', ['', '1.9', '0x10', '-1', 'true', str(2 ** 64), '1-', '-', '1-0x2', '1-2-3', '1- 2', '1-+2',
                                   '1-' + 'f' * 16])
def test_last_event_id_is_parsed_whole(kith, value):
    answer = kith.get('/v1/events', last_event_id=value)
    assert answer.status == 400 and 'Last-Event-ID' in answer.json['detail']


@pytest.mark.parametrize('path', ['/v1/images', '/v1/identify', '/image/post', '/v1/people/1/photos'])
def test_bodies_that_are_encoded_or_multipart_are_refused_by_name(kith, path):
    kith.post('/v1/people', {'name': 'Ann'})
    client = Http2(kith)
    for coding in ('gzip', 'x' * 63):
        answer = kith.post(path, png(1, 2, 3), content_type='image/png', content_encoding=coding)
        assert answer.status == 415 and coding in answer.json['detail'], answer
        assert answer.headers['accept-encoding'] == 'identity'
        assert client.call('POST', path, png(1, 2, 3), content_encoding=coding)[0] == 415
    for kind in ('multipart/form-data; boundary=' + 'b' * 200, 'Multipart/Form-Data; boundary=x'):
        answer = kith.post(path, b'--x--', content_type=kind)
        assert answer.status == 415 and 'ultipart' in answer.json['detail'], answer
    client.close()


@pytest.mark.parametrize('method, path, allow', [
    ('GET', '/image/post', 'POST'), ('PUT', '/v1/images', 'POST, GET, HEAD'), ('POST', '/', 'GET, HEAD'),
    ('PUT', '/v1/people/1', 'GET, HEAD, PATCH, DELETE'), ('POST', '/healthz', 'GET, HEAD')])
def test_405_names_the_methods(kith, method, path, allow):
    if path == '/':
        kith.api = kith.dashboard
    answer = kith.call(method, path)
    assert answer.status == 405 and answer.headers['allow'] == allow and allow in answer.json['detail'], answer


def test_a_path_cannot_write_lines_of_the_answer(kith):
    answer = kith.post('/image/post', {'path': 'a\nimage saved with id: 99\n.png'})
    assert answer.status == 200 and len(answer.text.splitlines()) == 3, answer.text
    assert '\\x0aimage saved' in answer.text.splitlines()[0]


@pytest.mark.parametrize('name', ['a\r\nx-evil: 1', 'a"}', 'a\u2028b'])
def test_texts_of_clients_are_escaped(kith, name):
    """A name is given back in JSON, with a space for each line break, and begins no header."""
    answer = kith.post('/v1/people', {'name': name})
    assert 'x-evil' not in answer.headers
    assert answer.status == 201
    assert kith.get('/v1/people').json['people'][0]['name'] == ' '.join(name.split())
    answer = kith.get('/v1/images?status=' + 'a%22%7D%0d%0a')
    assert answer.status == 400 and answer.json['status'] == 400


def test_a_header_block_without_an_end_gets_no_route(kith):
    client = kith.socket()
    client.sendall(b'GET /healthz HTTP/1.1\r\nx: ' + b'y' * 200000)
    client.shutdown(socket.SHUT_WR)
    client.settimeout(20)
    try:
        assert b' 200 ' not in client.recv(65536)
    except ConnectionError:
        pass
    client.close()
    assert kith.get('/healthz').status == 200
