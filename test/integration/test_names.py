"""Names of people: alike names, several people of one name, search, merging and its undoing, notes, portraits."""
import random
import sqlite3
import unicodedata
import urllib.parse

import pytest
from harness import png, until

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
JOSE = ['José', unicodedata.normalize('NFD', 'José'), ' José ', 'josé', 'JOSÉ', 'Jo\u200bsé', 'José\u00a0']


def add(kith, name, *colour, **more):
    person = kith.post('/v1/people', {'name': name, **more}).json['id']
    if colour:
        answer = kith.post(f'/v1/people/{person}/photos', png(*colour), content_type='image/png')
        assert answer.status == 201, answer
    return person


def people(kith, query=''):
    return kith.get(f'/v1/people{query}').json['people']


def find(kith, name, limit=100):
    found, after = [], ''
    while True:
        page = kith.get(f'/v1/people?name={urllib.parse.quote(name)}&limit={limit}{after}')
        assert page.status == 200, page
        found += [p['name'] for p in page.json['people']]
        if not page.json['next']:
            return found
        after = '&after=' + page.json['next']


def merge(kith, person, into):
    return kith.post(f'/v1/people/{person}/merge', {'into': into})


# --- alike names ---

def test_alike_names_are_one_person(kith):
    first = kith.post('/v1/people', {'name': JOSE[2]})
    assert first.status == 201 and first.json == {'id': 1, 'name': 'José'}
    for name in JOSE:
        again = kith.post('/v1/people', {'name': name})
        assert again.status == 200 and again.json == {'id': 1, 'name': 'José', 'existing': True}, again
    assert kith.post('/v1/people', {'name': 'Jose'}).json['id'] == 2
    number, = kith.submit(kith.picture('r.png', *RED))
    face = kith.finished(number)['faces'][0]['id']
    assert kith.post(f'/v1/faces/{face}/person', {'name': JOSE[1].upper()}).json == {
        'id': 1, 'name': 'José', 'changed': 1, 'deciding': 0}


@pytest.mark.parametrize('name', ['', '   ', '\u200b', '\u2060 \t', '\u3164'])
def test_a_name_of_blanks_is_none(kith, name):
    for answer in (kith.post('/v1/people', {'name': name}), kith.post('/v1/people', {'name': name, 'another': True}),
                   kith.call('PATCH', f'/v1/people/{add(kith, "Ann")}', {'name': name})):
        assert answer.status == 400 and '“name” must have 1 to 255 characters' in answer.json['detail'], answer
    assert [p['name'] for p in people(kith)] == ['Ann']


def test_names_of_255_characters(kith):
    for character in 'x', 'é', '\U0001F600':
        assert kith.post('/v1/people', {'name': character * 255}).json['name'] == character * 255
        assert '256 characters' in kith.post('/v1/people', {'name': character * 256}).json['detail']
    assert kith.post('/v1/people', {'name': unicodedata.normalize('NFD', 'ü' * 255)}).json['name'] == 'ü' * 255


def test_a_folder_of_macos_is_the_person_of_the_api(make, tmp_path):
    folder = tmp_path / 'known'
    (folder / unicodedata.normalize('NFD', 'José')).mkdir(parents=True)
    (folder / unicodedata.normalize('NFD', 'José') / 'a.png').write_bytes(png(*RED))
    kith = make(known_people=folder).start()
    person = kith.post('/v1/people', {'name': 'José'}).json['id']
    until(lambda: [p['photos'] for p in people(kith)] == [1], 'the photo')
    assert [(p['id'], p['name']) for p in people(kith)] == [(person, 'José')]


# --- two people of one name ---

def test_two_people_of_one_name(kith):
    first, second = add(kith, 'Ann'), add(kith, 'ANN', another=True)
    assert first != second and [p['name'] for p in people(kith)] == ['Ann', 'ANN']
    number, = kith.submit(kith.picture('r.png', *RED))
    face = kith.finished(number)['faces'][0]['id']
    for answer in (kith.post('/v1/people', {'name': 'ann'}), kith.post(f'/v1/faces/{face}/person', {'name': 'ann'}),
                   kith.post(f'/v1/unknown/{face}/person', {'name': 'ann'})):
        assert answer.status == 409 and [p['id'] for p in answer.json['people']] == [first, second], answer
    assert kith.post(f'/v1/faces/{face}/person', {'person': second}).json == {
        'id': second, 'name': 'ANN', 'changed': 1, 'deciding': 0}
    assert kith.post('/v1/people', {'name': 'Ann', 'another': 1}).status == 400


