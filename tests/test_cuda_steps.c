/* labels: unit; timeout: 120 */
/*
 * The CUDA module's order of work without a card: module.c, infer.c and train.c run on the device
 * below, device.h as textbook loops on the processor, and are held to the reference. This shows
 * that folding, layouts, shared buffers and slopes are right; that cuDNN does what device.h says is
 * for test_cuda.c on a machine with a card.
 */
#include "device.h"
#include "support_net.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct backend topi_backend;

struct device {
	int failed;
};

struct device_layer {
	struct device *device;
	struct net_layer of;
	struct net_act x, y;
	int batch, infers;
};

static int n_live;      /* allocations, layers and devices that nobody has freed */
static int n_allocated; /* since the device was opened */
static int fail_at;     /* that allocation, counted from 1, finds no room; 0: none */

enum status device_open(int number, struct device **out, struct err *err)
{
	if (number > 0)
		return err_set(err, BAD_INPUT, "no card %d", number);
	*out = calloc(1, sizeof **out);
	n_live++;
	n_allocated = 0;
	return OK;
}

void device_close(struct device *d)
{
	n_live -= d != NULL;
	free(d);
}

void device_enter(struct device *d)
{
	assert_non_null(d);
}

enum status device_check(struct device *d, struct err *err)
{
	int failed = d->failed;
	d->failed = 0;
	return failed ? err_set(err, FAULT, "no room") : OK;
}

void *device_alloc(struct device *d, size_t n_bytes, const char *what)
{
	assert_non_null(what);
	if (d->failed)
		return NULL;
	if (++n_allocated == fail_at) {
		d->failed = 1;
		return NULL;
	}
	n_live++;
	return calloc(n_bytes ? n_bytes : 1, 1);
}

void device_free(struct device *d, void *at)
{
	(void)d;
	n_live -= at != NULL;
	free(at);
}

void device_put(struct device *d, void *to, const void *from, size_t n_bytes)
{
	if (!d->failed)
		memcpy(to, from, n_bytes);
}

void device_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
	device_put(d, to, from, n_bytes);
}

struct device_layer *device_layer_new(
	struct device *d, const struct net *net, int layer, int batch, enum device_use use)
{
	if (d->failed)
		return NULL;
	struct device_layer *l = calloc(1, sizeof *l);
	*l = (struct device_layer){.device = d,
		.of = net->layers[layer],
		.x = net->acts[net->layers[layer].src],
		.y = net->acts[net->layers[layer].dst],
		.batch = batch,
		.infers = use == DEVICE_INFER};
	if (l->infers && l->x.c == 3)
		l->x.c = 4;
	n_live++;
	return l;
}

void device_layer_free(struct device_layer *l)
{
	n_live -= l != NULL;
	free(l);
}

/* Where (n, c, y, x) lies in an activation, by the use's layout. */
static size_t at(const struct device_layer *l, const struct net_act *a, int n, int c, int y, int x)
{
	return (size_t)(l->infers ? ((n * a->h + y) * a->w + x) * a->c + c
							  : ((n * a->c + c) * a->h + y) * a->w + x);
}

/* One tap of a window: an output, an input, and the place in the window that joins them. */
struct tap {
	int n, o, y, x; /* output */
	int iy, ix, k;  /* input's row and column; place */
};

/* The next tap inside the picture, channel of the input aside. 0 after the last. */
static int next_tap(const struct device_layer *l, struct tap *t)
{
	int kernel = l->of.kernel;
	for (;;) {
		if (++t->k == kernel * kernel) {
			t->k = 0;
			if (++t->x == l->y.w) {
				t->x = 0;
				if (++t->y == l->y.h) {
					t->y = 0;
					if (++t->o == l->y.c) {
						t->o = 0;
						if (++t->n == l->batch)
							return 0;
					}
				}
			}
		}
		t->iy = t->y * l->of.stride - l->of.pad + t->k / kernel;
		t->ix = t->x * l->of.stride - l->of.pad + t->k % kernel;
		if (t->iy >= 0 && t->iy < l->x.h && t->ix >= 0 && t->ix < l->x.w)
			return 1;
	}
}

static const struct tap before_first = {.k = -1};

