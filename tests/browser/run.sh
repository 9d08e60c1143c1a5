#!/bin/sh
# Runs the browser tests against the program named: tests/browser/run.sh build/tools/topi
set -eu
cd "$(dirname "$0")/../.."
skip() {
	echo "skipped: $1"
	exit 77
}
command -v node >/dev/null || skip "node is not installed"
command -v chromium >/dev/null || skip "chromium is not installed"
[ -d node_modules/playwright-core ] || skip "playwright-core is not installed (npm ci)"
TOPI=$1 exec node --test --test-reporter=spec tests/browser/*.test.mjs
