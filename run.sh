#!/bin/sh
# Runs graphengine from this checkout: ./run.sh [ARGS]. The first time it installs what is needed.
# Without arguments it makes a picture: workflows/text_to_image.json.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$root/tools/environment.sh"
prepare_environment
if [ $# -eq 0 ]; then
    set -- run "$root/workflows/text_to_image.json"
fi
exec "$root/.venv/bin/python" -m graphengine "$@"
