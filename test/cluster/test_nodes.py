"""Nodes that work together: roles, addresses, the work queue, live pages."""
import json
import os
import subprocess

import pytest
from browser import CHROMIUM, NODE, Page
from harness import Events, png, until
from servers import Bus

RED = (255, 0, 0)


def test_one_node_with_all_roles_on_mariadb_and_nats(world):
    a = world.start('a')
    number, = world.submit(a, a.picture('red.png', *RED))
    assert a.finished(number)['verdict'] == 'unknown'
    person = a.post('/v1/people', {'name': 'Red'}).json['id']
    a.post(f'/v1/people/{person}/photos', png(*RED), content_type='image/png')
    until(lambda: a.image(number)['verdict'] == 'known', 'the image to get its name')
    more = [a.picture(f'{n}.png', n, 9, 9) for n in range(200)]

    def work_items_flow():  # images posted before the queue is ready are found by the poll
        world.submit(a, more.pop())
        return a.metric('kith_queue_consumed_total') > 0
    until(work_items_flow, 'a work item to come through the queue', pause=0.2)
    world.all_ended()
    world.check()


def test_each_role_on_a_node_of_its_own(world):
    """A receiver, a processor, a recogniser and a front-end share the work on one image."""
    rec = world.start('rec', 'receiver')
    world.start('reco', 'recognizer')
    front = world.start('front', 'frontend')
    world.start('proc', 'processor')
    world.together()
    events = Events(front)
    number, = world.submit(rec, rec.picture('a.png', 1, 2, 3))
    events.until('image', lambda i: i['id'] == number and i['verdict'] == 'unknown')
    assert front.get(f'/v1/images/{number}/photo?width=64').headers['content-type'] == 'image/jpeg'
    crop = front.get(f'/v1/images/{number}/faces/0/crop')
    assert crop.status == 200, crop
    answer = rec.post('/v1/identify', png(1, 2, 3), content_type='image/png')
    assert answer.status == 200 and len(answer.json['faces']) == 1, answer
    events.close()
    here = {n['name']: n for n in front.get('/v1/nodes').json['nodes']}
    assert set(here) == {'rec', 'reco', 'front', 'proc'} and here['reco']['workers_ready'] == 1
    listed = front.run('nodes').stdout
    assert 'reco' in listed and 'recognizer' in listed and 'bus: connected' in listed
    refused = front.post('/v1/images', {'path': 'x.png'})
    assert refused.status == 503 and 'KITH_ROLES' in refused.json['detail']
    world.check()


def test_an_enrolment_on_one_node_is_known_on_all_at_once(world):
    """A change that one node has answered is seen by the next request to another node, without a wait."""
    a, b = world.start('a'), world.start('b')
    world.together()

    def who(colour):
        return b.post('/v1/identify', png(*colour), content_type='image/png').json['faces'][0]['person']
    for n in range(20):
        colour = (n * 12, 250 - n * 12, 60)
        person = a.post('/v1/people', {'name': f'P{n}'}).json['id']
        assert a.post(f'/v1/people/{person}/photos', png(*colour), content_type='image/png').status == 201
        assert who(colour) == {'id': person, 'name': f'P{n}'}
        a.call('PATCH', f'/v1/people/{person}', {'name': f'Q{n}'})
        assert who(colour)['name'] == f'Q{n}'
        a.call('DELETE', f'/v1/people/{person}')
        assert who(colour) is None


def test_two_nodes_that_watch_one_folder_enrol_each_photo_once(world):
    known = world.folder / 'known'
    (known / 'Ann').mkdir(parents=True)
    for n in range(60):
        (known / 'Ann' / f'{n}.png').write_bytes(png(n * 4, 255 - n * 4, 40))
    a, b = world.node('a', known_people=known), world.node('b', known_people=known)
    for node in (a, b):
        node.launch()
    for node in (a, b):
        node.start_serving()
        until(lambda: node.metric('kith_gallery_templates') >= 60, 'all to be enrolled')
    until(lambda: all(' known people ' in node.log() for node in (a, b)), 'both to have been through the folder')
    assert world.mariadb.rows('SELECT COUNT(*) FROM templates') == [['60']]
    assert world.mariadb.rows('SELECT COUNT(*) FROM person') == [['1']]


