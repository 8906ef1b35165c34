"""Random walks of what people say about faces, and their comparison with the model."""
import random
import select
import time

from words_world import Oracle, World, colours

IDENTITIES, CONTENTS, PEOPLE = 4, 10, 4
MISSED_TILE = 2  # of each content: a face only where a client draws it
WORDS = 'name', 'unname', 'deny', 'undeny', 'ignore', 'unignore', 'naf', 'unnaf'
KILL_PATIENCE_S = 20  # a gallery that starts decides again what the one before had left


def plan(seed, steps):
    """Steps of a walk, as indices that any state can use."""
    random_ = random.Random(seed)
    kinds = (['name'] * 6 + ['unname'] * 3 + ['deny'] * 3 + ['undeny'] * 2 + ['ignore', 'unignore', 'naf', 'unnaf'] * 2
             + ['retry'] * 4 + ['submit'] * 4 + ['delete'] * 2 + ['draw'] * 3 + ['undraw', 'look again', 'restart', 'kill']
             + ['merge'] * 2 + ['delete person'])
    return [(random_.choice(kinds), random_.randrange(1 << 30), random_.randrange(1 << 30), random_.random() < 0.6)
            for _ in range(steps)]


def compare(world, oracle):
    """The first image of which kith and the oracle do not say the same."""
    for number in oracle.images:
        seen = {tile: (f.get('word'), f['person'] and f['person']['id'], tuple(f['review_reasons']))
                for tile, f in world.faces(number).items()}
        if seen != oracle.expected(number):
            return f'image {number}: {seen}, not {oracle.expected(number)}'
    doubtful = [n for n in sorted(oracle.images, reverse=True) if any(d for _, _, d in oracle.expected(n).values())]
    listed = [i['id'] for i in world.kith.get('/v1/images?review=1&limit=100').json['images']]
    if listed != doubtful or world.kith.get('/v1/stats').json['review'] != len(doubtful):
        return f'for review are {listed}, not {doubtful}'
    return None


def settled(world, oracle, patience):
    """The difference that is left after `patience` seconds: galleries of other nodes may still be at work."""
    deadline = time.monotonic() + patience
    while True:
        difference = compare(world, oracle)
        if not difference or time.monotonic() > deadline:
            return difference
        select.select([], [], [], 0.05)


def say(walked, kind, image, tile, person, template):
    """A word about a face, or its taking back, to kith and to the oracle."""
    world, oracle = walked
    place, face = (oracle.images[image], tile), world.face(image, tile)
    if kind == 'name':
        world.name(face, person, template)
        oracle.name(place, person, template)
    elif kind == 'unname':
        world.say('DELETE', face, '/person')
        oracle.unname(place, image)
    elif kind == 'deny':
        world.say('POST', face, f'/not/{person}')
        oracle.deny(place, person)
    elif kind == 'undeny':
        world.say('DELETE', face, f'/not/{person}')
        oracle.undeny(place, person)
    elif kind in ('ignore', 'naf'):
        world.say('POST', face, '/ignore' if kind == 'ignore' else '/not-a-face')
        oracle.decide_by(place, ('ignored' if kind == 'ignore' else 'not_a_face', None, False))
    else:
        world.say('DELETE', face, '/ignore' if kind == 'unignore' else '/not-a-face')
        oracle.undo(place, 'ignored' if kind == 'unignore' else 'not_a_face')


def draw(walked, kind, image, person, named, template):
    """A box around the tile that the recogniser misses; or the face goes again."""
    world, oracle = walked
    place = oracle.images[image], MISSED_TILE
    if kind == 'draw':
        world.draw(image, MISSED_TILE, person if named else None, template)
        oracle.draw(place, person if named else None, template)
    elif place in oracle.drawn:
        world.say('DELETE', world.face(image, MISSED_TILE), '')
        oracle.undraw(place)


def merge(walked, people, a, b, name, patience):
    """Merges one of the people into another one; perhaps undoes it. The difference that is left."""
    world, oracle = walked
    person, into = people[a % len(people)], people[(a + 1 + b % (len(people) - 1)) % len(people)]
    number, record = world.merge(person, into), oracle.merge(person, into)
    oracle.finish()
    difference = settled(world, oracle, patience)
    if difference:
        return f'{difference}, after merging {person} into {into}'
    if b % 3 == 0:
        people[people.index(person)], = world.people(name)
        return None
    world.undo(number)
    oracle.undo_merge(record)
    return None


def walk(make, seed, steps, patience=0):
    """Runs the steps; the number of the first one after which kith and the oracle differ, with the difference."""
    random_ = random.Random(seed)
    of = colours(random_, CONTENTS * 2, IDENTITIES, CONTENTS)
    contents = {c: [*of[2 * c:2 * c + 2], of[2 * CONTENTS + c]] for c in range(CONTENTS)}
    walked = world, oracle = World(make), Oracle(contents)
    people = world.people(*(f'P{n}' for n in range(PEOPLE)))

    def submit(content):
        oracle.submit(world.add(*contents[content], serial=content), content)
        oracle.finish()

    for content in range(4):
        submit(content)
    for n, (kind, a, b, flag) in enumerate(steps):
        difference, wait = None, patience
        if not oracle.images:
            submit(a % CONTENTS)
        image = sorted(oracle.images)[a % len(oracle.images)]
        tiles, person = oracle.tiles(oracle.images[image]), people[b // 6 % PEOPLE]
        if kind in ('draw', 'undraw'):
            draw(walked, kind, image, person, a % 2, flag)
        elif kind == 'retry':
            world.retry(image)
            oracle.retry(image, oracle.images[image])
        elif kind == 'submit' and len(oracle.images) < 14:
            submit(b % CONTENTS)
        elif kind == 'delete' and len(oracle.images) > 3:
            assert world.kith.call('DELETE', f'/v1/images/{image}').status == 200
            world.settle()
            oracle.delete_image(image)
        elif kind == 'look again' and flag:
            world.look_again()
            oracle.look_again()
        elif kind == 'restart' and flag and n % 7 == 0:
            world.kith.stop()
            world.kith.start()
            world.settle()
        elif kind == 'kill' and flag:
            world.kill_next, wait = True, max(patience, KILL_PATIENCE_S)
            say(walked, WORDS[b % len(WORDS)], image, tiles[b % len(tiles)], person, flag)
        elif kind == 'merge' and flag:
            difference = merge(walked, people, a, b, f'M{n}', patience)
        elif kind == 'delete person' and flag:
            assert world.kith.call('DELETE', f'/v1/people/{person}').status == 200
            world.settle()
            oracle.delete_person(person)
            people[people.index(person)], = world.people(f'N{n}')
        elif kind in WORDS:
            say(walked, kind, image, tiles[b % len(tiles)], person, flag)
        oracle.finish()
        difference = difference or settled(world, oracle, wait)
        if difference:
            return n, f'{difference}, after {steps[n]}'
    return None


def shrink(make_fresh, seed, steps, differs_at):
    """Leaves out ever smaller parts while the walk still differs."""
    steps = steps[:differs_at + 1]
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size:]
            found = walk(make_fresh(), seed, fewer)
            if found:
                steps = fewer[:found[0] + 1]
            else:
                at += size
        size //= 2
    return steps
