"""The results page in a real browser: page.js controls Chromium."""
import pytest
from browser import CHROMIUM, NODE, Page
from harness import BUILD, png, until
from words_world import World


@pytest.fixture
def page(kith, tmp_path):
    if not CHROMIUM or not NODE.exists():
        pytest.skip('no chromium or no playwright-core: test/run.sh installs them')
    page = Page(kith.dashboard, tmp_path)
    yield page
    errors = page.ask('errors')
    page.close()
    assert errors == []


def test_a_posted_image_appears_and_gets_its_name_without_a_reload(kith, page):
    until(lambda: page.ask('visible', '#empty'), 'the page to say that there is nothing')
    assert page.rows() == []
    number, = kith.submit(kith.picture('red.png', 255, 0, 0))
    row = page.until_row(number, lambda r: r['person'] == 'unknown')
    assert row['path'].endswith('red.png') and row['status'] == 'processed'
    until(lambda: not page.ask('visible', '#empty'), 'the empty text to go')
    until(lambda: page.ask('pictures') == 1, 'the thumbnail')
    person = kith.post('/v1/people', {'name': 'Red <b>bold</b>'}).json['id']
    kith.post(f'/v1/people/{person}/photos', png(255, 0, 0), content_type='image/png')
    row = page.until_row(number, lambda r: r['person'] == 'Red <b>bold</b>')  # a name is text, never markup
    assert float(row['similarity']) > 0.9


def test_uploads_have_their_names_and_other_files_are_marked(kith, page):
    upload = kith.post('/v1/images?filename=%C3%9Cber%20uns.png', png(9, 9, 9), content_type='image/png').json['images'][0]
    changed, gone = kith.picture('changed.png', 1, 1, 1), kith.picture('gone.png', 2, 2, 2)
    numbers = kith.submit(changed, gone)
    for number in [upload['id'], *numbers]:
        page.until_row(number, lambda r: r['person'] == 'unknown')
    changed.write_bytes(png(1, 1, 1, width=65))
    gone.unlink()
    page.ask('reload')
    assert page.until_row(upload['id'], bool)['path'] == 'Über uns.png'
    assert page.until_row(numbers[0], bool)['path'] == f'{changed} file changed since'
    assert page.until_row(numbers[1], bool)['path'] == f'{gone} file gone'
    until(lambda: page.ask('pictures') == 1, 'the thumbnail of the upload, and no other')


def test_failures_show_their_reason_and_can_be_retried(kith, page):
    number, = kith.submit('later.png')
    assert page.until_row(number, lambda r: r['status'] == 'failed')['reason'] == 'no such file'
    kith.picture('later.png', 1, 2, 3)
    page.ask('click', '#retry')
    page.until_row(number, lambda r: r['person'] == 'unknown')
    broken = kith.picture('broken.png', 1, 2, 3)
    broken.write_bytes(b'no picture')
    number, = kith.submit(broken)
    page.until_row(number, lambda r: r['status'] == 'failed')
    kith.picture('broken.png', 40, 50, 60)
    page.ask('click', f'tr[data-id="{number}"] button.again')
    page.until_row(number, lambda r: r['person'] == 'unknown')


def test_a_picture_without_a_face_is_no_failure(make, tmp_path):
    """Nor is an unknown person pending: the page tells both in words, and filters by them."""
    if not CHROMIUM or not NODE.exists():
        pytest.skip('no chromium or no playwright-core: test/run.sh installs them')
    kith = make(recognizer=BUILD / 'test/plugins/moody.so').start()
    page = Page(kith.dashboard, tmp_path)
    try:
        hills, nameless = kith.submit(kith.picture('hills.png', 250, 1, 1), kith.picture('nameless.png', 9, 9, 9))
        row = page.until_row(hills, lambda r: r['person'] == 'no face')
        assert (row['status'], row['reason']) == ('processed', '')
        row = page.until_row(nameless, lambda r: r['person'] == 'unknown')
        assert (row['status'], row['reason']) == ('processed', '')
        until(lambda: page.ask('pictures') == 2, 'both thumbnails')
        until(lambda: page.ask('text', '#counts').startswith('0 known · 1 unknown · 1 without a face · 0 pending'), 'the counts')
        for choice, name in (('no_face', 'hills.png'), ('unknown', 'nameless.png')):
            page.ask('select', '#filter', choice)
            until(lambda: [r['path'].rsplit('/')[-1] for r in page.rows()] == [name], f'only {name}')
        page.ask('select', '#filter', 'failed')
        until(lambda: page.rows() == [], 'no failure')
        assert page.ask('errors') == []
    finally:
        page.close()


