"""What must hold in the database and the spool after any failure, read without kith."""
import pathlib
import sqlite3

from harness import until


def check_database(kith):
    """No half result, no row twice, counts that agree."""
    db = sqlite3.connect(f'file:{kith.folder}/data/kith.db?mode=ro', uri=True)
    assert db.execute('PRAGMA integrity_check').fetchone() == ('ok',)
    assert db.execute('SELECT COUNT(*) FROM images WHERE status = 3').fetchone() == (0,), 'nothing is left in work'
    counts = db.execute('SELECT pending, processed, failed, processing, unknown FROM status_counts').fetchone()
    counted = [db.execute('SELECT COUNT(*) FROM images WHERE status = ?', (s,)).fetchone()[0] for s in range(4)]
    unknown, = db.execute('SELECT COUNT(*) FROM images WHERE verdict = 2').fetchone()
    assert list(counts) == counted + [unknown]
    doubled = db.execute('SELECT path FROM images GROUP BY path HAVING COUNT(*) > 1').fetchall()
    assert doubled == []
    # No half result: an image with a verdict has exactly the one face of its one run.
    odd = db.execute('SELECT i.id, COUNT(f.id) FROM images i LEFT JOIN faces f ON f.image_id = i.id '
                     'GROUP BY i.id HAVING COUNT(f.id) <> (i.verdict IN (1, 2))').fetchall()
    assert odd == []
    orphans = db.execute('SELECT COUNT(*) FROM faces WHERE image_id NOT IN (SELECT id FROM images)').fetchone()
    assert orphans == (0,)
    nobody = db.execute('SELECT COUNT(*) FROM templates WHERE person_id NOT IN (SELECT id FROM person)').fetchone()
    assert nobody == (0,)
    db.close()


def records(kith):
    """How many records each table has that a request changes."""
    db = sqlite3.connect(f'file:{kith.folder}/data/kith.db?mode=ro', uri=True)
    counts = {table: db.execute(f'SELECT COUNT(*) FROM {table}').fetchone()[0]
              for table in ('images', 'person', 'person_images', 'templates')}
    db.close()
    return counts


def half_files(kith):
    return set(pathlib.Path(kith.folder, 'data/spool/tmp').iterdir())


def spooled(kith):
    return {str(p) for p in pathlib.Path(kith.folder, 'data/spool').glob('??/*')}


def referred(kith):
    """Files of the spool that a row speaks of."""
    db = sqlite3.connect(f'file:{kith.folder}/data/kith.db?mode=ro', uri=True)
    rows = db.execute('SELECT path FROM images UNION SELECT path FROM person_images').fetchall()
    db.close()
    return {str(pathlib.Path(kith.folder, 'data', path)) for path, in rows if path and path.startswith('spool/')}


def check_spool(kith):
    """Of a running kith with a short KITH_ORPHAN_AGE: each row has its file, and files without a row go."""
    missing = referred(kith) - spooled(kith)
    assert not missing, f'rows without files: {missing}'
    until(lambda: spooled(kith) == referred(kith), 'files without rows to be removed')
    until(lambda: not half_files(kith), f'half files to be removed: {half_files(kith)}')
