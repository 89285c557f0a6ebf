#!/bin/sh
# Checks that every script parses, prints its manual when asked, and refuses an option that it does not know.
#
# usage: check_scripts.sh [top of the source tree]
set -eu
cd "${1:-.}"
failed=0
for script in scripts/*; do
  if ! bash -n "$script"; then failed=1; fi
  case $script in *.sh | *.py) continue ;; esac
  if [ ! -x "$script" ]; then echo "$script: not executable"; failed=1; continue; fi
  if ! "$script" --help | grep -q '^usage: scripts/'; then echo "$script --help: prints no usage"; failed=1; fi
  if ! "$script" --help | grep -q '^examples\{0,1\}:'; then echo "$script --help: has no example"; failed=1; fi
  if "$script" --no-such-option >/dev/null 2>&1; then echo "$script: took --no-such-option"; failed=1; fi
done
exit $failed
