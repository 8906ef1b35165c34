"""The rules of the house: who may include whom, how long files are, format, lint, nothing of this machine in them."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LONGEST = 600
# The rooms, each with what it may include of the others. A folder of actors/ is a room of its own.
CORE = ['core/base/', 'core/image/', 'core/match/', 'core/actor/', 'core/store/', 'core/http/', 'core/bus/']
MAY = {
    'core/base/': [],
    'core/image/': [],
    'core/match/': ['core/base/'],
    'core/actor/': ['core/base/'],
    'core/http/': ['core/base/'],
    'core/bus/': ['core/base/', 'core/actor/'],
    'core/store/': ['core/base/', 'core/image/', 'core/match/', 'core/actor/'],
    'plugins/host/': ['core/base/', 'core/image/', 'core/match/', 'core/actor/', 'core/store/', 'plugins/recognizer.h',
                      'plugins/worker/worker_main.h'],
    'plugins/common/': ['plugins/recognizer.h'],
    'plugins/worker/': ['core/base/', 'core/image/', 'plugins/recognizer.h', 'plugins/host/loader.h',
                        'plugins/host/protocol.h'],
    'actors/api/': CORE + ['actors/messages.h', 'actors/access/auth.h', 'plugins/host/protocol.h'],
    'actors/': CORE + ['actors/messages.h', 'actors/api/', 'plugins/host/', 'plugins/recognizer.h'],
    'cli/': ['core/', 'actors/', 'plugins/'],
}
# Only here may these libraries' headers be seen.
LIBRARIES = {
    r'h2o': ['core/http/engine/'],
    r'nats': ['core/bus/'],
    r'sqlite3|mysql|mariadb': ['core/store/db/', 'core/store/'],
    r'turbojpeg|png|webp': ['plugins/worker/image/', 'test/unit/test_decode.c'],
    r'dlib|opencv2': ['plugins/dlib/', 'plugins/lbph/', 'test/unit/test_frontal.cpp', 'test/unit/test_align.cpp'],
    r'seccomp': ['plugins/worker/sandbox.c'],
    r'curl': ['cli/client.c', 'cli/bench/bench_accept.c'],
    r'dnnl': ['plugins/dlib/network/'],
    r'openssl': ['core/base/hash.c', 'core/http/tls.c', 'core/http/engine/'],
}
# What the protobuf compiler writes.
WIRE = ['actors/cluster/', 'test/unit/test_wire.c']
problems = []


def problem(where, what):
    problems.append(f'{where}: {what}')


def tracked():
    listed = subprocess.run(['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard'], capture_output=True, text=True,
                            check=True)
    return [f for f in listed.stdout.split('\n') if f and (ROOT / f).is_file()]


def room_of(file):
    """The folder whose rule a file follows: the longest that is listed; below actors/ each folder is a room."""
    listed = max((r for r in MAY if file.startswith(r)), key=len, default=None)
    if listed == 'actors/' and file.count('/') > 1:
        return listed, '/'.join(file.split('/')[:2]) + '/'
    return listed, listed


def check_includes(file, text):
    rule, room = room_of(file)
    for number, line in enumerate(text.split('\n'), 1):
        quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        angled = re.match(r'\s*#\s*include\s+<([^>]+)>', line)
        where = f'{file}:{number}'
        if quoted and quoted.group(1) == 'kith.pb-c.h':
            if not file.startswith(tuple(WIRE)):
                problem(where, 'only the wire may include what the protobuf compiler writes')
        elif quoted and rule and not quoted.group(1).startswith((room, *MAY[rule])):
            problem(where, f'{room} may not include {quoted.group(1)}')
        elif quoted and (plugin := re.match(r'plugins/(dlib|lbph|grpc|example)/', file)):
            own = quoted.group(1).startswith((plugin.group(0), 'plugins/common/', 'face.')) # face.proto's, of grpc
            if quoted.group(1) != 'plugins/recognizer.h' and not own:
                problem(where, 'a plug-in includes plugins/recognizer.h, plugins/common and itself')
        if angled:
            for library, homes in LIBRARIES.items():
                if re.match(rf'({library})\b', angled.group(1)) and not file.startswith(tuple(homes)):
                    problem(where, f'<{angled.group(1)}> belongs to {homes[0]}')


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
    routes = re.findall(r'\{"([A-Z]+)", "([^"]+)"', (ROOT / 'actors/api/routes.c').read_text())
    routes = [route for route in routes if not route[1].startswith('/v1/debug/')]  # only in debug builds
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


def check_message_types():
    """No two messages of the program have the same number."""
    seen = {}
    for file in tracked():
        if not re.match(r'(core|actors|plugins/host|cli)/.*\.[ch]$', file):
            continue
        text = re.sub(r'/\*.*?\*/|//[^\n]*', '', (ROOT / file).read_text(), flags=re.S)
        for body in re.findall(r'enum\s*\w*\s*\{([^}]*)\}', text):
            number = -1
            for name, value in re.findall(r'(\w+)\s*(?:=\s*([^,]+))?(?:,|$)', body.strip()):
                try:
                    number = int(value, 0) if value else number + 1
                except ValueError:
                    number = 0
                if re.match(r'(MSG|STORE|WORKER)_[A-Z_]+(?<!_MS)$', name) and number >= 0x1000 and number < 0x8000:
                    if number in seen:
                        problem(file, f'{name} has the number of {seen[number]}')
                    seen[number] = name
    for file in (f for f in tracked() if f.startswith('actors/') and f.endswith('.c')):
        text = (ROOT / file).read_text()
        if 'const struct actor_ops' in text and '.accepts =' not in text:
            problem(file, 'an actor does not say which messages it accepts')
    if len(seen) < 50:
        problem('test/house.py', 'does not find the message types')


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
    check_settings_are_used()
    check_routes_are_described()
    check_message_types()
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
