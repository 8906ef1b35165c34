#!/bin/bash
# Runs the fuzz targets of build/fuzz.
#
#   test/fuzz/run.sh MINUTES [TARGET…]   each target (default: all) for that long, from the seeds and what was found
#                                        before; findings go to build/fuzz/findings
#   test/fuzz/run.sh replay BUILD TARGET RUNS MAX_LEN   the seeds, made and committed, then RUNS new inputs (ctest)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

seeds() { # BUILD TARGET: the folders of its inputs
    echo "$1/corpus/$2"
    [ ! -d "$here/corpus/$2" ] || echo "$here/corpus/$2"
}

options() { # TARGET
    echo -rss_limit_mb=2048 -timeout=20
    [ ! -f "$here/$1.dict" ] || echo "-dict=$here/$1.dict"
}

replay() { # BUILD TARGET RUNS MAX_LEN: the same seed gives the same inputs
    # shellcheck disable=SC2046
    "$1/fuzz_$2" $(options "$2") -runs="$3" -max_len="$4" -seed=1 -print_final_stats=1 \
        -artifact_prefix="$1/fuzz_$2." $(seeds "$1" "$2" | sed "1s|^|$scratch |") 2>&1 |
        grep -vE '^#|# Uses: |NEW_FUNC|^INFO: (Loaded|Running|-max_len)' | tail -n 60
}

if [ "${1:-}" = replay ]; then
    scratch=$(mktemp -d) # new inputs go there: a run does not depend on earlier ones
    trap 'rm -rf "$scratch"' EXIT
    replay "$2" "$3" "$4" "$5"
    exit
fi

build=$here/../../build/fuzz
minutes=${1:?"usage: test/fuzz/run.sh MINUTES [TARGET…]"}
shift
[ $# -gt 0 ] || mapfile -t all < <(cd "$build" && ls fuzz_* | grep -E '^fuzz_[a-z_]+$' | sed 's/^fuzz_//')
failed=0
for target in "${@:-${all[@]}}"; do
    mkdir -p "$build/grown/$target" "$build/findings"
    # shellcheck disable=SC2046
    "$build/fuzz_$target" $(options "$target") -max_total_time=$((minutes * 60)) -print_final_stats=1 \
        -artifact_prefix="$build/findings/$target." "$build/grown/$target" $(seeds "$build" "$target") \
        >"$build/fuzz_$target.log" 2>&1 || { failed=1; echo "$target: FAILED, see $build/fuzz_$target.log"; }
    awk -v t="$target" '/number_of_executed_units/ {print t ": " $2 " inputs"}' "$build/fuzz_$target.log"
done
exit $failed
