/* One pass over the characters. */
#include "text.h"

/* The next character of UTF-8 text, or -1: cut short, overlong, a surrogate, over U+10FFFF. */
static long next_character(const unsigned char **p)
{
	static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = *p;
	int n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	if (n == 0)
		return -1;
	long c = n == 1 ? s[0] : s[0] & (0x7f >> n);
	for (int i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return -1;
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += n;
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? -1 : c;
}

/* Control characters, and those that draw nothing or turn the text around: names must look apart. */
static bool unseen(long c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

enum status text_check(const char *what, const char *text, int n_max, bool lines, struct err *err)
{
	const unsigned char *p = (const unsigned char *)text;
	int n = 0;
	while (*p) {
		long c = next_character(&p);
		if (c < 0)
			return err_set(err, BAD_INPUT, "%s is not UTF-8", what);
		if (unseen(c) && !(lines && c == '\n'))
			return err_set(err, BAD_INPUT, "%s has a control or invisible character", what);
		if (++n > n_max)
			return err_set(err, BAD_INPUT, "%s is over %d characters", what, n_max);
	}
	return n > 0
		? OK
		: err_set(err, BAD_INPUT, "%s is empty: 1 to %d characters are wanted", what, n_max);
}
