/* labels: unit slow alone; timeout: 600 */
/* What a recipe's fields mean: rows of what is refused, of rates, and of what a trained net shows of each. */
#include "support_world.h"
#include "train_part.h"
#include "train_schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/topi_recipe_XXXXXX";
static struct world world;

static const struct refused {
	const char *json, *words;
} refused[] = {
	{"{\"batch\": 32", "no JSON"},
	{"[1]", "no JSON object"},
	{"{\"batches\": 32}", "no field 'batches'"},
	{"{\"batch\": 0}", "batch is 0: wanted 1 to 4096"},
	{"{\"batch\": 8.5}", "batch is no whole number"},
	{"{\"rule\": \"adam\"}", "rule is \"adam\": wanted \"sgd\" or \"adamw\""},
	{"{\"rule\": 1}", "rule is no text"},
	{"{\"rate\": \"high\"}", "rate is no number"},
	{"{\"rate\": -1}", "rate is -1: wanted 0 to 10"},
	{"{\"norm_frozen\": 1}", "norm_frozen is true or false"},
	{"{\"precision\": \"double\"}", "\"single\" or \"half\" or \"fastest\""},
	{"{\"mixup\": 2}", "mixup is 2: wanted 0 to 1"},
	{"{\"frozen_stages\": 6}", "wanted 0 to 5"},
	{"{\"l2\": 0}", "l2 is 0"},
	{"{\"batch\": 1, \"batch\": 2}", "no JSON"},
};

static void wrong_recipes_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct recipe recipe;
		struct err err = {0};
		if (recipe_read(refused[i].json, &recipe_default, &recipe, &err) != BAD_INPUT ||
			!strstr(err.text, refused[i].words))
			fail_msg("%s: %s", refused[i].json, err.text);
	}
}

static void a_recipe_comes_back_as_it_was_written(void **state)
{
	(void)state;
	struct recipe recipe, again;
	const char *json = "{\"rule\":\"adamw\",\"schedule\":\"step\",\"batch\":7,\"norm_frozen\":true,"
					   "\"mixup\":0.3,\"precision\":\"half\"}";
	assert_int_equal(recipe_read(json, &recipe_default, &recipe, NULL), OK);
	assert_int_equal(recipe.rule, BACKEND_ADAMW);
	assert_int_equal(recipe.schedule, RECIPE_STEP);
	assert_int_equal(recipe.batch, 7);
	assert_true(recipe.norm_frozen);
	assert_int_equal(recipe.precision, BACKEND_HALF);
	assert_true(recipe.momentum == recipe_default.momentum);
	char *text = recipe_write(&recipe);
	assert_int_equal(recipe_read(text, &recipe_default, &again, NULL), OK);
	char *twice = recipe_write(&again);
	assert_string_equal(text, twice);
	free(text);
	free(twice);
	assert_int_equal(recipe_read(NULL, &recipe_default, &again, NULL), OK);
	assert_memory_equal(&again, &recipe_default, sizeof again);
}

/* Of a run of 100 steps with the peak rate 1. */
static const struct rate {
	const char *json;
	int step;
	double rate;
} rates[] = {
	{"{\"warm_up\":0.1}", 0, 0.1},
	{"{\"warm_up\":0.1}", 9, 1},
	{"{\"warm_up\":0.1}", 10, 1},
	{"{\"warm_up\":0.1}", 55, 0.5},
	{"{\"warm_up\":0}", 0, 1}, /* one step at least rises, to the peak */
	{"{\"schedule\":\"step\",\"step_every\":0.4,\"warm_up\":0}", 39, 1},
	{"{\"schedule\":\"step\",\"step_every\":0.4,\"warm_up\":0}", 40, 0.1},
	{"{\"schedule\":\"step\",\"step_every\":0.4,\"warm_up\":0}", 80, 0.01},
	{"{\"schedule\":\"step\",\"step_factor\":0.5,\"step_every\":0.5}", 50, 0.5},
};

static void the_rate_follows_the_schedule(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		struct recipe recipe;
		assert_int_equal(recipe_read(rates[i].json, &recipe_default, &recipe, NULL), OK);
		double rate = train_rate_at(&recipe, 1, rates[i].step, 100);
		if (fabs(rate - rates[i].rate) > 1e-9)
			fail_msg("%s, step %d: %g", rates[i].json, rates[i].step, rate);
	}
	struct recipe recipe = recipe_default;
	assert_true(fabs(recipe_rate(&recipe, 1) - 0.05) < 1e-12);
	assert_true(fabs(recipe_rate(&recipe, 2) - 0.1) < 1e-12);
}

