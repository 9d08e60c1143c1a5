/* Graphs of one convolution and what follows it. Descriptors live as long as their list. */
#include "plan.h"

#include "status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MADE 64
#define MAX_ANSWERS 24 /* of a list of heuristics */

enum { X = 'x', WEIGHTS = 'w', Y = 'y', ADD = 'a', BIAS = 'b', AFTER_CONV = 1, AFTER_ADD, SUM };

struct plan_list {
	cudnnHandle_t handle;
	cudnnBackendDescriptor_t described;
	struct plan_shape shape;
	int failed;
	int n_made;
	cudnnBackendDescriptor_t made[MAX_MADE];
	int n;
	cudnnBackendDescriptor_t config[PLAN_MOST], plan[PLAN_MOST];
	int is_late[PLAN_MOST];
	size_t workspace[PLAN_MOST];
};

static cudnnBackendDescriptor_t begin(struct plan_list *l, cudnnBackendDescriptorType_t type)
{
	cudnnBackendDescriptor_t d = NULL;
	if (l->failed || l->n_made == MAX_MADE ||
		cudnnBackendCreateDescriptor(type, &d) != CUDNN_STATUS_SUCCESS) {
		l->failed = 1;
		return NULL;
	}
	return l->made[l->n_made++] = d;
}

static void set(struct plan_list *l, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
	cudnnBackendAttributeType_t type, int64_t n, const void *at)
{
	if (!l->failed && cudnnBackendSetAttribute(d, name, type, n, at) != CUDNN_STATUS_SUCCESS)
		l->failed = 1;
}

