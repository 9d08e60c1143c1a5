/*
 * See tile_gradient.h. For a chunk of positions at a time: slopes go into tiles of pairs of
 * positions (what the multiplier takes as its second operand), inputs into rows of positions, one a
 * channel, of which a tap reads a tile at its shift; then each thread adds its own blocks of the
 * result, 32 x 32 of a row of taps, which stay in scratch between chunks. Chunks are in order and
 * nobody shares a block, so the sums are too.
 */
#include "tile_gradient.h"

#include <string.h>

#define TILE 16 /* rows of a tile, and floats or pairs of bf16 in its row */
#define STEP 32 /* positions that one multiplication sums */
#define MAX_CHANNELS 4096
#define N_BYTES_L2 (1 << 20) /* of inputs and slopes in a chunk */
#define N_L1 256 /* positions of 32 channels each of both that stay in the first cache */

static int ceil_to(int x, int unit)
{
	return (x + unit - 1) / unit * unit;
}

int tile_gradient_init(
	struct tile_gradient *g, const struct net *net, const struct net_layer *l, int n)
{
	const struct net_act *in = &net->acts[l->src], *out = &net->acts[l->dst];
	int before = 0, after = 0, k = l->kernel;
	*g = (struct tile_gradient){.n = n,
		.kernel = k,
		.stride = l->stride,
		.c_in = in->c,
		.h = in->h,
		.w = in->w,
		.c_out = out->c,
		.out_h = out->h,
		.out_w = out->w,
		.is_spread = in->c == 3,
		.n_planes = l->stride * l->stride};
	if (k > 8 || in->c > MAX_CHANNELS || out->c > MAX_CHANNELS || l->stride > 2 || out->c % TILE ||
		(in->c % TILE && !g->is_spread))
		return 0;
	for (int a = 0; a < k; a++) {
		int at = a - l->pad, phase = ((at % l->stride) + l->stride) % l->stride;
		g->axis.phase[a] = phase;
		g->axis.shift[a] = (at - phase) / l->stride;
		before = -g->axis.shift[a] > before ? -g->axis.shift[a] : before;
		after = g->axis.shift[a] > after ? g->axis.shift[a] : after;
	}
	int wide = (in->w + l->stride - 1) / l->stride, high = (in->h + l->stride - 1) / l->stride;
	g->pitch = out->w + after > wide + before ? out->w + after : wide + before;
	g->rows = out->h + after > high + before ? out->h + after : high + before;
	g->n_positions = ceil_to(n * g->rows * g->pitch, STEP);
	g->n_rows = g->is_spread ? ceil_to(in->c * k * k, TILE) : in->c;
	g->chunk = N_BYTES_L2 / 2 / (g->n_rows * (g->is_spread ? 1 : g->n_planes) + out->c);
	g->chunk = ceil_to(g->chunk < 1024 ? 1024 : g->chunk, STEP);
	g->chunk = g->chunk > g->n_positions ? g->n_positions : g->chunk;
	g->margin = ceil_to((before > after ? before : after) * (g->pitch + 1), STEP);
	g->width = g->chunk + 2 * g->margin;
	g->width += g->width / STEP % 2 ? 0 : STEP; /* odd lines: rows of a tile in different sets */
	size_t n_inputs = (size_t)g->n_planes * (size_t)in->c + (g->is_spread ? (size_t)g->n_rows : 0);
	size_t n_taps = g->is_spread ? 1 : (size_t)(k * k);
	g->n_scratch = n_taps * (size_t)g->n_rows * (size_t)out->c * sizeof(float) +
		(size_t)out->c * (size_t)g->chunk * 2 + n_inputs * (size_t)g->width * 2;
	return 1;
}

#ifdef __x86_64__

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILES __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl")))

int tile_gradient_is_here(void)
{
	enum { ASK_FOR_STATE = 0x1023, TILE_DATA = 18 }; /* Linux: arch_prctl's ARCH_REQ_XCOMP_PERM */
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
		syscall(SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) == 0;
}

/* The parts of scratch. */
struct parts {
	float *sums;               /* [taps][n_rows / 16][c_out / 16] tiles of [16][16] */
	uint16_t *slopes;          /* [c_out / 16][chunk / 32] tiles of [16 pairs][16][2] */
	uint16_t *inputs, *spread; /* [planes][c_in][width]; [n_rows][width] */
};

static struct parts parts_of(const struct tile_gradient *g, void *scratch)
{
	size_t n_taps = g->is_spread ? 1 : (size_t)(g->kernel * g->kernel);
	struct parts p = {.sums = scratch};
	p.slopes = (uint16_t *)(p.sums + n_taps * (size_t)g->n_rows * (size_t)g->c_out);
	p.inputs = p.slopes + (size_t)g->c_out * (size_t)g->chunk;
	p.spread = p.inputs + (size_t)(g->n_planes * g->c_in) * (size_t)g->width;
	return p;
}

