#!/bin/bash
# Sets up, builds, demonstrates, serves.
#
#   deploy/run.sh           a demonstration with real photos, then serves
#   deploy/run.sh --once    stops after the table: exit 0 when every result was right
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in '' | --once) ;; *)
    echo "usage: deploy/run.sh [--once]" >&2
    exit 2
    ;;
esac
deploy/setup.sh
[ -f build/release/build.ninja ] || cmake --preset release >build-release.log || { cat build-release.log; exit 1; }
rm -f build-release.log
cmake --build --preset release
exec python3 deploy/demo.py "$@"
