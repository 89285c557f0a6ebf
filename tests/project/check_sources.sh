#!/bin/sh
# Checks that no source is forgotten: each .h, .cc and .proto file is named by the CMakeLists.txt of its folder (or of a
# folder above). A test that is not listed would never run, and nobody would see it.
#
# usage: check_sources.sh [top of the source tree]
set -eu
cd "${1:-.}"
failed=0
for file in $(find core treedef store optim proto checkpoint interop tools examples bench tests \
  -path tests/project -prune -o -type f \( -name '*.h' -o -name '*.cc' -o -name '*.proto' \) -print | LC_ALL=C sort); do
  folder=$(dirname "$file")
  while [ ! -f "$folder/CMakeLists.txt" ]; do folder=$(dirname "$folder"); done
  name=${file#"$folder"/}
  # A test's header need not be listed: its sources include it. replay_main.cc comes with leafstore_fuzzer.
  case $file in tests/*.h | tests/fuzz/replay_main.cc) continue ;; esac
  if ! sed 's/#.*//' "$folder/CMakeLists.txt" | tr -s ' ()\t' '\n' | grep -qxF "$name"; then
    echo "$file: not named in $folder/CMakeLists.txt"
    failed=1
  fi
done
exit $failed
