#!/bin/bash
# Runs a command beside a MariaDB of its own: on a free loopback port, in a temporary folder, gone with the command.
#
#   test/mariadb.sh COMMAND …      KITH_TEST_DATABASE tells it mariadb://kith@127.0.0.1:PORT/kith (the password is "kith"),
#                                  KITH_TEST_SQL a command that reads SQL as the server's root
set -euo pipefail
folder=$(mktemp -d /tmp/kith-mariadb-XXXXXX)
mkdir "$folder/tmp" # of its own: a server that starts deletes temporary tables of others in a shared folder
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
pid=
finish() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap finish EXIT
mariadb-install-db --no-defaults --datadir="$folder/data" --tmpdir="$folder/tmp" --auth-root-authentication-method=normal --skip-test-db \
    --user="$(id -un)" >"$folder/install.log" 2>&1 || { tail "$folder/install.log" >&2; exit 1; }
mariadbd --no-defaults --user="$(id -un)" --datadir="$folder/data" --tmpdir="$folder/tmp" --socket="$folder/socket" --port="$port" \
    --bind-address=127.0.0.1 --innodb-buffer-pool-size=64M >"$folder/log" 2>&1 &
pid=$!
export KITH_TEST_SQL="mariadb --no-defaults -uroot -S $folder/socket"
for _ in $(seq 300); do
    kill -0 "$pid" || { tail "$folder/log" >&2; exit 1; }
    ! $KITH_TEST_SQL -e 'SELECT 1' >/dev/null 2>&1 || break
    read -r -t 0.1 <> <(:) || true
done
$KITH_TEST_SQL -e "CREATE USER kith@'127.0.0.1' IDENTIFIED BY 'kith'; GRANT ALL ON *.* TO kith@'127.0.0.1'; CREATE DATABASE kith"
export KITH_TEST_DATABASE="mariadb://kith@127.0.0.1:$port/kith"
"$@"
