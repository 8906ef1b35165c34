"""The files of the checkout, and the problems found in them."""
import pathlib
import re
import subprocess

C_FILES = ('.c', '.h', '.cpp')
SOURCES = (*C_FILES, '.py', '.sh', '.js', '.css')


class Tree:
    """Tracked and new files by path. A test makes one from a dictionary."""

    def __init__(self, texts):
        self.texts = texts
        self.problems = []

    @classmethod
    def of_checkout(cls, root):
        listed = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard'], capture_output=True,
                                text=True, check=True)
        texts = {}
        for name in listed.stdout.split('\n'):
            path = pathlib.Path(root, name)
            if not name or not path.is_file() or path.is_symlink():
                continue
            try:
                texts[name] = path.read_text()
            except UnicodeDecodeError:
                texts[name] = None
        return cls(texts)

    def problem(self, where, what):
        self.problems.append(f'{where}: {what}')

    def files(self, pattern='', endings=('',)):
        """(path, text) of the text files whose path begins as the regular expression says and ends with one of the
        endings."""
        return [(f, t) for f, t in sorted(self.texts.items())
                if t is not None and re.match(pattern, f) and f.endswith(tuple(endings))]

    def text(self, file):
        return self.texts.get(file) or ''


def without_comments(text):
    return re.sub(r'/\*.*?\*/|//[^\n]*', '', text, flags=re.S)


def lines_with(text, pattern):
    """(line number, match) of each match."""
    return [(text.count('\n', 0, match.start()) + 1, match) for match in re.finditer(pattern, text)]
