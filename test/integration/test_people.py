"""People, photos, the folder of known people, and unknown faces that get a name later."""
import concurrent.futures
import hashlib
import shutil
import sqlite3

import pytest
from harness import png, until

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def add(kith, name, *colour):
    person = kith.post('/v1/people', {'name': name})
    assert person.status in (200, 201), person
    answer = kith.post(f'/v1/people/{person.json["id"]}/photos?name={name}.png', png(*colour), content_type='image/png')
    assert answer.status == 201, answer
    return person.json['id'], answer.json


def test_an_unknown_face_gets_its_name_when_its_person_is_enrolled(kith):
    number, = kith.submit(kith.picture('r.png', *RED))
    assert kith.finished(number)['verdict'] == 'unknown'
    attempts = kith.image(number)['attempts']
    person, added = add(kith, 'Red', 250, 0, 0)
    assert set(added) == {'id', 'person'}
    image = until(lambda: (lambda i: i if i['person'] else None)(kith.image(number)), 'the name')
    assert image['status'] == 'processed' and image['person'] == {'id': person, 'name': 'Red'}
    assert image['attempts'] == attempts, 'the network was not run again'


def test_naming_a_face_names_its_image_and_similar_faces(kith):
    numbers = kith.submit(*[kith.picture(f'{n}.png', 255, n, 0) for n in range(3)], kith.picture('g.png', *GREEN))
    for number in numbers:
        kith.finished(number)
    face = kith.image(numbers[0])['faces'][0]['id']
    answer = kith.post(f'/v1/faces/{face}/person', {'name': 'Red'})
    assert answer.json == {'id': 1, 'name': 'Red', 'changed': 1, 'deciding': 0} and kith.image(numbers[0])['person']
    until(lambda: all(kith.image(n)['person'] for n in numbers[:3]), 'the others to be named')
    assert kith.image(numbers[3])['person'] is None
    listed = kith.get('/v1/images?person=1').json['images']
    assert [i['id'] for i in listed] == numbers[2::-1]
    again = kith.post(f'/v1/faces/{face}/person', {'person': 999})
    assert again.status == 404
    assert kith.post(f'/v1/faces/{face}/person', {'name': 5}).status == 400
    assert kith.post(f'/v1/faces/{face}/person', {}).status == 400


def test_people_are_listed_renamed_and_deleted(kith):
    red, photo = add(kith, 'Red', *RED)
    green, _ = add(kith, 'Green', *GREEN)
    number, = kith.submit(kith.picture('r.png', *RED))
    until(lambda: kith.image(number)['person'], 'a name')
    people = kith.get('/v1/people').json
    assert [(p['name'], p['photos']) for p in people['people']] == [('Red', 1), ('Green', 1)]
    assert kith.call('PATCH', f'/v1/people/{red}', {'name': 'Scarlet'}).json == {'id': red, 'name': 'Scarlet'}
    assert kith.image(number)['person']['name'] == 'Scarlet'
    assert kith.call('PATCH', f'/v1/people/{red}', {'name': 'Green'}).status == 409
    one = kith.get(f'/v1/people/{red}').json
    assert one['photos'][0]['name'] == 'Red.png'
    assert kith.call('DELETE', f'/v1/people/{red}').status == 200
    assert kith.get(f'/v1/people/{red}').status == 404
    image = kith.image(number)
    assert image['person'] is None and image['verdict'] == 'unknown'
    unknown = kith.post('/v1/identify', png(*RED), content_type='image/png').json['faces'][0]
    assert unknown['person'] is None


def test_deleting_a_photo_takes_its_template_out_of_the_gallery(kith):
    person, photo = add(kith, 'Red', *RED)
    other = kith.post('/v1/people', {'name': 'Other'}).json['id']
    assert kith.call('DELETE', f'/v1/people/{other}/photos/{photo["id"]}').status == 404, 'a photo of another person'
    assert kith.call('DELETE', f'/v1/people/{person}/photos/{photo["id"]}').status == 200
    face = kith.post('/v1/identify', png(*RED), content_type='image/png').json['faces'][0]
    assert face['candidates'] == []


def test_the_same_photo_twice_is_one_template(kith):
    person, _ = add(kith, 'Red', *RED)
    add(kith, 'Red', *RED)
    until(lambda: kith.metric('kith_gallery_templates') == 1, 'the template')
    assert len(kith.get(f'/v1/people/{person}').json['photos']) == 1


