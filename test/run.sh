#!/bin/bash
# Set up, build, every test: with the release build all of them; with the sanitizers those in which memory and threads
# can go wrong. Ends with ctest's summary.
#
#   test/run.sh           everything; test/fuzz/run.sh MINUTES fuzzes for longer than its tests do
#   test/run.sh quick     the release build only
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup.sh test
if ! [ -d build/node/node_modules/playwright-core ]; then
    mkdir -p build/node
    (cd build/node && npm install --silent --no-audit --no-fund --no-package-lock playwright-core@1.48.2 >/dev/null) ||
        { echo "test: npm could not fetch playwright-core (network?)" >&2; exit 1; }
fi

test/tools.sh

build() {
    cmake --preset "$1" >/dev/null
    cmake --build --preset "$1" 2>&1 | { grep -vE '^\[[0-9]+/[0-9]+\]|^ninja: no work' || true; }
}

failed=0
build release
if [ "${1:-}" != quick ]; then
    for preset in asan tsan; do
        build "$preset"
        ctest --preset "$preset" --no-tests=error || failed=1
    done
    build fuzz # without clang's fuzzer there are no such tests
    ctest --preset fuzz || failed=1
fi
ctest --preset release --no-tests=error || failed=1
exit $failed
