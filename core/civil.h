/*
 * Dates and clock times without time zones: what a camera's clock shows, as plain arithmetic.
 *
 * A civil second counts seconds since 1970-01-01T00:00:00 on the clock that was read, whatever its
 * offset from UTC; utc_s = civil_s - offset_s once the offset is known. The calendar is the
 * proleptic Gregorian one, years 1 to 9999, without leap seconds (as POSIX counts). Nothing here
 * asks libc for a time zone, a locale or the time of day. Day arithmetic: Howard Hinnant,
 * "chrono-compatible low-level date algorithms".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Room for "2020-05-30T04:57:37.123+02:00" and its zero. */
#define CIVIL_TEXT 32
#define CIVIL_MAX_OFFSET_S (18 * 3600)

/* Units: month 1-12, day 1-31, hour 0-23, minute and second 0-59. */
struct civil_date {
	int year, month, day, hour, minute, second;
};

/* A reading of a clock. Units: civil_s as above; millisecond 0-999; offset_s east of UTC, 0 unless
 * has_offset. */
struct civil_time {
	int64_t civil_s;
	int millisecond;
	bool has_offset;
	int offset_s;
};

/* Whether the fields name a second that the calendar has. */
bool civil_date_valid(const struct civil_date *date);

/* The civil second of a valid date, and back. Seconds outside years 1 to 9999 are a caller's
 * mistake. */
int64_t civil_seconds(const struct civil_date *date);
struct civil_date civil_date_of(int64_t civil_s);

/*
 * Reads ISO 8601 date and time: `2020-05-30T04:57:37+02:00`, `Z`, no offset, a space for the T,
 * seconds left out, a fraction of a second (kept to the millisecond, cut, not rounded).
 * Owns:   borrows text; writes out only on OK.
 * Errors: BAD_INPUT for anything else: a date alone, a 31 June, hour 24, second 60, an offset
 *         over 18 h, a year outside 2 to 9998 (so that no offset leads out of the calendar),
 *         text after the time.
 */
enum status civil_parse(const char *text, struct civil_time *out, struct err *err) MUST_CHECK;

/* Reads an offset from UTC: `+02:00`, `-0330`, `+02`, `Z`. Errors: BAD_INPUT. */
enum status civil_parse_offset(const char *text, int *offset_s, struct err *err) MUST_CHECK;

/* Writes the instant utc_s as the clock at offset_s shows it, `2020-05-30T04:57:37+02:00` (`Z` for
 * 0), with milliseconds only where they are not 0. offset_s is a whole number of minutes. */
void civil_format(int64_t utc_s, int millisecond, int offset_s, char out[CIVIL_TEXT]);

/* Writes a civil second without an offset, `2020-05-30T04:57:37`. */
void civil_format_local(int64_t civil_s, char out[CIVIL_TEXT]);
