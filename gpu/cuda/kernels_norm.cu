/*
 * Batch norm: indices around norm_math.h. A thread has one unit of channels and walks over rows, so
 * that what it knows of the channels stays in registers; neighbouring threads have neighbouring
 * memory. Sums go through a fixed tree and a fixed number of slabs, so that they are the same bits
 * in every run.
 */
#include "device_cuda.h"

#define THREADS 256
#define MOST_ACROSS 32
#define MOST_BLOCKS 528 /* four for each of the 132 multiprocessors of a large card */
#define ROWS_EACH 4     /* at least, for a thread */
#define FINISH_ACROSS 32
#define FINISH_DOWN 8

struct launch_grid {
	dim3 blocks, threads;
};

struct norm_grid {
	struct launch_grid launch;
	size_t rows, per_slab;
	int units;
};

static struct norm_grid grid_of(size_t rows, int c)
{
	struct norm_grid g;
	unsigned across = 1, down, slabs;
	g.units = c / UNIT;
	while (across < MOST_ACROSS && across * 2 <= (unsigned)g.units)
		across *= 2;
	down = THREADS / across;
	unsigned columns = ((unsigned)g.units + across - 1) / across;
	size_t wanted = (rows + down * ROWS_EACH - 1) / (down * ROWS_EACH);
	slabs = columns < MOST_BLOCKS ? MOST_BLOCKS / columns : 1;
	slabs = wanted < slabs ? (unsigned)wanted : slabs;
	g.rows = rows;
	g.per_slab = (rows + slabs - 1) / slabs;
	g.launch.blocks = dim3(columns, slabs);
	g.launch.threads = dim3(across, down);
	return g;
}

/* What sums are added up in: for floats in double, so that they are as exact as the rest. */
template <enum number T> struct total {
	typedef float type;
};
template <> struct total<NUMBER_SINGLE> {
	typedef double type;
};

/* The block's sums of two times UNIT totals over its rows of threads, to partial [slabs][2][c]. */
template <typename S>
static __device__ void fold(const S *first, const S *second, int units, S *partial)
{
	__shared__ S sums[2 * UNIT][THREADS];
	int at = (int)(threadIdx.y * blockDim.x + threadIdx.x);
	int unit = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	for (int j = 0; j < UNIT; j++) {
		sums[j][at] = first[j];
		sums[UNIT + j][at] = second[j];
	}
	__syncthreads();
	for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
		if (threadIdx.y < half) {
			int other = at + (int)(half * blockDim.x);
			for (int j = 0; j < 2 * UNIT; j++)
				sums[j][at] += sums[j][other];
		}
		__syncthreads();
	}
	if (threadIdx.y == 0 && unit < units) {
		S *to = partial + (size_t)blockIdx.y * 2 * (size_t)(units * UNIT);
		for (int j = 0; j < UNIT; j++) {
			to[unit * UNIT + j] = sums[j][at];
			to[(units + unit) * UNIT + j] = sums[UNIT + j][at];
		}
	}
}

template <enum number T>
static __global__ void norm_sums(struct norm_grid g, const void *x, void *partial)
{
	int unit = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	typedef typename total<T>::type S;
	S sum[UNIT] = {0}, squares[UNIT] = {0};
	size_t first = blockIdx.y * g.per_slab, end = first + g.per_slab;
	end = end < g.rows ? end : g.rows;
	if (unit < g.units) {
#pragma unroll 4
		for (size_t row = first + threadIdx.y; row < end; row += blockDim.y) {
			float own[UNIT] = {0}, square[UNIT] = {0};
			unit_square(T, row * (size_t)g.units + (size_t)unit, x, own, square);
			for (int j = 0; j < UNIT; j++) {
				sum[j] += (S)own[j];
				squares[j] += (S)square[j];
			}
		}
	}
	fold(sum, squares, g.units, (S *)partial);
}

