"""Faults of deployments: one line that names the fault, the exit code, and the readiness."""
import os
import re
import sqlite3
import subprocess

import pytest
from harness import Kith, png, refused, until


@pytest.fixture
def mount(tmp_path):
    """A separate file system, as a volume is."""
    if os.geteuid() != 0:
        pytest.skip('mounting needs root')
    mounted = []

    def make(name, options):
        folder = tmp_path / name
        folder.mkdir()
        ran = subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder], capture_output=True, text=True)
        if ran.returncode != 0:
            pytest.skip(f'no mount here: {ran.stderr.strip()}')
        mounted.append(folder)
        return folder
    yield make
    for folder in mounted:
        subprocess.run(['umount', '-l', folder], check=True)


def test_a_volume_that_is_read_only(make, mount):
    refused(make(data=mount('volume', 'size=16m,ro')), 'KITH_DATA', 'Read-only file system')


def test_a_volume_that_fills_up(make, mount):
    """Accepted images are kept, further ones are refused with the reason, and work resumes when there is space."""
    volume = mount('volume', 'size=12m')
    kith = make(data=volume, disk_reserve='0').start()
    number, = kith.submit(kith.picture('a.png', 1, 2, 3))
    kith.finished(number)
    filler = volume / 'filler'
    with open(filler, 'wb') as file:
        try:
            while True:
                file.write(b'x' * 65536)
                file.flush()
        except OSError:
            pass
    answer = kith.post('/v1/images', png(9, 9, 9) + os.urandom(2 << 20), content_type='image/png')
    assert answer.status == 507 and 'KITH_DATA is full' in answer.json['detail'], answer
    filler.unlink()

    def again():
        if kith.process.poll() is not None:  # the records could not be written: it said so and ended; it is started anew
            assert 'giving up' in kith.log()
            kith.start()
        return kith.post('/v1/images', png(8, 8, 8), content_type='image/png').status == 202
    until(again, 'room')
    assert kith.image(number)['verdict'] == 'unknown'


def test_two_front_ends_on_one_port(make, tmp_path):
    first = make().start()
    second = Kith(tmp_path / 'second', dashboard_listen=first.dashboard)
    refused(second, 'KITH_DASHBOARD_LISTEN', first.dashboard, 'address already in use')
    second = Kith(tmp_path / 'third', api_listen=first.api)
    refused(second, 'KITH_API_LISTEN', first.api, 'address already in use')


def test_models_that_are_missing(make, tmp_path):
    (tmp_path / 'empty').mkdir()
    kith = make(recognizer='dlib', models=tmp_path / 'empty').start(ready=False)
    text = until(lambda: (lambda a: a.text if 'deploy/' in a.text or 'KITH_MODELS' in a.text else '')(kith.get('/readyz')),
                 'the reason')
    assert kith.get('/readyz').status == 503 and 'KITH_MODELS' in text
    assert kith.get('/healthz').status == 200


@pytest.mark.parametrize('file', ['missing', 'open', 'folder'])
def test_a_missing_secret_is_refused(make, tmp_path, file):
    path = tmp_path / file
    if file == 'open':
        path.write_text('secret')
        path.chmod(0o644)
    elif file == 'folder':
        path.mkdir()
    words = {'missing': 'No such file', 'open': 'chmod o-r', 'folder': 'not a file'}[file]
    refused(make(database_password_file=path), 'KITH_DATABASE_PASSWORD_FILE', words)


def test_a_misspelt_setting_is_refused(make):
    refused(make(databse='sqlite'), 'KITH_DATABSE', 'no such setting')


def test_an_older_schema_is_upgraded(make):
    """A database with the first version of the tables: new columns and tables are added."""
    kith = make()
    lines = kith.run('schema', 'sqlite').stdout
    first = lines[:lines.index('CREATE TABLE IF NOT EXISTS api_keys')]
    (kith.folder / 'data').mkdir()
    with sqlite3.connect(kith.folder / 'data/kith.db') as records:
        records.executescript(first)
        records.execute('INSERT INTO schema_version VALUES(1)')
        records.execute("INSERT INTO images(path, path_key, created_at) VALUES(?, x'00', 1)", [str(kith.images / 'a.png')])
        records.execute('UPDATE status_counts SET pending = 1')
    records.close()
    kith.picture('a.png', 1, 2, 3)
    kith.start()
    assert kith.finished(1)['verdict'] == 'unknown'
    assert kith.run('key', 'create', '--role', 'read').returncode == 0
    kith.stop()
    records = sqlite3.connect(kith.folder / 'data/kith.db')
    newest = int(re.search(r'schema_version VALUES\((\d+)\);?\s*$', lines).group(1))
    assert records.execute('SELECT MAX(version) FROM schema_version').fetchone()[0] == newest > 1
    records.close()
