"""Another model: the nodes share the embedding of the photos anew."""
from harness import BUILD, png, until

BANDS, BANDS2 = (BUILD / f'test/plugins/bands{n}.so' for n in ('', '2'))
PHOTOS = 40


def enrol(node, count):
    for n in range(count):
        person = node.post('/v1/people', {'name': f'Person {n}'}).json['id']
        answer = node.post(f'/v1/people/{person}/photos', png(20 + 5 * n, 100, 20), content_type='image/png')
        assert answer.status == 201, answer


def embedded(nodes):
    return [node.metric('kith_photos_embedded_anew_total') for node in nodes]


def claims(world):
    return [int(row[0]) for row in world.mariadb.rows('SELECT embed_claims FROM person_images ORDER BY id')]


def test_each_photo_is_embedded_by_one_node(world):
    first = world.start('a', recognizer=BANDS)
    enrol(first, PHOTOS)
    first.stop()
    nodes = [world.node(name, recognizer=BANDS2).launch() for name in 'ab']
    for node in nodes:
        node.start_serving()
    until(lambda: sum(embedded(nodes)) == PHOTOS, 'all photos to be embedded')
    assert claims(world) == [1] * PHOTOS, 'no photo twice'
    assert world.mariadb.rows("SELECT COUNT(*) FROM templates WHERE model = 'bands-2'") == [[str(PHOTOS)]]
    assert world.mariadb.rows('SELECT COUNT(*) FROM person_images WHERE embed_until > 0') == [['0']]
    until(lambda: all(n.metric('kith_gallery_people_without_template') == 0 for n in nodes), 'both nodes to know')


def test_the_share_of_a_node_that_died_is_taken_over(world):
    """The claim of the dead node is one that its lease has not ended yet."""
    node = world.start('a', recognizer=BANDS)
    enrol(node, 3)
    node.stop()
    world.mariadb.rows('UPDATE person_images SET embed_claims = 1, embed_until = UNIX_TIMESTAMP() * 1000 + 3000 '
                       'WHERE id = 2')
    node.settings['recognizer'] = BANDS2
    node.start()
    until(lambda: embedded([node]) == [3], 'the claim to end')
    assert claims(world) == [1, 2, 1]
