"""Deleting forgets: what was deleted is searched for in every file of the data folder, by this test itself."""
import concurrent.futures
import contextlib
import hashlib
import sqlite3

import pytest
from forgetting import noise, traces
from harness import until

NAME = 'Zacharias Quux'


@pytest.fixture
def kith(make):
    return make(upload_grace='100ms').start()


def upload(kith, picture):
    answer = kith.post('/v1/images', picture, content_type='image/png')
    assert answer.status == 202, answer
    number = answer.json['images'][0]['id']
    kith.finished(number)
    return number


def delete(kith, path):
    answer = kith.call('DELETE', path)
    assert answer.status == 200, answer
    return answer.json


def rows(kith, sql, *values):
    with sqlite3.connect(f'file:{kith.folder}/data/kith.db?mode=ro', uri=True) as db:
        return db.execute(sql, values).fetchall()


def embeddings(kith, table, condition, *values):
    found = [row[0] for row in rows(kith, f'SELECT embedding FROM {table} WHERE {condition}', *values)]
    assert found and all(len(e) - e.count(0) > 64 for e in found), 'embeddings that can be recognised'
    return found


def gone(kith, *needles):
    until(lambda: not traces(kith.folder / 'data', *needles), 'everything to be forgotten', pause=0.2)


def show(kith, number):
    """Fills the cache with a thumbnail and a crop. Returns their bytes."""
    made = [kith.get(f'/v1/images/{number}/{what}') for what in ('photo?width=32', 'faces/0/crop')]
    assert all(m.status == 200 for m in made), made
    until(lambda: all(traces(kith.folder / 'data/thumbs', m.body[-82:-2]) for m in made), 'the cache to be written')
    return [m.body[-82:-2] for m in made]  # a JPEG begins as others do


def test_an_image_leaves_nothing_behind(kith):
    picture = noise(1)
    other = upload(kith, noise(2))
    number = upload(kith, picture)
    needles = [picture, hashlib.sha256(picture).hexdigest(), *embeddings(kith, 'faces', 'image_id = ?', number),
               *show(kith, number)]
    kept = [noise(2), *embeddings(kith, 'faces', 'image_id = ?', other), *show(kith, other)]
    for needle in needles:
        assert traces(kith.folder / 'data', needle)
    answer = delete(kith, f'/v1/images/{number}')
    assert answer['deleted'] == {'images': 1, 'faces': 1, 'templates': 0, 'photos': 0}
    assert [w['for'] for w in answer['waits']] == ['files', 'database', 'backups']
    gone(kith, *needles)
    for needle in kept:
        assert traces(kith.folder / 'data', needle), 'the other image stays'
    ran = kith.run('forget', '--verify', hashlib.sha256(picture).hexdigest(), f'image:{number}')
    assert ran.returncode == 0 and 'nothing is left' in ran.stdout, ran


def test_a_thumbnail_that_is_made_while_its_image_is_deleted_does_not_stay(kith):
    pictures = [noise(200 + n, 160, 160) for n in range(12)]
    numbers = [upload(kith, p) for p in pictures]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        shown = [pool.submit(kith.get, f'/v1/images/{n}/photo?width={w}') for n in numbers for w in (100, 200, 300, 400)]
        done = [pool.submit(kith.call, 'DELETE', f'/v1/images/{n}') for n in numbers]
        assert {d.result().status for d in done} == {200}
        assert {s.result().status for s in shown} <= {200, 404, 422}
    gone(kith, *(hashlib.sha256(p).hexdigest() for p in pictures))


def test_the_gallery_forgets_the_unknown_face_of_a_deleted_image(kith):
    number, other = upload(kith, noise(3)), upload(kith, noise(4))
    until(lambda: kith.metric('kith_gallery_unknown_people') == 2, 'two unknown people')
    delete(kith, f'/v1/images/{number}')
    until(lambda: kith.metric('kith_gallery_unknown_people') == 1, 'one to be forgotten')
    delete(kith, f'/v1/images/{other}')
    until(lambda: kith.metric('kith_gallery_unknown_people') == 0, 'the other to be forgotten')


