"""The steps during which tests inject failures: each sends requests to a kith and records what was promised."""
import contextlib
import http.client
import itertools

from check import half_files, records
from harness import png, until

GIVEN_UP = (OSError, http.client.HTTPException)  # the connection ended, and with it the answer


class Promises:
    """What was answered 2xx, to be there after any failure."""

    def __init__(self, kith):
        self.kith = kith
        self.serial = itertools.count(1)
        self.images = {}  # id: path, or None for an upload
        self.deleted = set()
        self.people = {}  # id: name
        self.photos = {}  # photo: person
        self.person = None
        self.spare = []  # finished images that may be deleted

    def colour(self):
        n = next(self.serial)
        return n % 250, n // 250 % 250, 40 + n // 62500

    def call(self, method, path, body=None, **headers):
        """The answer, or None when there was none. An error is kith's own, says what failed, and nothing was done."""
        before, halves = records(self.kith), half_files(self.kith)
        answer = None
        with contextlib.suppress(*GIVEN_UP):
            answer = self.kith.call(method, path, body, **headers)
        if answer and answer.status >= 400:
            assert answer.status in (500, 503, 507) and answer.json['detail'], answer
            assert records(self.kith) == before, answer
            assert half_files(self.kith) <= halves, answer
        return answer

    def post(self, path, body, **headers):
        return self.call('POST', path, body, **headers)

    def check(self):
        """Of a running kith without failures."""
        for number, path in self.images.items():
            if number in self.deleted:
                continue
            image = self.kith.image(number)
            assert path in (None, image['path'])
            assert self.kith.finished(number)['verdict'] in ('unknown', 'known'), image
        for number in self.deleted:
            assert self.kith.get(f'/v1/images/{number}').status == 404
        for number, name in self.people.items():
            answer = self.kith.get(f'/v1/people/{number}')
            assert answer.status == 200 and answer.json['name'] == name, answer
        for photo, person in self.photos.items():
            photos = self.kith.get(f'/v1/people/{person}/photos').json['photos']
            assert photo in [p['id'] for p in photos], (photo, photos)


def submit(promises):
    """A path, up to the commit of its result."""
    name = f'{next(promises.serial)}.png'
    promises.kith.picture(name, *promises.colour())
    answer = promises.post('/v1/images', {'path': name})
    if answer and answer.status == 202:
        promises.images.update((i['id'], i['path']) for i in answer.json['images'])
    return answer


def upload(promises):
    answer = promises.post('/v1/images', png(*promises.colour()), content_type='image/png')
    if answer and answer.status == 202:
        promises.images.update((i['id'], None) for i in answer.json['images'])
    return answer


def finish(promises):
    """An image that was accepted, until it has its result or the process has ended."""
    answer = submit(promises)
    if answer and answer.status == 202:
        wait_finished(promises, answer.json['images'][0]['id'])
    return answer


def wait_finished(promises, number):
    def ended():
        if promises.kith.process.poll() is not None:
            return True
        with contextlib.suppress(*GIVEN_UP):
            answer = promises.kith.get(f'/v1/images/{number}')
            return answer.status == 200 and answer.json['finished_at']
    until(ended, f'image {number} to finish')


def enrol(promises):
    """A person, and a photo of them."""
    name = f'person {next(promises.serial)}'
    answer = promises.post('/v1/people', {'name': name})
    if not answer or answer.status != 201:
        return answer
    person = answer.json['id']
    promises.people[person] = name
    answer = promises.post(f'/v1/people/{person}/photos', png(*promises.colour()), content_type='image/png')
    if answer and answer.status == 201:
        promises.photos[answer.json['id']] = person
    return answer


def delete(promises):
    """An image that prepare_delete has made."""
    number = promises.spare.pop()
    answer = promises.call('DELETE', f'/v1/images/{number}')
    if answer and answer.status // 100 == 2:
        promises.deleted.add(number)
    return answer


def prepare_delete(promises):
    answer = upload(promises)
    assert answer and answer.status == 202, answer
    number, = [i['id'] for i in answer.json['images']]
    promises.kith.finished(number)
    del promises.images[number]  # an unanswered deletion may be done or not
    promises.spare.append(number)


STEPS = {'submit': submit, 'upload': upload, 'finish': finish, 'enrol': enrol, 'delete': delete}
PREPARE = {'delete': prepare_delete}
