#!/bin/bash
# Runs the tests of vector kernels on emulated CPUs that lack AVX-512 or AVX2, and compares the digests of results that
# must not depend on the CPU.
#
#   test/emulated.sh BUILD SAMPLES
#
# qemu-user has no AVX-512: test_kernels and test_winograd cover that source with emulated and with plain vectors.
set -euo pipefail
build=$1 samples=$2
command -v qemu-x86_64 >/dev/null || { echo "skipped: there is no qemu-x86_64 (deploy/setup.sh test installs it)"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: only for x86-64"; exit 77; }

# CPUs of the emulator: SSE 4.2; AVX2 and FMA. It warns of features that it cannot emulate.
cpus=(Nehalem Haswell)

on() { # CPU PROGRAM ARGUMENTS…
    local cpu=$1
    shift
    qemu-x86_64 -cpu "$cpu" "$@" 2> >(grep -v 'TCG doesn.t support' >&2)
}

expected=$("$build/kernel_digest" "$samples")
compare() { # WHAT, the digests on standard input
    diff <(echo "$expected") - || { echo "FAILED: results differ: $1"; exit 1; }
    echo "the same digests: $1"
}
for level in plain avx2 avx512; do
    KITH_INSTRUCTIONS=$level "$build/kernel_digest" "$samples" | compare "here, instructions up to $level"
done
for cpu in "${cpus[@]}"; do
    on "$cpu" "$build/kernel_digest" "$samples" | compare "on $cpu"
    on "$cpu" "$build/test_kernels" >"$build/emulated.log" 2>&1 || { cat "$build/emulated.log"; exit 1; }
    on "$cpu" "$build/test_gallery" >"$build/emulated.log" 2>&1 || { cat "$build/emulated.log"; exit 1; }
    on "$cpu" "$build/test_frontal"
    on "$cpu" "$build/test_winograd" quick
    on "$cpu" "$build/test_align" /nowhere || [ $? = 77 ] # made pictures only: dlib takes minutes for photos here
done