def test_a_bad_name_is_refused(kith):
    assert kith.post('/v1/people', {'name': ''}).status == 400
    assert kith.post('/v1/people', {'name': 'x' * 256}).status == 400
    assert kith.post('/v1/people', {}).status == 400
    assert kith.post('/v1/people/99/photos', png(*RED), content_type='image/png').status == 404


def test_a_bad_name_of_a_photo_is_refused_and_never_repaired(kith):
    person = kith.post('/v1/people', {'name': 'Red'}).json['id']

    def post(name):
        return kith.post(f'/v1/people/{person}/photos?name={name}', png(*RED), content_type='image/png')
    for name, words in (('x' * 256, ('“name” has 256 bytes', '1 to 255')), ('%C3%A9' * 128, ('256 bytes',)),
                        ('caf%e9', ('not UTF-8',)), ('x' * 1500, ('“name”', '1024'))):
        answer = post(name)
        assert answer.status == 400 and all(w in answer.json['detail'] for w in words), answer
    assert kith.get(f'/v1/people/{person}').json['photos'] == []
    assert post('%C3%A9' * 127).status == 201
    assert [p['name'] for p in kith.get(f'/v1/people/{person}').json['photos']] == ['é' * 127]
    long = kith.post('/v1/people', {'name': 'é' * 256})
    assert long.status == 400 and '“name” has 256 characters; it must have 1 to 255' in long.json['detail']
    face = kith.finished(kith.submit(kith.picture('g.png', *GREEN))[0])['faces'][0]['id']
    assert kith.post(f'/v1/faces/{face}/person', {'name': 'é' * 256}).status == 400
    assert len(kith.get('/v1/people').json['people']) == 1


def known_folder(kith):
    folder = kith.folder / 'known'
    (folder / 'Red').mkdir(parents=True)
    (folder / 'Red' / 'one.png').write_bytes(png(*RED))
    (folder / 'green_1.png').write_bytes(png(*GREEN))
    (folder / 'green_2.png').write_bytes(png(0, 200, 0))
    (folder / 'notes.txt').write_text('not a photo')
    (folder / 'text.jpg').write_text('not a photo either')
    return folder


def test_a_folder_of_known_people_is_enrolled_once_and_watched(make):
    kith = make()
    folder = known_folder(kith)
    kith.settings['known_people'] = folder
    kith.start()
    until(lambda: kith.metric('kith_gallery_templates') == 3, 'three templates')
    names = [p['name'] for p in kith.get('/v1/people').json['people']]
    assert sorted(names) == ['Red', 'green']
    until(lambda: 'photo refused' in kith.log(), 'the refusal to be reported')
    assert 'text.jpg' in kith.log() and 'not an image' in kith.log()
    (folder / 'blue.png').write_bytes(png(*BLUE))
    until(lambda: kith.metric('kith_gallery_templates') == 4, 'the new photo to be seen')
    until(lambda: kith.metric('kith_images_in_flight') == 0)
    kith.stop()
    kith.start()
    assert until(lambda: kith.metric('kith_gallery_templates') == 4, 'the templates to be there again')
    until(lambda: kith.metric('kith_actor_handled_total{actor="known-people"}') >= 2, 'the folder to be looked at')
    assert kith.metric('kith_worker_cpu_seconds_total') == 0, 'nothing was embedded again'


def test_kith_enroll_sends_a_folder(kith):
    folder = known_folder(kith)
    ran = kith.run('enroll', folder)
    assert ran.returncode == 1 and '3 enrolled, 2 refused' in ran.stdout, ran
    assert 'text.jpg: refused' in ran.stderr
    shutil.rmtree(folder / 'Red')
    (folder / 'text.jpg').unlink()
    (folder / 'notes.txt').unlink()
    again = kith.run('enroll', folder)
    assert again.returncode == 0
    until(lambda: kith.metric('kith_gallery_templates') == 3, 'the templates')
    assert kith.run('enroll', '/nowhere').returncode == 2
    assert kith.run('enroll').returncode == 2


def test_a_relative_folder_of_known_people_starts_at_the_working_folder(make, tmp_path):
    folder = tmp_path / 'people/Ann'
    folder.mkdir(parents=True)
    (folder / 'a.png').write_bytes(png(7, 8, 9))
    kith = make(known_people='people').start()
    until(lambda: kith.metric('kith_gallery_templates') == 1, 'the photo to be enrolled')
    assert 'audit what="photo added" person=1 photo=1 name=Ann who=KITH_KNOWN_PEOPLE' in kith.log()