/* Pixels that lie at positions: every stride-th of a picture's, from a first one. */
struct pixels {
	const uint16_t *at;
	int c, h, w, stride, y, x;
};

/* Where the pixels of 32 positions are; where there is none, zeros. */
static void find_pixels(
	const struct tile_gradient *g, const struct pixels *p, int position, const uint16_t *at[STEP])
{
	static const uint16_t zeros[MAX_CHANNELS];
	int image = position < 0 ? -1 : position / (g->rows * g->pitch);
	int rest = position < 0 ? position + g->rows * g->pitch : position % (g->rows * g->pitch);
	int row = rest / g->pitch, column = rest % g->pitch;
	for (int i = 0; i < STEP; i++) {
		int y = row * p->stride + p->y, x = column * p->stride + p->x;
		int is_there = image >= 0 && image < g->n && y < p->h && x < p->w;
		at[i] = is_there ? p->at +
				(((size_t)image * (size_t)p->h + (size_t)y) * (size_t)p->w + (size_t)x) *
					(size_t)p->c
						 : zeros;
		if (++column == g->pitch) {
			column = 0;
			if (++row == g->rows) {
				row = 0;
				image++;
			}
		}
	}
}

/* Of 16 channels from c: pair[i] is positions 2i and 2i + 1 of the first, of the second, … */
TILES static inline void load_pairs(const uint16_t *const at[STEP], int c, __m512i pair[TILE])
{
	const __m512i mix = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
		8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
	for (int i = 0; i < TILE; i++) {
		__m256i even = _mm256_loadu_si256((const __m256i *)(at[2 * i] + c));
		__m256i odd = _mm256_loadu_si256((const __m256i *)(at[2 * i + 1] + c));
		pair[i] = _mm512_permutexvar_epi16(
			mix, _mm512_inserti64x4(_mm512_castsi256_si512(even), odd, 1));
	}
}

/* 16 x 16 of 32 bits. */
TILES static inline void transpose(__m512i v[TILE])
{
	__m512i t[TILE], u[TILE];
	for (int i = 0; i < TILE; i += 2) {
		t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
	}
	for (int i = 0; i < TILE; i += 4) {
		u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		__m512i even = _mm512_shuffle_i32x4(u[i], u[i + 4], 0x88);
		__m512i odd = _mm512_shuffle_i32x4(u[i], u[i + 4], 0xdd);
		__m512i even2 = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0x88);
		__m512i odd2 = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0xdd);
		v[i] = _mm512_shuffle_i32x4(even, even2, 0x88);
		v[i + 4] = _mm512_shuffle_i32x4(odd, odd2, 0x88);
		v[i + 8] = _mm512_shuffle_i32x4(even, even2, 0xdd);
		v[i + 12] = _mm512_shuffle_i32x4(odd, odd2, 0xdd);
	}
}

/* A block of 32 positions of a chunk's slopes. */
TILES static void put_slopes(
	const struct tile_gradient *g, const uint16_t *slope, int start, int block, uint16_t *slopes)
{
	const struct pixels pixels = {slope, g->c_out, g->out_h, g->out_w, 1, 0, 0};
	const uint16_t *at[STEP];
	__m512i pair[TILE];
	find_pixels(g, &pixels, start + block * STEP, at);
	for (int c = 0; c < g->c_out; c += TILE) {
		uint16_t *to = slopes +
			((size_t)(c / TILE) * (size_t)(g->chunk / STEP) + (size_t)block) * 512;
		load_pairs(at, c, pair);
		for (int i = 0; i < TILE; i++)
			_mm512_store_si512(to + i * STEP, pair[i]);
	}
}

/* A block of 32 positions of a chunk's inputs (from its margin on) of a plane. */
TILES static void put_inputs(const struct tile_gradient *g, const uint16_t *x, int start, int plane,
	int block, uint16_t *inputs)
{
	const struct pixels pixels = {
		x, g->c_in, g->h, g->w, g->stride, plane / g->stride, plane % g->stride};
	const uint16_t *at[STEP];
	__m512i pair[TILE];
	uint16_t *to = inputs + (size_t)(plane * g->c_in) * (size_t)g->width + (size_t)(block * STEP);
	find_pixels(g, &pixels, start - g->margin + block * STEP, at);
	for (int c = 0; c < g->c_in && g->is_spread; c++) {
		for (int i = 0; i < STEP; i++)
			to[c * g->width + i] = at[i][c];
	}
	for (int c = 0; c < g->c_in && !g->is_spread; c += TILE) {
		load_pairs(at, c, pair);
		transpose(pair);
		for (int i = 0; i < TILE; i++)
			_mm512_store_si512(to + (size_t)(c + i) * (size_t)g->width, pair[i]);
	}
}

