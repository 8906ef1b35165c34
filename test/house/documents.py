"""What documents and texts name exists: settings, metrics, routes, alerts, files, commands, actors."""
import fnmatch
import re

import yaml
from house.tree import C_FILES, lines_with, without_comments

TABLE = 'core/base/settings/settings_table.h'
DOCUMENTS = r'(README|CONTRIBUTING|CHANGELOG)\.md$|deploy/|proto/openapi\.yaml$'
FOLDERS = 'actors|cli|core|deploy|plugins|proto|test|web'


def settings(tree):
    """Field → (kind, help text)."""
    rows = re.findall(r'^SETTING\((\w+), (\w+),(.*?)\)$', tree.text(TABLE), re.M | re.S)
    return {name: (kind, ''.join(re.findall(r'"([^"]*)"', rest)[1:])) for name, kind, rest in rows}


def variables(tree):
    """The names of settings, of files with secrets, and of what the build, the tests and the ABI define."""
    known = set()
    for name, (kind, _) in settings(tree).items():
        known |= {f'KITH_{name.upper()}', *([f'KITH_{name.upper()}_FILE'] if kind == 'secret' else [])}
    for _, text in tree.files(endings=('CMakeLists.txt', '.cmake', '.in')):
        known |= set(re.findall(r'\bKITH_\w+', text))
    known |= set(re.findall(r'\bKITH_\w+', tree.text('plugins/recognizer.h')))
    for _, text in tree.files('test/', ('.py', '.sh', '.c', '.h')):
        known |= set(re.findall(r'''(?:environ(?:\.get\(|\[)|getenv\(|export )['"]?(KITH_\w+)''', text))
    return known


def check_settings(tree):
    readers = '\n'.join(text for file, text in tree.files(r'(actors|cli|core|plugins)/', C_FILES) if file != TABLE)
    meanings = {}
    for name, (_, meaning) in settings(tree).items():
        if not re.search(rf'(?:->|\.|"){name}\b', readers):
            tree.problem(TABLE, f'the setting {name} is never read')
        if ' ' not in meaning:
            tree.problem(TABLE, f'the setting {name} has no help text that can be read alone')
        if meaning in meanings:
            tree.problem(TABLE, f'{name} and {meanings[meaning]} have the same help text')
        meanings[meaning] = name
    known = variables(tree)
    for file, text in tree.files(DOCUMENTS + r'|(actors|cli|core|plugins|web)/'):
        for number, match in lines_with(text, r'\bKITH_[A-Z0-9_]*[A-Z0-9]\b(?!_)'):
            line = text[text.rfind('\n', 0, match.start()) + 1:match.start()]
            if match.group(0) not in known and (not file.endswith(C_FILES) or line.count('"') % 2):
                tree.problem(f'{file}:{number}', f'there is no setting {match.group(0)}')


def metrics(tree):
    """All names in string constants of the program, with the suffixes of a histogram."""
    names = set()
    for _, text in tree.files(r'(actors|cli|core|plugins)/', C_FILES):
        names |= set(re.findall(r'"(kith_\w+)', text))
    return names | {name + suffix for name in names for suffix in ('_bucket', '_sum', '_count')}


def check_metrics(tree):
    known = metrics(tree)
    for file, text in tree.files(DOCUMENTS + r'|test/(?!house)\w+/.*\.py$'):
        for number, match in lines_with(text, r'\bkith_[a-z0-9_]*[a-z](?![\w*…-])(?!\.(h|proto))'):
            if match.group(0) not in known and (file.startswith('deploy/monitoring/') or re.search(
                    r'_(total|seconds|bytes|cpu|count|bucket|queue|mailbox|state|reachable|images|ready)$', match.group(0))):
                tree.problem(f'{file}:{number}', f'there is no metric {match.group(0)}')


def routes(tree):
    return re.findall(r'\{"([A-Z]+)", "([^"]+)", "([^"]+)"', tree.text('actors/routes.c'))


