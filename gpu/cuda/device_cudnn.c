/*
 * Layers by cuDNN 9's fixed-function calls. Inference: halves by [n][h][w][c] through the fused
 * convolution, bias, sum and relu. Training: floats by [n][c][h][w], arithmetic in full single
 * precision (no TF32). Each layer asks cuDNN's heuristics once for its shape and keeps the answer.
 */
#include "device_cuda.h"

#include <stdlib.h>

#define WORKSPACE_LIMIT ((size_t)1 << 30)
#define N_ANSWERS 8

static const float one = 1, zero = 0;

struct device_layer {
	struct device *device;
	cudnnTensorDescriptor_t x, y, vector; /* vector: bias in inference, batch norm in training */
	cudnnFilterDescriptor_t weights;
	cudnnConvolutionDescriptor_t conv;
	cudnnActivationDescriptor_t act;
	cudnnPoolingDescriptor_t pool;
	cudnnConvolutionFwdAlgo_t forward;
	cudnnConvolutionBwdDataAlgo_t backward_data;
	cudnnConvolutionBwdFilterAlgo_t backward_weights;
	size_t forward_bytes, backward_data_bytes, backward_weights_bytes; /* of workspace */
};

static void describe_tensor(struct device *d, cudnnTensorDescriptor_t *out, enum device_use use,
	int n, const struct net_act *a)
{
	if (d->failed)
		return;
	device_tried_cudnn(d, cudnnCreateTensorDescriptor(out), "a tensor");
	if (d->failed)
		return;
	int c = use == DEVICE_INFER && a->c == 3 ? 4 : a->c;
	device_tried_cudnn(d,
		cudnnSetTensor4dDescriptor(*out,
			use == DEVICE_INFER ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW,
			use == DEVICE_INFER ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT, n, c, a->h, a->w),
		"a tensor");
}

/* cuDNN answers in order of expected speed; the first that works in little room is taken. The three
 * directions differ by types alone. */
static void choose_forward(struct device_layer *l, int is_fused, int relu)
{
	struct device *d = l->device;
	cudnnConvolutionFwdAlgoPerf_t answers[N_ANSWERS];
	int n = 0;
	if (d->failed)
		return;
	/* The one that every fused call runs with, and without a relu the only one. */
	l->forward = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
	if (!is_fused || relu) {
		device_tried_cudnn(d,
			cudnnGetConvolutionForwardAlgorithm_v7(
				d->cudnn, l->x, l->weights, l->conv, l->y, N_ANSWERS, &n, answers),
			"choosing a convolution");
		for (int i = 0; i < n && !d->failed; i++) {
			if (answers[i].status != CUDNN_STATUS_SUCCESS || answers[i].memory > WORKSPACE_LIMIT)
				continue;
			l->forward = answers[i].algo;
			break;
		}
	}
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnGetConvolutionForwardWorkspaceSize(
				d->cudnn, l->x, l->weights, l->conv, l->y, l->forward, &l->forward_bytes),
			"a convolution's workspace");
	device_need_workspace(d, l->forward_bytes);
}

static void choose_backward_data(struct device_layer *l)
{
	struct device *d = l->device;
	cudnnConvolutionBwdDataAlgoPerf_t answers[N_ANSWERS];
	int n = 0;
	if (d->failed)
		return;
	device_tried_cudnn(d,
		cudnnGetConvolutionBackwardDataAlgorithm_v7(
			d->cudnn, l->weights, l->y, l->conv, l->x, N_ANSWERS, &n, answers),
		"choosing a data gradient");
	l->backward_data = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
	for (int i = 0; i < n && !d->failed; i++) {
		if (answers[i].status != CUDNN_STATUS_SUCCESS || answers[i].memory > WORKSPACE_LIMIT)
			continue;
		l->backward_data = answers[i].algo;
		break;
	}
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnGetConvolutionBackwardDataWorkspaceSize(d->cudnn, l->weights, l->y, l->conv, l->x,
				l->backward_data, &l->backward_data_bytes),
			"a data gradient's workspace");
	device_need_workspace(d, l->backward_data_bytes);
}

