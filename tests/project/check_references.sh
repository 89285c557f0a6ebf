#!/bin/sh
# Checks that the files exist that documents, comments and messages name with their folder, such as core/path.h, and the
# files that links in documents lead to.
#
# usage: check_references.sh [SOURCE_DIR]
set -eu
cd "${1:-.}"
folders='core|io|treedef|store|select|pack|numeric|optim|proto|checkpoint|interop|tools|examples|bench|tests|docs|cmake|scripts'
text() {
  # shellcheck disable=SC2046
  find $(echo "$folders" | tr '|' ' ') -path tests/project -prune -o -path tests/fuzz/corpus -prune -o -type f -print
  ls ./*.md CMakeLists.txt
}

# Prints "file:line:reference" for each reference to a missing file.
missing() {
  text | xargs grep -noE "(^|[^A-Za-z0-9_./-])($folders)(/[a-z0-9_]+)+\.(h|cc|inc|proto|md|sh|py|js|cmake|leaf|csv)\b" |
    sed -E 's/^([^:]+:[0-9]+:)[^A-Za-z]/\1/' | while IFS=: read -r file line name; do
    if [ ! -e "$name" ] && [ ! -e "$(dirname "$file")/$name" ]; then echo "$file:$line:$name"; fi
  done
  text | grep '\.md$' | xargs grep -noE '\]\([A-Za-z0-9_./-]+[)#]' | sed -E 's/\]\((.*).$/\1/' | while IFS=: read -r file line name; do
    if [ ! -e "$(dirname "$file")/$name" ]; then echo "$file:$line:$name"; fi
  done
}

found=$(missing)
[ -z "$found" ] || { echo "$found" | sed 's/:\([^:]*\)$/: no such file: \1/'; exit 1; }
