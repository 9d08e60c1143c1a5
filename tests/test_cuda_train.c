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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_as_written),
		cmocka_unit_test(gradient_is_the_slope),
		cmocka_unit_test(goes_on_elsewhere),
		cmocka_unit_test(ranks_have_the_mean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
