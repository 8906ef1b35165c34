#!/bin/bash
# The benchmarks: sets up, builds, prints a table; --json FILE writes the figures as JSON as well.
#
#   test/bench/run.sh [--json FILE] [--quick] [actor] [accept] [pages] [lists] [start] [recognition] [images] [gallery] [words] [cluster] [renewal] [remote] [hostile] [attacks]
#
# They print figures and never fail for being slow: a shared machine is noisy. Compare runs of one machine, near in time.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/setup.sh bench
cmake --preset release >/dev/null
cmake --build --preset release 2>&1 | { grep -vE '^\[[0-9]+/[0-9]+\]|^ninja: no work' || true; }
exec /usr/bin/python3 test/bench/run.py "$@"
