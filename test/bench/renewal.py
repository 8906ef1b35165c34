"""The cost of a rolling update for clients: three nodes are replaced in turn under 200 posts a second; and the start.

The clients post to the nodes in service, as behind a load balancer: a node leaves the service, ends, and returns when
/readyz answers 200. Kubernetes does the same by preStop and readiness.
"""
import collections
import http.client
import json
import queue
import random
import re
import threading
import time

from cluster import Stage
from harness import until

RATE, NODES = 200, 'abc'
AWAY_S = 0.5  # between taking a node out of service and SIGTERM: preStop, here shorter than a cluster's


class Clients:
    """Sixteen clients; each post is a new image."""

    def __init__(self, world):
        self.world = world
        self.serving = []
        self.work, self.lock = queue.Queue(), threading.Lock()
        self.took, self.failed, self.accepted = [], [], []
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(16)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while (path := self.work.get()) is not None:
            api = random.choice(self.serving)
            begun = time.perf_counter()
            try:
                connection = http.client.HTTPConnection(*api.split(':'), timeout=30)
                connection.request('POST', '/v1/images', json.dumps({'path': path}), {'content-type': 'application/json'})
                answer = connection.getresponse()
                body = answer.read()
                connection.close()
                words = None if answer.status == 202 else f'{answer.status} {body[:100]}'
            except OSError as error:
                words = repr(error)
            with self.lock:
                self.took.append((time.perf_counter() - begun) * 1000)
                if words:
                    self.failed.append(words)
                else:
                    self.accepted.append(json.loads(body)['images'][0]['id'])

    def post(self, seconds, stop=None):
        """Posts at a constant rate, independent of the answers."""
        pace, begun, n = threading.Event(), time.perf_counter(), 0
        while (time.perf_counter() - begun < seconds) if stop is None else not stop.is_set():
            self.number = getattr(self, 'number', 0) + 1
            path = next(iter(self.world.nodes.values())).picture(f'{self.number}.png', 1, self.number % 250, self.number // 250)
            self.work.put(str(path))
            n += 1
            pace.wait(max(0, begun + n / RATE - time.perf_counter()))
        until(lambda: self.work.empty() and len(self.took) >= n, 'the answers')
        took, self.took = sorted(self.took), []
        return took


def percentile(took, share):
    return took[min(len(took) - 1, int(len(took) * share))]


def renew(world, clients, done):
    for name in NODES:
        node = world.nodes[name]
        clients.serving.remove(node.api)
        threading.Event().wait(AWAY_S)
        assert node.stop() == 0
        node.start()
        clients.serving.append(node.api)
    done.set()


def ready_after(world, name):
    """Seconds from the start of the process to ready, with the real recogniser, polled every 10 ms."""
    node = world.node(name, recognizer='dlib', workers=1)
    begun = time.perf_counter()
    node.launch()
    node.start_serving(ready=False)
    until(lambda: node.get('/readyz').status == 200, 'it to be ready', pause=0.01)
    took = time.perf_counter() - begun
    node.stop()
    return took


def run(figure, quick):
    with Stage() as stage:
        world = stage.world
        for n in range(2 if quick else 5):
            took = ready_after(world, f'start{n}')
        figure('process start to ready, dlib, MariaDB and NATS', took, 's', at_most=2)
        for name in NODES:
            world.start(name, log_level='info')
        world.together(*[world.nodes[n] for n in NODES])
        clients = Clients(world)
        clients.serving = [world.nodes[n].api for n in NODES]
        clients.post(2)  # warm
        idle = clients.post(3 if quick else 10)
        done = threading.Event()
        renewing = threading.Thread(target=renew, args=(world, clients, done))
        renewing.start()
        under = clients.post(0, stop=done)
        renewing.join()
        world.all_ended()
        rows = {int(r[0]) for r in stage.mariadb.rows('SELECT id FROM images')}
        finishes = collections.Counter(world.finishes())
        twice = [f for f, times in finishes.items() if times > 1]
        figure(f'posts during a renewal of three nodes at {RATE}/s', len(under), 'posts')
        figure('of them refused or cut off', len(clients.failed), 'posts', at_most=0)
        figure('accepted images that are not in the table', len(set(clients.accepted) - rows), 'images', at_most=0)
        figure('images finished twice', len(twice), 'images', at_most=0)
        figure('p99 of a post, idle', percentile(idle, 0.99), 'ms')
        figure('p99 of a post, during the renewal', percentile(under, 0.99), 'ms', at_most=5 * percentile(idle, 0.99))
        figure('p50 of a post, during the renewal', percentile(under, 0.5), 'ms')
        for words in sorted(set(clients.failed))[:5]:
            print('   failed:', re.sub(r'\s+', ' ', words))
