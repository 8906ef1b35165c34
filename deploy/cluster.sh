#!/bin/bash
# A cluster on this machine: MariaDB, NATS and three kith nodes with different roles, on loopback, in a temporary folder
# that is removed at the end.
#
#   deploy/cluster.sh           starts it, prints the addresses, runs until Ctrl-C
#   deploy/cluster.sh --once    posts the sample photos, prints the results by node, and stops
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in '' | --once) ;; *)
    echo "usage: deploy/cluster.sh [--once]" >&2
    exit 2
    ;;
esac
deploy/setup.sh cluster
[ -f build/release/build.ninja ] || cmake --preset release >build-release.log || { cat build-release.log; exit 1; }
rm -f build-release.log
cmake --build --preset release
exec python3 deploy/cluster.py "$@"
