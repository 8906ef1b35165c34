"""Prometheus' and Grafana's files: promtool accepts them, and the metrics exist."""
import json
import re
import shutil
import subprocess

import pytest
from harness import until
from known import DEPLOY

FOLDER = DEPLOY / 'monitoring'
needs_promtool = pytest.mark.skipif(not shutil.which('promtool'), reason='no promtool: test/tools.sh fetches it')


def promtool(*arguments, **more):
    ran = subprocess.run(['promtool', *map(str, arguments)], capture_output=True, text=True, cwd=FOLDER, **more)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(scope='module')
def numbers(tmp_path_factory):
    """The text of /metrics after one image was recognised."""
    from harness import Kith
    kith = Kith(tmp_path_factory.mktemp('kith')).start()
    kith.finished(kith.submit(kith.picture('a.png', 1, 2, 3))[0])
    until(lambda: kith.metric('kith_images_in_flight') == 0)
    text = kith.get('/metrics').text
    kith.stop()
    return text


@needs_promtool
def test_names_follow_the_conventions(numbers):
    assert promtool('check', 'metrics', input=numbers).strip() == ''


@needs_promtool
def test_the_configuration_and_the_rules_are_understood():
    assert 'SUCCESS' in promtool('check', 'config', 'prometheus.yaml')
    rules = (FOLDER / 'alerts.yaml').read_text().count('- alert: ')
    assert rules > 8 and f'{rules} rules found' in promtool('check', 'rules', 'alerts.yaml')


@needs_promtool
def test_alerts_fire_when_they_should():
    assert 'SUCCESS' in promtool('test', 'rules', 'alerts_test.yaml')


def named(text):
    return set(re.findall(r'\bkith_[a-z_]+', text))


@pytest.mark.parametrize('file', ['alerts.yaml', 'dashboard.json'])
def test_every_metric_in_use_exists(numbers, file):
    text = (FOLDER / file).read_text()
    asked = named(' '.join(re.findall(r'expr: (.*)', text)) if file.endswith('yaml') else
                  ' '.join(t['expr'] for p in json.loads(text)['panels'] for t in p.get('targets', [])))
    assert len(asked) > 8 and asked - named(numbers) == set()


def test_a_quantiles_limit_lies_within_the_buckets(numbers):
    """histogram_quantile never returns more than the largest finite bound: an alert above it could not fire."""
    rules = re.findall(r'expr: histogram_quantile\(.*?(\w+_bucket).*> ([\d.]+)$', (FOLDER / 'alerts.yaml').read_text(), re.M)
    assert rules
    for metric, limit in rules:
        bounds = [float(b) for b in re.findall(rf'^{metric}{{le="([\d.]+)"}}', numbers, re.M)]
        assert max(bounds) > float(limit), (metric, bounds)


@needs_promtool
def test_every_query_of_the_dashboard_parses(tmp_path):
    panels = json.loads((FOLDER / 'dashboard.json').read_text())['panels']
    questions = [t['expr'].replace('$instance', '.*') for p in panels for t in p.get('targets', [])]
    rules = {'groups': [{'name': 'dashboard', 'rules': [{'record': f'q{n}', 'expr': q} for n, q in enumerate(questions)]}]}
    (tmp_path / 'rules.yaml').write_text(json.dumps(rules))
    assert f'{len(questions)} rules found' in promtool('check', 'rules', tmp_path / 'rules.yaml')


def test_panels_do_not_overlap():
    taken = set()
    for p in json.loads((FOLDER / 'dashboard.json').read_text())['panels']:
        g = p['gridPos']
        cells = {(x, y) for x in range(g['x'], g['x'] + g['w']) for y in range(g['y'], g['y'] + g['h'])}
        assert not cells & taken and g['x'] + g['w'] <= 24, p['title']
        taken |= cells
