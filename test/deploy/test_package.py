"""The Debian packages: their files, a start from the installed place, a complete removal."""
import os
import shutil
import subprocess

import pytest
from harness import BUILD, ROOT, Kith

CLEAN = {k: v for k, v in os.environ.items() if not k.startswith('KITH_')}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='dpkg --root needs root')


@pytest.fixture(scope='module')
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp('packages')
    subprocess.run(['cpack', '-G', 'DEB', '--config', BUILD / 'CPackConfig.cmake', '-B', folder], check=True,
                   capture_output=True)
    return {p.name.split('_')[0]: p for p in folder.glob('*.deb')}


def dpkg(root, *arguments):
    ran = subprocess.run(['dpkg', f'--root={root}', '--force-depends', '--force-script-chrootless',
                          *map(str, arguments)],
                         capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def root(tmp_path, packages):
    root = tmp_path / 'root'
    for part in ('info', 'updates', 'triggers'):
        (root / 'var/lib/dpkg' / part).mkdir(parents=True)
    for file in ('status', 'available'):
        (root / 'var/lib/dpkg' / file).touch()
    dpkg(root, '-i', *packages.values())
    return root


def test_every_dependency_is_installable(packages):
    ran = subprocess.run(['apt-get', 'install', '--simulate', '-qq', '--no-install-recommends', packages['kith'],
                          packages['kith-lbph']],
                         capture_output=True, text=True)
    assert ran.returncode == 0 and 'Inst kith ' in ran.stdout, ran.stderr
    depends = subprocess.run(['dpkg-deb', '-f', packages['kith'], 'Depends'], capture_output=True, text=True).stdout
    for library in ('libh2o', 'libuv1', 'libnats', 'libmariadb3', 'libdlib', 'libgrpc', 'libutf8proc', 'openblas'):
        assert library in depends, library
    assert 'opencv' not in depends, 'OpenCV and all it brings comes with kith-lbph only'


def test_it_runs_from_where_it_is_installed(root, tmp_path):
    kith = root / 'usr/bin/kith'
    assert subprocess.run([kith, 'version'], capture_output=True, text=True).stdout.startswith('kith ')
    installed = Kith(tmp_path / 'run', models='/nowhere')
    installed.process = subprocess.Popen([kith, 'serve'], cwd=installed.folder, env=installed.environment(),
                                         stdout=subprocess.DEVNULL, stderr=open(installed.log_path, 'ab'))
    installed.start_serving()  # with the example plug-in, which it found beside itself
    number, = installed.submit(installed.picture('a.png', 1, 2, 3))
    assert installed.finished(number)['verdict'] == 'unknown'
    assert installed.stop() == 0
    for plugin in ('dlib', 'lbph', 'grpc'):
        assert (root / f'usr/lib/kith/{plugin}.so').exists()


def test_the_files_of_a_package(root):
    for file in ('lib/systemd/system/kith.service', 'share/kith/models.sh', 'share/doc/kith/copyright',
                 'share/bash-completion/completions/kith', 'include/kith/recognizer.h'):
        assert (root / 'usr' / file).exists(), file
    page = subprocess.run(['man', '--warnings', '-l', root / 'usr/share/man/man1/kith.1'], capture_output=True, text=True,
                          env={**os.environ, 'MANWIDTH': '200', 'LC_ALL': 'C.UTF-8', 'MAN_KEEP_STDERR': '1'})
    assert page.returncode == 0 and not page.stderr, page.stderr
    assert 'KITH_API_LISTEN' in page.stdout and 'backup' in page.stdout


def test_the_header_is_all_a_plugin_needs(root, tmp_path):
    source = (ROOT / 'plugins/example/example.c').read_text().replace('"plugins/recognizer.h"', '<kith/recognizer.h>')
    (tmp_path / 'mine.c').write_text(source)
    subprocess.run(['cc', '-shared', '-fPIC', '-fvisibility=hidden', f'-I{root}/usr/include', '-o', tmp_path / 'mine.so',
                    tmp_path / 'mine.c'], check=True)
    ran = subprocess.run([root / 'usr/bin/kith', 'plugin', 'check', tmp_path / 'mine.so'], capture_output=True, text=True,
                         env=CLEAN)
    assert ran.returncode == 0 and 'the plug-in fits' in ran.stdout, ran


def complete(root, *words):
    script = (f'kith() {{ {root}/usr/bin/kith "$@"; }}; . {root}/usr/share/bash-completion/completions/kith; '
              f'compopt() {{ :; }}; COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _kith; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return subprocess.run(['bash', '-c', script], capture_output=True, text=True, env=CLEAN).stdout.split()


def test_completion(root):
    assert complete(root, 'kith', 're') == ['retry'] and complete(root, 'kith', 'look') == ['look-again']
    assert complete(root, 'kith', 'serve', '--api-l') == ['--api-listen=']
    assert len(complete(root, 'kith', "''")) > 8


def test_removing_leaves_nothing_and_keeps_what_was_edited(root):
    (root / 'etc/kith/kith.env').write_text('KITH_LOG_LEVEL=debug\n')
    dpkg(root, '-r', 'kith-lbph', 'kith', 'kith-dev')
    assert (root / 'etc/kith/kith.env').read_text() == 'KITH_LOG_LEVEL=debug\n'
    dpkg(root, '-P', 'kith')
    shutil.rmtree(root / 'var')
    assert [p for p in root.rglob('*') if not p.is_dir()] == []
