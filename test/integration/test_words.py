"""What people say about faces holds: each word and its taking back, compared with a model (words_world.Oracle)."""
import os
import sqlite3

import pytest
from harness import Kith, remove, until
from words_walk import plan, shrink, walk
from words_world import PLUGINS, World, picture

ANN, BEA, CAT, DAN = (40, 40, 40), (140, 40, 40), (40, 140, 40), (140, 140, 40)


def like(colour, by=5):
    return colour[0] + by, colour[1], colour[2]


# --- each word, and what it outlives ---

def retried(world, number):
    world.retry(number)
    return number


def restarted(world, number):
    world.kith.stop()
    world.kith.start()
    return number


def posted_under_another_path(world, number):
    content = (world.kith.images / world.kith.image(number)['path'].rsplit('/', 1)[1]).read_bytes()
    path = world.kith.images / f'again-{number}.png'
    path.write_bytes(content)
    other, = world.kith.submit(path)
    world.kith.finished(other)
    world.settle()
    return other


def changed_and_back(world, number):
    path = world.kith.images / world.kith.image(number)['path'].rsplit('/', 1)[1]
    content = path.read_bytes()
    path.write_bytes(picture([DAN], 'other'))
    world.retry(number)
    assert world.faces(number)[0].get('word') is None and world.who(number) is None
    path.write_bytes(content)
    world.retry(number)
    return number


def with_another_model(world, number):
    world.kith.stop()
    world.kith.settings['recognizer'] = str(world.kith.settings['recognizer']).replace('tiles', 'tiles_other')
    world.kith.start()
    world.retry(number)
    return number


EVENTS = [retried, restarted, posted_under_another_path, changed_and_back, with_another_model]


@pytest.fixture
def world(make):
    return World(make)


@pytest.mark.parametrize('event', EVENTS, ids=lambda e: e.__name__)
@pytest.mark.parametrize('template', [True, False])
def test_a_name_holds(world, event, template):
    ann, = world.people('Ann')
    number = world.add(ANN)
    face = world.face(number)
    world.name(face, ann, template)
    after = event(world, number)
    seen = world.faces(after)[0]
    assert seen['person'] == {'id': ann, 'name': 'Ann'} and seen['word'] == 'named'
    assert seen['id'] == face or event in (posted_under_another_path, changed_and_back)
    assert world.kith.image(after)['person']['name'] == 'Ann'
    world.say('DELETE', seen['id'], '/person')
    assert world.who(after) is None and world.who(number) is None


@pytest.mark.parametrize('event', EVENTS, ids=lambda e: e.__name__)
@pytest.mark.parametrize('word,shown', [('ignore', 'ignored'), ('not-a-face', 'not_a_face')])
def test_a_face_that_is_ignored_or_none_stays_so(world, event, word, shown):
    ann, = world.people('Ann')
    world.enrol(ann, ANN)
    number = world.add(like(ANN), BEA)
    assert world.who(number) == 'Ann'
    world.say('POST', world.face(number), '/' + word)
    after = event(world, number)
    seen = world.faces(after)[0]
    assert seen['word'] == shown and seen['person'] is None
    assert len(world.kith.image(after)['faces']) == (1 if word == 'not-a-face' else 2)
    assert seen['words'][0]['word'] == shown and seen['words'][0]['at']
    world.say('DELETE', seen['id'], '/' + word)
    if event is with_another_model:
        until(lambda: world.who(number) == 'Ann', "Ann's photo to be embedded anew")
    assert world.who(number) == 'Ann'


@pytest.mark.parametrize('event', EVENTS[:4], ids=lambda e: e.__name__)
def test_a_counter_example_holds_until_it_is_taken_back(world, event):
    ann, = world.people('Ann')
    world.enrol(ann, ANN)
    number, alike = world.add(like(ANN)), world.add(like(ANN, 6))
    for _ in range(3):
        world.say('POST', world.face(number), f'/not/{ann}')
    after = event(world, number)
    assert world.who(after) is None
    assert world.who(alike) is None  # nearer to the counter-example than to the photo
    detail = world.kith.get(f'/v1/people/{ann}').json
    assert [w['word'] for w in detail['not']] == ['not'] and detail['faces'] == []
    world.say('DELETE', world.face(after), f'/not/{ann}')
    assert world.who(after) == world.who(number) == world.who(alike) == 'Ann'
    assert world.kith.get(f'/v1/people/{ann}').json['not'] == []