/* Both sums of one channel over the slabs; valid where threadIdx.y is 0. */
template <typename S>
static __device__ void finish_sums(
	int channel, int c, int slabs, const S *partial, double *first, double *second)
{
	__shared__ double sums[2][FINISH_DOWN][FINISH_ACROSS];
	double a = 0, b = 0;
	if (channel < c) {
		for (int slab = (int)threadIdx.y; slab < slabs; slab += FINISH_DOWN) {
			a += (double)partial[(size_t)slab * 2 * (size_t)c + (size_t)channel];
			b += (double)partial[((size_t)slab * 2 + 1) * (size_t)c + (size_t)channel];
		}
	}
	sums[0][threadIdx.y][threadIdx.x] = a;
	sums[1][threadIdx.y][threadIdx.x] = b;
	__syncthreads();
	*first = *second = 0;
	for (int i = 0; i < FINISH_DOWN && threadIdx.y == 0; i++) {
		*first += sums[0][i][threadIdx.x];
		*second += sums[1][i][threadIdx.x];
	}
}

template <enum number T>
static __global__ void finish(struct device_norm n, int slabs, const void *partial)
{
	int channel = (int)(blockIdx.x * FINISH_ACROSS + threadIdx.x);
	double sum, squares;
	finish_sums(channel, n.c, slabs, (const typename total<T>::type *)partial, &sum, &squares);
	if (threadIdx.y == 0 && channel < n.c)
		n.channels[channel] = norm_finish(sum, squares, (double)n.rows, n.is_frozen,
			n.scale[channel], n.shift[channel], &n.running_mean[channel], &n.running_var[channel],
			NET_BN_EPSILON);
}

template <enum number T>
static __global__ void apply(struct norm_grid g, const struct norm_channel *channels,
	const void *__restrict__ x, const void *__restrict__ add, int relu, void *__restrict__ y)
{
	int unit = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	size_t first = blockIdx.y * g.per_slab, end = first + g.per_slab;
	float by[UNIT], plus[UNIT];
	end = end < g.rows ? end : g.rows;
	if (unit >= g.units)
		return;
	for (int j = 0; j < UNIT; j++) {
		by[j] = channels[unit * UNIT + j].by;
		plus[j] = channels[unit * UNIT + j].plus;
	}
#pragma unroll 4
	for (size_t row = first + threadIdx.y; row < end; row += blockDim.y)
		unit_norm(T, row * (size_t)g.units + (size_t)unit, x, by, plus, add, relu, y);
}

/* kernel<type><<<grid>>>(...) for a type that is known at run time. */
#define LAUNCH(d, type, kernel, grid, ...)                                                         \
	switch (type) {                                                                                \
	case NUMBER_SINGLE:                                                                            \
		kernel<NUMBER_SINGLE><<<(grid).blocks, (grid).threads, 0, (d)->stream>>>(__VA_ARGS__);     \
		break;                                                                                     \
	case NUMBER_HALF:                                                                              \
		kernel<NUMBER_HALF><<<(grid).blocks, (grid).threads, 0, (d)->stream>>>(__VA_ARGS__);       \
		break;                                                                                     \
	case NUMBER_BF16:                                                                              \
		kernel<NUMBER_BF16><<<(grid).blocks, (grid).threads, 0, (d)->stream>>>(__VA_ARGS__);       \
		break;                                                                                     \
	}

void device_norm(struct device *d, const struct device_norm *n, const void *x, const void *add,
	int relu, void *y)
{
	struct norm_grid g = grid_of(n->rows, n->c);
	void *partial = d->partials;
	const struct launch_grid channels = {dim3((unsigned)(n->c + FINISH_ACROSS - 1) / FINISH_ACROSS),
		dim3(FINISH_ACROSS, FINISH_DOWN)};
	if (d->failed)
		return;
	if (!n->is_frozen)
		LAUNCH(d, n->type, norm_sums, g.launch, g, x, partial)
	LAUNCH(d, n->type, finish, channels, *n, n->is_frozen ? 0 : (int)g.launch.blocks.y, partial)
	LAUNCH(d, n->type, apply, g.launch, g, n->channels, x, add, relu, y)
	device_tried(d, cudaGetLastError(), "a batch norm");
}

