#!/bin/bash
# Creates the secrets of a deployment: deploy/secrets.sh FOLDER. Existing files are kept.
#
#   api-keys                 for KITH_API_KEYS_FILE: the hash of an admin key
#   api-key                  that key, for clients
#   database-password        of the user kith
#   database-root-password   of MariaDB's root
set -euo pipefail
folder=${1:?usage: deploy/secrets.sh FOLDER}
umask 027
mkdir -p "$folder"
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for name in database-password database-root-password; do
    [ -s "$folder/$name" ] || random >"$folder/$name"
done
if [ ! -s "$folder/api-keys" ]; then
    key=kith_$(random)
    printf '%s' "$key" >"$folder/api-key"
    printf 'admin sha256:%s admin\n' "$(printf '%s' "$key" | sha256sum | cut -d' ' -f1)" >"$folder/api-keys"
fi
# The user of the containers reads them by its group; other users cannot.
chmod 640 "$folder"/*
if [ "$(id -u)" = 0 ]; then
    chgrp 10001 "$folder"/*
fi
echo "secrets: $folder"
