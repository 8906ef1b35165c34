"""The figures of a release build, each beside its target: a table, and JSON on request.

Each kith is a real process in a temporary folder. The load generator and the server share the cores of the machine.
"""
import argparse
import http.client
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'test/integration'), str(ROOT / 'test/bench/attack')]
sys.dont_write_bytecode = True
from harness import BUILD, Kith, remove, until  # noqa: E402

TICKS = os.sysconf('SC_CLK_TCK')
rows = []


def figure(name, value, unit, at_least=None, at_most=None):
    met = value >= at_least if at_least is not None else value <= at_most if at_most is not None else None
    rows.append({'name': name, 'value': value, 'unit': unit, 'at_least': at_least, 'at_most': at_most, 'met': met})
    aim = f'≥ {at_least:,}' if at_least is not None else f'≤ {at_most:,}' if at_most is not None else ''
    shown = f'{value:,.0f}' if value >= 100 else f'{value:.2f}'
    print(f'{name:<58}{shown:>14} {unit:<9}{aim:>14}  {"" if met is None else "met" if met else "MISSED"}', flush=True)


def note(text):
    print(f'  {text}', flush=True)


def ran(*command):
    return json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


class Server(Kith):
    """A server without a recogniser: only accepting is measured."""

    def __init__(self, **settings):
        super().__init__(tempfile.mkdtemp(prefix='kith-bench-'),
                         **{'recognizer': BUILD / 'test/plugins/silent.so', 'access_log': 'on', **settings})

    def __exit__(self, *_):
        self.stop()
        remove(self.folder)

    def __enter__(self):
        return self

    def post_paths(self, first, count, streams=64):
        return ran(BUILD / 'load_accept', self.api.rsplit(':', 1)[1], first, count, streams)

    def memory_mb(self, pid=None):
        for line in open(f'/proc/{pid or self.process.pid}/status'):
            if line.startswith('VmRSS'):
                return int(line.split()[1]) / 1024

    def cpu_s(self):
        pids = [self.process.pid, *map(int, subprocess.run(['pgrep', '-P', str(self.process.pid)], text=True,
                                                           capture_output=True).stdout.split())]
        return sum(sum(map(int, open(f'/proc/{p}/stat').read().rsplit(')', 1)[1].split()[11:13])) for p in pids) / TICKS


def actor(quick):
    got = ran(BUILD / 'bench_actor', 1 if quick else 3)
    figure('actor hops, one thread', got['hops_per_s'], '1/s', at_least=10_000_000)
    figure('actor hops, a fresh message each', got['fresh_hops_per_s'], '1/s')
    figure('ask round trip', got['ask_ns'], 'ns', at_most=500)


def accept_and_pages(quick, pages):
    """Accepting at a thousand rows and at a million, each the best of three; then pages of the long list."""
    million, batch = (100_000, 20_000) if quick else (1_000_000, 50_000)

    with Server() as kith:
        kith.start(ready=False)
        first = 1000
        kith.post_paths(0, first)
        small, large = [], []
        for n in range(3):
            small.append(kith.post_paths(first, batch))
            first += batch
        note(f'at first: {[r["per_s"] for r in small]} a second')
        kith.post_paths(first, million - first, 256)
        for n in range(3):
            large.append(kith.post_paths(million + n * batch, batch))
        note(f'at {million:,} rows: {[r["per_s"] for r in large]} a second')
        best, best_large = (max(r, key=lambda one: one['per_s']) for r in (small, large))
        figure('durable accepts, HTTP/2, 64 streams, from 1,000 rows', best['per_s'], '1/s', at_least=30_000)
        figure('  half of them within', best['p50_ms'], 'ms')
        figure('  99 of 100 within', best['p99_ms'], 'ms')
        figure(f'durable accepts at {million:,} rows', best_large['per_s'], '1/s', at_least=30_000)
        figure('  of the rate at first', 100 * best_large['per_s'] / best['per_s'], '%', at_least=80)
        figure('memory of the parent after that', kith.memory_mb(), 'MB')
        if pages:
            page_times(kith, million)


