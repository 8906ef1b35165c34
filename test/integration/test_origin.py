"""Who asks: clients behind proxies, pages of other sites, CORS."""
import re

import pytest
from harness import until

pytest.importorskip('h2.connection')
from http2 import Http2  # noqa: E402

LOOPBACK = '127.0.0.0/8, ::1'


def audited(kith, **headers):
    """The address in the audit line of a request, over both protocols."""
    seen = []
    client = Http2(kith)
    for number in range(2):
        name = f'p{len(re.findall("person added", kith.log()))}-{number}'
        if number == 0:
            kith.post('/v1/people', {'name': name}, **headers)
        else:
            client.call('POST', '/v1/people', b'{"name":"%s"}' % name.encode(), **headers)
        line = until(lambda: re.search(rf'person added" .*name={name} .*address=(\S+)', kith.log()), 'the audit line')
        seen.append(line.group(1))
    client.close()
    assert len(set(seen)) == 1, seen
    return seen[0]


def test_the_header_of_an_untrusted_address_is_ignored(kith):
    for headers in ({'x_forwarded_for': '203.0.113.5'}, {'forwarded': 'for=203.0.113.5'},
                    {'x_forwarded_for': 'x' * 5000}, {'x_forwarded_for': '1.1.1.1', 'forwarded': 'for=2.2.2.2'}):
        assert audited(kith, **headers) == '127.0.0.1'


def test_a_trusted_proxy_names_the_client(make):
    kith = make(trusted_proxies=LOOPBACK + ', 10.0.0.0/8').start()
    assert audited(kith) == '127.0.0.1'
    assert audited(kith, x_forwarded_for='203.0.113.5') == '203.0.113.5'
    assert audited(kith, x_forwarded_for='6.6.6.6, 203.0.113.5, 10.1.1.1') == '203.0.113.5'
    assert audited(kith, x_forwarded_for='::ffff:203.0.113.5') == '203.0.113.5'
    assert audited(kith, x_forwarded_for='2001:db8:1:2:3:4:5:6') == '2001:db8:1:2::'
    assert audited(kith, forwarded='for=203.0.113.9;proto=https') == '203.0.113.9'
    answer = kith.get('/healthz', x_forwarded_for='1.1.1.1', forwarded='for=2.2.2.2')
    assert answer.status == 400 and 'Forwarded' in answer.json['detail']
    assert kith.get('/healthz', x_forwarded_for='1' * 2048).status == 431


def test_lines_of_a_repeated_header_are_one_list(make):
    """HAProxy adds a line and leaves the client's own before it."""
    kith = make(trusted_proxies=LOOPBACK).start()
    client = Http2(kith)
    client.call('POST', '/v1/people', b'{"name":"Ann"}', **{'x-forwarded-for': ['6.6.6.6', '203.0.113.5']})
    client.close()
    until(lambda: re.search(r'name=Ann .*address=203\.0\.113\.5', kith.log()), 'the audit line')


def test_an_ipv4_client_of_an_ipv6_socket_has_its_ipv4_address(make):
    kith = make(api_listen='[::]:0', auth='none').start(ready=False)
    kith.api = '127.0.0.1:' + kith.api.rsplit(':', 1)[1]
    kith.until_ready()
    assert audited(kith) == '127.0.0.1'


def test_each_client_of_a_proxy_has_its_own_limit(make):
    kith = make(auth='keys', auth_failures=2, keys_poll='50ms', trusted_proxies=LOOPBACK).start()

    def guess(address):
        return kith.get('/v1/images', x_api_key='wrong', x_forwarded_for=address).status
    assert [guess('203.0.113.5') for _ in range(3)] == [401, 401, 429]
    assert guess('203.0.113.6') == 401
    assert guess('198.51.100.1, 203.0.113.5') == 429, 'an entry of the client itself changes nothing'


def test_connections_of_a_trusted_proxy_are_not_counted_as_one_client(make):
    kith = make(trusted_proxies=LOOPBACK, max_connections_per_address=2).start()
    clients = [kith.socket() for _ in range(8)]
    for client in clients:
        client.sendall(f'GET /healthz HTTP/1.1\r\nhost: {kith.api}\r\n\r\n'.encode())
        assert client.recv(100).startswith(b'HTTP/1.1 200 ')
        client.close()


@pytest.mark.parametrize('settings, headers, secure', [
    ({}, {}, False),
    ({}, {'x_forwarded_proto': 'https'}, False),
    ({'trusted_proxies': LOOPBACK}, {'x_forwarded_proto': 'https'}, True),
    ({'trusted_proxies': LOOPBACK}, {'x_forwarded_proto': 'http'}, False),
    ({'trusted_proxies': LOOPBACK}, {'forwarded': 'for=1.2.3.4;proto=https'}, True),
    ({'public_url': 'https://kith.example'}, {}, True)])
def test_the_cookie_is_secure_when_the_client_connects_by_https(make, settings, headers, secure):
    kith = make(**settings).start()
    answer = kith.post('/v1/session', {'key': 'a' * 20}, **headers)
    assert answer.status == 200 and ('; Secure' in answer.headers['set-cookie']) == secure


POST = ('POST', '/v1/people')
GET = ('GET', '/v1/images')


