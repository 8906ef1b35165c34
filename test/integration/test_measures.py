"""kith eval and kith bench: their output, and faults of labelled folders."""
import json
import os
import shutil
import subprocess

import pytest
from harness import BUILD, png

COLOURS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10), (250, 10, 250), (10, 250, 250), (120, 20, 70),
           (20, 120, 70)]


def run(tmp_path, *arguments, code=0):
    got = subprocess.run([BUILD / 'kith', arguments[0], f'--data={tmp_path}/data', '--workers=1',
                          '--recognizer=example', *map(str, arguments[1:])], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                         env={k: v for k, v in os.environ.items() if not k.startswith('KITH_')})
    assert got.returncode == code, got.stderr
    return got


def label(folder, people, photos):
    """Makes people of one colour each, with photos of different sizes."""
    for n, colour in enumerate(COLOURS[:people]):
        (folder / f'Person_{n}').mkdir(parents=True)
        for k in range(photos):
            (folder / f'Person_{n}/Person_{n}_{k + 1:04}.png').write_bytes(png(*colour, width=40 + 8 * k, height=48))
    return folder


def test_the_figures_of_distinct_people(tmp_path):
    folder = label(tmp_path / 'people', 8, 4)
    got = json.loads(run(tmp_path, 'eval', folder, '--sizes', '2,4', '--repeats', 2, '--json').stdout)
    assert (got['photos'], got['people'], got['without_face'], got['cached']) == (32, 8, 0, 0)
    assert got['verification']['accuracy'] == 1
    qualities = got['verification']['qualities']['list']
    assert sum(q['pairs'] for q in qualities) == 8 * 6 and qualities[-1] == {'from': 0.9, 'pairs': 48, 'fnmr': 0}
    sizes = [r['people'] for r in got['identification']['galleries']]
    assert sizes == [2, 4]
    for row in got['identification']['galleries']:
        assert row['impostors_named'] == 0 and row['known_missed'] == 0
    again = json.loads(run(tmp_path, 'eval', folder, '--sizes', '2,4', '--repeats', 2, '--json').stdout)
    assert again['cached'] == 32
    assert {**again, 'cached': 0, 'seconds': 0} == {**got, 'cached': 0, 'seconds': 0}
    (folder / 'Person_0/Person_0_0001.png').write_bytes(png(1, 2, 3))
    assert json.loads(run(tmp_path, 'eval', folder, '--sizes', '2', '--json').stdout)['cached'] == 31
    assert json.loads(run(tmp_path, 'eval', folder, '--sizes', '2', '--json', '--min-face=99').stdout)['cached'] == 0


def test_wrong_names_and_groups_are_reported(tmp_path):
    folder = label(tmp_path / 'people', 8, 4)
    loose = ['--sizes', '4', '--repeats', 2, '--groups', 2, '--threshold=1000']
    got = json.loads(run(tmp_path, 'eval', folder, *loose, '--json').stdout)['identification']['galleries'][0]
    assert got['asked'] is None and got['impostors_named'] == 1  # everybody is near enough
    assert got['wrong_names'] == got['impostors'] and got['names'] == got['impostors'] + got['known']
    assert abs(got['wrong_share'] - got['wrong_names'] / got['names']) < 1e-4
    assert sum(g['people'] for g in got['groups']) == 8 and len(got['groups']) == 2
    for key in 'impostors', 'known', 'names', 'wrong_names':
        assert sum(g[key] for g in got['groups']) == got[key]
    text = run(tmp_path, 'eval', folder, *loose).stdout
    assert 'Groups of alike faces, for 4 people' in text and 'A fixed threshold is in force' in text
    assert 'KITH_FPIR asks that 1.00 % of the impostors' in run(tmp_path, 'eval', folder, '--sizes', '4').stdout


def test_a_part_of_the_people_is_measured(tmp_path):
    folder = label(tmp_path / 'people', 8, 4)
    for part in '1/2', '2/2':
        got = json.loads(run(tmp_path, 'eval', folder, '--sizes', '2', '--part', part, '--enroll', 1, '--json').stdout)
        assert sum(g['people'] for g in got['identification']['galleries'][0]['groups']) == 4


@pytest.mark.parametrize('flag', ['--part=3/2', '--part=1', '--part=1/2x', '--enroll=0', '--groups=101', '--groups=x',
                                  '--repeats=0', '--sizes=x'])
def test_eval_refuses_in_one_line(tmp_path, flag):
    got = run(tmp_path, 'eval', label(tmp_path / 'people', 3, 3), flag, code=2)
    assert flag in got.stderr and got.stderr.count('\n') == 1


def test_another_build_of_a_plugin_ignores_the_cache(tmp_path):
    folder, plugin = label(tmp_path / 'people', 2, 2), tmp_path / 'mine.so'
    shutil.copy(BUILD / 'plugins/example.so', plugin)

    def cached():
        return json.loads(run(tmp_path, 'eval', folder, '--json', f'--recognizer={plugin}').stdout)['cached']
    assert [cached(), cached()] == [0, 4]
    os.utime(plugin, ns=(0, plugin.stat().st_mtime_ns + 1))
    assert cached() == 0


