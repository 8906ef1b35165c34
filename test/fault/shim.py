"""Control of shim.c: which call of a running kith fails, or is its last."""
import ctypes
import mmap
import pathlib

from harness import BUILD

KINDS = ('any', 'allocate', 'read', 'write', 'sync', 'rename', 'send', 'statement', 'commit')


class Control(ctypes.Structure):
    _fields_ = [('kind', ctypes.c_uint32), ('kill', ctypes.c_uint32), ('left', ctypes.c_int64),
                ('injected', ctypes.c_uint64), ('calls', ctypes.c_uint64 * len(KINDS)), ('clock_ms', ctypes.c_int64),
                ('traced', ctypes.c_uint32),
                ('trace', ctypes.c_char * 2048)]


class Shim:
    """One for each kith; its settings stay over restarts."""

    def __init__(self, kith):
        path = pathlib.Path(kith.folder) / 'fault.control'
        path.write_bytes(b'\0' * ctypes.sizeof(Control))
        self.file = open(path, 'r+b')
        self.map = mmap.mmap(self.file.fileno(), 0)
        self.control = Control.from_buffer(self.map)
        kith.variables['LD_PRELOAD'] = str(BUILD / 'test/plugins/fault_shim.so')
        kith.variables['FAULT_CONTROL'] = str(path)

    def arm(self, kind, number, kill=False):
        """The call of that kind with that number, from now on, fails; or the process is killed there."""
        self.disarm()
        self.control.kind = KINDS.index(kind)
        self.control.kill = kill
        self.control.injected = 0
        self.control.left = number

    def disarm(self):
        self.control.left = 0
        self.control.kill = 0

    @property
    def injected(self):
        return self.control.injected > 0

    def calls(self, kind):
        if kind == 'any':
            return sum(self.control.calls[KINDS.index('read'):KINDS.index('send') + 1])
        return self.control.calls[KINDS.index(kind)]

    def set_clock(self, hours):
        """Ahead of the real one."""
        self.control.clock_ms = hours * 3600000

    def clear_trace(self):
        self.control.traced = 0
        ctypes.memset(ctypes.addressof(self.control) + Control.trace.offset, 0, Control.trace.size)

    @property
    def trace(self):
        """The marks of shim.c since clear_trace, in order."""
        return self.control.trace.decode()