def test_what_people_say_is_shown_at_once(kith, page):
    number, = kith.submit(kith.picture('red.png', 255, 0, 0))
    page.until_row(number, lambda r: r['person'] == 'unknown')
    face = kith.image(number)['faces'][0]['id']
    for method, path, body, shown, counts in (
            ('PUT', 'person', {'name': 'Ann'}, 'Ann', '1 known · 0 unknown · 0 without a face · 0 pending'),
            ('DELETE', 'person', None, 'unknown', '0 known · 1 unknown · 0 without a face · 0 pending'),
            ('POST', 'not-a-face', None, 'no face', '0 known · 0 unknown · 1 without a face · 0 pending'),
            ('DELETE', 'not-a-face', None, 'unknown', '0 known · 1 unknown · 0 without a face · 0 pending')):
        assert kith.call(method, f'/v1/faces/{face}/{path}', body).status == 200
        row = page.until_row(number, lambda r: r['person'] == shown)
        assert (row['status'], row['reason']) == ('processed', '')
        until(lambda: page.ask('text', '#counts').startswith(counts), counts)
        until(lambda: page.ask('pictures') == 1, 'the thumbnail')


def test_a_name_in_doubt_has_a_word_beside_it(make, tmp_path):
    if not CHROMIUM or not NODE.exists():
        pytest.skip('no chromium or no playwright-core: test/run.sh installs them')
    world = World(make)
    ann, = world.people('Ann')
    world.enrol(ann, (40, 40, 40))
    near, sure = world.add((60, 40, 40)), world.add((43, 40, 40))
    page = Page(world.kith.dashboard, tmp_path)
    try:
        page.until_row(near, lambda r: r['person'] == 'Ann check')
        page.until_row(sure, lambda r: r['person'] == 'Ann')
        until(lambda: '· 1 to check ·' in page.ask('text', '#counts'), 'the count')
        page.ask('select', '#filter', 'review')
        until(lambda: [r['id'] for r in page.rows()] == [str(near)], 'only the name in doubt')
        world.name(world.face(near), ann, template=False)
        until(lambda: page.rows() == [], 'the confirmed name to leave the list')
        assert page.ask('errors') == []
    finally:
        page.close()


def test_pages_and_filters(kith, page):
    kith.submit(*[kith.picture(f'{n}.png', n, 0, 0) for n in range(120)], 'gone.jpg')
    until(lambda: kith.get('/v1/stats').json['unknown'] == 120, 'all to be done')
    page.ask('reload')
    assert [r['id'] for r in until(lambda: page.rows(), 'rows')] == [str(n) for n in range(121, 71, -1)]
    page.ask('click', '#older')
    until(lambda: (page.rows() or [{}])[0].get('id') == '71', 'the second page')
    page.ask('click', '#older')
    until(lambda: len(page.rows()) == 21, 'the last page')
    page.ask('click', '#newest')
    until(lambda: (page.rows() or [{}])[0].get('id') == '121', 'the first page')
    page.ask('select', '#filter', 'failed')
    until(lambda: [r['path'].rsplit('/')[-1] for r in page.rows()] == ['gone.jpg file gone'], 'the failed one')
    page.ask('shot', 'page.png')


def test_the_page_reconnects_after_a_restart(kith, page):
    address = {'api_listen': kith.api, 'dashboard_listen': kith.dashboard}
    until(lambda: page.ask('text', '#live') == 'live', 'it to be live')
    assert kith.stop() == 0
    until(lambda: page.ask('text', '#live') == 'reconnecting', 'it to notice')
    page.ask('forget-errors')
    kith.settings.update(address)
    kith.start()
    number, = kith.submit(kith.picture('a.png', 9, 9, 9))
    page.until_row(number, lambda r: r['person'] == 'unknown')
    page.ask('forget-errors')


def test_login_with_a_key(make, tmp_path):
    """With keys the page asks for one and keeps it in a cookie that scripts cannot read."""
    if not CHROMIUM or not NODE.exists():
        pytest.skip('no chromium or no playwright-core: test/run.sh installs them')
    kith = make(auth='keys', keys_poll='50ms').start()
    read, submit = (kith.run('key', 'create', '--role', role).stdout.strip() for role in ('read', 'submit'))
    number = until(lambda: kith.post('/v1/images', {'path': str(kith.picture('a.png', 1, 2, 3))}, x_api_key=submit).json
                   .get('images'), 'the keys to be seen')[0]['id']
    page = Page(kith.dashboard, tmp_path)
    try:
        until(lambda: page.ask('visible', '#login'), 'the login form')
        assert not page.ask('visible', '#content')
        page.ask('type', '#key', 'wrong')
        page.ask('click', '#login button')
        until(lambda: 'not valid' in page.ask('text', '#login-error'), 'the error')
        page.ask('type', '#key', read)
        page.ask('shot', 'login.png')
        page.ask('click', '#login button')
        page.until_row(number, lambda r: r['person'] == 'unknown')
        assert page.ask('cookies') == ['kith_key true Strict'] and not page.ask('visible', '#retry')
        until(lambda: page.ask('pictures') == 1, 'the thumbnail')
        kith.run('key', 'revoke', '1')
        page.ask('reload')
        until(lambda: page.ask('visible', '#login'), 'the login form, because the key is revoked')
    finally:
        page.close()
