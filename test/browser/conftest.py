import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'integration'))
from harness import Kith  # noqa: E402


@pytest.fixture
def kith(tmp_path):
    kith = Kith(tmp_path).start()
    yield kith
    assert kith.stop() == 0
