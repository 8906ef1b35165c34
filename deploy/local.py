#!/usr/bin/env python3
"""A deployment of processes instead of pods, for trials and for the guide (deploy/README.md).

    deploy/local.py database [PORT]                   a MariaDB with a user kith and the database kube
    deploy/local.py bus [PORT]                        a NATS server
    deploy/local.py kith NAME ROLES [SETTING=VALUE …] a node; waits until it is ready (or alive, with --alive)
    deploy/local.py logs [NAME]                       its log, or all logs
    deploy/local.py stop NAME | kill NAME             by SIGTERM; by SIGKILL
    deploy/local.py down                              stops everything and removes its records

Passwords and keys come from the folder that deploy/secrets.sh fills. All files are in ./local (LOCAL_FOLDER).
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

FOLDER = pathlib.Path(os.environ.get('LOCAL_FOLDER', 'local')).resolve()
SECRETS = pathlib.Path(os.environ.get('LOCAL_SECRETS', 'secrets')).resolve()
PROGRAM = os.environ.get('LOCAL_PROGRAM', str(pathlib.Path(__file__).resolve().parents[1] / 'build/release/kith'))
PATIENCE_S = 60


def load():
    file = FOLDER / 'state.json'
    return json.loads(file.read_text()) if file.exists() else {}


def save(state):
    (FOLDER / 'state.json').write_text(json.dumps(state, indent=1))


def alive(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')')[1].split()[0] != 'Z'


def launch(name, command, **more):
    """Starts a process that outlives this one; its output goes to a log file."""
    state = load()
    if name in state and alive(state[name]['pid']):
        sys.exit(f'local: {name} runs already; deploy/local.py stop {name}')
    with open(FOLDER / f'{name}.log', 'ab') as log:
        process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   start_new_session=True, **more)
    state[name] = {'pid': process.pid}
    save(state)
    return process


def until(what, condition, process, name):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            text = (FOLDER / f'{name}.log').read_text(errors='replace')
            sys.exit(f'local: {name} is not {what}:\n{text[-1500:]}')
        time.sleep(0.05)


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def sql(text):
    return subprocess.run(['mariadb', '--no-defaults', '-uroot', '-S', socket_path(), '-e', text],
                          capture_output=True).returncode == 0


def socket_path():
    return f'/tmp/kith-local-{FOLDER.stat().st_ino}.sock'  # a socket's name may only be so long


def database(port=3306):
    data, user = FOLDER / 'database', subprocess.run(['id', '-un'], capture_output=True, text=True).stdout.strip()
    if not data.exists():
        subprocess.run(['mariadb-install-db', '--no-defaults', f'--datadir={data}', '--skip-test-db', f'--user={user}',
                        '--auth-root-authentication-method=normal'], check=True, capture_output=True)
    process = launch('database', ['mariadbd', '--no-defaults', f'--user={user}', f'--datadir={data}', '--bind-address=127.0.0.1',
                                  f'--socket={socket_path()}', f'--port={port}', '--innodb-flush-log-at-trx-commit=1'])
    until('up', lambda: sql('SELECT 1'), process, 'database')
    password = (SECRETS / 'database-password').read_text()
    sql(f"CREATE DATABASE IF NOT EXISTS kube; CREATE OR REPLACE USER kith@'127.0.0.1' IDENTIFIED BY '{password}'; "
        "GRANT ALL ON kube.* TO kith@'127.0.0.1'")
    print(f'database: mariadb://kith@127.0.0.1:{port}/kube')


def bus(port=4222):
    process = launch('bus', ['nats-server', '-js', '-a', '127.0.0.1', '-p', str(port), '-sd', FOLDER / 'bus'])
    until('up', lambda: answers(int(port)), process, 'bus')
    print(f'bus: nats://127.0.0.1:{port}')


def ready(address, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(f'http://{address}{path}', timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


def kith(name, roles, *settings):
    ask = '/healthz' if '--alive' in settings else '/readyz'
    given = dict(s.split('=', 1) for s in settings if not s.startswith('--'))
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith('KITH_')},
                   'KITH_NODE': name, 'KITH_ROLES': roles, 'KITH_DATA': str(FOLDER / name), 'KITH_SPOOL': str(FOLDER / 'spool'),
                   'KITH_DATABASE_PASSWORD_FILE': str(SECRETS / 'database-password'),
                   'KITH_API_KEYS_FILE': str(SECRETS / 'api-keys'), 'KITH_API_LISTEN': '127.0.0.1:0',
                   'KITH_DASHBOARD_LISTEN': '', 'KITH_WORKERS': '1', **given}
    log, begun = FOLDER / f'{name}.log', time.monotonic()
    before = log.stat().st_size if log.exists() else 0
    process = launch(name, [PROGRAM, 'serve'], env=environment)

    def address():
        text = log.read_bytes()[before:].decode(errors='replace')
        return text.split(' serving ')[1].split('api=')[1].split()[0] if ' serving ' in text else ''
    until('serving', address, process, name)
    until('ready', lambda: ready(address(), ask), process, name)
    print(f'{name}: http://{address()} {roles} ({"alive" if "--alive" in settings else "ready"} after '
          f'{time.monotonic() - begun:.1f} s)')


def logs(name=None):
    for file in [FOLDER / f'{name}.log'] if name else sorted(FOLDER.glob('*.log')):
        if file.stem in ('database', 'bus') and not name:
            continue
        for line in file.read_text(errors='replace').splitlines():
            print(f'{file.stem}: {line}' if not name else line)


def stop(name, how=signal.SIGTERM):
    state = load()
    pid = state.pop(name, {}).get('pid')
    if pid and alive(pid):
        os.kill(pid, how)
        deadline = time.monotonic() + PATIENCE_S
        while alive(pid) and time.monotonic() < deadline:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            time.sleep(0.02)
        if alive(pid):
            sys.exit(f'local: {name} (process {pid}) does not end')
    save(state)


def down():
    for name in sorted(load(), key=lambda n: n in ('database', 'bus')):  # nodes before the servers that they use
        stop(name)
    shutil.rmtree(FOLDER)
    print('down')


def main():
    commands = {'database': database, 'bus': bus, 'kith': kith, 'logs': logs, 'stop': stop, 'down': down,
                'kill': lambda name: stop(name, signal.SIGKILL)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    FOLDER.mkdir(exist_ok=True)
    commands[sys.argv[1]](*sys.argv[2:])


main()
