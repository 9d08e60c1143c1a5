/* labels: unit; timeout: 300 */
/*
 * Steps of the CUDA module on the device in plain C: what a step does to parameters is what backend.h
 * writes, its gradient is the loss' slope (by differences), its state can be written to another
 * handle, and ranks have the mean of their gradients.
 */
#include "support_device.h"
#include "support_net.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct backend topi_backend;

static struct backend_step step_of(struct fixture *f)
{
	return (struct backend_step){.rgb = f->rgb,
		.target = f->target,
		.weight = f->weight,
		.rate = 0.01f,
		.momentum = 0.9f,
		.weight_decay = 0.02f,
		.beta2 = 0.99f,
		.average = 0.75f};
}

static int is_statistic(const struct net_param *p)
{
	return p->kind == NET_BN_MEAN || p->kind == NET_BN_VAR;
}

enum { N_STATES = 4 };

static void read_states(void *handle, float *const *states)
{
	for (int s = 0; s < N_STATES; s++)
		assert_int_equal(
			topi_backend.read_state(handle, (enum backend_state)s, states[s], NULL), OK);
}

/* backend.h's formulas in double, one parameter. */
static void expect_step(
	const struct backend_step *step, double g, double rate, double decay, int t, double *state)
{
	double *p = &state[BACKEND_LIVE], *m = &state[BACKEND_MOMENTUM], *v = &state[BACKEND_SECOND];
	double momentum = (double)step->momentum, beta2 = (double)step->beta2;
	if (step->rule == BACKEND_SGD) {
		*m = momentum * *m + g + decay * *p;
		*p -= rate * *m;
		return;
	}
	*m = momentum * *m + (1 - momentum) * g;
	*v = beta2 * *v + (1 - beta2) * g * g;
	*p -= rate *
		(*m / (1 - pow(momentum, t)) / (sqrt(*v / (1 - pow(beta2, t))) + 1e-8) + decay * *p);
}

static void steps_as_written(void **state)
{
	(void)state;
	static const struct {
		enum backend_rule rule;
		float clip; /* of the norm; 0: none */
		int frozen_layers, is_norm_frozen;
	} rows[] = {
		{BACKEND_SGD, 0, 0, 0},
		{BACKEND_SGD, 0.1f, 0, 0},
		{BACKEND_SGD, 1e6f, 3, 0},
		{BACKEND_ADAMW, 0, 0, 0},
		{BACKEND_ADAMW, 0.1f, 8, 1},
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		struct fixture *f = fixture_new(0);
		const struct net *net = &f->net;
		float *before[N_STATES], *after[N_STATES], *layer_rate = malloc(NET_MAX_PARAMS * 4);
		float *gradient = malloc(net->n_floats * sizeof *gradient);
		for (int s = 0; s < N_STATES; s++) {
			before[s] = malloc(net->n_floats * sizeof(float));
			after[s] = malloc(net->n_floats * sizeof(float));
		}
		for (int i = 0; i < net->n_params; i++)
			layer_rate[i] = i < rows[r].frozen_layers ? 0 : 0.5f + (float)i / 100;
		struct backend_step step = step_of(f);
		step.rule = rows[r].rule;
		step.clip = rows[r].clip;
		step.layer_rate = layer_rate;
		step.is_norm_frozen = rows[r].is_norm_frozen;
		step.gradient = gradient;
		void *handle = fixture_open(&topi_backend, f);
		for (int t = 1; t <= 3; t++) {
			double norm = 0;
			read_states(handle, before);
			assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
			read_states(handle, after);
			for (int i = 0; i < net->n_params; i++)
				for (size_t j = net->params[i].offset; j < net->params[i].offset + net->params[i].n;
					 j++)
					norm += layer_rate[i] != 0 ? pow((double)gradient[j], 2) : 0;
			norm = sqrt(norm);
			if (rows[r].clip > 0)
				assert_true(fabs(step.norm - norm) < 1e-5 * norm);
			double by = rows[r].clip > 0 && norm > (double)rows[r].clip
				? (double)rows[r].clip / norm
				: 1;
			for (int i = 0; i < net->n_params; i++) {
				const struct net_param *p = &net->params[i];
				for (size_t j = p->offset; j < p->offset + p->n; j++) {
					double own[N_STATES];
					for (int s = 0; s < N_STATES; s++)
						own[s] = (double)before[s][j];
					if (is_statistic(p))
						own[BACKEND_LIVE] = (double)after[BACKEND_LIVE][j];
					else if (layer_rate[i] != 0)
						expect_step(&step, by * (double)gradient[j],
							(double)step.rate * (double)layer_rate[i],
							p->n_dims > 1 ? (double)step.weight_decay : 0, t, own);
					own[BACKEND_AVERAGE] += 0.25 * (own[BACKEND_LIVE] - own[BACKEND_AVERAGE]);
					if (rows[r].is_norm_frozen && is_statistic(p))
						assert_true(after[BACKEND_LIVE][j] == before[BACKEND_LIVE][j]);
					for (int s = 0; s < N_STATES; s++)
						if (fabs((double)after[s][j] - own[s]) > 2e-6 + 1e-5 * fabs(own[s]))
							fail_msg("row %zu step %d %s state %d: %g, not %g", r, t, p->name, s,
								(double)after[s][j], own[s]);
				}
			}
		}
		topi_backend.close(handle);
		for (int s = 0; s < N_STATES; s++) {
			free(before[s]);
			free(after[s]);
		}
		free(gradient);
		free(layer_rate);
		fixture_free(f);
	}
	assert_int_equal(device_n_live, 0);
}

