/* The kernels of pictures, weights, pools, the head, the loss and the step: indices around
 * element_math.h, loss_math.h and step_math.h. */
#include "device_cuda.h"

#define BLOCK 256
#define NORM_BLOCKS 16 /* for each range of device_gradient_norm */
#define STEP_BLOCKS 128

static __device__ size_t index_of_thread(void)
{
	return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

/* n is at most some 10^10 (a batch of activations), so the grid's 2^31 blocks suffice. */
static unsigned blocks_for(size_t n)
{
	return (unsigned)((n + BLOCK - 1) / BLOCK);
}

static void launched(struct device *d, const char *what)
{
	device_tried(d, cudaGetLastError(), what);
}

/* kernel<type><<<...>>>(...) for a type that is known at run time. */
#define LAUNCH(d, type, kernel, n, ...)                                                            \
	switch (type) {                                                                                \
	case NUMBER_SINGLE:                                                                            \
		kernel<NUMBER_SINGLE><<<blocks_for(n), BLOCK, 0, (d)->stream>>>(n, __VA_ARGS__);           \
		break;                                                                                     \
	case NUMBER_HALF:                                                                              \
		kernel<NUMBER_HALF><<<blocks_for(n), BLOCK, 0, (d)->stream>>>(n, __VA_ARGS__);             \
		break;                                                                                     \
	case NUMBER_BF16:                                                                              \
		kernel<NUMBER_BF16><<<blocks_for(n), BLOCK, 0, (d)->stream>>>(n, __VA_ARGS__);             \
		break;                                                                                     \
	}

template <enum number T>
static __global__ void picture(size_t n, const uint8_t *rgb, struct picture_scale s, void *out)
{
	size_t i = index_of_thread();
	if (i < n)
		element_picture(T, i, rgb, s, out);
}

void device_picture(struct device *d, enum number type, size_t pixels, const uint8_t *rgb,
	struct picture_scale s, void *out)
{
	if (d->failed)
		return;
	LAUNCH(d, type, picture, pixels, rgb, s, out)
	launched(d, "normalising pictures");
}

template <enum number T>
static __global__ void pack(size_t n, struct weights_shape s, const float *from, void *to)
{
	size_t i = index_of_thread();
	if (i < n)
		element_pack(T, i, s, from, to);
}

void device_pack(
	struct device *d, enum number type, struct weights_shape s, const float *from, void *to)
{
	size_t n = s.n_out * s.taps * s.c_wide;
	if (d->failed)
		return;
	LAUNCH(d, type, pack, n, s, from, to)
	launched(d, "packing weights");
}

template <enum number T>
static __global__ void unpack(size_t n, struct weights_shape s, const void *from, float *to)
{
	size_t i = index_of_thread();
	if (i < n)
		element_unpack(T, i, s, from, to);
}

void device_unpack(
	struct device *d, enum number type, struct weights_shape s, const void *from, float *to)
{
	size_t n = s.n_out * s.taps * s.c_in;
	if (d->failed)
		return;
	LAUNCH(d, type, unpack, n, s, from, to)
	launched(d, "unpacking gradients");
}

static size_t units_in(const struct pool_shape *s, int batch)
{
	return (size_t)batch * (size_t)(s->h_in * s->w_in) * (size_t)(s->c / UNIT);
}

static size_t units_out(const struct pool_shape *s, int batch)
{
	return (size_t)batch * (size_t)(s->h_out * s->w_out) * (size_t)(s->c / UNIT);
}

template <enum number T>
static __global__ void maxpool(
	size_t n, enum number to, struct pool_shape s, const void *x, void *y, uint16_t *chosen)
{
	size_t i = index_of_thread();
	if (i < n)
		element_maxpool(T, to, i, s, x, y, chosen);
}

void device_maxpool(struct device *d, const struct device_pool *p, const void *x, void *y)
{
	size_t n = units_out(&p->shape, p->batch);
	if (d->failed)
		return;
	LAUNCH(d, p->type, maxpool, n, p->to, p->shape, x, y, p->chosen)
	launched(d, "a pool");
}

template <enum number T>
static __global__ void maxpool_slope(size_t n, enum number from, struct pool_shape s,
	const uint16_t *chosen, const void *a, const void *b, void *x_slope)
{
	size_t i = index_of_thread();
	if (i < n)
		element_maxpool_slope(T, from, i, s, chosen, a, b, x_slope);
}

void device_maxpool_backward(
	struct device *d, const struct device_pool *p, const void *a, const void *b, void *x_slope)
{
	size_t n = units_in(&p->shape, p->batch);
	if (d->failed)
		return;
	LAUNCH(d, p->type, maxpool_slope, n, p->to, p->shape, p->chosen, a, b, x_slope)
	launched(d, "a pool's gradient");
}

template <enum number T>
static __global__ void avgpool(size_t n, struct pool_shape s, const void *x, float *y)
{
	size_t i = index_of_thread();
	if (i < n)
		element_avgpool(T, i, s, x, y);
}

void device_avgpool(struct device *d, const struct device_pool *p, const void *x, float *y)
{
	size_t n = units_out(&p->shape, p->batch);
	if (d->failed)
		return;
	LAUNCH(d, p->type, avgpool, n, p->shape, x, y)
	launched(d, "a pool");
}

template <enum number T>
static __global__ void avgpool_slope(
	size_t n, struct pool_shape s, const float *y_slope, void *x_slope)
{
	size_t i = index_of_thread();
	if (i < n)
		element_avgpool_slope(T, i, s, y_slope, x_slope);
}

void device_avgpool_backward(
	struct device *d, const struct device_pool *p, const float *y_slope, void *x_slope)
{
	size_t n = units_in(&p->shape, p->batch);
	if (d->failed)
		return;
	LAUNCH(d, p->type, avgpool_slope, n, p->shape, y_slope, x_slope)
	launched(d, "a pool's gradient");
}

static __global__ void add_bias(size_t n, const float *bias, size_t k, float *rows)
{
	size_t i = index_of_thread();
	if (i < n)
		element_add_bias(i, bias, k, rows);
}

void device_add_bias(struct device *d, size_t n, const float *bias, size_t k, float *rows)
{
	if (d->failed)
		return;
	add_bias<<<blocks_for(n), BLOCK, 0, d->stream>>>(n, bias, k, rows);
	launched(d, "a bias");
}

static __global__ void column_sum(size_t n, size_t k, const float *rows, float *out)
{
	size_t i = index_of_thread();
	if (i < k)
		element_column_sum(i, n, k, rows, out);
}

void device_column_sum(struct device *d, size_t n, size_t k, const float *rows, float *out)
{
	if (d->failed)
		return;
	column_sum<<<blocks_for(k), BLOCK, 0, d->stream>>>(n, k, rows, out);
	launched(d, "a bias' gradient");
}

static __global__ void loss(struct device_loss l)
{
	size_t i = index_of_thread(), k = (size_t)l.shape.n_classes;
	if (i < l.n)
		l.loss[i] = element_loss(&l.shape, l.logits + i * k, l.target + i * k, l.share[i],
			l.slope + i * k, &l.is_right[i]);
}

/* A row a thread, rows spread over many blocks: a batch has few. */
void device_loss(struct device *d, const struct device_loss *l)
{
	const unsigned block = 32;
	if (d->failed)
		return;
	loss<<<(unsigned)((l->n + block - 1) / block), block, 0, d->stream>>>(*l);
	launched(d, "the loss");
}

/* Adds up sums[blockDim.x] in the same order each time; every thread calls it. */
static __device__ double block_sum(double *sums, double own)
{
	sums[threadIdx.x] = own;
	__syncthreads();
	for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
		if (threadIdx.x < half)
			sums[threadIdx.x] += sums[threadIdx.x + half];
		__syncthreads();
	}
	return sums[0];
}

