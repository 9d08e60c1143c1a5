/*
 * The oracle: every layer as its textbook loop, in double precision, one image or batch at a time.
 * Slow and obvious on purpose; the other backends are held to its numbers. Activations are
 * [n][c][h][w].
 */
#include "step_rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reference {
	const struct net *net;
	float mean[3], std[3];
	int batch; /* of the buffers below */
	int train_batch;
	struct param_state state; /* all but the live parameters only for training */
	int64_t n_steps;
	const struct backend_ranks *ranks;
	double *gradient; /* [n_floats] */
	float *summed;    /* [n_floats] with ranks: the gradient on its way through their sum */
	double *act[NET_MAX_LAYERS + 1];   /* values of activations, */
	double *slope[NET_MAX_LAYERS + 1]; /* the loss' derivatives by them, */
	double *conv[NET_MAX_LAYERS];      /* what a layer's batch norm reads */
	double *norm_mean[NET_MAX_LAYERS], *norm_var[NET_MAX_LAYERS]; /* that it used, [c] */
};

static size_t act_size(const struct net *net, int act)
{
	return (size_t)net->acts[act].c * (size_t)net->acts[act].h * (size_t)net->acts[act].w;
}

static void free_buffers(struct reference *r)
{
	for (int i = 0; i <= r->net->n_layers; i++) {
		free(r->act[i]);
		free(r->slope[i]);
		r->act[i] = r->slope[i] = NULL;
	}
	for (int i = 0; i < r->net->n_layers; i++) {
		free(r->conv[i]);
		free(r->norm_mean[i]);
		free(r->norm_var[i]);
		r->conv[i] = r->norm_mean[i] = r->norm_var[i] = NULL;
	}
}

static void size_buffers(struct reference *r, int batch)
{
	if (r->batch == batch)
		return;
	free_buffers(r);
	r->batch = batch;
	for (int i = 0; i <= r->net->n_layers; i++) {
		r->act[i] = xcalloc((size_t)batch * act_size(r->net, i), sizeof(double));
		r->slope[i] = xcalloc((size_t)batch * act_size(r->net, i), sizeof(double));
	}
	for (int i = 0; i < r->net->n_layers; i++) {
		int c = r->net->acts[i + 1].c;
		r->conv[i] = xcalloc((size_t)batch * act_size(r->net, i + 1), sizeof(double));
		r->norm_mean[i] = xcalloc((size_t)c, sizeof(double));
		r->norm_var[i] = xcalloc((size_t)c, sizeof(double));
	}
}

static const float *param(const struct reference *r, int i)
{
	return r->state.live + r->net->params[i].offset;
}

/* Outputs i, from *first to before *end, whose tap at i * stride + offset lies within n_in. */
static void tap_range(int n_out, int n_in, int stride, int offset, int *first, int *end)
{
	*first = 0;
	while (*first < n_out && *first * stride + offset < 0)
		++*first;
	*end = n_out;
	while (*end > *first && (*end - 1) * stride + offset >= n_in)
		--*end;
}

/* One tap of a convolution (output and input channel, place in the kernel) over a picture's plane. */
struct tap {
	int weight;            /* its index */
	int first, end;        /* outputs of a row */
	int in, out, n_rows;   /* index of the first row's first input and output */
	int in_step, out_step; /* from a row to the next */
};

static struct tap tap_of(
	const struct reference *r, const struct net_layer *l, int n, int o, int c, int k)
{
	const struct net_act *in = &r->net->acts[l->src], *to = &r->net->acts[l->dst];
	int ky = k / l->kernel - l->pad, kx = k % l->kernel - l->pad, top, bottom;
	struct tap t = {.weight = (o * in->c + c) * l->kernel * l->kernel + k,
		.in_step = in->w * l->stride,
		.out_step = to->w};
	tap_range(to->w, in->w, l->stride, kx, &t.first, &t.end);
	tap_range(to->h, in->h, l->stride, ky, &top, &bottom);
	t.n_rows = bottom - top;
	t.in = ((n * in->c + c) * in->h + top * l->stride + ky) * in->w + kx;
	t.out = ((n * to->c + o) * to->h + top) * to->w;
	return t;
}

