"""Starts MariaDB, NATS and three nodes, and stops them when it ends.

    edge    receiver,frontend        accepts images, shows the results; has no recogniser
    one     processor,recognizer     recognises
    two     processor,recognizer     recognises

Kill a node, the bus or the database from another terminal (their process ids are printed) and watch the page.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PATIENCE_S = 60
KNOWN, KNOWN_PHOTO, UNKNOWN_PHOTO = 'Barack Obama', 'obama.jpg', 'biden.jpg'
ROLES = {'edge': 'receiver,frontend', 'one': 'processor,recognizer', 'two': 'processor,recognizer'}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Cluster:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='kith-cluster-'))
        self.running = []
        self.sql_port, self.bus_port = free_port(), free_port()
        self.api = os.environ.get('KITH_API_LISTEN', '127.0.0.1:8000')
        self.dashboard = os.environ.get('KITH_DASHBOARD_LISTEN', '127.0.0.1:8081')
        (self.folder / 'password').write_text('kith')
        (self.folder / 'password').chmod(0o600)

    def launch(self, name, *command, **more):
        log = open(self.folder / f'{name}.log', 'ab')
        process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, **more)
        self.running.append((name, process))
        return process

    def until(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for name, process in self.running:
                if process.poll() is not None:
                    sys.exit(f'cluster: {name} ended with {process.returncode}:\n'
                             + (self.folder / f'{name}.log').read_text()[-1500:])
            try:
                if result := condition():
                    return result
            except OSError:
                pass
            time.sleep(0.05)
        sys.exit(f'cluster: gave up waiting for {what} (logs: {self.folder})')

    def sql(self, text):
        return subprocess.run(['mariadb', '--no-defaults', '-uroot', '-S', self.folder / 'sql.sock', '-e', text],
                              capture_output=True).returncode == 0

    def start_servers(self):
        user = subprocess.run(['id', '-un'], capture_output=True, text=True).stdout.strip()
        subprocess.run(['mariadb-install-db', '--no-defaults', f'--datadir={self.folder}/sql', '--skip-test-db',
                        '--auth-root-authentication-method=normal', f'--user={user}'], check=True, capture_output=True)
        self.launch('mariadb', 'mariadbd', '--no-defaults', f'--user={user}', f'--datadir={self.folder}/sql',
                    f'--socket={self.folder}/sql.sock', f'--port={self.sql_port}', '--bind-address=127.0.0.1')
        self.launch('nats', 'nats-server', '-js', '-a', '127.0.0.1', '-p', self.bus_port, '-sd', self.folder / 'bus')
        self.until('MariaDB', lambda: self.sql('SELECT 1'))
        self.sql("CREATE DATABASE kube; CREATE USER kith@'127.0.0.1' IDENTIFIED BY 'kith'; "
                 "GRANT ALL ON kube.* TO kith@'127.0.0.1'")

    def start_node(self, name):
        edge = name == 'edge'
        environment = {**os.environ, 'KITH_NODE': name, 'KITH_ROLES': ROLES[name],
                       'KITH_DATABASE': f'mariadb://kith@127.0.0.1:{self.sql_port}/kube',
                       'KITH_DATABASE_PASSWORD_FILE': str(self.folder / 'password'),
                       'KITH_NATS': f'nats://127.0.0.1:{self.bus_port}', 'KITH_DATA': str(self.folder / name),
                       'KITH_SPOOL': str(self.folder / 'spool'), 'KITH_IMAGE_ROOTS': 'samples', 'KITH_WORKERS': '1',
                       'KITH_API_LISTEN': self.api if edge else '127.0.0.1:0',
                       'KITH_DASHBOARD_LISTEN': self.dashboard}
        return self.launch(name, 'build/release/kith', 'serve', env=environment)

    def call(self, method, path, body=None, content_type='application/json'):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(f'http://{self.api}{path}', data=data, method=method,
                                         headers={'content-type': content_type})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.loads(answer.read() or b'null')

    def ready(self):
        nodes = self.call('GET', '/v1/nodes')
        return nodes['bus'] == 'connected' and sum(n['workers_ready'] for n in nodes['nodes']) == 2

    def start(self):
        self.start_servers()
        for name in ROLES:
            self.start_node(name)
        self.until('two recognisers', self.ready)

    def who_finished(self, number):
        for name in ROLES:
            if f' finished image={number} ' in (self.folder / f'{name}.log').read_text(errors='replace'):
                return name
        return None  # its line is not written yet

    def show(self):
        """Posts the sample photos to the node without a recogniser. Returns the wrong results."""
        person = self.call('POST', '/v1/people', {'name': KNOWN})
        photo = pathlib.Path('samples', KNOWN_PHOTO).read_bytes()
        self.call('POST', f'/v1/people/{person["id"]}/photos?name={KNOWN_PHOTO}', photo, 'image/jpeg')
        photos = sorted(p.name for p in pathlib.Path('samples').iterdir() if p.name != KNOWN_PHOTO)
        posted = self.call('POST', '/v1/images', {'paths': photos})['images']
        wrong = []
        print(f'\n{"photo":<26}{"who":<18}{"recognised on":<14}')
        for one in posted:
            image = self.until(one['path'], lambda: (lambda i: i if i['finished_at'] else None)(
                self.call('GET', f'/v1/images/{one["id"]}')))
            who = image['person']['name'] if image['person'] else (image['verdict'] or image['reason']).replace('_', ' ')
            name = os.path.basename(image['path'])
            print(f'{name:<26}{who:<18}{self.until("its log line", lambda: self.who_finished(image["id"])):<14}')
            if who != ('unknown' if name == UNKNOWN_PHOTO else KNOWN):
                wrong.append(f'{name}: {who}')
        return wrong

    def stop(self):
        for name, process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for name, process in self.running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    once = sys.argv[1:] == ['--once']
    cluster = Cluster()
    code = 1
    try:
        cluster.start()
        wrong = cluster.show()
        code = 1 if wrong else 0
        for line in wrong:
            print(f'cluster: wrong: {line}', file=sys.stderr)
        print()
        subprocess.run(['build/release/kith', 'nodes'], env={**os.environ, 'KITH_API_LISTEN': cluster.api}, check=False)
        if not once:
            print(f'\nthe results page:  http://{cluster.dashboard}/\nthe interface:     http://{cluster.api}/v1/images\n'
                  f'logs and data:     {cluster.folder}')
            print('processes:         ' + '  '.join(f'{name} {process.pid}' for name, process in cluster.running))
            print('\nCtrl-C stops all of it.', flush=True)
            signal.pause()
    except KeyboardInterrupt:
        code = 0
    except urllib.error.HTTPError as e:
        print(f'cluster: {e.url}: {e.code} {e.read().decode(errors="replace")}', file=sys.stderr)
    finally:
        cluster.stop()
    return code


if __name__ == '__main__':
    sys.exit(main())
