#!/bin/sh
# Checks that no source is forgotten: each .cc and .proto file, and each header of a library, is named by the
# CMakeLists.txt of its folder (or of a folder above). A test that is not listed would never run, and nobody would see
# it; a header that is not listed would not be installed.
#
# usage: check_sources.sh [top of the source tree]
set -eu
cd "${1:-.}"
failed=0
for file in $(find core io treedef store select pack numeric optim proto checkpoint interop tools examples bench tests \
  -path tests/project -prune -o -type f \( -name '*.h' -o -name '*.cc' -o -name '*.proto' \) -print | LC_ALL=C sort); do
  folder=$(dirname "$file")
  while [ ! -f "$folder/CMakeLists.txt" ]; do folder=$(dirname "$folder"); done
  name=${file#"$folder"/}  # Headers of programs are installed nowhere; replay_main.cc comes with leafstore_fuzzer.
  case $file in tools/*.h | examples/*.h | bench/*.h | tests/*.h | tests/fuzz/replay_main.cc) continue ;; esac
  if ! sed 's/#.*//' "$folder/CMakeLists.txt" | tr -s ' ()\t' '\n' | grep -qxF "$name"; then
    echo "$file: not named in $folder/CMakeLists.txt"
    failed=1
  fi
done
exit $failed
