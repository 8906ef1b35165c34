"""The end after a fatal failure: connections are closed while their actors exist."""
import os
import sqlite3

import pytest
from harness import Events, PATIENCE_S, until


def damage(database):
    """Overwrites all pages of the database except the first while the server runs."""
    records = sqlite3.connect(database)
    records.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    records.close()
    size = database.stat().st_size
    with open(database, 'r+b') as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    records = sqlite3.connect(database)
    records.execute('PRAGMA user_version = 7')  # every connection reads the file anew
    records.close()


def expect_last_words(kith, *words):
    """One error, which says what has happened, and then the end."""
    log = kith.log()
    assert 'Sanitizer' not in log
    errors = [line for line in log.splitlines() if ' error ' in line]
    assert len(errors) == 1 and ' giving up ' in errors[0], log
    for word in words:
        assert word in errors[0]
    assert ' stopped code=1' in log.splitlines()[-1]


def garbage(file):
    file.write_bytes(os.urandom(4096) + file.read_bytes()[4096:])


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def damage_pages(file):
    data = bytearray(file.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page:page + 64] = os.urandom(64)
    file.write_bytes(data)


def damage_schema(file):
    data = bytearray(file.read_bytes())
    data[100:4096] = os.urandom(3996)
    file.write_bytes(data)


@pytest.mark.parametrize('how', [garbage, truncate, damage_pages, damage_schema])
def test_a_damaged_database_is_named_in_one_line_at_the_start(kith, how):
    kith.finished(*kith.submit(kith.picture('a.png', 9, 9, 9)))
    kith.stop()
    how(kith.folder / 'data/kith.db')
    ran = kith.run('serve')
    kith.process = None
    assert ran.returncode == 2
    line, = ran.stderr.strip().splitlines()
    assert 'kith.db is damaged (' in line and 'kith backup' in line and '.recover' in line


def test_an_actor_that_keeps_failing_ends_kith_cleanly(kith):
    answer = kith.post('/v1/debug/actors/nobody/fail')
    if 'no running actor' not in answer.text:
        pytest.skip('not a debug build: it cannot make actors fail')
    events = Events(kith)
    events.until('breaker')

    def fails():
        try:
            kith.post('/v1/debug/actors/retry/fail')
        except OSError:
            pass
        return kith.process.poll() is not None
    until(fails, 'the fifth failure')
    assert kith.process.wait(PATIENCE_S) == 1
    kith.process = None
    expect_last_words(kith, 'actor retry failed 5 times in 30 s')
    events.close()


def test_giving_up_closes_connections_first(make):
    """The address sanitizer sees a stream that ends after its actor was freed."""
    kith = make(queue_poll='50ms').start()
    number, = kith.submit(kith.picture('a.png', 9, 9, 9))
    kith.finished(number)
    events = [Events(kith) for _ in range(3)]
    for stream in events:
        stream.until('breaker')
    idle = kith.socket()
    damage(kith.folder / 'data' / 'kith.db')
    assert kith.process.wait(PATIENCE_S) == 1
    kith.process = None  # the fixture expects a clean end of those that still run
    expect_last_words(kith, 'kith.db is damaged (database disk image is malformed)', 'kith backup', '.recover')
    for stream in events:
        stream.close()
    idle.close()
