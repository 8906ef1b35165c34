"""Which folder may include which, which file may see a library, and that no includes form a circle."""
import re

from house.tree import C_FILES

# What each folder may include of the others. A folder of actors/ follows the rule of actors/.
CORE = ['core/base/', 'core/image/', 'core/match/', 'core/actor/', 'core/store/', 'core/http/', 'core/bus/']
MAY = {
    'core/base/': [],
    'core/image/': ['core/base/'],
    'core/match/': ['core/base/'],
    'core/actor/': ['core/base/'],
    'core/http/': ['core/base/'],
    'core/bus/': ['core/base/', 'core/actor/'],
    'core/store/': ['core/base/', 'core/image/', 'core/match/', 'core/actor/'],
    'plugins/shared/': ['core/base/', 'plugins/recognizer.h'],
    'plugins/host/': ['core/base/', 'core/image/', 'core/match/', 'core/actor/', 'core/store/', 'plugins/recognizer.h',
                      'plugins/shared/', 'plugins/worker/worker_main.h'],
    'plugins/common/': ['plugins/recognizer.h'],
    'plugins/worker/': ['core/base/', 'core/image/', 'plugins/recognizer.h', 'plugins/shared/'],
    'actors/api/': CORE + ['actors/messages.h', 'plugins/shared/protocol.h'],
    'actors/': CORE + ['actors/messages.h', 'actors/api/', 'plugins/host/', 'plugins/shared/', 'plugins/recognizer.h'],
    'cli/': ['core/', 'actors/', 'plugins/'],
}
# Only these files may include these libraries' headers.
LIBRARIES = {
    r'h2o': ['core/http/engine/'],
    r'nats': ['core/bus/'],
    r'sqlite3|mysql|mariadb': ['core/store/db/', 'core/store/'],
    r'turbojpeg|png|webp|tiff|gif_lib|openjpeg|libheif': ['plugins/worker/image/', 'test/unit/test_decode.c', 'test/unit/pictures/'],
    r'dlib|opencv2': ['plugins/dlib/', 'plugins/lbph/', 'test/unit/test_frontal.cpp', 'test/unit/test_align.cpp'],
    r'seccomp': ['plugins/worker/sandbox', 'test/unit/test_sandbox.c'],
    r'utf8proc': ['core/base/name/'],
    r'curl': ['cli/client.c', 'cli/bench/bench_accept.c'],
    r'dnnl': ['plugins/dlib/network/'],
    r'openssl': ['core/base/hash.c', 'core/http/tls.c', 'core/http/engine/'],
}
# The header that the protobuf compiler writes, and who may include it.
WIRE_HEADER, WIRE = 'kith.pb-c.h', ('actors/cluster/', 'test/unit/test_wire')
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def rule_of(file):
    """The row of MAY that a file follows, and its own folder: below actors/ each folder is one of its own."""
    listed = max((r for r in MAY if file.startswith(r)), key=len, default=None)
    if listed == 'actors/' and file.count('/') > 1:
        return listed, '/'.join(file.split('/')[:2]) + '/'
    return listed, listed


def check_quoted(tree, where, file, header):
    rule, folder = rule_of(file)
    plugin = re.match(r'plugins/(dlib|lbph|grpc|example)/', file)
    if header == WIRE_HEADER:
        if not file.startswith(WIRE):
            tree.problem(where, 'only the wire format may include what the protobuf compiler writes')
    elif rule and not header.startswith((folder, *MAY[rule])):
        tree.problem(where, f'{folder} may not include {header}')
    elif plugin and header != 'plugins/recognizer.h' and not header.startswith(
            (plugin.group(0), 'plugins/common/', 'face.')):  # face.proto's header, of grpc
        tree.problem(where, 'a plug-in includes plugins/recognizer.h, plugins/common and its own folder')


def check_layers(tree):
    for file, text in tree.files(endings=C_FILES):
        for match in INCLUDE.finditer(text):
            where = f'{file}:{text.count(chr(10), 0, match.start(1) if match.group(1) else match.start(2)) + 1}'
            quoted, angled = match.groups()
            if quoted:
                check_quoted(tree, where, file, quoted)
                continue
            for library, homes in LIBRARIES.items():
                if re.match(rf'({library})\b', angled) and not file.startswith(tuple(homes)):
                    tree.problem(where, f'<{angled}> may be included in {homes[0]} only')


def circles(graph):
    """The strongly connected components with more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            component = stack[at:]
            del stack[at:]
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def modules(tree):
    """Path → module. x.c, x.h and x_internal.h are one module, and so are the files that include one x_internal.h of
    their own folder."""
    parent = {}

    def root(name):
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    def stem(file):
        return re.sub(r'(_internal)?\.\w+$', '', file)

    files = tree.files(r'(core|actors|plugins|cli)/', C_FILES)
    for file, text in files:
        parent.setdefault(stem(file), stem(file))
        for header, _ in INCLUDE.findall(text):
            if header.endswith('_internal.h') and header.rpartition('/')[0] == file.rpartition('/')[0]:
                parent[root(stem(file))] = root(stem(header))
    return {file: root(stem(file)) for file, _ in files}


def area(file):
    """Two names: a folder and those below it are one subject (core/store, actors/gallery, plugins/worker)."""
    return '/'.join(file.split('/')[:-1][:2])


def check_circles(tree):
    """No circle of modules, and none of folders."""
    module = modules(tree)
    files, folders = {}, {}
    for file, text in tree.files(r'(core|actors|plugins|cli)/', C_FILES):
        for header, _ in INCLUDE.findall(text):
            if header not in module:
                continue
            if module[header] != module[file]:
                files.setdefault(module[file], set()).add(module[header])
            if area(header) != area(file) and not area(header).startswith(area(file) + '/') \
                    and not area(file).startswith(area(header) + '/'):
                folders.setdefault(area(file), set()).add(area(header))
    for circle in circles(files):
        tree.problem(circle[0], 'a circle of includes: ' + ', '.join(circle))
    for circle in circles(folders):
        tree.problem(circle[0], 'a circle of folders: ' + ', '.join(circle))


def check(tree):
    check_layers(tree)
    check_circles(tree)