static void layers_have_their_rates(void **state)
{
	(void)state;
	struct net net;
	struct recipe recipe = recipe_default;
	assert_int_equal(net_init(&net, net_arch_find("resnet18"), 10, 64, NULL), OK);
	float rate[NET_MAX_PARAMS];
	recipe.layer_decay = 0.5;
	recipe.frozen_stages = 2;
	float *params = calloc(net.n_floats, sizeof *params);
	train_layer_rates(&recipe, &net, params, rate);
	static const struct {
		const char *name;
		float rate;
	} wanted[] = {{"conv1.weight", 0}, {"bn1.running_mean", 0}, {"layer1.0.conv1.weight", 0},
		{"layer2.1.bn2.weight", 0.125f}, {"layer4.0.conv2.weight", 0.5f}, {"fc.weight", 1},
		{"fc.bias", 1}};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		assert_true(rate[net_param_find(&net, wanted[i].name)] == wanted[i].rate);
	/* Relative: of numbers that are 0.1 and -0.1 by turns, a tenth, and of zeros something. */
	const struct net_param *p = &net.params[net_param_find(&net, "layer4.0.conv2.weight")];
	for (size_t i = 0; i < p->n; i++)
		params[p->offset + i] = i % 2 ? 0.1f : -0.1f;
	recipe.relative = true;
	train_layer_rates(&recipe, &net, params, rate);
	assert_true(fabsf(rate[net_param_find(&net, "layer4.0.conv2.weight")] - 0.05f) < 1e-6f);
	float least = rate[net_param_find(&net, "fc.bias")];
	assert_true(least > 0 && least < 0.01f);
	assert_true(rate[net_param_find(&net, "conv1.weight")] == 0);
	free(params);
}

/* Two items of unlike weight: bytes, targets and weights are shared by one number, in 256ths. */
static void a_mixture_has_one_share(void **state)
{
	(void)state;
	enum { N = 4, IMAGE = 12, K = 4 };
	const int k = K;
	int n_inside = 0;
	for (unsigned long long seed = 0; seed < 50; seed++) {
		uint8_t rgb[N * IMAGE], spare[N * IMAGE];
		float target[N * K] = {0}, weight[N];
		for (int i = 0; i < N; i++) {
			memset(rgb + i * IMAGE, i * 80, IMAGE);
			target[i * K + i] = 1;
			weight[i] = (float)(1 + i);
		}
		struct train_mix mix = {rgb, spare, target, weight, N, K, IMAGE, &k, 1};
		train_mixup(&mix, 0.4, seed);
		for (int i = 0; i < N; i++) {
			int other = 0;
			while (other < N && (other == i || target[i * K + other] == 0))
				other++;
			/* The item's own share of the loss: its target times the weight, over its own weight. */
			double own = (double)(target[i * K + i] * weight[i]) / (1 + i);
			assert_true(other < N || fabs(own - 1) < 1e-6 || own == 0);
			if (other == N)
				continue;
			double theirs = (double)(target[i * K + other] * weight[i]) / (1 + other);
			assert_true(fabs(own + theirs - 1) < 1e-5);
			assert_true(fabs(rgb[i * IMAGE] - (own * i + theirs * other) * 80) <= 0.51);
			n_inside++;
		}
	}
	assert_true(n_inside > 100);
}

/* Of a head that is known for one of two pictures nothing is known of both together. */
static void a_mixture_knows_what_both_know(void **state)
{
	(void)state;
	enum { N = 2, K = 4 };
	static const int sizes[2] = {2, 2};
	int n_mixed = 0;
	for (unsigned long long seed = 0; seed < 20; seed++) {
		uint8_t rgb[N] = {0, 200}, spare[N];
		float target[N * K] = {1, 0, 0, 1, 0, 1, 0, 0}, weight[N] = {1, 1};
		struct train_mix mix = {rgb, spare, target, weight, N, K, 1, sizes, 2};
		train_mixup(&mix, 0.4, seed);
		n_mixed += target[0] > 0 && target[1] > 0;
		for (int i = 0; i < N; i++) {
			assert_true(fabsf(target[i * K] + target[i * K + 1] - 1) < 1e-5f);
			assert_true(target[i * K + 2] == 0 && target[i * K + 3] == 0);
		}
	}
	assert_true(n_mixed > 5);
}

