#!/bin/bash
# Makes an empty virtual environment, or says in one line what the machine lacks.
#   scripts/make-venv.sh PYTHON DIRECTORY
set -euo pipefail
python=$1
directory=$2

missing() {
    echo "hopline: $1" >&2
    echo "hopline: on Debian and Ubuntu:  apt-get install python3 python3-venv make" >&2
    exit 3
}

command -v "$python" >/dev/null || missing "there is no $python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || missing "$("$python" --version) is too old, 3.11 is needed"
# Debian ships `venv` without `ensurepip`; python3-venv brings it.
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing "$python cannot make virtual environments"

# Made beside and renamed at the end would break the scripts' own paths; a half-made one is removed instead.
rm -rf "$directory"
trap 'rm -rf "$directory"' ERR INT TERM
"$python" -m venv "$directory"
