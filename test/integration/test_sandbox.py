"""A plug-in that tries to leave its sandbox, while it loads and at each picture: what gets through."""
import os
import pathlib
import re

import pytest
from harness import BUILD, until

PLUGINS = BUILD / 'test/plugins'
SANITIZED = bool(os.environ.get('KITH_SANITIZED'))
LOADING, PICTURE = 0, 1
# Landlock does not hide the names and sizes of files; reading is limited to a list (worker_files.c).
WHILE_LOADING = {'stat', 'read'}
# What sanitizer runtimes need for their reports stays allowed in their builds.
AT_A_PICTURE = WHILE_LOADING if SANITIZED else set()


def report(kith, phase, thread):
    """The attempts that got through."""
    text = ''
    for part in range(8):
        number, = kith.submit(kith.picture(f'{phase}{thread}{part}.png', phase, thread, part))
        reason = kith.finished(number)['reason']
        if reason == '-':
            return set(text.split())
        text += reason
    raise AssertionError(text)


@pytest.mark.parametrize('thread', [0, 1])
@pytest.mark.parametrize('phase, allowed', [(LOADING, WHILE_LOADING), (PICTURE, AT_A_PICTURE)])
def test_a_hostile_plugin_stays_in_its_sandbox(make, phase, allowed, thread):
    trace = pathlib.Path('/tmp/kith-was-here')
    trace.unlink(missing_ok=True)
    kith = make(recognizer=PLUGINS / 'hostile.so', workers=1).start()
    through = report(kith, phase, thread)
    assert through <= allowed
    assert 'read' in through or 'read' not in allowed, 'the attempts were not made'
    assert not trace.exists()
    assert kith.get('/healthz').status == 200


def test_the_attempts_get_through_without_a_sandbox(make):
    """So that the test above can fail."""
    kith = make(recognizer=PLUGINS / 'hostile.so', workers=1, isolation='thread').start()
    through = report(kith, PICTURE, 0)
    pathlib.Path('/tmp/kith-was-here').unlink(missing_ok=True)
    assert through >= {'kill', 'tkill', 'tgkill', 'setown', 'setsig', 'async', 'prlimit', 'affinity', 'scheduler', 'fork',
                       'exec', 'mem', 'maps', 'status', 'passwd', 'database', 'images', 'root', 'create', 'write', 'unlink',
                       'stat', 'read', 'inet', 'unix', 'memfd', 'inotify', 'umask'}


def test_the_start_tells_what_limits_the_files(make):
    kith = make().start()
    line = until(lambda: re.search(r'worker ready .*', kith.log()), 'a worker').group()
    assert re.search(r' files=(landlock|namespace|unlimited|"user nobody")$', line), line
