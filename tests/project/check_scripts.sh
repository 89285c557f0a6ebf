#!/bin/sh
# Checks that every script parses, prints its usage with --help, and rejects unknown options.
#
# usage: check_scripts.sh [SOURCE_DIR]
set -eu
cd "${1:-.}"
failed=0
for script in scripts/*; do
  if ! bash -n "$script"; then failed=1; fi
  case $script in *.sh | *.py) continue ;; esac
  if [ ! -x "$script" ]; then echo "$script: not executable"; failed=1; continue; fi
  if ! "$script" --help | grep -q '^usage: scripts/'; then echo "$script --help: prints no usage line"; failed=1; fi
  if ! "$script" --help | grep -q '^examples\{0,1\}:'; then echo "$script --help: prints no examples"; failed=1; fi
  if "$script" --no-such-option >/dev/null 2>&1; then echo "$script: accepts --no-such-option"; failed=1; fi
done
exit $failed
