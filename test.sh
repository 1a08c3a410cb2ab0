#!/bin/sh
# All checks: ./test.sh [PYTEST ARGS]. The first time it installs what is needed, also a browser.
# Without arguments all tests run, on two processes; with arguments pytest gets those instead.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$root/tools/environment.sh"
prepare_environment test
cd "$root"

step() {
    name=$1
    shift
    say "$name: $*"
    "$root/.venv/bin/python" -m "$@" || fail "FAILED at: $name"
}

web() {
    say "editor: npm run $1"
    "$root/.venv/bin/python" "$root/hatch_build.py" npm run --silent "$1" || fail "FAILED at: editor"
}

step lint ruff check .
step format ruff format --check .
step types mypy
if [ $# -eq 0 ]; then
    prepare_web_tests
    web check
    # From here on a missing browser or bundle is a failure, no reason to skip.
    export GRAPHENGINE_TEST_EDITOR=1
    # Two processes share the cores, so each of them computes on one.
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
    set -- -n 2
fi
step tests pytest "$@"
