/*
 * The gradient of a convolution by its weights, in bf16 on matrix tiles (AMX): a sum over all output
 * pixels of a slope times an input, so a matrix product whose inner dimension is the pixels.
 *
 * No dnnl here. oneDNN 2.6's own took 62 % of a step at 96 px; its planes are small and its tiles
 * then mostly empty. Here the pixels of a whole batch are one row of numbers: a tile is always full.
 */
#pragma once

#include "net.h"

#include <stdint.h>

/* One axis of the kernel: tap a meets input pixel stride * (x + shift[a]) + phase[a] at output x. */
struct tile_axis {
	int phase[8], shift[8];
};

struct tile_gradient {
	int n, kernel, stride;
	int c_in, h, w; /* input */
	int c_out, out_h, out_w;
	struct tile_axis axis;
	int is_spread; /* few input channels: every tap of each is a row of its own */
	/* Positions: rows rows of pitch for each image, one after another; what no pixel fills is zero,
	 * so that a tap is a shift of the row of numbers and images part themselves. */
	int pitch, rows, n_positions;
	int chunk;        /* positions between two barriers, a multiple of 32 */
	int margin;       /* positions that a tap may reach before a chunk */
	int width;        /* of a row of inputs: margin, chunk, margin and some */
	int n_rows;       /* of inputs a tap: channels, or taps of all channels; in whole tiles */
	int n_planes;     /* stride * stride: inputs by their row's and column's phase */
	size_t n_scratch; /* bytes; 0: it does not fit */
};

/* Whether this processor (and system) has the tiles. */
int tile_gradient_is_here(void);

/*
 * Shapes: a batch of n. layer is a NET_CONV with a stride of 1 or 2 and a kernel of up to 7.
 * Returns 0 where its channels do not fit: c_out (and c_in, unless it is 3) in whole sixteens.
 */
int tile_gradient_init(
	struct tile_gradient *g, const struct net *net, const struct net_layer *layer, int n);

/*
 * Runs on the OpenMP team; the same bits for any number of threads.
 * Shapes: x [n][h][w][c_in] and slope [n][out_h][out_w][c_out] in bf16; gradient
 * [c_out][c_in][kernel][kernel], written. Owns: borrows scratch, n_scratch bytes aligned to 64,
 * whose contents are nothing before and after.
 */
void tile_gradient_run(const struct tile_gradient *g, const uint16_t *x, const uint16_t *slope,
	float *gradient, void *scratch);
