"""/readyz and /metrics while the database does not answer."""
import fcntl
import os
import sqlite3
import time

import pytest
from harness import until

SHARED_LOCKS, LOCK_COUNT = 120, 8  # https://sqlite.org/walformat.html#wal_locks


@pytest.fixture
def locked(kith):
    """All locks of the database's shared memory belong to another process: no transaction begins."""
    fd = os.open(kith.folder / 'data/kith.db-shm', os.O_RDWR)

    def take():
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_COUNT, SHARED_LOCKS)
            return True
        except OSError:
            return False
    until(take, 'a moment without a transaction')
    yield lambda: fcntl.lockf(fd, fcntl.LOCK_UN, LOCK_COUNT, SHARED_LOCKS)
    os.close(fd)


@pytest.fixture
def write_locked(kith):
    """Another program has begun to write and does not commit."""
    other = sqlite3.connect(kith.folder / 'data/kith.db', timeout=30, isolation_level=None)
    other.execute('BEGIN IMMEDIATE')
    yield lambda: other.execute('ROLLBACK')
    other.close()


def timed(kith, path):
    begun = time.monotonic()
    answer = kith.get(path)
    return answer, time.monotonic() - begun


def test_a_locked_database_delays_neither_readiness_nor_metrics(kith, locked):
    for _ in range(3):
        ready, took = timed(kith, '/readyz')
        assert took < 1 and ready.status == 503 and 'KITH_DATABASE' in ready.json['reasons'][0]
        metrics, took = timed(kith, '/metrics')
        assert took < 1 and 'kith_database_reachable 0\n' in metrics.text
    locked()
    kith.until_ready()
    assert kith.metric('kith_database_reachable') == 1


def test_a_database_that_can_be_read_only_is_not_ready(kith, write_locked):
    until(lambda: kith.get('/readyz').status == 503, 'the result of the last write to be old')
    for _ in range(3):
        ready, took = timed(kith, '/readyz')
        assert took < 1 and ready.status == 503 and 'KITH_DATABASE' in ready.json['reasons'][0]
        metrics, took = timed(kith, '/metrics')
        assert took < 1 and 'kith_database_writable 0\n' in metrics.text
    assert kith.get('/v1/images').status == 200, 'reading goes on'
    write_locked()
    kith.until_ready()
    assert kith.metric('kith_database_writable') == 1


def test_polls_do_not_write_more_than_once_a_second(kith):
    """However many there are, and none when nobody polls."""
    def seen():
        with sqlite3.connect(kith.folder / 'data/kith.db', timeout=30) as other:
            rows = [row[0] for row in other.execute('SELECT seen_at FROM nodes')]
        other.close()
        return rows
    begun = time.monotonic()
    written = set()
    for _ in range(50):
        kith.until_ready()
        written.update(seen())
    assert 1 <= len(written) <= time.monotonic() - begun + 2
