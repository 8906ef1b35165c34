"""The rules of the house: who may include whom, how long files are, format, lint, nothing of this machine in them."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LONGEST = 600
ROOMS = ['core/base', 'core/actor', 'core/net', 'core/store', 'plugins/host', 'actors', 'cli']
# What each room may include of the others.
MAY = {
    'core/base': [],
    'core/actor': [],
    'core/net': ['core/base'],
    'core/store': ['core/base', 'core/actor'],
    'plugins/host': ['core/base', 'core/actor', 'core/store', 'plugins/recognizer.h'],
    'actors': ['core/base', 'core/actor', 'core/net', 'core/store', 'plugins/host', 'plugins/recognizer.h'],
    'cli': ['core', 'actors', 'plugins'],
}
# Only here may these libraries' headers be seen.
LIBRARIES = {
    r'h2o|nats': ['core/net/'],
    r'sqlite3|mysql|mariadb': ['core/store/'],
    r'turbojpeg|png|webp': ['plugins/host/', 'test/unit/test_decode.c'],
    r'dlib|opencv2': ['plugins/dlib/', 'plugins/lbph/', 'test/unit/test_frontal.cpp',
                       'test/unit/test_align.cpp'],
    r'seccomp': ['plugins/host/sandbox.c'],
    r'curl': ['cli/client.c', 'cli/bench_accept.c'],
    r'dnnl': ['plugins/dlib/'],
    r'openssl': ['core/base/hash.c', 'core/net/http_tls.c'],
}
problems = []


def problem(where, what):
    problems.append(f'{where}: {what}')


def tracked():
    listed = subprocess.run(['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard'], capture_output=True, text=True,
                            check=True)
    return [f for f in listed.stdout.split('\n') if f and (ROOT / f).is_file()]


def room_of(file):
    return next((r for r in ROOMS if file.startswith(r + '/')), None)


def check_includes(file, text):
    room = room_of(file)
    for number, line in enumerate(text.split('\n'), 1):
        quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        angled = re.match(r'\s*#\s*include\s+<([^>]+)>', line)
        if quoted and room:
            included = quoted.group(1)
            if included == 'kith.pb-c.h':  # what the protobuf compiler writes: the wire's business
                if file not in ('actors/wire.c', 'actors/cluster_peers.h', 'test/unit/test_wire.c'):
                    problem(f'{file}:{number}', f'only the wire may include {included}')
            elif not included.startswith(room + '/') and not any(included.startswith(m) for m in MAY[room]):
                problem(f'{file}:{number}', f'{room} may not include {included}')
        if (quoted and re.match(r'plugins/(dlib|lbph|grpc|example)/', file) and quoted.group(1) != 'plugins/recognizer.h'
                and not (ROOT / file).with_name(quoted.group(1)).exists()):
            problem(f'{file}:{number}', 'a plug-in includes plugins/recognizer.h and nothing else of kith')
        if angled:
            for library, homes in LIBRARIES.items():
                if re.match(rf'({library})\b', angled.group(1)) and not any(file.startswith(h) for h in homes):
                    problem(f'{file}:{number}', f'<{angled.group(1)}> belongs to {homes[0]}')


def check_actor(file, text):
    """Actors know each other by name and message: no actor's own header but in its own file."""
    helpers = {'messages', 'reply', 'explain', 'ops', 'routes', 'spool', 'probe_image', 'enroller', 'wire',
               'doorkeeper', 'keyring',
               'bus_messages'}
    own = pathlib.Path(file).stem
    for included in re.findall(r'#include "actors/(\w+)\.h"', text):
        if included.split('_')[0] != own.split('_')[0] and included not in helpers:  # cluster_link is of cluster
            problem(file, f'an actor may not include the header of another: {included}.h')


def check_text(file, text):
    lines = text.count('\n')
    if lines > LONGEST and not file.endswith(('.yaml', '.md')):
        problem(file, f'{lines} lines; the limit is {LONGEST}')
    if re.search(r'\b(TODO|FIXME|XXX)\b', text) and file != 'test/house.py':
        problem(file, 'something is left to be done')
    if file.startswith('test/') and file != 'test/house.py' and re.search(r'\b(usleep|sleep)\s*\(|setTimeout', text):
        problem(file, 'a test waits by sleeping')
    if file.endswith(('.c', '.h', '.cpp')) and '\t' in text:
        problem(file, 'a tab')


def check_settings_are_used():
    table = (ROOT / 'core/base/settings_table.h').read_text()
    users = '\n'.join((ROOT / f).read_text() for f in tracked() if f.startswith(('cli/', 'plugins/', 'core/base/settings.c')))
    for name in re.findall(r'^SETTING\((\w+)', table, re.M):
        if not re.search(rf'\b{name}\b', users):
            problem('core/base/settings_table.h', f'nobody reads the setting {name}')


def check_routes_are_described():
    routes = re.findall(r'\{"([A-Z]+)", "([^"]+)"', (ROOT / 'actors/routes.c').read_text())
    text = (ROOT / 'proto/openapi.yaml').read_text()
    described, path = set(), None
    for line in text.split('\n'):
        if match := re.match(r'  (/\S*):$', line):
            path = match.group(1)
        elif (match := re.match(r'    (get|post|patch|delete):', line)) and path:
            described.add((match.group(1).upper(), path))
    for route in set(routes) - described:
        problem('proto/openapi.yaml', f'does not describe {route[0]} {route[1]}')
    for route in described - set(routes):
        problem('proto/openapi.yaml', f'describes {route[0]} {route[1]}, which is not served')


def run_tool(command, files, what):
    step = 8
    jobs = [files[i:i + step] for i in range(0, len(files), step)]
    running, failed = [], []
    for job in jobs:
        if len(running) >= (os.cpu_count() or 2):
            failed += finish(running.pop(0))
        running.append(subprocess.Popen([*command, *job], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True))
    for process in running:
        failed += finish(process)
    for line in failed:
        problem(what, line)


def finish(process):
    output, _ = process.communicate()
    lines = [line for line in output.split('\n') if re.search(r'(error|warning):', line)]
    return lines or ([f'exit {process.returncode}: {output[-500:]}'] if process.returncode else [])


def main():
    files = tracked()
    for file in files:
        path = ROOT / file
        if path.stat().st_size > 1 << 20:
            problem(file, 'larger than 1 MB')
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        check_text(file, text)
        if file.endswith(('.c', '.h', '.cpp')):
            check_includes(file, text)
        if file.startswith('actors/'):
            check_actor(file, text)
    check_settings_are_used()
    check_routes_are_described()
    sources = [f for f in files if f.endswith(('.c', '.h', '.cpp'))]
    run_tool(['clang-format', '--dry-run', '--Werror'], sources, 'format')
    build = pathlib.Path(os.environ.get('KITH_BUILD', ROOT / 'build/release'))
    linted = [f for f in sources if f.endswith('.c') and not f.startswith('test/plugins')]
    run_tool(['clang-tidy', '-p', build, '--quiet'], linted, 'lint')
    for line in problems:
        print(line)
    print(f'{len(files)} files, {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
