"""Uploads keep their names, and move with the data folder."""
import hashlib
import os
import re
import sqlite3
import urllib.parse

import pytest
from harness import png, until

RED = (200, 10, 10)


def enrol(kith, name, colour):
    person = kith.post('/v1/people', {'name': name}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', png(*colour), content_type='image/png').status == 201
    return person


def name_of(kith, number):
    image = kith.image(number)
    return image['person'] and image['finished_at'] and image['person']['name']


# --- names of uploads ---

UMLAUT = 'Grüße aus Köln.png'


@pytest.mark.parametrize('query, header, name', [
    ('', None, None),
    ('?filename=IMG_1.png', None, 'IMG_1.png'),
    ('?filename=' + urllib.parse.quote(UMLAUT), None, UMLAUT),
    ('?filename=..%2F..%2Fetc%2Fpasswd', None, 'passwd'),
    ('?filename=C%3A%5Cphotos%5Ca.png', None, 'a.png'),
    ('?filename=query.png', 'attachment; filename=header.png', 'query.png'),
    ('', 'attachment; filename="a b.png"', 'a b.png'),
    ('', "attachment; filename=ascii.png; filename*=UTF-8''" + urllib.parse.quote(UMLAUT), UMLAUT),
    ('', 'attachment', None),
])
def test_an_upload_keeps_its_name(kith, query, header, name):
    headers = {'content_disposition': header} if header else {}
    answer = kith.post('/v1/images' + query, png(*RED), content_type='image/png', **headers)
    assert answer.status == 202, answer
    image = answer.json['images'][0]
    kith.finished(image['id'])
    listed, = kith.get('/v1/images').json['images']
    for record in (image, kith.image(image['id']), listed):
        assert record.get('filename') == name, record
        assert record['path'].startswith(str(kith.folder / 'data/spool/')), record
    files = [f for _, _, names in os.walk(kith.folder / 'data/spool') for f in names]
    assert files == [os.path.basename(image['path'])], 'the name is no file'


@pytest.mark.parametrize('query, header, status, word', [
    ('?filename=' + 'a' * 256, None, 400, '255'),
    ('?filename=', None, 400, 'filename'),
    ('?filename=a%2F', None, 400, 'filename'),
    ('?filename=a%0Ab.png', None, 400, 'control'),
    ('?filename=%FF.png', None, 400, 'filename'),
    ('', 'attachment; filename', 400, 'RFC 6266'),
    ('', 'attachment; filename="a.png', 400, 'RFC 6266'),
    ('', "attachment; filename*=UTF-8''%C3", 400, 'filename'),
    ('', "attachment; filename*=UTF-8''%zz.png", 400, 'RFC 6266'),
    ('', "attachment; filename*=ISO-8859-1''a.png", 400, 'RFC 6266'),
    ('', 'attachment; filename=' + 'a' * 1100, 431, 'content-disposition'),
])
def test_a_bad_name_is_refused_and_nothing_stays(kith, query, header, status, word):
    headers = {'content_disposition': header} if header else {}
    answer = kith.post('/v1/images' + query, png(*RED), content_type='image/png', **headers)
    assert answer.status == status and word in answer.json['detail'], answer
    assert kith.get('/v1/images').json['images'] == []
    assert not [f for _, _, names in os.walk(kith.folder / 'data/spool') for f in names]


def test_the_first_name_of_the_same_bytes_stays(kith):
    def upload(query):
        return kith.post('/v1/images' + query, png(*RED), content_type='image/png').json['images'][0]
    number = upload('')['id']
    for query in ('?filename=first.png', '?filename=second.png', ''):
        image = upload(query)
        assert (image['id'], image['filename'], image['existing']) == (number, 'first.png', True)
    assert kith.image(number)['filename'] == 'first.png'


def test_a_path_takes_no_filename(kith):
    answer = kith.post('/v1/images?filename=a.png', {'path': 'a.png'})
    assert answer.status == 400 and 'filename' in answer.json['detail'], answer


# --- the spool moves ---

def records(kith, sql):
    database = sqlite3.connect(kith.folder / 'data/kith.db', timeout=30)
    with database:
        rows = database.execute(sql).fetchall()
    database.close()
    return rows


def move(kith):
    assert kith.stop() == 0
    moved = kith.folder / 'moved'
    (kith.folder / 'data').rename(moved)
    kith.settings['data'] = moved
    return moved


def test_a_data_folder_that_was_moved_works(kith):
    red = enrol(kith, 'Red', RED)
    number = kith.post('/v1/images', png(*RED, width=65), content_type='image/png').json['images'][0]['id']
    kith.finished(number)
    paths = records(kith, 'SELECT path FROM images UNION ALL SELECT path FROM person_images')
    assert len(paths) == 2 and all(p.startswith('spool/') for p, in paths), paths
    moved = move(kith)
    kith.start()
    assert kith.image(number)['path'].startswith(str(moved / 'spool/'))
    for picture in (f'/v1/images/{number}/photo', f'/v1/images/{number}/photo?width=48',
                    f'/v1/images/{number}/faces/0/crop', f'/v1/people/{red}/portrait'):
        assert kith.get(picture).status == 200, picture
    assert kith.post(f'/v1/images/{number}/retry').status == 200
    until(lambda: kith.image(number)['attempts'] == 2 and name_of(kith, number) == 'Red', 'the retry')
    again = kith.post('/v1/images', png(*RED, width=65), content_type='image/png').json['images'][0]
    assert (again['id'], again['existing']) == (number, True), 'the same bytes are the same image'
    file = kith.image(number)['path']
    by_path = kith.post('/v1/images', {'path': file}).json['images'][0]
    assert by_path['id'] == number, 'its path names it'
    assert kith.call('DELETE', f'/v1/images/{number}').status == 200
    until(lambda: not os.path.exists(file), 'the file to be removed')


def test_paths_of_the_version_before_become_relative(make):
    """Schema 4 stored absolute paths, here of a folder that was moved since."""
    kith = make()
    spool = kith.folder / 'data/spool'
    statements = kith.run('schema', 'sqlite').stdout.splitlines()
    newer = next(i for i, sql in enumerate(statements) if re.search(r'ALTER TABLE faces ADD COLUMN +word', sql))
    rows = []
    for n in (65, 66):
        data = png(*RED, width=n)
        name = hashlib.sha256(data).hexdigest()
        (spool / name[:2]).mkdir(parents=True, exist_ok=True)
        (spool / name[:2] / f'{name}.png').write_bytes(data)
        rows.append((f'/old/data/spool/{name[:2]}/{name}.png', name))
    own = kith.picture('own.png', *RED)
    database = sqlite3.connect(kith.folder / 'data/kith.db')
    for sql in statements[:newer]:
        database.execute(sql)
    database.execute('INSERT INTO schema_version VALUES(4)')
    database.execute('INSERT INTO images(path, path_key, spooled, sha256) VALUES(?, ?, 1, ?)',
                     (rows[0][0], b'k' * 16, rows[0][1]))
    database.execute('INSERT INTO images(path, path_key) VALUES(?, ?)', (str(own), b'l' * 16))
    database.execute("INSERT INTO person VALUES(1, 'Red', ?)", (b'n' * 16,))
    database.execute("INSERT INTO person_images(image_name, person_id, path, spooled, sha256) VALUES('red', 1, ?, 1, ?)",
                     rows[1])
    database.commit()
    database.close()
    kith.start()
    until(lambda: name_of(kith, 1) == 'Red' and name_of(kith, 2) == 'Red', 'the photo to be embedded')
    assert kith.image(1)['path'] == f'{spool}/{rows[0][1][:2]}/{rows[0][1]}.png'
    assert kith.image(2)['path'] == str(own)
    again = kith.post('/v1/images', png(*RED, width=65), content_type='image/png').json['images'][0]
    assert (again['id'], again['existing']) == (1, True)
    assert kith.get('/v1/people/1/portrait').status == 200


def test_a_moved_folder_is_swept_and_its_photos_are_embedded_anew(make):
    kith = make(spool_sweep='1ms', orphan_age='1ms', upload_grace='0s').start()
    enrol(kith, 'Red', RED)
    moved = move(kith)
    photo, = [os.path.join(f, n) for f, _, names in os.walk(moved / 'spool') for n in names]
    database = sqlite3.connect(moved / 'kith.db')
    with database:
        database.execute("UPDATE templates SET model = 'older'")
    database.close()
    orphan = moved / 'spool' / '00'
    orphan.mkdir(exist_ok=True)
    (orphan / ('00' * 32 + '.png')).write_bytes(b'orphan')
    kith.start()
    until(lambda: not (orphan / ('00' * 32 + '.png')).exists(), 'the orphan to be removed')
    until(lambda: kith.post('/v1/identify', png(*RED), content_type='image/png').json['faces'][0]['person'],
          'the photo to be embedded')
    sweeps = kith.folder / 'moved/spool/ff'
    sweeps.mkdir(exist_ok=True)
    (sweeps / ('ff' * 32 + '.png')).write_bytes(b'orphan')
    until(lambda: not (sweeps / ('ff' * 32 + '.png')).exists(), 'another sweep of all folders')
    assert os.path.exists(photo), 'a photo of a person is no orphan'