/* All convolution loops run over pictures n, channels o and c, taps k, and outputs. */
static void conv_forward(struct reference *r, const struct net_layer *l, double *out)
{
	const struct net_act *in = &r->net->acts[l->src], *to = &r->net->acts[l->dst];
	const float *w = param(r, l->weight);
	memset(out, 0, (size_t)r->batch * act_size(r->net, l->dst) * sizeof *out);
	for (int n = 0; n < r->batch; n++)
		for (int o = 0; o < to->c; o++)
			for (int c = 0; c < in->c; c++)
				for (int k = 0; k < l->kernel * l->kernel; k++) {
					struct tap t = tap_of(r, l, n, o, c, k);
					for (int y = 0; y < t.n_rows; y++) {
						const double *from = r->act[l->src] + t.in + y * t.in_step;
						double *sum = out + t.out + y * t.out_step, by = (double)w[t.weight];
						for (int x = t.first; x < t.end; x++)
							sum[x] += by * from[x * l->stride];
					}
				}
}

static void conv_backward(struct reference *r, const struct net_layer *l, const double *slope)
{
	const struct net_act *in = &r->net->acts[l->src], *to = &r->net->acts[l->dst];
	const float *w = param(r, l->weight);
	double *dw = r->gradient + r->net->params[l->weight].offset;
	for (int n = 0; n < r->batch; n++)
		for (int o = 0; o < to->c; o++)
			for (int c = 0; c < in->c; c++)
				for (int k = 0; k < l->kernel * l->kernel; k++) {
					struct tap t = tap_of(r, l, n, o, c, k);
					double by = (double)w[t.weight], sum = 0;
					for (int y = 0; y < t.n_rows; y++) {
						const double *from = r->act[l->src] + t.in + y * t.in_step;
						const double *d = slope + t.out + y * t.out_step;
						double *dx = r->slope[l->src] + t.in + y * t.in_step;
						for (int x = t.first; x < t.end; x++) {
							sum += d[x] * from[x * l->stride];
							dx[x * l->stride] += d[x] * by;
						}
					}
					dw[t.weight] += sum;
				}
}

/* Batch norm, addition and relu. Training (step is not NULL) takes the batch's mean and (biased)
 * variance, unless they are frozen. */
static void norm_forward(struct reference *r, int i, const struct backend_step *step)
{
	const struct net_layer *l = &r->net->layers[i];
	const struct net_act *to = &r->net->acts[l->dst];
	const float *scale = param(r, l->weight + 1), *shift = param(r, l->weight + 2);
	float *running_mean = r->state.live + r->net->params[l->weight + 3].offset;
	float *running_var = r->state.live + r->net->params[l->weight + 4].offset;
	int plane = to->h * to->w;
	double count = (double)r->batch * plane;
	for (int c = 0; c < to->c; c++) {
		double mean = running_mean[c], var = running_var[c];
		if (step && !step->is_norm_frozen) {
			mean = var = 0;
			for (int n = 0; n < r->batch; n++)
				for (int p = 0; p < plane; p++)
					mean += r->conv[i][(n * to->c + c) * plane + p] / count;
			for (int n = 0; n < r->batch; n++)
				for (int p = 0; p < plane; p++)
					var += pow(r->conv[i][(n * to->c + c) * plane + p] - mean, 2) / count;
			double unbiased = count > 1 ? var * count / (count - 1) : var;
			if (step_layer_rate(step, l->weight + 3) != 0)
				running_mean[c] = (float)(0.9 * running_mean[c] + 0.1 * mean);
			if (step_layer_rate(step, l->weight + 4) != 0)
				running_var[c] = (float)(0.9 * running_var[c] + 0.1 * unbiased);
		}
		r->norm_mean[i][c] = mean;
		r->norm_var[i][c] = var;
		for (int n = 0; n < r->batch; n++)
			for (int p = 0; p < plane; p++) {
				int at = (n * to->c + c) * plane + p;
				double v = scale[c] * (r->conv[i][at] - mean) / sqrt(var + (double)NET_BN_EPSILON) +
					shift[c];
				if (l->add >= 0)
					v += r->act[l->add][at];
				r->act[l->dst][at] = l->relu && v < 0 ? 0 : v;
			}
	}
}

/* From the slope by the output to the slope by the convolution's result, which replaces it. Frozen
 * statistics do not depend on that result. */
