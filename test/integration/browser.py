"""A real browser for tests: test/browser/page.js drives Chromium."""
import json
import os
import shutil
import subprocess

from harness import PATIENCE_S, ROOT, until

NODE = ROOT / 'build/node/node_modules'
CHROMIUM = shutil.which('chromium')


class Page:
    """A browser controlled over a pipe: one command a line, one JSON answer a line."""

    def __init__(self, address, shots):
        self.process = subprocess.Popen(['node', ROOT / 'test/browser/page.js', f'http://{address}/', CHROMIUM, str(shots)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, 'NODE_PATH': str(NODE)})
        self.ask('ready')

    def ask(self, *command):
        self.process.stdin.write(json.dumps(command) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, 'the browser is gone'
        answer = json.loads(line)
        assert 'error' not in answer, answer['error']
        return answer['value']

    def rows(self):
        return self.ask('rows')

    def until_row(self, number, condition):
        def find():
            row = next((r for r in self.rows() if r['id'] == str(number)), None)
            return row if row and condition(row) else None
        return until(find, f'row {number}')

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
