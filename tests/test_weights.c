/* labels: unit; timeout: 240 */
/*
 * ResNets as torchvision and timm save them: every arch is told from its tensors in each type of number, and a net that
 * is not one of them is refused with the tensor that gives it away. Files are generated; no weights are needed.
 */
#include "model.h"

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

static char path[] = "/tmp/topi_weights_XXXXXX";

/* Parameter j of a net: in 1/8 to 2 and exact in eight bits of mantissa, so that every type holds it. */
static float value_of(size_t j)
{
	return (float)(1 + j % 16) / 8;
}

/* What is changed in a file before it is written. */
struct edit {
	const char *drop;             /* a tensor, or all whose name contains it */
	const char *reshape, *rename; /* a tensor gets shape, or a name */
	const char *to;               /* rename's */
	const char *extra;            /* is added, with shape */
	int n_dims, shape[4];
	const char *type; /* of reshape's or extra's; NULL: the file's */
};

static size_t size_of(const char *type)
{
	return !strcmp(type, "F32") ? 4 : !strcmp(type, "F64") || !strcmp(type, "I64") ? 8 : 2;
}

/* Values of a type. Owns: free() it. */
static void *encode(const char *type, size_t n)
{
	uint8_t *out = calloc(n + 1, size_of(type));
	for (size_t j = 0; j < n; j++) {
		float f = value_of(j);
		_Float16 half = (_Float16)f;
		uint32_t bits;
		memcpy(&bits, &f, 4);
		uint16_t top = (uint16_t)(bits >> 16);
		if (!strcmp(type, "F32"))
			memcpy(out + 4 * j, &f, 4);
		else if (!strcmp(type, "F16"))
			memcpy(out + 2 * j, &half, 2);
		else if (!strcmp(type, "BF16"))
			memcpy(out + 2 * j, &top, 2);
	}
	return out;
}

struct file {
	const char *type;
	void *bytes; /* of the largest tensor, in type */
	struct safetensors_tensor raw[NET_MAX_PARAMS + 200];
	struct safetensors_out out[NET_MAX_PARAMS + 200];
	int n;
};

static void add(struct file *f, const char *name, const char *type, int n_dims, const int *shape)
{
	struct safetensors_tensor *t = &f->raw[f->n];
	*t = (struct safetensors_tensor){
		.name = name, .type_name = type, .n_dims = n_dims, .n = 1, .data = f->bytes};
	for (int i = 0; i < n_dims; i++) {
		t->shape[i] = shape[i];
		t->n *= shape[i];
	}
	t->n_bytes = (size_t)t->n * size_of(type);
	f->out[f->n++] = (struct safetensors_out){.name = name, .raw = t};
}

/* A net's file in one type, with a counter beside each running variance as PyTorch keeps it. */
static void write_net(const char *arch, int n_classes, const char *type, const struct edit *e,
	const struct safetensors_pair *pairs, int n_pairs)
{
	static char counters[NET_MAX_PARAMS][80];
	struct net *net = malloc(sizeof *net);
	struct file *f = calloc(1, sizeof *f);
	size_t largest = 0;
	assert_int_equal(net_init(net, net_arch_find(arch), n_classes, 224, NULL), OK);
	for (int i = 0; i < net->n_params; i++)
		largest = net->params[i].n > largest ? net->params[i].n : largest;
	f->bytes = encode(type, 4 * largest);
	for (int i = 0; i < net->n_params; i++) {
		const struct net_param *p = &net->params[i];
		if (e->drop && strstr(p->name, e->drop))
			continue;
		if (e->reshape && !strcmp(p->name, e->reshape))
			add(f, p->name, e->type ? e->type : type, e->n_dims, e->shape);
		else
			add(f, e->rename && !strcmp(p->name, e->rename) ? e->to : p->name, type, p->n_dims,
				p->shape);
		if (p->kind != NET_BN_VAR)
			continue;
		snprintf(counters[i], sizeof counters[i], "%.*snum_batches_tracked",
			(int)(strlen(p->name) - strlen("running_var")), p->name);
		add(f, counters[i], "I64", 0, NULL);
	}
	if (e->extra)
		add(f, e->extra, e->type ? e->type : type, e->n_dims, e->shape);
	assert_int_equal(safetensors_write(path, f->out, f->n, pairs, n_pairs, NULL), OK);
	free(f->bytes);
	free(f);
	free(net);
}

