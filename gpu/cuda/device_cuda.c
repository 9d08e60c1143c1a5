/* The card: opening it, its memory, the module's own kernels, matrix products. Everything is queued
 * on one stream. */
#include "device_cuda.h"
#include "kernels.h"

#include <stdlib.h>

#define OLDEST_MAJOR 8 /* compute capability that the module is compiled for (CMakeLists.txt) */

void device_tried(struct device *d, cudaError_t error, const char *what)
{
	if (error == cudaSuccess || d->failed)
		return;
	d->failed = 1;
	err_set(&d->failure, FAULT, "cuda:%d: %s: %s", d->number, what, cudaGetErrorString(error));
}

void device_tried_cudnn(struct device *d, cudnnStatus_t status, const char *what)
{
	if (status == CUDNN_STATUS_SUCCESS || d->failed)
		return;
	d->failed = 1;
	err_set(&d->failure, FAULT, "cuda:%d: %s: %s", d->number, what, cudnnGetErrorString(status));
}

static void tried_cublas(struct device *d, cublasStatus_t status, const char *what)
{
	if (status == CUBLAS_STATUS_SUCCESS || d->failed)
		return;
	d->failed = 1;
	err_set(&d->failure, FAULT, "cuda:%d: %s: %s", d->number, what, cublasGetStatusString(status));
}

void device_enter(struct device *d)
{
	device_tried(d, cudaSetDevice(d->number), "choosing the card");
}

enum status device_check(struct device *d, struct err *err)
{
	device_tried(d, cudaStreamSynchronize(d->stream), "running the net");
	if (!d->failed)
		return OK;
	d->failed = 0;
	cudaGetLastError(); /* an allocation that failed is over and done with */
	return err_set(err, d->failure.status, "%s", d->failure.text);
}

static enum status check_card(int number, struct err *err)
{
	int n = 0, major = 0, minor = 0;
	cudaError_t error = cudaGetDeviceCount(&n);
	if (error != cudaSuccess || n == 0)
		return err_set(err, BAD_INPUT,
			"cuda was asked for: no CUDA device is there (driver says: %s)",
			cudaGetErrorString(error != cudaSuccess ? error : cudaErrorNoDevice));
	if (number < 0 || number >= n)
		return err_set(err, BAD_INPUT,
			"cuda:%d was asked for: the %d CUDA device%s here count%s from cuda:0", number, n,
			n == 1 ? "" : "s", n == 1 ? "s" : "");
	error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, number);
	if (error == cudaSuccess)
		error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, number);
	if (error != cudaSuccess)
		return err_set(err, FAULT, "cuda:%d: %s", number, cudaGetErrorString(error));
	if (major < OLDEST_MAJOR)
		return err_set(err, BAD_INPUT,
			"cuda:%d has compute capability %d.%d: at least %d.0 is wanted", number, major, minor,
			OLDEST_MAJOR);
	return OK;
}

enum status device_open(int number, struct device **out, struct err *err)
{
	enum status status = check_card(number, err);
	if (status)
		return status;
	struct device *d = xcalloc(1, sizeof *d);
	d->number = number;
	device_enter(d);
	device_tried(d, cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking), "a stream");
	if (!d->failed)
		device_tried_cudnn(d, cudnnCreate(&d->cudnn), "starting cuDNN");
	if (!d->failed)
		device_tried_cudnn(d, cudnnSetStream(d->cudnn, d->stream), "starting cuDNN");
	if (!d->failed)
		tried_cublas(d, cublasCreate(&d->cublas), "starting cuBLAS");
	if (!d->failed)
		tried_cublas(d, cublasSetStream(d->cublas, d->stream), "starting cuBLAS");
	status = device_check(d, err);
	if (status) {
		device_close(d);
		return status;
	}
	*out = d;
	return OK;
}

void device_close(struct device *d)
{
	if (!d)
		return;
	device_enter(d);
	cudaFree(d->workspace);
	if (d->cublas)
		cublasDestroy(d->cublas);
	if (d->cudnn)
		cudnnDestroy(d->cudnn);
	if (d->stream)
		cudaStreamDestroy(d->stream);
	free(d);
}