def test_a_photo_of_the_folder_with_an_ambiguous_name_is_refused_in_words(make, tmp_path):
    (tmp_path / 'known').mkdir()
    kith = make(known_people=tmp_path / 'known').start()
    add(kith, 'Ann'), add(kith, 'Ann', another=True)
    (tmp_path / 'known/Ann').mkdir()
    (tmp_path / 'known/Ann/a.png').write_bytes(png(*RED))
    until(lambda: 'several people have this name' in kith.log(), 'the refusal')
    assert [p['photos'] for p in people(kith)] == [0, 0]


def test_a_rename_onto_an_alike_name_says_how_to_merge(kith):
    ann, bo = add(kith, 'Ann'), add(kith, 'Bo')
    answer = kith.call('PATCH', f'/v1/people/{bo}', {'name': 'ann '})
    assert answer.status == 409 and [p['id'] for p in answer.json['people']] == [ann], answer
    assert f'/v1/people/{bo}/merge {{"into": {ann}}}' in answer.json['detail']
    assert kith.call('PATCH', f'/v1/people/{ann}', {'name': 'ANN'}).json['name'] == 'ANN'
    assert kith.call('PATCH', f'/v1/people/{bo}', {'name': 'ann', 'another': True}).status == 200


# --- search ---

def test_people_are_found_by_name(kith):
    for name in ('Ann Lee', 'Émilie Annan', 'Bo', 'Søren', 'José María García-López', 'Annette'):
        add(kith, name)
    assert find(kith, 'ann') == ['Ann Lee', 'Émilie Annan', 'Annette']
    assert find(kith, 'ANN', limit=1) == find(kith, 'ann')
    assert find(kith, 'emi') == ['Émilie Annan'] and find(kith, 'Émi') == ['Émilie Annan']
    assert find(kith, 'soren') == ['Søren'] and find(kith, 'garcia lop') == ['José María García-López']
    assert find(kith, 'nn') == [] and find(kith, 'lopez') == ['José María García-López']
    kith.call('DELETE', f'/v1/people/{people(kith, "?name=bo")[0]["id"]}')
    assert find(kith, 'bo') == []
    for query in ('name=', 'name=%E2%80%8B', 'name=ann&after=5', 'name=ann&after=zz.1', 'name=ann&limit=0'):
        assert kith.get(f'/v1/people?{query}').status == 400, query


# --- merge ---

def named(kith, images):
    return [kith.image(i)['person']['id'] if kith.image(i)['person'] else None for i in images]


def test_a_merge_and_its_undoing(kith):
    ann, bo = add(kith, 'Ann', *RED), add(kith, 'Bo', *BLUE)
    both = kith.post(f'/v1/people/{bo}/photos?face=0', png(*RED), content_type='image/png')
    assert both.status == 201, both
    assert kith.post(f'/v1/people/{ann}/photos', png(*GREEN), content_type='image/png').status == 201
    images = kith.submit(*[kith.picture(f'{n}.png', n, 255, 0) for n in range(3)], kith.picture('b.png', 0, 1, 255))
    until(lambda: None not in named(kith, images), 'the names')
    assert named(kith, images) == [ann, ann, ann, bo]
    assert merge(kith, ann, ann).status == 400 and merge(kith, ann, 99).status == 404
    assert kith.post(f'/v1/people/{ann}/merge', {'into': 'Bo'}).status == 400
    merged = merge(kith, ann, bo)
    assert merged.status == 200, merged
    answer = merged.json
    assert (answer['person'], answer['into'], answer['name'], answer['state']) == (ann, bo, 'Ann', 'merged')
    assert (answer['faces'], answer['photos'], answer['templates'], answer['duplicates']) == (3, 1, 1, 1)
    assert named(kith, images) == [bo] * 4
    assert [(p['id'], p['photos']) for p in people(kith)] == [(bo, 3)]
    assert merge(kith, ann, bo).json == answer, 'the same request again'
    assert kith.get(f'/v1/people/{ann}').status == 404
    number, = kith.submit(kith.picture('new.png', 5, 250, 5))
    until(lambda: named(kith, [number]) == [bo], 'the gallery to know the moved template')
    assert [m['id'] for m in kith.get('/v1/merges').json['merges']] == [answer['id']]

    undone = kith.post(f'/v1/merges/{answer["id"]}/undo')
    assert undone.status == 200 and undone.json['state'] == 'undone' and undone.json['undo_until'] is None
    assert named(kith, images + [number]) == [ann, ann, ann, bo, ann]
    assert [(p['id'], p['name'], p['photos']) for p in people(kith)] == [(ann, 'Ann', 2), (bo, 'Bo', 2)]
    assert kith.post(f'/v1/merges/{answer["id"]}/undo').status == 200
    assert kith.post('/v1/merges/99/undo').status == 404
    log = kith.log()
    assert 'people merged' in log and 'merge undone' in log
    kith.stop()
    kith.start()
    number, = kith.submit(kith.picture('new2.png', 6, 250, 5))
    until(lambda: named(kith, [number]) == [ann], 'the gallery after a restart')


