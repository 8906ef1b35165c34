#!/bin/bash
# Installs what is missing, builds, and runs the tests. Ends with the reason of each skipped test and ctest's summary.
#
#   test/run.sh           everything: clang, address+undefined and thread sanitizers, fuzz targets, release;
#                         test/fuzz/run.sh MINUTES fuzzes for longer
#   test/run.sh quick     the release build only
#   test/run.sh unit      the dev build, its unit tests on SQLite and the quick rules: half a minute after the build
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in '' | quick | unit) ;; *)
    echo "usage: test/run.sh [quick|unit]" >&2
    exit 2
    ;;
esac

build() { # PRESET
    cmake --preset "$1" -DKITH_REQUIRE_TESTS=ON >/dev/null
    cmake --build --preset "$1" 2>&1 | { grep -vE '^\[[0-9]+/[0-9]+\]|^ninja: no work' || true; }
}

# ctest hides the output of tests that pass or are skipped: the reasons are in its log. They are printed before the summary.
run_tests() { # PRESET OPTIONS…
    local preset=$1
    shift
    ctest --preset "$preset" -j 2 --no-tests=error "$@" | awk -v record="build/$preset/Testing/Temporary/LastTest.log" '
        /tests passed, .* failed out of/ { summary = 1 }
        summary { rest = rest $0 "\n"; next }
        { print; fflush() }
        END {
            while ((getline line < record) > 0)
                if (line ~ /^SKIPPED |^skipped: /)
                    print line
            printf "%s", rest
        }'
}

deploy/setup.sh test
if [ "${1:-}" = unit ]; then
    build dev
    run_tests dev -j "$(nproc)" -R '^(unit|house\.(quick|rules))' -E mariadb
    exit
fi
if ! [ -d build/node/node_modules/playwright-core ]; then
    mkdir -p build/node
    (cd build/node && npm install --silent --no-audit --no-fund --no-package-lock playwright-core@1.48.2 >/dev/null) ||
        { echo "test: npm could not fetch playwright-core (network?)" >&2; exit 1; }
fi
test/tools.sh

failed=0
build release
if [ "${1:-}" != quick ]; then
    build clang # warnings of the other compiler
    for preset in asan tsan; do
        build "$preset"
        run_tests "$preset" || failed=1
    done
    build fuzz # without clang's fuzzer there are no such tests
    ctest --preset fuzz || failed=1
fi
run_tests release || failed=1
exit $failed
