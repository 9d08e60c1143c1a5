#!/bin/sh
# Runs browser tests, all or those named, against the program named: tests/browser/run.sh build/topi [FILE...]
set -eu
cd "$(dirname "$0")/../.."
skip() {
	echo "skipped: $1"
	exit 77
}
command -v node >/dev/null || skip "node is not installed"
command -v chromium >/dev/null || skip "chromium is not installed"
[ -d node_modules/playwright-core ] || skip "playwright-core is not installed (npm ci)"
export TOPI=$1
shift
[ $# -gt 0 ] || set -- tests/browser/*.test.mjs
exec node --test --test-reporter=spec "$@"
