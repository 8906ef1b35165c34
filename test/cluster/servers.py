"""Real servers for the tests of the cluster: MariaDB, NATS, and a proxy for the database.

Each has its own folder and a free loopback port, and can be stopped, killed, frozen and started again on that port.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'integration'))
from harness import PATIENCE_S, free_port, until  # noqa: E402

USER = subprocess.run(['id', '-un'], capture_output=True, text=True).stdout.strip()


class Server:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.process = None

    def launch(self, *command):
        self.log = open(self.folder / 'log', 'ab')
        self.process = subprocess.Popen([str(c) for c in command], stdout=self.log, stderr=self.log, cwd=self.folder)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()


class MariaDB(Server):
    def __init__(self, folder, template=None):
        super().__init__(folder)
        self.options = []
        # not in the folder of the test, because the path of a socket has a limit
        self.socket = f'/tmp/kith-{os.getpid()}-{self.port}.sock'
        # of its own, because a server that starts deletes temporary tables of others in a shared folder
        self.temporary = self.folder / 'tmp'
        self.temporary.mkdir(exist_ok=True)
        if template:
            shutil.copytree(template, self.folder / 'data')
            return
        subprocess.run(['mariadb-install-db', '--no-defaults', f'--datadir={self.folder}/data',
                        f'--tmpdir={self.temporary}', '--skip-test-db',
                        '--auth-root-authentication-method=normal', f'--user={USER}'], check=True, capture_output=True)

    def start(self):
        self.launch('mariadbd', '--no-defaults', f'--user={USER}', f'--datadir={self.folder}/data',
                    f'--tmpdir={self.temporary}', f'--socket={self.socket}', f'--port={self.port}', '--bind-address=127.0.0.1',
                    '--innodb-buffer-pool-size=128M', '--max-connections=200', *self.options)
        until(lambda: self.try_sql('SELECT 1') is not None, 'the MariaDB to start')
        return self

    def prepare(self):
        self.sql("CREATE USER kith@'127.0.0.1' IDENTIFIED BY 'secret'; CREATE DATABASE kube; "
                 "GRANT ALL ON kube.* TO kith@'127.0.0.1'")
        return self

    def url(self, port=None):
        return f'mariadb://kith@127.0.0.1:{port or self.port}/kube'

    def try_sql(self, text, database=''):
        ran = subprocess.run(['mariadb', '--no-defaults', '-uroot', '-S', self.socket, '-N', '-B', '--connect-timeout=5',
                              database, '-e', text], capture_output=True, text=True, timeout=PATIENCE_S)
        return [line.split('\t') for line in ran.stdout.splitlines()] if ran.returncode == 0 else None

    def sql(self, text, database=''):
        rows = self.try_sql(text, database)
        assert rows is not None, f'SQL failed: {text}'
        return rows

    def rows(self, text):
        return self.sql(text, 'kube')

    def load(self, text):
        """A LOAD DATA LOCAL INFILE statement, however long it takes."""
        subprocess.run(['mariadb', '--no-defaults', '-uroot', '-S', self.socket, '--local-infile=1', 'kube', '-e', text],
                       check=True, capture_output=True)


class Nats(Server):
    def __init__(self, folder, *options):
        super().__init__(folder)
        self.options = options

    def start(self):
        options = self.options or ('-js',)
        self.launch('nats-server', '-a', '127.0.0.1', '-p', self.port, '-sd', self.folder / 'store', *options)
        until(self.answers, 'the NATS server to start')
        return self

    def answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), 1) as s:
                return s.recv(4) == b'INFO'
        except OSError:
            return False

    def forget(self):
        shutil.rmtree(self.folder / 'store', ignore_errors=True)

    @property
    def url(self):
        return f'nats://127.0.0.1:{self.port}'


class Proxy:
    """Stands between kith and its database. Cuts a connection after the client has sent COMMIT, before the answer."""

    def __init__(self, target):
        self.target = target
        self.cut_commits = 0
        self.cuts = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(('127.0.0.1', self.target))
            except OSError:
                client.close()
                continue
            state = {'commit': None, 'cut': False}
            threading.Thread(target=self.pump, args=(client, server, state, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, state, False), daemon=True).start()

    def pump(self, source, sink, state, from_client):
        try:
            while data := source.recv(65536):
                if from_client:
                    self.follow(data, state)
                elif state['cut']:
                    break
                elif state.pop('asked', False):  # the answer to PREPARE has the number of the statement
                    state['commit'] = data[5:9]
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def follow(self, data, state):
        """Follows the commands of a client that writes, to find the execution of COMMIT."""
        state['bytes'] = state.get('bytes', b'') + data
        while len(state['bytes']) > 4:
            size = int.from_bytes(state['bytes'][:3], 'little')
            if len(state['bytes']) < 4 + size:
                return
            packet, state['bytes'] = state['bytes'][4:4 + size], state['bytes'][4 + size:]
            if packet == b'\x16START TRANSACTION':
                state['writes'] = True
            elif packet == b'\x16COMMIT' and state.get('writes'):
                state['asked'] = True
            elif packet[:1] == b'\x17' and packet[1:5] == state['commit']:
                with self.lock:
                    if self.cut_commits > 0:
                        self.cut_commits -= 1
                        self.cuts += 1
                        state['cut'] = True

    def close(self):
        self.listener.close()


class Bus:
    """A client of the bus that publishes arbitrary messages."""

    def __init__(self, nats):
        self.socket = socket.create_connection(('127.0.0.1', nats.port), PATIENCE_S)
        self.lines = self.socket.makefile('rb')
        self.lines.readline()
        self.socket.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        assert self.lines.readline() == b'PONG\r\n'

    def publish(self, subject, data):
        self.socket.sendall(b'PUB %s %d\r\n%s\r\n' % (subject.encode(), len(data), data))

    def subscribe(self, subject):
        self.socket.sendall(b'SUB %s 1\r\nPING\r\n' % subject.encode())
        while self.lines.readline() != b'PONG\r\n':
            pass

    def next(self):
        """(subject, data) of the next message."""
        while line := self.lines.readline():
            if line.startswith(b'MSG '):
                words = line.split()
                data = self.lines.read(int(words[-1]))
                self.lines.readline()
                return words[1].decode(), data
            if line.startswith(b'PING'):
                self.socket.sendall(b'PONG\r\n')
        raise AssertionError('the connection to the bus is closed')

    def flush(self):
        self.socket.sendall(b'PING\r\n')
        while not self.lines.readline().startswith(b'PONG'):
            pass

    def close(self):
        self.lines.close()
        self.socket.close()


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """One field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def envelope(**given):
    names = {'version': 1, 'type': 2, 'id': 3, 'node': 4, 'boot': 5, 'sender': 6, 'to': 7, 'correlation': 8,
             'answer': 9, 'budget_ms': 11, 'body': 13, 'part': 14, 'parts': 15, 'cluster': 16, 'unheard_of': 99}
    return b''.join(field(names[k], v) for k, v in {'version': 1, **given}.items())