static void set_descriptor(struct plan_list *l, cudnnBackendDescriptor_t d,
	cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value)
{
	set(l, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static cudnnBackendDescriptor_t finish(struct plan_list *l, cudnnBackendDescriptor_t d)
{
	if (!l->failed && cudnnBackendFinalize(d) != CUDNN_STATUS_SUCCESS)
		l->failed = 1;
	return d;
}

/* dims: n, c, h, w; the memory is [n][h][w][c]. */
static cudnnBackendDescriptor_t tensor(
	struct plan_list *l, int64_t uid, cudnnDataType_t type, const int64_t *dims, int is_virtual)
{
	cudnnBackendDescriptor_t d = begin(l, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
	const int64_t strides[4] = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};
	const int64_t alignment = 16;
	bool hidden = is_virtual;
	set(l, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
	set(l, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
	set(l, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
	set(l, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
	set(l, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
	set(l, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &hidden);
	return finish(l, d);
}

static cudnnBackendDescriptor_t conv_descriptor(struct plan_list *l)
{
	const struct plan_shape *s = &l->shape;
	cudnnBackendDescriptor_t d = begin(l, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
	const int64_t n_dims = 2, pad[2] = {s->pad, s->pad}, stride[2] = {s->stride, s->stride};
	const int64_t dilation[2] = {1, 1};
	cudnnDataType_t sums = CUDNN_DATA_FLOAT;
	cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
	set(l, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &n_dims);
	set(l, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
	set(l, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
	set(l, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
	set(l, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
	set(l, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
	set(l, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
	return finish(l, d);
}

/* The attributes of the three directions differ by name alone. */
struct direction {
	cudnnBackendDescriptorType_t type;
	cudnnBackendAttributeName_t conv, x, weights, y, alpha, beta;
};

static cudnnBackendDescriptor_t conv_operation(struct plan_list *l, cudnnBackendDescriptor_t x,
	cudnnBackendDescriptor_t weights, cudnnBackendDescriptor_t y)
{
	static const struct direction forward = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
		CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
		CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
		CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
		CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
	static const struct direction data = {
		CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
	static const struct direction filter = {
		CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
		CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
	const struct direction *by = l->shape.kind == PLAN_DATA ? &data
		: l->shape.kind == PLAN_WEIGHTS                     ? &filter
															: &forward;
	const float one = 1, zero = 0;
	cudnnBackendDescriptor_t d = begin(l, by->type);
	set_descriptor(l, d, by->conv, conv_descriptor(l));
	set_descriptor(l, d, by->x, x);
	set_descriptor(l, d, by->weights, weights);
	set_descriptor(l, d, by->y, y);
	set(l, d, by->alpha, CUDNN_TYPE_FLOAT, 1, &one);
	set(l, d, by->beta, CUDNN_TYPE_FLOAT, 1, &zero);
	return finish(l, d);
}

/* y = a + b, or relu(a) with b NULL. */
static cudnnBackendDescriptor_t pointwise(struct plan_list *l, cudnnBackendDescriptor_t a,
	cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y)
{
	cudnnPointwiseMode_t mode = b ? CUDNN_POINTWISE_ADD : CUDNN_POINTWISE_RELU_FWD;
	cudnnDataType_t type = CUDNN_DATA_FLOAT;
	cudnnBackendDescriptor_t how = begin(l, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
	set(l, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
	set(l, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
	finish(l, how);
	cudnnBackendDescriptor_t d = begin(l, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
	set_descriptor(l, d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
	set_descriptor(l, d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a);
	if (b)
		set_descriptor(l, d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
	set_descriptor(l, d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
	return finish(l, d);
}

static cudnnBackendDescriptor_t operation_graph(struct plan_list *l)
{
	const struct plan_shape *s = &l->shape;
	const int64_t in[4] = {s->n, s->c_in, s->h_in, s->w_in};
	const int64_t out[4] = {s->n, s->c_out, s->h_out, s->w_out};
	const int64_t weights[4] = {s->c_out, s->c_in, s->kernel, s->kernel};
	const int64_t bias[4] = {1, s->c_out, 1, 1};
	cudnnBackendDescriptor_t ops[4], at = tensor(l, X, s->type, in, 0);
	cudnnBackendDescriptor_t w = tensor(l, WEIGHTS, s->type, weights, 0);
	cudnnBackendDescriptor_t y = tensor(l, Y, s->type, out, 0);
	int n = 0;
	if (s->kind != PLAN_FUSED) {
		ops[n++] = conv_operation(l, at, w, y);
	} else {
		cudnnBackendDescriptor_t sum = tensor(l, AFTER_CONV, CUDNN_DATA_FLOAT, out, 1), next;
		ops[n++] = conv_operation(l, at, w, sum);
		if (s->adds) {
			next = tensor(l, AFTER_ADD, CUDNN_DATA_FLOAT, out, 1);
			ops[n++] = pointwise(l, sum, tensor(l, ADD, s->type, out, 0), next);
			sum = next;
		}
		next = s->relu ? tensor(l, SUM, CUDNN_DATA_FLOAT, out, 1) : y;
		ops[n++] = pointwise(l, sum, tensor(l, BIAS, s->type, bias, 0), next);
		if (s->relu)
			ops[n++] = pointwise(l, next, NULL, y);
	}
	cudnnBackendDescriptor_t d = begin(l, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
	set(l, d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, ops);
	if (l->handle)
		set(l, d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &l->handle);
	return finish(l, d);
}

/* Whether an engine is fit for the shape's wishes; *is_late: compiled by the driver. */
static int is_fit(struct plan_list *l, cudnnBackendDescriptor_t config, int *is_late)
{
	cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
	cudnnBackendBehaviorNote_t behaviours[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
	cudnnBackendDescriptor_t engine = NULL;
	int64_t n = 0;
	int fit = 1;
	*is_late = 0;
	if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
		CUDNN_STATUS_SUCCESS)
		return 0;
	if (cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
			1, &n, &engine) != CUDNN_STATUS_SUCCESS)
		fit = 0;
	if (fit &&
		cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
			CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n,
			notes) == CUDNN_STATUS_SUCCESS) {
		for (int64_t i = 0; i < n; i++) {
			if (l->shape.is_exact &&
				(notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE ||
					notes[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS))
				fit = 0;
			if (l->shape.repeats && notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
				fit = 0;
		}
	}
	if (fit &&
		cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
			CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &n, behaviours) == CUDNN_STATUS_SUCCESS) {
		for (int64_t i = 0; i < n; i++)
			*is_late |= behaviours[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
	}
	cudnnBackendDestroyDescriptor(engine);
	return fit;
}

static void list_engines(
	struct plan_list *l, cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode)
{
	cudnnBackendDescriptor_t answers[MAX_ANSWERS] = {NULL};
	int64_t n = 0, n_ready = 0;
	cudnnBackendDescriptor_t d = begin(l, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
	set_descriptor(l, d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
	set(l, d, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
	if (!l->handle)
		set_descriptor(l, d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, l->described);
	finish(l, d);
	if (l->failed)
		return;
	for (; n_ready < MAX_ANSWERS; n_ready++) {
		if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &answers[n_ready]) !=
			CUDNN_STATUS_SUCCESS)
			break;
	}
	if (cudnnBackendGetAttribute(d, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
			n_ready, &n, answers) != CUDNN_STATUS_SUCCESS)
		n = 0;
	for (int64_t i = 0; i < n_ready; i++) {
		if (i < n && l->n < PLAN_MOST && is_fit(l, answers[i], &l->is_late[l->n]))
			l->config[l->n++] = answers[i];
		else
			cudnnBackendDestroyDescriptor(answers[i]);
	}
}

cudnnBackendDescriptor_t plan_describe(const char *json)
{
	cudnnBackendDescriptor_t d = NULL;
	if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d) !=
		CUDNN_STATUS_SUCCESS)
		return NULL;
	if (cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
			(int64_t)strlen(json) + 1, json) == CUDNN_STATUS_SUCCESS &&
		cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS)
		return d;
	cudnnBackendDestroyDescriptor(d);
	return NULL;
}

struct plan_list *plan_list_new(
	cudnnHandle_t handle, cudnnBackendDescriptor_t described, const struct plan_shape *shape)
{
	struct plan_list *l = xcalloc(1, sizeof *l);
	l->handle = handle;
	l->described = described;
	l->shape = *shape;
	cudnnBackendDescriptor_t graph = operation_graph(l);
	list_engines(l, graph, CUDNN_HEUR_MODE_A);
	if (!l->failed && l->n < PLAN_MOST / 2)
		list_engines(l, graph, CUDNN_HEUR_MODE_FALLBACK);
	if (l->failed || l->n == 0) {
		plan_list_free(l);
		return NULL;
	}
	return l;
}

void plan_list_free(struct plan_list *l)
{
	if (!l)
		return;
	for (int i = 0; i < l->n; i++) {
		if (l->plan[i])
			cudnnBackendDestroyDescriptor(l->plan[i]);
		cudnnBackendDestroyDescriptor(l->config[i]);
	}
	while (l->n_made > 0)
		cudnnBackendDestroyDescriptor(l->made[--l->n_made]);
	free(l);
}

int plan_count(const struct plan_list *l)
{
	return l ? l->n : 0;
}

int plan_is_compiled_late(const struct plan_list *l, int i)
{
	return l->is_late[i];
}

size_t plan_workspace(const struct plan_list *l, int i)
{
	return l->workspace[i];
}

int plan_ready(struct plan_list *l, int i, size_t most)
{
	cudnnBackendDescriptor_t d = NULL;
	int64_t n_bytes = 0, n = 0;
	if (l->plan[i])
		return l->workspace[i] <= most;
	if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &d) !=
		CUDNN_STATUS_SUCCESS)
		return 0;
	int is_good = cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
					  CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &l->config[i]) == CUDNN_STATUS_SUCCESS;
	if (l->handle)
		is_good = is_good &&
			cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
				&l->handle) == CUDNN_STATUS_SUCCESS;
	else
		is_good = is_good &&
			cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
				CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &l->described) == CUDNN_STATUS_SUCCESS;
	is_good = is_good && cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS &&
		cudnnBackendGetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
			&n, &n_bytes) == CUDNN_STATUS_SUCCESS;
	if (!is_good) {
		cudnnBackendDestroyDescriptor(d);
		return 0;
	}
	l->plan[i] = d;
	l->workspace[i] = (size_t)n_bytes;
	return l->workspace[i] <= most;
}

/* A pack of pointers cannot be changed once it is finished, so each run makes one. */
cudnnStatus_t plan_run(struct plan_list *l, int i, const struct plan_data *data, void *workspace)
{
	int64_t uids[5] = {X, WEIGHTS, Y};
	const struct plan_shape *s = &l->shape;
	const void *pointers[5] = {s->kind == PLAN_DATA ? data->x_slope : data->x,
		s->kind == PLAN_WEIGHTS ? data->weights_slope : data->weights,
		s->kind == PLAN_FORWARD || s->kind == PLAN_FUSED ? data->y : data->y_slope};
	int64_t n = 3;
	if (s->kind == PLAN_FUSED) {
		uids[n] = BIAS;
		pointers[n++] = data->bias;
		if (s->adds) {
			uids[n] = ADD;
			pointers[n++] = data->add;
		}
	}
	cudnnBackendDescriptor_t pack = NULL;
	cudnnStatus_t status = cudnnBackendCreateDescriptor(
		CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
	if (status == CUDNN_STATUS_SUCCESS)
		status = cudnnBackendSetAttribute(
			pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, uids);
	if (status == CUDNN_STATUS_SUCCESS)
		status = cudnnBackendSetAttribute(
			pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, pointers);
	if (status == CUDNN_STATUS_SUCCESS)
		status = cudnnBackendSetAttribute(
			pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
	if (status == CUDNN_STATUS_SUCCESS)
		status = cudnnBackendFinalize(pack);
	if (status == CUDNN_STATUS_SUCCESS)
		status = cudnnBackendExecute(l->handle, l->plan[i], pack);
	if (pack)
		cudnnBackendDestroyDescriptor(pack);
	return status;
}
