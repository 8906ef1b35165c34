"""TLS: versions, HTTP/2 by ALPN, reload of certificates, clients that reset at every moment."""
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from h2 import connection as h2_connection
from harness import PATIENCE_S, png, until


def certificate(folder, name):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', f'/CN={name}',
                    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', folder / 'key.pem', '-out', folder / 'cert.pem'],
                   check=True, capture_output=True)
    (folder / 'key.pem').chmod(0o600)
    return {'tls_cert': folder / 'cert.pem', 'tls_key': folder / 'key.pem'}


@pytest.fixture
def files(tmp_path):
    return certificate(tmp_path, 'first')


@pytest.fixture
def secure(make, files):
    kith = make(**files, events_keepalive='200ms')  # by which an event stream notices that nobody is there
    kith.start(ready=False)
    until(lambda: ask(kith, '/readyz').startswith(b'HTTP/1.1 200'), 'kith to be ready')
    return kith


def context(kith, *protocols):
    c = ssl.create_default_context(cafile=kith.settings['tls_cert'])
    if protocols:
        c.set_alpn_protocols(protocols)
    return c


def connect(kith, *protocols, c=None):
    return (c or context(kith, *protocols)).wrap_socket(kith.socket(), server_hostname='127.0.0.1')


def read_all(s):
    data = b''
    while chunk := s.recv(65536):
        data += chunk
    return data


def ask(kith, path, extra=b''):
    with connect(kith) as s:
        s.sendall(b'GET ' + path.encode() + b' HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n' + extra + b'\r\n')
        return read_all(s)


def name_of(s):
    return dict(pair[0] for pair in s.getpeercert()['subject'])['commonName']


@pytest.mark.filterwarnings('ignore::DeprecationWarning')  # that an old version is old is the point
def test_versions_and_protocols(secure):
    with connect(secure, 'h2', 'http/1.1') as s:
        assert s.selected_alpn_protocol() == 'h2' and s.version() == 'TLSv1.3'
    with connect(secure, 'http/1.1') as s:
        assert s.selected_alpn_protocol() == 'http/1.1'
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(secure, c=old) as s:
        assert s.version() == 'TLSv1.2'
    old.set_ciphers('DEFAULT@SECLEVEL=0')
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        connect(secure, c=old)


