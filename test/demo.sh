#!/bin/bash
# What the README shows, on ports of its own: its answers must be right.
#
#   test/demo.sh run        deploy/run.sh
#   test/demo.sh cluster    deploy/cluster.sh
set -euo pipefail
cd "$(dirname "$0")/.."
read -r api dashboard < <(python3 -c '
import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
KITH_API_LISTEN=127.0.0.1:$api KITH_DASHBOARD_LISTEN=127.0.0.1:$dashboard "deploy/$1.sh" --once