def test_words_hold_over_a_merge(kith):
    ann, bo = add(kith, 'Ann', *RED), add(kith, 'Bo')
    hand, denied = kith.submit(kith.picture('g.png', *GREEN), kith.picture('r.png', 250, 1, 0))
    until(lambda: named(kith, [denied]) == [ann], 'the name')
    face = kith.finished(hand)['faces'][0]['id']
    assert kith.post(f'/v1/faces/{face}/person', {'person': ann}).status == 200
    assert kith.post(f'/v1/faces/{kith.image(denied)["faces"][0]["id"]}/not/{bo}').status == 200
    assert merge(kith, ann, bo).json['faces'] == 1
    assert named(kith, [hand, denied]) == [bo, None]


def test_the_folder_of_a_merged_person_is_not_a_new_person(make, tmp_path):
    folder = tmp_path / 'known'
    for name in 'Barak', 'Barack':
        (folder / name).mkdir(parents=True)
    (folder / 'Barak/a.png').write_bytes(png(*RED))
    (folder / 'Barack/b.png').write_bytes(png(*BLUE))
    kith = make(known_people=folder).start()
    until(lambda: [p['photos'] for p in people(kith)] == [1, 1], 'the photos')
    wrong, right = (people(kith, f'?name={name}')[0]['id'] for name in ('barak', 'barack'))
    assert merge(kith, wrong, right).status == 200
    (folder / 'Barak/c.png').write_bytes(png(*GREEN))
    until(lambda: [(p['id'], p['photos']) for p in people(kith)] == [(right, 3)], 'the photo of the old folder')


def test_events_of_a_merge(kith):
    ann, bo = add(kith, 'Ann'), add(kith, 'Bo')
    database = sqlite3.connect(f'file:{kith.folder}/data/kith.db?mode=ro', uri=True)
    last, = database.execute('SELECT MAX(id) FROM events').fetchone()
    number = merge(kith, ann, bo).json['id']
    kith.post(f'/v1/merges/{number}/undo')
    rows = database.execute('SELECT kind, person_id FROM events WHERE id > ? ORDER BY id', (last,)).fetchall()
    assert rows == [(4, ann), (3, bo), (3, bo), (3, ann)]


def test_a_long_merge_is_answered_before_its_end_and_goes_on(make):
    kith = make(request_timeout='1s').start()
    ann, bo = add(kith, 'Ann'), add(kith, 'Bo')
    kith.stop()
    database = sqlite3.connect(kith.folder / 'data/kith.db')
    faces = 100000
    database.executemany('INSERT INTO faces(image_id, x, y, width, height, quality, model, person, similarity) VALUES'
                         "(?, 0, 0, 9, 9, 1, 'x', ?, 1)", [(n + 1000, ann) for n in range(faces)])
    database.commit()
    kith.start()
    answer = merge(kith, ann, bo)
    assert answer.status == 202 and answer.json['state'] == 'running', answer
    merges = until(lambda: [m for m in kith.get('/v1/merges').json['merges'] if m['state'] == 'merged'], 'its end')
    assert merges[0]['faces'] == faces


def test_a_merge_that_is_too_old_is_not_undone(make):
    kith = make(merge_undo='0s').start()
    ann, bo = add(kith, 'Ann'), add(kith, 'Bo')
    number = merge(kith, ann, bo).json['id']
    database = sqlite3.connect(kith.folder / 'data/kith.db', timeout=30)
    database.execute('UPDATE merges SET state = 5')  # as the janitor does, once a minute
    database.commit()
    answer = kith.post(f'/v1/merges/{number}/undo')
    assert answer.status == 409 and 'KITH_MERGE_UNDO' in answer.json['detail']


