import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'integration'))
from harness import Kith  # noqa: E402


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
        assert 'ERROR: AddressSanitizer' not in kith.log(), kith.log()[-6000:]
        assert 'runtime error:' not in kith.log(), kith.log()[-6000:]


@pytest.fixture
def kith(make):
    return make().start()