/* Where a tap's inputs of the chunk's first position are: of the first channel. */
static const uint16_t *tap_inputs(
	const struct tile_gradient *g, const uint16_t *inputs, int i, int j)
{
	int plane = g->axis.phase[i] * g->stride + g->axis.phase[j];
	int shift = g->axis.shift[i] * g->pitch + g->axis.shift[j];
	return inputs + (size_t)(plane * g->c_in) * (size_t)g->width + g->margin + shift;
}

/* A row of the spread inputs: a tap of a channel; rows beyond the last are zero. */
TILES static void put_spread(const struct tile_gradient *g, int row, int n, const struct parts *p)
{
	int k = g->kernel, c = row / (k * k), i = row / k % k, j = row % k;
	uint16_t *to = p->spread + (size_t)row * (size_t)g->width;
	const uint16_t *from = c < g->c_in
		? tap_inputs(g, p->inputs, i, j) + (size_t)c * (size_t)g->width
		: NULL;
	for (int at = 0; at < n; at += STEP)
		_mm512_store_si512(to + at, from ? _mm512_loadu_si512(from + at) : _mm512_setzero_si512());
}

/* Eight tiles of 16 rows of 64 bytes. Constant: the compiler does not see that all of it is read. */
TILES static void tiles_on(void)
{
	static const struct {
		uint8_t palette, start_row, reserved[14];
		uint16_t n_bytes[16];
		uint8_t n_rows[16];
	} config = {.palette = 1,
		.n_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
		.n_rows = {TILE, TILE, TILE, TILE, TILE, TILE, TILE, TILE}};
	_tile_loadconfig(&config);
}

TILES static void tiles_off(void)
{
	_tile_release();
}

/* sum[m][n] (tiles, n_next floats from one m to the next) += inputs x slopes over n_steps. */
TILES static void add_2x2(const uint16_t *inputs, size_t width, const uint16_t *slopes,
	size_t next_slopes, int n_steps, float *sum, size_t next_m, size_t next_n, int is_first)
{
	const uint16_t *inputs2 = inputs + TILE * width, *slopes2 = slopes + next_slopes;
	if (is_first) {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
	} else {
		_tile_loadd(0, sum, 64);
		_tile_loadd(1, sum + next_n, 64);
		_tile_loadd(2, sum + next_m, 64);
		_tile_loadd(3, sum + next_m + next_n, 64);
	}
	for (int s = 0; s < n_steps; s++) {
		_tile_loadd(4, inputs + s * STEP, width * 2);
		_tile_loadd(6, slopes + s * 512, 64);
		_tile_loadd(7, slopes2 + s * 512, 64);
		_tile_dpbf16ps(0, 4, 6);
		_tile_loadd(5, inputs2 + s * STEP, width * 2);
		_tile_dpbf16ps(1, 4, 7);
		_tile_dpbf16ps(2, 5, 6);
		_tile_dpbf16ps(3, 5, 7);
	}
	_tile_stored(0, sum, 64);
	_tile_stored(1, sum + next_n, 64);
	_tile_stored(2, sum + next_m, 64);
	_tile_stored(3, sum + next_m + next_n, 64);
}

TILES static void add_1x1(const uint16_t *inputs, size_t width, const uint16_t *slopes, int n_steps,
	float *sum, int is_first)
{
	if (is_first)
		_tile_zero(0);
	else
		_tile_loadd(0, sum, 64);
	for (int s = 0; s < n_steps; s++) {
		_tile_loadd(4, inputs + s * STEP, width * 2);
		_tile_loadd(6, slopes + s * 512, 64);
		_tile_dpbf16ps(0, 4, 6);
	}
	_tile_stored(0, sum, 64);
}

/* The blocks of the result: side x side tiles of a row of taps. */
struct blocks {
	int side, n_in, n_out, n_taps; /* n_taps rows of as many */
};

static struct blocks blocks_of(const struct tile_gradient *g)
{
	int m = g->n_rows / TILE, n = g->c_out / TILE, side = m % 2 || n % 2 ? 1 : 2;
	int taps = g->is_spread ? 1 : g->kernel;
	return (struct blocks){side, m / side, n / side, taps};
}

static float *sum_at(const struct tile_gradient *g, const struct parts *p, int tap, int m, int n)
{
	size_t tiles_n = (size_t)(g->c_out / TILE), tiles_m = (size_t)(g->n_rows / TILE);
	return p->sums + (((size_t)tap * tiles_m + (size_t)m) * tiles_n + (size_t)n) * TILE * TILE;
}

