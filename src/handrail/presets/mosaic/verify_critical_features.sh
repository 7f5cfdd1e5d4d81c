#!/bin/sh
# Critical features: what must never be lost, each with the command that shows that it works.
# Write yours between the two lines below, and commit this file:
#
#   verify "the API answers" curl -fsS http://localhost:8000/health
#   verify "nobody gets in without a password" python3 -m pytest -q tests/test_login.py
#
# Exit status 0 if every command succeeded, 1 if one did not.
set -u
cd "$(dirname "$0")/.." || exit 1
verified=0
failed=0

verify() {
  feature=$1
  shift
  if "$@" >/dev/null 2>&1 </dev/null; then
    echo "✅ $feature"
    verified=$((verified + 1))
  else
    echo "❌ $feature: $*"
    failed=$((failed + 1))
  fi
}

# --- critical features -----------------------------------------------------------------------------

# --- end of critical features ----------------------------------------------------------------------

if [ "$failed" -gt 0 ]; then
  echo "❌ CRITICAL FEATURES: $failed of $((verified + failed)) FAILED"
  exit 1
fi
if [ "$verified" -eq 0 ]; then
  echo "⚠️  CRITICAL FEATURES: none is listed in scripts/verify_critical_features.sh yet, so nothing was verified"
  exit 0
fi
echo "✅ CRITICAL FEATURES: all $verified verified"
