"""The manifests: built by kustomize, checked against the schemas of Kubernetes and the settings of the program."""
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from harness import ROOT
from known import DEPLOY, accepts, misspelt, port

OVERLAYS = ['single', 'cluster', 'kind']
VERSIONS = ['1.30', '1.33', '1.37']
pytestmark = pytest.mark.skipif(not shutil.which('kustomize'), reason='no kustomize: test/tools.sh builds it where Go is')


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """Builds every overlay as in the guide: secrets, then kustomize."""
    folder = tmp_path_factory.mktemp('kubernetes')
    shutil.copytree(DEPLOY / 'kubernetes', folder / 'k', ignore=shutil.ignore_patterns('secrets'))
    texts = {}
    for overlay in ('single', 'cluster'):
        subprocess.run([DEPLOY / 'secrets.sh', folder / 'k/overlays' / overlay / 'secrets'], check=True, capture_output=True)
    for overlay in OVERLAYS:
        ran = subprocess.run(['kustomize', 'build', folder / 'k/overlays' / overlay], capture_output=True, text=True)
        assert ran.returncode == 0 and not ran.stderr, ran.stderr
        texts[overlay] = ran.stdout
    return texts


@pytest.fixture(params=OVERLAYS)
def objects(request, built):
    return list(yaml.safe_load_all(built[request.param]))


def pods(objects):
    for o in objects:
        spec = o.get('spec', {})
        spec = spec.get('jobTemplate', {}).get('spec', spec)
        if 'template' in spec:
            yield o, spec['template']


def named(objects, kind, name):
    return next(o for o in objects if o['kind'] == kind and o['metadata']['name'] == name)


