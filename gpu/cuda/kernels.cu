/* The kernels: indices around element_math.h. */
#include "kernels.h"

#define BLOCK 256

static __device__ size_t index_of_thread(void)
{
	return (size_t)blockIdx.x * BLOCK + threadIdx.x;
}

/* n is at most some 10^10 (a batch of activations), so the grid's 2^31 blocks suffice. */
static unsigned blocks_for(size_t n)
{
	return (unsigned)((n + BLOCK - 1) / BLOCK);
}

static __global__ void picture_half(
	size_t n, const uint8_t *rgb, struct picture_scale s, uint16_t *out)
{
	size_t i = index_of_thread();
	if (i < n)
		element_picture_half(i, rgb, s, out);
}

static __global__ void picture_float(
	size_t n, const uint8_t *rgb, size_t plane, struct picture_scale s, float *out)
{
	size_t i = index_of_thread();
	if (i < n)
		element_picture_float(i, rgb, plane, s, out);
}

static __global__ void widen(size_t n, const uint16_t *half, float *out)
{
	size_t i = index_of_thread();
	if (i < n)
		element_widen(i, half, out);
}

static __global__ void add_bias(size_t n, const float *bias, size_t k, float *rows)
{
	size_t i = index_of_thread();
	if (i < n)
		element_add_bias(i, bias, k, rows);
}

static __global__ void add_relu(size_t n, const float *add, float *y)
{
	size_t i = index_of_thread();
	if (i < n)
		element_add_relu(i, add, y);
}

static __global__ void relu(size_t n, float *y)
{
	size_t i = index_of_thread();
	if (i < n)
		element_relu(i, y);
}

static __global__ void relu_backward(size_t n, const float *y, float *slope)
{
	size_t i = index_of_thread();
	if (i < n)
		element_relu_backward(i, y, slope);
}

static __global__ void sgd(
	size_t n, const float *gradient, struct sgd s, float *v, float *param, float *average)
{
	size_t i = index_of_thread();
	if (i < n)
		element_sgd(i, gradient, s, v, param, average);
}

cudaError_t kernel_picture_half(
	cudaStream_t stream, size_t n, const uint8_t *rgb, struct picture_scale s, uint16_t *out)
{
	picture_half<<<blocks_for(n), BLOCK, 0, stream>>>(n, rgb, s, out);
	return cudaGetLastError();
}

cudaError_t kernel_picture_float(cudaStream_t stream, size_t n, const uint8_t *rgb, size_t plane,
	struct picture_scale s, float *out)
{
	picture_float<<<blocks_for(n), BLOCK, 0, stream>>>(n, rgb, plane, s, out);
	return cudaGetLastError();
}

cudaError_t kernel_widen(cudaStream_t stream, size_t n, const uint16_t *half, float *out)
{
	widen<<<blocks_for(n), BLOCK, 0, stream>>>(n, half, out);
	return cudaGetLastError();
}

cudaError_t kernel_add_bias(
	cudaStream_t stream, size_t n, const float *bias, size_t k, float *rows)
{
	add_bias<<<blocks_for(n), BLOCK, 0, stream>>>(n, bias, k, rows);
	return cudaGetLastError();
}

cudaError_t kernel_add_relu(cudaStream_t stream, size_t n, const float *add, float *y)
{
	add_relu<<<blocks_for(n), BLOCK, 0, stream>>>(n, add, y);
	return cudaGetLastError();
}

cudaError_t kernel_relu(cudaStream_t stream, size_t n, float *y)
{
	relu<<<blocks_for(n), BLOCK, 0, stream>>>(n, y);
	return cudaGetLastError();
}

cudaError_t kernel_relu_backward(cudaStream_t stream, size_t n, const float *y, float *slope)
{
	relu_backward<<<blocks_for(n), BLOCK, 0, stream>>>(n, y, slope);
	return cudaGetLastError();
}

cudaError_t kernel_sgd(cudaStream_t stream, size_t n, const float *gradient, struct sgd s, float *v,
	float *param, float *average)
{
	sgd<<<blocks_for(n), BLOCK, 0, stream>>>(n, gradient, s, v, param, average);
	return cudaGetLastError();
}
