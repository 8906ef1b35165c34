"""API keys: created, sent, refused, revoked; and the audit log."""
import re

import pytest
from harness import closed_within, free_port, png, until

KEYS = {'auth': 'keys', 'keys_poll': '50ms'}


def make_key(kith, role, *more):
    made = kith.run('key', 'create', '--role', role, *more)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert re.fullmatch(r'kith_[0-9a-f]{48}', key)
    return key


@pytest.fixture
def keyed(make):
    def start(**settings):
        return make(**{**KEYS, **settings}).start()
    return start


def bearer(key):
    return {'authorization': f'Bearer {key}'}


def works(kith, key):
    return kith.get('/v1/images', **bearer(key)).status == 200


def test_without_a_key_nothing_but_health_is_answered(keyed):
    kith = keyed()
    for path in ('/healthz', '/readyz', '/openapi.yaml', '/v1/session'):
        assert kith.get(path).status == 200
    for method, path in (('GET', '/v1/images'), ('POST', '/v1/images'), ('POST', '/image/post'), ('GET', '/v1/events'),
                         ('GET', '/metrics'), ('GET', '/v1/stats'), ('GET', '/v1/nodes'), ('DELETE', '/v1/people/1'),
                         ('GET', '/v1/images/1/photo'), ('POST', '/v1/identify')):
        answer = kith.call(method, path, '{}' if method == 'POST' else None)
        assert answer.status == 401 and answer.headers['www-authenticate'] == 'Bearer', (path, answer)
        assert 'kith key create' in answer.json['detail']
    assert 'keys count=0' in kith.log()


def test_roles_and_the_ways_to_send_a_key(keyed):
    kith = keyed()
    submit, read, admin = (make_key(kith, r) for r in ('submit', 'read', 'admin'))
    until(lambda: works(kith, read) and works(kith, admin), 'the keys to be seen')
    path = str(kith.picture('a.png', 1, 2, 3))
    assert kith.post('/v1/images', {'path': path}, **bearer(submit)).status == 202
    assert kith.post('/v1/images', {'path': path}, x_api_key=submit).status == 202
    assert kith.get('/v1/images', cookie=f'other=1; kith_key={read}; more=2').status == 200
    assert kith.post('/v1/identify', png(1, 2, 3), content_type='image/png', **bearer(submit)).status == 200
    for key, method, where, needs in ((submit, 'GET', '/v1/images', 'read'), (read, 'POST', '/v1/images', 'submit'),
                                      (submit, 'POST', '/v1/people', 'admin'), (read, 'DELETE', '/v1/images/1', 'admin')):
        answer = kith.call(method, where, '{}' if method == 'POST' else None, **bearer(key))
        assert answer.status == 403 and needs in answer.json['detail'], answer
    assert kith.post('/v1/people', {'name': 'Ann'}, **bearer(admin)).status == 201
    both = make_key(kith, 'submit,read')
    until(lambda: works(kith, both), 'the key to be seen')
    assert kith.post('/v1/images', {'path': path}, **bearer(both)).status == 202


def test_a_revoked_key_is_refused(keyed):
    kith = keyed()
    key = make_key(kith, 'read', '--name', 'lodger')
    until(lambda: works(kith, key), 'the key to be seen')
    listed = kith.run('key', 'list').stdout
    assert 'lodger' in listed and key not in listed
    assert kith.run('key', 'revoke', '1').stdout == 'key 1 revoked\n'
    until(lambda: not works(kith, key), 'it to be gone')
    again = kith.run('key', 'revoke', '1')
    assert again.returncode == 1 and 'no key 1' in again.stderr
    log = kith.log()
    assert re.search(r'audit what="key added" key=1 name=lodger roles=read', log)
    assert re.search(r'audit what="key revoked" key=1 name=lodger', log)
    assert key not in log


def test_keys_from_a_file(make, tmp_path):
    file = tmp_path / 'keys'
    file.write_text('read 0123456789abcdef watcher\n')
    file.chmod(0o640)
    kith = make(api_keys_file=file, keys_poll='50ms').start()
    assert works(kith, '0123456789abcdef')
    assert kith.get('/v1/images').status == 401
    file.write_text('read fedcba9876543210 other\n')
    until(lambda: works(kith, 'fedcba9876543210'), 'the new file')
    assert not works(kith, '0123456789abcdef')
    file.write_text('nonsense')
    until(lambda: 'API keys not reloaded' in kith.log(), 'the error')
    assert works(kith, 'fedcba9876543210')


@pytest.mark.parametrize('text,mode,words', [
    ('read 0123456789abcdef', 0o644, 'chmod o-r'), ('king 0123456789abcdef', 0o600, 'line 1'),
    ('read short', 0o600, 'line 1'), (None, 0, 'cannot read')])
def test_a_wrong_key_file_is_refused_at_the_start(make, tmp_path, text, mode, words):
    file = tmp_path / 'keys'
    if text:
        file.write_text(text)
        file.chmod(mode)
    kith = make(api_keys_file=file).launch()
    assert kith.process.wait(20) == 2
    assert words in kith.log() and 'KITH_API_KEYS_FILE' in kith.log()