/* Along its own gradient the loss changes by the gradient's square, for two heads of which one is
 * unknown in a row, with batch statistics and with running ones. */
static void gradient_is_the_slope(void **state)
{
	(void)state;
	for (int arch = 0; arch < FIXTURE_ARCHS; arch++)
		for (int is_frozen = 0; is_frozen < 2; is_frozen++) {
			struct fixture *f = fixture_new(arch);
			size_t n = f->net.n_floats;
			float *gradient = malloc(n * sizeof *gradient), *moved = malloc(n * sizeof *moved);
			double square = 0, losses[2];
			assert_int_equal(net_set_heads(&f->net, (int[]){3, 2}, 2, NULL), OK);
			for (int i = 0; i < BATCH; i++) {
				const float row[K] = {0.7f, 0.2f, 0.1f, i == 1 ? 0 : 0.25f, i == 1 ? 0 : 0.75f};
				memcpy(f->target + i * K, row, sizeof row);
			}
			void *handle = fixture_open(&topi_backend, f);
			struct backend_step step = step_of(f);
			step.rate = 0;
			step.is_norm_frozen = is_frozen;
			step.gradient = gradient;
			assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
			for (size_t i = 0; i < n; i++)
				square += (double)gradient[i] * (double)gradient[i];
			step.gradient = NULL;
			double by = 2e-3 / square; /* the loss moves by .002 each way */
			for (int side = 0; side < 2; side++) {
				for (size_t i = 0; i < n; i++)
					moved[i] = f->params[i] + (float)(side ? -by : by) * gradient[i];
				assert_int_equal(
					topi_backend.write_state(handle, BACKEND_LIVE, moved, 0, NULL), OK);
				assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
				losses[side] = step.loss;
			}
			double measured = (losses[0] - losses[1]) / 4e-3;
			if (fabs(measured - 1) > 2e-2)
				fail_msg("%s, frozen %d: the loss moves by %g of what the gradient says",
					f->net.arch->name, is_frozen, measured);
			topi_backend.close(handle);
			free(gradient);
			free(moved);
			fixture_free(f);
		}
}