static struct model *trained(
	const char *json, int n_epochs, int n_items, struct train_report *report)
{
	struct recipe recipe;
	struct model *model = NULL;
	struct err err = {0};
	assert_int_equal(recipe_read(json, &recipe_default, &recipe, &err), OK);
	recipe.batch = 16;
	struct train_spec spec = world_spec(&recipe);
	spec.n_epochs = n_epochs;
	if (train_run(&spec, world.items, n_items, path, report, &err) ||
		model_load(path, &model, &err))
		fail_msg("%s", err.text);
	return model;
}

/* Each of these learns the world as the default does. */
static void other_recipes_learn_too(void **state)
{
	static const char *const recipes[] = {
		"{\"rule\":\"adamw\",\"weight_decay\":0.05,\"rate\":0.002,\"clip\":5}",
		"{\"schedule\":\"step\",\"mixup\":0.2}",
		"{\"logit_adjust\":1,\"label_smoothing\":0,\"precision\":\"single\"}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
		struct train_report report;
		model_free(trained(recipes[i], 40, WORLD_N, &report));
		double right = world_accuracy(&world, path);
		if (right < 0.95)
			fail_msg("%s: only %.3f right (loss %.3f)", recipes[i], right, report.loss);
	}
}

static void frozen_stages_keep_every_bit(void **state)
{
	(void)state;
	struct train_report report;
	struct model *a = NULL,
				 *b = trained("{\"frozen_stages\":2,\"norm_frozen\":true}", 2, 48, &report);
	assert_int_equal(model_new("resnet10s", world_classes, WORLD_K, WORLD_PX, 7, &a, NULL), OK);
	int n_same = 0, n_other = 0;
	for (int i = 0; i < a->net.n_params; i++) {
		const struct net_param *p = &a->net.params[i];
		bool is_frozen = p->kind == NET_BN_MEAN || p->kind == NET_BN_VAR ||
			(strncmp(p->name, "layer", 5) ? strncmp(p->name, "fc", 2) != 0 : p->name[5] < '2');
		bool is_same = !memcmp(a->params + p->offset, b->params + p->offset, p->n * sizeof(float));
		if (is_frozen && !is_same)
			fail_msg("%s moved", p->name);
		n_same += is_same;
		n_other += !is_same;
	}
	assert_true(n_same > 0 && n_other > 0);
	model_free(a);
	model_free(b);
}

/* With tau 1 the head learns what the classes' shares do not tell: on items that say nothing, the adjusted model is
 * indifferent where the other one has learnt the prior. */
static void adjusted_logits_forget_the_prior(void **state)
{
	(void)state;
	float gap[2];
	for (int i = 0; i < 2; i++) {
		/* A head on constant embeddings: all that there is to learn is the bias. */
		enum { N = 60, D = 128 };
		static float embedding[N][D], target[N][WORLD_K];
		static struct train_item items[N];
		struct train_report report;
		struct recipe recipe = recipe_default;
		struct model *model = NULL;
		char head[] = "/tmp/topi_recipe_head_XXXXXX";
		int fd = mkstemp(head);
		assert_true(fd >= 0);
		close(fd);
		for (int j = 0; j < N; j++) {
			memset(target[j], 0, sizeof target[j]);
			target[j][j < 40 ? 0 : j < 50 ? 1 : 2] = 1;
			embedding[j][0] = (float)(j % 2);
			items[j] = (struct train_item){
				.target = target[j], .weight = 1, .embedding = embedding[j]};
		}
		recipe.logit_adjust = i;
		struct train_spec spec = world_spec(&recipe);
		spec.mode = TRAIN_HEAD;
		spec.from = path;
		spec.n_epochs = 0;
		assert_int_equal(train_run(&spec, items, N, head, &report, NULL), OK);
		assert_int_equal(model_load(head, &model, NULL), OK);
		const float *bias = model->params + model->net.params[model->net.n_params - 1].offset;
		gap[i] = bias[0] - bias[1];
		model_free(model);
		unlink(head);
	}
	assert_true(gap[0] > 1.2f); /* log 4 */
	assert_true(fabsf(gap[1]) < 0.06f);
}

/* A bias that is shifted while a whole net trains comes back: with equal shares the shift is the same for all classes,
 * which softmax does not see, so the model is that of no adjustment. */
static void an_even_prior_changes_nothing(void **state)
{
	(void)state;
	struct train_report report;
	struct model *a = trained("{\"precision\":\"single\"}", 1, 48, &report);
	struct model *b = trained("{\"precision\":\"single\",\"logit_adjust\":1}", 1, 48, &report);
	double most = 0;
	for (size_t i = 0; i < a->net.n_floats; i++)
		most = fmax(most, fabs((double)a->params[i] - (double)b->params[i]));
	if (most > 1e-3)
		fail_msg("off by %g", most);
	model_free(a);
	model_free(b);
}

