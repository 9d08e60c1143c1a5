/* The fused call and the matrix product. A way that cannot be made or run is no failure of the
 * device: there are others. */
#include "ways.h"

#include <stdlib.h>
#include <string.h>

struct fixed_conv {
	cudnnTensorDescriptor_t x, y, bias;
	cudnnFilterDescriptor_t weights;
	cudnnConvolutionDescriptor_t conv;
	cudnnActivationDescriptor_t act;
};

/* The algorithm that cuDNN runs every such call with, and without a relu the only one. */
#define FIXED_ALGO CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM

static int described(struct fixed_conv *f, const struct plan_shape *s)
{
	const cudnnTensorFormat_t format = CUDNN_TENSOR_NHWC;
	return !cudnnCreateTensorDescriptor(&f->x) && !cudnnCreateTensorDescriptor(&f->y) &&
		!cudnnCreateTensorDescriptor(&f->bias) && !cudnnCreateFilterDescriptor(&f->weights) &&
		!cudnnCreateConvolutionDescriptor(&f->conv) && !cudnnCreateActivationDescriptor(&f->act) &&
		!cudnnSetTensor4dDescriptor(f->x, format, s->type, s->n, s->c_in, s->h_in, s->w_in) &&
		!cudnnSetTensor4dDescriptor(f->y, format, s->type, s->n, s->c_out, s->h_out, s->w_out) &&
		!cudnnSetTensor4dDescriptor(f->bias, format, s->type, 1, s->c_out, 1, 1) &&
		!cudnnSetFilter4dDescriptor(
			f->weights, s->type, format, s->c_out, s->c_in, s->kernel, s->kernel) &&
		!cudnnSetConvolution2dDescriptor(f->conv, s->pad, s->pad, s->stride, s->stride, 1, 1,
			CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT) &&
		!cudnnSetConvolutionMathType(f->conv, CUDNN_TENSOR_OP_MATH) &&
		!cudnnSetActivationDescriptor(f->act,
			s->relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY, CUDNN_PROPAGATE_NAN, 0);
}

struct fixed_conv *fixed_conv_new(struct device *d, const struct plan_shape *s)
{
	size_t n_bytes = 0;
	if (s->type == CUDNN_DATA_FLOAT)
		return NULL;
	struct fixed_conv *f = xcalloc(1, sizeof *f);
	if (described(f, s) &&
		!cudnnGetConvolutionForwardWorkspaceSize(
			d->cudnn, f->x, f->weights, f->conv, f->y, FIXED_ALGO, &n_bytes) &&
		n_bytes <= d->workspace_bytes)
		return f;
	fixed_conv_free(f);
	return NULL;
}

void fixed_conv_free(struct fixed_conv *f)
{
	if (!f)
		return;
	if (f->x)
		cudnnDestroyTensorDescriptor(f->x);
	if (f->y)
		cudnnDestroyTensorDescriptor(f->y);
	if (f->bias)
		cudnnDestroyTensorDescriptor(f->bias);
	if (f->weights)
		cudnnDestroyFilterDescriptor(f->weights);
	if (f->conv)
		cudnnDestroyConvolutionDescriptor(f->conv);
	if (f->act)
		cudnnDestroyActivationDescriptor(f->act);
	free(f);
}

int fixed_conv_run(struct device *d, struct fixed_conv *f, const struct device_conv *c)
{
	const float one = 1, zero = 0;
	return !cudnnConvolutionBiasActivationForward(d->cudnn, &one, f->x, c->x, f->weights,
		c->weights, f->conv, FIXED_ALGO, d->workspace, d->workspace_bytes, c->add ? &one : &zero,
		f->y, c->add ? c->add : c->y, f->bias, c->bias, f->act, f->y, c->y);
}

#define PRODUCTS 4 /* answers of cuBLASLt's heuristics that are tried */

struct product_conv {
	cublasLtMatmulDesc_t how;
	cublasLtMatrixLayout_t weights, x, y;
	cublasLtMatmulHeuristicResult_t answers[PRODUCTS];
	int n;
};

/*
 * By columns, as cuBLAS counts: y [c_out][pixels] = weights' [c_out][c_in] x [c_in][pixels], where
 * [c_out][c_in] by rows is the turned [c_in][c_out] by columns. The bias is one for a row of y.
 */
static int product_described(struct device *d, struct product_conv *p, const struct plan_shape *s)
{
	const cudaDataType_t type = s->type == CUDNN_DATA_HALF ? CUDA_R_16F : CUDA_R_16BF;
	const cublasOperation_t turned = CUBLAS_OP_T;
	const cublasLtEpilogue_t epilogue = s->relu ? CUBLASLT_EPILOGUE_RELU_BIAS
												: CUBLASLT_EPILOGUE_BIAS;
	uint64_t pixels = (uint64_t)s->n * (uint64_t)s->h_out * (uint64_t)s->w_out;
	uint64_t c_in = (uint64_t)s->c_in, c_out = (uint64_t)s->c_out;
	size_t most = d->workspace_bytes;
	cublasLtMatmulPreference_t wish = NULL;
	int is_good = !cublasLtMatmulDescCreate(&p->how, CUBLAS_COMPUTE_32F, CUDA_R_32F) &&
		!cublasLtMatmulDescSetAttribute(
			p->how, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned) &&
		!cublasLtMatmulDescSetAttribute(
			p->how, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue) &&
		!cublasLtMatrixLayoutCreate(&p->weights, type, c_in, c_out, (int64_t)c_in) &&
		!cublasLtMatrixLayoutCreate(&p->x, type, c_in, pixels, (int64_t)c_in) &&
		!cublasLtMatrixLayoutCreate(&p->y, type, c_out, pixels, (int64_t)c_out) &&
		!cublasLtMatmulPreferenceCreate(&wish) &&
		!cublasLtMatmulPreferenceSetAttribute(
			wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most) &&
		!cublasLtMatmulAlgoGetHeuristic(
			d->cublas_lt, p->how, p->weights, p->x, p->y, p->y, wish, PRODUCTS, p->answers, &p->n);
	if (wish)
		cublasLtMatmulPreferenceDestroy(wish);
	return is_good && p->n > 0;
}

struct product_conv *product_conv_new(struct device *d, const struct plan_shape *s)
{
	if (s->kernel != 1 || s->stride != 1 || s->type == CUDNN_DATA_FLOAT)
		return NULL;
	struct product_conv *p = xcalloc(1, sizeof *p);
	if (product_described(d, p, s))
		return p;
	product_conv_free(p);
	return NULL;
}

void product_conv_free(struct product_conv *p)
{
	if (!p)
		return;
	if (p->how)
		cublasLtMatmulDescDestroy(p->how);
	if (p->weights)
		cublasLtMatrixLayoutDestroy(p->weights);
	if (p->x)
		cublasLtMatrixLayoutDestroy(p->x);
	if (p->y)
		cublasLtMatrixLayoutDestroy(p->y);
	free(p);
}

int product_conv_count(const struct product_conv *p)
{
	return p ? p->n : 0;
}

int product_conv_run(struct device *d, struct product_conv *p, int i, const struct device_conv *c)
{
	const float one = 1, zero = 0;
	return !cublasLtMatmulDescSetAttribute(
			   p->how, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &c->bias, sizeof c->bias) &&
		!cublasLtMatmul(d->cublas_lt, p->how, &one, c->weights, p->weights, c->x, p->x,
			c->add ? &one : &zero, c->add ? c->add : c->y, p->y, c->y, p->y, &p->answers[i].algo,
			d->workspace, d->workspace_bytes, d->stream);
}
