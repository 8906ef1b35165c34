"""Results that the database refuses for good: their images fail, and the others go on."""
import sqlite3

import pytest
from harness import until

NO_FACES = "CREATE TRIGGER no_faces BEFORE INSERT ON faces BEGIN SELECT RAISE(ABORT, 'not this face'); END"
NO_FAILURES = """CREATE TRIGGER no_failures BEFORE UPDATE ON images WHEN NEW.status = 2
                 BEGIN SELECT RAISE(ABORT, 'not this failure'); END"""


@pytest.fixture
def kith(make):
    return make(workers=1, lease='500ms', retry_backoff='1ms', tries=100).start()


def change(kith, *statements):
    records = sqlite3.connect(kith.folder / 'data/kith.db', timeout=30)
    with records:
        for statement in statements:
            records.execute(statement)
    records.close()


def test_a_refused_result_fails_its_image_and_no_other(kith):
    change(kith, NO_FACES)
    refused = kith.submit(*[kith.picture(f'{n}.png', n, 1, 1) for n in range(8)])  # more than run at once
    for number in refused:
        image = kith.finished(number)
        assert image['status'] == 'failed' and image['reason'].startswith('the database refused the result'), image
        assert image['attempts'] == 1 and not image['faces']
    assert kith.log().count(' result refused ') == len(refused)
    assert 'not this face' not in kith.get(f'/v1/images/{refused[0]}').text
    change(kith, 'DROP TRIGGER no_faces')
    after, = kith.submit(kith.picture('after.png', 9, 1, 1))
    assert kith.finished(after)['verdict'] == 'unknown'
    assert kith.post(f'/v1/images/{refused[0]}/retry').status in (200, 202)
    until(lambda: kith.image(refused[0])['verdict'] == 'unknown', 'the retry to find the face')


def test_an_image_that_cannot_even_be_failed_does_not_block_the_queue(kith):
    change(kith, NO_FACES, NO_FAILURES)
    stuck = kith.submit(*[kith.picture(f'{n}.png', n, 1, 1) for n in range(4)])
    until(lambda: kith.log().count(' job dropped ') >= len(stuck), 'each of them to be dropped')
    change(kith, 'DROP TRIGGER no_faces')
    for number in stuck + kith.submit(kith.picture('after.png', 9, 1, 1)):
        assert kith.finished(number)['verdict'] == 'unknown'