def test_an_unknown_person_leaves_no_face_behind(kith):
    number = upload(kith, noise(12))
    until(lambda: kith.get('/v1/unknown').json['unknown_people'], 'the unknown person')
    unknown = kith.get('/v1/unknown').json['unknown_people'][0]['id']
    needles = [*embeddings(kith, 'faces', 'image_id = ?', number), *show(kith, number)]
    assert delete(kith, f'/v1/unknown/{unknown}')['deleted']['faces'] == 1
    gone(kith, *needles)
    assert kith.image(number)['faces'] == [] and kith.get('/v1/unknown').json['unknown_people'] == []
    until(lambda: kith.metric('kith_gallery_unknown_people') == 0, 'the gallery to forget')
    assert kith.call('DELETE', f'/v1/unknown/{unknown}').status == 404


def test_a_person_leaves_nothing_behind(kith):
    photos = [noise(n) for n in (1, 2, 3)]
    person = kith.post('/v1/people', {'name': NAME}).json['id']
    for photo in photos:
        assert kith.post(f'/v1/people/{person}/photos', photo, content_type='image/png').status == 201
    number = upload(kith, photos[0])
    assert kith.image(number)['person']['name'] == NAME
    needles = [NAME, *photos[1:], *(hashlib.sha256(p).hexdigest() for p in photos[1:])]
    needles += embeddings(kith, 'templates', 'photo_id > 1')
    assert len(traces(kith.folder / 'data', NAME)) > 0
    answer = delete(kith, f'/v1/people/{person}')
    assert answer['deleted']['photos'] == 3 and answer['deleted']['templates'] == 3, answer
    gone(kith, *needles)
    assert kith.image(number)['person'] is None
    assert kith.get(f'/v1/images/{number}/photo').body == photos[0], 'the image shares its bytes with a photo'
    delete(kith, f'/v1/images/{number}')
    gone(kith, photos[0], hashlib.sha256(photos[0]).hexdigest())


def test_a_photo_leaves_nothing_behind_and_bytes_stay_as_long_as_they_are_enrolled(kith):
    photo = noise(5)
    person = kith.post('/v1/people', {'name': NAME}).json['id']
    made = kith.post(f'/v1/people/{person}/photos', photo, content_type='image/png').json['id']
    number = upload(kith, photo)
    needles = [photo, hashlib.sha256(photo).hexdigest(), *embeddings(kith, 'templates', 'person_id = ?', person)]
    delete(kith, f'/v1/images/{number}')
    until(lambda: rows(kith, 'SELECT COUNT(*) FROM erasures') == [(0,)], 'the deletion to be done')
    assert traces(kith.folder / 'data/spool', photo), 'the photo is still enrolled'
    delete(kith, f'/v1/people/{person}/photos/{made}')
    gone(kith, *needles)


