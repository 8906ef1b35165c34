"""A small model of who should be named what, and a kith whose recogniser sees tiles (test/plugins/tiles.c)."""
import itertools
import math
import pathlib
import struct
import zlib

from harness import BUILD, until

PLUGINS = BUILD / 'test/plugins'
PITCH, TILE, THRESHOLD, MISSED = 48, 32, 20, 255
REVIEW_SIMILARITY, REVIEW_MARGIN = 0.6, 0.1  # the settings' defaults


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def picture(tiles, serial=0):
    """A PNG with a row of tiles; pictures of other serials have other bytes."""
    width, height = max(PITCH * len(tiles), 2 * PITCH), PITCH
    rows = []
    for y in range(height):
        row = bytearray(3 * width)
        if y < TILE:
            for n, colour in enumerate(tiles):
                row[3 * PITCH * n:3 * (PITCH * n + TILE)] = bytes(colour) * TILE
        rows.append(b'\0' + bytes(row))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'tEXt', b'serial\0' + str(serial).encode()) + chunk(b'IDAT', zlib.compress(b''.join(rows)))
            + chunk(b'IEND', b''))


def distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b)) ** .5


def similarity(far):
    return 1 / (1 + math.exp(8 * (far / THRESHOLD - 1)))


class World:
    """A kith, pictures, and questions to both."""

    def __init__(self, make, plugin='tiles', **settings):
        self.settings = dict(threshold=THRESHOLD, workers=1, **settings)
        self.kith = make(recognizer=PLUGINS / f'{plugin}.so', **self.settings)
        self.kith.start()
        self.serial = itertools.count()
        self.kill_next = False  # behind the answer of the next word

    def people(self, *names):
        return [self.kith.post('/v1/people', {'name': n}).json['id'] for n in names]

    def add(self, *tiles, serial=None, name=None):
        """A new image; its id when it is looked at."""
        serial = next(self.serial) if serial is None else serial
        path = self.kith.images / (name or f'{serial}-{next(self.serial)}.png')
        path.write_bytes(picture(tiles, serial))
        number, = self.kith.submit(path)
        self.kith.finished(number)
        self.settle()
        return number

    def enrol(self, person, colour):
        answer = self.kith.post(f'/v1/people/{person}/photos', picture([colour], f'photo {next(self.serial)}'),
                                content_type='image/png')
        assert answer.status == 201, answer
        self.settle()
        return answer.json['id']

    def settle(self):
        """Until nothing is to be decided any more. A change that was answered has begun its pass."""
        until(lambda: self.kith.metric('kith_gallery_pass_running') == 0, 'the pass to end', pause=0.002)

    def has_templates(self, count):
        """The gallery's thread counts behind the answer of a change."""
        until(lambda: self.kith.metric('kith_gallery_templates') == count, f'{count} templates')

    def retry(self, number):
        attempts = self.kith.image(number)['attempts']
        assert self.kith.post(f'/v1/images/{number}/retry').status in (200, 202)
        until(lambda: (lambda i: i['attempts'] > attempts and i['finished_at'])(self.kith.image(number)), 'the retry',
              pause=0.005)
        self.settle()

    def faces(self, number):
        """By tile: the face with its words."""
        answer = self.kith.get(f'/v1/images/{number}?explain=1')
        assert answer.status == 200, answer
        return {int(f['box']['x'] // PITCH): f for f in answer.json['faces']}

    def who(self, number, tile=0):
        person = self.faces(number)[tile]['person']
        return person and person['name']

    def face(self, number, tile=0):
        return self.faces(number)[tile]['id']

    def say(self, method, face, what, body=None, status=200):
        answer = self.kith.call(method, f'/v1/faces/{face}{what}', body)
        assert answer.status == status, answer
        if self.kill_next:
            self.kill_next = False
            self.kith.kill()
            self.kith.start()
        self.settle()
        return answer.json

    def look_again(self):
        """All images, until each has its new result."""
        def images():
            return self.kith.get('/v1/images?limit=500').json['images']
        attempts = {i['id']: i['attempts'] for i in images()}
        assert self.kith.post('/v1/images/look-again').status == 202
        until(lambda: all(i['attempts'] > attempts[i['id']] and i['finished_at'] for i in images()), 'all images',
              pause=0.005)
        until(lambda: self.kith.get('/v1/images/look-again').json['operation']['state'] == 'done', 'the end', pause=0.005)
        self.settle()

    def draw(self, number, tile, person=None, template=True):
        """A box around a tile; its face."""
        body = {'box': {'x': PITCH * tile + 3, 'y': 3, 'width': 26, 'height': 26}}
        if person:
            body.update(person=person, template=template)
        answer = self.kith.post(f'/v1/images/{number}/faces', body)
        assert answer.status in (200, 201), answer
        self.settle()
        return answer.json['id']

    def merge(self, person, into):
        """The id of the merge."""
        answer = self.kith.post(f'/v1/people/{person}/merge', {'into': into})
        assert answer.status == 200, answer
        self.settle()
        return answer.json['id']

    def undo(self, merge):
        answer = self.kith.post(f'/v1/merges/{merge}/undo')
        assert answer.status == 200, answer
        self.settle()

    def name(self, face, person, template=True):
        return self.say('PUT', face, '/person', {'person': person, 'template': template})


def colours(random, count, identities, missed=0):
    """Colours around some identities, no two pairs of which have the same distance. The last `missed` ones are those of
    tiles that the recogniser finds only where a client drew a box."""
    bases = [(60 + 70 * (i % 3), 60 + 70 * (i // 3), 60) for i in range(identities)]
    found, seen = [], set()
    while len(found) < count + missed:
        base = bases[len(found) % identities]
        new = tuple(c + random.randint(-9, 9) for c in base)
        if len(found) >= count:
            new = *new[:2], MISSED
        apart = [sum((x - y) ** 2 for x, y in zip(new, other)) for other in found]
        if 0 not in apart and len(set(apart)) == len(apart) and not seen & set(apart):
            found.append(new)
            seen |= set(apart)
    return found


class Oracle:
    """Who should be named what, by the rules of design and README alone. A place is (content, tile)."""

    def __init__(self, contents):
        self.contents = contents  # content → colours of its tiles; those with MISSED are faces once they are drawn
        self.drawn = set()  # places
        self.images = {}  # image → content
        self.words = {}  # place → (kind, person, enrols)
        self.denied = {}  # place → people, with a counter-example
        self.off = {}  # place → people whose name was taken off
        self.templates = {}  # place → (person, colour)
        self.counters = {}  # (place, person) → colour
        self.machine = {}  # (image, tile) → (person, place of the template) or None
        self.made, self.serial = {}, 0  # place → number of its template
        # (image, tile) → person → similarity, place and number of the template, of all who passed the threshold then
        self.candidates = {}
        self.similarity = {}  # (image, tile) → of the name that the machine gave
        self.now = {}  # a person who is no more → whom a merge made of the person, or None
        self.again, self.all_unknown = set(), False  # what is to be decided when the change is complete

    # --- decisions ---

    def colour(self, place):
        return self.contents[place[0]][place[1]]

    def nearest(self, colour):
        """person → (distance, place of the template)"""
        found = {}
        for place, (person, of) in self.templates.items():
            d = distance(colour, of)
            if person not in found or d < found[person][0]:
                found[person] = d, place
        return found

    def refuted(self, colour, person, far):
        return any(p == person and distance(colour, of) <= far for (_, p), of in self.counters.items())

    def passing(self, place):
        colour = self.colour(place)
        return {person: (similarity(far), via, self.made[via]) for person, (far, via) in self.nearest(colour).items()
                if far <= THRESHOLD and not self.refuted(colour, person, far)}

    def doubts(self, face, place):
        """Why the name that the machine gave is for review, as the words and the people are now."""
        blocked = self.denied.get(place, set()) | self.off.get(place, set()) | {self.machine[face][0], None}
        rivals = [p for p, (s, via, made) in self.candidates[face].items()
                  if self.similarity[face] - s < REVIEW_MARGIN and self.person_now(p) not in blocked
                  and self.made.get(via) == made and self.templates.get(via, (None,))[0] == self.person_now(p)]
        return ((('near_threshold',) if self.similarity[face] < REVIEW_SIMILARITY else ()) +
                (('small_margin',) if rivals else ()))

    def person_now(self, person):
        while person in self.now:
            person = self.now[person]
        return person

    def decide(self, place):
        blocked = self.denied.get(place, set()) | self.off.get(place, set())
        for person, (far, via) in sorted(self.nearest(self.colour(place)).items(), key=lambda i: i[1][0]):
            if far <= THRESHOLD and person not in blocked and not self.refuted(self.colour(place), person, far):
                return person, via
        return None

    def tiles(self, content):
        return [tile for tile, colour in enumerate(self.contents[content])
                if colour[2] != MISSED or (content, tile) in self.drawn]

    def faces(self):
        for image, content in self.images.items():
            for tile in self.tiles(content):
                yield (image, tile), (content, tile)

    def redo(self, condition):
        """The gallery decides these faces, when the change is complete."""
        self.again |= {face for face, place in self.faces() if condition(face, place)}

    def finish(self):
        """The change is complete."""
        for face, place in self.faces():
            if place not in self.words and (face in self.again or self.all_unknown and not self.machine.get(face)):
                self.machine[face] = self.decide(place)
                self.candidates[face] = self.passing(place)
                if self.machine[face]:
                    self.similarity[face] = self.candidates[face][self.machine[face][0]][0]
        self.again, self.all_unknown = set(), False

    def drop_template(self, place):
        if self.templates.pop(place, None):
            self.redo(lambda face, _: self.machine.get(face) and self.machine[face][1] == place)

    def compare_unknown(self):
        self.all_unknown = True

    def expected(self, image):
        content = self.images[image]
        answer = {}
        for tile in self.tiles(content):
            kind, person, _ = self.words.get((content, tile), (None, None, None))
            machine = self.machine.get((image, tile))
            decided = machine if kind is None else None
            answer[tile] = (kind, person if kind == 'named' else decided and decided[0],
                            self.doubts((image, tile), (content, tile)) if decided else ())
        return answer

    # --- what happens ---

    def submit(self, image, content):
        self.images[image] = content
        self.redo(lambda face, _: face[0] == image)

    retry = submit

    def remove_decision(self, place):
        """Takes the word that decides the place. Its template goes later, with what depends on it."""
        word = self.words.pop(place, None)
        if word:
            for face, of in self.faces():
                if of == place:
                    self.machine[face] = None
        return word

    def decide_by(self, place, word):
        if self.words.get(place, (None, None))[:2] != word[:2]:
            self.remove_decision(place)
            self.words[place] = word
            self.drop_template(place)
        else:
            self.words[place] = word
            if not word[2]:
                self.drop_template(place)
        if word[0] != 'named':
            return
        person = word[1]
        self.denied.get(place, set()).discard(person)
        self.off.get(place, set()).discard(person)
        gone = self.counters.pop((place, person), None)
        if word[2] and place not in self.templates:
            self.templates[place] = person, self.colour(place)
            self.serial += 1
            self.made[place] = self.serial
            gone = True
        if gone:
            self.compare_unknown()

    def name(self, place, person, template):
        self.decide_by(place, ('named', person, template))

    def ignore(self, place):
        self.decide_by(place, ('ignored', None, False))

    def not_a_face(self, place):
        self.decide_by(place, ('not_a_face', None, False))

    def undo(self, place, kind):
        if self.words.get(place, (None,))[0] == kind:
            self.remove_decision(place)
            self.drop_template(place)
            self.redo(lambda _, of: of == place)

    def unname(self, place, image):
        if self.words.get(place, (None,))[0] == 'named':
            self.undo(place, 'named')
            return
        machine = self.machine.get((image, place[1])) if place not in self.words else None
        if machine:
            self.off.setdefault(place, set()).add(machine[0])
            self.redo(lambda face, of: of == place and self.machine.get(face) and self.machine[face][0] == machine[0])

    def deny(self, place, person):
        if self.words.get(place, (None, None))[:2] == ('named', person):
            self.undo(place, 'named')
        new = person not in self.denied.setdefault(place, set())
        self.denied[place].add(person)
        if new:
            self.counters[place, person] = self.colour(place)
            self.review(person)
        self.redo(lambda face, of: of == place and (not self.machine.get(face) or self.machine[face][0] == person))

    def undeny(self, place, person):
        had = person in self.denied.get(place, set()) | self.off.get(place, set())
        self.denied.get(place, set()).discard(person)
        self.off.get(place, set()).discard(person)
        if self.counters.pop((place, person), None):
            self.compare_unknown()
        if had:
            self.redo(lambda _, of: of == place)

    def delete_image(self, image):
        content = self.images.pop(image)
        for face in [f for f in self.machine if f[0] == image]:
            del self.machine[face]
        if content in self.images.values():
            return
        gone = False
        for tile in range(len(self.contents[content])):
            place = content, tile
            self.words.pop(place, None)
            self.off.pop(place, None)
            for person in self.denied.pop(place, set()):
                gone |= self.counters.pop((place, person), None) is not None
        for tile in range(len(self.contents[content])):
            self.drop_template((content, tile))
            self.drawn.discard((content, tile))
        if gone:
            self.compare_unknown()

    def look_again(self):
        self.redo(lambda face, of: True)

    def draw(self, place, person=None, template=True):
        if place not in self.drawn:
            self.drawn.add(place)
            self.redo(lambda _, of: of == place)
        if person:
            self.name(place, person, template)

    def undraw(self, place):
        """The face goes from all images of the content, with what was said about it."""
        if place not in self.drawn:
            return
        self.words.pop(place, None)
        self.off.pop(place, None)
        gone = [self.counters.pop((place, person), None) for person in self.denied.pop(place, set())]
        self.drawn.discard(place)
        for image, content in self.images.items():
            if content == place[0]:
                self.machine.pop((image, place[1]), None)
        self.drop_template(place)
        if any(gone):
            self.compare_unknown()

    # --- merging ---

    def deny_place(self, place, person):
        """A word denies the person to the place: faces to which the gallery gave the name are decided again."""
        for face, of in self.faces():
            if of == place and place not in self.words and (self.machine.get(face) or [None])[0] == person:
                self.machine[face] = None
                self.again.add(face)

    def review(self, person):
        """Faces with the name that a counter-example contradicts are decided again."""
        for face, of in self.faces():
            machine = self.machine.get(face) if of not in self.words else None
            if machine and machine[0] == person and self.refuted(self.colour(of), person,
                                                                 self.nearest(self.colour(of)).get(person, [1e9])[0]):
                self.again.add(face)

    def move_counter(self, place, person, into):
        colour = self.counters.pop((place, person), None)
        if colour and into:
            self.counters[place, into] = colour

    def merge(self, person, into):
        """Returns what undoing needs."""
        before = (dict(self.words), {p: set(s) for p, s in self.denied.items()}, {p: set(s) for p, s in self.off.items()},
                  dict(self.templates), dict(self.counters))
        moved, denied = set(), set()
        for place, (who, colour) in self.templates.items():
            if who == person:
                self.templates[place] = into, colour
        for face, place in self.faces():
            machine = self.machine.get(face) if place not in self.words else None
            if machine and machine[0] == person:
                if into in self.denied.get(place, set()) | self.off.get(place, set()):
                    self.machine[face] = None
                    self.again.add(face)
                    denied.add(face)
                else:
                    self.machine[face] = into, machine[1]
                    moved.add(face)
        for place, (kind, who, enrols) in list(self.words.items()):
            if kind == 'named' and who == person:
                self.words[place] = kind, into, enrols
                self.denied.get(place, set()).discard(into)
                self.off.get(place, set()).discard(into)
                self.move_counter(place, into, None)
        for sets, counts in ((self.denied, True), (self.off, False)):
            for place, people in sets.items():
                if person not in people:
                    continue
                people.discard(person)
                named = self.words.get(place, (None, None))[:2] == ('named', into)
                parked = named or into in people
                if counts:
                    self.move_counter(place, person, None if parked else into)
                if not parked:
                    people.add(into)
                    self.deny_place(place, into)
        self.now[person] = into
        self.compare_unknown()
        self.review(into)
        return person, into, before, moved, denied

    def undo_merge(self, merge):
        """Nothing else has happened since."""
        person, into, before, moved, denied = merge
        del self.now[person]
        self.words, self.denied, self.off, self.templates, self.counters = before
        for face, place in self.faces():
            machine = self.machine.get(face) if place not in self.words else None
            if machine and machine[0] == into and (face in moved or self.templates[machine[1]][0] == person):
                self.machine[face] = person, machine[1]
            elif not machine and face in moved | denied:
                self.again.add(face)
            machine = self.machine.get(face)
            if machine and place not in self.words:
                for sets in (self.denied, self.off):
                    if machine[0] in sets.get(place, set()) & {person, into}:
                        self.machine[face] = None
                        self.again.add(face)
        self.compare_unknown()
        self.review(person)
        self.review(into)

    def delete_person(self, person):
        for place in [p for p, w in self.words.items() if w[1] == person]:
            self.remove_decision(place)
        gone = [p for p, t in self.templates.items() if t[0] == person]
        for place in gone:
            del self.templates[place]
        for sets in (self.denied, self.off):
            for place, people in sets.items():
                if person in people:
                    people.discard(person)
                    self.redo(lambda _, of, place=place: of == place)
        self.counters = {k: c for k, c in self.counters.items() if k[1] != person}
        self.now[person] = None
        self.redo(lambda face, _: not self.machine.get(face) or self.machine[face][0] == person)
