"""How long files are, how many a folder has, and what no file may contain."""
import re

from house.tree import C_FILES, SOURCES

LONGEST, MEDIAN, FOLDER = 500, 200, 12


def check_lengths(tree):
    lengths = []
    for file, text in tree.files(endings=SOURCES):
        lines = text.count('\n')
        lengths.append(lines)
        if lines > LONGEST:
            tree.problem(file, f'{lines} lines; the limit is {LONGEST}')
    if lengths and (median := sorted(lengths)[len(lengths) // 2]) > MEDIAN:
        tree.problem('sources', f'the median is {median} lines; the limit is {MEDIAN}')


def check_folders(tree):
    """A header and its source count once. Programs of tests (test_…, fuzz_…) do not count: each is found by the
    name of what it tests."""
    folders = {}
    for file, _ in tree.files(endings=SOURCES):
        folder, _, name = file.rpartition('/')
        if not name.startswith(('test_', 'fuzz_')):
            folders.setdefault(folder, set()).add(re.sub(r'(_internal)?\.\w+$', '', name))
    for folder, names in folders.items():
        if len(names) > FOLDER:
            tree.problem(folder, f'{len(names)} sources; the limit is {FOLDER}')


def check_contents(tree):
    for file, text in tree.files():
        if len(text.encode()) > 1 << 20:
            tree.problem(file, 'larger than 1 MB')
        if re.search(r'\b(TO' r'DO|FIX' r'ME|X' r'XX)\b', text):
            tree.problem(file, 'something is left to be done')
        if file.startswith('test/') and not file.startswith('test/house') and \
                re.search(r'\b(usleep|sleep)\s*\(|setTimeout', text):
            tree.problem(file, 'a test waits by sleeping')
        if file.endswith(C_FILES) and '\t' in text:
            tree.problem(file, 'a tab')


def check(tree):
    check_lengths(tree)
    check_folders(tree)
    check_contents(tree)
