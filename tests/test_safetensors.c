/* labels: unit; timeout: 60 */
/* Model files: what is written is read back, and no malformed header gets in. */
#include "model.h"
#include "safetensors.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/topi_safetensors_XXXXXX";

static const char *in_folder(const char *name)
{
	static char path[4][256];
	static int turn;
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	fclose(file);
}

/* A file of that header and so many zero bytes of data; length < 0 states the header's true length. */
static void write_header(const char *path, const char *header, long long length, size_t n_data)
{
	uint8_t bytes[4096] = {0};
	size_t n = strlen(header);
	uint64_t stated = length < 0 ? n : (uint64_t)length;
	memcpy(bytes, &stated, 8);
	memcpy(bytes + 8, header, n);
	write_bytes(path, bytes, 8 + n + n_data);
}

static const struct {
	const char *name, *header;
	long long length;
	size_t n_data;
	enum status status;
	const char *word; /* in the message */
} malformed[] = {
	{"length past the end", "{}", 1000, 0, BAD_INPUT, "header would take"},
	{"length of 2^63", "{}", INT64_MAX, 0, BAD_INPUT, "header would take"},
	{"cut JSON", "{\"a\":", -1, 0, BAD_INPUT, "JSON"},
	{"an array", "[]", -1, 0, BAD_INPUT, "JSON"},
	{"no header", "", -1, 0, BAD_INPUT, "JSON"},
	{"not UTF-8", "{\"\xff\":1}", -1, 0, BAD_INPUT, "JSON"},
	{"the same name twice",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
		"\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
		-1, 4, BAD_INPUT, "JSON"},
	{"metadata of numbers", "{\"__metadata__\":{\"a\":1}}", -1, 0, BAD_INPUT, "not a text"},
	{"metadata no object", "{\"__metadata__\":[]}", -1, 0, BAD_INPUT, "not an object"},
	{"entry is a number", "{\"a\":1}", -1, 0, BAD_INPUT, "lacks"},
	{"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", -1, 4, BAD_INPUT, "lacks"},
	{"one offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", -1, 4,
		BAD_INPUT, "lacks"},
	{"unknown type", "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 4,
		BAD_INPUT, "F33"},
	{"negative side", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", -1, 4,
		BAD_INPUT, "shape"},
	{"half a side", "{\"a\":{\"dtype\":\"F32\",\"shape\":[0.5],\"data_offsets\":[0,4]}}", -1, 4,
		BAD_INPUT, "shape"},
	{"sides that overflow",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", -1,
		4, BAD_INPUT, "shape"},
	{"bytes that overflow",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", -1, 0,
		BAD_INPUT, "shape"},
	{"nine sides",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", -1, 4,
		BAD_INPUT, "dimensions"},
	{"shape larger than its bytes",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", -1, 4, BAD_INPUT,
		"shape"},
	{"data past the end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 4,
		BAD_INPUT, "outside"},
	{"begin after end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", -1, 4,
		BAD_INPUT, "outside"},
	{"negative begin", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", -1, 4,
		BAD_INPUT, "outside"},
	{"overlap",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
		"\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
		-1, 8, BAD_INPUT, "overlaps"},
	{"hole",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
		"\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
		-1, 12, BAD_INPUT, "hole"},
	{"bytes left over", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 8,
		BAD_INPUT, "no tensor"},
};

static void malformed_files_are_refused(void **state)
{
	(void)state;
	const char *path = in_folder("bad");
	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		struct safetensors *file = NULL;
		struct err err = {0};
		write_header(path, malformed[i].header, malformed[i].length, malformed[i].n_data);
		enum status status = safetensors_open(path, &file, &err);
		if (status != malformed[i].status || file || !strstr(err.text, malformed[i].word))
			fail_msg("%s: status %d, \"%s\"", malformed[i].name, (int)status, err.text);
	}
}

