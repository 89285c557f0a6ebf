# What the scripts share; sourced, after `top` is set to the top of the checkout.
# shellcheck shell=bash

started=$SECONDS

# Minutes and seconds since the given value of $SECONDS.
elapsed() {
  local spent=$((SECONDS - $1))
  if [ "$spent" -ge 60 ]; then printf '%dm%02ds' $((spent / 60)) $((spent % 60)); else printf '%ds' "$spent"; fi
}

# A heading with the time gone by since the script began.
heading() { printf '\n== %s  [%s]\n' "$*" "$(elapsed "$started")"; }

die() { printf '%s: %s\n' "scripts/$(basename "$0")" "$*" >&2; exit 1; }

# Prints the block of comments with which a script begins: its manual.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# Complains unless an option's value is a whole number above zero: positive --jobs "$2".
positive() {
  case $2 in '' | *[!0-9]* | 0*) die "$1 takes a positive number, not '$2'" ;; esac
}

jobs_default() { nproc 2>/dev/null || echo 2; }

# Configures a preset, quietly if that goes well. Ninja runs CMake again by itself when a CMakeLists.txt has changed; a
# preset that has changed it does not see, which is why this runs each time. What follows the preset goes to CMake. In
# continuous integration warnings are errors; for a user, whose compiler may know new ones, they are not.
configure() {
  local preset=$1 log="$top/build/$1.configure.log"
  mkdir -p "$top/build"
  [ -z "${CI:-}" ] || set -- "$@" -DLEAFSTORE_DEVELOPER=ON
  (cd "$top" && cmake --preset "$@") >"$log" 2>&1 || { cat "$log"; die "cmake --preset $preset failed"; }
}