static void norm_backward(struct reference *r, int i, int is_frozen)
{
	const struct net_layer *l = &r->net->layers[i];
	const struct net_act *to = &r->net->acts[l->dst];
	const float *scale = param(r, l->weight + 1);
	double *d_scale = r->gradient + r->net->params[l->weight + 1].offset;
	double *d_shift = r->gradient + r->net->params[l->weight + 2].offset;
	double *slope = r->slope[l->dst];
	int plane = to->h * to->w;
	double count = (double)r->batch * plane;
	for (size_t at = 0; at < (size_t)r->batch * act_size(r->net, l->dst); at++) {
		if (l->relu && r->act[l->dst][at] <= 0)
			slope[at] = 0;
		if (l->add >= 0)
			r->slope[l->add][at] += slope[at];
	}
	for (int c = 0; c < to->c; c++) {
		double mean = r->norm_mean[i][c];
		double inverse = 1 / sqrt(r->norm_var[i][c] + (double)NET_BN_EPSILON);
		for (int n = 0; n < r->batch; n++)
			for (int p = 0; p < plane; p++) {
				int at = (n * to->c + c) * plane + p;
				d_scale[c] += slope[at] * (r->conv[i][at] - mean) * inverse;
				d_shift[c] += slope[at];
			}
		for (int n = 0; n < r->batch; n++)
			for (int p = 0; p < plane; p++) {
				int at = (n * to->c + c) * plane + p;
				double normal = (r->conv[i][at] - mean) * inverse;
				double by_statistics = is_frozen ? 0 : (d_shift[c] + normal * d_scale[c]) / count;
				slope[at] = scale[c] * inverse * (slope[at] - by_statistics);
			}
	}
}

static void maxpool(struct reference *r, const struct net_layer *l, int is_backward)
{
	const struct net_act *in = &r->net->acts[l->src], *to = &r->net->acts[l->dst];
	for (int nc = 0; nc < r->batch * to->c; nc++)
		for (int y = 0; y < to->h; y++)
			for (int x = 0; x < to->w; x++) {
				int best = -1;
				for (int ky = 0; ky < l->kernel; ky++)
					for (int kx = 0; kx < l->kernel; kx++) {
						int iy = y * l->stride - l->pad + ky, ix = x * l->stride - l->pad + kx;
						if (iy < 0 || iy >= in->h || ix < 0 || ix >= in->w)
							continue;
						int at = (nc * in->h + iy) * in->w + ix;
						if (best < 0 || r->act[l->src][at] > r->act[l->src][best])
							best = at;
					}
				int out = (nc * to->h + y) * to->w + x;
				if (is_backward)
					r->slope[l->src][best] += r->slope[l->dst][out];
				else
					r->act[l->dst][out] = r->act[l->src][best];
			}
}

static void avgpool(struct reference *r, const struct net_layer *l, int is_backward)
{
	int plane = r->net->acts[l->src].h * r->net->acts[l->src].w;
	for (int nc = 0; nc < r->batch * r->net->acts[l->src].c; nc++) {
		if (!is_backward)
			r->act[l->dst][nc] = 0;
		for (int p = 0; p < plane; p++) {
			if (is_backward)
				r->slope[l->src][nc * plane + p] += r->slope[l->dst][nc] / plane;
			else
				r->act[l->dst][nc] += r->act[l->src][nc * plane + p] / plane;
		}
	}
}

static void fc(struct reference *r, const struct net_layer *l, int is_backward)
{
	int d = r->net->n_features, k = r->net->n_classes;
	const float *w = param(r, l->weight), *b = param(r, l->weight + 1);
	double *dw = r->gradient ? r->gradient + r->net->params[l->weight].offset : NULL;
	double *db = r->gradient ? r->gradient + r->net->params[l->weight + 1].offset : NULL;
	for (int n = 0; n < r->batch; n++)
		for (int i = 0; i < k; i++) {
			const double *x = r->act[l->src] + n * d;
			double slope = r->slope[l->dst][n * k + i], sum = b[i];
			for (int j = 0; j < d; j++) {
				sum += w[i * d + j] * x[j];
				if (is_backward) {
					dw[i * d + j] += slope * x[j];
					r->slope[l->src][n * d + j] += slope * w[i * d + j];
				}
			}
			if (is_backward)
				db[i] += slope;
			else
				r->act[l->dst][n * k + i] = sum;
		}
}

