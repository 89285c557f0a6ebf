#!/bin/sh
# The example in README.md is a program that is built and run: this checks that it is that program, letter by letter.
#
# usage: check_readme.sh SOURCE_DIR
set -eu
top=$1
shown=$(mktemp)
trap 'rm -f "$shown"' EXIT
awk '/^```cpp$/ {inside = 1; next} /^```$/ {if (inside) exit} inside' "$top/README.md" >"$shown"
[ -s "$shown" ] || { echo "README.md: expected an example between \`\`\`cpp and \`\`\`, found none" >&2; exit 1; }
if ! diff -u "$top/examples/quickstart/quickstart.cc" "$shown"; then
  echo "README.md: expected the example to be examples/quickstart/quickstart.cc, found the differences above" >&2
  exit 1
fi
