"""The end after a fatal failure: connections are closed while their actors exist."""
import os
import sqlite3

from harness import Events, PATIENCE_S


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
    assert 'giving up' in kith.log() and 'Sanitizer' not in kith.log() and 'stopped' in kith.log()
    for stream in events:
        stream.close()
    idle.close()