void device_conv_infer(struct device_layer *l, const void *x, const void *weights, const void *bias,
	const void *add, void *y)
{
	const uint16_t *in = x, *w = weights, *b = bias, *plus = add;
	uint16_t *out = y;
	size_t size = (size_t)(l->batch * l->y.c * l->y.h * l->y.w);
	int n_taps = l->of.kernel * l->of.kernel;
	double *sum = calloc(size, sizeof *sum);
	assert_true(l->infers && x != y);
	for (struct tap t = before_first; next_tap(l, &t);)
		for (int c = 0; c < l->x.c; c++)
			sum[at(l, &l->y, t.n, t.o, t.y, t.x)] += (double)half_to_float(
														 w[(t.o * n_taps + t.k) * l->x.c + c]) *
				(double)half_to_float(in[at(l, &l->x, t.n, c, t.iy, t.ix)]);
	for (size_t i = 0; i < size; i++) {
		double v = sum[i] + (double)half_to_float(b[i % (size_t)l->y.c]);
		v += plus ? (double)half_to_float(plus[i]) : 0;
		out[i] = half_from_float(l->of.relu && v < 0 ? 0 : (float)v);
	}
	free(sum);
}

void device_pool(struct device_layer *l, const void *x, void *y)
{
	size_t size = (size_t)(l->batch * l->y.c * l->y.h * l->y.w);
	double *sum = calloc(size, sizeof *sum);
	int *seen = calloc(size, sizeof *seen);
	for (struct tap t = before_first; next_tap(l, &t);) {
		size_t from = at(l, &l->x, t.n, t.o, t.iy, t.ix), to = at(l, &l->y, t.n, t.o, t.y, t.x);
		double v = l->infers ? (double)half_to_float(((const uint16_t *)x)[from])
							 : (double)((const float *)x)[from];
		if (l->of.kind == NET_AVGPOOL)
			sum[to] += v;
		else if (!seen[to] || v > sum[to])
			sum[to] = v;
		seen[to]++;
	}
	for (size_t i = 0; i < size; i++) {
		float v = (float)(l->of.kind == NET_AVGPOOL ? sum[i] / seen[i] : sum[i]);
		if (l->infers)
			((uint16_t *)y)[i] = half_from_float(v);
		else
			((float *)y)[i] = v;
	}
	free(sum);
	free(seen);
}

void device_conv(struct device_layer *l, const float *x, const float *weights, float *y)
{
	int n_taps = l->of.kernel * l->of.kernel;
	assert_false(l->infers);
	memset(y, 0, (size_t)(l->batch * l->y.c * l->y.h * l->y.w) * sizeof *y);
	for (struct tap t = before_first; next_tap(l, &t);)
		for (int c = 0; c < l->x.c; c++)
			y[at(l, &l->y, t.n, t.o, t.y, t.x)] += weights[(t.o * l->x.c + c) * n_taps + t.k] *
				x[at(l, &l->x, t.n, c, t.iy, t.ix)];
}

void device_conv_backward_weights(
	struct device_layer *l, const float *x, const float *y_slope, float *weights_slope)
{
	int n_taps = l->of.kernel * l->of.kernel;
	memset(weights_slope, 0, (size_t)(l->y.c * l->x.c * n_taps) * sizeof *weights_slope);
	for (struct tap t = before_first; next_tap(l, &t);)
		for (int c = 0; c < l->x.c; c++)
			weights_slope[(t.o * l->x.c + c) * n_taps + t.k] +=
				y_slope[at(l, &l->y, t.n, t.o, t.y, t.x)] * x[at(l, &l->x, t.n, c, t.iy, t.ix)];
}

void device_conv_backward_data(
	struct device_layer *l, const float *weights, const float *y_slope, int adds, float *x_slope)
{
	int n_taps = l->of.kernel * l->of.kernel;
	if (!adds)
		memset(x_slope, 0, (size_t)(l->batch * l->x.c * l->x.h * l->x.w) * sizeof *x_slope);
	for (struct tap t = before_first; next_tap(l, &t);)
		for (int c = 0; c < l->x.c; c++)
			x_slope[at(l, &l->x, t.n, c, t.iy, t.ix)] +=
				weights[(t.o * l->x.c + c) * n_taps + t.k] *
				y_slope[at(l, &l->y, t.n, t.o, t.y, t.x)];
}

/* The first largest value of a window takes its slope. */
void device_pool_backward(
	struct device_layer *l, const float *x, const float *y, const float *y_slope, float *x_slope)
{
	char *taken = calloc((size_t)(l->batch * l->y.c * l->y.h * l->y.w), 1);
	memset(x_slope, 0, (size_t)(l->batch * l->x.c * l->x.h * l->x.w) * sizeof *x_slope);
	for (struct tap t = before_first; next_tap(l, &t);) {
		size_t from = at(l, &l->x, t.n, t.o, t.iy, t.ix), to = at(l, &l->y, t.n, t.o, t.y, t.x);
		if (l->of.kind == NET_AVGPOOL) {
			x_slope[from] += y_slope[to] / (float)(l->of.kernel * l->of.kernel);
		} else if (!taken[to] && x[from] == y[to]) {
			x_slope[from] += y_slope[to];
			taken[to] = 1;
		}
	}
	free(taken);
}