def test_what_was_left_to_do_is_done_after_a_kill(make):
    """The file of a young upload is removed later: by the next process."""
    kith = make(upload_grace='10s').start()
    picture = noise(7)
    number = upload(kith, picture)
    needles = [picture, hashlib.sha256(picture).hexdigest(), *embeddings(kith, 'faces', 'image_id = ?', number),
               *show(kith, number)]
    photo = noise(6)
    person = kith.post('/v1/people', {'name': NAME}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', photo, content_type='image/png').status == 201
    needles += [NAME, photo, *embeddings(kith, 'templates', 'person_id = ?', person)]
    delete(kith, f'/v1/images/{number}')
    delete(kith, f'/v1/people/{person}')
    kith.kill()
    assert traces(kith.folder / 'data/spool', picture) and traces(kith.folder / 'data/spool', photo), 'files still there'
    assert rows(kith, 'SELECT COUNT(*) FROM erasures WHERE path IS NOT NULL') == [(2,)]
    kith.start()
    gone(kith, *needles)


def test_the_first_start_empties_a_cache_of_which_deletions_are_not_known(make):
    kith = make().start()
    number = upload(kith, noise(8))
    show(kith, number)
    kith.stop()
    with sqlite3.connect(kith.folder / 'data/kith.db') as db:
        db.execute('DELETE FROM erasers')
    kith.start()
    until(lambda: not list((kith.folder / 'data/thumbs').glob('??/*')), 'the cache to be emptied')
    assert kith.get(f'/v1/images/{number}/photo?width=32').status == 200


def test_the_command_deletes_and_verifies(kith):
    photo = noise(9)
    person = kith.post('/v1/people', {'name': NAME}).json['id']
    kith.post(f'/v1/people/{person}/photos', photo, content_type='image/png')
    ran = kith.run('forget', '--verify', NAME)
    assert ran.returncode == 1 and 'left: table names (person): 1' in ran.stdout and 'kith.db' in ran.stdout, ran
    assert 'left: file' in ran.stdout and 'an embedding' in ran.stdout, ran
    ran = kith.run('forget', NAME)
    assert ran.returncode == 0 and f'person {person}: deleted' in ran.stdout and 'nothing is left' in ran.stdout, ran
    assert kith.get(f'/v1/people/{person}').status == 404 and not traces(kith.folder / 'data', NAME, photo)
    assert kith.run('forget', '--verify', NAME).returncode == 0
    ran = kith.run('forget', NAME)
    assert ran.returncode == 2 and 'there is no image or person' in ran.stderr, ran


def test_the_command_finds_an_image_by_path_hash_and_id(kith):
    pictures = [noise(n) for n in (20, 21, 22)]
    numbers = [upload(kith, p) for p in pictures]
    by_path = rows(kith, 'SELECT path FROM images WHERE id = ?', numbers[0])[0][0]
    ran = kith.run('forget', by_path, hashlib.sha256(pictures[1]).hexdigest(), f'image:{numbers[2]}')
    assert ran.returncode == 0 and ran.stdout.count(': deleted') == 3, ran
    assert not traces(kith.folder / 'data', *pictures)


@pytest.mark.parametrize('setting', ['keep_images', 'keep_unknown'])
def test_images_are_deleted_by_age_except_those_about_which_a_person_spoke(make, setting):
    kith = make(upload_grace='100ms', **{setting: '2s', 'keep_check': '50ms'}).start()
    picture, spoken = noise(30), noise(31)
    number, named = upload(kith, picture), upload(kith, spoken)
    face = kith.image(named)['faces'][0]['id']
    assert kith.post(f'/v1/faces/{face}/person', {'name': NAME}).status == 200
    until(lambda: kith.get(f'/v1/images/{number}').status == 404, 'the old image to be deleted')
    gone(kith, picture, hashlib.sha256(picture).hexdigest())
    assert kith.image(named)['person']['name'] == NAME
    assert kith.metric('kith_images_expired_total') == 1
    entry, = kith.get('/v1/audit?action=images+expired').json['audit']
    assert entry['who'] == f'KITH_{setting.upper()}' and entry['detail'] == '1 images'


def test_images_are_kept_without_a_setting_and_counted_by_the_command(kith):
    number = upload(kith, noise(33))
    ran = kith.run('forget', '--older', '0s', '--dry-run')
    assert ran.returncode == 0 and '1 image would be deleted' in ran.stdout, ran
    assert kith.run('forget', '--older', '1d').stdout.startswith('0 images')
    assert kith.image(number)
    assert kith.run('forget', '--older', '0s').stdout.startswith('1 image deleted')
    assert kith.get(f'/v1/images/{number}').status == 404


def test_an_idempotency_key_of_a_deleted_upload_is_forgotten(kith):
    picture = noise(35)
    first = kith.post('/v1/images', picture, content_type='image/png', idempotency_key='one').json['images'][0]
    kith.finished(first['id'])
    delete(kith, f'/v1/images/{first["id"]}')
    gone(kith, hashlib.sha256(picture).hexdigest())
    again = kith.post('/v1/images', picture, content_type='image/png', idempotency_key='one')
    assert again.status == 202 and again.json['images'][0]['id'] != first['id'], again


def test_the_database_shrinks(make):
    kith = make(workers=1).start()
    kith.stop()
    with contextlib.closing(sqlite3.connect(kith.folder / 'data/kith.db', isolation_level=None)) as db:
        db.executescript('PRAGMA auto_vacuum=NONE; VACUUM')  # as a file of an older kith
        db.execute('BEGIN')
        db.executemany('INSERT INTO events(kind, image_id, person_id, at) VALUES(1, 1, 0, ?)', [(n,) for n in range(30000)])
        db.execute('COMMIT')
        db.executescript('DELETE FROM events; PRAGMA wal_checkpoint(TRUNCATE)')
    before = (kith.folder / 'data/kith.db').stat().st_size
    ran = kith.run('compact')
    assert ran.returncode == 0, ran
    assert (kith.folder / 'data/kith.db').stat().st_size < before / 2
    assert rows(kith, 'PRAGMA auto_vacuum') == [(2,)]
    kith.start()
    refused = kith.run('compact')
    assert refused.returncode == 1 and 'another kith uses' in refused.stderr


# --- the audit trail ---

def test_changes_are_listed_with_who_and_when_and_without_names_of_the_deleted(kith):
    person = kith.post('/v1/people', {'name': NAME}).json['id']
    number = upload(kith, noise(40))
    face = kith.image(number)['faces'][0]['id']
    kith.post(f'/v1/faces/{face}/person', {'person': person})

    def audit(query=''):
        answer = kith.get('/v1/audit' + query)
        assert answer.status == 200, answer
        return answer.json['audit']
    until(lambda: len(audit()) == 2, 'two changes to be stored')
    named, added = audit()
    assert (added['action'], added['person'], added['who']) == ('person added', {'id': person, 'name': NAME}, 'anybody')
    assert (named['action'], named['image'], named['person']['id']) == ('face named', number, person)
    assert [e['id'] for e in audit(f'?image={number}')] == [named['id']]
    assert [e['id'] for e in audit(f'?person={person}&action=person+added')] == [added['id']]
    assert audit('?who=nobody') == [] and audit('?since_ms=99999999999999') == []
    first = kith.get('/v1/audit?limit=1').json
    assert first['audit'] == [named] and kith.get(f'/v1/audit?limit=1&after={first["next"]}').json['audit'] == [added]
    delete(kith, f'/v1/people/{person}')
    delete(kith, f'/v1/images/{number}')
    until(lambda: len(audit()) == 4, 'the deletions to be stored')
    assert [e['action'] for e in audit()] == ['image deleted', 'person deleted', 'face named', 'person added']
    assert {e['person']['name'] for e in audit(f'?person={person}')} == {None}
    gone(kith, NAME)
    assert kith.get('/v1/audit?limit=0').status == 400


def test_only_an_admin_reads_the_audit_trail(make):
    kith = make(auth='keys')
    keys = {role: kith.run('key', 'create', '--role', role, '--name', f'{role} key').stdout.strip()
            for role in ('admin', 'read')}
    kith.start(ready=False)
    until(lambda: kith.get('/v1/audit', authorization=f'Bearer {keys["admin"]}').status == 200, 'the key to be loaded')
    assert kith.get('/v1/audit', authorization=f'Bearer {keys["read"]}').status == 403
    trail = kith.get('/v1/audit', authorization=f'Bearer {keys["admin"]}').json['audit']
    assert [(e['action'], e['who'], e['detail']) for e in trail] == [
        ('key added', 'kith key', 'key 2, roles read'), ('key added', 'kith key', 'key 1, roles admin')]
    bearer = {'authorization': f'Bearer {keys["admin"]}'}
    assert kith.post('/v1/people', {'name': NAME}, **bearer).status == 201
    until(lambda: kith.get('/v1/audit?who=admin+key', **bearer).json['audit'], 'the change to be stored with its key')


