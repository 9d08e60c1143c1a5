#!/bin/sh
# Prints Lighthouse's scores of the page: tools/bench/lighthouse.sh build/topi
# Lighthouse is no dependency of the project (200 packages): it is installed into a temporary folder.
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" lighthouse@12.8.2
TOPI=$program node tests/browser/lighthouse.mjs "$folder"
