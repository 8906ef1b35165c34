"""Pictures that are much work: limits refuse them by their header, or they cost no more than an honest one."""
import hostile_pictures
import pytest
from harness import png, until


def identify(kith, data):
    return kith.post('/v1/identify', data, content_type='image/png')


def jpeg_of(kith):
    """A baseline JPEG: the thumbnail of a picture."""
    number, = kith.submit(kith.picture('base.png', 200, 100, 50, width=300, height=200))
    kith.finished(number)
    return until(lambda: kith.get(f'/v1/images/{number}/photo?width=128'), 'the thumbnail').body


def test_a_limit_refuses_before_decoding(kith):
    for name, data, words in hostile_pictures.refused(jpeg_of(kith)):
        answer = identify(kith, data)
        assert answer.status == 422, (name, answer)
        for word in words:
            assert word in answer.json['detail'], (name, answer)
    assert kith.metric('kith_worker_restarts_total') == 0


def test_what_is_within_the_limits_costs_no_worker(kith):
    for name, data in hostile_pictures.accepted(jpeg_of(kith), side=700):
        assert identify(kith, data).status in (200, 422), name
    assert kith.metric('kith_worker_restarts_total') == 0
    assert identify(kith, png(1, 2, 3)).status == 200


@pytest.mark.parametrize('scans, status', [(5, 200), (6, 422)])
def test_the_limit_of_scans_is_a_setting(make, scans, status):
    kith = make(max_scans=5).start()
    jpeg = jpeg_of(kith)
    answer = identify(kith, hostile_pictures.with_scans(jpeg, scans) if scans > 5 else jpeg)
    assert answer.status == status, answer
