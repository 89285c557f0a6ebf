#!/bin/sh
# Checks the rules for #include:
#
#   - A folder includes only from the folders that `allow` lists for it (as in docs/design.md).
#   - Only proto/ includes generated protobuf headers.
#   - Headers that include Eigen are named *_eigen.h.
#   - Only programs print.
#   - Public headers (those outside internal/) include internal headers of their own folder only, and do not mention
#     leafstore::internal in their interface.
#
# usage: check_includes.sh [SOURCE_DIR]
#
# Prints `file:line: reason` for each violation, and exits with 1 if there is any. Needs sh and awk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}"
failed=0

find . -name build -prune -o -name 'bad_tree' -prune -o -name '.?*' -prune -o \
  -type f \( -name '*.h' -o -name '*.cc' -o -name '*.inc' \) -print |
  sed 's|^\./||' | LC_ALL=C sort | awk '
  BEGIN {
    allow["core"] = "core"
    allow["io"] = "core io"
    allow["treedef"] = "core treedef"
    allow["store"] = "core treedef store"
    allow["select"] = "core treedef store pack select"
    allow["pack"] = "core treedef store pack"
    allow["numeric"] = "core treedef store select pack numeric"
    allow["optim"] = "core treedef store select pack numeric optim"
    allow["proto"] = "core treedef store select proto"
    allow["checkpoint"] = "core io treedef store pack select proto checkpoint"
    allow["interop"] = "core io treedef store pack select proto checkpoint interop"
    allow["tools"] = "core io treedef store select pack numeric optim proto checkpoint interop tools"
    allow["examples"] = "core io treedef store select pack numeric optim proto checkpoint interop"
    allow["bench"] = "core io treedef store select pack numeric optim proto checkpoint interop"
    split("tools examples bench tests", list); for (i in list) prints[list[i]] = 1
    split("examples bench tests", list); for (i in list) uses_eigen[list[i]] = 1
  }
  function wrong(reason) { printf "%s:%d: %s\n", file, line_number, reason; failed = 1 }
  function check(line,    name, target, header) {
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
    if (line !~ /^[<"]/) return
    name = substr(line, 2)
    sub(/[>"].*$/, "", name)
    header = file ~ /\.h$/

    if (name ~ /^leafstore\//) {
      split(name, part, "/")
      target = part[2]
      if (is_public && name ~ /\/internal\// && target != folder)
        wrong("a public header includes an internal header of another folder: " name)
      if (folder in allow && index(" " allow[folder] " ", " " target " ") == 0)
        wrong(folder "/ must not include from " target "/: " name)
    } else if (line ~ /^"/ && name !~ /\// && (folder "/" name) in present) {
      wrong("include leafstore/" folder "/" name ", not " name)
    }
    if (name ~ /\.pb\.h$/ && file !~ /^((tests\/)?proto|tests\/fuzz)\//)
      wrong("only proto/ includes generated headers: " name)
    if (name ~ /^(unsupported\/)?Eigen\// && header && !(folder in uses_eigen) && file != "core/tensor_eigen.h")
      wrong("the only header that includes Eigen is core/tensor_eigen.h: " name)
    if (name == "leafstore/core/tensor_eigen.h" && header && !(folder in uses_eigen) && file !~ /_eigen\.h$/)
      wrong("a header that includes Eigen must be named *_eigen.h: " name)
    if (name ~ /^(iostream|cstdio|stdio\.h)$/ && !(folder in prints))
      wrong("only programs may print: " name)
  }
  { present[$0] = 1; files[++count] = $0 }
  END {
    for (n = 1; n <= count; ++n) {
      file = files[n]
      folder = file; sub(/\/.*$/, "", folder)
      line_number = 0
      is_public = file ~ /\.h$/ && file !~ /\/internal\// && !(folder in prints)
      while ((getline text < file) > 0) {
        ++line_number
        if (text ~ /^[ \t]*#[ \t]*include/) check(text)
      }
      close(file)
    }
    if (count == 0) { print "no sources found"; failed = 1 }
    exit failed
  }' || failed=1

# File names in this project contain no spaces.
# shellcheck disable=SC2046
awk -f "$here/check_public_headers.awk" /dev/null $(find core io treedef store select pack numeric optim proto checkpoint interop \
  -name internal -prune -o -name '*.h' -type f -print 2>/dev/null | LC_ALL=C sort) || failed=1
exit $failed