static const struct {
	const char *arch, *type;
	int n_classes;
} nets[] = {
	{"resnet18", "F32", 1000},
	{"resnet18", "F16", 1000},
	{"resnet18", "BF16", 1000},
	{"resnet34", "BF16", 21},
	{"resnet50", "F16", 1000},
	{"resnet101", "BF16", 5},
	{"resnet152", "F16", 1000},
	{"resnet10s", "BF16", 2},
};

static void nets_are_told_from_their_tensors(void **state)
{
	(void)state;
	static const struct safetensors_pair pt = {"format", "pt"};
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		struct model *model = NULL;
		struct err err = {0};
		write_net(nets[i].arch, nets[i].n_classes, nets[i].type, &(struct edit){0}, &pt, 1);
		if (model_load(path, &model, &err))
			fail_msg("%s in %s: %s", nets[i].arch, nets[i].type, err.text);
		assert_string_equal(model->net.arch->name, nets[i].arch);
		assert_int_equal(model->net.n_classes, nets[i].n_classes);
		for (int j = 0; j < model->net.n_params; j++) {
			const struct net_param *p = &model->net.params[j];
			for (size_t k = 0; k < p->n; k++)
				if (model->params[p->offset + k] != value_of(k))
					fail_msg("%s in %s: %s[%zu] is %g", nets[i].arch, nets[i].type, p->name, k,
						(double)model->params[p->offset + k]);
		}
		model_free(model);
	}
}

/* timm's and torchvision's other nets, each by what sets it apart, and files that are damaged. */
static const struct {
	const char *name, *arch;
	struct edit edit;
	const char *word; /* in the message */
} strangers[] = {
	{"resnet18d: a stem of three", "resnet18", {.rename = "conv1.weight", .to = "conv1.0.weight"},
		"it has conv1.0.weight"},
	{"resnet50d: pooled skips", "resnet50",
		{.rename = "layer1.0.downsample.0.weight", .to = "layer1.0.downsample.2.weight"},
		"layer1.0.downsample.2.weight"},
	{"resnext50_32x4d: groups", "resnet50",
		{.reshape = "layer1.0.conv2.weight", .n_dims = 4, .shape = {128, 4, 3, 3}},
		"layer1.0.conv2.weight is [128,4,3,3], a resnet50's [64,64,3,3]"},
	{"wide_resnet50_2", "resnet50",
		{.reshape = "layer1.0.conv1.weight", .n_dims = 4, .shape = {128, 64, 1, 1}},
		"layer1.0.conv1.weight is [128,64,1,1], a resnet50's [64,64,1,1]"},
	{"seresnet18", "resnet18",
		{.extra = "layer1.0.se.fc1.weight", .n_dims = 4, .shape = {8, 64, 1, 1}},
		"it has layer1.0.se.fc1.weight, which a resnet18 has not"},
	{"resnet50_gn: no running statistics", "resnet50", {.drop = "running_mean"},
		"no bn1.running_mean"},
	{"a block too few", "resnet34", {.drop = "layer3.5."}, "no layer3.5.conv1.weight"},
	{"no head", "resnet18", {.drop = "fc."}, "no fc.weight"},
	{"no bias", "resnet18", {.drop = "fc.bias"}, "no fc.bias"},
	{"a head of other features", "resnet18",
		{.reshape = "fc.weight", .n_dims = 2, .shape = {9, 2048}},
		"fc.weight is [9,2048], a resnet18's [9,512]"},
	{"a head of one dimension", "resnet18", {.reshape = "fc.weight", .n_dims = 1, .shape = {512}},
		"no fc.weight of"},
	{"four channels in", "resnet18",
		{.reshape = "conv1.weight", .n_dims = 4, .shape = {64, 4, 7, 7}},
		"conv1.weight is [64,4,7,7]"},
	{"a tensor in doubles", "resnet18",
		{.reshape = "bn1.weight", .n_dims = 1, .shape = {64}, .type = "F64"},
		"bn1.weight is of type F64"},
};

