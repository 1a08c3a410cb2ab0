#!/bin/sh
# All checks: ./test.sh [PYTEST ARGS]. The first time it installs what is needed, also a browser.
# Without arguments all tests run, most of them on two processes; with arguments pytest gets those
# instead.
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
if [ $# -gt 0 ]; then
    step tests pytest "$@"
    exit
fi
prepare_web_tests
web check
# Two processes share the cores, so each of them computes on one.
OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" step tests pytest -n 2 --ignore=tests/editor
# The browser and the server want the cores for themselves. A missing browser is a failure here.
GRAPHENGINE_TEST_EDITOR=1 step "tests of the editor" pytest tests/editor