def test_an_address_with_many_wrong_keys_has_to_wait(keyed):
    kith = keyed(auth_failures=3)
    key, late = make_key(kith, 'read'), make_key(kith, 'read')
    until(lambda: works(kith, key), 'the key to be seen')
    for n in range(20):
        answer = kith.get('/v1/images', **bearer(f'guess{n}'))
        if answer.status == 429:
            break
        assert answer.status == 401
    assert answer.status == 429 and 0 < int(answer.headers['retry-after']) <= 60
    assert 'KITH_AUTH_FAILURES' in answer.json['detail']
    assert works(kith, key), 'a key that came from here before still works'
    assert kith.get('/v1/images', **bearer(late)).status == 429
    assert kith.log().count('wrong key') <= 4


def test_listening_beyond_loopback_needs_an_authentication_setting(make):
    kith = make(api_listen='0.0.0.0:0').launch()
    assert kith.process.wait(20) == 2
    assert 'KITH_AUTH=keys' in kith.log() and 'KITH_AUTH=none' in kith.log()
    kith = make(api_listen='0.0.0.0:0', auth='keys').start(ready=False)
    kith.stop()


def test_the_commands_send_their_key(keyed, tmp_path):
    kith = keyed()
    refused = kith.run('nodes')
    assert refused.returncode == 1 and 'needs an API key' in refused.stderr
    key = make_key(kith, 'admin')
    until(lambda: works(kith, key), 'the key to be seen')
    kith.variables['KITH_API_KEY'] = key
    assert kith.run('nodes').returncode == 0
    assert kith.run('retry').returncode == 0


def test_changes_of_people_are_logged_for_audit(keyed):
    kith = keyed()
    key = make_key(kith, 'admin', '--name', 'clerk')
    until(lambda: works(kith, key), 'the key to be seen')
    person = kith.post('/v1/people', {'name': 'Ann'}, **bearer(key)).json['id']
    photo = kith.post(f'/v1/people/{person}/photos', png(200, 1, 1), content_type='image/png', **bearer(key)).json['id']
    kith.call('PATCH', f'/v1/people/{person}', {'name': 'Anna'}, **bearer(key))
    number = kith.post('/v1/images', {'path': str(kith.picture('a.png', 1, 200, 1))}, **bearer(key)).json['images'][0]['id']
    face = until(lambda: kith.get(f'/v1/images/{number}', **bearer(key)).json['faces'], 'the face')[0]['id']
    kith.post(f'/v1/faces/{face}/person', {'name': 'Bob'}, **bearer(key))
    kith.call('DELETE', f'/v1/people/{person}/photos/{photo}', **bearer(key))
    kith.call('DELETE', f'/v1/people/{person}', **bearer(key))
    story = re.findall(r' audit what="?([a-z ]+)"? person=(\d+) (?:photo|image)=(\d+).* who=(\w+) address=(\S+) request=\S+', kith.log())
    assert [s[0] for s in story] == ['person added', 'photo added', 'person renamed', 'face named', 'photo deleted',
                                     'person deleted']
    assert all(who == 'clerk' and address == '127.0.0.1' for *_, who, address in story)
    assert story[1][1:3] == (str(person), str(photo)) and story[3][2] == str(number)


def test_a_session_is_a_cookie_that_no_script_reads(keyed):
    kith = keyed()
    key = make_key(kith, 'read')
    until(lambda: works(kith, key), 'the key to be seen')
    assert kith.get('/v1/session').json == {'auth': 'keys', 'roles': [], 'name': None}
    answer = kith.post('/v1/session', {'key': key})
    assert answer.status == 200 and answer.json['roles'] == ['read']
    cookie = answer.headers['set-cookie']
    assert 'HttpOnly' in cookie and 'SameSite=Strict' in cookie and 'Path=/' in cookie
    assert kith.get('/v1/session', cookie=cookie.split(';')[0]).json['roles'] == ['read']
    assert kith.post('/v1/session', {'key': 'x'}).status == 401
    gone = kith.call('DELETE', '/v1/session')
    assert gone.status == 204 and 'Max-Age=0' in gone.headers['set-cookie']


def test_without_authentication_a_session_tells_so(kith):
    assert kith.get('/v1/session').json == {'auth': 'none', 'roles': ['submit', 'read', 'admin'], 'name': None}


@pytest.mark.parametrize('auth', ['none', 'keys'])
@pytest.mark.parametrize('key', ['x\r\nX-Evil: 1', 'x; Domain=example.org', 'x\ty', 'kéy'])
def test_a_key_that_a_cookie_cannot_carry_is_refused(make, auth, key):
    kith = make(auth=auth).start()
    answer = kith.post('/v1/session', {'key': key})
    assert answer.status == 400 and '“key”' in answer.json['detail'], answer
    assert 'x-evil' not in answer.headers and 'set-cookie' not in answer.headers


