"""/readyz and /metrics while the database does not answer."""
import fcntl
import os
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
