#!/bin/sh
# Takes the guards out one by one, and sees their tests fail.
#
# Each *.patch beside this script names a guard and the test that watches it, and takes the guard
# out. The last commit is copied and its tests are run as it is: they must pass. Then each patch is
# applied by itself: it must compile, and its test must fail. Not part of `cargo test`.
#
# `run.sh [GUARD ...]`: all of them, or those that are named.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here" && git rev-parse --show-toplevel)
target=${CARGO_TARGET_DIR:-$root/target}/guards
tree=$target/tree
log=$target/last.log
export CARGO_TARGET_DIR="$target"
mkdir -p "$target"

fresh() {
    rm -rf "$tree"
    mkdir "$tree"
    git -C "$root" archive HEAD | tar -x -C "$tree"
    cd "$tree"
    # What was built of another copy must not pass for this one.
    find src tests -name '*.rs' -exec touch {} +
}

# A file of tests, or those beside the code.
target() {
    case $1 in lib) echo --lib ;; *) echo "--test $1" ;; esac
}

build() {
    cargo test --quiet --no-run $(target "$1") >"$log" 2>&1
}

# Runs the test of a patch; it is told which one.
run() {
    cargo test --quiet $(target "$1") -- --exact "$2" >"$log" 2>&1
}

header() {
    sed -n "s/^$1: //p" "$2" | head -n 1
}

row() {
    printf '%-20s  %-70s  %s\n' "$1" "$2" "$3"
}

[ $# -gt 0 ] || set -- $(cd "$here" && ls *.patch)
patches=$(for guard; do echo "$here/${guard%.patch}.patch"; done)

failed=0
fresh
row guard test 'red without it?'
for test in $(sed -n 's/^Test: \(.*\) \(.*\)/\1=\2/p' $patches | sort -u); do
    set -- ${test%%=*} ${test#*=}
    if ! build "$1" || ! run "$1" "$2" || ! grep -q 'test result: ok. 1 passed' "$log"; then
        cat "$log"
        echo "the test $2 is not green with its guard in place"
        exit 1
    fi
done
for patch in $patches; do
    guard=$(basename "$patch" .patch)
    set -- $(header Test "$patch")
    fresh
    if ! (GIT_CEILING_DIRECTORIES=$target git apply "$patch") >"$log" 2>&1; then
        verdict='NO: the patch does not apply'
    elif ! build "$1"; then
        verdict='NO: it does not compile'
    elif run "$1" "$2"; then
        verdict='NO: the test is green'
    else
        verdict=yes
    fi
    row "$guard" "$1::$2" "$verdict"
    [ "$verdict" = yes ] || { failed=1; tail -n 20 "$log"; }
done
rm -rf "$tree"
exit $failed