/* Four states and the number of steps, written to a new handle, go on to the same bits. */
static void goes_on_elsewhere(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(1);
	size_t n_bytes = f->net.n_floats * sizeof(float);
	float *states[2][N_STATES];
	struct backend_step step = step_of(f);
	step.rule = BACKEND_ADAMW;
	void *first = fixture_open(&topi_backend, f), *second = fixture_open(&topi_backend, f);
	for (int s = 0; s < N_STATES; s++)
		for (int h = 0; h < 2; h++)
			states[h][s] = malloc(n_bytes);
	for (int i = 0; i < 3; i++)
		assert_int_equal(topi_backend.train_step(first, &step, NULL), OK);
	read_states(first, states[0]);
	for (int s = 0; s < N_STATES; s++)
		assert_int_equal(
			topi_backend.write_state(second, (enum backend_state)s, states[0][s], 3, NULL), OK);
	assert_int_equal(topi_backend.train_step(first, &step, NULL), OK);
	assert_int_equal(topi_backend.train_step(second, &step, NULL), OK);
	read_states(first, states[0]);
	read_states(second, states[1]);
	for (int s = 0; s < N_STATES; s++) {
		assert_memory_equal(states[0][s], states[1][s], n_bytes);
		free(states[0][s]);
		free(states[1][s]);
	}
	topi_backend.close(first);
	topi_backend.close(second);
	fixture_free(f);
}

/* A group in which the others have what this rank has. */
struct group {
	const float *end; /* of what is summed next */
	size_t n;
};

static enum status sum(void *arg, float *at, size_t n, struct err *err)
{
	(void)err;
	struct group *group = arg;
	if (group->end)
		assert_ptr_equal(at + n, group->end);
	group->end = at;
	group->n += n;
	for (size_t i = 0; i < n; i++)
		at[i] *= 3;
	return OK;
}

static enum status sum_of_one(void *arg, float *at, size_t n, struct err *err)
{
	(void)arg;
	(void)at;
	(void)n;
	(void)err;
	return OK;
}

static void ranks_have_the_mean(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(0);
	size_t n = f->net.n_floats;
	struct group group = {0};
	const struct backend_ranks ranks = {.n_ranks = 3, .sum = sum, .arg = &group};
	float *gradient[2];
	for (int i = 0; i < 2; i++) {
		gradient[i] = malloc(n * sizeof(float));
		struct backend_step step = step_of(f);
		step.gradient = gradient[i];
		f->config.ranks = i ? &ranks : NULL;
		void *handle = fixture_open(&topi_backend, f);
		assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
		topi_backend.close(handle);
	}
	assert_int_equal(group.n, n); /* every float once, from the end to the beginning */
	assert_true(relative_error(gradient[1], gradient[0], n) < 1e-6);
	free(gradient[0]);
	free(gradient[1]);
	fixture_free(f);
}

static void freeze_below(const struct net *net, const char *name, float *layer_rate)
{
	int is_trained = 0;
	for (int i = 0; i < net->n_params; i++) {
		is_trained |= !strncmp(net->params[i].name, name, strlen(name));
		layer_rate[i] = is_trained ? 0.5f : 0;
	}
	assert_true(is_trained);
}

/* The gradient below is nobody's, and is not sent. */
static void ranks_share_what_is_trained(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(0);
	float layer_rate[NET_MAX_PARAMS];
	struct group group = {0};
	const struct backend_ranks ranks = {.n_ranks = 3, .sum = sum, .arg = &group};
	struct backend_step step = step_of(f);
	size_t n_trained = 0;
	freeze_below(&f->net, "layer4", layer_rate);
	for (int i = 0; i < f->net.n_params; i++)
		n_trained += layer_rate[i] != 0 ? f->net.params[i].n : 0;
	step.layer_rate = layer_rate;
	f->config.ranks = &ranks;
	void *handle = fixture_open(&topi_backend, f);
	assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
	topi_backend.close(handle);
	assert_int_equal(group.n, n_trained);
	fixture_free(f);
}

/* What nobody is trained by is not worked out: convolutions of backward, counted by hand in a net of
 * one block a stage, of three convolutions from the second stage on. The rest has the bits that it has
 * when all is. */
