"""A client that goes on posting whatever happens, and remembers what it was promised."""
import threading

from harness import png, until


class Load:
    """Posts images to whichever node answers, each with a key of its own, and again until it is taken. One image every
    `pause` seconds at the most, on a few threads."""

    def __init__(self, world, nodes, count, threads=4, pause=0.005, ending='png'):
        self.world, self.nodes, self.count, self.pause, self.ending = world, nodes, count, pause, ending
        self.next = 0
        self.statuses = {}
        self.promised = {}
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        for n in range(count):
            self.write(n, world.images / f'load{n}.{ending}')
        self.threads = [threading.Thread(target=self.run, args=(t,)) for t in range(threads)]
        for thread in self.threads:
            thread.start()

    def write(self, n, path):
        path.write_bytes(png(n % 250, n // 250, 77))

    def take(self):
        with self.lock:
            n = self.next
            self.next += 1
            return n if n < self.count else None

    def run(self, turn):
        while not self.stopped.is_set() and (n := self.take()) is not None:
            self.post(n, turn)
            self.stopped.wait(self.pause)

    def post(self, n, turn):
        while not self.stopped.is_set():
            node = self.nodes[turn % len(self.nodes)]
            turn += 1
            try:
                answer = node.post('/v1/images', {'path': f'load{n}.{self.ending}'}, idempotency_key=f'load{n}')
            except OSError:
                self.stopped.wait(0.02)
                continue
            except Exception:  # the node was killed in mid-answer
                continue
            with self.lock:
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                if answer.status == 202:
                    number = answer.json['images'][0]['id']
                    assert self.promised.setdefault(n, number) == number, 'one image, two ids'
                    return
            assert answer.status == 503, answer
            assert answer.headers['retry-after'], 'a refusal says when to come again'
            self.stopped.wait(0.02)

    def wait_for(self, share, patience=120):
        until(lambda: len(self.promised) >= self.count * share or not any(t.is_alive() for t in self.threads),
              f'{share:.0%} of the images to be taken', patience)

    def finish(self, patience=180):
        self.wait_for(1, patience)
        for thread in self.threads:
            thread.join(patience)
        assert len(self.promised) == self.count, (len(self.promised), self.statuses)
        self.world.accepted.update(self.promised.values())

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