def test_the_status_line_has_the_reason_phrase(keyed):
    kith = keyed(auth_failures=1)
    titles = set()
    for n in range(3):
        answer = kith.get('/v1/images', **bearer(f'guess{n}'))
        titles.add((answer.status, answer.json['title']))
    assert titles == {(401, 'Unauthorized'), (429, 'Too Many Requests')}
    client = kith.socket()
    client.sendall(f'GET /v1/images HTTP/1.1\r\nhost: {kith.api}\r\n\r\n'.encode())
    assert client.recv(100).startswith(b'HTTP/1.1 401 Unauthorized\r\n')
    client.close()


@pytest.mark.parametrize('change', ['revoke', 'file'])
def test_a_revoked_key_loses_its_event_stream(make, tmp_path, change):
    file = tmp_path / 'keys'
    file.write_text('read 0123456789abcdef same\nread aaaaaaaaaaaaaaaa stays\n')
    file.chmod(0o600)
    kith = make(api_keys_file=file, keys_poll='50ms', events_keepalive='50ms').start()
    key = '0123456789abcdef'
    if change == 'revoke':
        key = make_key(kith, 'read')
        until(lambda: works(kith, key), 'the key to be loaded')
    stays, ends = kith.socket(), kith.socket()
    for client, text in ((stays, 'aaaaaaaaaaaaaaaa'), (ends, key)):
        client.sendall(f'GET /v1/events HTTP/1.1\r\nhost: {kith.api}\r\nx-api-key: {text}\r\n\r\n'.encode())
        assert client.recv(65536).startswith(b'HTTP/1.1 200 ')
    if change == 'revoke':
        assert kith.run('key', 'revoke', '1').returncode == 0
    else:  # another key under the same name
        file.write_text('read fedcba9876543210 same\nread aaaaaaaaaaaaaaaa stays\n')
    ends.settimeout(20)
    while ends.recv(65536):
        pass
    headers = {'x_api_key': 'aaaaaaaaaaaaaaaa'}
    assert kith.get('/v1/images', **headers).status == 200
    stays.settimeout(20)
    assert stays.recv(65536), 'the stream of another key goes on'
    ends.close()
    stays.close()


def streams_end(kith, key, end):
    """Whether the event stream of a key ends after end()."""
    stream = kith.socket()
    stream.sendall(f'GET /v1/events HTTP/1.1\r\nhost: {kith.api}\r\nx-api-key: {key}\r\n\r\n'.encode())
    assert b' 200 ' in stream.recv(4096)
    end()
    return closed_within(stream, 20)


def test_a_revoked_key_ends_its_event_streams(keyed):
    kith = keyed(events_keepalive='1h')
    key, other = make_key(kith, 'read'), make_key(kith, 'read')
    until(lambda: works(kith, key) and works(kith, other), 'the keys to be seen')
    assert streams_end(kith, key, lambda: kith.run('key', 'revoke', '1'))
    assert works(kith, other)


def test_an_expired_key_is_refused_by_name_and_ends_its_event_streams(keyed):
    kith = keyed(events_keepalive='1h')
    key = make_key(kith, 'read', '--name', 'lodger', '--expires', '3s')
    make_key(kith, 'read', '--expires', '30d')
    listed = kith.run('key', 'list').stdout
    assert 'expires' in listed.splitlines()[0] and listed.count('20') >= 4, listed
    until(lambda: works(kith, key), 'the key to be seen')
    assert streams_end(kith, key, lambda: None)
    answer = kith.get('/v1/images', **bearer(key))
    assert answer.status == 401 and answer.json['type'].endswith('key-expired') and 'lodger' in answer.json['detail']
    assert kith.post('/v1/session', {'key': key}).status == 401
    upload = kith.post('/v1/images', png(1, 2, 3) + b'\0' * 100000, content_type='image/png', **bearer(key))
    assert upload.status == 401
    until(lambda: re.search(r'audit what="key expired" key=1 name=lodger', kith.log()), 'the audit line')


@pytest.mark.parametrize('expires', ['0d', '-1d', '30', 'soon', '1e9d', '40000d', 'nand'])
def test_a_wrong_expiry_is_refused(kith, expires):
    made = kith.run('key', 'create', '--role', 'read', f'--expires={expires}')
    assert made.returncode == 2 and '--expires' in made.stderr and made.stdout == ''


def test_a_body_that_comes_before_the_keys_are_loaded_is_no_wrong_key(make):
    """The database is away: a valid key cannot be known."""
    kith = make(**KEYS, database=f'mariadb://kith@127.0.0.1:{free_port()}/kith', unknown_body='16KB', auth_failures=1)
    kith.start(ready=False)
    for _ in range(3):
        answer = kith.post('/v1/images', png(1, 2, 3) + b'\0' * 200000, content_type='image/png', x_api_key='k' * 20)
        assert answer.status == 503 and answer.json['type'].endswith('keys-not-read'), answer
        assert kith.post('/v1/session', {'key': 'k' * 20}).status == 503
    assert 'wrong key' not in kith.log()
