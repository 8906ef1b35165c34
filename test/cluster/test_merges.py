"""People who are merged on one node, seen by the other one."""
import concurrent.futures

from harness import Events, png, until

RED, GREEN = (255, 0, 0), (0, 255, 0)


def add(node, name, *colours):
    person = node.post('/v1/people', {'name': name}).json['id']
    for colour in colours:
        answer = node.post(f'/v1/people/{person}/photos', png(*colour), content_type='image/png')
        assert answer.status == 201, answer
    return person


def who(node, colour):
    return node.post('/v1/identify', png(*colour), content_type='image/png').json['faces'][0]['person']


def test_a_merge_and_its_undoing_are_seen_by_every_node(world):
    a, b = world.start('a'), world.start('b')
    world.together()
    ann, bo = add(a, 'Ann', RED), add(b, 'Bo', GREEN)
    numbers = world.submit(b, *[b.picture(f'{n}.png', 255, n, 0) for n in range(4)])
    until(lambda: [b.image(n)['person'] and b.image(n)['person']['id'] for n in numbers] == [ann] * 4, 'the names')
    events = Events(b)
    merged = a.post(f'/v1/people/{ann}/merge', {'into': bo})
    assert merged.status == 200 and merged.json['faces'] == 4, merged
    assert who(b, RED) == who(a, RED) == {'id': bo, 'name': 'Bo'}
    assert [b.image(n)['person']['id'] for n in numbers] == [bo] * 4
    assert b.get(f'/v1/people/{ann}').status == 404
    events.until('image', lambda i: i['id'] == numbers[0] and i['person']['id'] == bo)
    events.close()
    assert b.post(f'/v1/merges/{merged.json["id"]}/undo').status == 200
    assert who(a, RED) == who(b, RED) == {'id': ann, 'name': 'Ann'}
    assert [a.image(n)['person']['id'] for n in numbers] == [ann] * 4
    world.all_ended()
    world.check()


def test_merges_on_two_nodes_at_once_lose_nobody(world):
    """Two nodes merge the same people in both directions at the same time: one wins, and nothing is lost."""
    nodes = world.start('a'), world.start('b')
    world.together()
    for n in range(8):
        people = [add(nodes[i], f'{name}{n}', (n * 30, i * 200, 99)) for i, name in enumerate(('Ann', 'Bo'))]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda i: nodes[i % 2].post(f'/v1/people/{people[i // 2]}/merge',
                                                                {'into': people[1 - i // 2]}), range(4)))
        good = [answer for answer in answers if answer.status == 200]
        assert good and {answer.status for answer in answers} <= {200, 404, 409}, answers
        assert len({answer.json['into'] for answer in good}) == 1, answers
        left = good[0].json['into']
        assert nodes[0].get(f'/v1/people/{left}').status == 200
        assert len(nodes[1].get(f'/v1/people/{left}').json['photos']) == 2


def test_faces_that_are_named_during_a_merge_are_the_other_persons(world):
    """One node names faces as a person while the other one merges it: no face is left with a person who is gone."""
    a, b = world.start('a'), world.start('b')
    world.together()
    faces = [b.finished(n)['faces'][0]['id']
             for n in world.submit(b, *[b.picture(f'{n}.png', n * 9, 255 - n * 9, 7) for n in range(24)])]
    for n in range(4):
        ann, bo = add(a, f'Ann{n}'), add(a, f'Bo{n}')
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            names = [pool.submit(b.post, f'/v1/faces/{face}/person', {'person': ann, 'template': False})
                     for face in faces[n * 6:n * 6 + 6]]
            merged = pool.submit(a.post, f'/v1/people/{ann}/merge', {'into': bo}).result()
            assert merged.status == 200, merged
            assert {name.result().status for name in names} <= {200, 404}
        assert merged.json['faces'] == sum(name.result().status == 200 for name in names)
    gone = world.mariadb.rows('SELECT COUNT(*) FROM faces WHERE person > 0 AND person NOT IN (SELECT id FROM person)')
    assert gone[0][0] == '0'


def test_two_nodes_that_make_alike_names_at_once_make_one_person(world):
    nodes = world.start('a'), world.start('b')
    names = ['José', 'Jose\u0301', ' josé', 'JOSÉ'] * 5
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: nodes[n % 2].post('/v1/people', {'name': names[n]}), range(len(names))))
    assert {answer.json['id'] for answer in answers} == {answers[0].json['id']}, answers
    assert sum(answer.status == 201 for answer in answers) == 1
