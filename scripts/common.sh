# Functions shared by the scripts. Source this file after setting `top` to the root of the checkout.
# shellcheck shell=bash

started=$SECONDS

# Prints the time since the given value of $SECONDS, in minutes and seconds.
elapsed() {
  local spent=$((SECONDS - $1))
  if [ "$spent" -ge 60 ]; then printf '%dm%02ds' $((spent / 60)) $((spent % 60)); else printf '%ds' "$spent"; fi
}

# Prints a heading with the time elapsed since the script started.
heading() { printf '\n== %s  [%s]\n' "$*" "$(elapsed "$started")"; }

die() { printf '%s: %s\n' "scripts/$(basename "$0")" "$*" >&2; exit 1; }

# Prints the comment block at the top of the script, which is its manual.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# Exits with an error unless the value of an option is a positive integer: positive --jobs "$2".
positive() {
  case $2 in '' | *[!0-9]* | 0*) die "$1 needs a positive integer, not '$2'" ;; esac
}

jobs_default() { nproc 2>/dev/null || echo 2; }

# Configures a preset: configure <preset> [CMake arguments]. Prints nothing on success. Runs every time, because Ninja
# reruns CMake after a change of a CMakeLists.txt, but not after a change of a preset. Warnings are errors only in
# continuous integration, since a user's compiler may have warnings that ours does not have.
configure() {
  local preset=$1 log="$top/build/$1.configure.log"
  mkdir -p "$top/build"
  [ -z "${CI:-}" ] || set -- "$@" -DLEAFSTORE_DEVELOPER=ON
  (cd "$top" && cmake --preset "$@") >"$log" 2>&1 || { cat "$log"; die "cmake --preset $preset failed"; }
}
