"""Pictures that can be recognised by their embedding, and the search for what is left of them in files."""
import pathlib
import random
import struct
import zlib


def noise(seed, width=48, height=48):
    """A picture with a histogram of its own: its embedding is found nowhere else."""
    rng = random.Random(seed)
    low = [rng.randrange(256) for _ in range(12)]

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + bytes(rng.choice(low) ^ rng.randrange(64) for _ in range(3 * width)) for _ in range(height))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def traces(folder, *needles):
    """The files whose name or contents hold one of the byte strings; of long ones, any quarter."""
    parts = []
    for needle in needles:
        needle = needle if isinstance(needle, bytes) else needle.encode()
        n = len(needle)
        parts += [needle] if n < 256 else [needle[i * n // 4:i * n // 4 + 48] for i in range(4)]
    parts = [p for p in parts if p.count(0) < len(p) / 2]
    found = []
    for path in pathlib.Path(folder).rglob('*'):
        try:
            data = path.name.encode() + b'\n' + (path.read_bytes() if path.is_file() else b'')
        except FileNotFoundError:
            continue
        found += [path.name for part in parts if part in data]
    return found
