"""A real kith in its own folder, on free ports, and a client for it.

No function waits by sleeping: `until` polls a condition with a deadline and fails with the last value.
"""
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('KITH_BUILD', ROOT / 'build/release'))
PATIENCE_S = float(os.environ.get('KITH_PATIENCE', '60'))


def until(condition, what='it', patience=PATIENCE_S, pause=0.02):
    deadline = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f'gave up waiting for {what}; last seen: {result!r}')
        select.select([], [], [], pause)


def closed_within(client, seconds):
    deadline = time.monotonic() + seconds
    client.settimeout(seconds)
    try:
        while time.monotonic() < deadline:
            if not client.recv(65536):
                return True
    except ConnectionError:
        return True
    except socket.timeout:
        return False
    return False


def png(red, green, blue, width=64, height=64):
    """An image of one colour: the example recogniser distinguishes images by their colours."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    row = b'\0' + bytes((red, green, blue)) * width
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(row * height)) + chunk(b'IEND', b''))


def png_header(width, height):
    """Only the header with the size."""
    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + b'IHDR' + head
            + struct.pack('>I', zlib.crc32(b'IHDR' + head)) + b'\0' * 64)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f'{self.status} {self.body[:300]!r}'


class Kith:
    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.images = self.folder / 'images'
        self.images.mkdir(parents=True, exist_ok=True)
        self.settings = {'recognizer': 'example', 'workers': 2, 'api_listen': '127.0.0.1:0',
                         'dashboard_listen': '127.0.0.1:0', 'data': self.folder / 'data', 'image_roots': self.images,
                         'models': ROOT / 'models', 'access_log': 'off', **settings}
        self.log_path = self.folder / 'kith.log'
        self.variables = {}  # of its environment, beside the settings
        self.process = None
        self.log_from = 0

    # --- life ---

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith('KITH_') or k == 'KITH_INSTRUCTIONS'}
        given = {f'KITH_{k.upper()}': str(v) for k, v in self.settings.items() if v is not None}
        return {**kept, **given, **self.variables}

    def launch(self, *arguments):
        self.log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.process = subprocess.Popen([BUILD / 'kith', 'serve', *arguments], cwd=self.folder, env=self.environment(),
                                        stdout=subprocess.DEVNULL, stderr=open(self.log_path, 'ab'))
        return self

    def start(self, *arguments, ready=True):
        self.launch(*arguments)
        return self.start_serving(ready)

    def start_serving(self, ready=True):
        """The rest of start(), for one that was launched already."""
        line = until(self._serving, 'kith to serve')
        self.api = line.group(1)
        self.dashboard = line.group(2)
        if ready:
            self.until_ready()
        return self

    def _serving(self):
        if self.process.poll() is not None:
            raise AssertionError(f'kith ended with {self.process.returncode}:\n{self.log()[-3000:]}')
        return re.search(r' serving .*api=(\S+) dashboard=(\S+)', self.log())

    def until_ready(self):
        return until(lambda: self.get('/readyz').status == 200, 'kith to be ready')

    def log(self):
        if not self.log_path.exists():
            return ''
        with open(self.log_path, 'rb') as file:
            file.seek(self.log_from)
            return file.read().decode(errors='replace')

    def stop(self, patience=PATIENCE_S):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f'kith did not stop:\n{self.log()[-3000:]}')
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def run(self, *arguments, **more):
        """Another subcommand, against this kith when it runs."""
        environment = self.environment()
        if self.process:
            environment['KITH_API_LISTEN'] = self.api
        return subprocess.run([BUILD / 'kith', *map(str, arguments)], cwd=self.folder, env=environment, text=True,
                              capture_output=True, timeout=PATIENCE_S, **more)

    # --- asking ---

    def call(self, method, path, body=None, **headers):
        host, port = self.api.rsplit(':', 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault('content_type', 'application/json')
        try:
            connection.request(method, path, body, {k.replace('_', '-'): str(v) for k, v in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.call('GET', path, **headers)

    def post(self, path, body=None, **headers):
        return self.call('POST', path, body, **headers)

    def picture(self, name, *colour, **size):
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(*colour, **size))
        return path

    def submit(self, *paths):
        answer = self.post('/v1/images', {'paths': [str(p) for p in paths]})
        assert answer.status == 202, answer
        return [image['id'] for image in answer.json['images']]

    def image(self, number):
        answer = self.get(f'/v1/images/{number}')
        assert answer.status == 200, answer
        return answer.json

    def finished(self, number, patience=PATIENCE_S):
        return until(lambda: (lambda i: i if i['finished_at'] else None)(self.image(number)),
                     f'image {number} to finish', patience)

    def metric(self, name):
        answer = self.get('/metrics')
        for line in answer.text.splitlines():
            if line.startswith(name + ' '):
                return float(line.split()[-1])
        raise AssertionError(f'no metric {name} in {answer}')

    def worker_pids(self):
        return [int(p) for p in re.findall(r'worker ready .*pid=(\d+)', self.log())]

    def socket(self):
        host, port = self.api.rsplit(':', 1)
        return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


class Events:
    """A subscriber of /v1/events."""

    def __init__(self, kith, after=None):
        self.socket = kith.socket()
        resume = f'last-event-id: {after}\r\n' if after is not None else ''
        self.socket.sendall(f'GET /v1/events HTTP/1.1\r\nhost: {kith.api}\r\n{resume}\r\n'.encode())
        self.lines = self.socket.makefile('rb')
        status = self.lines.readline()
        assert b' 200 ' in status, status
        self.last_id = after

    def next(self, deadline=None):
        """(event, data) of the next event; (None, None) when only keep-alives came until the deadline."""
        name, data = None, None
        for raw in self.lines:
            if deadline and name is None and time.monotonic() > deadline:
                return None, None
            line = raw.decode().rstrip('\r\n')
            if line.startswith('id: '):
                self.last_id = line[4:]
            elif line.startswith('event: '):
                name = line[7:]
            elif line.startswith('data: '):
                data = json.loads(line[6:])
            elif line == '' and name:
                return name, data
        raise AssertionError('the stream ended')

    def until(self, name, condition=lambda data: True):
        deadline = time.monotonic() + PATIENCE_S
        seen = []
        while time.monotonic() < deadline: # the stream's own signs of life let next() come back
            kind, data = self.next(deadline)
            if kind == name and condition(data):
                return data
            seen.append((kind, data))
        raise AssertionError(f'gave up waiting for {name}; last seen: {seen[-3:]}')

    def close(self):
        self.lines.close()
        self.socket.close()


def refused(kith, *words, secret='hidden'):
    """Asserts that kith does not start: exit 2, and one line with the reason. Returns it."""
    ran = kith.run('serve')
    assert ran.returncode == 2, ran
    lines = ran.stderr.strip().splitlines()
    assert len(lines) == 1, ran.stderr
    for word in words:
        assert word in lines[0], lines[0]
    assert secret not in ran.stderr


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