def test_an_upload_is_reachable_from_every_node(world):
    rec = world.node('rec', 'receiver').start(ready=False)
    other = world.start('other', 'processor,recognizer,frontend')
    world.together()
    answer = rec.post('/v1/images', png(9, 8, 7), content_type='image/png')
    assert answer.status == 202, answer
    number = answer.json['images'][0]['id']
    assert other.finished(number)['verdict'] == 'unknown'
    assert other.get(f'/v1/images/{number}/photo').body == png(9, 8, 7)


def test_without_a_shared_spool_bytes_are_refused_in_words(world):
    a = world.start('a', spool=None)
    answer = a.post('/v1/images', png(9, 8, 7), content_type='image/png')
    assert answer.status == 503 and 'KITH_SPOOL' in answer.json['detail']


def test_a_large_picture_goes_over_the_bus_in_parts(world):
    """A message of the bus has at most a megabyte; a picture may be larger."""
    rec = world.node('rec', 'receiver').start()
    world.start('reco', 'recognizer')
    world.together()
    picture = png(1, 2, 3) + os.urandom(3 << 20)
    answer = rec.post('/v1/identify', picture, content_type='image/png')
    assert answer.status == 200 and len(answer.json['faces']) == 1, answer


def test_work_items_are_distributed_and_each_image_is_claimed_once(world):
    nodes = [world.start(n, log_level='info') for n in 'abc']
    world.together()
    for n in range(300):
        nodes[0].picture(f'{n}.png', n % 250, n // 250, 5)
    for n in range(300):
        world.submit(nodes[n % 3], f'{n}.png')
    world.all_ended()
    world.check()
    world.check_finishes()
    assert len(world.finishes()) == 300
    assert all(node.metric('kith_queue_consumed_total') > 10 for node in nodes)


def test_two_nodes_with_one_name(world):
    world.start('a')
    twin = world.node('a2').settings
    second = world.nodes['a2']
    second.settings = {**twin, 'node': 'a'}
    second.launch()
    assert second.process.wait(30) == 2
    assert 'KITH_NODE' in second.log().splitlines()[-2] + second.log().splitlines()[-1]


def test_a_front_end_shows_live_what_others_do_and_misses_nothing(world):
    world.start('work', 'receiver,processor,recognizer')
    work = world.nodes['work']
    front = world.node('front', 'frontend').start(ready=False)
    world.together()
    events = Events(front)
    first, = world.submit(work, work.picture('1.png', 1, 0, 0))
    events.until('image', lambda i: i['id'] == first and i['verdict'] == 'unknown')
    seen = events.last_id
    events.close()
    numbers = world.submit(work, *[work.picture(f'p{n}.png', n, 1, 0) for n in range(20)])
    world.all_ended()
    again = Events(front, after=seen)
    missing = set(numbers)

    def last_one(image):
        if image['verdict'] == 'unknown':
            missing.discard(image['id'])
        return not missing
    again.until('image', last_one)
    again.close()


def test_an_event_that_is_committed_late_is_not_missed(world):
    """Its number is lower than that of an event that is committed already: a reader waits for it."""
    front = world.start('front')
    first, = world.submit(front, front.picture('first.png', 1, 1, 1))
    front.finished(first)
    events = Events(front)
    events.until('hello')
    slow = subprocess.Popen(['mariadb', '--no-defaults', '-n', '-N', '-uroot', '-S', world.mariadb.socket, 'kube'], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    slow.stdin.write('START TRANSACTION; INSERT INTO events(kind, image_id, person_id, at) VALUES(1, '
                     f'{first}, 0, ROUND(UNIX_TIMESTAMP(NOW(3)) * 1000)); SELECT LAST_INSERT_ID();\n')
    slow.stdin.flush()
    assert int(slow.stdout.readline()) > 0, 'the number is taken'
    handled = front.metric('kith_actor_handled_total{actor="events"}')
    second, = world.submit(front, front.picture('second.png', 2, 2, 2))
    front.finished(second)
    until(lambda: front.metric('kith_actor_handled_total{actor="events"}') >= handled + 5, 'the events to be read')
    slow.stdin.write('COMMIT;\n')
    slow.stdin.close()
    assert slow.wait(30) == 0
    seen = []
    events.until('image', lambda i: seen.append(i['id']) or i['id'] == second)
    assert seen[0] == first, seen
    events.close()


def test_subjects_contain_no_personal_data(world):
    """Subjects contain no paths, names or faces: every client of the bus can see them."""
    bus = Bus(world.nats)
    bus.subscribe('>')
    rec, _ = world.start('rec', 'receiver'), world.start('reco', 'processor,recognizer,frontend')
    world.together()
    person = rec.post('/v1/people', {'name': 'Hannibal'}).json['id']
    rec.post(f'/v1/people/{person}/photos', png(*RED), content_type='image/png')
    number, = world.submit(rec, rec.picture('secret.png', *RED))
    rec.finished(number)
    subjects = set()
    own = f'kith.{world.cluster}'
    while f'{own}.work' not in subjects or not any(s.startswith(f'{own}.node.') for s in subjects):
        subjects.add(bus.next()[0])
    for subject in subjects:
        assert not any(word in subject for word in ('secret', 'Hannibal', 'images')), subject
    bus.close()


def test_a_worker_holds_no_connection_of_its_parent(world):
    """An inherited connection would never close, and a plug-in could send on it."""
    a = world.start('a')
    until(lambda: a.metric('kith_bus_connected') == 1)
    for pid in a.worker_pids():
        held = {fd: os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')}
        assert len([to for to in held.values() if to.startswith('socket:')]) == 1, held


@pytest.mark.parametrize('roles, words', [('cook', 'KITH_ROLES'), ('receiver,,frontend', 'KITH_ROLES')])
def test_an_unknown_role_is_refused(world, roles, words):
    kith = world.node('x', roles)
    ran = kith.run('serve')
    assert ran.returncode == 2 and words in ran.stderr and len(ran.stderr.strip().splitlines()) == 1


def test_the_page_shows_the_nodes_and_what_others_do(world, tmp_path):
    """In a real browser: an image that another node recognises appears without a reload."""
    if not CHROMIUM or not NODE.exists():
        pytest.skip('no chromium or no playwright-core: test/run.sh installs them')
    work = world.start('work', 'receiver,processor,recognizer')
    front = world.start('front', 'frontend')
    world.together()
    page = Page(front.dashboard, tmp_path)
    number, = world.submit(work, work.picture('a.png', 3, 3, 3))
    page.until_row(number, lambda r: r['person'] == 'unknown')
    until(lambda: page.ask('pictures') == 1, 'the thumbnail, which the other node makes')
    until(lambda: page.ask('text', '#nodes-summary') == '2 nodes · bus connected', 'both nodes to be shown')
    assert 'work' in page.ask('text', '#nodes') and 'front (this node)' in page.ask('text', '#nodes')
    work.kill()
    until(lambda: page.ask('text', '#nodes-summary') == '1 node · bus connected', 'the node to be gone')
    assert page.ask('errors') == []
    page.close()


def test_the_list_of_nodes_is_json_for_programs(world):
    a = world.start('a')
    node, = a.get('/v1/nodes').json['nodes']
    assert node['self'] and node['roles'] == 'all' and node['breaker'] == 'closed'
    assert {'name', 'mailbox', 'handled', 'refused', 'restarts'} == set(node['actors'][0])
    json.dumps(node)


def test_what_people_say_on_one_node_holds_on_the_other(world):
    """A name, its move to another person, a counter-example and its end, with both galleries on one table."""
    a, b = world.start('a', threshold=20), world.start('b', threshold=20)
    world.together()
    numbers = world.submit(a, *[a.picture(f'{n}.png', 200, n, 9) for n in range(6)])
    for number in numbers:
        a.finished(number)
    ann, bea = (a.post('/v1/people', {'name': n}).json['id'] for n in ('Ann', 'Bea'))
    face = a.image(numbers[0])['faces'][0]['id']

    def named(who):
        return lambda: all((n.image(i)['person'] or {}).get('id') == who for n in (a, b) for i in numbers)
    assert a.call('PUT', f'/v1/faces/{face}/person', {'person': ann}).status == 200
    until(named(ann), 'Ann everywhere')
    assert b.call('PUT', f'/v1/faces/{face}/person', {'person': bea}).json['deciding'] == 5
    until(named(bea), 'Bea everywhere')
    for node in (a, b):
        who = node.post('/v1/identify', png(200, 3, 9), content_type='image/png').json['faces'][0]['person']
        assert who == {'id': bea, 'name': 'Bea'}
    last = b.image(numbers[5])['faces'][0]['id']
    assert b.post(f'/v1/faces/{last}/not/{bea}').status == 200
    until(lambda: a.image(numbers[5])['person'] is None and a.image(numbers[4])['person'] is None, 'the denial')
    b.post(f'/v1/images/{numbers[0]}/retry')
    assert a.call('DELETE', f'/v1/faces/{last}/not/{bea}').status == 200
    until(named(bea), 'the name to come back')
    assert b.image(numbers[0])['faces'][0]['id'] == face
    assert a.call('DELETE', f'/v1/images/{numbers[0]}').status == 200
    world.accepted.discard(numbers[0])
    until(lambda: all(b.image(i)['person'] is None for i in numbers[1:]), 'the names to go with their template')
    world.check()


def test_two_nodes_that_watch_one_folder_make_one_person_of_each(world):
    folder = world.folder / 'known'
    (folder / 'Barak').mkdir(parents=True)
    (folder / 'Ann').mkdir()
    colours = [(r, g, b) for r in (30, 100, 170) for g in (30, 100, 170) for b in (30, 100)]
    for n, colour in enumerate(colours[:12]):
        (folder / ('Barak' if n % 2 else 'Ann') / f'{n}.png').write_bytes(png(*colour))
    nodes = [world.start(name, known_people=folder, known_people_rescan='200ms', known_people_forget='on')
             for name in 'ab']

    def people(kith):
        return {p['name']: p['photos'] for p in kith.get('/v1/people').json['people']}

    def settled(expected):
        for kith in nodes:
            until(lambda: people(kith) == expected, f'{expected}, not {people(kith)}')
            number = kith.get('/v1/people/folder').json['scan']['number']
            until(lambda: kith.get('/v1/people/folder').json['scan']['number'] > number + 1, 'two more scans')
            assert people(kith) == expected
    settled({'Ann': 6, 'Barak': 6})
    (folder / 'Barak').rename(folder / 'Barack')
    settled({'Ann': 6, 'Barack': 6})
    (folder / 'Barack/1.png').rename(folder / 'Ann/1.png')
    (folder / 'Barack/3.png').write_bytes(png(*colours[13]))
    settled({'Ann': 7, 'Barack': 5})
    (folder / 'Barack/5.png').unlink()
    settled({'Ann': 7, 'Barack': 4})
    for kith in nodes:
        until(lambda: kith.metric('kith_gallery_templates') == 11, 'no template too many')
        counts = kith.get('/v1/people/folder').json['counts']
        assert counts['enrolled'] == 11 and sum(counts.values()) == 11, counts