void device_norm(struct device_layer *l, const struct device_norm *norm, const float *x, float *y)
{
	int plane = l->y.h * l->y.w;
	double count = (double)(l->batch * plane);
	for (int c = 0; c < l->y.c; c++) {
		double mean = 0, var = 0;
		for (int n = 0; n < l->batch; n++)
			for (int p = 0; p < plane; p++)
				mean += (double)x[(n * l->y.c + c) * plane + p] / count;
		for (int n = 0; n < l->batch; n++)
			for (int p = 0; p < plane; p++)
				var += pow((double)x[(n * l->y.c + c) * plane + p] - mean, 2) / count;
		norm->mean[c] = (float)mean;
		norm->inverse[c] = (float)(1 / sqrt(var + (double)NET_BN_EPSILON));
		norm->running_mean[c] += 0.1f * ((float)mean - norm->running_mean[c]);
		norm->running_var[c] += 0.1f * ((float)(var * count / (count - 1)) - norm->running_var[c]);
		for (int n = 0; n < l->batch; n++)
			for (int p = 0; p < plane; p++) {
				int i = (n * l->y.c + c) * plane + p;
				y[i] = norm->scale[c] * (x[i] - norm->mean[c]) * norm->inverse[c] + norm->shift[c];
			}
	}
}

void device_norm_backward(struct device_layer *l, const struct device_norm *norm, const float *x,
	const float *y_slope, float *x_slope, float *scale_slope, float *shift_slope)
{
	int plane = l->y.h * l->y.w;
	float count = (float)(l->batch * plane);
	for (int c = 0; c < l->y.c; c++) {
		double by_scale = 0, by_shift = 0;
		for (int pass = 0; pass < 2; pass++)
			for (int n = 0; n < l->batch; n++)
				for (int p = 0; p < plane; p++) {
					int i = (n * l->y.c + c) * plane + p;
					float normal = (x[i] - norm->mean[c]) * norm->inverse[c];
					by_scale += pass ? 0 : (double)(y_slope[i] * normal);
					by_shift += pass ? 0 : (double)y_slope[i];
					if (pass)
						x_slope[i] = norm->scale[c] * norm->inverse[c] *
							(y_slope[i] - ((float)by_shift + normal * (float)by_scale) / count);
				}
		scale_slope[c] = (float)by_scale;
		shift_slope[c] = (float)by_shift;
	}
}

void device_multiply(struct device *d, const struct device_product *p)
{
	if (d->failed)
		return;
	for (int i = 0; i < p->m; i++)
		for (int j = 0; j < p->n; j++) {
			double sum = 0;
			for (int k = 0; k < p->k; k++)
				sum += (double)p->a[p->a_turned ? k * p->m + i : i * p->k + k] *
					(double)p->b[p->b_turned ? j * p->k + k : k * p->n + j];
			p->c[i * p->n + j] = (float)sum;
		}
}

void device_picture_half(
	struct device *d, size_t n, const uint8_t *rgb, struct picture_scale s, void *out)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_picture_half(i, rgb, s, out);
}

void device_picture_float(struct device *d, size_t n, const uint8_t *rgb, size_t plane,
	struct picture_scale s, float *out)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_picture_float(i, rgb, plane, s, out);
}

void device_widen(struct device *d, size_t n, const void *half, float *out)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_widen(i, half, out);
}

void device_add_bias(struct device *d, size_t n, const float *bias, size_t k, float *rows)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_add_bias(i, bias, k, rows);
}

void device_add_relu(struct device *d, size_t n, const float *add, float *y)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_add_relu(i, add, y);
}

void device_relu(struct device *d, size_t n, float *y)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_relu(i, y);
}

void device_relu_backward(struct device *d, size_t n, const float *y, float *slope)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_relu_backward(i, y, slope);
}

void device_sgd(struct device *d, size_t n, const float *gradient, struct sgd s, float *v,
	float *param, float *average)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_sgd(i, gradient, s, v, param, average);
}

static void forward(void **state)
{
	(void)state;
	backend_forward_agrees(&topi_backend, 1e-2); /* halves */
	backend_features_agree(&topi_backend, 1e-2);
	assert_int_equal(n_live, 0);
}

static void step(void **state)
{
	(void)state;
	backend_step_agrees(&topi_backend, 1e-3);
	assert_int_equal(n_live, 0);
}

