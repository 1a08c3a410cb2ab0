#!/bin/sh
# Runs graphengine from this checkout: ./run.sh [ARGS]. The first time it installs what is needed.
# Without arguments it serves the editor and prints its address.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$root/tools/environment.sh"
prepare_environment
if [ $# -eq 0 ]; then
    set -- serve
fi
exec "$root/.venv/bin/python" -m graphengine "$@"