def test_a_denied_face_loses_the_name_and_so_do_similar_faces(kith):
    person, _ = add(kith, 'Red', *RED)
    assert kith.post(f'/v1/people/{person}/photos?name=g.png', png(*GREEN), content_type='image/png').status == 201
    likeness, other, own = kith.submit(kith.picture('a.png', 235, 20, 0), kith.picture('b.png', 233, 22, 0),
                                       kith.picture('own.png', *GREEN))
    for number in (likeness, other, own):
        assert kith.finished(number)['person'] == {'id': person, 'name': 'Red'}
    face = kith.image(likeness)['faces'][0]['id']
    denied = kith.post(f'/v1/faces/{face}/not/{person}')
    assert denied.status == 200 and denied.json == {'id': face, 'changed': 1, 'deciding': 3}
    assert kith.image(likeness)['person'] is None
    until(lambda: kith.image(other)['person'] is None, 'the other to lose the name')
    assert kith.image(own)['person'] == {'id': person, 'name': 'Red'}, 'nearer to a photo than to the counter-example'
    why = kith.get(f'/v1/images/{other}?explain=1').json['faces'][0]['explain']
    assert why['rule'] == 'denied' and why['not'] == person
    now = kith.post('/v1/identify?explain=1', png(234, 21, 0), content_type='image/png').json['faces'][0]
    assert now['person'] is None and now['similarity'] < 0.5 and now['explain']['rule'] == 'denied'
    kith.stop()
    kith.start()
    now = kith.post('/v1/identify', png(234, 21, 0), content_type='image/png').json['faces'][0]
    assert now['person'] is None, 'it is remembered'
    named = kith.post(f'/v1/faces/{face}/person', {'person': person})
    assert named.status == 200
    until(lambda: kith.image(other)['person'] == {'id': person, 'name': 'Red'}, 'the other to get the name back')
    assert kith.post(f'/v1/faces/{face}/not/999').status == 404
    assert kith.post(f'/v1/faces/999/not/{person}').status == 404


def test_an_unknown_person_is_identified_again_and_named_at_once(kith):
    first, second, third = kith.submit(kith.picture('1.png', *BLUE), kith.picture('2.png', 0, 0, 253),
                                       kith.picture('3.png', *GREEN))
    for number in (first, second, third):
        kith.finished(number)
    until(lambda: all(kith.image(n)['faces'][0].get('unknown_person') for n in (first, second, third)), 'unknown_people')
    one, two, three = (kith.image(n)['faces'][0]['unknown_person'] for n in (first, second, third))
    assert one == two != three
    listed = kith.get('/v1/unknown').json
    assert {(s['id'], s['faces']) for s in listed['unknown_people']} == {(one, 2), (three, 1)} and listed['next'] is None
    named = kith.post(f'/v1/unknown/{one}/person', {'name': 'Blue'}).json
    assert named['name'] == 'Blue' and named['faces'] == 2
    assert [kith.image(n)['person'] is not None for n in (first, second, third)] == [True, True, False]
    assert [s['id'] for s in kith.get('/v1/unknown').json['unknown_people']] == [three]
    assert kith.post(f'/v1/unknown/{one}/person', {'name': 'Blue'}).status == 404
    assert kith.post(f'/v1/unknown/{three}/person', {'name': 'Green', 'template': 'no'}).status == 400


def copy_face(kith, number, copies):
    """Gives the only face of an image so many copies, in the database, while kith is stopped."""
    kith.stop()
    database = sqlite3.connect(kith.folder / 'data' / 'kith.db')
    columns = 'image_id, x, y, width, height, quality, model, embedding, person, distance, unknown_person'
    database.executemany(f'INSERT INTO faces({columns}) SELECT {columns} FROM faces WHERE image_id = ? '
                         'ORDER BY id LIMIT 1', [(number,)] * copies)
    database.commit()
    database.close()
    kith.start()