static void choose_backward_weights(struct device_layer *l)
{
	struct device *d = l->device;
	cudnnConvolutionBwdFilterAlgoPerf_t answers[N_ANSWERS];
	int n = 0;
	if (d->failed)
		return;
	device_tried_cudnn(d,
		cudnnGetConvolutionBackwardFilterAlgorithm_v7(
			d->cudnn, l->x, l->y, l->conv, l->weights, N_ANSWERS, &n, answers),
		"choosing a weight gradient");
	l->backward_weights = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
	for (int i = 0; i < n && !d->failed; i++) {
		if (answers[i].status != CUDNN_STATUS_SUCCESS || answers[i].memory > WORKSPACE_LIMIT)
			continue;
		l->backward_weights = answers[i].algo;
		break;
	}
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnGetConvolutionBackwardFilterWorkspaceSize(d->cudnn, l->x, l->y, l->conv,
				l->weights, l->backward_weights, &l->backward_weights_bytes),
			"a weight gradient's workspace");
	device_need_workspace(d, l->backward_weights_bytes);
}

static void describe_conv(struct device_layer *l, const struct net_param *weights,
	const struct net_layer *layer, enum device_use use)
{
	struct device *d = l->device;
	int infers = use == DEVICE_INFER, c_in = weights->shape[1];
	const struct net_act vector = {weights->shape[0], 1, 1};
	describe_tensor(d, &l->vector, use, 1, &vector);
	if (!d->failed)
		device_tried_cudnn(d, cudnnCreateFilterDescriptor(&l->weights), "weights");
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnSetFilter4dDescriptor(l->weights, infers ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT,
				infers ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW, weights->shape[0],
				infers && c_in == 3 ? 4 : c_in, layer->kernel, layer->kernel),
			"weights");
	if (!d->failed)
		device_tried_cudnn(d, cudnnCreateConvolutionDescriptor(&l->conv), "a convolution");
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnSetConvolution2dDescriptor(l->conv, layer->pad, layer->pad, layer->stride,
				layer->stride, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
			"a convolution");
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnSetConvolutionMathType(l->conv, infers ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH),
			"a convolution");
	choose_forward(l, infers, layer->relu);
	if (!infers) {
		choose_backward_weights(l);
		if (layer->src > 0)
			choose_backward_data(l);
		return;
	}
	if (!d->failed)
		device_tried_cudnn(d, cudnnCreateActivationDescriptor(&l->act), "an activation");
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnSetActivationDescriptor(l->act,
				layer->relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
				CUDNN_PROPAGATE_NAN, 0),
			"an activation");
}

static void describe_pool(struct device_layer *l, const struct net_layer *layer)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(d, cudnnCreatePoolingDescriptor(&l->pool), "a pool");
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnSetPooling2dDescriptor(l->pool,
				layer->kind == NET_MAXPOOL ? CUDNN_POOLING_MAX_DETERMINISTIC
										   : CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING,
				CUDNN_PROPAGATE_NAN, layer->kernel, layer->kernel, layer->pad, layer->pad,
				layer->stride, layer->stride),
			"a pool");
}

struct device_layer *device_layer_new(
	struct device *d, const struct net *net, int layer, int batch, enum device_use use)
{
	const struct net_layer *from = &net->layers[layer];
	if (d->failed)
		return NULL;
	struct device_layer *l = xcalloc(1, sizeof *l);
	l->device = d;
	describe_tensor(d, &l->x, use, batch, &net->acts[from->src]);
	describe_tensor(d, &l->y, use, batch, &net->acts[from->dst]);
	if (from->kind == NET_CONV)
		describe_conv(l, &net->params[from->weight], from, use);
	else
		describe_pool(l, from);
	if (d->failed) {
		device_layer_free(l);
		return NULL;
	}
	return l;
}