def check_routes(tree):
    served = {(method, path) for method, path, _ in routes(tree) if not path.startswith('/v1/debug/')}
    described, path = set(), None
    for line in tree.text('proto/openapi.yaml').split('\n'):
        if match := re.match(r'  (/\S*):$', line):
            path = match.group(1)
        elif (match := re.match(r'    (get|post|put|patch|delete):', line)) and path:
            described.add((match.group(1).upper(), path))
    for method, path in sorted(served - described):
        tree.problem('proto/openapi.yaml', f'does not describe {method} {path}')
    for method, path in sorted(described - served):
        tree.problem('proto/openapi.yaml', f'describes {method} {path}, which is not served')
    patterns = [re.sub(r'\\\{\w+\\\}', '[^/]+', re.escape(path)) for _, path, _ in routes(tree)]
    for file, text in tree.files(DOCUMENTS, ('.md', '.yaml', '.sh')):
        for number, match in lines_with(text, r'(?<![\w.])/v1/(?:[\w$/-]|\{\w+\})*(?<!/)'):
            if not any(re.fullmatch(pattern, match.group(0)) for pattern in patterns):
                tree.problem(f'{file}:{number}', f'there is no route {match.group(0)}')


def parts(node):
    """All mappings of a YAML document, with their keys and values as nodes."""
    if isinstance(node, yaml.MappingNode):
        yield node
    for child in getattr(node, 'value', ()) if isinstance(node, yaml.CollectionNode) else ():
        for part in child if isinstance(child, tuple) else (child,):
            yield from parts(part)


def check_openapi(tree):
    """It is YAML, without doubled keys; what it refers to exists, and each component is referred to."""
    where, text = 'proto/openapi.yaml', tree.text('proto/openapi.yaml')
    try:
        document = yaml.compose(text)
    except yaml.YAMLError as e:
        tree.problem(where, f'is no YAML: {e}')
        return
    for part in parts(document):
        keys = [key.value for key, _ in part.value]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            tree.problem(f'{where}:{part.start_mark.line + 1}', f'has {key} twice')
    components = (yaml.safe_load(text) or {}).get('components', {})
    there = {f'{kind}/{name}' for kind, of in components.items() if kind != 'securitySchemes' for name in of}
    named = set(re.findall(r"'#/components/([\w/]+)'", text))
    for name in sorted(named ^ there):
        tree.problem(where, f'the component {name} is ' + ('missing' if name in named else 'not used'))


def check_formats(tree):
    """The table of picture formats is the list in README and the API's description."""
    rows = re.findall(r'\[IMAGE_\w+\] = \{"([^"]+)", "([^"]+)"', tree.text('core/image/formats.c'))
    texts = {file: re.sub(r'\s+', ' ', tree.text(file)) for file in ('README.md', 'proto/openapi.yaml')}
    raw = re.search(r'#define RAW_FORMATS "([^"]+)"', tree.text('core/image/formats.c'))
    if not rows or not raw:
        tree.problem('core/image/formats.c', 'has no table of formats')
        return
    for file, text in texts.items():
        for name in [name for name, _ in rows] + [raw.group(1)]:
            if name not in text:
                tree.problem(file, f'does not list the format {name}')
    for name, kind in rows:
        if f'{kind}: {{}}' not in texts['proto/openapi.yaml']:
            tree.problem('proto/openapi.yaml', f'does not list the content type {kind} of {name}')


def check_alerts(tree):
    alerts = set(re.findall(r'alert: (\w+)', tree.text('deploy/monitoring/alerts.yaml')))
    tested = set(re.findall(r'alertname: (\w+)', tree.text('deploy/monitoring/alerts_test.yaml')))
    for name in sorted(alerts - tested):
        tree.problem('deploy/monitoring/alerts_test.yaml', f'does not test {name}')
    for file, text in tree.files(DOCUMENTS):
        for number, match in lines_with(text, r'\bKith[A-Z]\w+'):
            if match.group(0) not in alerts:
                tree.problem(f'{file}:{number}', f'there is no alert {match.group(0)}')


