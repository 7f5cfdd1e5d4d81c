#!/bin/sh
# handrail:shim
# Hold leases while a command runs, and no longer.
# Handrail answers; this file finds it by the launch line of this clone.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
root=$(git -C "$here" rev-parse --show-toplevel 2>/dev/null) || root=$here
common=$(git -C "$root" rev-parse --git-common-dir 2>/dev/null) || common=.git
case $common in
  /*) ;;
  *) common=$root/$common ;;
esac
if [ -r "$common/handrail/launch" ]; then
  set -- compat -C "$root" lanes agent-run "$@"
  . "$common/handrail/launch"
fi
echo "[agent-run][fail] this clone does not run Handrail;" \
  "next: pipx install handrail && handrail init --preset lanes" >&2
exit 1