void *device_alloc(struct device *d, size_t n_bytes, const char *what)
{
	void *at = NULL;
	if (d->failed)
		return NULL;
	if (n_bytes == 0)
		n_bytes = 1;
	cudaError_t error = cudaMalloc(&at, n_bytes);
	if (error == cudaErrorMemoryAllocation) {
		d->failed = 1;
		err_set(&d->failure, FAULT,
			"cuda:%d has no room for %.0f MB of %s: a smaller batch may fit", d->number,
			(double)n_bytes / 1e6, what);
		return NULL;
	}
	device_tried(d, error, what);
	if (!d->failed)
		device_tried(d, cudaMemsetAsync(at, 0, n_bytes, d->stream), what);
	return at;
}

void device_free(struct device *d, void *at)
{
	device_tried(d, cudaFree(at), "freeing memory");
}

void device_need_workspace(struct device *d, size_t n_bytes)
{
	if (d->failed || n_bytes <= d->workspace_bytes)
		return;
	device_free(d, d->workspace); /* waits for what uses it */
	d->workspace_bytes = 0;
	d->workspace = device_alloc(d, n_bytes, "cuDNN's workspace");
	if (d->workspace)
		d->workspace_bytes = n_bytes;
}

static void copy(
	struct device *d, void *to, const void *from, size_t n_bytes, enum cudaMemcpyKind kind)
{
	if (d->failed)
		return;
	device_tried(d, cudaMemcpyAsync(to, from, n_bytes, kind, d->stream), "copying");
	device_tried(d, cudaStreamSynchronize(d->stream), "copying");
}

void device_put(struct device *d, void *to, const void *from, size_t n_bytes)
{
	copy(d, to, from, n_bytes, cudaMemcpyHostToDevice);
}

void device_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
	copy(d, to, from, n_bytes, cudaMemcpyDeviceToHost);
}

/* cuBLAS counts by columns, so a row-major product is the turned one of its factors exchanged. */
void device_multiply(struct device *d, const struct device_product *p)
{
	const float one = 1, zero = 0;
	if (d->failed)
		return;
	tried_cublas(d,
		cublasSgemm(d->cublas, p->b_turned ? CUBLAS_OP_T : CUBLAS_OP_N,
			p->a_turned ? CUBLAS_OP_T : CUBLAS_OP_N, p->n, p->m, p->k, &one, p->b,
			p->b_turned ? p->k : p->n, p->a, p->a_turned ? p->m : p->k, &zero, p->c, p->n),
		"a matrix product");
}

void device_picture_half(
	struct device *d, size_t n, const uint8_t *rgb, struct picture_scale s, void *out)
{
	if (!d->failed)
		device_tried(d, kernel_picture_half(d->stream, n, rgb, s, out), "normalising pictures");
}

void device_picture_float(struct device *d, size_t n, const uint8_t *rgb, size_t plane,
	struct picture_scale s, float *out)
{
	if (!d->failed)
		device_tried(
			d, kernel_picture_float(d->stream, n, rgb, plane, s, out), "normalising pictures");
}

void device_widen(struct device *d, size_t n, const void *half, float *out)
{
	if (!d->failed)
		device_tried(d, kernel_widen(d->stream, n, half, out), "widening");
}

void device_add_bias(struct device *d, size_t n, const float *bias, size_t k, float *rows)
{
	if (!d->failed)
		device_tried(d, kernel_add_bias(d->stream, n, bias, k, rows), "a bias");
}

void device_add_relu(struct device *d, size_t n, const float *add, float *y)
{
	if (!d->failed)
		device_tried(d, kernel_add_relu(d->stream, n, add, y), "a sum");
}

void device_relu(struct device *d, size_t n, float *y)
{
	if (!d->failed)
		device_tried(d, kernel_relu(d->stream, n, y), "a relu");
}

void device_relu_backward(struct device *d, size_t n, const float *y, float *slope)
{
	if (!d->failed)
		device_tried(d, kernel_relu_backward(d->stream, n, y, slope), "a relu's slope");
}

void device_sgd(struct device *d, size_t n, const float *gradient, struct sgd s, float *v,
	float *param, float *average)
{
	if (!d->failed)
		device_tried(d, kernel_sgd(d->stream, n, gradient, s, v, param, average), "a step of SGD");
}
