#!/usr/bin/env bash
# Installs what topi needs and is missing: Debian 12 packages by name, npm packages from the committed lock file.
# Quiet and quick when nothing is missing. Needs root or sudo only where something is.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
	gcc libc6-dev make cmake ninja-build pkg-config
	libsqlite3-dev libcivetweb-dev libjansson-dev libjpeg62-turbo-dev libsodium-dev libcurl4-openssl-dev zlib1g-dev libdnnl-dev
	libcmocka-dev clang-format sqlite3 curl ca-certificates
)
# The browser tests and the export's peers; a machine without Node.js gets Debian's.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
command -v chromium >/dev/null || packages+=(chromium)

missing=()
for package in "${packages[@]}"; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	sudo=()
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || { echo "setup: ${missing[*]} must be installed: run as root" >&2; exit 1; }
		sudo=(sudo)
	fi
	echo "setup: installing ${missing[*]}"
	"${sudo[@]}" apt-get update -qq
	DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ -f package-lock.json ] && ! cmp -s package-lock.json node_modules/.installed-lock; then
	echo "setup: installing npm packages"
	npm ci --no-audit --no-fund --silent
	cp package-lock.json node_modules/.installed-lock
fi
