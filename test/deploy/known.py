"""The settings of the program, and the ports that it opens with the settings of a deployment."""
import re
import subprocess

from harness import BUILD, ROOT

DEPLOY = ROOT / 'deploy'


def settings():
    """Names of the settings, secrets with their …_FILE."""
    table = (ROOT / 'core/base/settings/settings_table.h').read_text()
    rows = re.findall(r'SETTING\(\s*(\w+), (\w+)', table)
    return {f'KITH_{name.upper()}' for name, _ in rows} | {f'KITH_{name.upper()}_FILE' for name, kind in rows
                                                           if kind == 'secret'}


def misspelt(names):
    return sorted(set(names) - settings())


def port(address):
    return int(address.rsplit(':', 1)[1])


def accepts(tmp_path, values):
    """Whether `kith config` takes these values; its error otherwise."""
    plain = {k: v for k, v in values.items() if not k.endswith('_FILE')}
    ran = subprocess.run([BUILD / 'kith', 'config'], env=plain, cwd=tmp_path, capture_output=True, text=True)
    return '' if ran.returncode == 0 else ran.stderr
