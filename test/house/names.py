"""Static functions carry the name of their module; words that were given up do not come back."""
import os
import re

from house.tree import lines_with, without_comments

# Static functions without the name of their module: no new one may come.
UNNAMED = 0

# Words that were given up, each with the one that is used instead.
BANNED = {
    r'redeem\w*': 'retry, janitor',
    r'\w*doorkeeper\w*|\w*keyring\w*': 'auth, api_keys',
    r'(on|is|answer|claimed|kith)_hints?|hints_\w+|MSG_HINT\w*': 'work item, work queue',
    r'flights?(?!-)(?<!in flight)|\w*_?FLIGHTS?_\w*|take_off|land(ed|s)?': 'job, start, finish',
    r'shelf|likeness_\w+': 'template set, score normalisation',
    r'strangers?|\w*_strangers?|strangers?_\w*': 'unknown person',
    r'cluster_link|cluster_say|say_presence|once a beat|how it fares': 'transport, broadcast, heartbeat',
    r'\w*hand_rows?|\w*hand_photos?|HAND_PHOTOS|\w*HAND_(PHOTOS|ROWS)\w*': 'legacy row, unmatched photo row',
    r'guest|DB_GUEST': 'second process',
    r'tally|tallies|\w+_tally|TALLY\w*': 'status counts',
    r'put_back|puts? back': 'requeue',
    r'namesakes?': 'duplicate node name',
    r'door|doors|open_door|\w+_door': 'auth',
    r'DECIDED_BY_CAREFUL': 'fallback threshold',
    r'somebody|whoever': 'the thing or the person meant, by its name',
    r'tells? the truth|speaks? for': 'the fact itself',
    r'KITH_(FALSE_NAME_RATE|NETWORK|CASCADE|MIRROR|POLL|SWEEP|MAILBOX|HEARTBEAT|NODE_BEAT|PLUGIN_NETWORK)':
        'the setting of today (kith help settings)',
    r'kith_(images_repeated_total|image_seconds|cluster_unknown_total|gallery_bytes|hints_\w+)': 'the metric of today',
}
WORDS = re.compile('|'.join(rf'(?P<w{i}>\b(?:{pattern})\b)' for i, pattern in enumerate(BANNED)), re.I)
STATIC = re.compile(r'^(?:[A-Z0-9_]+ )*static\s+(?!const\s+struct\s+\w+\s+\w+\s*=)[\w\s*]*?\b(\w+)\(', re.M)


def prefixes(file, text):
    """What a static function of `file` may begin with: the file's name or a part of it, the folder's, a type of its
    own."""
    stem, folder = os.path.splitext(os.path.basename(file))[0], os.path.basename(os.path.dirname(file))
    parts = stem.split('_')
    names = {stem, folder, *('_'.join(parts[i:]) for i in range(len(parts))), parts[0]}
    names |= set(re.findall(r'^(?:struct|enum|union) (\w+) \{', text, re.M))
    names |= {name[:-1] for name in names if name.endswith('s')} | {re.sub('ies$', 'y', name) for name in names}
    return tuple(f'{name}_' for name in names) + tuple(names)


def unnamed(tree):
    found = []
    for file, text in tree.files(r'(actors|core|plugins/host|plugins/worker)/', ('.c',)):
        types = text + tree.text(file[:-2] + '.h') + tree.text(file[:-2] + '_internal.h')
        allowed = prefixes(file, types)
        for match in STATIC.finditer(without_comments(text)):
            name = match.group(1)
            if name not in allowed and not name.startswith(tuple(p for p in allowed if p.endswith('_'))):
                found.append((file, name))
    return found


def check_static_functions(tree):
    found = unnamed(tree)
    if len(found) > UNNAMED:
        for file, name in found:
            tree.problem(file, f'the static function {name} does not carry the name of its module '
                               f'({len(found)} of at most {UNNAMED})')


def check_words(tree):
    for file, text in tree.files():
        if file.startswith('test/house') or file == 'LICENSE':
            continue
        for number, match in lines_with(text, WORDS):
            better = list(BANNED.values())[int(match.lastgroup[1:])]
            tree.problem(f'{file}:{number}', f'“{match.group(0)}” was given up: {better}')


SILENT_END = re.compile(r'^\s+abort\(\);', re.M)


def check_ends(tree):
    """The program ends with a line that says why."""
    for file, text in tree.files(r'(actors|core|cli|plugins)/', ('.c', '.h')):
        if file not in ('core/base/must.h', 'core/actor/turn.c'):
            for number, _ in lines_with(text, SILENT_END):
                tree.problem(f'{file}:{number}', 'abort() writes no line: must_end or out_of_memory (core/base/must.h)')
        if '#include <uthash.h>' in text and '#include "core/base/must.h"' not in text:
            tree.problem(file, 'uthash.h needs core/base/must.h before it, which defines uthash_fatal')


def check(tree):
    check_static_functions(tree)
    check_ends(tree)
    check_words(tree)