static void other_nets_are_refused_with_what_does_not_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		struct model *model = NULL;
		struct err err = {0};
		write_net(strangers[i].arch, 9, "F16", &strangers[i].edit, NULL, 0);
		if (model_load(path, &model, &err) != BAD_INPUT)
			fail_msg("%s was taken", strangers[i].name);
		assert_null(model);
		if (!strstr(err.text, strangers[i].word) || strchr(err.text, '\n'))
			fail_msg("%s: %s", strangers[i].name, err.text);
	}
}

/* What a file of somebody else's may say beside its tensors; what is not ours is kept and means nothing. */
static void odd_metadata_is_no_hindrance(void **state)
{
	(void)state;
	static const struct safetensors_pair pairs[] = {{"format", "pt"}, {"classes", "see README"},
		{"architecture", "resnet18"}, {"pretrained_cfg", "{\"mean\": [0.5]}"}, {"", "empty"},
		{"note", "ü \"quoted\"\n"}, {"license", ""}};
	struct model *model = NULL;
	write_net("resnet18", 9, "BF16", &(struct edit){0}, pairs, 7);
	assert_int_equal(model_load(path, &model, NULL), OK);
	assert_string_equal(model->classes[8], "8");
	assert_int_equal(model->input.px, 224);
	assert_int_equal(model->input.fit, INPUT_CROP);
	assert_string_equal(model_get(model, "note"), pairs[5].value);
	assert_string_equal(model_get(model, "architecture"), "resnet18");
	model_free(model);
}

/* A head of another size is replaced: rows of classes that were known stay, the backbone does. */
static void a_head_is_replaced_by_name(void **state)
{
	(void)state;
	static const char *const old[] = {"fox", "hare"};
	static const char *const new[] = {"badger", "hare", "blank"};
	static const struct model_head head = {"species", new, 3}, none = {"species", new, 0};
	struct model *model = NULL, *other = NULL;
	struct err err = {0};
	char backbone[33];
	assert_int_equal(model_new("resnet10s", old, 2, 0, 5, &model, NULL), OK);
	model_set(model, "note", "kept");
	memcpy(backbone, model->backbone, sizeof backbone);
	const struct net_param *fc = &model->net.params[model->net.n_params - 2];
	size_t d = (size_t)model->net.n_features, at = fc->offset;
	float *params = malloc(model->net.n_floats * sizeof *params);
	memcpy(params, model->params, model->net.n_floats * sizeof *params);
	assert_int_equal(model_replace_head(model, &none, 1, 7, &err), BAD_INPUT);
	assert_int_equal(model->net.n_classes, 2);
	assert_int_equal(model_replace_head(model, &head, 1, 7, NULL), OK);
	assert_int_equal(model->net.n_classes, 3);
	assert_string_equal(model->classes[2], "blank");
	assert_string_equal(model->backbone, backbone);
	assert_string_equal(model_get(model, "note"), "kept");
	assert_memory_equal(model->params, params, at * sizeof *params);
	assert_memory_equal(model->params + at + d, params + at + d, d * sizeof *params);
	assert_true(model->params[at + 3 * d + 1] == params[at + 2 * d + 1]);
	assert_memory_not_equal(model->params + at, params + at, d * sizeof *params);
	model_hash(model);
	assert_string_equal(model->backbone, backbone);
	assert_int_equal(model_new("resnet10s", old, 2, 0, 5, &other, NULL), OK);
	assert_int_equal(model_replace_head(other, &head, 1, 7, NULL), OK);
	assert_memory_equal(other->params, model->params, model->net.n_floats * sizeof *params);
	free(params);
	model_free(model);
	model_free(other);
}

int main(void)
{
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nets_are_told_from_their_tensors),
		cmocka_unit_test(other_nets_are_refused_with_what_does_not_fit),
		cmocka_unit_test(odd_metadata_is_no_hindrance),
		cmocka_unit_test(a_head_is_replaced_by_name),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