static void frozen_parts_end_backward(void **state)
{
	(void)state;
	static const struct {
		const char *below;
		int n_weight_slopes, n_data_slopes; /* a step */
	} rows[] = {
		{"fc", 0, 0},
		{"layer4", 3, 1},
		{"layer3.0.bn1", 4, 4}, /* the way around comes before it */
		{"layer1.0.conv2", 10, 9},
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		struct fixture *f = fixture_new(0);
		size_t n = f->net.n_floats;
		float layer_rate[NET_MAX_PARAMS], *gradient = malloc(n * sizeof *gradient);
		float *states[2][N_STATES];
		freeze_below(&f->net, rows[r].below, layer_rate);
		for (int all = 0; all < 2; all++) {
			struct backend_step step = step_of(f);
			step.layer_rate = layer_rate;
			step.clip = 0.1f;
			step.gradient = all ? gradient : NULL;
			void *handle = fixture_open(&topi_backend, f);
			device_n_weight_slopes = device_n_data_slopes = 0;
			for (int i = 0; i < 2; i++)
				assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
			assert_int_equal(device_n_weight_slopes, 2 * (all ? 12 : rows[r].n_weight_slopes));
			assert_int_equal(device_n_data_slopes, 2 * (all ? 11 : rows[r].n_data_slopes));
			for (int s = 0; s < N_STATES; s++)
				states[all][s] = malloc(n * sizeof(float));
			read_states(handle, states[all]);
			topi_backend.close(handle);
		}
		for (int s = 0; s < N_STATES; s++) {
			assert_memory_equal(states[0][s], states[1][s], n * sizeof(float));
			free(states[0][s]);
			free(states[1][s]);
		}
		free(gradient);
		fixture_free(f);
	}
	assert_int_equal(device_n_live, 0);
}

/* Steps of one kind are recorded once, whatever their rate and pictures; ranks record none. */
static void alike_steps_are_recorded(void **state)
{
	(void)state;
	static const struct {
		float clip;
		int is_norm_frozen, n_recorded; /* so far */
	} rows[] = {{0, 0, 0}, {0, 0, 1}, {0, 0, 1}, {0, 0, 1}, {0.5f, 0, 1}, {0.5f, 0, 2},
		{0.25f, 0, 2}, {0.25f, 1, 2}, {0.25f, 1, 3}, {0.25f, 1, 3}};
	enum { N_STEPS = sizeof rows / sizeof *rows };
	struct fixture *f = fixture_new(1);
	size_t n = f->net.n_floats;
	float *states[2][N_STATES];
	const struct backend_ranks alone = {.n_ranks = 1, .nccl_id = f, .sum = sum_of_one};
	for (int plain = 0; plain < 2; plain++) {
		f->config.ranks = plain ? &alone : NULL;
		void *handle = fixture_open(&topi_backend, f);
		device_n_recorded = 0;
		for (int i = 0; i < N_STEPS; i++) {
			struct backend_step step = step_of(f);
			step.clip = rows[i].clip;
			step.is_norm_frozen = rows[i].is_norm_frozen;
			step.rate /= (float)(i + 1);
			f->rgb[7] = (uint8_t)(16 * i);
			assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
			assert_int_equal(device_n_recorded, plain ? 0 : rows[i].n_recorded);
		}
		for (int s = 0; s < N_STATES; s++)
			states[plain][s] = malloc(n * sizeof(float));
		read_states(handle, states[plain]);
		topi_backend.close(handle);
	}
	for (int s = 0; s < N_STATES; s++) {
		assert_memory_equal(states[0][s], states[1][s], n * sizeof(float));
		free(states[0][s]);
		free(states[1][s]);
	}
	assert_int_equal(device_n_live, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_as_written),
		cmocka_unit_test(gradient_is_the_slope),
		cmocka_unit_test(goes_on_elsewhere),
		cmocka_unit_test(ranks_have_the_mean),
		cmocka_unit_test(ranks_share_what_is_trained),
		cmocka_unit_test(frozen_parts_end_backward),
		cmocka_unit_test(alike_steps_are_recorded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
