"""Messages have numbers of their own, and each actor lists the types that it accepts."""
import re

from house.tree import without_comments


def members(body):
    """(name, value) of an enum's members; a value that is no number counts as 0."""
    number = -1
    for name, value in re.findall(r'(\w+)\s*(?:=\s*([^,]+))?(?:,|$)', body.strip()):
        try:
            number = int(value, 0) if value else number + 1
        except ValueError:
            number = 0
        yield name, number


def check_numbers(tree):
    seen = {}
    for file, text in tree.files(r'(core|actors|plugins/host|cli)/', ('.c', '.h')):
        for body in re.findall(r'enum\s*\w*\s*\{([^}]*)\}', without_comments(text)):
            for name, number in members(body):
                if not re.match(r'(MSG|STORE|WORKER)_[A-Z_]+(?<!_MS)$', name) or not 0x1000 <= number < 0x8000:
                    continue
                if number in seen:
                    tree.problem(file, f'{name} has the number of {seen[number]}')
                seen[number] = name
    return seen


def check_accepts(tree):
    for file, text in tree.files('actors/', ('.c',)):
        if 'const struct actor_ops' in text and '.accepts =' not in text:
            tree.problem(file, 'an actor does not list the messages that it accepts')


def check(tree):
    if len(check_numbers(tree)) < 50:
        tree.problem('test/house/messages.py', 'does not find the message types')
    check_accepts(tree)