@pytest.mark.parametrize('event', EVENTS[:4], ids=lambda e: e.__name__)
def test_a_name_that_was_taken_off_does_not_come_back(world, event):
    ann, = world.people('Ann')
    world.enrol(ann, ANN)
    number, alike = world.add(like(ANN)), world.add(like(ANN, 6))
    world.say('DELETE', world.face(number), '/person')
    after = event(world, number)
    assert world.who(after) is None and world.who(alike) == 'Ann'
    world.enrol(ann, like(ANN, 4))
    assert world.who(after) is None
    world.name(world.face(after), ann, template=False)
    world.say('DELETE', world.face(after), '/person')
    assert world.who(after) == 'Ann'


# --- templates have a reason ---

def test_naming_a_face_as_somebody_else_moves_its_template(world):
    ann, bea = world.people('Ann', 'Bea')
    number, other = world.add(ANN), world.add(like(ANN))
    face = world.face(number)
    first = world.name(face, ann)
    assert first['changed'] == 1 and world.who(other) == 'Ann'
    moved = world.name(face, bea)
    assert (moved['changed'], moved['deciding']) == (1, 1) and world.who(other) == 'Bea'
    again = world.name(face, bea)
    assert (again['changed'], again['deciding']) == (0, 0)
    assert [p['photos'] for p in world.kith.get('/v1/people').json['people']] == [0, 0]
    assert world.kith.get(f'/v1/people/{ann}').json['faces'] == []
    named, = world.kith.get(f'/v1/people/{bea}').json['faces']
    assert (named['image'], named['face'], named['template']) == (number, face, True)
    world.has_templates(1)


def test_twenty_clicks_are_one_template(world):
    ann, = world.people('Ann')
    face = world.face(world.add(ANN))
    assert [world.name(face, ann)['changed'] for _ in range(20)] == [1] + [0] * 19
    world.has_templates(1)
    assert world.name(face, ann, template=False)['changed'] == 1
    world.has_templates(0)


def test_deleting_an_image_takes_the_names_that_it_gave(world):
    ann, bea = world.people('Ann', 'Bea')
    world.enrol(bea, like(ANN, 15))
    number, other = world.add(ANN), world.add(like(ANN, 3))
    world.name(world.face(number), ann)
    world.say('DELETE', world.face(other), '/person')  # Bea's: it was named before Ann had a template
    assert world.who(other) == 'Ann'
    copy = posted_under_another_path(world, number)
    assert world.kith.call('DELETE', f'/v1/images/{number}').status == 200
    world.settle()
    assert world.who(other) == 'Ann' and world.who(copy) == 'Ann'  # the content is still there
    assert world.kith.call('DELETE', f'/v1/images/{copy}').status == 200
    world.settle()
    assert world.who(other) is None
    world.has_templates(1)


def test_a_photo_that_goes_takes_its_names(world):
    ann, bea = world.people('Ann', 'Bea')
    photo = world.enrol(ann, ANN)
    number = world.add(like(ANN))
    world.enrol(bea, like(ANN, 12))
    assert world.who(number) == 'Ann'
    assert world.kith.call('DELETE', f'/v1/people/{ann}/photos/{photo}').status == 200
    world.settle()
    assert world.who(number) == 'Bea'


def test_a_removal_touches_only_what_depended_on_it(world):
    ann, bea = world.people('Ann', 'Bea')
    photo = world.enrol(ann, ANN)
    world.enrol(bea, BEA)
    for n in range(3):
        world.add(like(ANN, n), BEA, CAT)
    before = world.kith.metric('kith_gallery_pass_faces_total')
    assert world.kith.call('DELETE', f'/v1/people/{ann}/photos/{photo}').status == 200
    world.settle()
    assert world.kith.metric('kith_gallery_pass_faces_total') - before == 3