template <enum number T>
static __global__ void slope_sums(
	struct norm_grid g, struct norm_slope s, const struct norm_channel *channels, void *partial)
{
	int unit = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	typedef typename total<T>::type S;
	S by_shift[UNIT] = {0}, by_scale[UNIT] = {0};
	size_t first = blockIdx.y * g.per_slab, end = first + g.per_slab;
	end = end < g.rows ? end : g.rows;
	if (unit < g.units) {
		struct norm_channel c[UNIT];
		for (int j = 0; j < UNIT; j++)
			c[j] = channels[unit * UNIT + j];
#pragma unroll 2
		for (size_t row = first + threadIdx.y; row < end; row += blockDim.y) {
			float shift[UNIT] = {0}, scale[UNIT] = {0};
			unit_norm_slope(T, row * (size_t)g.units + (size_t)unit, &s, c, shift, scale);
			for (int j = 0; j < UNIT; j++) {
				by_shift[j] += (S)shift[j];
				by_scale[j] += (S)scale[j];
			}
		}
	}
	fold(by_shift, by_scale, g.units, (S *)partial);
}

template <enum number T>
static __global__ void slope_finish(
	struct device_norm n, int slabs, const void *partial, struct norm_back *back)
{
	int channel = (int)(blockIdx.x * FINISH_ACROSS + threadIdx.x);
	double by_shift, by_scale;
	finish_sums(
		channel, n.c, slabs, (const typename total<T>::type *)partial, &by_shift, &by_scale);
	if (threadIdx.y == 0 && channel < n.c) {
		n.scale_slope[channel] = (float)by_scale;
		n.shift_slope[channel] = (float)by_shift;
		back[channel] = norm_slope_finish(
			by_shift, by_scale, (double)n.rows, n.is_frozen, n.channels[channel]);
	}
}

template <enum number T>
static __global__ void slope_x(struct norm_grid g, struct norm_slope s,
	const struct norm_channel *channels, const struct norm_back *back, void *__restrict__ x_slope)
{
	int unit = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	size_t first = blockIdx.y * g.per_slab, end = first + g.per_slab;
	float by[UNIT], plus[UNIT];
	struct norm_back b[UNIT];
	end = end < g.rows ? end : g.rows;
	if (unit >= g.units)
		return;
	for (int j = 0; j < UNIT; j++) {
		by[j] = channels[unit * UNIT + j].by;
		plus[j] = channels[unit * UNIT + j].plus;
		b[j] = back[unit * UNIT + j];
	}
#pragma unroll 2
	for (size_t row = first + threadIdx.y; row < end; row += blockDim.y)
		unit_norm_slope_x(T, row * (size_t)g.units + (size_t)unit, &s, by, plus, b, x_slope);
}

void device_norm_backward(
	struct device *d, const struct device_norm *n, const struct norm_slope *slope, void *x_slope)
{
	struct norm_grid g = grid_of(n->rows, n->c);
	void *partial = d->partials;
	struct norm_back *back = (struct norm_back *)((char *)d->partials + DEVICE_PARTIAL_BYTES / 2);
	const struct launch_grid channels = {dim3((unsigned)(n->c + FINISH_ACROSS - 1) / FINISH_ACROSS),
		dim3(FINISH_ACROSS, FINISH_DOWN)};
	if (d->failed)
		return;
	LAUNCH(d, n->type, slope_sums, g.launch, g, *slope, n->channels, partial)
	LAUNCH(d, n->type, slope_finish, channels, *n, (int)g.launch.blocks.y, partial, back)
	LAUNCH(d, n->type, slope_x, g.launch, g, *slope, n->channels, back, x_slope)
	device_tried(d, cudaGetLastError(), "a batch norm's gradient");
}