static void files_that_are_none(void **state)
{
	(void)state;
	struct safetensors *file;
	struct err err;
	assert_int_equal(safetensors_open(in_folder("absent"), &file, &err), NOT_FOUND);
	assert_int_equal(safetensors_open(folder, &file, &err), BAD_INPUT);
	write_bytes(in_folder("short"), "1234567", 7);
	assert_int_equal(safetensors_open(in_folder("short"), &file, &err), BAD_INPUT);
	write_bytes(in_folder("empty"), "", 0);
	assert_int_equal(safetensors_open(in_folder("empty"), &file, &err), BAD_INPUT);
	uint8_t *large = calloc(1, (17u << 20) + 8);
	uint64_t length = 17u << 20;
	memcpy(large, &length, 8);
	write_bytes(in_folder("large"), large, (17u << 20) + 8);
	assert_int_equal(safetensors_open(in_folder("large"), &file, &err), TOO_LARGE);
	free(large);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	static const float values[6] = {0, -1.5f, 65504, 6.1e-5f, 5.9604645e-8f, 1e9f};
	static const float as_half[6] = {0, -1.5f, 65504, 6.1e-5f, 5.9604645e-8f, INFINITY};
	const struct safetensors_out out[] = {
		{.name = "full", .type = SAFETENSORS_F32, .n_dims = 2, .shape = {2, 3}, .floats = values},
		{.name = "half", .type = SAFETENSORS_F16, .n_dims = 1, .shape = {6}, .floats = values},
	};
	const struct safetensors_pair pairs[] = {{"arch", "x"}, {"note", "a \"b\" \n ü"}};
	struct safetensors *file = NULL;
	float back[6];
	const char *path = in_folder("good");
	assert_int_equal(safetensors_write(path, out, 2, pairs, 2, NULL), OK);
	assert_int_equal(safetensors_open(path, &file, NULL), OK);
	assert_int_equal(safetensors_count(file), 2);
	assert_string_equal(safetensors_metadata(file, "note"), pairs[1].value);
	assert_null(safetensors_metadata(file, "absent"));
	const struct safetensors_tensor *full = safetensors_find(file, "full");
	assert_int_equal(full->n_dims, 2);
	assert_int_equal(full->shape[1], 3);
	assert_int_equal(safetensors_floats(full, back, NULL), OK);
	assert_memory_equal(back, values, sizeof back);
	assert_int_equal(safetensors_floats(safetensors_find(file, "half"), back, NULL), OK);
	for (int i = 0; i < 6; i++) {
		if (isinf(as_half[i]))
			assert_true(isinf(back[i]));
		else
			assert_true(fabsf(back[i] - as_half[i]) <= 0.0005f * fabsf(as_half[i]));
	}
	/* Copied raw, the half tensor keeps its bytes. */
	const struct safetensors_out copy[] = {{.name = "half", .raw = safetensors_find(file, "half")}};
	struct safetensors *second = NULL;
	const char *other = in_folder("copy");
	assert_int_equal(safetensors_write(other, copy, 1, NULL, 0, NULL), OK);
	assert_int_equal(safetensors_open(other, &second, NULL), OK);
	assert_memory_equal(
		safetensors_find(second, "half")->data, safetensors_find(file, "half")->data, 12);
	safetensors_close(second);
	safetensors_close(file);
}

/* Every half that is a number survives the way to float and back. */
static void halves_round_trip(void **state)
{
	(void)state;
	enum { N = 65536 };
	uint16_t *halves = malloc(N * sizeof *halves);
	float *floats = malloc(N * sizeof *floats);
	int n = 0;
	for (int i = 0; i < N; i++) {
		if ((i >> 10 & 31) != 31)
			halves[n++] = (uint16_t)i;
	}
	char header[200];
	snprintf(header, sizeof header,
		"{\"h\":{\"dtype\":\"F16\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", n, 2 * n);
	FILE *file = fopen(in_folder("halves"), "wb");
	uint64_t length = strlen(header);
	fwrite(&length, 8, 1, file);
	fwrite(header, 1, length, file);
	fwrite(halves, 2, (size_t)n, file);
	fclose(file);
	struct safetensors *read = NULL;
	assert_int_equal(safetensors_open(in_folder("halves"), &read, NULL), OK);
	assert_int_equal(safetensors_floats(safetensors_at(read, 0), floats, NULL), OK);
	safetensors_close(read);
	const struct safetensors_out out = {
		.name = "h", .type = SAFETENSORS_F16, .n_dims = 1, .shape = {n}, .floats = floats};
	assert_int_equal(safetensors_write(in_folder("again"), &out, 1, NULL, 0, NULL), OK);
	assert_int_equal(safetensors_open(in_folder("again"), &read, NULL), OK);
	assert_memory_equal(safetensors_at(read, 0)->data, halves, (size_t)n * 2);
	safetensors_close(read);
	free(halves);
	free(floats);
}

