#!/bin/sh
# Runs a test in Python, or says why it cannot be run, with the code that ctest takes for skipped.
#
# usage: run_python.sh TEST.py
set -eu
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
  echo "skipped: no python3 from 3.9 on (scripts/setup --bench installs it)"
  exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here:$here/../../bench/harness:$here/../../bench/peers" exec python3 "$1"
