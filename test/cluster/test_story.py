"""Two thousand photos of real faces on three nodes, while each server is killed once: every photo gets the right answer."""
import os

import pytest
from fixtures import needs_plugin
from harness import ROOT, until
from load import Load

SAMPLES = ROOT / 'samples'
PHOTOS = 2000
FACES = {'obama.jpg': (241, 100, 641, 500), 'obama2.jpg': (130, 160, 570, 600), 'biden.jpg': (370, 140, 770, 540)}

pytestmark = [
    pytest.mark.skipif(not (ROOT / 'models/dlib_face_recognition_resnet_model_v1.dat').exists(),
                       reason='no models: deploy/setup.sh fetches them'),
    pytest.mark.skipif(not (SAMPLES / 'obama.jpg').exists(), reason='no photos: deploy/setup.sh fetches them'),
    pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='dlib is not built with sanitizers'),
    needs_plugin('dlib')]


class Photos(Load):
    """Posts portraits that are cropped from the sample photos, each slightly different."""

    def write(self, n, path):
        name, (left, top, right, bottom) = list(FACES.items())[n % len(FACES)]
        shift = n // len(FACES) % 24
        box = (left + shift, top + shift // 2, right + shift, bottom + shift // 2)
        self.cut.setdefault(name, self.image.open(SAMPLES / name).convert('RGB'))
        self.cut[name].crop(box).resize((250, 250)).save(path, quality=92 - n // 80)


def test_two_thousand_photos_while_each_server_is_killed_once(world):
    """[3-6, 11-14, 40] The nodes in turn, the bus with all it holds, the database."""
    Photos.image, Photos.cut = pytest.importorskip('PIL.Image', reason='no python3-pil: deploy/setup.sh test'), {}
    nodes = [world.start(name, recognizer='dlib', lease='3s', database_timeout='1s') for name in 'abc']
    world.together()
    person = nodes[0].post('/v1/people', {'name': 'Barack Obama'}).json['id']
    answer = nodes[0].post(f'/v1/people/{person}/photos', (SAMPLES / 'obama.jpg').read_bytes(), content_type='image/jpeg')
    assert answer.status == 201, answer
    load = Photos(world, nodes, PHOTOS, ending='jpg')
    try:
        for n, node in enumerate(nodes):
            load.wait_for(0.1 + n / 10)
            node.kill()
            until(lambda: len(nodes[n - 1].get('/v1/nodes').json['nodes']) == 2, 'the others to notice')
            node.settings = {**node.settings, 'api_listen': node.api, 'dashboard_listen': node.dashboard}
            node.start(ready=False)
        load.wait_for(0.5)
        world.nats.kill()
        world.nats.forget()
        until(lambda: nodes[0].metric('kith_bus_connected') == 0, 'the loss of the bus to be noticed')
        world.nats.start()
        load.wait_for(0.7)
        world.mariadb.kill()
        until(lambda: load.statuses.get(503, 0) > 0, 'refusals')
        world.mariadb.start()
        load.finish(300)
        world.all_ended(300)
    finally:
        load.stop()
    world.check()
    world.check_finishes()
    wrong = world.mariadb.rows(
        "SELECT i.path, i.status, i.reason, p.name FROM images i LEFT JOIN person p ON p.id = i.person "
        "WHERE i.path LIKE '%load%.jpg' AND i.status = 2")
    assert wrong == []
    names = {int(path.rsplit('load', 1)[1][:-4]): person for path, person in world.mariadb.rows(
        "SELECT path, person FROM images WHERE path LIKE '%load%.jpg'")}
    assert len(names) == PHOTOS
    for n, who in names.items():
        assert (who == str(person)) == (n % len(FACES) < 2), (n, who)
