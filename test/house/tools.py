"""clang-format and clang-tidy on all sources."""
import os
import re
import subprocess

from house.tree import C_FILES

FILES_PER_RUN = 8


def finish(process):
    output, _ = process.communicate()
    lines = [line for line in output.split('\n') if re.search(r'(error|warning):', line)]
    return lines or ([f'exit {process.returncode}: {output[-500:]}'] if process.returncode else [])


def run(tree, root, command, files, what):
    jobs = [files[i:i + FILES_PER_RUN] for i in range(0, len(files), FILES_PER_RUN)]
    running, failed = [], []
    for job in jobs:
        if len(running) >= (os.cpu_count() or 2):
            failed += finish(running.pop(0))
        running.append(subprocess.Popen([*command, *job], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True))
    for process in running:
        failed += finish(process)
    for line in failed:
        tree.problem(what, line)


def check(tree, root, build):
    sources = [file for file, _ in tree.files(endings=C_FILES)]
    run(tree, root, ['clang-format', '--dry-run', '--Werror'], sources, 'format')
    # Fuzz targets are in the compile commands of the preset fuzz only; clang compiles them with warnings as errors.
    linted = [file for file in sources if file.endswith('.c') and not file.startswith(('test/plugins', 'test/fuzz'))]
    run(tree, root, ['clang-tidy', '-p', build, '--quiet'], linted, 'lint')
