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
    pip_install --no-build-isolation --editable "$root${extra:+[$extra]}"
}

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check \
        --constraint "$root/constraints.txt" "$@" >&2 ||
        fail "installing failed (see above). Is the network there, and room on the disk?"
}
