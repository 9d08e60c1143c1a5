/* The device of this test: device.h as textbook loops on the processor. */
#include "support_device_part.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int device_n_live, device_n_allocated, device_fail_at, device_n_recorded;
size_t device_room = (size_t)1 << 40;

struct device_graph {
	struct device *device;
	void (*queue)(void *arg);
	void *arg;
	uint64_t work; /* of its first run; 0: none yet */
};

int device_count(void)
{
	return 1;
}

enum status device_open(int number, struct device **out, struct err *err)
{
	if (number > 0)
		return err_set(err, BAD_INPUT, "no card %d", number);
	*out = calloc(1, sizeof **out);
	device_n_live++;
	device_n_allocated = 0;
	return OK;
}

void device_close(struct device *d)
{
	device_n_live -= d != NULL;
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

int device_has_failed(const struct device *d)
{
	return d->failed;
}

void *device_alloc(struct device *d, size_t n_bytes, const char *what)
{
	assert_non_null(what);
	if (d->failed)
		return NULL;
	if (++device_n_allocated == device_fail_at) {
		d->failed = 1;
		return NULL;
	}
	device_n_live++;
	return calloc(n_bytes ? n_bytes : 1, 1);
}

void device_free(struct device *d, void *at)
{
	(void)d;
	device_n_live -= at != NULL;
	free(at);
}

void *device_alloc_host(struct device *d, size_t n_bytes)
{
	return device_alloc(d, n_bytes, "here");
}

void device_free_host(struct device *d, void *at)
{
	device_free(d, at);
}

size_t device_room_bytes(struct device *d)
{
	(void)d;
	return device_room;
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

void device_lane_put(struct device *d, int lane, void *to, const void *from, size_t n_bytes)
{
	assert_false(d->is_marked[lane]); /* the lane's memory is still read */
	device_put(d, to, from, n_bytes);
	d->is_put[lane] = 1;
}

void device_lane_use(struct device *d, int lane)
{
	d->is_put[lane] = 0;
}

void device_lane_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
	note(d, to, (double)n_bytes);
	device_put(d, to, from, n_bytes);
}

void device_lane_mark(struct device *d, int lane)
{
	assert_false(d->is_put[lane]); /* nobody waited for the copies */
	d->is_marked[lane] = 1;
}

void device_lane_wait(struct device *d, int lane)
{
	d->is_marked[lane] = 0;
}

struct device_graph *device_graph_new(struct device *d, void (*queue)(void *arg), void *arg)
{
	if (d->failed)
		return NULL;
	struct device_graph *g = calloc(1, sizeof *g);
	*g = (struct device_graph){d, queue, arg, 0};
	device_n_live++;
	device_n_recorded++;
	return g;
}

void device_graph_run(struct device_graph *g)
{
	if (g->device->failed)
		return;
	g->device->work = 1;
	g->queue(g->arg);
	if (g->work)
		assert_true(g->work == g->device->work); /* a card would have done the first run's work */
	g->work = g->device->work;
}

void device_graph_free(struct device_graph *g)
{
	device_n_live -= g != NULL;
	free(g);
}

/* Calls f for every unit, with the first channel of it. */
#define EACH_UNIT(n, i, channel)                                                                   \
	for (size_t i = 0, channel = 0; i < (n)->rows * (size_t)((n)->c / UNIT);                       \
		 i++, channel = i % (size_t)((n)->c / UNIT) * UNIT)

static void add_unit(const float *unit, double *to)
{
	for (int j = 0; j < UNIT; j++)
		to[j] += (double)unit[j];
}

void device_norm(struct device *d, const struct device_norm *n, const void *x, const void *add,
	int relu, void *y)
{
	if (d->failed)
		return;
	double *sums = calloc((size_t)n->c * 2, sizeof *sums), *squares = sums + n->c;
	float *by = calloc((size_t)n->c * 2, sizeof *by), *plus = by + n->c;
	assert_true(x != y && add != y);
	note(d, y, n->is_frozen);
	EACH_UNIT(n, i, channel)
	{
		float sum[UNIT] = {0}, square[UNIT] = {0};
		unit_square(n->type, i, x, sum, square);
		add_unit(sum, sums + channel);
		add_unit(square, squares + channel);
	}
	for (int c = 0; c < n->c; c++) {
		n->channels[c] = norm_finish(sums[c], squares[c], (double)n->rows, n->is_frozen,
			n->scale[c], n->shift[c], &n->running_mean[c], &n->running_var[c], NET_BN_EPSILON);
		by[c] = n->channels[c].by;
		plus[c] = n->channels[c].plus;
	}
	EACH_UNIT(n, i, channel)
	unit_norm(n->type, i, x, by + channel, plus + channel, add, relu, y);
	free(sums);
	free(by);
}

void device_norm_backward(
	struct device *d, const struct device_norm *n, const struct norm_slope *slope, void *x_slope)
{
	if (d->failed)
		return;
	double *by_shift = calloc((size_t)n->c * 2, sizeof *by_shift), *by_scale = by_shift + n->c;
	float *by = calloc((size_t)n->c * 2, sizeof *by), *plus = by + n->c;
	struct norm_back *back = calloc((size_t)n->c, sizeof *back);
	assert_true(x_slope != slope->a && x_slope != slope->b && slope->a != slope->b);
	EACH_UNIT(n, i, channel)
	{
		float shift[UNIT] = {0}, scale[UNIT] = {0};
		unit_norm_slope(n->type, i, slope, n->channels + channel, shift, scale);
		add_unit(shift, by_shift + channel);
		add_unit(scale, by_scale + channel);
	}
	for (int c = 0; c < n->c; c++) {
		n->shift_slope[c] = (float)by_shift[c];
		n->scale_slope[c] = (float)by_scale[c];
		back[c] = norm_slope_finish(
			by_shift[c], by_scale[c], (double)n->rows, n->is_frozen, n->channels[c]);
		by[c] = n->channels[c].by;
		plus[c] = n->channels[c].plus;
	}
	EACH_UNIT(n, i, channel)
	unit_norm_slope_x(n->type, i, slope, by + channel, plus + channel, back + channel, x_slope);
	free(by_shift);
	free(by);
	free(back);
}

void device_picture(struct device *d, enum number type, size_t pixels, const uint8_t *rgb,
	struct picture_scale s, void *out)
{
	for (size_t i = 0; i < pixels && !d->failed; i++)
		element_picture(type, i, rgb, s, out);
}

void device_pack(
	struct device *d, enum number type, struct weights_shape s, const float *from, void *to)
{
	for (size_t i = 0; i < s.n_out * s.taps * s.c_wide && !d->failed; i++)
		element_pack(type, i, s, from, to);
}

void device_unpack(
	struct device *d, enum number type, struct weights_shape s, const void *from, float *to)
{
	for (size_t i = 0; i < s.n_out * s.taps * s.c_in && !d->failed; i++)
		element_unpack(type, i, s, from, to);
}

static size_t units(const struct device_pool *p, int h, int w)
{
	return (size_t)(p->batch * h * w * p->shape.c / UNIT);
}

void device_maxpool(struct device *d, const struct device_pool *p, const void *x, void *y)
{
	for (size_t i = 0; i < units(p, p->shape.h_out, p->shape.w_out) && !d->failed; i++)
		element_maxpool(p->type, p->to, i, p->shape, x, y, p->chosen);
}

void device_maxpool_backward(
	struct device *d, const struct device_pool *p, const void *a, const void *b, void *x_slope)
{
	for (size_t i = 0; i < units(p, p->shape.h_in, p->shape.w_in) && !d->failed; i++)
		element_maxpool_slope(p->type, p->to, i, p->shape, p->chosen, a, b, x_slope);
}

void device_avgpool(struct device *d, const struct device_pool *p, const void *x, float *y)
{
	for (size_t i = 0; i < units(p, p->shape.h_out, p->shape.w_out) && !d->failed; i++)
		element_avgpool(p->type, i, p->shape, x, y);
}

void device_avgpool_backward(
	struct device *d, const struct device_pool *p, const float *y_slope, void *x_slope)
{
	for (size_t i = 0; i < units(p, p->shape.h_in, p->shape.w_in) && !d->failed; i++)
		element_avgpool_slope(p->type, i, p->shape, y_slope, x_slope);
}

void device_add_bias(struct device *d, size_t n, const float *bias, size_t k, float *rows)
{
	for (size_t i = 0; i < n && !d->failed; i++)
		element_add_bias(i, bias, k, rows);
}

void device_column_sum(struct device *d, size_t n, size_t k, const float *rows, float *out)
{
	for (size_t i = 0; i < k && !d->failed; i++)
		element_column_sum(i, n, k, rows, out);
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

void device_loss(struct device *d, const struct device_loss *l)
{
	size_t k = (size_t)l->shape.n_classes;
	for (size_t i = 0; i < l->n && !d->failed; i++)
		l->loss[i] = element_loss(&l->shape, l->logits + i * k, l->target + i * k, l->share[i],
			l->slope + i * k, &l->is_right[i]);
}

void device_gradient_norm(struct device *d, const struct step_range *ranges, int n_ranges,
	const float *gradient, float clip, float *norm)
{
	double sum = 0;
	if (d->failed)
		return;
	note(d, norm, (double)clip);
	for (int r = 0; r < n_ranges; r++)
		for (size_t i = 0; i < ranges[r].n && ranges[r].rule.is_trained; i++)
			sum += pow((double)gradient[ranges[r].at + i], 2);
	norm[0] = (float)sqrt(sum);
	norm[1] = norm[0] > clip ? clip / norm[0] : 1;
}

void device_step(struct device *d, const struct step_range *ranges, int n_ranges,
	const float *gradient, const float *scale, const struct param_state *state)
{
	note(d, scale, 0);
	for (int r = 0; r < n_ranges && !d->failed; r++) {
		struct param_rule rule = ranges[r].rule;
		rule.scale = scale ? *scale : 1;
		for (size_t i = ranges[r].at; i < ranges[r].at + ranges[r].n; i++)
			element_step(i, gradient[i], &rule, state);
	}
}

enum status device_ranks_join(struct device *d, const struct backend_ranks *ranks, struct err *err)
{
	(void)err;
	d->ranks = ranks;
	return OK;
}

void device_ranks_mean(struct device *d, float *at, size_t n)
{
	if (d->failed)
		return;
	assert_int_equal(d->ranks->sum(d->ranks->arg, at, n, NULL), OK);
	for (size_t i = 0; i < n; i++)
		at[i] /= (float)d->ranks->n_ranks;
}

void device_ranks_wait(struct device *d)
{
	assert_non_null(d->ranks);
}

enum status device_ranks_id(void *id, struct err *err)
{
	(void)err;
	memset(id, 0, BACKEND_RANKS_ID_BYTES);
	return OK;
}
