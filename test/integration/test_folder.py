"""The folder of known people, mirrored by content: moves, replacements, links, names, groups, another model."""
import os
import pathlib
import struct
import zlib

import pytest
from folder_walk import Walk, face
from harness import BUILD, png, until

BANDS = BUILD / 'test/plugins/bands.so'
STEPS = int(os.environ.get('KITH_FOLDER_STEPS', '60'))
RESCAN = '150ms'


def group(*faces):
    """A picture of several faces: (colour, width, height) each."""
    height = max(h for _, _, h in faces)
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for colour, width, high in faces:
            rows += bytes(colour if y < high else (0, 0, 0)) * width

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    head = struct.pack('>IIBBBBB', sum(w for _, w, _ in faces), height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')


class Folder:
    def __init__(self, make, **settings):
        self.kith = make(recognizer=BANDS, known_people_rescan=RESCAN, **settings)
        self.path = self.kith.folder / 'known'
        self.path.mkdir()
        self.kith.settings['known_people'] = self.path
        self.aside = self.kith.folder / 'aside'
        self.aside.mkdir()

    def put(self, name, data):
        """The file appears at once, as a whole."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.aside / 'new').write_bytes(data)
        (self.aside / 'new').rename(path)
        return path

    def start(self):
        self.kith.start()
        return self.scanned()

    def report(self, query=''):
        answer = self.kith.get(f'/v1/people/folder{query}')
        assert answer.status == 200, answer
        return answer.json

    def scanned(self):
        """A scan that began after this call has ended, and nothing was put off."""
        begun = self.report()
        number = begun['scan']['number'] + (1 if begun['state'] == 'idle' else 2)
        return until(lambda: (lambda r: r if r['scan']['number'] >= number and r['state'] == 'idle'
                              and not r['scan']['deferred'] else None)(self.report()), 'a scan')

    def files(self, query='?state=all'):
        report = self.report(query)
        return {pathlib.Path(f['path']).relative_to(self.path).as_posix(): f for f in report['files']}

    def people(self):
        return {p['name']: p['photos'] for p in self.kith.get('/v1/people?limit=500').json['people']}

    def who(self, data):
        faces = self.kith.post('/v1/identify', data, content_type='image/png').json['faces']
        return faces[0]['person']['name'] if faces and faces[0]['person'] else None


@pytest.fixture
def folder(make):
    return Folder(make)


def test_a_renamed_folder_is_the_same_person_with_another_name(folder):
    folder.put('Barak/1.png', face(1))
    folder.put('Barak/2.png', face(2))
    folder.start()
    number, = folder.kith.submit(folder.kith.picture('a.png', 60, 20, 20))
    person = folder.kith.finished(number)['person']
    assert person['name'] == 'Barak'
    asked = folder.kith.metric('kith_known_people_enrolments_total')
    (folder.path / 'Barak').rename(folder.path / 'Barack')
    until(lambda: folder.people() == {'Barack': 2}, 'one person with the new name')
    assert folder.kith.image(number)['person'] == {'id': person['id'], 'name': 'Barack'}
    assert folder.kith.metric('kith_known_people_enrolments_total') == asked, 'nothing was embedded again'
    assert 'photo moved' in folder.kith.log()


def test_a_file_that_moves_to_another_person_takes_its_template_along(folder):
    folder.put('Ann/1.png', face(1))
    folder.put('Ann/2.png', face(2))
    folder.put('Bo/3.png', face(3))
    folder.start()
    number, = folder.kith.submit(folder.kith.picture('a.png', 100, 20, 20))
    assert folder.kith.finished(number)['person']['name'] == 'Ann'
    (folder.path / 'Ann/2.png').rename(folder.path / 'Bo/2.png')
    until(lambda: folder.people() == {'Ann': 1, 'Bo': 2}, 'the photo to be Bo’s')
    assert folder.who(face(2)) == 'Bo' and folder.who(face(1)) == 'Ann'
    until(lambda: folder.kith.image(number)['person']['name'] == 'Bo', 'the image to be decided again')
    (folder.path / 'Ann/1.png').rename(folder.path / 'Bo/1.png')
    until(lambda: folder.people() == {'Bo': 3}, 'the person without photos to go')


def test_an_overwritten_photo_replaces_the_old_one(folder):
    folder.put('Barack/p.png', face(4))
    folder.start()
    number, = folder.kith.submit(folder.kith.picture('a.png', 180, 20, 20))
    assert folder.kith.finished(number)['person']['name'] == 'Barack'
    folder.put('Barack/p.png', face(1))
    until(lambda: folder.who(face(1)) == 'Barack', 'the new photo')
    until(lambda: folder.who(face(4)) is None and folder.people() == {'Barack': 1}, 'the old photo to go')
    until(lambda: folder.kith.image(number)['person'] is None, 'the image to lose the name')


def test_two_files_that_change_places_change_their_people(folder):
    a, b = folder.put('Ann/1.png', face(1)), folder.put('Bo/1.png', face(2))
    folder.start()
    asked = folder.kith.metric('kith_known_people_enrolments_total')
    folder.kith.stop()
    a.rename(folder.path / 'spare')
    b.rename(a)
    (folder.path / 'spare').rename(b)
    folder.start()
    assert folder.who(face(1)) == 'Bo' and folder.who(face(2)) == 'Ann' and folder.people() == {'Ann': 1, 'Bo': 1}
    assert folder.kith.metric('kith_known_people_enrolments_total') == 0 < asked
    assert {f['state'] for f in folder.files().values()} == {'enrolled'}


def test_a_file_that_has_gone_is_listed_and_known_again_when_it_is_back(folder):
    path = folder.put('Ann/1.png', face(1))
    folder.put('Ann/2.png', face(2))
    folder.start()
    data = path.read_bytes()
    path.unlink()
    until(lambda: folder.files().get('Ann/1.png', {}).get('state') == 'gone', 'the file to be listed as gone')
    assert folder.who(face(1)) == 'Ann' and folder.report()['counts']['gone'] == 1
    assert folder.kith.metric('kith_known_people_gone') == 1 and 'photo gone' in folder.kith.log()
    asked = folder.kith.metric('kith_known_people_enrolments_total')
    folder.put('Ann/1.png', data)
    until(lambda: folder.files()['Ann/1.png']['state'] == 'enrolled', 'the file to be back')
    assert folder.kith.metric('kith_known_people_enrolments_total') == asked and folder.people() == {'Ann': 2}


def test_a_file_that_has_gone_is_forgotten_by_a_setting(make):
    folder = Folder(make, known_people_forget='on')
    path = folder.put('Ann/1.png', face(1))
    folder.put('Bo/1.png', face(2))
    folder.start()
    path.unlink()
    until(lambda: folder.people() == {'Bo': 1}, 'the person to go')
    assert folder.who(face(1)) is None
    for file in list(folder.path.rglob('*.png')):
        file.unlink()
    folder.scanned()
    folder.scanned()
    assert folder.people() == {'Bo': 1}, 'a folder that is empty may be one that is not mounted'


def test_a_person_who_was_deleted_stays_away_until_the_file_comes_back(folder):
    path = folder.put('Ann/1.png', face(1))
    folder.start()
    person = folder.kith.get('/v1/people').json['people'][0]['id']
    assert folder.kith.call('DELETE', f'/v1/people/{person}').json['deleted']['photos'] == 1
    folder.scanned()
    folder.scanned()
    assert folder.people() == {} and folder.files()['Ann/1.png']['state'] == 'photo_deleted'
    stat, data = path.stat(), path.read_bytes()
    os.chmod(path, 0o600)
    folder.scanned()
    assert folder.people() == {}, 'a change of its mode does not bring it back'
    path.unlink()
    folder.put('Ann/1.png', data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    until(lambda: folder.people() == {'Ann': 1}, 'the file that came back at once')
    path.unlink()
    person = folder.kith.get('/v1/people').json['people'][0]['id']
    folder.kith.call('DELETE', f'/v1/people/{person}')
    folder.scanned()
    folder.put('Ann/1.png', data)
    until(lambda: folder.people() == {'Ann': 1}, 'the file that came back later')


def test_links_are_followed_inside_the_folder_only(folder):
    outside = folder.kith.folder / 'outside'
    outside.mkdir()
    (outside / 'x.png').write_bytes(face(9))
    (folder.kith.images / 'y.png').write_bytes(face(10))
    folder.put('Ann/2019/summer/1.png', face(1))
    folder.put('.albums/bo/2.png', face(2))
    (folder.path / 'Bo').symlink_to('.albums/bo')
    (folder.path / 'Cleo').mkdir()
    (folder.path / 'Cleo/3.png').symlink_to(folder.path / '.albums/bo/2.png')
    (folder.path / 'Cleo/out.png').symlink_to(outside / 'x.png')
    (folder.path / 'Dora').symlink_to(outside)
    (folder.path / 'Emil').symlink_to(folder.kith.images)
    (folder.path / 'Ann/loop').symlink_to('..')
    (folder.path / 'Ann/itself').symlink_to('itself')
    folder.start()
    assert folder.people() == {'Ann': 1, 'Bo': 1}
    assert folder.who(face(2)) == 'Bo' and folder.who(face(9)) is None and folder.who(face(10)) is None
    files = folder.files('')
    assert 'leads out of the folder' in files['Cleo/out.png']['reason'], files
    assert 'leads out of the folder' in files['Dora']['reason'] and 'Emil' in files
    assert 'the same photo as' in files['Cleo/3.png']['reason'] and 'Bo/2.png' in files['Cleo/3.png']['reason']
    folder.kith.stop()
    folder.kith.settings['known_people_links'] = 'roots'
    folder.start()
    until(lambda: folder.who(face(10)) == 'Emil', 'the folder in the image roots')
    assert folder.who(face(9)) is None and 'outside KITH_IMAGE_ROOTS' in folder.files('')['Dora']['reason']


def test_every_file_is_listed_with_its_reason_and_none_is_left_out_in_silence(folder):
    for name in ('1.jfif', '2.jpe', '3.JPG'):
        folder.put(f'Ann/{name}', face(int(name[0])))
    for name in ('a.heic', 'b.avif', 'c.tiff', 'd.gif'):
        folder.put(f'Ann/{name}', b'no picture: ' + name.encode())
    folder.put('Ann/none.png', png(255, 255, 255))
    for name in ('.hidden.png', 'Thumbs.db', '.DS_Store', '@eaDir/1.png'):
        folder.put(f'Ann/{name}', face(7))
    folder.put('Ann/notes.txt', b'text')
    report = folder.start()
    assert folder.people() == {'Ann': 3}
    refused = {name: f['reason'] for name, f in folder.files('').items()}
    assert set(refused) == {f'Ann/{n}' for n in ('a.heic', 'b.avif', 'c.tiff', 'd.gif', 'none.png')}
    assert refused['Ann/none.png'] == 'no face found' and 'not an image' in refused['Ann/a.heic']
    assert report['scan']['hidden'] == 4 and report['scan']['no_photos'] == 1 and report['counts']['refused'] == 5
    assert [len(folder.report(f'?state=refused&limit=2{after}')['files']) for after in ('',)] == [2]
    seen, after = [], ''
    while after is not None:
        page = folder.report('?state=refused&limit=2' + (f'&after={after}' if after else ''))
        seen += [f['path'] for f in page['files']]
        after = page['next']
    assert len(seen) == len(set(seen)) == 5
    assert folder.kith.get('/v1/people/folder?state=what').status == 400
    assert folder.kith.get('/v1/people/folder?after=zz').status == 400
    line, = [x for x in folder.kith.log().splitlines() if ' known people ' in x and 'photos=8' in x][:1]
    assert 'enrolled=3' in line and 'refused=5' in line and 'hidden=4' in line


def test_camera_names_make_no_person_unless_it_is_said(make, tmp_path):
    folder = Folder(make)
    for n, name in enumerate(('IMG_2301.png', 'IMG_2302.png', 'DSC01234.png', '20230101_120000.png', 'scan0001.png',
                              'WhatsApp Image 2023-01-01 at 12.00.00.png', 'hannibal_1.png', 'hannibal_2.png',
                              'Anna Maria.png')):
        folder.put(name, face(n))
    folder.start()
    assert folder.people() == {'hannibal': 2, 'Anna Maria': 1}
    reason = folder.files('')['IMG_2301.png']['reason']
    assert '--flat' in reason and 'KITH_FLAT' in reason and 'folder' in reason
    folder.kith.stop()
    folder.kith.settings['flat'] = 'on'
    folder.start()
    until(lambda: folder.people().get('IMG') == 2, 'the names that are meant')


def test_kith_enroll_asks_about_camera_names_and_leaves_no_empty_person(kith, tmp_path):
    photos = tmp_path / 'flat'
    (photos / 'Family/Tante/2019').mkdir(parents=True)
    (photos / 'IMG_2301.png').write_bytes(png(250, 0, 0))
    (photos / 'ann_1.png').write_bytes(png(0, 250, 0))
    (photos / 'Family/Tante/2019/x.png').write_bytes(png(0, 0, 250))
    (photos / 'Bad').mkdir()
    (photos / 'Bad/text.jpg').write_text('not a photo')
    ran = kith.run('enroll', photos)
    assert ran.returncode == 1 and '2 enrolled, 2 refused' in ran.stdout, ran
    assert 'IMG_2301.png: refused' in ran.stderr and '--flat' in ran.stderr
    assert {p['name'] for p in kith.get('/v1/people').json['people']} == {'ann', 'Family'}
    again = kith.run('enroll', '--flat', photos)
    assert 'enrolled as IMG' in again.stdout, again
    (tmp_path / 'empty').mkdir()
    assert 'no photos found' in kith.run('enroll', tmp_path / 'empty').stderr


def test_the_same_photo_of_two_people_is_refused_with_the_first_one_named(folder):
    folder.put('Ann/1.png', face(1))
    folder.start()
    bo = folder.kith.post('/v1/people', {'name': 'Bo'}).json['id']
    answer = folder.kith.post(f'/v1/people/{bo}/photos', face(1), content_type='image/png')
    assert answer.status == 409 and 'Ann' in answer.json['detail'] and '?face=' in answer.json['detail'], answer
    assert folder.kith.post(f'/v1/people/{bo}/photos?face=0', face(1), content_type='image/png').status == 201
    folder.kith.post(f'/v1/people/{bo}/photos', face(2), content_type='image/png')
    folder.put('Cleo/2.png', face(2))
    until(lambda: 'Bo' in (folder.files('').get('Cleo/2.png', {}).get('reason') or ''), 'the refusal')
    assert 'Cleo' not in folder.people() and folder.files('')['Cleo/2.png']['state'] == 'duplicate'
    folder.kith.call('DELETE', f'/v1/people/{bo}')
    until(lambda: folder.people().get('Cleo') == 1, 'the photo that is nobody else’s now')


def test_a_group_is_told_apart_once_the_person_has_another_photo(folder):
    folder.put('Ann/a_group.png', group(((60, 20, 20), 20, 30), ((20, 180, 20), 20, 31)))
    folder.start()
    assert folder.people() == {} and len(folder.files('')['Ann/a_group.png']['faces']) == 2
    folder.put('Ann/portrait.png', face(1))
    until(lambda: folder.people() == {'Ann': 2}, 'the face that is like the new photo')
    assert folder.who(png(20, 180, 20)) is None


def test_a_large_folder_goes_on_after_a_kill_without_embedding_again(folder):
    count = 400
    for n in range(count):
        folder.put(f'Ann/{n}.png', png(n % 200, 100 + n // 200 * 20, 20))
    folder.kith.start()
    until(lambda: folder.kith.metric('kith_known_people_enrolments_total') >= 100, 'a part to be enrolled')
    report = folder.report()
    assert report['state'] == 'enrolling' and 0 < report['progress']['done'] < report['progress']['of'] == count
    before = folder.kith.metric('kith_known_people_enrolments_total')
    folder.kith.kill()
    folder.start()
    assert folder.people() == {'Ann': count}
    again = folder.kith.metric('kith_known_people_enrolments_total')
    assert again <= count - before + 2, (before, again)
    assert folder.report()['counts'] == {'enrolled': count, 'refused': 0, 'duplicate': 0, 'gone': 0, 'replaced': 0,
                                         'photo_deleted': 0}


def test_of_a_group_the_face_that_stands_out_is_enrolled(folder):
    ann, bo, small = (60, 20, 20), (100, 20, 20), (20, 180, 20)
    folder.put('Ann/portrait.png', group((ann, 20, 40), (small, 10, 20)))
    folder.put('Bo/equal.png', group((small, 20, 30), (bo, 20, 32)))
    folder.start()
    assert folder.people() == {'Ann': 1} and folder.who(png(*ann)) == 'Ann' and folder.who(png(*small)) is None
    refused = folder.files('')['Bo/equal.png']
    assert [f['box']['height'] for f in refused['faces']] == [32, 30] and 'KITH_ENROLL_PROMINENCE' in refused['reason']
    # Likeness to the other photos decides where size does not; and the largest face may be another person's.
    folder.put('Ann/with_bo.png', group(((62, 20, 20), 20, 30), (bo, 20, 32)))
    folder.put('Cleo/with_ann.png', group(((61, 20, 20), 20, 40), ((20, 20, 180), 10, 10)))
    until(lambda: folder.people().get('Ann') == 2, 'the face that is like Ann')
    until(lambda: 'looks like Ann' in (folder.files('').get('Cleo/with_ann.png', {}).get('reason') or ''), 'the refusal')
    # A face of a group is chosen by its number; the file in the folder counts as enrolled then.
    person = folder.kith.post('/v1/people', {'name': 'Bo'}).json['id']
    path = {'path': str(folder.path / 'Bo/equal.png')}
    answer = folder.kith.post(f'/v1/people/{person}/photos', path)
    assert answer.status == 422 and [f['face'] for f in answer.json['faces']] == [0, 1], answer  # the largest first
    assert folder.kith.post(f'/v1/people/{person}/photos?face=2', path).status == 422
    assert folder.kith.post(f'/v1/people/{person}/photos?face=0', path).status == 201
    assert folder.who(png(*bo)) == 'Bo' and folder.who(png(*small)) is None
    folder.scanned()
    assert folder.files()['Bo/equal.png']['state'] == 'enrolled' and folder.people()['Bo'] == 1


def test_another_model_embeds_everybody_anew_and_the_first_one_costs_nothing_again(folder):
    kith = folder.kith
    folder.put('Ann/1.png', face(1))
    folder.put('Bo/group.png', group(((20, 180, 20), 20, 30), ((20, 20, 180), 20, 32)))
    folder.start()
    cleo = kith.post('/v1/people', {'name': 'Cleo'}).json['id']
    assert kith.post(f'/v1/people/{cleo}/photos', face(3), content_type='image/png').status == 201
    bo = kith.post('/v1/people', {'name': 'Bo'}).json['id']
    path = {'path': str(folder.path / 'Bo/group.png')}
    assert kith.post(f'/v1/people/{bo}/photos?face=1', path).status == 201
    gone = kith.post('/v1/people', {'name': 'Gone'}).json['id']
    assert kith.post(f'/v1/people/{gone}/photos', {'path': str(kith.picture('g.png', 20, 20, 20))}).status == 201
    kith.stop()
    (kith.images / 'g.png').unlink()
    kith.settings['recognizer'] = BUILD / 'test/plugins/bands2.so'
    kith.start()
    until(lambda: kith.metric('kith_gallery_people_without_template') == 1, 'the others to be embedded')
    assert kith.metric('kith_photos_embedded_anew_total') == 3
    assert folder.who(face(1)) == 'Ann' and folder.who(face(3)) == 'Cleo' and folder.who(png(20, 180, 20)) == 'Bo'
    assert folder.who(png(20, 20, 180)) is None, 'the face that was chosen, and no other'
    assert 'people have no template of the model in use' in kith.log() and 'people=4 of=4 model=bands-2' in kith.log()
    ready = kith.get('/readyz').json
    assert ready['ready'] and '1 of 4 people have no template of the model bands-2' in ready['degraded'], ready
    folder.scanned()
    assert folder.people() == {'Ann': 1, 'Bo': 1, 'Cleo': 1, 'Gone': 1}, 'no photo twice'
    kith.stop()
    kith.settings['recognizer'] = BANDS
    kith.start()
    folder.scanned()
    assert folder.who(face(1)) == 'Ann' and folder.who(face(3)) == 'Cleo' and folder.who(png(20, 20, 20)) == 'Gone'
    assert kith.metric('kith_photos_embedded_anew_total') == 0 == kith.metric('kith_known_people_enrolments_total')
    assert kith.get('/readyz').json == {'ready': True}


def test_a_person_who_was_renamed_by_hand_keeps_the_name(folder):
    folder.put('ann/1.png', face(1))
    folder.start()
    person = folder.kith.get('/v1/people').json['people'][0]['id']
    folder.kith.call('PATCH', f'/v1/people/{person}', {'name': 'Ann Smith'})
    folder.put('ann/2.png', face(2))
    until(lambda: folder.people() == {'Ann Smith': 2}, 'the new photo to be hers')
    (folder.path / 'ann').rename(folder.path / 'anna')
    until(lambda: set(folder.files()) == {'anna/1.png', 'anna/2.png'}, 'the move')
    assert folder.people() == {'Ann Smith': 2}


@pytest.mark.parametrize('data', [face(1), b'no picture'], ids=['duplicate', 'refused'])
def test_a_person_whose_only_photo_is_overwritten_by_what_is_not_enrolled_goes(make, data):
    folder = Folder(make, known_people_forget='on')
    folder.put('Bo/1.png', face(1))
    folder.put('Cleo/2.png', face(2))
    folder.start()
    assert folder.people() == {'Bo': 1, 'Cleo': 1}
    folder.put('Cleo/2.png', data)
    until(lambda: folder.people() == {'Bo': 1}, 'Cleo to go')


@pytest.mark.parametrize('seed', range(2))
def test_a_random_walk_of_file_operations_ends_in_the_people_of_the_files(make, seed):
    folder = Folder(make, known_people_forget='on')
    walk = Walk(folder, seed)
    folder.start()
    done = []
    for number in range(STEPS):
        done.append(walk.step())
        expected = walk.expected()
        if number % 20 == 19:
            folder.kith.stop()
            folder.kith.start()
        until(lambda: folder.people() == expected, f'{expected} after {done[-5:]}, not {folder.people()}')
        for content, path in walk.holder.items():
            until(lambda: folder.who(face(content)) == path.split('/')[0], f'{content} of {path} after {done[-5:]}')
    folder.scanned()
    assert folder.people() == expected
    states = {name: f['state'] for name, f in folder.files('?state=all&limit=500').items() if walk.content(name)}
    assert states == {p: 'enrolled' if walk.holder[walk.content(p)] == p else 'duplicate' for p in walk.files
                      if walk.content(p)}
