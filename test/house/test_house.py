"""Each rule of test/house.py is seen to fail: on a small tree that breaks it, beside one that does not."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from house import documents, includes, messages, names, sizes  # noqa: E402
from house.tree import Tree  # noqa: E402

CAST = '{{.name = "retry", .ops = &retry_actor}}'
RETRY = 'const struct actor_ops retry_actor = {.accepts = a}; "store" MSG_HTTP'
ROUTES = '{"GET", "/v1/images/{id}", "retry", 0},'
TABLE = documents.TABLE
# one more than may be
TAKES = ''.join(f'static void take{n}(void)\n{{\n}}\n' for n in range(names.UNNAMED + 1))
ROW = 'SETTING(lease, duration, "30s", 10, 86400000,\n        "time of a claim")\n'
FORMATS, PNG = 'core/image/formats.c', '#define RAW_FORMATS "RAF"\n    [IMAGE_PNG] = {"PNG", "image/png"},\n'


def guide(row):
    return f'## Actors\n\n| actor | owns | answers | asks |\n|---|---|---|---|\n{row}\n\n## Next\n'


def found(check, texts):
    tree = Tree(texts)
    check(tree)
    return '\n'.join(tree.problems)


# check, a tree that breaks the rule, what it says, a tree that keeps it
RULES = [
    (includes.check_layers, {'core/match/a.c': '#include "core/store/store.h"'}, 'may not include core/store/store.h',
     {'core/match/a.c': '#include "core/base/log/log.h"'}),
    (includes.check_layers, {'actors/people/a.c': '#include "actors/intake/receiver.h"'}, 'may not include',
     {'actors/people/a.c': '#include "actors/api/request.h"'}),
    (includes.check_layers, {'actors/a.c': '\n#include <h2o.h>'}, 'actors/a.c:2: <h2o.h>',
     {'core/http/engine/engine_h2o.c': '#include <h2o.h>'}),
    (includes.check_layers, {'actors/people/a.c': '#include "kith.pb-c.h"'}, 'protobuf',
     {'actors/cluster/wire.c': '#include "kith.pb-c.h"'}),
    (includes.check_layers, {'plugins/dlib/a.cpp': '#include "plugins/shared/loader.h"'}, 'a plug-in includes',
     {'plugins/dlib/a.cpp': '#include "plugins/recognizer.h"'}),
    (includes.check_circles, {'actors/x/a.c': '#include "actors/x/b.h"', 'actors/x/a.h': '',
                              'actors/x/b.c': '#include "actors/x/a.h"', 'actors/x/b.h': ''}, 'actors/x/a, actors/x/b',
     {'actors/x/a.c': '#include "actors/x/b.h"', 'actors/x/a.h': '', 'actors/x/b.c': '', 'actors/x/b.h': ''}),
    (includes.check_circles, {'core/x/a.c': '#include "core/y/b.h"', 'core/x/c.h': '', 'core/y/b.h': '',
                              'core/y/d.c': '#include "core/x/c.h"'}, 'a circle of folders: core/x, core/y',
     # one module: its files share an internal header
     {'core/x/a.c': '#include "core/x/a_internal.h"\n#include "core/x/b.h"', 'core/x/a.h': '', 'core/x/b.h': '',
      'core/x/b.c': '#include "core/x/a_internal.h"\n#include "core/x/a.h"', 'core/x/a_internal.h': ''}),
    (sizes.check_lengths, {'core/a.c': '\n' * 501}, '501 lines', {'core/a.c': '\n' * 500, 'core/b.c': '', 'core/c.c': ''}),
    (sizes.check_lengths, {'core/a.c': '\n' * 201}, 'median', {'core/a.c': '\n' * 200}),
    (sizes.check_folders, {f'core/a{n}.c': '' for n in range(13)}, '13 sources',
     {f'core/a{n}{ending}': '' for n in range(12) for ending in ('.c', '.h', '_internal.h')}),
    (sizes.check_contents, {'core/a.c': '/* TO' 'DO */'}, 'left to be done', {'core/a.c': ''}),
    (sizes.check_contents, {'test/a.py': 'sleep (1)'}, 'sleeping', {'test/a.py': 'until(lambda: 1)'}),
    (sizes.check_contents, {'core/a.c': '\tint a;'}, 'a tab', {'core/a.c': '    int a;'}),
    (sizes.check_contents, {'web/a.js': 'x' * (1 << 20) + 'x'}, '1 MB', {'web/a.js': 'x' * (1 << 20)}),
    (messages.check_numbers, {'core/a.h': 'enum a { MSG_A = 0x2000, MSG_B };', 'core/b.h': 'enum b { MSG_C = 0x2001 };'},
     'MSG_C has the number of MSG_B', {'core/a.h': 'enum a { MSG_A = 0x2000, MSG_B };'}),
    (messages.check_accepts, {'actors/x/a.c': 'const struct actor_ops a = {.receive = r};'}, 'does not list the messages',
     {'actors/x/a.c': 'const struct actor_ops a = {.accepts = t};'}),
    (names.check_static_functions, {'actors/x/keys.c': TAKES}, 'take0 does not carry',
     {'actors/x/keys.c': 'static void keys_take(void)\n{\n}\nstatic int key_read(int a)\n{\n}\n'}),
    (names.check_ends, {'core/a.c': '    abort();'}, 'writes no line', {'core/a.c': 'must_end("…");'}),
    (names.check_ends, {'core/a.c': '#include <uthash.h>'}, 'needs core/base/must.h',
     {'core/a.c': '#include "core/base/must.h"\n#include <uthash.h>'}),
    (names.check_words, {'core/a.c': '/* the redeemer */'}, 'retry, janitor', {'core/a.c': '/* images in flight */'}),
    (documents.check_settings, {TABLE: ROW}, 'lease is never read', {TABLE: ROW, 'cli/a.c': 's->lease'}),
    (documents.check_settings, {TABLE: ROW.replace('time of a claim', ''), 'cli/a.c': 's->lease'}, 'no help text',
     {TABLE: ROW, 'cli/a.c': 's->lease "KITH_LEASE"'}),
    (documents.check_settings, {TABLE: ROW + ROW.replace('lease', 'grace'), 'cli/a.c': 's->lease s->grace'},
     'the same help text', {TABLE: ROW, 'cli/a.c': 's->lease'}),
    (documents.check_settings, {TABLE: ROW, 'cli/a.c': 's->lease', 'README.md': 'KITH_LEAS=1s'}, 'no setting KITH_LEAS',
     {TABLE: ROW, 'cli/a.c': 's->lease', 'README.md': 'KITH_LEASE=1s'}),
    (documents.check_settings, {TABLE: ROW, 'cli/a.c': 's->lease "(KITH_LEAS)"'}, 'no setting KITH_LEAS',
     {TABLE: ROW, 'cli/a.c': 's->lease KITH_MACRO'}),
    (documents.check_metrics, {'deploy/monitoring/alerts.yaml': 'expr: kith_gone > 1'}, 'no metric kith_gone',
     {'deploy/monitoring/alerts.yaml': 'expr: kith_here_bucket', 'actors/a.c': '.name = "kith_here"'}),
    (documents.check_routes, {'actors/routes.c': ROUTES}, 'does not describe GET /v1/images/{id}',
     {'actors/routes.c': ROUTES, 'proto/openapi.yaml': '  /v1/images/{id}:\n    get:\n'}),
    (documents.check_routes, {'proto/openapi.yaml': '  /v1/images/{id}:\n    get:\n'}, 'which is not served', {}),
    (documents.check_routes, {'README.md': 'GET /v1/pictures'}, 'no route /v1/pictures', {}),
    (documents.check_openapi, {'proto/openapi.yaml': 'a: {b: for ?face=}'}, 'is no YAML', {'proto/openapi.yaml': 'a: {b: "for ?face="}'}),
    (documents.check_openapi, {'proto/openapi.yaml': 'a:\n  - {b: 1, b: 2}'}, 'has b twice', {'proto/openapi.yaml': 'a: [{b: 1}, {b: 2}]'}),
    (documents.check_openapi, {'proto/openapi.yaml': "a: {$ref: '#/components/schemas/Face'}"}, 'schemas/Face is missing',
     {'proto/openapi.yaml': "a: {$ref: '#/components/schemas/Face'}\ncomponents: {schemas: {Face: {}}}"}),
    (documents.check_openapi, {'proto/openapi.yaml': 'components: {schemas: {Face: {}}}'}, 'schemas/Face is not used', {}),
    (documents.check_formats, {FORMATS: PNG}, 'README.md: does not list the format PNG',
     {FORMATS: PNG, 'README.md': 'PNG, RAF', 'proto/openapi.yaml': 'PNG, RAF image/png: {}'}),
    (documents.check_formats, {FORMATS: PNG, 'README.md': 'PNG, RAF', 'proto/openapi.yaml': 'PNG, RAF'}, 'content type image/png',
     {FORMATS: PNG, 'README.md': 'PNG, RAF', 'proto/openapi.yaml': 'PNG, RAF image/png: {}'}),
    (documents.check_alerts, {'deploy/monitoring/alerts.yaml': '- alert: KithDown'}, 'does not test KithDown',
     {'deploy/monitoring/alerts.yaml': '- alert: KithDown', 'deploy/monitoring/alerts_test.yaml': 'alertname: KithDown'}),
    (documents.check_alerts, {'README.md': 'the alert KithGone'}, 'no alert KithGone', {}),
    (documents.check_paths, {'CONTRIBUTING.md': '`core/base/gone.c`'}, 'no file core/base/gone.c',
     {'CONTRIBUTING.md': '`core/base/log/log.c`', 'core/base/log/log.c': ''}),
    (documents.check_paths, {'CONTRIBUTING.md': '`test_gone.c`'}, 'no file test_gone.c',
     {'CONTRIBUTING.md': '`test_log.c`', 'test/unit/test_log.c': ''}),
    (documents.check_paths, {'CONTRIBUTING.md': '`core/gone/`'}, 'no folder core/gone',
     {'CONTRIBUTING.md': '`core/base/`', 'core/base/log/log.c': ''}),
    (documents.check_commands, {'cli/main.c': '    {"serve", "", "…"},', 'README.md': ''}, 'serve is not listed',
     {'cli/main.c': '    {"serve", "", "…"},', 'README.md': '- Commands: `serve`.\n- x'}),
    (documents.check_actors, {'cli/serve/cast.c': CAST, 'CONTRIBUTING.md': guide('')}, 'retry is not in the table',
     {'cli/serve/cast.c': CAST, 'CONTRIBUTING.md': guide('| retry | | | |')}),
    (documents.check_actors, {'CONTRIBUTING.md': guide('| gone | | | |')}, 'no actor gone', {}),
    (documents.check_actors, {'cli/serve/cast.c': CAST, 'actors/upkeep/retry.c': RETRY,
                              'CONTRIBUTING.md': guide('| retry | | MSG_MATCH | |')}, 'does not answer MSG_MATCH',
     {'cli/serve/cast.c': CAST, 'actors/upkeep/retry.c': RETRY, 'CONTRIBUTING.md': guide('| retry | | MSG_HTTP | store |'), 'actors/routes.c': ROUTES,
      'proto/openapi.yaml': '  /v1/images/{id}:\n    get:\n'}),
    (documents.check_actors, {'cli/serve/cast.c': CAST, 'actors/upkeep/retry.c': RETRY, 'actors/routes.c': ROUTES,
                              'CONTRIBUTING.md': guide('| retry | | | |')}, 'wrong about HTTP', {}),
    (documents.check_actors, {'cli/serve/cast.c': CAST + '.name = "keys", .ops = &keys_actor', 'actors/upkeep/retry.c': RETRY,
                              'CONTRIBUTING.md': guide('| retry | | | keys |\n| keys | | | |')}, 'retry does not ask keys', {}),
]


@pytest.mark.parametrize('check, wrong, says, right', RULES, ids=[f'{r[0].__name__}-{r[2][:24]}' for r in RULES])
def test_a_rule_fails_on_what_breaks_it_only(check, wrong, says, right):
    assert says in found(check, wrong)
    assert found(check, right) == ''


def test_every_check_is_seen_to_fail():
    checks = {f for module in (documents, includes, messages, names, sizes) for name, f in vars(module).items()
              if name.startswith('check_') and f.__module__ == module.__name__}
    assert checks - {rule[0] for rule in RULES} - {includes.check_quoted} == set()
