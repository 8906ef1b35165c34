import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'test/integration'))
sys.path.insert(0, str(ROOT / 'test/cluster'))
os.environ['PATH'] = f'{ROOT}/build/tools/bin:' + os.environ['PATH']
from fixtures import kith, make  # noqa: E402, F401