/* The kept-out items have wrong labels: the better the rest is learnt, the worse they look, so it stops early. */
static void patience_ends_what_gets_worse(void **state)
{
	(void)state;
	struct train_report report;
	static float wrong[WORLD_N][WORLD_K];
	for (int i = 72; i < WORLD_N; i++) {
		wrong[i][(i + 1) % WORLD_K] = 1;
		world.items[i].target = wrong[i];
		world.items[i].is_kept_out = true;
	}
	struct model *model = trained("{\"patience\":4}", 40, WORLD_N, &report);
	assert_true(report.n_epochs < 40);
	assert_int_equal(report.n_epochs, report.best_epoch + 4);
	assert_true(fabs(model->prior[0] - 1.0 / 3) < 1e-3); /* of those that were trained on */
	model_free(model);
	for (int i = 72; i < WORLD_N; i++) {
		world.items[i].target = world.targets[i];
		world.items[i].is_kept_out = false;
	}
}

/* The same function with weights of the last stage ten times as small, by which its norms multiply every step. */
static void shrink_last_stage(struct model *model)
{
	for (int i = 0; i < model->net.n_params; i++) {
		const struct net_param *p = &model->net.params[i];
		float by = p->kind == NET_CONV_WEIGHT || p->kind == NET_BN_MEAN ? 0.1f
			: p->kind == NET_BN_VAR                                     ? 0.01f
																		: 1;
		for (size_t j = 0; j < p->n && !strncmp(p->name, "layer4", 6); j++)
			model->params[p->offset + j] *= by;
	}
}

/* Trains from the model at path on the world, and says how much of it is right. */
static double tuned(const char *from, const struct recipe *recipe, struct model **out)
{
	char to[] = "/tmp/topi_tuned_XXXXXX";
	int fd = mkstemp(to);
	assert_true(fd >= 0);
	close(fd);
	struct train_report report;
	struct err err = {0};
	struct train_spec spec = world_spec(recipe);
	spec.from = from;
	spec.arch = NULL;
	spec.input_px = 0;
	spec.n_epochs = 5;
	if (train_run(&spec, world.items, WORLD_N, to, &report, &err) || model_load(to, out, &err))
		fail_msg("%s", err.text);
	double right = world_accuracy(&world, to);
	unlink(to);
	return right;
}

static double most_moved(const struct model *a, const struct model *b)
{
	double most = 0;
	for (size_t i = 0; i < a->net.params[a->net.n_params - 2].offset; i++)
		most = fmax(most, fabs((double)a->params[i] - (double)b->params[i]));
	return most;
}

/* What is trained whole from a model without a recipe is no worse than that; all of a blend is the start. */
static void tuning_keeps_what_a_model_knows(void **state)
{
	(void)state;
	struct train_report report;
	struct recipe start_alone = recipe_tuning;
	struct model *start = trained("{\"precision\":\"single\"}", 40, WORLD_N, &report), *out = NULL;
	shrink_last_stage(start);
	assert_int_equal(model_save(start, path, NULL, NULL), OK);
	double before = world_accuracy(&world, path), after = tuned(path, NULL, &out);
	print_message(
		"%.3f right, tuned %.3f; moved by up to %.2g\n", before, after, most_moved(start, out));
	assert_true(before > 0.9 && after >= before);
	assert_true(most_moved(start, out) > 1e-4);
	model_free(out);
	start_alone.blend = 1;
	assert_true(tuned(path, &start_alone, &out) >= before);
	assert_true(most_moved(start, out) < 1e-6);
	model_free(out);
	model_free(start);
}

int main(void)
{
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	train_world_init(&world);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_recipes_are_refused),
		cmocka_unit_test(a_recipe_comes_back_as_it_was_written),
		cmocka_unit_test(the_rate_follows_the_schedule),
		cmocka_unit_test(layers_have_their_rates),
		cmocka_unit_test(a_mixture_has_one_share),
		cmocka_unit_test(a_mixture_knows_what_both_know),
		cmocka_unit_test(other_recipes_learn_too),
		cmocka_unit_test(adjusted_logits_forget_the_prior),
		cmocka_unit_test(frozen_stages_keep_every_bit),
		cmocka_unit_test(an_even_prior_changes_nothing),
		cmocka_unit_test(patience_ends_what_gets_worse),
		cmocka_unit_test(tuning_keeps_what_a_model_knows),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	train_world_release(&world);
	return failed;
}
