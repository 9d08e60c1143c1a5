/* labels: unit; timeout: 60 */
/* The table of nets expands to the published sizes, and buffers are shared only where that is safe.
 */
#include "net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *arch;
	int n_classes;
	size_t n_trained; /* torchvision's documentation, for 1000 classes */
	int n_params, n_features;
} counts[] = {
	{"resnet18", 1000, 11689512, 102, 512},
	{"resnet34", 1000, 21797672, 182, 512},
	{"resnet50", 1000, 25557032, 267, 2048},
	{"resnet101", 1000, 44549160, 522, 2048},
	{"resnet152", 1000, 60192808, 777, 2048},
	{"resnet18", 10, 11689512 - 990 * 513, 102, 512},
};

static void expands_to_the_published_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct net net;
		assert_int_equal(
			net_init(&net, net_arch_find(counts[i].arch), counts[i].n_classes, 224, NULL), OK);
		assert_int_equal(net.n_trained, counts[i].n_trained);
		assert_int_equal(net.n_params, counts[i].n_params);
		assert_int_equal(net.n_features, counts[i].n_features);
		assert_int_equal(net.acts[net.n_layers - 2].h, 7);
	}
}

static void names_are_torchvisions(void **state)
{
	(void)state;
	static const struct {
		const char *arch, *name;
		int n_dims, shape[4];
	} rows[] = {
		{"resnet18", "conv1.weight", 4, {64, 3, 7, 7}},
		{"resnet18", "layer2.0.downsample.0.weight", 4, {128, 64, 1, 1}},
		{"resnet18", "layer4.1.bn2.running_var", 1, {512}},
		{"resnet50", "layer1.0.downsample.1.bias", 1, {256}},
		{"resnet50", "layer3.5.conv3.weight", 4, {1024, 256, 1, 1}},
		{"resnet34", "fc.weight", 2, {7, 512}},
		{"resnet10s", "layer4.0.conv2.weight", 4, {128, 128, 3, 3}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct net net;
		assert_int_equal(net_init(&net, net_arch_find(rows[i].arch), 7, 96, NULL), OK);
		int at = net_param_find(&net, rows[i].name);
		assert_true(at >= 0);
		assert_int_equal(net.params[at].n_dims, rows[i].n_dims);
		assert_memory_equal(
			net.params[at].shape, rows[i].shape, sizeof(int) * (size_t)rows[i].n_dims);
	}
}

static void refuses_odd_sizes(void **state)
{
	(void)state;
	static const int rows[][2] = {{0, 224}, {-3, 224}, {20001, 224}, {5, 0}, {5, 100}, {5, 1056}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct net net;
		struct err err = {0};
		assert_int_equal(net_init(&net, &net_archs[0], rows[i][0], rows[i][1], &err), BAD_INPUT);
		assert_true(strlen(err.text) > 10);
	}
	assert_null(net_arch_find("resnet19"));
}

/* Runs the plan with the name of an activation in each buffer instead of its values. */
static void shared_buffers_never_clash(void **state)
{
	(void)state;
	for (int a = 0; a < net_n_archs; a++) {
		struct net net;
		int slot[NET_MAX_LAYERS + 1], holds[NET_MAX_LAYERS + 1];
		size_t size[NET_MAX_LAYERS + 1];
		assert_int_equal(net_init(&net, &net_archs[a], 5, 64, NULL), OK);
		int n_slots = net_plan_slots(&net, slot, size);
		assert_true(n_slots <= 5);
		holds[slot[0]] = 0;
		for (int i = 0; i < net.n_layers; i++) {
			const struct net_layer *l = &net.layers[i];
			const struct net_act *out = &net.acts[l->dst];
			assert_int_equal(holds[slot[l->src]], l->src);
			assert_int_not_equal(slot[l->src], slot[l->dst]);
			if (l->add >= 0) {
				assert_int_equal(holds[slot[l->add]], l->add);
				assert_int_equal(slot[l->add], slot[l->dst]);
			}
			assert_true(size[slot[l->dst]] >= (size_t)(out->c * out->h * out->w));
			holds[slot[l->dst]] = l->dst;
		}
	}
}

static void the_seed_decides_the_parameters(void **state)
{
	(void)state;
	struct net net;
	assert_int_equal(net_init(&net, &net_archs[0], 5, 64, NULL), OK);
	float *a = malloc(net.n_floats * sizeof *a), *b = malloc(net.n_floats * sizeof *b);
	net_init_params(&net, 7, a);
	net_init_params(&net, 7, b);
	assert_memory_equal(a, b, net.n_floats * sizeof *a);
	net_init_params(&net, 8, b);
	assert_memory_not_equal(a, b, net.n_floats * sizeof *a);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands_to_the_published_counts),
		cmocka_unit_test(names_are_torchvisions),
		cmocka_unit_test(refuses_odd_sizes),
		cmocka_unit_test(shared_buffers_never_clash),
		cmocka_unit_test(the_seed_decides_the_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
