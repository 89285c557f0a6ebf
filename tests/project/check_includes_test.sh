#!/bin/sh
# Tests check_includes.sh: for the source tree bad_tree/, it must print exactly the violations in bad_tree.expected.
set -eu
cd "$(dirname "$0")"
expected=bad_tree.expected
if found=$(sh ./check_includes.sh bad_tree); then
  echo "check_includes.sh found no violations in bad_tree"
  exit 1
fi
if [ "$found" != "$(cat $expected)" ]; then
  printf 'expected (%s):\n%s\n\nfound:\n%s\n' "$expected" "$(cat $expected)" "$found"
  exit 1
fi
