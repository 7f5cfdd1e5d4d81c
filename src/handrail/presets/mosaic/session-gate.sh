#!/bin/sh
# handrail:shim
# Session gate: can a session start from what the last one left? Exit status 0 only if all checks
# passed. What is checked is asked of Handrail; this script needs no jq, and changes nothing.
set -u
nl='
'

# $text: all of stdin, without the newline at its end.
slurp() {
  text=
  while IFS= read -r line || [ -n "$line" ]; do
    text=$text${text:+$nl}$line
  done
}

# $common: the folder that all working trees share, by the .git at $1.
find_common() {
  common=$1
  if [ -f "$common" ]; then
    slurp <"$common"
    text=${text#gitdir: }
    case $text in
      /*) common=$text ;;
      *) common=${1%.git}$text ;;
    esac
  fi
  if [ -f "$common/commondir" ]; then
    slurp <"$common/commondir"
    case $text in
      /*) common=$text ;;
      *) common=$common/$text ;;
    esac
  fi
  [ -d "$common" ]
}

# $root: the nearest folder from $1 upwards that is the top of a working tree.
climb() {
  root=$1
  while ! find_common "$root/.git"; do
    [ -n "$root" ] || return 1
    root=${root%/*}
  done
}

# Whatever goes wrong, also an interpreter that does not start, ends here: nobody can tell.
missing() {
  trap - EXIT
  echo "❌ SESSION GATE: Handrail does not run in this clone, so nothing was checked"
  echo "   Install it: pipx install handrail && handrail init --preset mosaic"
  exit 1
}

case $0 in
  /*) here=${0%/*} ;;
  */*) here=$PWD/${0%/*} ;;
  *) here=$PWD ;;
esac
trap missing EXIT
climb "$here" || climb "$PWD" || exit 1
[ -z "${BASH_VERSION-}" ] || shopt -s execfail
[ -r "$common/handrail/launch" ] || exit 1
cd "$root/" || exit 1
case $common in
  /*) ;;
  *) common=./$common ;;
esac
set -- compat mosaic session-gate
. "$common/handrail/launch"
missing
