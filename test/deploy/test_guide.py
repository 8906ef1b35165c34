"""Runs the commands of the guide (deploy/README.md) in order, in one shell, on a cluster of processes."""
import os
import pathlib
import re
import signal
import subprocess

import pytest
from harness import BUILD, ROOT, free_port

GUIDE = (ROOT / 'deploy/README.md').read_text()



def blocks():
    return re.findall(r'^### (\d+)\. ([^\n]*)\n(.*?)(?=^###? |\Z)', GUIDE, re.M | re.S)


@pytest.fixture
def checkout(tmp_path):
    """A folder with the parts of the checkout that the guide uses."""
    for name in ('deploy', 'samples', 'models'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'build').mkdir()
    (tmp_path / 'build/release').symlink_to(BUILD)
    yield tmp_path
    state = tmp_path / 'local/state.json'
    if state.exists():  # the guide failed: end its processes
        for pid in re.findall(r'"pid": (\d+)', state.read_text()):
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass


def test_the_commands_of_the_guide(checkout):
    ports = {p: str(free_port()) for p in ('8000', '8002', '8081', '3306', '4222')}
    script = ['set -eu']
    for number, title, text in blocks():
        code = '\n'.join(re.findall(r'^```sh\n(.*?)^```', text, re.M | re.S))
        for port, free in ports.items():
            code = re.sub(rf'(127\.0\.0\.1:|database |bus |-P ){port}\b', rf'\g<1>{free}', code)
        script += [f'echo "== {number}"', code]
    clean = {k: v for k, v in os.environ.items() if not k.startswith('KITH_')}
    # A process group of its own: one that hangs is killed with its children.
    process = subprocess.Popen(['bash', '-c', '\n'.join(script)], cwd=checkout, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env={**clean, 'LOCAL_PROGRAM': str(BUILD / 'kith'), 'KITH_MODELS': ''},
                               start_new_session=True)
    try:
        said, _ = process.communicate(timeout=150)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        raise AssertionError(f'it did not end in time:\n{said[-4000:]}')
    logs = '\n'.join(f.read_text(errors='replace')[-1500:] for f in pathlib.Path(checkout, 'local').glob('*.log')
                     if f.stem not in ('database', 'bus')) if (checkout / 'local').exists() else ''
    assert process.returncode == 0, said[-4000:] + logs
    parts = dict(zip(*[iter(re.split(r'^== (\d+)\n', said, flags=re.M)[1:])] * 2))
    assert 'secrets: secrets' in parts['1']
    assert f'database: mariadb://kith@127.0.0.1:{ports["3306"]}/kube' in parts['2']
    assert len(re.findall(r'ready after', parts['4'])) == 3 and 'bus: connected' in parts['4']
    assert 'image saved with id: 1' in parts['5'] and '"name":"Obama"' in parts['5']
    assert all(word in parts['6'] for word in (' claimed ', ' recognised ', ' finished ')), parts['6']
    assert re.search(r'^two ', parts['7'], re.M)
    assert re.search(r'breaker state=open .*reason="the remote recogniser 127.0.0.1:9', parts['8'])
    assert '1 image that failed by “no such file”: would be pending again' in parts['9']
    assert '1 image that failed by “no such file”: pending again' in parts['9']
    assert 'refused' not in parts['10'], parts['10']
    assert re.search(r'^[1-9]', parts['11'], re.M) and parts['11'].rstrip().endswith('down')


def test_the_messages_in_the_guide_exist_in_the_program():
    source = ' '.join(p.read_text(errors='replace') for folder in ('actors', 'cli', 'core', 'plugins')
                      for p in (ROOT / folder).rglob('*.[ch]*'))
    source = re.sub(r'"\s*\n\s*"', '', source)  # texts that go on in the next line
    table = GUIDE[GUIDE.index('## When something is wrong'):]
    said = re.findall(r'^\| `([^`]+)` \|', table, re.M)
    assert len(said) > 10
    for words in said:
        words = words.replace('breaker state=open', '"breaker"')
        assert words in source, f'the program says this nowhere: {words}'


def test_settings_and_links_of_the_guide_exist():
    from known import misspelt
    assert misspelt(set(re.findall(r'\bKITH_[A-Z_]+[A-Z]\b', GUIDE))) == []
    for path in re.findall(r'\b(?:deploy|test)/[a-z_./-]*[a-z]', GUIDE):
        base = path.split('/secrets')[0] if path.endswith('secrets') else path
        assert (ROOT / base).exists() or path == 'deploy/secrets', path
    for link in re.findall(r'\]\(#([a-z-]+)\)', re.sub(r'\n', ' ', GUIDE)):
        headings = [re.sub(r'[^a-z0-9 -]', '', h.lower()).replace(' ', '-') for h in re.findall(r'^#+ (.*)$', GUIDE, re.M)]
        assert link in headings, link