def page_times(kith, rows_there):
    host, port = kith.api.split(':')
    connection = http.client.HTTPConnection(host, int(port))
    for words, query in (('the newest', ''), ('in the middle', f'&after={rows_there // 2}'),
                         ('status=pending, in the middle', f'&status=pending&after={rows_there // 2}'),
                         ('status=failed, there is none', '&status=failed')):
        took = []
        for _ in range(300):
            begun = time.perf_counter()
            connection.request('GET', '/v1/images?limit=50' + query)
            answer = connection.getresponse()
            answer.read()
            took.append((time.perf_counter() - begun) * 1000)
            assert answer.status == 200
        took.sort()
        figure(f'page of 50 of {rows_there:,}, {words}, 99 of 100 within', took[len(took) * 99 // 100], 'ms', at_most=5)


def start(_quick):
    with Server(recognizer='dlib') as kith:
        begun = time.perf_counter()
        kith.launch()
        kith.api = until(kith._serving, 'it to listen', pause=0.002).group(1)
        answer = kith.post('/image/post', {'path': 'a.jpg'})
        accepted = time.perf_counter() - begun
        ready_then = kith.get('/readyz').status
        assert answer.status == 200
        until(lambda: kith.get('/readyz').status == 200, 'the models to load')
        figure('from start to the first durable accept', accepted, 's', at_most=1)
        note(f'/readyz said {ready_then} then, and 200 after {time.perf_counter() - begun:.2f} s')
        figure('memory of the parent, idle', kith.memory_mb(), 'MB', at_most=60)
        for pid in kith.worker_pids():
            figure('memory of a worker, idle', kith.memory_mb(pid), 'MB')


def portraits(folder, count):
    """JPEGs of 250×250 with one face, cut from the sample photos, all different so that none is a duplicate."""
    from PIL import Image
    boxes = {'obama.jpg': (241, 100, 641, 500), 'obama2.jpg': (130, 160, 570, 600), 'biden.jpg': (370, 140, 770, 540)}
    for n in range(count):
        name, (left, top, right, bottom) = list(boxes.items())[n % len(boxes)]
        shift = n // len(boxes) % 20
        with Image.open(ROOT / 'samples' / name) as photo:
            box = (left + shift, top + shift // 2, right + shift, bottom + shift // 2)
            photo.convert('RGB').crop(box).resize((250, 250)).save(folder / f'{n}.jpg', quality=90 - n // 60 % 30)


def images(quick):
    count = 90 if quick else 600
    with Server(recognizer='dlib', workers=2, log_level='info') as kith:
        portraits(kith.images, count)
        kith.start()
        cpu, begun = kith.cpu_s(), time.perf_counter()
        kith.submit(*sorted(kith.images.iterdir()))
        until(lambda: kith.log().count(' finished ') == count, 'all to be done', patience=600)
        took, cpu = time.perf_counter() - begun, kith.cpu_s() - cpu
        faces = [f['faces'] for f in pages_of(kith)]
        note(f'{count} pictures of 250×250, {sum(len(f) == 1 for f in faces)} with one face, {os.cpu_count()} cores')
        figure('one-face 250×250 JPEG, end to end', cpu * 1000 / count, 'ms CPU', at_most=9)
        figure('images, two workers', count / took, '1/s', at_least=180)
        for pid in kith.worker_pids():
            figure('memory of a worker after them', kith.memory_mb(pid), 'MB', at_most=120)


def looked_at(folder, quick, **settings):
    """By one worker, in turn, as `kith bench` measures it."""
    got = ran(BUILD / 'kith', 'bench', folder, '--only=photos', '--json', f'--seconds={2 if quick else 8}',
              '--workers=1', f'--models={ROOT}/models', *[f'--{k.replace("_", "-")}={v}' for k, v in settings.items()])
    return got['recognition'][0]


def recognition(quick):
    """Each stage; the peer is dlib's own network in the same run."""
    from PIL import Image
    with tempfile.TemporaryDirectory(prefix='kith-bench-') as name:
        small, large = pathlib.Path(name, 'small'), pathlib.Path(name, 'large')
        small.mkdir(), large.mkdir()
        portraits(small, 60)
        with Image.open(ROOT / 'samples/obama.jpg') as photo:  # 1080p, one face of some 500 pixels
            photo.convert('RGB').resize((1125, 1406)).crop((0, 60, 1125, 1140)).save(name + '/face.png')
        with Image.open(name + '/face.png') as face:
            wide = Image.new('RGB', (1920, 1080), (90, 100, 110))
            wide.paste(face, (400, 0))
            wide.save(large / 'photo.jpg', quality=90)
        one = looked_at(small, quick, flip_augment='off')
        figure('network, a face, one thread', one['embed_ms'] / (one['faces'] / one['pictures']), 'ms', at_most=2.2)
        reference = looked_at(small, quick, flip_augment='off', inference='dlib')
        figure("  dlib's own", reference['embed_ms'] / (reference['faces'] / reference['pictures']), 'ms')
        both = looked_at(small, quick)
        figure('network, a face and its mirror image', both['embed_ms'] / (both['faces'] / both['pictures']), 'ms', at_most=4)
        figure('one-face 250×250 JPEG, CPU of the worker', both['cpu_ms'], 'ms', at_most=9)
        for stage in ('decode', 'detect', 'align', 'embed'):
            figure(f'  {stage}', both[stage + '_ms'], 'ms')
        for least in (40, 160, 320):
            big = looked_at(large, quick, min_face=least)
            figure(f'1080p, one large face, KITH_MIN_FACE={least}, CPU', big['cpu_ms'], 'ms',
                   at_most=20 if least == 320 else None)
            note(f'decode {big["decode_ms"]:.1f}, detect {big["detect_ms"]:.1f}, align {big["align_ms"]:.1f}, '
                 f'embed {big["embed_ms"]:.1f} ms; {big["faces"] / big["pictures"]:.0f} face')
        figure('memory of a worker', both['worker_bytes'] / 1e6, 'MB', at_most=120)


def pages_of(kith):
    after = ''
    while after is not None:
        page = kith.get('/v1/images?limit=500' + after).json
        yield from page['images']
        after = page['next'] and f'&after={page["next"]}'


def gallery(quick):
    """Exact top-5 of 128 numbers, beside a plain loop and FAISS's flat index in the same run; one thread."""
    for templates, most in ((10_000, 0.05), (100_000 if quick else 1_000_000, 4)):
        got = ran('env', 'OPENBLAS_NUM_THREADS=1', BUILD / 'bench_gallery', templates, 256, tempfile.gettempdir())
        for kind, words in (('flat', 'all dimensions alike'), ('faces', 'dimensions as of faces')):
            r = got[kind]
            figure(f'top 5 of {templates:,}, {words}', r['one_ms'], 'ms', at_most=most)
            figure('  a probe, of 64 at once', r['batched_ms'], 'ms')
            figure('  a plain loop, f32', r['plain_ms'], 'ms')
            figure('  FAISS flat, one', r['faiss_one_ms'], 'ms')
            figure('  FAISS flat, a probe of 64 at once', r['faiss_batched_ms'], 'ms')
            figure('  answers that differ from the plain loop\'s', r['differences'], '', at_most=0)
            figure('  memory', r['memory_mb'], 'MB', at_most=250)
            figure('  to load', r['load_s'], 's')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', nargs='*', help='actor, accept, pages, lists, start, recognition, images, gallery, words, cluster, renewal, remote, hostile, attacks; none: all')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--quick', action='store_true', help='a tenth of the work, to see that it runs')
    given = parser.parse_args()
    wanted = set(given.what) or {'actor', 'accept', 'pages', 'lists', 'start', 'recognition', 'images', 'gallery', 'words', 'cluster', 'renewal', 'remote',
                                       'hostile', 'attacks'}
    if 'actor' in wanted:
        actor(given.quick)
    if 'start' in wanted:
        start(given.quick)
    if 'recognition' in wanted:
        recognition(given.quick)
    if 'images' in wanted:
        images(given.quick)
    if wanted & {'accept', 'pages'}:
        accept_and_pages(given.quick, 'pages' in wanted)
    if 'lists' in wanted:
        import lists
        lists.run(figure, given.quick)
    if 'gallery' in wanted:
        gallery(given.quick)
    if 'words' in wanted:
        import words
        words.run(figure, given.quick)
    if 'cluster' in wanted:
        import cluster
        cluster.run(figure, ran, given.quick)
    if 'renewal' in wanted:
        import renewal
        renewal.run(figure, given.quick)
    if 'remote' in wanted:
        import remote
        remote.run(figure, given.quick)
    if 'hostile' in wanted:
        import hostile
        hostile.run(figure, given.quick)
    if 'attacks' in wanted:
        import attacks
        attacks.run(figure, given.quick)
    if given.json:
        about = {'machine': platform.machine(), 'cores': os.cpu_count(), 'kernel': platform.release()}
        pathlib.Path(given.json).write_text(json.dumps({'about': about, 'figures': rows}, indent=1) + '\n')


main()
