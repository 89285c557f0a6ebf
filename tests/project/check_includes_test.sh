#!/bin/sh
# Shows that check_includes.sh can fail: over the tree of bad includes beside it, it must say exactly what is expected.
set -eu
cd "$(dirname "$0")"
expected=bad_tree.expected
if found=$(sh ./check_includes.sh bad_tree); then
  echo "check_includes.sh passed a tree of bad includes"
  exit 1
fi
if [ "$found" != "$(cat $expected)" ]; then
  printf 'expected (%s):\n%s\n\nfound:\n%s\n' "$expected" "$(cat $expected)" "$found"
  exit 1
fi
