"""Containerfile and compose: the steps are those of the scripts, and every name exists."""
import os
import re
import shutil
import subprocess

import pytest
import yaml
from harness import ROOT
from known import DEPLOY, accepts, misspelt, port

RECIPE = (DEPLOY / 'Containerfile').read_text()


def steps():
    joined = re.sub(r'\\\n', ' ', re.sub(r'^\s*#.*$', '', RECIPE, flags=re.M))
    return [line.split(None, 1) for line in joined.splitlines() if line.strip()]


def environment():
    text = ' '.join(rest for word, rest in steps() if word == 'ENV')
    return dict(re.findall(r'(KITH_\w+)=(\S+)', text))


def test_what_it_copies_exists():
    tracked = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True).stdout.split()
    copied = [word for word, rest in steps() if word == 'COPY' and '--from' not in rest for word in rest.split()[:-1]]
    assert len(copied) > 8
    for path in copied:
        assert any(t == path or t.startswith(path + '/') for t in tracked), path
    ignored = (ROOT / '.containerignore').read_text().split()
    assert not set(copied) & set(ignored)


def test_every_file_that_the_build_reads_is_copied():
    """Checks one file of each kind that CMake reads: a missing folder would otherwise be found when the image is built."""
    copied = [word for step, rest in steps() if step == 'COPY' and '--from' not in rest for word in rest.split()[:-1]]
    for file in ('CMakeLists.txt', 'CMakePresets.json', 'plugins/CMakeLists.txt', 'proto/face.proto', 'proto/kith.proto',
                 'web/index.html', 'deploy/debian/package.cmake', 'deploy/mariadb.sql', 'CHANGELOG.md', 'cli/main.c'):
        assert any(file == c or file.startswith(c + '/') for c in copied), file


def test_the_steps_of_the_container_are_those_of_the_scripts():
    runs = [rest for word, rest in steps() if word == 'RUN']
    assert runs[0] == 'deploy/setup.sh build' and 'cmake --preset release' in runs[1] and 'cpack -G DEB' in runs[1]
    assert runs[2] == 'deploy/models.sh /models'
    # nothing is installed by name but through the package, whose dependencies the linker's own list gives
    names = re.search(r'apt-get install -y -qq --no-install-recommends (.*?) &&', ' '.join(runs)).group(1).split()
    assert names == ['/tmp/kith_*.deb', '/tmp/${EXTRA}_*.deb', 'curl', 'ca-certificates']


def test_its_settings_exist_and_its_ports_are_open(tmp_path):
    values = environment()
    assert misspelt(values) == [] and accepts(tmp_path, values) == ''
    exposed = [int(p) for word, rest in steps() if word == 'EXPOSE' for p in rest.split()]
    assert exposed == [port(values['KITH_API_LISTEN']), port(values['KITH_DASHBOARD_LISTEN'])]


def test_the_container_runs_unprivileged():
    user = [rest for word, rest in steps() if word == 'USER']
    assert user == ['10001:10001'] and '--uid 10001' in RECIPE
    assert any(word == 'HEALTHCHECK' and '/healthz' in rest for word, rest in steps())


def compose():
    return yaml.safe_load((DEPLOY / 'compose.yaml').read_text())


def test_compose_names_what_exists(tmp_path):
    file = compose()
    image = environment()
    for name, service in file['services'].items():
        values = {k: v for k, v in service.get('environment', {}).items() if k.startswith('KITH_')}
        assert misspelt(values) == [] and accepts(tmp_path, {**image, **values}) == '', name
        if 'build' in service:
            assert (DEPLOY / service['build']['context'] / service['build']['dockerfile']).exists()
            assert service['read_only'] and service['cap_drop'] == ['ALL'] and service['user'] == '10001:10001'
            grace, stop = int(values['KITH_SHUTDOWN_GRACE'][:-1]), int(service['stop_grace_period'][:-1])
            assert stop >= grace + 5
            for mapping in service.get('ports', []):
                assert int(mapping.split(':')[1]) in (8000, 8081)
        for secret in service.get('secrets', []):
            assert secret in file['secrets']
        for key, value in service.get('environment', {}).items():
            if key.endswith('_FILE'):
                assert value.rsplit('/', 1)[1] in service['secrets'], (name, key)
        for other in service.get('depends_on', {}):
            assert other in file['services']
        for volume in service.get('volumes', []):
            source = volume.split(':')[0]
            assert source.startswith('..') or source in file['volumes'], volume
    assert [n for n, s in file['services'].items() if 'profiles' not in s] == ['kith']


def test_compose_has_a_cluster():
    cluster = {n: s for n, s in compose()['services'].items() if s.get('profiles') == ['cluster']}
    roles = [s['environment']['KITH_ROLES'] for s in cluster.values() if 'KITH_ROLES' in s.get('environment', {})]
    assert sorted(roles) == ['frontend', 'processor,recognizer', 'receiver'] and {'mariadb', 'nats'} < set(cluster)


def test_the_secrets_are_made_once_and_other_users_cannot_read_them(tmp_path):
    def make():
        subprocess.run([DEPLOY / 'secrets.sh', tmp_path / 's'], check=True, capture_output=True)
        return {p.name: p.read_text() for p in (tmp_path / 's').iterdir()}
    first = make()
    assert first == make(), 'what is there stays'
    assert set(first) == {f.rsplit('/')[-1] for f in (s['file'] for s in compose()['secrets'].values())} | {'api-key'}
    assert all(p.stat().st_mode & 0o007 == 0 for p in (tmp_path / 's').iterdir())
    assert first['api-key'] not in first['api-keys']


def test_the_made_key_is_accepted(make, tmp_path):
    subprocess.run([DEPLOY / 'secrets.sh', tmp_path / 's'], check=True, capture_output=True)
    kith = make(api_keys_file=tmp_path / 's/api-keys').start()
    key = (tmp_path / 's/api-key').read_text()
    assert kith.get('/v1/people', authorization=f'Bearer {key}').status == 200
    assert kith.get('/v1/people', authorization=f'Bearer {key}x').status == 401


@pytest.mark.skipif(not shutil.which('buildah') or not os.environ.get('KITH_BASE_IMAGE'),
                    reason='no buildah, or no base image (KITH_BASE_IMAGE) on this machine')
def test_it_builds():
    subprocess.run(['buildah', 'build', '-q', '--isolation', 'chroot', '--build-arg', f'BASE={os.environ["KITH_BASE_IMAGE"]}',
                    '-f', DEPLOY / 'Containerfile', '-t', 'kith-test', ROOT], check=True)
    images = subprocess.run(['buildah', 'images', '--format', '{{.Size}}', 'kith-test'], capture_output=True, text=True)
    print('the image:', images.stdout.strip())
    assert 'MB' in images.stdout and float(images.stdout.split()[0]) < 400
