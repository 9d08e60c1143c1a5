/*
 * A CSV file being written: UTF-8, commas, RFC 4180 (quotes only where they are needed, lines end in CRLF), streamed
 * through a fixed buffer, with the SHA-256 of what was written.
 *
 * A cell that is not known is empty, never 0. A failure of the disk is kept and comes out of the next sheet_end_row or
 * of sheet_finish, so that cells are written without a check each.
 */
#pragma once

#include "civil.h"
#include "status.h"

#include <stdint.h>

struct sheet;

struct sheet_sum {
	int64_t n_rows; /* without the header */
	int64_t n_bytes;
	char sha256[65]; /* hex */
};

/*
 * Makes a new file with one header row.
 * Shapes: header ends with NULL.
 * Owns:   the caller ends *out with sheet_finish or sheet_free.
 * Errors: CONFLICT the file exists; NOT_FOUND its folder does not; FULL; BAD_INPUT it cannot be made.
 */
enum status sheet_open(
	const char *path, const char *const *header, struct sheet **out, struct err *err) MUST_CHECK;

/* One cell each. Bytes that are no UTF-8 are written as U+FFFD. NULL text is an empty cell. */
void sheet_text(struct sheet *s, const char *text);
void sheet_int(struct sheet *s, int64_t value);
void sheet_real(
	struct sheet *s, double value); /* the fewest digits that read back as the same number */
void sheet_empty(struct sheet *s, int n_cells);
/* Local time with its offset, to the second: 2020-05-30T04:57:37+02:00 (iso_time below). */
void sheet_time(struct sheet *s, int64_t unix_ms, int64_t utc_offset_s);

/* Ends a row. Errors: FULL, FAULT; FAULT too where the row has not as many cells as the header. */
enum status sheet_end_row(struct sheet *s, struct err *err) MUST_CHECK;

/* Writes what is left, syncs and closes; frees s whatever happens. Errors: FULL, FAULT. */
enum status sheet_finish(struct sheet *s, struct sheet_sum *out, struct err *err) MUST_CHECK;
void sheet_free(
	struct sheet *s); /* gives up: closes and leaves the file to the caller; NULL is fine */

/* What errno says about a file: FULL for a full disk, CONFLICT where it exists, NOT_FOUND, else BAD_INPUT. */
enum status file_error(int code, const char *path, struct err *err);

/* To the second, and the offset to the minute, as ISO 8601 has no more: "2020-05-30T04:57:37+02:00", "Z" for 0. */
void iso_time(int64_t unix_ms, int64_t utc_offset_s, char out[CIVIL_TEXT]);
