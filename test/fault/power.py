"""A loss of power: what was written and not synced is lost, all of it or some, as the journal of shim_power.c says."""
import os
import pathlib
import shutil
import struct

HEADER = struct.Struct('<IIQqqQQ')
WRITE, CUT, NAME, SYNC, SYNC_FAILED = range(5)


class Power:
    """The journal of one kith; to be made beside its Shim, before its start."""

    def __init__(self, kith):
        self.data = pathlib.Path(kith.folder, 'data')
        self.journal = pathlib.Path(kith.folder, 'fault.journal')
        kith.variables['FAULT_JOURNAL'] = str(self.journal)

    def forget(self):
        """Before a start: what the disk holds now is there to stay."""
        self.journal.unlink(missing_ok=True)

    def lose(self, dice=None):
        """After the end of the process. With dice each unsynced write is lost or not; else all are. Returns how many
        were."""
        entries = list(read(self.journal.read_bytes())) if self.journal.exists() else []
        lost = {e.start for e in unsynced(entries) if not dice or dice.random() < 0.5}
        first = {}  # of each file: from there on all is undone, and done again if it is kept
        for entry in entries:
            if entry.start in lost:
                first.setdefault(entry.inode, entry.start)
        touched = [e for e in entries if e.kind <= NAME and e.start >= first.get(e.inode, len_of(entries))]
        paths = {file.stat().st_ino: file for file in self.data.rglob('*') if file.is_file()}
        for entry in reversed(touched):
            entry.undo(paths)
        for entry in touched:
            if entry.start not in lost:
                entry.redo(paths)
        for shared in self.data.glob('*-shm'):  # memory that processes share, never synced
            shared.unlink()
        return len(lost)


def len_of(entries):
    return entries[-1].start + 1 if entries else 0


def unsynced(entries):
    """A sync keeps what was written before it, but for pages that an earlier one has failed to write. Names are not
    pages: the file system writes them at the next sync, or stops."""
    kept, failed = {}, {}
    for entry in entries:
        if entry.kind == SYNC_FAILED:
            failed[entry.inode] = entry.place
        elif entry.kind == SYNC:
            kept.setdefault(entry.inode, []).append((failed.get(entry.inode, 0), entry.place))
    for entry in entries:
        if entry.kind <= NAME and not any((a <= entry.start or entry.kind == NAME) and entry.start < b
                                          for a, b in kept.get(entry.inode, [])):
            yield entry


def read(journal):
    at = 0
    while at + HEADER.size <= len(journal):
        kind, new_len, inode, where, size, place, old_len = HEADER.unpack_from(journal, at)
        body = at + HEADER.size
        entry = Entry(kind, inode, where, size, place, journal[body:body + old_len],
                      journal[body + old_len:body + old_len + new_len])
        entry.start = at
        at = body + old_len + new_len
        if at <= len(journal):  # else it was killed while it wrote the entry, before the call
            yield entry


class Entry:
    def __init__(self, kind, inode, where, size, place, old, new):
        self.kind, self.inode, self.where, self.size, self.place, self.old, self.new = (
            kind, inode, where, size, place, old, new)

    def undo(self, paths):
        if self.kind == NAME:
            self._undo_name(paths)
        elif self.inode in paths:
            with open(paths[self.inode], 'r+b') as file:
                file.seek(self.where)
                file.write(self.old)
                file.truncate(self.size)

    def _undo_name(self, paths):
        new = pathlib.Path(self.new.decode())
        if new.is_dir():
            shutil.rmtree(new)
        elif self.old and new.exists():
            old = pathlib.Path(self.old.decode())
            paths[new.stat().st_ino] = old
            os.rename(new, old)

    def redo(self, paths):
        if self.kind == NAME and self.old and pathlib.Path(self.old.decode()).exists():
            new = pathlib.Path(self.new.decode())
            if new.parent.is_dir():
                os.rename(self.old.decode(), new)
                paths[new.stat().st_ino] = new
        elif self.kind == NAME and not self.old:
            pathlib.Path(self.new.decode()).mkdir(exist_ok=True)
        elif self.kind != NAME and self.inode in paths and paths[self.inode].exists():
            with open(paths[self.inode], 'r+b') as file:
                if self.kind == CUT:
                    file.truncate(self.where)
                else:
                    file.seek(self.where)
                    file.write(self.new)
