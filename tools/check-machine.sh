#!/bin/sh
# Says what this machine lacks to build gapless, and which Debian or Ubuntu package has it.
#
# usage: tools/check-machine.sh PYTHON [--install]
# --install: when run by root, install what is missing with apt-get. Exit status 1 when something stays missing.
set -u

python=${1:-python3}
install=${2:-}

look() {
    missing= # package names, separated by spaces
    found=   # what to tell about each

    if ! command -v "$python" >/dev/null 2>&1; then
        found="$found
  $python: not found"
        missing="$missing python3 python3-dev python3-venv"
    elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        found="$found
  $python is $("$python" -c 'import platform; print(platform.python_version())'); gapless needs Python 3.11 or later (then: make PYTHON=python3.11)"
        missing="$missing python3.11 python3.11-dev python3.11-venv"
    else
        version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        if ! "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; then
            found="$found
  the headers of Python (Python.h)"
            missing="$missing $version-dev"
        fi
        if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            found="$found
  the venv module of Python"
            missing="$missing $version-venv"
        fi
    fi

    if ! command -v ${CC:-cc} >/dev/null 2>&1; then
        found="$found
  a C compiler (${CC:-cc})"
        missing="$missing gcc libc6-dev"
    elif ! echo '#include <stdio.h>
int main(void) { return 0; }' | ${CC:-cc} -x c -fsyntax-only - >/dev/null 2>&1; then
        found="$found
  the headers of the C library (stdio.h)"
        missing="$missing libc6-dev"
    fi
    [ -z "$missing" ]
}

look && exit 0

if [ "$install" = --install ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing what is missing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null
    # shellcheck disable=SC2086 # one word a package
    apt-get install -y -qq --no-install-recommends $missing </dev/null
    look && exit 0
fi

{
    echo "gapless cannot be built here yet. Missing:$found"
    echo
    echo "On Debian or Ubuntu:"
    echo
    if [ "$(id -u)" = 0 ]; then sudo=; else sudo='sudo '; fi
    echo "    ${sudo}apt-get install$missing"
    echo
} >&2
exit 1
