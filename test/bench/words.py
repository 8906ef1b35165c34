"""What naming a face costs while many unknown faces are stored: the answer, and deciding those faces again.

The faces are made here and put into the database in bulk: embeddings of random people, five views each, whose distances
are those of real embeddings (about 0.4 between two views of a person, 0.8 between people). The recogniser is dlib's, for
the id and the dimension of its model.
"""
import contextlib
import http.client
import json
import pathlib
import random
import sqlite3
import struct
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'test/integration'))
from harness import Kith, remove, until  # noqa: E402

DIMENSION, VIEWS, POOL, PEOPLE = 128, 5, 3000, 1000
FIRST = 1000  # ids of images and faces from here on
NEVER = 2 ** 63 - 1


def embeddings(people):
    """Each person is the sum of two vectors of a pool, and each view adds one of another: 0.57 and 0.28 as standard
    deviations of a distance of 1."""
    make = random.Random(7)
    vector = lambda size: [make.gauss(0, size / DIMENSION ** 0.5) for _ in range(DIMENSION)]  # noqa: E731
    pool, views = [vector(0.57 / 2 ** 0.5) for _ in range(POOL)], [vector(0.28) for _ in range(POOL)]
    pack = struct.Struct(f'<{DIMENSION}f').pack
    for n in range(people):
        a, b = pool[n % POOL], pool[(n + 1 + n // POOL) % POOL]
        centre = [x + y for x, y in zip(a, b)]
        yield [pack(*[x + y for x, y in zip(centre, make.choice(views))]) for _ in range(VIEWS)]


def rows(faces, model):
    """The rows of each table, by its columns."""
    made = list(embeddings(faces // VIEWS + PEOPLE))
    known, unknown = made[:PEOPLE], made[PEOPLE:]
    numbers = range(FIRST, FIRST + len(unknown) * VIEWS)
    yield ('person(id, name)', ((FIRST + n, f'Person {n}') for n in range(PEOPLE)))
    yield ('templates(id, person_id, photo_id, model, embedding)',
           ((FIRST + n, FIRST + n, 0, model, views[0]) for n, views in enumerate(known)))
    yield ('gallery_log(n, kind, person_id, template_id, at)',
           ((FIRST + n, 1, FIRST + n, FIRST + n, 0) for n in range(PEOPLE)))
    yield ('images(id, path, status, verdict, run_after, finished_at, created_at)',
           ((n, f'/made/{n}.jpg', 0, 2, NEVER, 1, 1) for n in numbers))
    yield ('faces(id, image_id, x, y, width, height, quality, model, embedding, unknown_person)',
           ((n, n, 10, 10, 100, 100, 1, model, unknown[(n - FIRST) // VIEWS][(n - FIRST) % VIEWS],
             n - (n - FIRST) % VIEWS) for n in numbers))


AFTER = [f'UPDATE gallery_head SET n = {FIRST + PEOPLE} WHERE id = 1',
         'UPDATE status_counts SET processed = processed + {faces}, unknown = unknown + {faces} WHERE id = 0']


def fill_sqlite(path, faces, model):
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for columns, values in rows(faces, model):
            marks = ', '.join('?' * (columns.count(',') + 1))
            db.executemany(f'INSERT INTO {columns} VALUES({marks})', values)
        for sql in AFTER:
            db.execute(sql.format(faces=faces))


def fill_mariadb(mariadb, folder, faces, model):
    for columns, values in rows(faces, model):
        table, names = columns[:-1].split('(')
        file = folder / 'rows'
        with open(file, 'w') as out:
            for row in values:
                out.write('\t'.join(v.hex() if isinstance(v, bytes) else str(v) for v in row) + '\n')
        more = ''
        if 'embedding' in names:
            names, more = names.replace('embedding', '@e'), 'SET embedding = UNHEX(@e)'
        if table == 'images':
            more = "SET path_key = UNHEX(LEFT(SHA2(path, 256), 32))"
        mariadb.load(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table} CHARACTER SET utf8mb4 ({names}) {more}")
        file.unlink()
    for sql in AFTER:
        mariadb.rows(sql.format(faces=faces))


def idle(kith):
    """Nothing of the gallery is under way."""
    return kith.metric('kith_gallery_pass_running') == 0 and kith.get('/readyz').status == 200


def timed(connection, method, path, body=None):
    begun = time.perf_counter()
    connection.request(method, path, json.dumps(body) if body else None, {'content-type': 'application/json'})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status < 300, (answer.status, text[:300])
    return (time.perf_counter() - begun) * 1000, json.loads(text or b'null')


def consequences(kith, before):
    """Waits for the end of the pass. Returns its seconds and the faces that it has decided."""
    begun = time.perf_counter()
    until(lambda: idle(kith), 'the pass', patience=600, pause=0.005)
    return time.perf_counter() - begun, kith.metric('kith_gallery_pass_faces_total') - before


def measure(figure, kith, faces, name, repeats):
    connection = http.client.HTTPConnection(*kith.api.split(':'), timeout=60)
    named, rates, back, touched = [], [], [], []
    for n in range(repeats):
        face = FIRST + (faces // VIEWS * (n + 1) // (repeats + 2)) * VIEWS
        before = kith.metric('kith_gallery_pass_faces_total')
        took, _ = timed(connection, 'POST', f'/v1/faces/{face}/person', {'name': f'{name} {n}'})
        named.append(took)
        seconds, decided = consequences(kith, before)
        rates.append(decided / seconds)
        person = kith.image(face)['faces'][0]['person']['id']
        views = [kith.image(i)['faces'][0]['person'] for i in range(face, face + VIEWS)]
        assert sum(v is not None and v['id'] == person for v in views) > 1, views
        before = kith.metric('kith_gallery_pass_faces_total')
        took, _ = timed(connection, 'DELETE', f'/v1/people/{person}')
        back.append(took)
        seconds, decided = consequences(kith, before)
        touched.append(decided)
    figure(f'{name}: naming one of {faces:,} unknown faces, the answer', min(named), 'ms', at_most=50)
    figure('  the consequences, of all unknown faces', max(rates), 'faces/s', at_least=200_000)
    figure('  deleting that person, the answer', min(back), 'ms', at_most=50)
    figure('  faces that are decided again then', max(touched), 'faces', at_most=2 * VIEWS)


def enrol_one(kith):
    """Enrols a photo, so that the database has the id of the model; then stops."""
    kith.start()
    person = kith.post('/v1/people', {'name': 'Enrolled'}).json['id']
    photo = (ROOT / 'samples/obama.jpg').read_bytes()
    assert kith.post(f'/v1/people/{person}/photos', photo, content_type='image/jpeg').status == 201
    kith.stop()


def run(figure, quick, databases=('sqlite', 'mariadb')):
    faces, settings = 50_000 if quick else 500_000, {'recognizer': 'dlib', 'workers': 1, 'log_level': 'info'}
    settings['unknown_faces'] = faces
    if 'sqlite' in databases:
        folder = pathlib.Path(tempfile.mkdtemp(prefix='kith-bench-'))
        kith = Kith(folder, **settings)
        try:
            enrol_one(kith)
            file = folder / 'data/kith.db'
            with contextlib.closing(sqlite3.connect(file)) as db:
                model = db.execute('SELECT model FROM templates').fetchone()[0]
            fill_sqlite(file, faces, model)
            measure_started(figure, kith, faces, 'SQLite', quick)
        finally:
            kith.stop()
            remove(folder)
    if 'mariadb' in databases:
        from cluster import Stage
        with Stage() as stage:
            kith = stage.world.node('words', 'all', **settings)
            enrol_one(kith)
            fill_mariadb(stage.mariadb, stage.folder, faces, stage.mariadb.rows('SELECT model FROM templates')[0][0])
            measure_started(figure, kith, faces, 'MariaDB', quick)


def measure_started(figure, kith, faces, name, quick):
    begun = time.perf_counter()
    kith.start()
    until(lambda: kith.metric('kith_gallery_pass_faces_total') >= faces and idle(kith), 'the first pass', patience=600)
    took = time.perf_counter() - begun
    until(lambda: 'decision rule changed' in kith.log() and idle(kith), 'the calibration', patience=600)
    figure(f'{name}: from start to the end of the first pass, {faces:,} unknown faces', took, 's')
    measure(figure, kith, faces, name, 2 if quick else 4)
