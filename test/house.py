#!/usr/bin/env python3
"""Checks the rules of the code (test/house/): includes, sizes, names, messages, documents, format, lint.

    test/house.py           all of them
    test/house.py quick     without clang-format and clang-tidy: one second
"""
import os
import pathlib
import sys

from house import documents, includes, messages, names, sizes, tools
from house.tree import Tree

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    tree = Tree.of_checkout(ROOT)
    for rules in (includes, sizes, names, messages, documents):
        rules.check(tree)
    if sys.argv[1:] != ['quick']:
        tools.check(tree, ROOT, os.environ.get('KITH_BUILD', ROOT / 'build/release'))
    for line in tree.problems:
        print(line)
    print(f'{len(tree.texts)} files, {len(names.unnamed(tree))} static functions without the name of their module (at most '
          f'{names.UNNAMED}), {len(tree.problems)} problems')
    return 1 if tree.problems else 0


if __name__ == '__main__':
    sys.exit(main())
