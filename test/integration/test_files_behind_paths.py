"""Files behind paths are known by their content."""
import os
import signal

import pytest
from harness import png, until

RED, BLUE = (200, 10, 10), (10, 10, 200)


def enrol(kith, name, colour):
    person = kith.post('/v1/people', {'name': name}).json['id']
    assert kith.post(f'/v1/people/{person}/photos', png(*colour), content_type='image/png').status == 201
    return person


def replace(path, *colour, **size):
    """Another file at the path, as a camera writes it: complete, or not at all."""
    fresh = path.with_name('fresh.tmp')
    fresh.write_bytes(png(*colour, **size))
    os.replace(fresh, path)


def name_of(kith, number):
    image = kith.image(number)
    return image['person'] and image['finished_at'] and image['person']['name']


def post(kith, path):
    answer = kith.post('/v1/images', {'path': str(path)})
    assert answer.status == 202, answer
    return answer.json['images'][0]


@pytest.fixture
def people(kith):
    enrol(kith, 'Red', RED)
    enrol(kith, 'Blue', BLUE)
    return kith


# --- the same path again ---

@pytest.mark.parametrize('how', ['json', 'lines', 'original', 'original, many'])
def test_a_changed_file_is_looked_at_again_when_its_path_is_posted_again(people, how):
    latest = people.picture('latest.png', *RED)
    number, = people.submit(latest)
    until(lambda: name_of(people, number) == 'Red', 'the first content')
    replace(latest, *BLUE, width=65)
    if how == 'json':
        assert post(people, latest) == {'id': number, 'path': str(latest), 'status': 'pending', 'existing': True,
                                        'again': True}
    elif how == 'lines':
        answer = people.post('/v1/images', f'"{latest}"\n', content_type='application/x-ndjson')
        assert answer.json['images'][0]['again'] is True, answer
    else:
        body = {'path': str(latest)} if how == 'original' else {'paths': [{'path': str(latest)}]}
        answer = people.post('/image/post' if how == 'original' else '/images/post', body)
        assert 'already exists with id' in answer.text and answer.text.endswith('image sent to queue\n'), answer
    until(lambda: name_of(people, number) == 'Blue', 'the second content')
    assert people.image(number)['attempts'] == 2


def test_an_unchanged_file_is_not_looked_at_again(people):
    latest = people.picture('latest.png', *RED)
    number, = people.submit(latest)
    people.finished(number)
    for _ in range(3):
        assert post(people, latest) == {'id': number, 'path': str(latest), 'status': 'processed', 'existing': True}
    assert people.image(number)['attempts'] == 1


def test_a_file_that_was_only_touched_keeps_its_words_and_ids(people):
    latest = people.picture('latest.png', 90, 200, 90)
    number, = people.submit(latest)
    face = people.finished(number)['faces'][0]['id']
    assert people.post(f'/v1/faces/{face}/person', {'name': 'Green'}).status == 200
    os.utime(latest, ns=(10**18, 10**18))
    assert people.image(number)['changed'] is True
    assert people.get(f'/v1/images/{number}/photo').status == 200, 'the content is the same'
    assert post(people, latest)['again'] is True
    until(lambda: people.image(number)['attempts'] == 2 and name_of(people, number) == 'Green', 'the same name')
    assert people.image(number)['faces'][0]['id'] == face
    assert 'changed' not in people.image(number)


def test_a_failed_image_is_looked_at_again_when_its_file_changes(people):
    half = people.images / 'half.png'
    half.write_bytes(png(*RED)[:60])
    number, = people.submit(half)
    assert people.finished(number)['status'] == 'failed'
    assert 'again' not in post(people, half), 'the same file fails again'
    replace(half, *RED)
    assert post(people, half)['again'] is True
    until(lambda: name_of(people, number) == 'Red', 'the whole file')


def test_a_file_that_changes_during_a_run_is_looked_at_behind_it(make):
    kith = make(workers=1).start()
    enrol(kith, 'Red', RED)
    enrol(kith, 'Blue', BLUE)
    latest = kith.picture('latest.png', *RED)
    worker, = kith.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    try:
        number, = kith.submit(latest)
        until(lambda: kith.metric('kith_images_in_flight') == 1 and kith.metric('kith_worker_queue') == 0,
              'the worker to have the file')
        replace(latest, *BLUE)
        assert post(kith, latest) == {'id': number, 'path': str(latest), 'status': 'processing', 'existing': True}
    finally:
        os.kill(worker, signal.SIGCONT)
    until(lambda: name_of(kith, number) == 'Blue', 'the content of the last post')
    assert kith.image(number)['attempts'] == 2
    assert ' posted again meanwhile ' in kith.log()
    assert post(kith, latest)['status'] == 'processed'
    assert kith.image(number)['attempts'] == 2


