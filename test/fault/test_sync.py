"""Every answer that promises something comes after the syncs that keep it over a loss of power."""
import contextlib
import os
import re
import sqlite3

import pytest
from harness import png, until
from shim import Shim

pytestmark = pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='the sanitizers replace the allocator')


def joined(kith):
    with contextlib.closing(sqlite3.connect(kith.folder / 'data/kith.db')) as db:
        return db.execute('SELECT COUNT(*) FROM erasers').fetchone()[0]


@pytest.fixture
def world(make):
    kith = make(events_keepalive='1h')
    shim = Shim(kith)
    kith.start()
    until(lambda: joined(kith), 'the first writes after the start to be done')
    yield kith, shim
    shim.disarm()


def test_an_upload_is_synced_with_its_folder_and_its_row_before_the_answer(world):
    kith, shim = world
    shim.clear_trace()
    assert kith.post('/v1/images', png(1, 2, 3), content_type='image/png').status == 202
    trace = shim.trace
    # The new folder in its parent; the file before its name; the name in its folder; the row; the answer.
    assert re.match(r'[^fbr]*d[^r]*f[^r]*r[^b]*d[^b]*b.*s', trace), trace


def test_a_sync_of_the_parent_folder_that_failed_is_repeated(world):
    kith, shim = world
    shim.arm('sync', 1)
    refused = kith.post('/v1/images', png(1, 2, 3), content_type='image/png')
    assert shim.injected and refused.status // 100 == 5
    shim.disarm()
    shim.clear_trace()
    assert kith.post('/v1/images', png(1, 2, 3), content_type='image/png').status == 202
    trace = shim.trace
    assert re.match(r'[^fbr]*d[^r]*f[^r]*r[^b]*d[^b]*b.*s', trace), trace


def test_a_path_is_synced_before_the_answer(world):
    kith, shim = world
    kith.picture('a.png', 1, 2, 3)
    shim.clear_trace()
    assert kith.post('/v1/images', {'path': 'a.png'}).status == 202
    # A write to a socket before the commit would be an answer too early.
    assert re.match(r'[^sb]*w[^sb]*b', shim.trace), shim.trace


def test_people_and_deletions_are_synced_before_the_answer(world):
    kith, shim = world
    number, = kith.submit(kith.picture('a.png', 1, 2, 3))
    kith.finished(number)
    for method, path, body in (('POST', '/v1/people', {'name': 'Red'}), ('DELETE', f'/v1/images/{number}', None)):
        shim.clear_trace()
        assert kith.call(method, path, body).status // 100 == 2
        assert re.match(r'[^sb]*b', shim.trace), (path, shim.trace)