def test_plain_text_is_not_answered(secure):
    with secure.socket() as s:
        s.sendall(b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
        assert not read_all(s).startswith(b'HTTP/1.1 200')
    assert ask(secure, '/healthz').startswith(b'HTTP/1.1 200')


def test_an_image_is_accepted_over_both_protocols(secure):
    url = f'https://{secure.api}/v1/identify'
    (secure.folder / 'a.png').write_bytes(png(1, 2, 3) + os.urandom(3 << 20))
    for protocol in ('--http1.1', '--http2'):
        answer = subprocess.run(['curl', '-sS', protocol, '--cacert', secure.settings['tls_cert'], '-H',
                                 'content-type: image/png', '--data-binary', f'@{secure.folder}/a.png', '-w',
                                 '%{http_version}', url], capture_output=True, text=True, timeout=PATIENCE_S)
        assert '"faces":[' in answer.stdout and answer.stdout.endswith('2' if protocol == '--http2' else '1.1'), \
            (answer, secure.log()[-3000:])


def test_the_cookie_is_for_tls_only(secure):
    with connect(secure) as s:
        body = b'{"key":"0123456789abcdef"}'
        s.sendall(b'POST /v1/session HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n'
                  b'content-length: %d\r\n\r\n%s' % (len(body), body))
        assert b'; Secure' in read_all(s)


def test_the_commands_connect_over_tls(secure):
    secure.settings['api_ca'] = secure.settings['tls_cert']
    assert secure.run('nodes').returncode == 0
    secure.settings['api_ca'] = None
    refused = secure.run('nodes')
    assert refused.returncode == 1 and 'certificate' in refused.stderr.lower()


def test_a_new_certificate_at_sighup_and_no_connection_is_dropped(secure, tmp_path):
    before = connect(secure)
    trust = context(secure)
    assert name_of(before) == 'first'
    certificate(tmp_path, 'second')
    secure.process.send_signal(signal.SIGHUP)
    until(lambda: ' certificate reloaded ' in secure.log(), 'the certificate to be read')
    with connect(secure) as after:
        assert name_of(after) == 'second'
    before.sendall(b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n')
    assert read_all(before).startswith(b'HTTP/1.1 200'), 'the old connection goes on'
    before.close()
    (tmp_path / 'cert.pem').write_text('rubbish')
    secure.process.send_signal(signal.SIGHUP)
    until(lambda: 'certificate not reloaded' in secure.log(), 'the complaint')
    with pytest.raises(ssl.SSLError):
        connect(secure, c=trust)  # still the second
    certificate(tmp_path, 'third')
    secure.process.send_signal(signal.SIGHUP)
    until(lambda: secure.log().count(' certificate reloaded ') == 2, 'the third to be read')
    with connect(secure) as after:
        assert name_of(after) == 'third'


def vanish(raw):
    """A reset, as when the client is killed."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    raw.close()


UPLOAD = [('content-type', 'image/png'), ('content-length', '9000000')]


def say_http1(s, method, path, headers):
    lines = ''.join(f'{name}: {value}\r\n' for name, value in [('host', '127.0.0.1'), *headers])
    s.sendall(f'{method} {path} HTTP/1.1\r\n{lines}\r\n'.encode())
    if headers:
        s.sendall(b'x' * 100000)


def say_http2(s, method, path, headers):
    h2 = h2_connection.H2Connection()
    h2.initiate_connection()
    h2.send_headers(1, [(':method', method), (':path', path), (':scheme', 'https'), (':authority', '127.0.0.1'), *headers],
                    end_stream=not headers)
    if headers:
        h2.send_data(1, b'x' * 16000)
    s.sendall(h2.data_to_send())


def test_clients_that_reset_at_every_moment_leave_no_connection(secure):
    for n in range(96):
        raw = secure.socket()
        if n % 8 == 1:  # half a greeting
            raw.sendall(b'\x16\x03\x01\x02\x00\x01')
        elif n % 8 == 2:
            raw.sendall(b'this is no greeting at all')
        if n % 8 < 3:  # or nothing said
            vanish(raw)
            continue
        protocol, say = ('h2', say_http2) if n // 8 % 2 else ('http/1.1', say_http1)
        s = context(secure, protocol).wrap_socket(raw, server_hostname='127.0.0.1')
        if n % 8 == 3:  # in the middle of an upload
            say(s, 'POST', '/v1/identify', UPLOAD)
        elif n % 8 in (4, 5):  # while it is answered, at length
            say(s, 'GET', '/v1/events', [])
        elif n % 8 == 6:
            say(s, 'GET', '/healthz', [])
            s.recv(100)
        vanish(s)

    def connections():
        text = ask(secure, '/metrics').decode()
        return int(re.search(r'^kith_http_connections (\d+)$', text, re.M).group(1))
    until(lambda: connections() == 1, f'the connections to end; there are {connections()}')


def test_a_faulty_connection_does_not_end_another(secure):
    """Invalid greetings and broken records do not disturb another client."""
    over = threading.Event()

    def rubbish():
        while not over.is_set():
            raw = [secure.socket() for _ in range(8)]
            for n, s in enumerate(raw):
                s.sendall(b'this is no greeting' if n % 2 else b'\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00')
            for s in raw:
                vanish(s)
    threads = [threading.Thread(target=rubbish) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with connect(secure) as s:
            for n in range(300):
                s.sendall(b'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
                answer = b''
                while b'\r\n\r\n' not in answer:
                    more = s.recv(4096)
                    assert more, f'cut off after {n} requests'
                    answer += more
                while not answer.endswith(b'}\n') and not answer.endswith(b'ok\n') and len(answer.split(b'\r\n\r\n')[1]) == 0:
                    answer += s.recv(4096)
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize('change,words', [
    ({'tls_key': None}, 'go together'), ({'tls_cert': '/no/such'}, 'KITH_TLS_CERT'), ({'tls_key': '/no/such'}, 'KITH_TLS_KEY')])
def test_wrong_certificate_files_are_refused_before_listening(make, files, change, words):
    kith = make(**{**files, **change}).launch()
    assert kith.process.wait(20) == 2 and words in kith.log()


def test_a_key_that_all_can_read_or_of_another_certificate_is_refused(make, files, tmp_path):
    (tmp_path / 'key.pem').chmod(0o644)
    kith = make(**files).launch()
    assert kith.process.wait(20) == 2 and 'chmod o-r' in kith.log()
    other = tmp_path / 'other'
    other.mkdir()
    kith = make(**{**files, 'tls_key': certificate(other, 'x')['tls_key']}).launch()
    assert kith.process.wait(20) == 2 and 'KITH_TLS_KEY' in kith.log()