static __global__ void squares(
	const struct step_range *ranges, const float *gradient, double *partial)
{
	__shared__ double sums[BLOCK];
	struct step_range r = ranges[blockIdx.y];
	double own = 0;
	for (size_t i = index_of_thread(); i < r.n && r.rule.is_trained; i += (size_t)NORM_BLOCKS * BLOCK)
		own += (double)gradient[r.at + i] * (double)gradient[r.at + i];
	double sum = block_sum(sums, own);
	if (threadIdx.x == 0)
		partial[blockIdx.y * NORM_BLOCKS + blockIdx.x] = sum;
}

static __global__ void root(int n, const double *partial, float clip, float *norm)
{
	__shared__ double sums[BLOCK];
	double own = 0;
	for (int i = (int)threadIdx.x; i < n; i += BLOCK)
		own += partial[i];
	double size = sqrt(block_sum(sums, own));
	if (threadIdx.x == 0) {
		norm[0] = (float)size;
		norm[1] = size > (double)clip ? (float)((double)clip / size) : 1;
	}
}

void device_gradient_norm(struct device *d, const struct step_range *ranges, int n_ranges,
	const float *gradient, float clip, float *norm)
{
	dim3 grid(NORM_BLOCKS, (unsigned)n_ranges);
	double *partial = (double *)d->partials;
	if (d->failed)
		return;
	squares<<<grid, BLOCK, 0, d->stream>>>(ranges, gradient, partial);
	root<<<1, BLOCK, 0, d->stream>>>(n_ranges * NORM_BLOCKS, partial, clip, norm);
	launched(d, "the gradient's norm");
}

static __global__ void step(const struct step_range *ranges, const float *gradient,
	const float *scale, struct param_state state)
{
	struct step_range r = ranges[blockIdx.y];
	r.rule.scale = scale ? *scale : 1;
	for (size_t i = index_of_thread(); i < r.n; i += (size_t)STEP_BLOCKS * BLOCK)
		element_step(r.at + i, r.rule.is_trained ? gradient[r.at + i] : 0, &r.rule, &state);
}

void device_step(struct device *d, const struct step_range *ranges, int n_ranges,
	const float *gradient, const float *scale, const struct param_state *state)
{
	dim3 grid(STEP_BLOCKS, (unsigned)n_ranges);
	if (d->failed)
		return;
	step<<<grid, BLOCK, 0, d->stream>>>(ranges, gradient, scale, *state);
	launched(d, "the step");
}
