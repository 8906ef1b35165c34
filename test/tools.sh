#!/bin/bash
# The tools that tests check with, into build/tools: what Debian does not have, or only too old. Fetches
# what is missing, nothing else. One that cannot be had here is named, and its tests say that they are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/build/tools
mkdir -p "$tools/bin"

fail() {
    echo "tools: $*" >&2
    exit 1
}

# go_tool NAME MODULE@VERSION
go_tool() {
    [ -x "$tools/bin/$1" ] && return
    if ! command -v go >/dev/null; then
        echo "tools: no $1: there is no Go on this machine" >&2
        return
    fi
    echo "tools: building $1"
    GOBIN="$tools/bin" GOFLAGS=-modcacherw go install "$2" >"$tools/go.log" 2>&1 ||
        echo "tools: no $1: $(tail -n 1 "$tools/go.log")" >&2
}

go_tool kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
go_tool h2spec github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
if ! [ -d "$tools/python/kubernetes_validate" ]; then
    echo "tools: fetching kubernetes-validate"
    /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$tools/python" \
        kubernetes-validate==1.37.0 >"$tools/pip.log" 2>&1 || fail "could not fetch it (network?): $(tail -n 1 "$tools/pip.log")"
fi
if ! [ -x "$tools/bin/promtool" ]; then
    echo "tools: fetching promtool"
    # Out of its package: to install that would start a server.
    (cd "$tools" && { apt-get download prometheus || { apt-get update -qq && apt-get download prometheus; }; } &&
        dpkg -x prometheus_*.deb prometheus && cp prometheus/usr/bin/promtool bin/ && rm -rf prometheus prometheus_*.deb) \
        >"$tools/apt.log" 2>&1 || fail "could not fetch it (network?): $(tail -n 1 "$tools/apt.log")"
fi