def test_each_post_of_a_camera_ends_with_its_content(people):
    """No wait between a change and its post; the last post decides."""
    latest = people.picture('latest.png', *RED)
    number, = people.submit(latest)
    for n in range(20):
        replace(latest, *(BLUE if n % 2 else RED), width=65 + n)
        post(people, latest)
        if n % 7 == 0:
            until(lambda: name_of(people, number) == ('Blue' if n % 2 else 'Red'), f'the content of post {n}')
    until(lambda: name_of(people, number) == 'Blue', 'the last content')
    photo = people.get(f'/v1/images/{number}/photo')
    assert photo.status == 200 and photo.body == latest.read_bytes()


def test_the_role_submit_suffices(make):
    kith = make(auth='keys')
    keys = {role: kith.run('key', 'create', '--role', role).stdout.strip() for role in ('submit', 'read')}
    kith.start()
    latest = kith.picture('latest.png', *RED)

    def submit():
        answer = kith.post('/v1/images', {'path': str(latest)}, x_api_key=keys['submit'])
        assert answer.status == 202, answer
        return answer.json['images'][0]

    number = submit()['id']

    def image():
        return kith.get(f'/v1/images/{number}', x_api_key=keys['read']).json
    until(lambda: image()['finished_at'], 'the first content')
    replace(latest, *BLUE, width=65)
    assert submit()['again'] is True
    until(lambda: image()['finished_at'] and image()['attempts'] == 2, 'the second content')


# --- pictures follow the content ---

def test_pictures_are_shown_of_the_content_that_was_looked_at_only(people):
    latest = people.picture('latest.png', *RED)
    number, = people.submit(latest)
    people.finished(number)
    pictures = [f'/v1/images/{number}/{what}' for what in ('photo', 'photo?width=32', 'faces/0/crop')]
    etags = {}
    for picture in pictures:
        shown = people.get(picture)
        assert shown.status == 200, shown
        etags[picture] = shown.headers['etag']
        assert people.get(picture, if_none_match=etags[picture]).status == 304
    replace(latest, *BLUE)
    for picture in pictures:
        for headers in ({}, {'if_none_match': etags[picture]}):
            refused = people.get(picture, **headers)
            assert refused.status == 409 and refused.json['type'].endswith('changed'), refused
    post(people, latest)
    until(lambda: name_of(people, number) == 'Blue', 'the second content')
    for picture in pictures:
        shown = people.get(picture, if_none_match=etags[picture])
        assert shown.status == 200 and shown.headers['etag'] != etags[picture], shown
    latest.unlink()
    for picture in pictures:
        refused = people.get(picture)
        assert refused.status == 404 and refused.json['type'].endswith('gone'), refused


def test_a_file_of_the_same_size_and_another_time_is_told_by_its_bytes(people):
    latest = people.picture('latest.png', *RED)
    number, = people.submit(latest)
    people.finished(number)
    content = latest.read_bytes()
    latest.write_bytes(content)  # a new time
    os.utime(latest, ns=(10**18, 10**18))
    for picture in ('photo', 'faces/0/crop'):
        assert people.get(f'/v1/images/{number}/{picture}').status == 200
    latest.write_bytes(content[:-1] + b'x')
    os.utime(latest, ns=(10**18, 10**18))
    for picture in ('photo', 'faces/0/crop'):
        assert people.get(f'/v1/images/{number}/{picture}').status == 409


def test_records_and_lists_are_marked(people):
    paths = [people.picture(f'{n}.png', *RED) for n in ('same', 'changed', 'gone')]
    numbers = people.submit(*paths)
    for number in numbers:
        people.finished(number)
    replace(paths[1], *BLUE, width=65)
    paths[2].unlink()

    def marks(image):
        return image.get('changed'), image.get('gone')
    expected = [(None, None), (True, None), (None, True)]
    listed = {i['id']: i for i in people.get('/v1/images').json['images']}
    assert [marks(listed[n]) for n in numbers] == expected
    assert [marks(people.image(n)) for n in numbers] == expected
    post(people, paths[1])
    until(lambda: marks(people.image(numbers[1])) == (None, None), 'the mark to go with another look')
