"""The units, checked with the tools of systemd, and the notifications of kith."""
import re
import shutil
import socket
import subprocess

import pytest
from harness import BUILD, PATIENCE_S, ROOT
from known import DEPLOY, misspelt

UNITS = sorted((DEPLOY / 'systemd').glob('kith*.*'))
needs_systemd = pytest.mark.skipif(not shutil.which('systemd-analyze'), reason='no systemd-analyze on this machine')


@pytest.fixture
def units(tmp_path):
    """The units as installed, with the program of this build."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace('/usr/bin/kith', str(BUILD / 'kith')))
    return tmp_path


@needs_systemd
def test_the_units_are_understood(units):
    ran = subprocess.run(['systemd-analyze', 'verify', '--man=no', '--recursive-errors=no',
                          *[str(units / u.name) for u in UNITS if u.suffix != '.env']], capture_output=True, text=True)
    said = [line for line in ran.stderr.splitlines() if 'kith' in line]
    assert said == [] and ran.returncode == 0, ran.stderr


@needs_systemd
@pytest.mark.parametrize('unit', ['kith.service', 'kith-retry.service'])
def test_the_units_are_restricted(units, unit):
    ran = subprocess.run(['systemd-analyze', 'security', '--offline=yes', '--threshold=20', str(units / unit)],
                         capture_output=True, text=True)
    if 'unrecognized option' in ran.stderr:
        pytest.skip('this systemd-analyze cannot look at files')
    overall = re.search(r'Overall exposure level for \S+: ([\d.]+)', ran.stdout)
    assert overall and float(overall.group(1)) <= 2.0, ran.stdout[-2000:] + ran.stderr


def test_settings_and_files_that_units_name_exist():
    text = '\n'.join(u.read_text() for u in UNITS)
    assert misspelt(re.findall(r'KITH_[A-Z0-9_]*[A-Z0-9]', re.sub(r'^# KITH_\w+ and some room.*$', '', text, flags=re.M))) == []
    assert (ROOT / 'deploy/systemd/kith.env').exists() and '/etc/kith/kith.env' in text


def test_the_manager_is_notified_of_ready_watchdog_and_stopping(make, tmp_path):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / 'notify'))
    manager.settimeout(PATIENCE_S)
    kith = make()
    kith.variables.update(NOTIFY_SOCKET=str(tmp_path / 'notify'), WATCHDOG_USEC='200000')
    kith.start()
    said = [manager.recv(100).decode() for _ in range(4)]
    assert 'READY=1' in said and said.count('WATCHDOG=1') >= 2
    kith.process.send_signal(19)  # SIGSTOP: a loop that does not turn says nothing
    manager.settimeout(0.05)
    try:
        while True:  # what was said before
            manager.recv(100)
    except TimeoutError:
        pass
    manager.settimeout(0.6)
    with pytest.raises(TimeoutError):
        manager.recv(100)
    kith.process.send_signal(18)
    manager.settimeout(PATIENCE_S)
    assert manager.recv(100) == b'WATCHDOG=1'
    kith.process.terminate()
    while (line := manager.recv(100)) != b'STOPPING=1':
        assert line == b'WATCHDOG=1'
    assert kith.process.wait(PATIENCE_S) == 0


def test_another_process_with_the_variables_of_systemd_does_not_notify(make, tmp_path):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / 'notify'))
    manager.settimeout(PATIENCE_S)
    kith = make()
    kith.variables.update(NOTIFY_SOCKET=str(tmp_path / 'notify'), WATCHDOG_USEC='100000', WATCHDOG_PID='1')
    kith.start()
    assert manager.recv(100) == b'READY=1'
    manager.settimeout(0.4)
    with pytest.raises(TimeoutError):
        manager.recv(100)
