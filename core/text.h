/* Text that people give, and others are shown. */
#pragma once

#include "status.h"

#include <stdbool.h>

/*
 * Errors: BAD_INPUT, with `what` it is: empty, over n_max characters, not UTF-8, or with a control or invisible character (but
 * for line ends, where `lines` may be).
 */
enum status text_check(
	const char *what, const char *text, int n_max, bool lines, struct err *err) MUST_CHECK;
