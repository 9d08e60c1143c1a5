/*
 * Tables of text: RFC 4180 read from a stream row by row in bounded memory. sheet.h writes them.
 *
 * Reading: fields are separated by commas, rows end in LF, CRLF or CR; a UTF-8 byte order mark is
 * skipped, a line with nothing on it is no row. Everything must be UTF-8 without zero bytes. Blanks
 * belong to their field. A row that is wrong is an error with its line number, and reading goes on
 * behind it, so that a caller can tell about every bad row at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "status.h"

#define CSV_MAX_FIELD_BYTES (64 * 1024)
#define CSV_MAX_ROW_BYTES (1024 * 1024)
#define CSV_MAX_FIELDS 1024

struct csv_reader;

/* Owns: borrows in until csv_reader_free, which does not close it; copies name, which opens every
 * message ("manifest.csv:7: ..."). */
struct csv_reader *csv_reader_new(FILE *in, const char *name);
void csv_reader_free(struct csv_reader *reader);

/*
 * Reads the next row.
 * Owns:   fields stay valid until the next call.
 * Errors: NOT_FOUND after the last row; BAD_INPUT for a row that is not UTF-8 or wrongly quoted,
 *         TOO_LARGE for one over the limits above (the next call reads the row after it, and after
 *         an unclosed quote there is none); FAULT when reading fails.
 */
enum status csv_next(struct csv_reader *reader, struct err *err) MUST_CHECK;

/* The row that csv_next has read. Units: lines count from 1; a row's line is the one it starts on.
 */
int csv_n_fields(const struct csv_reader *reader);
const char *csv_field(const struct csv_reader *reader, int i);
int64_t csv_line(const struct csv_reader *reader);
