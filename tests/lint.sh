#!/usr/bin/env bash
# Taste kept by a script: formatting, sizes, include directions, banned calls. Prints every finding; exit 1 if any.
set -uo pipefail
cd "$(dirname "$0")/.."

found=0
complain() {
	echo "lint: $*" >&2
	found=1
}

mapfile -t sources < <(find core web gpu schema tools tests \( -name '*.c' -o -name '*.h' \) | sort)
mapfile -t scripts < <(find static tests tools -name '*.js' -o -name '*.mjs' -o -name '*.css' -o -name '*.sh' | sort)

clang-format --dry-run -Werror "${sources[@]}" 2>/tmp/topi-lint.$$ || {
	grep -o '^[^:]*:[0-9]*' /tmp/topi-lint.$$ | sort -u | head -20 >&2
	complain "the files above are not formatted: clang-format -i"
}
rm -f /tmp/topi-lint.$$

for file in "${sources[@]}" "${scripts[@]}"; do
	n=$(wc -l <"$file")
	[ "$n" -le 600 ] || complain "$file has $n lines: split it (600 at most)"
done

forbid() { # pattern, words, files...
	local pattern=$1 words=$2
	shift 2
	local hits
	hits=$(grep -nE "$pattern" "$@" /dev/null) && complain "$words"$'\n'"$hits"
	return 0
}

mapfile -t product < <(find core web gpu tools -name '*.c' -o -name '*.h' | sort)
forbid '\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|rand|srand|system)\(' \
	'banned call (snprintf, strtol with a check, draw_uniform ... instead):' "${product[@]}"
forbid '#include [<"]sqlite3\.h' 'sqlite3.h belongs to core/db.c alone:' \
	$(printf '%s\n' "${product[@]}" | grep -v '^core/db\.c$')
forbid '#include [<"]civetweb\.h' 'civetweb.h belongs to web/civet.c alone:' \
	$(printf '%s\n' "${product[@]}" | grep -v '^web/civet\.c$')
forbid '#include [<"](oneapi/dnnl/)?dnnl' 'oneDNN belongs to gpu/backend_onednn* alone:' \
	$(printf '%s\n' "${product[@]}" | grep -v '^gpu/backend_onednn')
forbid '"(SELECT|INSERT|UPDATE|DELETE) ' 'SQL belongs to schema/queries:' $(find core web gpu -name '*.c')
forbid '\b(time|clock_gettime|gettimeofday|random|getrandom|randombytes_buf)\(' \
	'core has no clock and no randomness of its own:' $(find core -name '*.c' ! -name 'volunteer*.c')
forbid '[^a-z](style|on[a-z]+)="' 'no inline styles or handlers:' $(find static -name '*.html')
for h in web gpu; do
	other=$([ $h = web ] && echo gpu || echo web)
	for header in $(cd $other 2>/dev/null && ls ./*.h 2>/dev/null | sed 's|^\./||'); do
		[ -f "core/$header" ] && continue
		forbid "#include \"$header\"" "$h includes $other's $header:" $(find $h -name '*.[ch]')
	done
done

[ "$found" = 0 ] && echo "lint: clean"
exit "$found"
