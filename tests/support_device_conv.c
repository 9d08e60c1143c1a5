/* The convolutions of the device in plain C: sums in double over every tap that lies in the picture. */
#include "support_device_part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int device_n_tuned, device_n_weight_slopes, device_n_data_slopes;

struct device_layer {
	struct device *device;
	struct net_layer of;
	struct net_act x, y;
	int batch;
	enum number type;
	enum device_use use;
};

struct device_layer *device_layer_new(struct device *d, const struct net *net, int layer, int batch,
	enum number type, enum device_use use)
{
	if (d->failed)
		return NULL;
	assert_int_equal(net->layers[layer].kind, NET_CONV);
	struct device_layer *l = calloc(1, sizeof *l);
	*l = (struct device_layer){.device = d,
		.of = net->layers[layer],
		.x = net->acts[net->layers[layer].src],
		.y = net->acts[net->layers[layer].dst],
		.batch = batch,
		.type = type,
		.use = use};
	if (l->x.c == 3)
		l->x.c = 4;
	device_n_live++;
	return l;
}

void device_layer_free(struct device_layer *l)
{
	device_n_live -= l != NULL;
	free(l);
}

/* Where (n, c, y, x) lies in an activation. */
static size_t at(const struct net_act *a, int n, int c, int y, int x)
{
	return (size_t)(((n * a->h + y) * a->w + x) * a->c + c);
}

static size_t size_of(const struct device_layer *l, const struct net_act *a)
{
	return (size_t)(l->batch * a->c * a->h * a->w);
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

/* Where the weights of a tap lie, an input channel after the other. */
static size_t weight_at(const struct device_layer *l, const struct tap *t)
{
	return (size_t)((t->o * l->of.kernel * l->of.kernel + t->k) * l->x.c);
}

static void store_all(enum number type, void *to, const double *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		number_store(type, to, i, (float)from[i]);
}

static double *widened(enum number type, const void *from, size_t n)
{
	double *out = malloc(n * sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = (double)number_load(type, from, i);
	return out;
}

static size_t n_weights(const struct device_layer *l)
{
	return (size_t)(l->y.c * l->x.c * l->of.kernel * l->of.kernel);
}

static double *convolved(const struct device_layer *l, const void *x, const void *weights)
{
	double *sum = calloc(size_of(l, &l->y), sizeof *sum);
	double *from = widened(l->type, x, size_of(l, &l->x));
	double *w = widened(l->type, weights, n_weights(l));
	for (struct tap t = before_first; next_tap(l, &t);) {
		const double *own = from + at(&l->x, t.n, 0, t.iy, t.ix), *by = w + weight_at(l, &t);
		double *to = sum + at(&l->y, t.n, t.o, t.y, t.x);
		for (int c = 0; c < l->x.c; c++)
			*to += by[c] * own[c];
	}
	free(from);
	free(w);
	return sum;
}

void device_conv_infer(struct device_layer *l, const struct device_conv *c)
{
	if (l->device->failed)
		return;
	assert_int_equal(l->use, DEVICE_INFER);
	assert_true(c->x != c->y && c->add != c->y);
	note(l->device, c->x, 0);
	note(l->device, c->y, 0);
	double *sum = convolved(l, c->x, c->weights);
	for (size_t i = 0; i < size_of(l, &l->y); i++) {
		sum[i] += (double)number_load(l->type, c->bias, i % (size_t)l->y.c);
		sum[i] += c->add ? (double)number_load(l->type, c->add, i) : 0;
		sum[i] = l->of.relu && sum[i] < 0 ? 0 : sum[i];
	}
	store_all(l->type, c->y, sum, size_of(l, &l->y));
	free(sum);
}

/* As a card's, it spoils y. */
void device_conv_tune(struct device_layer *l, const struct device_conv *c)
{
	if (l->device->failed)
		return;
	memset(c->y, 0xff, size_of(l, &l->y) * number_size(l->type));
	device_n_tuned++;
}

void device_conv(struct device_layer *l, const void *x, const void *weights, void *y)
{
	if (l->device->failed)
		return;
	assert_int_equal(l->use, DEVICE_TRAIN);
	note(l->device, x, 0);
	double *sum = convolved(l, x, weights);
	store_all(l->type, y, sum, size_of(l, &l->y));
	free(sum);
}

void device_conv_backward_weights(
	struct device_layer *l, const void *x, const void *y_slope, void *weights_slope)
{
	if (l->device->failed)
		return;
	device_n_weight_slopes++;
	note(l->device, weights_slope, 0);
	double *sum = calloc(n_weights(l), sizeof *sum);
	double *from = widened(l->type, x, size_of(l, &l->x));
	double *by = widened(l->type, y_slope, size_of(l, &l->y));
	for (struct tap t = before_first; next_tap(l, &t);) {
		const double *own = from + at(&l->x, t.n, 0, t.iy, t.ix);
		double *to = sum + weight_at(l, &t), slope = by[at(&l->y, t.n, t.o, t.y, t.x)];
		for (int c = 0; c < l->x.c; c++)
			to[c] += slope * own[c];
	}
	store_all(l->type, weights_slope, sum, n_weights(l));
	free(sum);
	free(from);
	free(by);
}

void device_conv_backward_data(
	struct device_layer *l, const void *weights, const void *y_slope, void *x_slope)
{
	if (l->device->failed)
		return;
	device_n_data_slopes++;
	note(l->device, x_slope, 0);
	double *sum = calloc(size_of(l, &l->x), sizeof *sum);
	double *w = widened(l->type, weights, n_weights(l));
	double *by = widened(l->type, y_slope, size_of(l, &l->y));
	for (struct tap t = before_first; next_tap(l, &t);) {
		const double *own = w + weight_at(l, &t);
		double *to = sum + at(&l->x, t.n, 0, t.iy, t.ix);
		double slope = by[at(&l->y, t.n, t.o, t.y, t.x)];
		for (int c = 0; c < l->x.c; c++)
			to[c] += slope * own[c];
	}
	store_all(l->type, x_slope, sum, size_of(l, &l->x));
	free(sum);
	free(w);
	free(by);
}
