"""h2spec: each requirement of HTTP/2 (RFC 9113) and HPACK (RFC 7541) that a server must meet, on a plain connection and
over TLS."""
import os
import re
import shutil
import subprocess

import pytest
from harness import PATIENCE_S, ROOT, until
from test_tls import ask, files  # noqa: F401

H2SPEC = shutil.which('h2spec', path=f'{ROOT}/build/tools/bin{os.pathsep}{os.environ["PATH"]}')
pytestmark = pytest.mark.skipif(not H2SPEC, reason='no h2spec: test/tools.sh builds it')


@pytest.mark.parametrize('tls', [False, True])
def test_every_requirement_is_met(make, files, tls):
    kith = make(max_connections_per_address=4096, **(files if tls else {})).start(ready=not tls)
    if tls:
        until(lambda: ask(kith, '/readyz').startswith(b'HTTP/1.1 200'), 'kith to be ready')
    host, port = kith.api.rsplit(':', 1)
    command = [H2SPEC, '--strict', '-h', host, '-p', port, '-P', '/healthz', '-o', str(int(PATIENCE_S / 10)),
               *(['-t', '-k'] if tls else [])]
    ran = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r'(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed', ran.stdout)
    assert found, ran.stdout[-2000:] + ran.stderr
    tests, passed, _, failed = map(int, found.groups())
    assert failed == 0 and tests == passed and tests > 140, ran.stdout[ran.stdout.find('Failures:'):]