def test_more_faces_than_a_batch_of_the_store_are_named_and_forgotten(kith):
    number, = kith.submit(kith.picture('b.png', *BLUE))
    kith.finished(number)
    until(lambda: kith.image(number)['faces'][0].get('unknown_person'), 'the unknown person')
    copy_face(kith, number, 1000)
    unknown = kith.image(number)['faces'][0]['unknown_person']
    named = kith.post(f'/v1/unknown/{unknown}/person', {'name': 'Blue'}).json
    assert named['name'] == 'Blue' and named['faces'] == 1001
    assert all(f['person'] == {'id': named['id'], 'name': 'Blue'} for f in kith.image(number)['faces'])
    assert kith.call('DELETE', f'/v1/people/{named["id"]}').status == 200
    image = kith.image(number)
    assert image['person'] is None and image['verdict'] == 'unknown'
    assert len(image['faces']) == 1001 and not any(f['person'] for f in image['faces'])
    assert kith.get('/v1/people').json['people'] == []


def test_an_answer_says_why(kith):
    person, _ = add(kith, 'Red', *RED)
    number, = kith.submit(kith.picture('r.png', *RED))
    kith.finished(number)
    assert 'explain' not in kith.image(number)['faces'][0]
    why = kith.get(f'/v1/images/{number}?explain=1').json['faces'][0]['explain']
    assert why['rule'] in ('fallback_threshold', 'fixed') and why['people'] == 1 and why['distance'] <= why['threshold']
    assert 'Red' in why['why']
    assert kith.get(f'/v1/images/{number}?explain=2').status == 400


def patches(folder, name, seed):
    """An image of four colours in proportions that identify a person."""
    import random
    from PIL import Image
    chance = random.Random(seed)
    picture = Image.new('RGB', (48, 48))
    for n in range(16):
        colour = tuple(chance.choice((20, 90, 160, 230)) for _ in range(3))
        picture.paste(colour, (n % 4 * 12, n // 4 * 12, n % 4 * 12 + 12, n // 4 * 12 + 12))
    path = folder / name
    picture.save(path)
    return path


def test_the_fpir_decides_once_enough_unknown_people_are_known(make, tmp_path):
    kith = make(recognizer='example', image_roots=tmp_path).start()
    for n in range(3):
        person = kith.post('/v1/people', {'name': f'Person {n}'}).json['id']
        data = patches(tmp_path, f'person{n}.png', f'person {n}').read_bytes()
        assert kith.post(f'/v1/people/{person}/photos', data, content_type='image/png').status == 201
    number, = kith.submit(tmp_path / 'person0.png')
    kith.finished(number)
    assert kith.get(f'/v1/images/{number}?explain=1').json['faces'][0]['explain']['rule'] == 'fallback_threshold'
    numbers = kith.submit(*[patches(tmp_path, f'unknown{n}.png', n) for n in range(300)])
    assert all(kith.finished(n)['verdict'] == 'unknown' for n in numbers)
    until(lambda: kith.metric('kith_gallery_calibrated') == 1, 'the calibration')
    assert kith.metric('kith_gallery_cohort_faces') >= 200
    known = kith.post('/v1/identify?explain=1', (tmp_path / 'person1.png').read_bytes(), content_type='image/png')
    face = known.json['faces'][0]
    assert face['person']['name'] == 'Person 1' and face['explain']['rule'] == 'rate'
    assert face['explain']['score'] >= face['explain']['needed'] and face['explain']['cohort'] >= 200
    data = patches(tmp_path, 'new.png', 'new person').read_bytes()
    face = kith.post('/v1/identify?explain=1', data, content_type='image/png').json['faces'][0]
    assert face['person'] is None and face['similarity'] < 0.5
    kith.stop()
    kith.start()
    until(lambda: kith.metric('kith_gallery_calibrated') == 1, 'the calibration after a start')


def test_two_denials_at_once_are_both_reviewed(kith):
    people = [add(kith, name, *colour)[0] for name, colour in (('Red', RED), ('Blue', BLUE))]
    numbers = kith.submit(*[kith.picture(f'r{n}.png', 235 - n % 3, 20, 0) for n in range(30)],
                          *[kith.picture(f'b{n}.png', 0, 20, 235 - n % 3) for n in range(30)])
    images = [kith.finished(n) for n in numbers]
    assert [i['person']['name'] for i in images] == ['Red'] * 30 + ['Blue'] * 30
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda pair: kith.post(f'/v1/faces/{pair[0]}/not/{pair[1]}'),
                                [(images[0]['faces'][0]['id'], people[0]), (images[30]['faces'][0]['id'], people[1])]))
    assert [a.status for a in answers] == [200, 200]
    until(lambda: all(kith.image(n)['person'] is None for n in numbers), 'all names to be taken back')


