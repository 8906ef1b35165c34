"""A random walk of file operations in the folder of known people, and who must be enrolled after each."""
import random
import shutil

from harness import png


def face(n):
    """The picture of person n: one colour."""
    return png(20 + n * 40 % 200, 20 + n // 5 * 40 % 200, 20 + n // 25 * 40)


class Walk:
    """The operations on a Folder of test_folder.py, with a model of its files."""

    OPERATIONS = ('new', 'new', 'copy', 'move', 'move', 'folder', 'overwrite', 'delete', 'back', 'swap', 'link', 'away')

    def __init__(self, folder, seed):
        self.folder, self.random = folder, random.Random(seed)
        self.files = {}  # path → the number of its content, or of a symbolic link the path to which it leads
        self.gone = {}  # the same of deleted files
        self.holder, self.count = {}, 0

    def name(self):
        deep = self.random.choice(('', '', '2019/'))
        return f'{self.random.choice(("Ann", "Bo", "Cleo", "Dora"))}/{deep}{self.random.randrange(6)}.png'

    def content(self, path):
        """None: there is no file, or the link leads nowhere."""
        for _ in range(len(self.files) + 1):
            path = self.files.get(path)
            if not isinstance(path, str):
                return path
        return None

    def step(self):
        """An operation that would leave no file is another one: an empty folder forgets nobody."""
        while True:
            operation = self.random.choice(self.OPERATIONS) if self.files else 'new'
            some = self.random.choice(sorted(self.files)) if self.files else None
            path = self.name()
            before = dict(self.files)
            getattr(self, 'plan_' + operation)(some, path)
            if any(self.content(p) for p in self.files):
                break
            self.files = before
        self.act(operation, some, path, before)
        return operation, some, path

    def plan_new(self, some, path):
        self.count += 1
        self.files[path] = self.count

    def plan_overwrite(self, some, path):
        self.plan_new(some, some)

    def plan_copy(self, some, path):
        if self.content(some):
            self.files[path] = self.content(some)

    def plan_move(self, some, path):
        self.files[path] = self.files.pop(some)

    def plan_swap(self, some, path):
        if path in self.files:
            self.files[some], self.files[path] = self.files[path], self.files[some]

    def plan_delete(self, some, path):
        self.gone[some] = self.content(some) or 1
        del self.files[some]

    def plan_back(self, some, path):
        if self.gone:
            path = self.random.choice(sorted(self.gone))
            self.files[path] = self.gone.pop(path)

    def plan_link(self, some, path):
        if some != path:
            self.files[path] = some

    def plan_away(self, some, path):
        """The folder of a person is deleted."""
        for path in [p for p in self.files if p.split('/')[0] == some.split('/')[0]]:
            self.plan_delete(path, None)

    def plan_folder(self, some, path):
        """A folder is renamed, unless there is one of the new name."""
        old = some.split('/')[0]
        new = self.random.choice([n for n in ('Ann', 'Bo', 'Cleo', 'Dora', 'Emil', 'Fred') if n != old])
        if not any(p.split('/')[0] == new for p in self.files):
            self.files = {new + p[len(old):] if p.split('/')[0] == old else p: c for p, c in self.files.items()}

    def act(self, operation, some, path, before):
        """Makes the folder what the plan says."""
        of = self.folder.path
        if operation == 'folder':
            old, new = ({p.split('/')[0] for p in files} for files in (before, self.files))
            for name in old - new:
                to = of / (new - old).pop()
                if to.exists():  # without a file
                    shutil.rmtree(to)
                (of / name).rename(to)
        elif operation == 'move' and some != path:
            (of / path).parent.mkdir(parents=True, exist_ok=True)
            (of / some).rename(of / path)
        elif operation == 'swap' and path in before and some != path:
            aside = self.folder.aside / 'swapped'
            (of / some).rename(aside)
            (of / path).rename(of / some)
            aside.rename(of / path)
        else:
            for gone in before.keys() - self.files.keys():
                (of / gone).unlink()
            for made, what in self.files.items():
                if before.get(made) == what:
                    continue
                if isinstance(what, str):
                    (self.folder.aside / 'link').symlink_to(of / what)
                    (of / made).parent.mkdir(parents=True, exist_ok=True)
                    (self.folder.aside / 'link').rename(of / made)
                else:
                    self.folder.put(made, face(what))

    def expected(self):
        """Of files with the same content one is enrolled: the one that was, else the first."""
        holder = {}
        for path in sorted(self.files):
            content = self.content(path)
            if content is None:
                continue
            if self.content(self.holder.get(content)) == content:
                holder[content] = self.holder[content]
            else:
                holder.setdefault(content, path)
        self.holder = holder
        people = {}
        for path in holder.values():
            people[path.split('/')[0]] = people.get(path.split('/')[0], 0) + 1
        return people
