"""A deletion that has begun ends, wherever kith is killed: no client repeats the request."""
import os
import sqlite3

import pytest
from check import check_database
from harness import png, until
from shim import Shim
from steps import GIVEN_UP

pytestmark = pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='the sanitizers replace the allocator')
NAME, ROWS = 'Zacharias Quux', 1100  # more than two batches
KILLS = int(os.environ.get('KITH_KILLS', '50')) // 5


def rows(kith, sql, *values):
    with sqlite3.connect(f'file:{kith.folder}/data/kith.db?mode=ro', uri=True) as db:
        return db.execute(sql, values).fetchall()


def person_with_many_photos(kith):
    """One photo is a real upload; the other rows are written beside a stopped kith. kith runs then."""
    person = kith.post('/v1/people', {'name': NAME}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', png(7, 8, 9), content_type='image/png').status == 201
    kith.stop()
    with sqlite3.connect(f'{kith.folder}/data/kith.db') as db:
        db.executemany('INSERT INTO person_images(person_id, image_name, path, sha256, refused_model) VALUES(?, ?, ?, ?, ?)',
                       [(person, f'{NAME} {n}', f'/nowhere/{person}/{n}.png', f'{person:032}{n:032}', 'example-colours-64')
                        for n in range(ROWS)])
    kith.start()
    return person


def calls_of_a_deletion(kith, shim):
    person = person_with_many_photos(kith)
    before = shim.calls('any')
    assert kith.call('DELETE', f'/v1/people/{person}').status == 200
    calls = shim.calls('any') - before
    assert rows(kith, 'SELECT COUNT(*) FROM unfinished') == [(0,)]
    return calls


def test_a_deletion_of_a_person_that_was_killed_goes_on_by_itself(make):
    kith = make(upload_grace='0s', workers=1)
    shim = Shim(kith)
    kith.start()
    calls, begun = calls_of_a_deletion(kith, shim), 0
    for n in range(KILLS):
        person = person_with_many_photos(kith)
        shim.arm('any', 1 + n * calls // KILLS, kill=True)
        try:
            kith.call('DELETE', f'/v1/people/{person}')
        except GIVEN_UP:
            pass
        shim.disarm()
        kith.kill()
        left = rows(kith, 'SELECT COUNT(*) FROM person_images WHERE person_id = ?', person)[0][0]
        kith.start()
        if left == ROWS + 1:  # nothing was committed: nothing was promised
            assert kith.get(f'/v1/people/{person}').status == 200
            assert kith.call('DELETE', f'/v1/people/{person}').status == 200
        begun += 0 < left < ROWS + 1
        until(lambda: kith.get(f'/v1/people/{person}').status == 404, 'the deletion to go on')
        until(lambda: rows(kith, 'SELECT COUNT(*) FROM unfinished') == [(0,)], 'its row to go')
        assert rows(kith, 'SELECT COUNT(*) FROM person_images WHERE person_id = ?', person) == [(0,)]
        until(lambda: rows(kith, 'SELECT COUNT(*) FROM erasures') == [(0,)], 'the files to be removed')
        ran = kith.run('forget', '--verify', f'person:{person}', NAME)
        assert ran.returncode == 0, ran
        if 0 < left < ROWS + 1:
            assert len(kith.get(f'/v1/audit?person={person}&action=person+deleted').json['audit']) == 1
    assert begun, 'a kill between two batches'
    kith.stop()
    check_database(kith)
