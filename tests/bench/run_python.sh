#!/bin/sh
# Runs a Python test. Without a suitable Python, prints why and exits with 77, which ctest reports as skipped.
#
# usage: run_python.sh TEST.py
set -eu
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
  echo "skipped: Python 3.9 or later not found (scripts/setup --bench installs it)"
  exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here:$here/../../bench/harness:$here/../../bench/peers" exec python3 "$1"
