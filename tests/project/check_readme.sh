#!/bin/sh
# Checks that the example in README.md is identical to examples/quickstart, and that the program prints the output that
# README.md shows.
#
# usage: check_readme.sh SOURCE_DIR [QUICKSTART_PROGRAM]
set -eu
top=$1
program=${2-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Writes the first block of README.md that begins with ```$1 to $work/$1.
block() {
  awk -v begin="^\`\`\`$1\$" '$0 ~ begin {inside = 1; next} /^```$/ {if (inside) exit} inside' "$top/README.md" >"$work/$1"
  [ -s "$work/$1" ] || { echo "README.md: expected a block that begins with \`\`\`$1, found none" >&2; exit 1; }
}

block cpp
if ! diff -u "$top/examples/quickstart/quickstart.cc" "$work/cpp"; then
  echo "README.md: expected the example to be examples/quickstart/quickstart.cc, found the differences above" >&2
  exit 1
fi
[ -n "$program" ] || exit 0
block text
(cd "$work" && "$program" >printed)
if ! diff -u "$work/text" "$work/printed"; then
  echo "README.md: expected the output of examples/quickstart, found the differences above" >&2
  exit 1
fi
