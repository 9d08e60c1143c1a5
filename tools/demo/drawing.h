/*
 * A taxon as the grid of answers shows it: one animal, broadside, by day, on paper, as large as it fits.
 */
#pragma once

#include "canvas.h"
#include "status.h"

enum { DRAWING_W = 240, DRAWING_H = 180 };

/* t: TAXON_*, not blank. Owns: the caller frees the canvas. */
struct canvas drawing_new(int t);

/* Writes DIR/CODE.jpg of every taxon but blank. Errors: FAULT, FULL with the path that cannot be written. */
enum status drawings_write(const char *dir, struct err *err) MUST_CHECK;
