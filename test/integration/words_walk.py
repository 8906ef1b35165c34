"""Random walks of what people say about faces, and their comparison with the model."""
import random
import select
import time

from words_world import Oracle, World, colours

IDENTITIES, CONTENTS, PEOPLE = 4, 10, 4


def plan(seed, steps):
    """Steps of a walk, as indices that any state can use."""
    random_ = random.Random(seed)
    kinds = (['name'] * 6 + ['unname'] * 3 + ['deny'] * 3 + ['undeny'] * 2 + ['ignore', 'unignore', 'naf', 'unnaf'] * 2
             + ['retry'] * 4 + ['submit'] * 4 + ['delete'] * 2 + ['restart'] + ['delete person'])
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


def walk(make, seed, steps, patience=0):
    """Runs the steps; the number of the first one after which kith and the oracle differ, with the difference."""
    random_ = random.Random(seed)
    of = colours(random_, CONTENTS * 2, IDENTITIES)
    contents = {c: of[2 * c:2 * c + 2] for c in range(CONTENTS)}
    oracle, world = Oracle(contents), World(make)
    people = world.people(*(f'P{n}' for n in range(PEOPLE)))

    def submit(content):
        oracle.submit(world.add(*contents[content], serial=content), content)
        oracle.finish()

    for content in range(4):
        submit(content)
    for n, (kind, a, b, flag) in enumerate(steps):
        if not oracle.images:
            submit(a % CONTENTS)
        image = sorted(oracle.images)[a % len(oracle.images)]
        tile, person = b % 2, people[b // 2 % PEOPLE]
        place, face = (oracle.images[image], tile), world.face(image, tile)
        if kind == 'name':
            world.name(face, person, flag)
            oracle.name(place, person, flag)
        elif kind == 'unname':
            world.say('DELETE', face, '/person')
            oracle.unname(place, image)
        elif kind == 'deny':
            world.say('POST', face, f'/not/{person}')
            oracle.deny(place, person)
        elif kind == 'undeny':
            world.say('DELETE', face, f'/not/{person}')
            oracle.undeny(place, person)
        elif kind in ('ignore', 'unignore', 'naf', 'unnaf'):
            word = 'ignored' if 'ignore' in kind else 'not_a_face'
            world.say('DELETE' if kind.startswith('un') else 'POST', face,
                      '/ignore' if word == 'ignored' else '/not-a-face')
            if kind.startswith('un'):
                oracle.undo(place, word)
            else:
                oracle.decide_by(place, (word, None, False))
        elif kind == 'retry':
            world.retry(image)
            oracle.retry(image, oracle.images[image])
        elif kind == 'submit' and len(oracle.images) < 14:
            submit(b % CONTENTS)
        elif kind == 'delete' and len(oracle.images) > 3:
            assert world.kith.call('DELETE', f'/v1/images/{image}').status == 200
            world.settle()
            oracle.delete_image(image)
        elif kind == 'restart' and flag and n % 7 == 0:
            world.kith.stop()
            world.kith.start()
            world.settle()
        elif kind == 'delete person' and flag:
            assert world.kith.call('DELETE', f'/v1/people/{person}').status == 200
            world.settle()
            oracle.delete_person(person)
            people[people.index(person)], = world.people(f'N{n}')
        oracle.finish()
        difference = settled(world, oracle, patience)
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
