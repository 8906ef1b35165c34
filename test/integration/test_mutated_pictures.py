"""Pictures with mistakes, from clients to workers: each gets an answer, and no worker is lost.

In CI some hundreds; KITH_MUTATED=50000 for a long run."""
import collections
import concurrent.futures
import http.client
import json
import os

import pytest
from fixtures import BUILD
from harness import PATIENCE_S, until

COUNT = int(os.environ.get('KITH_MUTATED', '300'))
CLIENTS = 3

pytest.importorskip('PIL', reason='python3-pil writes the pictures')
from mutated_pictures import mutated, seeds  # noqa: E402


def descriptors_of(kith):
    return len(os.listdir(f'/proc/{kith.process.pid}/fd'))


def memory_of(kith):
    with open(f'/proc/{kith.process.pid}/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


class Client:
    """Sends every CLIENTS-th picture over one connection: to be identified, and some to be processed."""

    def __init__(self, kith, files, first):
        self.kith, self.files, self.first = kith, files, first
        self.answers = collections.Counter()
        self.accepted = []

    def post(self, path, data):
        self.connection.request('POST', path, data, {'content-type': 'application/octet-stream'})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def run(self):
        host, port = self.kith.api.rsplit(':', 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
        for n in range(self.first, COUNT, CLIENTS):
            data = mutated(self.files, n)
            status, body = self.post('/v1/identify', data)
            assert status == 200 and 'faces' in body or status == 422 and body['detail'], (n, status, body)
            self.answers[status] += 1
            if n % 4 == 0:
                status, body = self.post('/v1/images', data)
                assert status == 202 or status in (415, 422) and body['detail'], (n, status, body)
                self.accepted += [image['id'] for image in body.get('images', [])]
        self.connection.close()
        return self


def test_each_mutated_picture_gets_an_answer_and_no_worker_is_lost(make):
    recognizer = 'dlib' if (BUILD / 'plugins/dlib.so').exists() else 'example'
    kith = make(recognizer=recognizer, worker_images=1000000, retry_backoff='1ms').start()
    files = seeds()
    descriptors, memory = descriptors_of(kith), memory_of(kith)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        clients = list(pool.map(Client.run, [Client(kith, files, first) for first in range(CLIENTS)]))
    answers = sum((client.answers for client in clients), collections.Counter())
    assert sum(answers.values()) == COUNT and answers[200] and answers[422], answers
    ends = collections.Counter()
    for number in [number for client in clients for number in client.accepted]:
        image = kith.finished(number)
        assert image['verdict'] or image['reason'], image
        ends[image['verdict']] += 1
    assert len(ends) > 1, ends
    assert kith.metric('kith_worker_restarts_total') == 0
    until(lambda: descriptors_of(kith) <= descriptors + 2, 'descriptors to be closed')
    if not os.environ.get('KITH_SANITIZED'):
        assert memory_of(kith) - memory < 64 << 20
    assert len(kith.worker_pids()) == kith.settings['workers'], kith.log()[-2000:]
    print(f'{COUNT} pictures: {dict(answers)}, {dict(ends)}')