/* Adds a chunk's n_steps to a block. */
static void add_block(const struct tile_gradient *g, const struct parts *p, const struct blocks *b,
	int block, int n_steps, int is_first)
{
	int i = block % b->n_taps, n = block / b->n_taps % b->n_out * b->side;
	int m = block / b->n_taps / b->n_out * b->side;
	size_t width = (size_t)g->width, next_slopes = (size_t)(g->chunk / STEP) * 512;
	size_t next_m = (size_t)(g->c_out / TILE) * TILE * TILE, next_n = TILE * TILE;
	for (int from = 0; from < n_steps; from += N_L1 / STEP) {
		int steps = n_steps - from < N_L1 / STEP ? n_steps - from : N_L1 / STEP;
		const uint16_t *slopes = p->slopes + (size_t)n * next_slopes + (size_t)from * 512;
		for (int j = 0; j < b->n_taps; j++) {
			const uint16_t *inputs = g->is_spread ? p->spread : tap_inputs(g, p->inputs, i, j);
			float *sum = sum_at(g, p, i * b->n_taps + j, m, n);
			inputs += (size_t)(m * TILE) * width + (size_t)(from * STEP);
			if (b->side == 2)
				add_2x2(inputs, width, slopes, next_slopes, steps, sum, next_m, next_n,
					is_first && from == 0);
			else
				add_1x1(inputs, width, slopes, steps, sum, is_first && from == 0);
		}
	}
}

/* A tile's rows to an output channel's weights, k taps at a time. */
static inline void put_taps(const float *sum, size_t next_tap, int n_rows, int k, float *to)
{
	for (int r = 0; r < n_rows; r++) {
		for (int j = 0; j < k; j++)
			to[r * k * k + j] = sum[(size_t)j * next_tap + (size_t)(r * TILE)];
	}
}

/* A block's sums to where they belong. */
static void put_block(const struct tile_gradient *g, const struct parts *p, const struct blocks *b,
	int block, float *gradient)
{
	int i = block % b->n_taps, n0 = block / b->n_taps % b->n_out * b->side;
	int m0 = block / b->n_taps / b->n_out * b->side, k = b->n_taps;
	int n_in = g->is_spread ? g->c_in * g->kernel * g->kernel : g->c_in;
	size_t next_tap = (size_t)g->n_rows * (size_t)g->c_out;
	for (int tile = 0; tile < b->side * b->side; tile++) {
		int m = m0 + tile / b->side, n = n0 + tile % b->side;
		const float *sum = sum_at(g, p, i * k, m, n);
		int n_rows = n_in - m * TILE < TILE ? n_in - m * TILE : TILE;
		for (int c = 0; c < TILE; c++) {
			size_t first = (size_t)(n * TILE + c) * (size_t)n_in + (size_t)(m * TILE);
			float *to = gradient + first * (size_t)(k * k) + i * k;
			if (k == 3 && n_rows == TILE)
				put_taps(sum + c, next_tap, TILE, 3, to);
			else
				put_taps(sum + c, next_tap, n_rows, k, to);
		}
	}
}

void tile_gradient_run(const struct tile_gradient *g, const uint16_t *x, const uint16_t *slope,
	float *gradient, void *scratch)
{
	const struct parts p = parts_of(g, scratch);
	const struct blocks b = blocks_of(g);
	int n_blocks = b.n_in * b.n_out * b.n_taps;
#pragma omp parallel
	{
		tiles_on();
		for (int start = 0; start < g->n_positions; start += g->chunk) {
			int n = g->n_positions - start < g->chunk ? g->n_positions - start : g->chunk;
			int n_slopes = n / STEP, n_inputs = (n + 2 * g->margin) / STEP;
#pragma omp for schedule(static) nowait
			for (int i = 0; i < n_slopes; i++)
				put_slopes(g, slope, start, i, p.slopes);
#pragma omp for schedule(static)
			for (int i = 0; i < n_inputs * g->n_planes; i++)
				put_inputs(g, x, start, i / n_inputs, i % n_inputs, p.inputs);
			if (g->is_spread) {
#pragma omp for schedule(static)
				for (int i = 0; i < g->n_rows; i++)
					put_spread(g, i, n, &p);
			}
#pragma omp for schedule(static)
			for (int i = 0; i < n_blocks; i++) {
				add_block(g, &p, &b, i, n_slopes, start == 0);
				if (start + g->chunk >= g->n_positions)
					put_block(g, &p, &b, i, gradient);
			}
		}
		tiles_off();
	}
}

#else

int tile_gradient_is_here(void)
{
	return 0;
}

void tile_gradient_run(const struct tile_gradient *g, const uint16_t *x, const uint16_t *slope,
	float *gradient, void *scratch)
{
	(void)g, (void)x, (void)slope, (void)gradient, (void)scratch;
}

#endif
