#!/usr/bin/env python3
"""Mutation run: every mistake of test/mutations must make one of its tests fail.

    test/mutate.py                  all of them, in a copy of the tree (about ten minutes on two cores)
    test/mutate.py WORD…            those with one of the words in their name
    test/mutate.py --check [TREE]   only whether each pattern still matches (in the test suite)

The copy and its build stay in build/mutate, so that the next run builds little.
"""
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
COPY = ROOT / 'build/mutate'
TREE, BUILD = COPY / 'tree', COPY / 'build'
TEST_S = 300


def load():
    found = []
    for file in sorted((ROOT / 'test/mutations').glob('*.toml')):
        found += tomllib.loads(file.read_text())['mutation']
    return found


def occurrences(mutation, tree):
    """{file: its text with the mistake}, and how often the pattern matches."""
    changed, count = {}, 0
    for pattern in mutation['files']:
        for file in tree.glob(pattern):
            text, n = re.subn(mutation['find'], mutation['replace'], file.read_text())
            count += n
            if n:
                changed[file] = text
    return changed, count


def check(mutations, tree):
    wrong = [f"{m['name']}: matches {n} times, not {m.get('count', 1)}" for m in mutations
             for n in [occurrences(m, tree)[1]] if n != m.get('count', 1)]
    wrong += [f"{m['name']}: there is no file test/{t}" for m in mutations for t in m['tests']
              if '.py' in t and not (tree / 'test' / t.partition('::')[0]).is_file()]
    for line in wrong:
        print(f'mutate: {line}', file=sys.stderr)
    return 1 if wrong else 0


# --- the copy ---

def run(*command, seconds=1800, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, **more)


def copy_tree():
    """The tracked and new files; unchanged ones keep their times, so that little is built."""
    listed = run('git', 'ls-files', '-co', '--exclude-standard', cwd=ROOT).stdout.split('\n')
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    for old in TREE.rglob('*'):
        if old.is_file() and str(old.relative_to(TREE)) not in wanted:
            old.unlink()
    for name in wanted:
        to = TREE / name
        data = (ROOT / name).read_bytes()
        if not to.exists() or to.read_bytes() != data:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(data)
            shutil.copymode(ROOT / name, to)


def configure():
    made = run('cmake', '-S', TREE, '-B', BUILD, '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Debug', '-DKITH_PLUGINS=')
    if made.returncode:
        sys.exit(f'mutate: cmake failed:\n{made.stdout[-3000:]}')


def names_of_tests():
    return re.findall(r'^ *Test +#\d+: (\S+)$', run('ctest', '-N', cwd=BUILD).stdout, re.M)


# --- one mutation ---

def expand(mutation, known):
    """The tests of a mutation: names of ctest, without those of MariaDB unless asked for, and files of pytest."""
    found = []
    for pattern in mutation['tests']:
        if '.py' in pattern:
            found.append(pattern)
        else:
            found += [n for n in fnmatch.filter(known, pattern)
                      if n.endswith('.mariadb') == bool(mutation.get('mariadb'))]
    return found


def targets(tests):
    """What the tests need to be built."""
    needed = set()
    for test in tests:
        if '.py' in test:
            needed |= {'kith', 'example', 'fault_shim', 'failing_disk'}
        else:
            needed.add('test_' + test.split('.')[1])
    return sorted(needed)


def run_group(*command, **more):
    """The exit status. A test that is ended at its time limit leaves no server behind."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True, **more)
    try:
        return process.wait(TEST_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def test_fails(test):
    try:
        if '.py' not in test:
            return run('ctest', '-R', f'^{re.escape(test)}$', cwd=BUILD, seconds=TEST_S).returncode != 0
        folder, file = test.split('/', 1)
        environment = {**os.environ, 'KITH_BUILD': str(BUILD), 'KITH_PATIENCE': '20', 'PYTHONDONTWRITEBYTECODE': '1'}
        return run_group('/usr/bin/python3', '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', file,
                         cwd=TREE / 'test' / folder, env=environment) != 0
    except subprocess.TimeoutExpired:
        return True


def first_failure(tests):
    """The first test that fails, or None."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return next((test for test, fails in zip(tests, pool.map(test_fails, tests)) if fails), None)


def build(tests):
    return run('cmake', '--build', BUILD, '--target', *targets(tests))


def try_mutation(mutation, known):
    """What became of it: (noticed, in words)."""
    tests = expand(mutation, known)
    if not tests:
        return False, 'none of its tests exists'
    changed, _ = occurrences(mutation, TREE)
    before = {file: file.read_text() for file in changed}
    try:
        for file, text in changed.items():
            file.write_text(text)
        made = build(tests)
        if made.returncode:
            return False, f'does not build:\n{made.stdout[-1500:]}'
        failed = first_failure(tests)
        return bool(failed), f'noticed by {failed}' if failed else f'SURVIVED {", ".join(tests)}'
    finally:
        for file, text in before.items():
            file.write_text(text)


def baseline(mutations, known):
    """Without a mistake each test must pass, else it notices nothing."""
    tests = sorted({t for m in mutations for t in expand(m, known)})
    made = build(tests)
    if made.returncode:
        sys.exit(f'mutate: does not build:\n{made.stdout[-3000:]}')
    broken = [t for t in tests if test_fails(t)]
    if broken:
        sys.exit(f'mutate: these tests fail without a mistake: {", ".join(broken)}')


def main():
    mutations = load()
    if '--check' in sys.argv:
        tree = sys.argv[sys.argv.index('--check') + 1:]
        sys.exit(check(mutations, pathlib.Path(tree[0]) if tree else ROOT))
    words = sys.argv[1:]
    mutations = [m for m in mutations if not words or any(w in m['name'] for w in words)]
    if not shutil.which('mariadbd') and not pathlib.Path('/usr/sbin/mariadbd').exists():
        mutations = [m for m in mutations if not m.get('mariadb')]
    if check(mutations, ROOT):
        sys.exit(1)
    copy_tree()
    configure()
    known = names_of_tests()
    baseline(mutations, known)
    survived = 0
    for mutation in mutations:
        noticed, words = try_mutation(mutation, known)
        survived += not noticed
        print(f"{mutation['name']}: {words}", flush=True)
    print(f'{len(mutations) - survived} of {len(mutations)} noticed')
    sys.exit(1 if survived else 0)


if __name__ == '__main__':
    main()