def test_a_pairs_file_in_lfws_format(tmp_path):
    folder = label(tmp_path / 'people', 4, 3)
    pairs = tmp_path / 'pairs.txt'
    lines = [f'Person_{n}\t1\t2' for n in range(4)] + [f'Person_{n}\t1\tPerson_{(n + 1) % 4}\t3' for n in range(4)]
    pairs.write_text('1\t4\n' + '\n'.join(lines) + '\n')
    got = run(tmp_path, 'eval', folder, '--pairs', pairs, '--sizes', '2')
    assert '4 pairs of the same, 4 of different people' in got.stdout
    pairs.write_text('1\t4\n' + lines[0] + '\nNobody\t1\t2\n')
    assert 'no verification' in run(tmp_path, 'eval', folder, '--pairs', pairs).stderr
    pairs.write_text('one two three four five six\n')
    assert 'pairs.txt' in run(tmp_path, 'eval', folder, '--pairs', pairs, code=2).stderr
    assert 'none.txt' in run(tmp_path, 'eval', folder, '--pairs', tmp_path / 'none.txt', code=2).stderr


def test_a_folder_of_one_person(tmp_path):
    folder = label(tmp_path / 'people', 1, 3)
    got = run(tmp_path, 'eval', folder)
    assert '3 photos of 1 people' in got.stdout
    assert 'no verification: it takes two photos of one person and photos of two people' in got.stderr
    assert 'no gallery of 50: 1 people have more than 2 photos' in got.stderr


def test_empty_folders_and_photos_without_a_face(tmp_path):
    folder = label(tmp_path / 'people', 3, 3)
    (folder / 'Empty').mkdir()
    (folder / 'Text').mkdir()
    (folder / 'Text/note.jpg').write_text('no photo')
    (folder / 'Nobody').mkdir()
    (folder / 'Nobody/grey.png').write_bytes(png(128, 128, 128))
    (folder / 'stray.png').write_bytes(png(9, 9, 9))
    got = json.loads(run(tmp_path, 'eval', folder, '--sizes', '2', '--json').stdout)
    assert got['photos'] == 11 and got['unreadable'] == 1
    assert [n['photo'] for n in got['not_found'] if 'note.jpg' in n['photo']]
    (tmp_path / 'bare/Empty').mkdir(parents=True)
    assert 'no photo' in run(tmp_path, 'eval', tmp_path / 'bare', code=2).stderr
    assert 'none' in run(tmp_path, 'eval', tmp_path / 'none', code=2).stderr
    (tmp_path / 'texts/Text').mkdir(parents=True)
    (tmp_path / 'texts/Text/note.jpg').write_text('no photo')
    assert 'nothing to measure' in run(tmp_path, 'eval', tmp_path / 'texts', code=1).stderr


@pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='a measurement of sanitizers')
def test_bench_measures_every_stage(tmp_path):
    (tmp_path / 'photos').mkdir()
    for n, colour in enumerate(COLOURS):
        (tmp_path / f'photos/{n}.png').write_bytes(png(*colour))
    got = json.loads(run(tmp_path, 'bench', 'photos', '--seconds=1', '--templates=1000', '--json').stdout)
    assert got['photos'] == 8
    for row in got['recognition']:
        assert row['pictures'] > 0 and row['unreadable'] == 0 and row['per_s'] > 0 and row['cpu_ms'] > 0
        assert row['decode_ms'] > 0
    assert [r['templates'] for r in got['search']] == [1000]
    assert got['search'][0]['one_ms'] > 0 and got['decision']['ms'] > 0
    assert got['accept']['one_path_per_s'] > 0 and got['accept']['thousand_paths_per_s'] > 0
    assert os.listdir(tmp_path / 'data') == []  # the kith that was measured left nothing behind
    # A plug-in named by a path from here: the kith that is measured runs elsewhere.
    (tmp_path / 'mine.so').write_bytes((BUILD / 'plugins/example.so').read_bytes())
    assert json.loads(run(tmp_path, 'bench', '--recognizer=./mine.so', '--only=accept', '--seconds=1', '--json').stdout)
    text = run(tmp_path, 'bench', 'photos', '--seconds=1', '--only=photos').stdout
    assert 'decode' in text and 'pictures a second' in text and 'search' not in text


@pytest.mark.parametrize('arguments, words', [(['none.jpg'], 'none.jpg'), (['--only=x'], '--only=x'),
                                              (['--seconds=0'], '--seconds=0'), (['--templates=1'], '--templates=1')])
def test_bench_refuses_in_one_line(tmp_path, arguments, words):
    got = run(tmp_path, 'bench', *arguments, code=2)
    assert words in got.stderr and got.stderr.count('\n') == 1