def check_paths(tree):
    folders = {'/'.join(file.split('/')[:n]) for file in tree.texts for n in range(1, file.count('/') + 1)}
    names = {file.rpartition('/')[2] for file in tree.texts}
    ignored = [line.strip('/') for line in tree.text('.gitignore').split('\n') if line and line[0] != '#']

    def exists(path):
        return path in folders or any(fnmatch.fnmatch(file, path) for file in tree.texts) or any(
            path == i or path.startswith(f'{i}/') or fnmatch.fnmatch(path.rpartition('/')[2], i.rpartition('/')[2])
            for i in ignored)

    for file, text in tree.files():
        if file.startswith('test/house/'):
            continue
        for number, match in lines_with(text, rf'(?<![\w./}}>$-])({FOLDERS})/[\w./*-]*[\w*](?![\w{{$<(%…])'):
            if '.' in match.group(0) and not match.group(0).endswith('.so') and not exists(match.group(0)) \
                    and not re.search('NAME|FILE', match.group(0)):
                tree.problem(f'{file}:{number}', f'there is no file {match.group(0)}')
    for file, text in tree.files(r'(README|CONTRIBUTING|deploy/README)\.md$'):
        for number, match in lines_with(text, r'`([\w-]+\.(?:c|h|cpp|py|sh|yaml|sql|proto|md))`'):
            if match.group(1) not in names:
                tree.problem(f'{file}:{number}', f'there is no file {match.group(1)}')
        for number, match in lines_with(text, rf'`((?:{FOLDERS})/[\w/]*)`'):
            if not exists(match.group(1).rstrip('/')):
                tree.problem(f'{file}:{number}', f'there is no folder {match.group(1)}')


def check_commands(tree):
    """The README lists every subcommand."""
    table = tree.text('cli/main.c')
    commands = set(re.findall(r'^    \{"([a-z-]+)", "', table, re.M)) - {'help', 'version'}
    listed = re.search(r'^- Commands: (.*?)\n(?=- )', tree.text('README.md'), re.M | re.S)
    named = set(re.findall(r'`([\w-]+)', listed.group(1))) - {'kith'} if listed else set()
    for name in sorted(commands ^ named):
        tree.problem('README.md', f'the command {name} is ' + ('not listed' if name in commands else 'no command'))


def actors(tree):
    """Name → source file, of the actors that cli/serve/cast.c starts; and those that have a file of their own."""
    files = {}
    for file, text in tree.files(r'(actors|core|cli)/', ('.c',)):
        for ops in re.findall(r'const struct actor_ops (\w+)', text):
            files[ops] = file
    cast = re.findall(r'\.name = "([\w-]+)", \.ops = &(\w+)', tree.text('cli/serve/cast.c'))
    return {name: files.get(ops) for name, ops in cast}


def asked_code(tree, name, file):
    """The sources in which an actor may name those it asks: its folder, the shared helpers, its row of cast.c."""
    folder = file.rpartition('/')[0]
    code = ''.join(without_comments(text) for _, text in tree.files(rf'{folder}/|actors/(messages|api/)', ('.c', '.h')))
    configs = re.findall(rf'\(struct {name}_config\)\{{(.*?)\}};', tree.text('cli/serve/cast.c').replace('-', '_'), re.S)
    return code + ''.join(configs)


def check_actors(tree):
    """The table of actors in CONTRIBUTING.md: each actor has a row; what the row says it answers, it accepts; whom it asks,
    its sources name."""
    where = 'CONTRIBUTING.md'
    table = re.search(r'^## Actors\n(.*?)^## ', tree.text(where), re.M | re.S)
    known, serving, seen = actors(tree), {actor for _, _, actor in routes(tree)}, set()
    for row in re.findall(r'^\| (.*) \|$', table.group(1) if table else '', re.M):
        cells = [cell.strip() for cell in row.split('|')]
        names = set(re.findall(r'[\w-]+', cells[0])) - {'actor'}
        if set(cells[0]) <= {'-'}:
            continue
        seen |= names
        files = {name: known[name] for name in names if known.get(name)}
        for name, file in files.items():
            for message in re.findall(r'(?:MSG|STORE)_[A-Z_]+[A-Z]', cells[2]):
                if message not in tree.text(file):
                    tree.problem(where, f'{name} does not answer {message}')
            if ('HTTP' in cells[2]) != (name in serving):
                tree.problem(where, f'the row of {name} is wrong about HTTP')
        code = ''.join(asked_code(tree, name, file) for name, file in files.items())
        for other in re.findall(r'[a-z_-]+', re.sub(r'\(.*?\)', '', cells[3])):
            if files and other in {*known, 'store'} and not re.search(rf'\b{other}\b', code):
                tree.problem(where, f'{cells[0]} does not ask {other}')
    for name in sorted(set(known) - seen):
        tree.problem(where, f'the actor {name} is not in the table')
    for name in sorted(seen - set(known) - {'store', 'serve'}):
        tree.problem(where, f'there is no actor {name}')


def check(tree):
    check_settings(tree)
    check_metrics(tree)
    check_routes(tree)
    check_openapi(tree)
    check_formats(tree)
    check_alerts(tree)
    check_paths(tree)
    check_commands(tree)
    check_actors(tree)