static void forward(struct reference *r, const uint8_t *rgb, const struct backend_step *step)
{
	int plane = r->net->input_px * r->net->input_px;
	for (int n = 0; n < r->batch; n++)
		for (int c = 0; c < 3; c++)
			for (int p = 0; p < plane; p++)
				r->act[0][(n * 3 + c) * plane + p] =
					(rgb[(n * plane + p) * 3 + c] / 255.0 - (double)r->mean[c]) / (double)r->std[c];
	for (int i = 0; i < r->net->n_layers; i++) {
		const struct net_layer *l = &r->net->layers[i];
		switch (l->kind) {
		case NET_CONV:
			conv_forward(r, l, r->conv[i]);
			norm_forward(r, i, step);
			break;
		case NET_MAXPOOL:
			maxpool(r, l, 0);
			break;
		case NET_AVGPOOL:
			avgpool(r, l, 0);
			break;
		case NET_FC:
			fc(r, l, 0);
			break;
		}
	}
}

static void backward(struct reference *r, int is_norm_frozen)
{
	for (int i = r->net->n_layers; i-- > 0;) {
		const struct net_layer *l = &r->net->layers[i];
		switch (l->kind) {
		case NET_CONV:
			norm_backward(r, i, is_norm_frozen);
			conv_backward(r, l, r->slope[l->dst]);
			break;
		case NET_MAXPOOL:
			maxpool(r, l, 1);
			break;
		case NET_AVGPOOL:
			avgpool(r, l, 1);
			break;
		case NET_FC:
			fc(r, l, 1);
			break;
		}
	}
}

static void reference_close(void *handle)
{
	struct reference *r = handle;
	if (!r)
		return;
	free_buffers(r);
	free(r->state.live);
	free(r->state.average);
	free(r->state.momentum);
	free(r->state.second);
	free(r->gradient);
	free(r->summed);
	free(r);
}

static enum status reference_open(
	const struct backend_config *config, void **handle, struct err *err)
{
	if (config->precision == BACKEND_HALF)
		return err_set(err, BAD_INPUT, "the reference has no half precision: it is for checking");
	struct reference *r = xcalloc(1, sizeof *r);
	size_t n = config->net->n_floats;
	r->net = config->net;
	memcpy(r->mean, config->mean, sizeof r->mean);
	memcpy(r->std, config->std, sizeof r->std);
	r->train_batch = config->train_batch;
	r->ranks = config->ranks;
	r->state.live = xmalloc(n * sizeof(float));
	memcpy(r->state.live, config->params, n * sizeof(float));
	if (r->train_batch) {
		r->state.average = xmalloc(n * sizeof(float));
		memcpy(r->state.average, config->params, n * sizeof(float));
		r->state.momentum = xcalloc(n, sizeof(float));
		r->state.second = xcalloc(n, sizeof(float));
		r->gradient = xcalloc(n, sizeof(double));
		r->summed = r->ranks ? xmalloc(n * sizeof(float)) : NULL;
	}
	*handle = r;
	return OK;
}

static enum status reference_infer(
	void *handle, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	(void)err;
	struct reference *r = handle;
	int k = r->net->n_classes, d = r->net->n_features, last = r->net->n_layers;
	size_t image = (size_t)r->net->input_px * (size_t)r->net->input_px * 3;
	size_buffers(r, 1);
	for (int i = 0; i < n; i++) {
		forward(r, rgb + (size_t)i * image, NULL);
		for (int j = 0; j < k; j++)
			logits[i * k + j] = (float)r->act[last][j];
		for (int j = 0; embeddings && j < d; j++)
			embeddings[i * d + j] = (float)r->act[last - 1][j];
	}
	return OK;
}

static enum status reference_features(
	void *handle, const uint8_t *rgb, int n, float *planes, struct err *err)
{
	(void)err;
	struct reference *r = handle;
	int plane = r->net->layers[r->net->n_layers - 2].src;
	size_t image = (size_t)r->net->input_px * (size_t)r->net->input_px * 3;
	size_t size = act_size(r->net, plane);
	size_buffers(r, 1);
	for (int i = 0; i < n; i++) {
		forward(r, rgb + (size_t)i * image, 0);
		for (size_t j = 0; j < size; j++)
			planes[(size_t)i * size + j] = (float)r->act[plane][j];
	}
	return OK;
}