static void writing_fails_whole(void **state)
{
	(void)state;
	static const float one = 1;
	const struct safetensors_out out = {
		.name = "a", .type = SAFETENSORS_F32, .n_dims = 1, .shape = {1}, .floats = &one};
	const struct safetensors_pair pair = {"bad", "\xff\xfe"};
	struct err err = {0};
	assert_int_equal(safetensors_write(in_folder("no/such/folder"), &out, 1, NULL, 0, &err), FAULT);
	assert_int_equal(safetensors_write(in_folder("latin"), &out, 1, &pair, 1, &err), BAD_INPUT);
	assert_int_not_equal(access(in_folder("latin"), F_OK), 0);
	/* A limit on a file's size stands for a full disk: the old file stays, nothing is left beside it. */
	float *many = calloc(1 << 20, sizeof *many);
	const struct safetensors_out big = {
		.name = "a", .type = SAFETENSORS_F32, .n_dims = 1, .shape = {1 << 20}, .floats = many};
	assert_int_equal(safetensors_write(in_folder("kept"), &out, 1, NULL, 0, &err), OK);
	struct rlimit old, low;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){100000, old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(safetensors_write(in_folder("kept"), &big, 1, NULL, 0, &err), FULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	struct safetensors *file = NULL;
	assert_int_equal(safetensors_open(in_folder("kept"), &file, NULL), OK);
	assert_int_equal(safetensors_at(file, 0)->n, 1);
	safetensors_close(file);
	DIR *entries = opendir(folder);
	for (struct dirent *entry; (entry = readdir(entries));)
		assert_null(strstr(entry->d_name, "kept."));
	closedir(entries);
	free(many);
}

static void a_model_survives_the_disk(void **state)
{
	(void)state;
	static const char *const classes[] = {"12", "zebra", "7 \"x\""};
	struct model *model = NULL, *back = NULL;
	assert_int_equal(model_new("resnet10s", classes, 3, 0, 5, &model, NULL), OK);
	model->prior[0] = 0.25;
	model->prior[1] = 0.25;
	model->prior[2] = 0.5;
	model_set(model, "snapshot", "s1");
	model_set(model, "parent", "p");
	model_set(model, "parent", NULL);
	assert_int_equal(model_save(model, in_folder("model"), NULL, NULL), OK);
	assert_int_equal(model_load(in_folder("model"), &back, NULL), OK);
	assert_string_equal(back->net.arch->name, "resnet10s");
	assert_string_equal(back->classes[2], classes[2]);
	assert_string_equal(back->backbone, model->backbone);
	assert_string_equal(model_get(back, "snapshot"), "s1");
	assert_null(model_get(back, "parent"));
	assert_true(back->prior[2] == 0.5);
	assert_int_equal(back->input.fit, INPUT_SQUASH);
	assert_false(back->input.focus);
	assert_memory_equal(back->params, model->params, model->net.n_floats * sizeof(float));
	model_free(back);
	/* What a model looks at is part of what its embeddings mean. */
	char whole[33];
	memcpy(whole, model->backbone, sizeof whole);
	model->input.focus = true;
	model_hash(model);
	assert_string_not_equal(model->backbone, whole);
	assert_int_equal(model_save(model, in_folder("focus"), NULL, NULL), OK);
	assert_int_equal(model_load(in_folder("focus"), &back, NULL), OK);
	assert_true(back->input.focus);
	assert_string_equal(back->backbone, model->backbone);
	model_free(back);
	/* The hash is the backbone's alone. */
	const struct net_param *fc = &model->net.params[model->net.n_params - 2];
	char kept[33];
	memcpy(kept, model->backbone, sizeof kept);
	model->params[fc->offset] += 1;
	model_hash(model);
	assert_string_equal(model->backbone, kept);
	model->params[0] += 1;
	model_hash(model);
	assert_string_not_equal(model->backbone, kept);
	/* A head for another backbone is not written over this one. */
	struct err err = {0};
	assert_int_equal(model_save(model, in_folder("other"), in_folder("model"), &err), CONFLICT);
	model_free(model);
}

/* As torchvision saves it: no metadata, and counters that no one needs. */
static void a_plain_file_is_recognised(void **state)
{
	(void)state;
	struct net net;
	static struct safetensors_out out[NET_MAX_PARAMS + 1];
	assert_int_equal(net_init(&net, net_arch_find("resnet34"), 4, 224, NULL), OK);
	float *params = calloc(net.n_floats, sizeof *params);
	static const float counter = 3;
	for (int i = 0; i < net.n_params; i++) {
		out[i] = (struct safetensors_out){.name = net.params[i].name,
			.type = SAFETENSORS_F16,
			.n_dims = net.params[i].n_dims,
			.floats = params + net.params[i].offset};
		for (int j = 0; j < net.params[i].n_dims; j++)
			out[i].shape[j] = net.params[i].shape[j];
	}
	out[net.n_params] = (struct safetensors_out){
		.name = "bn1.num_batches_tracked", .type = SAFETENSORS_F32, .floats = &counter};
	struct model *model = NULL;
	struct err err = {0};
	const char *path = in_folder("plain");
	assert_int_equal(safetensors_write(path, out, net.n_params + 1, NULL, 0, NULL), OK);
	assert_int_equal(model_load(path, &model, NULL), OK);
	assert_string_equal(model->net.arch->name, "resnet34");
	assert_int_equal(model->net.n_classes, 4);
	assert_string_equal(model->classes[3], "3");
	assert_int_equal(model->input.fit, INPUT_CROP);
	write_bytes(in_folder("names"), "a\nb\r\nc\nd\n", 9);
	assert_int_equal(model_name_classes(model, in_folder("names"), &err), OK);
	assert_string_equal(model->classes[1], "b");
	write_bytes(in_folder("names"), "a\nb\n", 4);
	assert_int_equal(model_name_classes(model, in_folder("names"), &err), BAD_INPUT);
	model_free(model);
	/* Without one tensor it is nobody's. */
	assert_int_equal(safetensors_write(path, out + 1, net.n_params - 1, NULL, 0, NULL), OK);
	assert_int_equal(model_load(path, &model, &err), BAD_INPUT);
	params[net.params[3].offset] = NAN;
	assert_int_equal(safetensors_write(path, out, net.n_params, NULL, 0, NULL), OK);
	assert_int_equal(model_load(path, &model, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "nan"));
	free(params);
}

static const struct {
	const char *key, *value;
} bad_metadata[] = {
	{"arch", "resnet99"},
	{"input_px", "many"},
	{"input_px", "0"},
	{"input_px", "100"},
	{"mean", "[1,2]"},
	{"std", "[0,1,1]"},
	{"fit", "stretch"},
	{"prior", "[0.5,0.5,0.5]"},
	{"prior", "[2,-1,0]"},
	{"prior", "[1]"},
};

static void bad_metadata_is_refused(void **state)
{
	(void)state;
	struct model *model = NULL, *back = NULL;
	struct safetensors *file = NULL;
	static struct safetensors_out out[NET_MAX_PARAMS];
	assert_int_equal(model_new("resnet10s", NULL, 3, 0, 5, &model, NULL), OK);
	assert_int_equal(model_save(model, in_folder("whole"), NULL, NULL), OK);
	model_free(model);
	assert_int_equal(safetensors_open(in_folder("whole"), &file, NULL), OK);
	for (int i = 0; i < safetensors_count(file); i++)
		out[i] = (struct safetensors_out){
			.name = safetensors_at(file, i)->name, .raw = safetensors_at(file, i)};
	for (size_t i = 0; i < sizeof bad_metadata / sizeof *bad_metadata; i++) {
		struct safetensors_pair pairs[] = {
			{"arch", "resnet10s"}, {bad_metadata[i].key, bad_metadata[i].value}};
		int is_arch = !strcmp(pairs[1].key, "arch");
		struct err err = {0};
		assert_int_equal(safetensors_write(in_folder("odd"), out, safetensors_count(file),
							 pairs + is_arch, 2 - is_arch, NULL),
			OK);
		if (model_load(in_folder("odd"), &back, &err) != BAD_INPUT)
			fail_msg("%s = %s was taken", bad_metadata[i].key, bad_metadata[i].value);
		assert_true(strlen(err.text) > 10);
	}
	safetensors_close(file);
}

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_files_are_refused),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(halves_round_trip),
		cmocka_unit_test(writing_fails_whole),
		cmocka_unit_test(a_model_survives_the_disk),
		cmocka_unit_test(a_plain_file_is_recognised),
		cmocka_unit_test(bad_metadata_is_refused),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	static const char *const names[] = {"bad", "short", "empty", "large", "good", "copy", "halves",
		"again", "kept", "model", "plain", "names", "whole", "odd"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(in_folder(names[i]));
	rmdir(folder);
	return failed;
}