def environment(objects, container):
    values = {}
    for source in container.get('envFrom', []):
        values.update(named(objects, 'ConfigMap', source['configMapRef']['name'])['data'])
    values.update({e['name']: e.get('value') for e in container.get('env', [])})
    return {k: 'pod' if v is None else v for k, v in values.items()}


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('overlay', OVERLAYS)
def test_every_object_fits_the_schemas(built, overlay, version, tmp_path):
    (tmp_path / 'all.yaml').write_text(built[overlay])
    ran = subprocess.run([sys.executable, '-m', 'kubernetes_validate', '-k', version, '--strict', tmp_path / 'all.yaml'],
                         env={**os.environ, 'PYTHONPATH': str(ROOT / 'build/tools/python')}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (ran.stdout + ran.stderr).count('passed') == len(list(yaml.safe_load_all(built[overlay])))


def test_every_setting_exists_and_its_value_is_accepted(objects, tmp_path):
    seen = 0
    for _, template in pods(objects):
        for container in template['spec']['containers']:
            values = {k: v for k, v in environment(objects, container).items() if k.startswith('KITH_')}
            assert misspelt(values) == []
            assert accepts(tmp_path, values) == ''
            seen += len(values)
    assert seen > 10


def test_every_port_is_one_the_program_opens(objects):
    for o, template in pods(objects):
        container, = template['spec']['containers']
        if container['image'].split(':')[0] != 'kith' or 'ports' not in container:
            continue
        values = environment(objects, container)
        opened = {port(values['KITH_API_LISTEN']), port(values['KITH_DASHBOARD_LISTEN'])}
        assert {p['containerPort'] for p in container['ports']} == opened
        names = {p['name'] for p in container['ports']}
        for probe in ('startupProbe', 'livenessProbe', 'readinessProbe'):
            assert container[probe]['httpGet']['port'] in names
            assert f'{container[probe]["httpGet"]["path"]}:' in (ROOT / 'proto/openapi.yaml').read_text()


def test_services_reach_pods_and_their_ports(objects):
    templates = [t for _, t in pods(objects)]
    for o in objects:
        if o['kind'] != 'Service':
            continue
        behind = [t for t in templates if o['spec']['selector'].items() <= t['metadata']['labels'].items()]
        assert behind, o['metadata']['name']
        for p in o['spec']['ports']:
            for t in behind:
                assert p['targetPort'] in {c['name'] for c in t['spec']['containers'][0].get('ports', [])}, o


def test_what_is_mounted_exists(objects):
    kinds = {(o['kind'], o['metadata']['name']): o for o in objects}
    for o, template in pods(objects):
        spec = template['spec']
        volumes = {v['name'] for v in spec.get('volumes', [])} | {
            c['metadata']['name'] for c in o['spec'].get('volumeClaimTemplates', [])}
        mounts = [m['name'] for m in spec['containers'][0].get('volumeMounts', [])]
        assert set(mounts) == volumes and len(mounts) == len(volumes), (o['metadata']['name'], mounts, volumes)
        for v in spec.get('volumes', []):
            if 'persistentVolumeClaim' in v:
                assert ('PersistentVolumeClaim', v['persistentVolumeClaim']['claimName']) in kinds
            if 'secret' in v:
                secret = kinds['Secret', v['secret']['secretName']]
                for item in v['secret'].get('items', []):
                    assert item['key'] in secret['data']
                assert v['secret']['defaultMode'] & 0o007 == 0, 'kith refuses a secret that everybody may read'
        for name, value in environment(objects, spec['containers'][0]).items():
            if name.endswith('_FILE'):
                folder, key = value.rsplit('/', 1)
                mount = next(m for m in spec['containers'][0]['volumeMounts'] if m['mountPath'] == folder)
                volume = next(v for v in spec['volumes'] if v['name'] == mount['name'])
                assert key in kinds['Secret', volume['secret']['secretName']]['data'], name


def test_pods_run_unprivileged_and_read_only(objects):
    for o, template in pods(objects):
        pod, container = template['spec']['securityContext'], template['spec']['containers'][0]['securityContext']
        assert pod['runAsNonRoot'] and pod['runAsUser'] > 0 and pod['seccompProfile']['type'] == 'RuntimeDefault'
        assert container['readOnlyRootFilesystem'] and not container['allowPrivilegeEscalation']
        assert container['capabilities']['drop'] == ['ALL']
        assert template['spec']['automountServiceAccountToken'] is False
        assert 'memory' in template['spec']['containers'][0]['resources']['limits'], o['metadata']['name']


def test_the_grace_is_longer_than_the_shutdown(objects):
    for o, template in pods(objects):
        container = template['spec']['containers'][0]
        if container['image'].startswith('kith') and 'lifecycle' in container:
            before = int(container['lifecycle']['preStop']['exec']['command'][1])
            grace = int(environment(objects, container)['KITH_SHUTDOWN_GRACE'].rstrip('s'))
            assert template['spec']['terminationGracePeriodSeconds'] >= before + grace + 5


def test_a_rolling_update_keeps_a_pod_ready(built):
    objects = list(yaml.safe_load_all(built['cluster']))
    deployments = [o for o in objects if o['kind'] == 'Deployment']
    assert {o['metadata']['name'] for o in deployments} == {'receiver', 'processor', 'frontend'}
    for o in deployments:
        assert o['spec']['strategy']['rollingUpdate']['maxUnavailable'] == 0
        budget = named(objects, 'PodDisruptionBudget', o['metadata']['name'])
        assert budget['spec']['selector'] == o['spec']['selector']
    assert named(objects, 'HorizontalPodAutoscaler', 'processor')['spec']['scaleTargetRef']['name'] == 'processor'
    roles = set()
    for o in deployments:
        roles |= set(environment(objects, o['spec']['template']['spec']['containers'][0])['KITH_ROLES'].split(','))
    assert roles == {'receiver', 'processor', 'recognizer', 'frontend'}
    job = named(objects, 'CronJob', 'retry')['spec']['jobTemplate']['spec']['template']['spec']['containers'][0]
    assert job['args'][0] == 'retry'
    service = named(objects, 'Service', 'receiver')
    assert f'http://receiver:{service["spec"]["ports"][0]["port"]}' == environment(objects, job)['KITH_API_URL']


def test_a_misspelt_setting_is_noticed(built, tmp_path):
    """The checks above find a misspelt setting."""
    assert misspelt({'KITH_DATABASE', 'KITH_DATABSE'}) == ['KITH_DATABSE']
    assert 'KITH_DATABSE' in accepts(tmp_path, {'KITH_DATABSE': 'x'})
