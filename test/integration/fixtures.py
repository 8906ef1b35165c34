"""Kith processes for tests. Each must end cleanly, without a report of a sanitizer."""
import pytest
from harness import BUILD, Kith


def needs_plugin(name):
    """Builds with sanitizers and builds with fewer plug-ins (KITH_PLUGINS) do not have it."""
    return pytest.mark.skipif(not (BUILD / f'plugins/{name}.so').exists(), reason=f'this build has no plug-in {name}')


@pytest.fixture
def make(tmp_path):
    """Makes kith processes that are stopped when the test ends and must exit cleanly."""
    made = []

    def maker(**settings):
        kith = Kith(tmp_path, **settings)
        made.append(kith)
        return kith

    yield maker
    for kith in made:
        code = kith.stop()
        assert code in (None, 0, -9, 2), f'exit {code}:\n{kith.log()[-3000:]}'
        for complaint in ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:', 'WARNING: ThreadSanitizer'):
            at = kith.log().find(complaint)
            assert at < 0, kith.log()[at:at + 6000]


@pytest.fixture
def kith(make):
    return make().start()
