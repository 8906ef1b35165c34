"""The figures of a cluster: accepting into MariaDB, claims, latencies and the cost of an image, beside the embedded database."""
import datetime
import http.client
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'test/cluster'))
from harness import BUILD, Kith, free_port, remove, until  # noqa: E402
from servers import MariaDB, Nats  # noqa: E402
from world import World  # noqa: E402


class Stage:
    """A MariaDB, a NATS and nodes, which end with the benchmark."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='kith-bench-'))
        self.mariadb = MariaDB(self.folder / 'mariadb').start().prepare()
        self.nats = Nats(self.folder / 'nats').start()
        self.world = World(self.folder, self.mariadb, self.nats)
        return self

    def __exit__(self, *_):
        for node in self.world.nodes.values():
            node.stop()
        self.nats.stop()
        self.mariadb.stop()
        remove(self.folder)

    def quiet(self, name, roles):
        """A node that logs warnings only, so its port is chosen here."""
        address = f'127.0.0.1:{free_port()}'
        node = self.world.node(name, roles, log_level='warn', max_paths=20000, api_listen=address)
        node.api = address
        node.launch()

        def up():
            try:
                return node.get('/readyz').status == 200
            except OSError:
                return False
        until(up, 'the node to be ready')
        return node


def post_all(api, bodies):
    host, port = api.split(':')
    connection = http.client.HTTPConnection(host, int(port))
    for body in bodies:
        connection.request('POST', '/v1/images', body, {'content-type': 'application/json'})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202, answer.status


def accepts(stage, figure, ran, quick):
    total, size = (20_000, 2_000) if quick else (300_000, 10_000)
    node = stage.quiet('accept', 'receiver')
    bodies = [json.dumps({'paths': [f'{stage.world.images}/b{i + k}.jpg' for k in range(size)]})
              for i in range(0, total, size)]
    begun = time.perf_counter()
    threads = [threading.Thread(target=post_all, args=(node.api, bodies[t::2])) for t in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    figure(f'MariaDB: bulk accepts, {size:,} paths a request', total / (time.perf_counter() - begun), 'rows/s',
           at_least=100_000)
    got = ran(BUILD / 'load_accept', node.api.rsplit(':', 1)[1], 0, 4_000 if quick else 40_000, 64)
    figure('MariaDB: single posts, HTTP/2, 64 streams', got['per_s'], '1/s', at_least=10_000)
    figure('  99 of 100 within', got['p99_ms'], 'ms')
    node.stop()
    return total


def claims(stage, figure, rows):
    """Three claimers on the accepted rows, each with its own connection."""
    claimers = [subprocess.Popen([BUILD / 'bench_claims', stage.mariadb.url(), 'secret', name, '256'],
                                 stdout=subprocess.PIPE, text=True) for name in ('x', 'y', 'z')]
    results = [json.loads(c.communicate()[0]) for c in claimers]
    claimed = sum(r['claimed'] for r in results)
    double = stage.mariadb.rows('SELECT COUNT(*) FROM images WHERE attempt <> 1')[0][0]
    figure('MariaDB: claims by three, batches of 256', claimed / max(r['seconds'] for r in results), '1/s',
           at_least=20_000)
    print(f'  {claimed:,} of {rows:,} and more claimed, {double} of them not exactly once', flush=True)


def stamp(line):
    return datetime.datetime.fromisoformat(line.split()[0].replace('Z', '+00:00')).timestamp() * 1000


def latency(logs, numbers):
    """Milliseconds from the line `accepted` to the line `claimed` of each image."""
    times = {}
    for log in logs:
        for line in log.splitlines():
            if match := re.search(r' (accepted|claimed) image=(\d+) ', line):
                times.setdefault(int(match.group(2)), {})[match.group(1)] = stamp(line)
    return [times[n]['claimed'] - times[n]['accepted'] for n in numbers]


def latencies(stage, figure, quick):
    world, count = stage.world, 20 if quick else 100
    nodes = [world.start('edge', 'receiver'), world.start('one', 'processor,recognizer'),
             world.start('two', 'processor,recognizer')]
    world.together()
    until(lambda: nodes[1].metric('kith_bus_connected') == 1)

    def run(first):
        numbers = []
        for n in range(first, first + count):
            numbers += nodes[0].submit(nodes[0].picture(f'l{n}.png', n % 250, n // 250, 1))
            world.all_ended()
        return latency([n.log() for n in nodes], numbers)
    run(0)
    figure('cluster: from accept to claim when idle, median', statistics.median(run(count)), 'ms', at_most=20)
    stage.nats.stop()
    until(lambda: nodes[0].metric('kith_bus_connected') == 0)
    slow = run(2 * count) if not quick else run(2 * count)[:5]
    figure('cluster: the same with NATS away, the slowest (the poll is 1 s)', max(slow), 'ms', at_most=1300)
    stage.nats.start()
    for node in nodes:
        node.stop()


def take_over(stage, figure):
    world = stage.world
    dying, other = world.start('dying', lease='2s'), world.start('other', lease='2s')
    world.together()
    paths = [dying.picture(f't{n}.png', n, 7, 7) for n in range(200)]
    world.submit(dying, *paths)
    dying.kill()
    begun = time.perf_counter()
    world.all_ended()
    figure('cluster: all that a killed node had is done after (lease 2 s)', time.perf_counter() - begun, 's', at_most=7)
    other.stop()


def cpu_of(pids):
    import os
    ticks = os.sysconf('SC_CLK_TCK')
    return sum(sum(map(int, open(f'/proc/{p}/stat').read().rsplit(')', 1)[1].split()[11:13])) for p in pids) / ticks


def cost(stage, figure, quick):
    """CPU time of one image without its recognition, which is negligible here."""
    count = 200 if quick else 2000
    alone = Kith(stage.folder / 'alone', access_log='off')
    for name, node, others in (('embedded', alone, []),
                               ('cluster', stage.world.node('cost'), [stage.mariadb, stage.nats])):
        node.start()
        paths = [node.picture(f'c{n}.png', n % 250, n // 250, 2) for n in range(count)]
        pids = [node.process.pid, *node.worker_pids(), *[o.process.pid for o in others]]
        before, begun = cpu_of(pids), time.perf_counter()
        for path in paths:
            node.submit(path)
        until(lambda: node.log().count(' finished ') >= count, 'all to be done', 300)
        figure(f'one image through the {name} path', (cpu_of(pids) - before) * 1000 / count, 'ms CPU')
        figure('  images, one post each, one worker each', count / (time.perf_counter() - begun), '1/s')
        node.stop()


def run(figure, ran, quick):
    with Stage() as stage:
        rows = accepts(stage, figure, ran, quick)
        claims(stage, figure, rows)
    with Stage() as stage:
        latencies(stage, figure, quick)
        take_over(stage, figure)
    with Stage() as stage:
        cost(stage, figure, quick)
