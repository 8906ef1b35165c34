"""Starting and stopping: settings, ports, models that are missing, a second process."""
import os
import re
import socket
import subprocess

import pytest
from fixtures import needs_plugin
from harness import BUILD, ROOT, Kith, refused, until


@pytest.mark.parametrize('settings, words', [
    ({'lease': 'soon'}, ['KITH_LEASE']),
    ({'lease': '30 parsecs'}, ['KITH_LEASE']),
    ({'workers': '-1'}, ['KITH_WORKERS']),
    ({'max_body': '99GB'}, ['KITH_MAX_BODY']),
    ({'isolation': 'magic'}, ['KITH_ISOLATION', 'process']),
    ({'colour': 'red'}, ['KITH_COLOUR']),
    ({'recognizer': 'nobody'}, ['KITH_RECOGNIZER', 'nobody']),
    ({'recognizer': '/no/such.so'}, ['KITH_RECOGNIZER']),
    ({'known_people': '/no/such/folder'}, ['KITH_KNOWN_PEOPLE']),
    ({'database': 'mysql://u@h:3306/d'}, ['KITH_DATABASE', 'mariadb://']),
    ({'node': 'a b'}, ['KITH_NODE']),
    ({'api_listen': '0.0.0.0:0'}, ['KITH_API_LISTEN', 'KITH_AUTH']),
    ({'api_listen': 'nonsense'}, ['KITH_API_LISTEN']),
    ({'nats': 'nats://localhost'}, ['KITH_NATS', 'KITH_DATABASE']),
    ({'nats': 'nats://me:hidden@localhost', 'database': 'mariadb://u@h/d'}, ['KITH_NATS_USER']),
    ({'breaker_timeout': '10m'}, ['KITH_BREAKER_TIMEOUT']),
    ({'data': '/proc/nowhere'}, ['KITH_DATA']),
])
def test_a_wrong_setting_is_one_line_and_exit_2(tmp_path, settings, words):
    refused(Kith(tmp_path, **settings), *words)


def test_unknown_flags_and_commands(tmp_path):
    kith = Kith(tmp_path)
    assert kith.run('serve', '--no-such-thing=1').returncode == 2
    assert kith.run('dance').returncode == 2
    assert 'kith help' in kith.run('dance').stderr
    assert kith.run('worker').returncode == 2


def test_variables_that_kubernetes_sets_are_ignored(make, monkeypatch):
    monkeypatch.setenv('KITH_SERVICE_HOST', '10.0.0.1')
    kith = make()
    environment = {**kith.environment(), 'KITH_SERVICE_HOST': '10.0.0.1', 'KITH_PORT_8000_TCP': 'tcp://10.0.0.1:8000'}
    ran = subprocess.run([BUILD / 'kith', 'config'], env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


def test_a_port_in_use(tmp_path):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        address = f'127.0.0.1:{s.getsockname()[1]}'
        refused(Kith(tmp_path, api_listen=address), 'KITH_API_LISTEN', address)
        refused(Kith(tmp_path, dashboard_listen=address), 'KITH_DASHBOARD_LISTEN', address)


def test_flags_over_environment_over_dotenv(tmp_path):
    kith = Kith(tmp_path, lease='20s')
    (tmp_path / '.env').write_text('KITH_LEASE=10s\nKITH_TRIES=7\n')
    out = kith.run('config', '--lease=40s').stdout
    assert 'KITH_LEASE=40s  # flag' in out and 'KITH_TRIES=7  # .env' in out
    assert 'KITH_LEASE=20s  # environment' in kith.run('config').stdout


def test_a_secret_is_masked_and_can_come_from_a_file(tmp_path):
    secret = tmp_path / 'password'
    secret.write_text('hunter2\n')
    secret.chmod(0o600)
    out = Kith(tmp_path, database_password_file=secret).run('config').stdout
    assert 'hunter2' not in out and 'KITH_DATABASE_PASSWORD=********  # file' in out


def test_help_lists_every_setting(tmp_path):
    kith = Kith(tmp_path)
    names = set(re.findall(r'^(KITH_\w+)=', kith.run('help', 'settings').stdout, re.M))
    assert names == set(re.findall(r'^(KITH_\w+)=', kith.run('config').stdout, re.M)) and len(names) > 50
    table = (ROOT / 'core/base/settings/settings_table.h').read_text()
    assert names == {'KITH_' + n.upper() for n in re.findall(r'^SETTING\((\w+)', table, re.M)}


def test_a_second_kith_on_the_same_data_is_refused(kith, tmp_path):
    refused(kith, 'KITH_DATA', 'another kith')


@needs_plugin('lbph')
def test_images_are_accepted_before_the_models_are_loaded(make, tmp_path):
    empty = tmp_path / 'models'
    empty.mkdir()
    kith = make(recognizer='lbph', lbph_cascade='/no/such.xml').start(ready=False)
    kith.picture('a.png', 1, 1, 1)
    assert kith.submit('a.png') == [1]
    assert kith.get('/healthz').status == 200
    until(lambda: 'KITH_LBPH_CASCADE' in kith.get('/readyz').text, 'the reason')
    assert kith.get('/readyz').status == 503
    assert kith.image(1)['attempts'] == 0


def test_stops_on_sigterm_with_work_in_flight(kith):
    kith.submit(*[kith.picture(f'{n}.png', n, 1, 1) for n in range(50)])
    assert kith.stop() == 0
    assert kith.log().rstrip().splitlines()[-1].endswith('code=0')
    kith.start()
    until(lambda: kith.get('/v1/stats').json['unknown'] == 50, 'the rest to be done')


def test_the_log_can_be_json(make):
    import json
    kith = make(log_format='json')
    kith.launch()
    until(lambda: '"serving"' in kith.log(), 'the first line')
    for line in kith.log().splitlines():
        json.loads(line)


def test_every_step_of_an_image_is_a_line(kith):
    number, = kith.submit(kith.picture('a.png', 1, 1, 1))
    kith.finished(number)
    kith.submit('gone.jpg')
    until(lambda: ' failed ' in kith.log())
    for step in ('accepted', 'claimed', 'recognised', 'finished'):
        assert re.search(rf' {step} .*image={number}\b', kith.log()), step
    assert re.search(r' failed .*image=2 .*reason="no such file"', kith.log())


def test_idle_memory_of_the_parent(kith):
    status = open(f'/proc/{kith.process.pid}/status').read()
    resident = int(re.search(r'VmRSS:\s+(\d+) kB', status).group(1))
    assert resident < (60 if not os.environ.get('KITH_SANITIZED') else 1000) * 1024
