"""Every actor fails once while images are posted: it restarts alone, and no accepted image is lost."""
import re
import threading

import pytest
from harness import png, until

ACTORS = ['serve', 'store', 'cluster', 'gallery', 'recognizer', 'breaker', 'processor', 'keys', 'audit', 'eraser', 'retention', 'enroller',
          'retry', 'look_again', 'janitor', 'health', 'events', 'frontend', 'pictures', 'people', 'faces', 'identify', 'receiver', 'known-people',
          'embedder']


@pytest.fixture
def kith(make, tmp_path):
    known = tmp_path / 'known'
    known.mkdir()
    (known / 'Ada_1.png').write_bytes(png(1, 200, 1))
    kith = make(known_people=known, retry_backoff='1ms', lease='1s').start()
    if 'no running actor' not in kith.post('/v1/debug/actors/nobody/fail').text:
        pytest.skip('not a debug build: it cannot make actors fail')
    return kith


class Poster(threading.Thread):
    """Posts images until it is stopped. A request that the failure meets may be refused, by 503."""
    def __init__(self, kith, paths):
        super().__init__()
        self.kith, self.paths = kith, paths
        self.accepted, self.others = [], []
        self.ends = threading.Event()

    def run(self):
        while not self.ends.is_set() and self.paths:
            answer = self.kith.post('/v1/images', {'path': str(self.paths.pop())})
            if answer.status == 202:
                self.accepted.append(answer.json['images'][0]['id'])
            elif answer.status != 503:
                self.others.append(answer)

    def stop(self):
        self.ends.set()
        self.join()


def restarts(kith):
    found = re.findall(r'kith_actor_restarts_total\{actor="([^"]+)"\} (\d+)', kith.get('/metrics').text)
    return {name: int(count) for name, count in found}


def test_the_list_of_actors_is_complete(kith):
    assert sorted(restarts(kith)) == sorted(ACTORS)


@pytest.mark.parametrize('actor', ACTORS)
def test_an_actor_that_fails_restarts_alone(kith, actor):
    poster = Poster(kith, [kith.picture(f'{n}.png', n % 250, n // 250, 9, width=512, height=512) for n in range(400)])
    poster.start()
    until(lambda: len(poster.accepted) > 10, 'the first images to be accepted')
    assert kith.post(f'/v1/debug/actors/{actor}/fail').status == 202
    until(lambda: restarts(kith)[actor] == 1, f'{actor} to restart')
    more = len(poster.accepted) + 10
    until(lambda: len(poster.accepted) >= more or not poster.paths, 'images to be accepted after the restart')
    poster.stop()
    assert not poster.others
    assert kith.get('/healthz').status == 200
    kith.until_ready()
    number, = kith.submit(kith.picture('after.png', 7, 8, 9))
    assert kith.finished(number)['verdict'] in ('known', 'unknown')
    for number in poster.accepted:
        assert kith.finished(number)['verdict'] in ('known', 'unknown')
    assert {name: count for name, count in restarts(kith).items() if count} == {actor: 1}
    assert kith.metric('kith_worker_queue') == 0
    answer = kith.post('/v1/identify', png(1, 200, 1), content_type='image/png')
    assert answer.status == 200 and 'Ada' in answer.text, answer
    assert kith.stop() == 0