@pytest.mark.parametrize('settings, request_, headers, permitted', [
    # without settings: the own origin only
    ({}, POST, {}, True),
    ({}, POST, {'origin': 'http://{api}'}, True),
    ({}, POST, {'origin': 'http://evil.example'}, False),
    ({}, POST, {'origin': 'null'}, False),
    ({}, GET, {'origin': 'http://evil.example'}, False),
    ({}, GET, {'host': 'evil.example'}, False),
    ({}, GET, {'host': 'evil.example', 'x_forwarded_host': '127.0.0.1'}, False),
    # fetch metadata
    ({}, POST, {'sec_fetch_site': 'same-origin'}, True),
    ({}, POST, {'sec_fetch_site': 'none'}, True),
    ({}, POST, {'sec_fetch_site': 'cross-site'}, False),
    ({}, POST, {'sec_fetch_site': 'cross-site', 'sec_fetch_mode': 'navigate'}, False),
    ({}, POST, {'sec_fetch_site': 'same-site'}, False),
    ({}, POST, {'sec_fetch_site': ''}, False),
    ({}, GET, {'sec_fetch_site': 'cross-site', 'sec_fetch_mode': 'no-cors'}, False),
    ({}, GET, {'sec_fetch_site': 'cross-site', 'sec_fetch_mode': 'navigate'}, True),
    # a proxy that keeps the Host needs KITH_PUBLIC_URL on loopback
    ({'public_url': 'https://kith.example'}, POST, {'host': 'kith.example', 'origin': 'https://kith.example'}, True),
    ({'public_url': 'https://kith.example'}, POST, {'host': 'kith.example:443', 'origin': 'https://kith.example'}, True),
    ({'public_url': 'https://kith.example'}, POST, {'origin': 'https://kith.example'}, True),
    ({'public_url': 'https://kith.example'}, POST, {'origin': 'http://kith.example'}, False),
    ({'public_url': 'https://kith.example'}, POST, {'host': 'evil.example'}, False),
    # a proxy that replaces the Host reports it
    ({'trusted_proxies': LOOPBACK}, POST,
     {'x_forwarded_for': '1.2.3.4', 'x_forwarded_host': 'kith.example', 'origin': 'https://kith.example'}, True),
    ({'trusted_proxies': LOOPBACK}, POST,
     {'x_forwarded_for': '1.2.3.4', 'x_forwarded_host': 'kith.example', 'origin': 'https://evil.example'}, False),
    ({'trusted_proxies': LOOPBACK}, POST,
     {'forwarded': 'for=1.2.3.4;host=kith.example', 'origin': 'https://kith.example'}, True),
    ({}, POST, {'x_forwarded_host': 'kith.example', 'origin': 'https://kith.example'}, False),
])
def test_requests_of_other_sites(make, settings, request_, headers, permitted):
    kith = make(**settings).start()
    headers = {name: value.replace('{api}', kith.api) for name, value in headers.items()}
    method, path = request_
    answer = kith.call(method, path, {'name': 'Ann'} if method == 'POST' else None, **headers)
    client = Http2(kith)
    status, _ = client.call(method, path, b'{"name":"Bob"}' if method == 'POST' else b'', **headers)
    client.close()
    if permitted:
        assert answer.status in (200, 201) and status in (200, 201), (answer, status)
    else:
        assert answer.status == 403 and status == 403 and answer.json['type'].endswith('foreign-origin'), (answer, status)


def test_cors_is_off_by_default(kith):
    answer = kith.call('OPTIONS', '/v1/images', origin='https://app.example', access_control_request_method='POST')
    assert answer.status == 403 and 'access-control-allow-origin' not in answer.headers
    answer = kith.get('/v1/images')
    assert 'access-control-allow-origin' not in answer.headers and 'vary' not in answer.headers
    assert answer.headers['cross-origin-resource-policy'] == 'same-origin'


def test_cors_for_the_origins_of_the_setting(make):
    kith = make(cors_origins='https://app.example', auth='keys', keys_poll='50ms').start()
    key = kith.run('key', 'create', '--role', 'read').stdout.strip()
    until(lambda: kith.get('/v1/images', x_api_key=key).status == 200, 'the key to be loaded')
    preflight = {'origin': 'https://app.example', 'access_control_request_method': 'DELETE'}
    answer = kith.call('OPTIONS', '/v1/images/1', **preflight)
    assert answer.status == 204 and answer.headers['access-control-allow-origin'] == 'https://app.example'
    assert answer.headers['access-control-allow-methods'] == 'GET, HEAD, DELETE'
    assert 'x-api-key' in answer.headers['access-control-allow-headers']
    assert 'access-control-allow-credentials' not in answer.headers
    assert kith.call('OPTIONS', '/v1/nothing', **preflight).status == 404
    for headers, status in (({'x_api_key': key}, 200), ({}, 401)):
        answer = kith.get('/v1/images', origin='https://app.example', sec_fetch_site='cross-site', **headers)
        assert answer.status == status and answer.headers['access-control-allow-origin'] == 'https://app.example'
        assert answer.headers['vary'] == 'origin'
    answer = kith.get('/v1/images', origin='https://other.example', x_api_key=key)
    assert answer.status == 403 and 'access-control-allow-origin' not in answer.headers
    assert kith.get('/v1/images', x_api_key=key).headers['vary'] == 'origin'


@pytest.mark.parametrize('name, value', [('trusted_proxies', '10.0.0.0/33'), ('public_url', 'kith.example'),
                                         ('cors_origins', '*')])
def test_a_wrong_setting_is_refused_at_the_start(make, name, value):
    kith = make(**{name: value}).launch()
    assert kith.process.wait(20) == 2
    assert f'KITH_{name.upper()}' in kith.log() and value in kith.log()