static void inference_follows_training(void **state)
{
	(void)state;
	backend_inference_follows_training(&topi_backend, 1e-2);
	assert_int_equal(n_live, 0);
}

static void training_wants_a_batch(void **state)
{
	(void)state;
	backend_training_wants_a_batch(&topi_backend);
	assert_int_equal(n_live, 0);
}

/* More pictures than the largest batch: each gets what it gets alone. */
static void many_pictures(void **state)
{
	(void)state;
	enum { MANY = 131 };
	struct fixture *f = fixture_new(0);
	size_t picture = PX * PX * 3, d = (size_t)f->net.n_features;
	uint8_t *rgb = malloc(MANY * picture);
	float *logits = calloc(MANY * K, sizeof *logits), *x = calloc(MANY * d, sizeof *x);
	float alone[BATCH * K];
	f->config.train_batch = 0;
	for (int i = 0; i < MANY; i++)
		memcpy(rgb + (size_t)i * picture, f->rgb + (size_t)(i % BATCH) * picture, picture);
	void *handle = fixture_open(&topi_backend, f);
	assert_int_equal(topi_backend.infer(handle, rgb, MANY, logits, x, NULL), OK);
	for (int i = 0; i < BATCH; i++)
		assert_int_equal(
			topi_backend.infer(handle, f->rgb + (size_t)i * picture, 1, alone + i * K, NULL, NULL),
			OK);
	for (int i = 0; i < MANY; i++) {
		assert_memory_equal(logits + i * K, alone + i % BATCH * K, K * sizeof *alone);
		assert_memory_equal(x + (size_t)i * d, x + (size_t)(i % BATCH) * d, d * sizeof *x);
	}
	topi_backend.close(handle);
	assert_int_equal(n_live, 0);
	free(rgb);
	free(logits);
	free(x);
	fixture_free(f);
}

/* The Nth allocation on the card fails: one error, nothing kept, and inference works the next
 * time. */
static void no_room(void **state)
{
	(void)state;
	for (int train_batch = 0; train_batch <= BATCH; train_batch += BATCH) {
		struct fixture *f = fixture_new(0);
		float logits[BATCH * K];
		int failures = 0;
		enum status status = FAULT;
		f->config.train_batch = train_batch;
		for (fail_at = 1; status == FAULT; fail_at++) {
			void *handle = NULL;
			struct err err = {0};
			status = topi_backend.open(&f->config, &handle, &err);
			if (!status) {
				status = topi_backend.infer(handle, f->rgb, BATCH, logits, NULL, &err);
				if (status)
					assert_int_equal(
						topi_backend.infer(handle, f->rgb, BATCH, logits, NULL, NULL), OK);
				topi_backend.close(handle);
			}
			assert_int_equal(n_live, 0);
			failures += status == FAULT;
			if (status)
				assert_string_equal(err.text, "no room");
		}
		fail_at = 0;
		assert_int_equal(status, OK);
		assert_true(failures > 5);
		fixture_free(f);
	}
}

/* What halves cannot hold is an error, not a wrong label. */
static void beyond_half_precision(void **state)
{
	(void)state;
	static const struct {
		enum net_param_kind kind;
		float is;
		const char *says;
	} rows[] = {
		{NET_BN_SCALE, 1e8f, "with its batch norm is beyond half precision"},
		{NET_BN_SCALE, 3e3f, "a value inside the net is beyond half precision"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture *f = fixture_new(0);
		struct err err = {0};
		float logits[BATCH * K];
		for (int j = 0; j < f->net.n_params; j++) {
			const struct net_param *p = &f->net.params[j];
			for (size_t k = 0; p->kind == rows[i].kind && k < p->n; k++)
				f->params[p->offset + k] = rows[i].is;
		}
		void *handle = fixture_open(&topi_backend, f);
		assert_int_equal(topi_backend.infer(handle, f->rgb, BATCH, logits, NULL, &err), FAULT);
		if (!strstr(err.text, rows[i].says))
			fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
		topi_backend.close(handle);
		assert_int_equal(n_live, 0);
		fixture_free(f);
	}
}

static void no_such_card(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(0);
	void *handle = NULL;
	struct err err = {0};
	f->config.device = 7;
	assert_int_equal(topi_backend.open(&f->config, &handle, &err), BAD_INPUT);
	assert_null(handle);
	assert_int_equal(n_live, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward),
		cmocka_unit_test(step),
		cmocka_unit_test(inference_follows_training),
		cmocka_unit_test(training_wants_a_batch),
		cmocka_unit_test(many_pictures),
		cmocka_unit_test(no_room),
		cmocka_unit_test(beyond_half_precision),
		cmocka_unit_test(no_such_card),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
