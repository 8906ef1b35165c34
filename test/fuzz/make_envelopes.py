#!/usr/bin/env python3
"""Writes the corpus of fuzz_envelope: an envelope of each type, valid ones and ones with a single fault."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'cluster'))
from servers import envelope, field  # noqa: E402

FOLDER = pathlib.Path(__file__).parent / 'corpus/envelope'
SENDER = {'id': 1, 'node': 'a', 'boot': 7, 'sender': 'processor', 'cluster': '0123456789abcdef'}


def double(number, value):
    return bytes([number << 3 | 1]) + struct.pack('<d', value)


def floats(number, *values):
    return field(number, struct.pack(f'<{len(values)}f', *values))


def face(embedding=(1, 2, 3, 4)):
    candidate = field(1, 3) + field(2, 'Ann') + double(3, 0.4) + double(4, 0.9)
    return (floats(6, 1, 2, 3, 4) + floats(7, *embedding) + double(9, 0.4) + double(10, 0.9) + field(11, 3)
            + field(12, 'Ann') + field(13, candidate) + field(15, 2))


def found(**given):
    return (field(1, 'example') + field(2, '1') + field(3, 'colours') + field(4, 1) + field(5, 4) + double(6, 0.5)
            + field(7, 64) + field(8, 64) + field(10, 'abc') + field(11, face(**given)))


def main():
    recognize = field(1, 1) + field(3, '/images/a.jpg')
    presence = (field(1, '0.1.0') + field(2, 'all') + field(3, '127.0.0.1:8000') + field(4, 2) + field(5, 2)
                + field(7, field(1, 'breaker') + field(2, 1)) + field(8, 1700000000000))
    files = {
        'presence': envelope(type=1, body=presence, **SENDER),
        'leaving': envelope(type=10, body=presence, **SENDER),
        'recognize': envelope(type=2, to='breaker', correlation=9, budget_ms=1000, body=recognize, **SENDER),
        'recognize_bytes': envelope(type=2, to='breaker', correlation=9, body=recognize + field(4, 1) + field(5, b'\xff\xd8'),
                                    **SENDER),
        'recognized': envelope(type=3, answer=1, correlation=9, body=field(4, found()), **SENDER),
        'match': envelope(type=4, to='gallery', correlation=9, body=field(1, found()), **SENDER),
        'matched': envelope(type=5, answer=1, correlation=9, body=field(1, found()) + field(2, 4) + double(3, 0.5), **SENDER),
        'changed': envelope(type=6, to='gallery', correlation=9, **SENDER),
        'resolved': envelope(type=7, answer=1, correlation=9, body=field(1, 3), **SENDER),
        'nudge': envelope(type=9, to='processor', **SENDER),
        'part': envelope(type=2, to='breaker', part=1, parts=3, body=b'\0' * 32, **SENDER),
        'bad_to': envelope(type=9, to='processor@**', **SENDER),
        'bad_actor': envelope(type=9, to='store', **SENDER),
        'bad_node': envelope(type=9, to='processor', **{**SENDER, 'node': 'a.b'}),
        'bad_number': envelope(type=4, to='gallery', correlation=9, body=field(1, found(embedding=(float('nan'),))), **SENDER),
        'unknown_type': envelope(type=4242, to='gallery', correlation=9, **SENDER),
        'truncated': envelope(type=4, to='gallery', correlation=9, body=field(1, found()), **SENDER)[:-9],
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)


if __name__ == '__main__':
    main()