/* Loss and its slope by the logits. */
static void loss(struct reference *r, struct backend_step *step)
{
	int k = r->net->n_classes, last = r->net->n_layers;
	float *logits = xmalloc((size_t)k * 2 * sizeof *logits), *slope = logits + k;
	double total = 0;
	for (int n = 0; n < r->batch; n++)
		total += step->weight[n];
	step->loss = 0;
	step->n_right = 0;
	for (int n = 0; n < r->batch; n++) {
		const float *target = step->target + n * k;
		int best = 0, truth = 0;
		for (int i = 0; i < k; i++)
			logits[i] = (float)r->act[last][n * k + i];
		for (int i = 0; i < r->net->head_size[0]; i++) {
			best = logits[i] > logits[best] ? i : best;
			truth = target[i] > target[truth] ? i : truth;
		}
		double share = step->weight[n] / total;
		step->loss += share * backend_row_loss(r->net, logits, target, (float)share, slope);
		step->n_right += best == truth;
		for (int i = 0; i < k; i++)
			r->slope[last][n * k + i] = slope[i];
	}
	free(logits);
}

/* The gradient becomes the mean over the ranks. */
static enum status mean_over_ranks(struct reference *r, struct err *err)
{
	size_t n = r->net->n_floats;
	if (!r->ranks)
		return OK;
	for (size_t i = 0; i < n; i++)
		r->summed[i] = (float)r->gradient[i];
	enum status status = r->ranks->sum(r->ranks->arg, r->summed, n, err);
	for (size_t i = 0; i < n; i++)
		r->gradient[i] = (double)r->summed[i] / r->ranks->n_ranks;
	return status;
}

static double gradient_norm(const struct reference *r, const struct backend_step *step)
{
	double sum = 0;
	for (int i = 0; i < r->net->n_params; i++) {
		const struct net_param *p = &r->net->params[i];
		for (size_t j = p->offset; j < p->offset + p->n && step_is_trained(r->net, step, i); j++)
			sum += r->gradient[j] * r->gradient[j];
	}
	return sqrt(sum);
}

static void move_params(struct reference *r, const struct backend_step *step)
{
	r->n_steps++;
	for (int i = 0; i < r->net->n_params; i++) {
		const struct net_param *p = &r->net->params[i];
		struct param_rule rule = param_rule_of(r->net, step, i, r->n_steps);
		for (size_t j = p->offset; j < p->offset + p->n; j++)
			element_step(j, (float)r->gradient[j], &rule, &r->state);
	}
}

static enum status reference_train_step(void *handle, struct backend_step *step, struct err *err)
{
	struct reference *r = handle;
	const struct net *net = r->net;
	if (!r->train_batch)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	size_buffers(r, r->train_batch);
	for (int i = 0; i <= net->n_layers; i++)
		memset(r->slope[i], 0, (size_t)r->batch * act_size(net, i) * sizeof(double));
	memset(r->gradient, 0, net->n_floats * sizeof(double));
	forward(r, step->rgb, step);
	loss(r, step);
	backward(r, step->is_norm_frozen);
	enum status status = mean_over_ranks(r, err);
	if (status)
		return status;
	for (size_t i = 0; step->gradient && i < net->n_floats; i++)
		step->gradient[i] = (float)r->gradient[i];
	if (step->clip > 0)
		step->norm = gradient_norm(r, step);
	move_params(r, step);
	return OK;
}

static enum status reference_read_state(
	void *handle, enum backend_state which, float *out, struct err *err)
{
	struct reference *r = handle;
	const float *from = *param_state_of(&r->state, which);
	if (!from)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	memcpy(out, from, r->net->n_floats * sizeof *out);
	return OK;
}

static enum status reference_write_state(
	void *handle, enum backend_state which, const float *in, int64_t n_steps, struct err *err)
{
	struct reference *r = handle;
	if (!r->train_batch)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	memcpy(*param_state_of(&r->state, which), in, r->net->n_floats * sizeof *in);
	r->n_steps = n_steps;
	return OK;
}

const struct backend backend_reference = {
	.abi = BACKEND_ABI,
	.name = "reference",
	.open = reference_open,
	.infer = reference_infer,
	.features = reference_features,
	.train_step = reference_train_step,
	.read_state = reference_read_state,
	.write_state = reference_write_state,
	.close = reference_close,
};
