"""A full disk: requests are refused with the reason, accepted images stay, and work resumes when there is space."""
import os
import subprocess

import pytest
from harness import png, until

MEGABYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / 'data'
    folder.mkdir()
    made = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f'cannot mount a small disk: {made.stderr.strip()}')
    yield folder
    subprocess.run(['umount', '-l', folder], check=True)


def fill(folder, leave):
    with open(folder / 'ballast', 'wb') as ballast:
        room = os.statvfs(folder)
        ballast.write(b'\0' * max(0, room.f_bavail * room.f_frsize - leave))


def test_a_full_disk_refuses_and_recovers(small_disk, make):
    kith = make(events_keepalive='1s', disk_reserve='0').start()
    kept, = kith.submit(kith.picture('a.png', 1, 2, 3))
    kith.finished(kept)
    fill(small_disk, 0)
    answers = []

    def refused():
        answers.append(kith.post('/v1/images', {'paths': [f'{len(answers)}/{"x" * 200}/{n}' for n in range(200)]}))
        return answers[-1].status != 202

    until(refused, 'a refusal')
    assert answers[-1].status == 503, answers[-1]
    assert 'full' in answers[-1].json['detail']
    upload = kith.post('/v1/images', png(4, 5, 6, width=900, height=900) + os.urandom(MEGABYTE), content_type='image/png')
    assert upload.status in (503, 507) and 'full' in upload.json['detail'], upload
    assert kith.image(kept)['verdict'] == 'unknown', 'reading goes on'
    assert kith.get('/healthz').status == 200
    ready = until(lambda: (lambda a: a if a.status == 503 else None)(kith.get('/readyz')), 'it not to be ready')
    assert 'the disk of the database is full' in ready.text
    assert kith.metric('kith_database_writable') == 0
    (small_disk / 'ballast').unlink()
    kith.until_ready()
    assert kith.metric('kith_database_writable') == 1
    number, = until(lambda: (lambda a: a.status == 202 and [i['id'] for i in a.json['images']])(
        kith.post('/v1/images', {'path': str(kith.picture('b.png', 7, 8, 9))})), 'room again')
    assert kith.finished(number)['verdict'] == 'unknown'
    assert len(list((small_disk / 'spool/tmp').iterdir())) == 0, 'no half file stays'


def test_a_reserve_is_kept_for_finishing_and_deleting(small_disk, make):
    kith = make(disk_reserve='1MB').start()
    upload = kith.post('/v1/images', png(4, 5, 6, width=300, height=300), content_type='image/png').json['images'][0]['id']
    kith.finished(upload)
    person = kith.post('/v1/people', {'name': 'Red'}).json['id']
    reserve = 4 * MEGABYTE // 16  # a sixteenth of the disk, which is small
    fill(small_disk, reserve // 2)
    for refused in (kith.post('/v1/images', {'path': str(kith.picture('a.png', 1, 2, 3))}),
                    kith.post('/v1/images', png(7, 8, 9), content_type='image/png')):
        assert refused.status == 507 and 'KITH_DISK_RESERVE' in refused.json['detail'], refused
    refused = kith.post(f'/v1/people/{person}/photos', png(255, 0, 0), content_type='image/png')
    assert refused.status in (503, 507) and 'KITH_DISK_RESERVE' in refused.json['detail'], refused
    refused = kith.post(f'/v1/people/{person}/photos', {'path': str(kith.picture('c.png', 255, 0, 0))})
    assert refused.status in (503, 507) and 'KITH_DISK_RESERVE' in refused.json['detail'], refused
    until(lambda: kith.get('/readyz').status == 503, 'it not to be ready')
    assert 'KITH_DISK_RESERVE' in kith.get('/readyz').text
    assert 0 <= kith.metric('kith_disk_free_bytes') < kith.metric('kith_disk_reserve_bytes') == reserve
    assert kith.call('DELETE', f'/v1/images/{upload}').status == 200
    (small_disk / 'ballast').unlink()
    until(lambda: kith.get('/readyz').status == 200, 'it to be ready')
    number, = kith.submit(kith.picture('b.png', 7, 8, 9))
    assert kith.finished(number)['verdict'] == 'unknown'