# --- boxes ---

def test_a_drawn_face_is_a_face(world):
    ann, = world.people('Ann')
    missed = (60, 60, 255)
    number = world.add(BEA, missed, (60, 66, 255), ANN)
    assert sorted(world.faces(number)) == [0, 3]
    box = {'x': 51, 'y': 3, 'width': 26, 'height': 26}
    drawn = world.kith.post(f'/v1/images/{number}/faces', {'box': box, 'person': ann})
    assert drawn.status == 201 and drawn.json['changed'] == 2
    world.settle()
    again = world.kith.post(f'/v1/images/{number}/faces', {'box': box, 'person': ann})
    assert again.status == 200 and again.json['changed'] == 0 and again.json['id'] == drawn.json['id']
    world.has_templates(1)  # the part of the picture was embedded
    number = retried(world, number)
    assert world.who(number, 1) == 'Ann' and world.face(number, 1) == drawn.json['id']
    assert [w['word'] for w in world.faces(number)[1]['words']] == ['drawn', 'named']
    box['x'] += 48
    other = world.kith.post(f'/v1/images/{number}/faces', {'box': box}).json
    world.settle()
    assert world.who(number, 2) == 'Ann'  # it is like the first one
    world.say('DELETE', other['id'], '')
    assert sorted(world.faces(number)) == [0, 1, 3]
    assert world.say('DELETE', world.face(number), '', status=409)
    for wrong in ({'x': -1}, {'x': 5000}, {'width': 0}, {'height': 'a'}):
        assert world.kith.post(f'/v1/images/{number}/faces', {'box': {**box, **wrong}}).status in (400, 422)


def test_drawn_and_named_faces_are_embedded_by_another_model(world):
    """The model finds none of the drawn faces by itself, so a new run of the image would not embed them."""
    ann, bea = world.people('Ann', 'Bea')
    box = lambda tile: {'x': 48 * tile + 3, 'y': 3, 'width': 26, 'height': 26}  # noqa: E731
    draw = lambda image, tile, **name: world.kith.post(f'/v1/images/{image}/faces', {'box': box(tile), **name})  # noqa: E731
    number = world.add(BEA, (60, 60, 255), (60, 66, 255))
    assert draw(number, 1, person=ann).status == draw(number, 2).status == 201
    world.name(world.face(number), bea)
    assert [world.who(number, n) for n in range(3)] == ['Bea', 'Ann', 'Ann']
    words = {n: f['words'] for n, f in world.faces(number).items() if 'words' in f}
    world.kith.stop()
    world.kith.settings['recognizer'] = PLUGINS / 'tiles_other.so'
    world.kith.start()
    until(lambda: world.kith.metric('kith_photos_embedded_anew_total') == 3, 'two drawn faces and the one of a name')
    world.settle()
    assert [world.who(number, n) for n in range(3)] == ['Bea', 'Ann', 'Ann']
    assert {n: f['words'] for n, f in world.faces(number).items() if 'words' in f} == words
    other = world.add(like(BEA), (60, 63, 255))
    assert draw(other, 1).status == 201
    world.settle()
    assert [world.who(other, n) for n in range(2)] == ['Bea', 'Ann']
    world.say('DELETE', world.face(number, 1), '')
    assert world.who(other, 1) is None, 'the template ends with its word'


