#!/usr/bin/env bash
# tools/gpu-deps.sh DIR: on a machine with Debian's packages, unpacks under DIR the few libraries that a machine with a
# card may lack and that tools/gpu-check.sh --deps DIR builds with: libjpeg-turbo, Jansson, cmocka. A few MiB.
set -euo pipefail
[ $# = 1 ] || { echo "usage: tools/gpu-deps.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root libjpeg62-turbo libjpeg62-turbo-dev libjansson4 libjansson-dev libcmocka0 libcmocka-dev
for package in ./*.deb; do
	dpkg -x "$package" "$dir"
done
rm -rf "$dir/usr/share"
find "$dir" -name '*.a' -delete
for link in $(find "$dir" -type l); do # files alone: links may not travel
	cp --remove-destination "$(readlink -f "$link")" "$link"
done
du -sh "$dir"
