#!/bin/sh
# Checks that each .cc and .proto file, and each header of a library, is listed in the CMakeLists.txt of its folder or of
# the nearest folder above that has one. A test that is not listed would never run; a header that is not listed would not
# be installed. Also checks that installed headers include only installed headers.
#
# usage: check_sources.sh [SOURCE_DIR]
set -eu
cd "${1:-.}"
failed=0
for file in $(find core io treedef store select pack numeric optim proto checkpoint interop tools examples bench tests \
  -path tests/project -prune -o -type f \( -name '*.h' -o -name '*.cc' -o -name '*.proto' \) -print | LC_ALL=C sort); do
  folder=$(dirname "$file")
  while [ ! -f "$folder/CMakeLists.txt" ]; do folder=$(dirname "$folder"); done
  name=${file#"$folder"/}  # Headers of programs are not installed; functions of LeafstoreTargets.cmake add these sources.
  case $file in tools/*.h | examples/*.h | bench/*.h | tests/*.h | tests/fuzz/replay_main.cc | tests/sanitizer_options.cc | \
    tests/refusing_new.cc) continue ;; esac
  if ! sed 's/#.*//' "$folder/CMakeLists.txt" | tr -s ' ()\t' '\n' | grep -qxF "$name"; then
    echo "$file: not listed in $folder/CMakeLists.txt"
    failed=1
  fi
done

# The files after HEADERS in a CMakeLists.txt are the installed ones.
awk '
  FILENAME ~ /CMakeLists.txt$/ {
    folder = FILENAME; sub(/^\.\//, "", folder); sub(/\/CMakeLists.txt$/, "", folder)
    if ($1 ~ /^(SOURCES|PROTOS|DEPS|PRIVATE_DEPS)$/) headers = 0
    if (headers && $1 ~ /\.h$/) { header = folder "/" $1; installed[header] = 1; list[++count] = header }
    if ($1 == "HEADERS") headers = 1
  }
  END {
    if (count == 0) { print "no installed headers found"; failed = 1 }
    for (i = 1; i <= count; ++i) {
      while ((getline line < list[i]) > 0) {
        if (line !~ /^[ \t]*#[ \t]*include[ \t]*"leafstore\//) continue
        split(line, part, "\"")
        name = substr(part[2], length("leafstore/") + 1)
        if (!(name in installed)) { print list[i] ": includes " name ", which is not installed"; failed = 1 }
      }
      close(list[i])
    }
    exit failed
  }' ./*/CMakeLists.txt || failed=1
exit $failed