def test_an_unknown_person_can_be_ignored_as_a_whole(world):
    numbers = [world.add(like(ANN, n)) for n in range(3)]
    world.add(BEA)
    unknown = lambda: world.kith.get('/v1/unknown').json['unknown_people']
    until(lambda: [u['faces'] for u in unknown()] == [3, 1], 'two unknown people')
    who = unknown()[0]['id']
    ignored = world.kith.post(f'/v1/unknown/{who}/ignore').json
    assert ignored['faces'] == 3 and len(unknown()) == 1
    assert world.kith.post(f'/v1/unknown/{who}/ignore').json['faces'] == 0
    numbers.append(world.add(like(ANN, 4)))
    until(lambda: world.faces(numbers[3])[0].get('word') == 'ignored', 'a new face of an ignored person')
    ann, = world.people('Ann')
    world.enrol(ann, ANN)
    assert [world.who(n) for n in numbers] == [None] * 4
    assert world.say('DELETE', world.face(numbers[0]), '/ignore', status=409)
    back = world.kith.call('DELETE', f'/v1/unknown/{who}/ignore').json
    assert (back['faces'], back['deciding']) == (4, 4)
    world.settle()
    assert [world.who(n) for n in numbers] == ['Ann'] * 4
    assert world.kith.post('/v1/unknown/999999/ignore').status == 404


def test_a_name_once_a_picture(make):
    world = World(make, once_a_picture='on')
    ann, bea = world.people('Ann', 'Bea')
    world.enrol(ann, ANN)
    world.enrol(bea, like(ANN, 16))
    number = world.add(like(ANN, 5), like(ANN, 2), like(ANN, 7))
    assert [world.who(number, n) for n in range(3)] == [None, 'Ann', 'Bea']
    world.name(world.face(number, 2), ann, template=False)
    assert [world.who(number, n) for n in range(3)] == ['Bea', None, 'Ann']


def test_who_said_it_is_recorded(make):
    world = World(make)
    ann, = world.people('Ann')
    number = world.add(ANN)
    world.name(world.face(number), ann)
    word, = world.faces(number)[0]['words']
    assert word['word'] == 'named' and word['person'] == {'id': ann, 'name': 'Ann'} and 'by' in word


def test_names_and_counter_examples_of_version_4_become_words(make, tmp_path):
    kith = make(recognizer=PLUGINS / 'tiles.so')
    schema = kith.run('schema', 'sqlite').stdout
    version_4 = schema[:schema.index('ALTER TABLE faces ADD COLUMN  word')]
    (tmp_path / 'data').mkdir()
    records = sqlite3.connect(tmp_path / 'data/kith.db')
    records.executescript(version_4 + """
        REPLACE INTO schema_version VALUES(4);
        INSERT INTO person(id, name, name_key) VALUES(1, 'Ann', x'01'), (2, 'Bea', x'02');
        INSERT INTO images(id, path, person, status, verdict, sha256, attempt) VALUES(1, '/x.png', 1, 1, 1, 'abc', 1);
        INSERT INTO faces(id, image_id, x, y, width, height, quality, model, embedding, person, distance, similarity, decision)
            VALUES(1, 1, 0, 0, 9, 9, 1, 'tiles', zeroblob(12), 1, 0, 1, NULL),
                  (2, 1, 50, 0, 9, 9, 1, 'tiles', zeroblob(12), -1, 3, 0, 'x');
        INSERT INTO templates(person_id, photo_id, model, embedding, counter) VALUES(2, -2, 'tiles', zeroblob(12), 1);
    """)
    records.commit()
    records.close()
    kith.start()
    faces = kith.get('/v1/images/1?explain=1').json['faces']
    assert [[(w['word'], w['person']['name'], w['template']) for w in f['words']] for f in faces] == [
        [('named', 'Ann', False)], [('not', 'Bea', True)]]
    assert kith.call('DELETE', '/v1/faces/2/not/2').json == {'id': 2, 'changed': 1, 'deciding': 1}
    assert kith.call('DELETE', '/v1/faces/1/person').json['changed'] == 1
    assert kith.get('/v1/people/1').json['faces'] == kith.get('/v1/people/2').json['not'] == []


# --- names in doubt ---

def reasons(world, number):
    """The reasons of the image; its face, the list and the events agree with them."""
    image = world.kith.image(number)
    face, = image['faces']
    assert face['review_reasons'] == image['review_reasons'] and image['review'] == face['review'] == bool(image['review_reasons'])
    listed = [i['id'] for i in world.kith.get('/v1/images?review=1').json['images']]
    assert (number in listed) == image['review']
    assert (number in [i['id'] for i in world.kith.get('/v1/images?review=0').json['images']]) != image['review']
    return image['review_reasons']