void device_layer_free(struct device_layer *l)
{
	if (!l)
		return;
	cudnnTensorDescriptor_t tensors[] = {l->x, l->y, l->vector};
	for (int i = 0; i < 3; i++) {
		if (tensors[i])
			cudnnDestroyTensorDescriptor(tensors[i]);
	}
	if (l->weights)
		cudnnDestroyFilterDescriptor(l->weights);
	if (l->conv)
		cudnnDestroyConvolutionDescriptor(l->conv);
	if (l->act)
		cudnnDestroyActivationDescriptor(l->act);
	if (l->pool)
		cudnnDestroyPoolingDescriptor(l->pool);
	free(l);
}

/* A layer is NULL only after a failure, but which device failed is then no longer known: callers
 * check after making layers, before running them. */
void device_conv_infer(struct device_layer *l, const void *x, const void *weights, const void *bias,
	const void *add, void *y)
{
	struct device *d = l->device;
	if (d->failed)
		return;
	device_tried_cudnn(d,
		cudnnConvolutionBiasActivationForward(d->cudnn, &one, l->x, x, l->weights, weights, l->conv,
			l->forward, d->workspace, d->workspace_bytes, add ? &one : &zero, l->y, add ? add : y,
			l->vector, bias, l->act, l->y, y),
		"a fused convolution");
}

void device_pool(struct device_layer *l, const void *x, void *y)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(
			d, cudnnPoolingForward(d->cudnn, l->pool, &one, l->x, x, &zero, l->y, y), "a pool");
}

void device_conv(struct device_layer *l, const float *x, const float *weights, float *y)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnConvolutionForward(d->cudnn, &one, l->x, x, l->weights, weights, l->conv,
				l->forward, d->workspace, d->workspace_bytes, &zero, l->y, y),
			"a convolution");
}

void device_conv_backward_weights(
	struct device_layer *l, const float *x, const float *y_slope, float *weights_slope)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnConvolutionBackwardFilter(d->cudnn, &one, l->x, x, l->y, y_slope, l->conv,
				l->backward_weights, d->workspace, d->workspace_bytes, &zero, l->weights,
				weights_slope),
			"a weight gradient");
}

void device_conv_backward_data(
	struct device_layer *l, const float *weights, const float *y_slope, int adds, float *x_slope)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnConvolutionBackwardData(d->cudnn, &one, l->weights, weights, l->y, y_slope,
				l->conv, l->backward_data, d->workspace, d->workspace_bytes, adds ? &one : &zero,
				l->x, x_slope),
			"a data gradient");
}

void device_pool_backward(
	struct device_layer *l, const float *x, const float *y, const float *y_slope, float *x_slope)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnPoolingBackward(
				d->cudnn, l->pool, &one, l->y, y, l->y, y_slope, l->x, x, &zero, l->x, x_slope),
			"a pool's gradient");
}

void device_norm(struct device_layer *l, const struct device_norm *norm, const float *x, float *y)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnBatchNormalizationForwardTraining(d->cudnn, CUDNN_BATCHNORM_SPATIAL, &one, &zero,
				l->y, x, l->y, y, l->vector, norm->scale, norm->shift, 0.1, norm->running_mean,
				norm->running_var, (double)NET_BN_EPSILON, norm->mean, norm->inverse),
			"a batch norm");
}

void device_norm_backward(struct device_layer *l, const struct device_norm *norm, const float *x,
	const float *y_slope, float *x_slope, float *scale_slope, float *shift_slope)
{
	struct device *d = l->device;
	if (!d->failed)
		device_tried_cudnn(d,
			cudnnBatchNormalizationBackward(d->cudnn, CUDNN_BATCHNORM_SPATIAL, &one, &zero, &one,
				&zero, l->y, x, l->y, y_slope, l->y, x_slope, l->vector, norm->scale, scale_slope,
				shift_slope, (double)NET_BN_EPSILON, norm->mean, norm->inverse),
			"a batch norm's gradient");
}
