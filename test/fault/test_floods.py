"""Clients that flood: others are served meanwhile, memory stays, and little is worked on. Numbers in brackets are those
of README.md."""
import os
import resource
import select
import socket
import struct
import threading
import time

import pytest
from harness import png, until

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, RESET, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_HEADERS = 4
MB = 1 << 20
MEMORY_MB = 64  # that a flood may cost
LATENCY_S = 5  # of another request meanwhile; milliseconds on a machine that does nothing else


def frame(kind, flags, stream, body=b''):
    return struct.pack('>I', len(body))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + body


def literal(name, value):
    return b'\0' + bytes([len(name)]) + name + bytes([len(value)]) + value


def post_headers(stream, flags=END_HEADERS):
    block = b'\x83\x86' + literal(b':path', b'/v1/people') + literal(b':authority', b'localhost')
    return frame(HEADERS, flags, stream, block + literal(b'content-type', b'application/json'))


def pings():
    while True:
        yield frame(PING, 0, 0, bytes(8)) * 1000


def settings():
    while True:
        yield frame(SETTINGS, 0, 0, struct.pack('>HI', 4, 65535)) * 1000


def continuations():
    """A header block without an end."""
    yield post_headers(1, flags=0)
    while True:
        yield frame(CONTINUATION, 0, 1, literal(b'x-flood', b'y' * 100) * 100)


def resets():
    stream = 1
    while True:
        yield b''.join(post_headers(n) + frame(DATA, 1, n, b'{"name":"Ghost"}') + frame(RESET, 0, n, struct.pack('>I', 8))
                       for n in range(stream, stream + 200, 2))
        stream += 200


def resets_of_the_server():
    """MadeYouReset: an illegal window update makes the server reset a stream that it works on."""
    stream = 1
    while True:
        yield b''.join(post_headers(n) + frame(DATA, 1, n, b'{"name":"Ghost"}') + frame(WINDOW_UPDATE, 0, n, bytes(4))
                       for n in range(stream, stream + 200, 2))
        stream += 200


def empty_data():
    yield post_headers(1)
    while True:
        yield frame(DATA, 0, 1) * 1000


def memory(kith):
    with open(f'/proc/{kith.process.pid}/statm') as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class Flood(threading.Thread):
    """Sends until it is closed or `megabytes` are sent; it reads and forgets what it gets."""

    def __init__(self, kith, parts, megabytes):
        super().__init__()
        self.socket, self.parts, self.left = kith.socket(), parts, megabytes * MB
        self.closed = False

    def run(self):
        self.socket.settimeout(20)
        try:
            self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))
            for part in self.parts:
                self.socket.sendall(part)
                self.left -= len(part)
                if self.left < 0:
                    return
                self.drain()
        except socket.timeout:
            pass
        except OSError:
            self.closed = True

    def drain(self):
        while select.select([self.socket], [], [], 0)[0]:
            if not self.socket.recv(MB):
                raise ConnectionError('closed')


@pytest.mark.parametrize('parts, must_close', [(pings, False), (settings, False), (continuations, True), (resets, True),
                                               (resets_of_the_server, False), (empty_data, False)],
                         ids=lambda p: p.__name__ if callable(p) else '')
def test_a_flood_of_frames_costs_the_others_nothing(kith, parts, must_close):
    """[30]"""
    kith.get('/v1/people')
    before = memory(kith)
    floods = [Flood(kith, parts(), 32) for _ in range(2)]
    for flood in floods:
        flood.start()
    longest_s = 0
    while any(flood.is_alive() for flood in floods):
        begin_s = time.monotonic()
        assert kith.get('/healthz').status == 200
        longest_s = max(longest_s, time.monotonic() - begin_s)
    assert longest_s < LATENCY_S
    for flood in floods:
        assert flood.closed or not must_close
        flood.socket.close()
    if not os.environ.get('KITH_SANITIZED'):
        assert memory(kith) - before < MEMORY_MB * MB
    until(lambda: kith.metric('kith_http_connections') <= 1, 'the connections to be gone')
    people = kith.get('/v1/people?limit=500').json['people']
    assert len(people) <= 1, people
    number, = kith.submit(kith.picture('a.png', 1, 2, 3))
    assert kith.finished(number)['verdict'] == 'unknown'


def test_without_descriptors_connections_are_refused_and_no_image_is_lost(kith):
    """[39] EMFILE."""
    honest = kith.socket()
    used = len(os.listdir(f'/proc/{kith.process.pid}/fd'))
    old = resource.prlimit(kith.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(kith.process.pid, resource.RLIMIT_NOFILE, (used + 10, old[1]))
    crowd = [kith.socket() for _ in range(40)]
    body = b'{"paths":[%s]}' % b','.join(b'"%s"' % str(kith.picture(f'{n}.png', n, 2, 3)).encode() for n in range(5))
    honest.sendall(b'POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n'
                   b'content-length: %d\r\n\r\n%s' % (len(body), body))
    assert honest.recv(65536).startswith(b'HTTP/1.1 202')
    for client in crowd:
        client.close()
    resource.prlimit(kith.process.pid, resource.RLIMIT_NOFILE, old)
    images = until(lambda: kith.get('/v1/images').json['images'], 'an answer')
    for image in images:
        assert kith.finished(image['id'])['verdict'] == 'unknown'
    upload = kith.post('/v1/images', png(1, 2, 3), content_type='image/png')
    assert kith.finished(upload.json['images'][0]['id'])['verdict'] == 'unknown'
