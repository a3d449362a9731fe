#!/bin/sh
# Makes .venv from the hash locks: `sh requirements/setup.sh` to serve, `sh requirements/setup.sh dev` to test as well.
# Safe to interrupt, to repeat and to run twice at once; a run with nothing to do ends at once.
set -eu
cd "$(dirname "$0")/.."
wanted="${1:-cpu}"
venv="$PWD/.venv"

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

case "$wanted" in
    cpu) locks="requirements/cpu.txt" ;;
    dev) locks="requirements/cpu.txt requirements/dev.txt" ;;
    *) fail "unknown environment '$wanted': cpu or dev" ;;
esac

# What an up-to-date environment bears; the path belongs to it, for scripts in the environment hold it.
stamp() { echo "$PWD $(cat "$@" requirements/uv.txt pyproject.toml requirements/setup.sh | sha256sum | cut -d' ' -f1)"; }
is_current() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.stamp-$wanted" 2>/dev/null)" = "$(stamp $locks)" ]; }
if is_current; then exit 0; fi

find_python() {
    for python in python3.11 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.11*/bin/python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo missing
}

# Sets `packages` (for apt) and `reasons` to what the machine lacks.
look() {
    packages="" reasons=""
    need() { packages="$packages $1"; reasons="$reasons
    $1: $2"; }
    python="$(find_python)"
    if [ "$python" = missing ]; then
        need python3.11 "Polyphony runs on Python 3.11"
        need python3.11-venv "makes the virtual environment"
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        need python3.11-venv "makes the virtual environment"
    fi
    if [ "$python" = missing ] || ! "$python" -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null; then
        need libnuma1 "vLLM's CPU build places its memory with it"
    fi
}

install_missing() {
    look
    if [ -z "$packages" ]; then return; fi
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        as_root=missing
    fi
    if [ "$as_root" = missing ] || ! command -v apt-get >/dev/null; then
        fail "this machine lacks:$reasons

Install them, on Debian or Ubuntu with
    sudo apt-get install --no-install-recommends$packages
and run this again. Where no such package exists, pyenv or uv bring a Python 3.11 that is found too once it is on the PATH."
    fi
    say "installing with apt-get, for this machine lacks:$reasons"
    apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300"
    $apt update -q || say "apt-get update failed; trying with the lists at hand"
    $apt install -q -y --no-install-recommends $packages || fail "apt-get could not install$packages; install them by hand and run this again"
    look
    [ -z "$packages" ] || fail "still missing after apt-get:$reasons"
}

# Uses the wheelhouses of PIP_FIND_LINKS where there are any, else PyTorch's own index for the CPU build.
install_packages() {
    set -- --python "$venv/bin/python" --require-hashes --no-deps
    if [ -n "${PIP_FIND_LINKS:-}" ]; then
        for place in $PIP_FIND_LINKS; do set -- "$@" --find-links "$place"; done
    else
        set -- "$@" --torch-backend cpu
    fi
    for lock in $locks; do set -- "$@" -r "$lock"; done
    "$venv/bin/uv" pip install "$@" && return
    torch="$(grep -o '^torch==[^ ]*' requirements/cpu.txt)"
    fail "the packages could not be installed; the reason stands above.
If it is $torch: PyPI has no CPU build of it. It comes from PyTorch's own index, which this machine must reach,
or from a folder that holds its wheel: set PIP_FIND_LINKS to that folder and run this again."
}

exec 9<requirements
flock -n 9 || { say "another setup is at work here; waiting for it"; flock 9; }
if is_current; then exit 0; fi

install_missing
if ! "$venv/bin/python" -c '' 2>/dev/null || [ "$(cat "$venv/.root" 2>/dev/null)" != "$PWD" ]; then
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
    echo "$PWD" >"$venv/.root"
fi
say "installing uv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
say "installing the packages of $locks (about 2 GB the first time)"
install_packages
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
say "compiling (once; it makes every start faster)"
# Some packages carry files for other versions of Python, which do not compile.
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || true
stamp requirements/cpu.txt >"$venv/.stamp-cpu"
stamp $locks >"$venv/.stamp-$wanted"
say "the environment is ready"