def test_a_name_near_the_threshold_is_for_review_until_it_is_confirmed(world):
    ann, = world.people('Ann')
    world.enrol(ann, ANN)
    near, sure = world.add(like(ANN, 20)), world.add(like(ANN, 3))
    assert reasons(world, near) == ['near_threshold'] and reasons(world, sure) == []
    image = world.kith.image(near)
    assert (image['verdict'], image['person']['name']) == ('known', 'Ann')
    explained = world.faces(near)[0]['explain']['review']
    assert list(explained) == ['near_threshold'] and 'KITH_REVIEW_SIMILARITY' in explained['near_threshold']
    identified, = world.kith.post('/v1/identify', picture([like(ANN, 20)]), content_type='image/png').json['faces']
    assert identified['review_reasons'] == ['near_threshold'] and identified['person']['id'] == ann
    assert world.kith.get('/v1/stats').json['review'] == world.kith.metric('kith_images_review') == 1
    world.name(world.face(near), ann, template=False)
    assert reasons(world, near) == [] and world.kith.get('/v1/stats').json['review'] == 0
    world.say('DELETE', world.face(near), '/person')
    assert reasons(world, near) == ['near_threshold'] and world.who(near) == 'Ann'


@pytest.mark.parametrize('event', EVENTS[:4], ids=lambda e: e.__name__)
def test_a_second_person_is_in_doubt_until_it_is_denied(world, event):
    ann, bea = world.people('Ann', 'Bea')
    world.enrol(ann, ANN)
    world.enrol(bea, like(ANN, 6))
    number = world.add(like(ANN, 2))
    assert reasons(world, number) == ['small_margin'] and world.who(number) == 'Ann'
    assert 'Bea' in world.faces(number)[0]['explain']['review']['small_margin']
    world.say('POST', world.face(number), f'/not/{bea}')
    assert reasons(world, number) == []
    after = event(world, number)
    assert reasons(world, after) == [] and world.who(after) == 'Ann'
    world.say('DELETE', world.face(after), f'/not/{bea}')
    assert reasons(world, after) == ['small_margin']


def test_the_settings_of_reviews(make):
    world = World(make, review_similarity=0, review_margin=0)
    ann, bea = world.people('Ann', 'Bea')
    world.enrol(ann, ANN)
    world.enrol(bea, like(ANN, 6))
    near, between = world.add((20, *ANN[1:])), world.add(like(ANN, 2))
    assert reasons(world, near) == reasons(world, between) == []
    world.kith.stop()
    world.kith.settings.update(review_similarity=0.9999, review_margin=1, review_quality=1)
    world.kith.start()
    assert reasons(world, near) == []  # until it is decided again
    world.retry(near)
    assert reasons(world, near) == ['near_threshold']  # Bea does not pass the threshold; the quality is 1
    world.retry(between)
    assert reasons(world, between) == ['near_threshold', 'small_margin']


def test_a_review_that_is_neither_true_nor_false_is_refused(world):
    assert world.kith.get('/v1/images?review=maybe').status == 400


# --- a random walk ---

def test_a_random_walk_agrees_with_the_model(make, tmp_path):
    """KITH_WORDS_STEPS sets its length, KITH_WORDS_SEED the walk; a failure is shrunk."""
    seed = int(os.environ.get('KITH_WORDS_SEED', '1'))
    steps = plan(seed, int(os.environ.get('KITH_WORDS_STEPS', '300')))
    found = walk(make, seed, steps)
    if not found:
        return
    made = []

    def make_fresh():
        for kith in made:
            kith.stop()
            remove(kith.folder)
        made.clear()

        def maker(**settings):
            made.append(Kith(tmp_path / 'shrunk', **settings))
            return made[-1]
        return maker

    fewer = shrink(make_fresh, seed, steps, found[0])
    difference = walk(make_fresh(), seed, fewer)
    make_fresh()
    raise AssertionError(f'seed {seed}: {found[1]}\nshrunk to {fewer}\n{difference and difference[1]}')