def test_a_large_known_folder_beside_legacy_rows_costs_the_loop_nothing(make):
    """20,000 known photos and 10,000 rows of person_images: a scan gives the enroller only the one new photo."""
    kith = make().start()
    kith.stop()
    folder = kith.folder / 'people'
    (folder / 'ann').mkdir(parents=True)
    database = sqlite3.connect(kith.folder / 'data' / 'kith.db')
    rows = []
    for n in range(20000):
        path = folder / 'ann' / f'p{n:05}.jpg'
        path.write_bytes(b'x')
        stat = path.stat()
        rows.append((hashlib.sha256(str(path).encode()).digest()[:16], str(path), 'ann', stat.st_size, stat.st_mtime_ns))
    database.executemany('INSERT INTO known_files(path_key, path, person_name, size, mtime_ns, taken) VALUES(?,?,?,?,?,1)',
                         rows)
    database.executemany('INSERT INTO person_images(image_name, person_id) VALUES(?, 1)',
                         [(f'other_{n}.jpg',) for n in range(10000)])
    database.commit()
    database.close()
    (folder / 'ann' / 'new.png').write_bytes(png(*RED))
    kith.settings['known_people'] = folder
    kith.start(ready=False)
    until(lambda: kith.get('/healthz').status == 200 and kith.metric('kith_known_people_scans_total') >= 1, 'a scan')
    assert kith.metric('kith_known_people_photos') == 20001
    until(lambda: kith.metric('kith_gallery_templates') == 1, 'the new photo to be enrolled')
    until(lambda: kith.metric('kith_known_people_scans_total') >= 2, 'another scan')
    assert kith.metric('kith_known_people_enrolments_total') == 1


def run_again(kith, number):
    before = kith.image(number)['attempts']
    assert kith.post(f'/v1/images/{number}/retry').status == 200
    return until(lambda: (lambda i: i if i['attempts'] > before and i['finished_at'] else None)(kith.image(number)),
                 'the second run')


@pytest.mark.parametrize('template', [False, True])
def test_a_name_given_by_hand_survives_a_retry(kith, template):
    number, = kith.submit(kith.picture('a.png', 10, 200, 30))
    face = kith.finished(number)['faces'][0]['id']
    assert kith.post(f'/v1/faces/{face}/person', {'name': 'Ann', 'template': template}).status == 200
    image = run_again(kith, number)
    assert image['person']['name'] == 'Ann' and image['status'] == 'processed' and image['verdict'] == 'known', image
    assert [(f['id'], f['person']['name']) for f in image['faces']] == [(face, 'Ann')]
    assert kith.get('/v1/stats').json['processed'] == 1 and kith.get('/v1/stats').json['unknown'] == 0
    # Other bytes under the same path are another picture.
    kith.picture('a.png', 250, 20, 250)
    image = run_again(kith, number)
    assert image['person'] is None and [f['person'] for f in image['faces']] == [None], image


def test_a_retry_that_fails_keeps_the_name_for_the_next(kith):
    path = kith.picture('a.png', 10, 200, 30)
    number, = kith.submit(path)
    face = kith.finished(number)['faces'][0]['id']
    kith.post(f'/v1/faces/{face}/person', {'name': 'Ann', 'template': False})
    path.rename(path.with_suffix('.away'))
    assert run_again(kith, number)['status'] == 'failed'
    path.with_suffix('.away').rename(path)
    image = run_again(kith, number)
    assert image['person']['name'] == 'Ann' and image['faces'][0]['id'] == face, image


def test_a_counter_example_keeps_its_face_over_a_retry(kith):
    person = kith.post('/v1/people', {'name': 'Ann'}).json['id']
    kith.post(f'/v1/people/{person}/photos', png(10, 200, 30), content_type='image/png')
    number, = kith.submit(kith.picture('a.png', 12, 200, 30))
    face = kith.finished(number)['faces'][0]['id']
    assert kith.image(number)['person']['name'] == 'Ann'
    assert kith.post(f'/v1/faces/{face}/not/{person}').status == 200
    image = run_again(kith, number)
    assert image['person'] is None and image['faces'][0]['id'] == face, image
    assert kith.post(f'/v1/faces/{face}/person', {'person': person}).status == 200, 'and can be taken back'
    assert run_again(kith, number)['person']['name'] == 'Ann'
