/* labels: unit slow; timeout: 240 */
/* What backend.h promises of a training step, on both backends of the processor. */
#include "step_rule.h"
#include "support_net.h"
#include "support_steps.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In numbers that are short: v = .5 * 4 + .5 * 2 + .25 * 8 = 5; p = 8 - .5 * 5. */
static void sgd_by_hand(void **state)
{
	(void)state;
	float p = 8, a = 4, v = 4, none = 3;
	struct param_state s = {&p, &a, &v, &none};
	struct param_rule r = {.is_trained = 1,
		.rate = 0.5f,
		.momentum = 0.5f,
		.decay = 0.25f,
		.scale = 0.5f,
		.average = 0.75f};
	element_step(0, 2, &r, &s);
	assert_true(v == 5.0f && p == 5.5f && a == 4.375f && none == 3.0f);
	r.is_trained = 0; /* the average alone: 4.375 + .25 * (5.5 - 4.375) */
	element_step(0, 2, &r, &s);
	assert_true(v == 5.0f && p == 5.5f && a == 4.65625f && none == 3.0f);
}

/* Two steps, gradients 1 and -1: the second's m is -.01 / .19 once corrected, v 1 both times. */
static void adamw_by_hand(void **state)
{
	(void)state;
	static const struct {
		float gradient;
		double p, m, v;
	} rows[] = {
		{1, 2 - .1 * (1 + .5 * 2), .1, .001},
		{-1, 1.8 - .1 * (-.01 / .19 + .5 * 1.8), -.01, .001999},
	};
	struct net *net = calloc(1, sizeof *net);
	net->params[0].n_dims = 2; /* a layer's weights */
	struct backend_step step = {.rule = BACKEND_ADAMW,
		.rate = 0.1f,
		.momentum = 0.9f,
		.beta2 = 0.999f,
		.weight_decay = 0.5f};
	float p = 2, a = 2, m = 0, v = 0;
	struct param_state s = {&p, &a, &m, &v};
	for (int i = 0; i < 2; i++) {
		struct param_rule r = param_rule_of(net, &step, 0, i + 1);
		element_step(0, rows[i].gradient, &r, &s);
		assert_true(fabs((double)p - rows[i].p) < 1e-5);
		assert_true(fabs((double)m - rows[i].m) < 1e-7 && fabs((double)v - rows[i].v) < 1e-7);
	}
	free(net);
}

/* A vector's decay is none, a layer's rate multiplies, a clip shortens to its length. */
static void rules_of_params(void **state)
{
	(void)state;
	struct net *net = calloc(1, sizeof *net);
	static const float rates[3] = {0.5f, 0, 2};
	struct backend_step step = {
		.rate = 0.25f, .weight_decay = 0.125f, .layer_rate = rates, .clip = 2, .norm = 8};
	net->params[0].n_dims = 4;
	net->params[1].n_dims = 4;
	net->params[2] = (struct net_param){.n_dims = 1, .kind = NET_BN_SHIFT};
	struct param_rule r = param_rule_of(net, &step, 0, 1);
	assert_true(r.is_trained && r.rate == 0.125f && r.decay == 0.125f && r.scale == 0.25f);
	assert_false(param_rule_of(net, &step, 1, 1).is_trained);
	r = param_rule_of(net, &step, 2, 1);
	assert_true(r.is_trained && r.rate == 0.5f && r.decay == 0);
	step.norm = 2;
	assert_true(param_rule_of(net, &step, 0, 1).scale == 1);
	free(net);
}

static double loss_at(struct steps *s, size_t at, float delta)
{
	struct steps_result r;
	float kept = s->params[at];
	s->params[at] = kept + delta;
	assert_int_equal(steps_run(&backend_reference, s, 1, &r, NULL), OK);
	s->params[at] = kept;
	double loss = r.loss;
	steps_result_release(&r);
	return loss;
}

/* With and without frozen norms, with one head and three. What is left is of relus that the change
 * of a parameter switches; a gradient that forgets a term is off by a tenth and more. */
static void reference_gradient_is_the_slope(void **state)
{
	(void)state;
	for (int is_frozen = 0; is_frozen < 2; is_frozen++) {
		struct steps *s = steps_new(7, 1 + 2 * is_frozen);
		struct steps_result r;
		double difference = 0, size = 0;
		float h = 0x1p-13f;
		s->step.is_norm_frozen = is_frozen;
		assert_int_equal(steps_run(&backend_reference, s, 1, &r, NULL), OK);
		for (int i = 0; i < s->net.n_params; i += 4 + i % 3) { /* some of each kind */
			const struct net_param *p = &s->net.params[i];
			size_t at = p->offset + p->n / 2;
			if (step_is_statistic(p))
				continue;
			double slope = (loss_at(s, at, h) - loss_at(s, at, -h)) / (double)(2 * h);
			difference += pow(slope - (double)r.gradient[at], 2);
			size += slope * slope;
		}
		if (!(sqrt(difference / size) < 2e-2))
			fail_msg("frozen %d: the gradient is off by %g", is_frozen, sqrt(difference / size));
		steps_result_release(&r);
		steps_free(s);
	}
}

static void onednn_agrees(void **state)
{
	(void)state;
	backend_steps_agree(&backend_onednn, 1e-4);
}

static void onednn_half_is_near(void **state)
{
	(void)state;
	if (!backend_half_is_near(&backend_onednn)) {
		print_message("skipped: no bf16 here\n");
		skip();
	}
}

static void reference_has_no_half(void **state)
{
	(void)state;
	struct steps *s = steps_new(1, 1);
	struct steps_result r;
	struct err err = {0};
	s->config.precision = BACKEND_HALF;
	assert_int_equal(steps_run(&backend_reference, s, 1, &r, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "half precision"));
	steps_result_release(&r);
	steps_free(s);
}

static void resumes(void **state)
{
	(void)state;
	backend_resumes_to_the_bit(&backend_reference, BACKEND_FASTEST);
	backend_resumes_to_the_bit(&backend_onednn, BACKEND_SINGLE);
	backend_resumes_to_the_bit(&backend_onednn, BACKEND_FASTEST);
}

static void freezes(void **state)
{
	(void)state;
	backend_freezes(&backend_reference);
	backend_freezes(&backend_onednn);
}

static void ranks(void **state)
{
	(void)state;
	backend_ranks_take_the_mean(&backend_reference, 1e-6);
	backend_ranks_take_the_mean(&backend_onednn, 1e-5);
}

static void overfits(void **state)
{
	(void)state;
	assert_true(backend_overfits(&backend_onednn, BACKEND_SINGLE));
	assert_true(backend_overfits(&backend_onednn, BACKEND_FASTEST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sgd_by_hand),
		cmocka_unit_test(adamw_by_hand),
		cmocka_unit_test(rules_of_params),
		cmocka_unit_test(reference_gradient_is_the_slope),
		cmocka_unit_test(onednn_agrees),
		cmocka_unit_test(onednn_half_is_near),
		cmocka_unit_test(reference_has_no_half),
		cmocka_unit_test(resumes),
		cmocka_unit_test(freezes),
		cmocka_unit_test(ranks),
		cmocka_unit_test(overfits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
