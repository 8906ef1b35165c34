"""A cluster for a test: its nodes, its pictures, and the checks of the database after the test."""
import signal

from harness import Kith, until


class World:
    def __init__(self, folder, mariadb, nats):
        self.folder, self.mariadb, self.nats = folder, mariadb, nats
        self.nodes = {}
        self.images = folder / 'images'
        self.images.mkdir()
        self.secret = folder / 'password'
        self.secret.write_text('secret')
        self.secret.chmod(0o600)
        self.accepted = set()

    def node(self, name, roles='all', **settings):
        """A node, not started."""
        kith = Kith(self.folder / name, **{
            'node': name, 'roles': roles, 'database': self.mariadb.url(), 'database_password_file': self.secret,
            'nats': self.nats and self.nats.url, 'image_roots': self.images, 'spool': self.folder / 'spool',
            'workers': 1, 'node_heartbeat': '200ms', 'node_timeout': '1s', 'queue_poll': '1s', 'retry_backoff': '100ms',
            **settings})
        kith.images = self.images
        self.nodes[name] = kith
        return kith

    def start(self, name, roles='all', **settings):
        return self.node(name, roles, **settings).start()

    def together(self, *nodes):
        """Waits until each of these nodes lists all running nodes."""
        running = [k for k in self.nodes.values() if k.process and k.process.poll() is None]
        for node in nodes or running:
            until(lambda: {n['name'] for n in node.get('/v1/nodes').json['nodes']} >= {
                k.settings['node'] for k in running}, 'the nodes to know each other')

    @property
    def cluster(self):
        """The id of the cluster, which stands in its subjects."""
        return self.mariadb.rows('SELECT cluster FROM cluster_identity')[0][0]

    def submit(self, node, *paths):
        numbers = node.submit(*paths)
        self.accepted.update(numbers)
        return numbers

    def all_ended(self, patience=120):
        """Waits until every accepted image is known, unknown or failed."""
        def left():
            rows = self.mariadb.rows('SELECT COUNT(*) FROM images WHERE status = 3 OR (status = 0 AND verdict = 0)')
            return int(rows[0][0]) == 0
        until(left, 'all images to end', patience)

    def check(self):
        """Invariants after every test, whatever was killed or frozen."""
        rows = self.mariadb.rows
        ids = {int(r[0]) for r in rows('SELECT id FROM images')}
        assert self.accepted <= ids, f'accepted but not in the table: {sorted(self.accepted - ids)[:10]}'
        assert rows('SELECT path FROM images GROUP BY path HAVING COUNT(*) > 1') == [], 'two rows with one path'
        odd = rows('SELECT i.id, i.verdict, COUNT(f.id) FROM images i LEFT JOIN faces f ON f.image_id = i.id '
                   'GROUP BY i.id HAVING COUNT(f.id) <> (i.verdict IN (1, 2))')
        assert odd == [], f'incomplete results: {odd[:5]}'
        assert rows('SELECT COUNT(*) FROM faces WHERE image_id NOT IN (SELECT id FROM images)') == [['0']]
        counts = rows('SELECT SUM(pending), SUM(processed), SUM(failed), SUM(processing), SUM(unknown), SUM(no_face) '
                      'FROM status_counts')[0]
        counted = [rows(f'SELECT COUNT(*) FROM images WHERE status = {s}')[0][0] for s in range(4)]
        counted += [rows(f'SELECT COUNT(*) FROM images WHERE verdict = {v}')[0][0] for v in (2, 3)]
        assert counts == counted, (counts, counted)

    def finishes(self):
        """(image, attempt) of every finish in any node's log. One run of an image ends at most once."""
        import re
        seen = []
        for kith in self.nodes.values():
            text = kith.log_path.read_text(errors='replace')
            seen += re.findall(r' (?:finished|failed) image=(\d+) attempt=(\d+)', text)
        return seen

    def check_finishes(self):
        seen = self.finishes()
        doubled = {f for f in seen if seen.count(f) > 1}
        assert not doubled, f'finished twice: {sorted(doubled)[:10]}'

    def end(self):
        failures = []
        for name, kith in self.nodes.items():
            if kith.process and kith.process.poll() is None:
                kith.process.send_signal(signal.SIGCONT)  # a test may have failed while it was stopped
            code = kith.stop()
            log = kith.log()
            if code not in (None, 0, -9, 2):
                failures.append(f'{name}: exit {code}:\n{log[-3000:]}')
            for report in ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:',
                              'WARNING: ThreadSanitizer'):
                if report in log:
                    failures.append(f'{name}: {log[log.find(report):][:5000]}')
        assert not failures, '\n'.join(failures)