def test_a_random_walk_of_merges_is_as_the_oracle_says(kith):
    """Photos of six people, merged and undone at random; after each step each person has the photos it should."""
    random.seed(7)
    colours = [(c * 40, 255 - c * 40, c % 2 * 255) for c in range(6)]
    ids = [add(kith, f'P{n}', *colour) for n, colour in enumerate(colours)]
    owner = dict(zip(ids, ids))  # of each first photo
    there, undoable = set(ids), []
    for _ in range(30):
        if undoable and random.random() < 0.4:
            number, source, target, moved = undoable.pop()
            assert kith.post(f'/v1/merges/{number}/undo').status == 200
            there.add(source)
            owner.update({photo: source for photo in moved})
        elif len(there) > 1:
            source, target = random.sample(sorted(there), 2)
            undoable.append((merge(kith, source, target).json['id'], source, target,
                             [photo for photo in ids if owner[photo] == source]))
            there.discard(source)
            owner.update({photo: target for photo in undoable[-1][3]})
        expected = {person: sum(o == person for o in owner.values()) for person in there}
        assert {p['id']: p['photos'] for p in people(kith)} == expected
    for photo, colour in zip(ids, colours):
        assert kith.post('/v1/identify', png(*colour), content_type='image/png').json['faces'][0]['person']['id'] \
            == owner[photo]


# --- notes and portraits ---

def test_notes_stand_beside_the_name(make):
    kith = make(notes_max='64').start()
    ann = add(kith, 'Ann')
    notes = {'birthday': '1970-01-01', 'of': ['a', 1, None, 2.5], 'é': {}}
    answer = kith.call('PATCH', f'/v1/people/{ann}', {'notes': notes})
    assert answer.json == {'id': ann, 'name': 'Ann', 'notes': notes}, answer
    assert people(kith)[0]['notes'] == notes and kith.get(f'/v1/people/{ann}').json['notes'] == notes
    assert kith.call('PATCH', f'/v1/people/{ann}', {'name': 'Anna'}).json['notes'] == notes
    for bad, status in (([1], 400), ('x', 400), ({'x': 'y' * 64}, 413)):
        answer = kith.call('PATCH', f'/v1/people/{ann}', {'notes': bad, 'name': 'Never'})
        assert answer.status == status and '“notes”' in answer.json['detail'], answer
    assert people(kith)[0]['name'] == 'Anna'
    assert kith.call('PATCH', f'/v1/people/{ann}', {'notes': None}).json == {'id': ann, 'name': 'Anna'}
    assert kith.call('PATCH', f'/v1/people/{ann}', {}).status == 400


def test_portraits(kith):
    ann, bo = add(kith, 'Ann', *RED), add(kith, 'Bo')
    link = people(kith)[0]['portrait']
    assert link == f'/v1/people/{ann}/portrait'
    answer = kith.get(link)
    assert answer.status == 200 and answer.headers['content-type'] == 'image/jpeg', answer
    assert kith.get(f'/v1/people/{bo}/portrait').status == 404 and kith.get('/v1/people/99/portrait').status == 404
    number, = kith.submit(kith.picture('g.png', *GREEN, width=256, height=256))
    face = kith.finished(number)['faces'][0]['id']
    photo = kith.get(f'/v1/people/{ann}').json['photos'][0]['id']
    for bad in ({'face': face}, {'photo': 99}):
        assert kith.call('PATCH', f'/v1/people/{ann}', {'portrait': bad}).status == 404, bad
    for bad in (5, {}, {'face': 'x'}, {'face': face, 'photo': photo}):
        assert kith.call('PATCH', f'/v1/people/{ann}', {'portrait': bad}).status == 400, bad
    kith.post(f'/v1/faces/{face}/person', {'person': ann, 'template': False})
    assert kith.call('PATCH', f'/v1/people/{ann}', {'portrait': {'photo': photo}}).status == 200
    whole = kith.get(link).body
    assert kith.call('PATCH', f'/v1/people/{ann}', {'portrait': {'face': face}}).status == 200
    crop = kith.get(link)
    assert crop.status == 200 and crop.body != whole
    assert crop.body == kith.get(f'/v1/images/{number}/faces/0/crop').body
    assert kith.get(link, if_none_match=crop.headers['etag']).status == 304
    assert kith.call('PATCH', f'/v1/people/{ann}', {'portrait': None}).status == 200
