"""Kiths for tests, which must end cleanly and without a sanitizer's complaint."""
import pytest
from harness import Kith


@pytest.fixture
def make(tmp_path):
    """Makes kiths that are stopped when the test ends, and whose end must be clean."""
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
