/* labels: real; timeout: 300 */
/* A head retrained on real photographs with real weights names new ones. Skips where ../shared is absent. */
#include "engine.h"
#include "train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA TOPI_SOURCE_DIR "/../shared/data"
#define WEIGHTS DATA "/weights/resnet18-imagenet-ktb-f16.safetensors"
#define MAX_PHOTOS 2000
#define MAX_CLASSES 40

struct photo {
	char path[300];
	int label, is_val;
};

static struct photo photos[MAX_PHOTOS];
static char *classes[MAX_CLASSES];
static int n_photos, n_classes;

static int class_number(const char *label)
{
	for (int i = 0; i < n_classes; i++) {
		if (!strcmp(classes[i], label))
			return i;
	}
	assert_true(n_classes < MAX_CLASSES);
	classes[n_classes] = strdup(label);
	return n_classes++;
}

static void read_labels(void)
{
	char file[200], label[60], split[20];
	FILE *csv = fopen(DATA "/photos/labels.csv", "r");
	assert_non_null(csv);
	assert_int_equal(fscanf(csv, "%199[^,],%59[^,],%19s\n", file, label, split), 3);
	while (fscanf(csv, "%199[^,],%59[^,],%19s\n", file, label, split) == 3) {
		struct photo *p = &photos[n_photos++];
		assert_true(n_photos <= MAX_PHOTOS);
		snprintf(p->path, sizeof p->path, DATA "/photos/%s", file);
		p->label = class_number(label);
		p->is_val = !strcmp(split, "val");
	}
	fclose(csv);
}

static double val_accuracy(const char *model_path)
{
	struct engine *engine = NULL;
	assert_int_equal(engine_open(model_path, "cpu", BACKEND_FASTEST, &engine, NULL), OK);
	const struct model *model = engine_model(engine);
	uint8_t *rgb = malloc((size_t)model->input.px * (size_t)model->input.px * 3);
	float logits[MAX_CLASSES];
	int n = 0, n_right = 0;
	for (int i = 0; i < n_photos; i++) {
		if (!photos[i].is_val)
			continue;
		assert_int_equal(input_load(photos[i].path, &model->input, NULL, rgb, NULL), OK);
		assert_int_equal(engine_run(engine, rgb, 1, logits, NULL, NULL), OK);
		int best = 0;
		for (int c = 1; c < n_classes; c++)
			best = logits[c] > logits[best] ? c : best;
		n++;
		n_right += best == photos[i].label;
	}
	free(rgb);
	engine_close(engine);
	assert_true(n > 100);
	return n_right / (double)n;
}

static void a_new_head_names_37_animals(void **state)
{
	(void)state;
	static struct train_item items[MAX_PHOTOS];
	static struct train_frame frames[MAX_PHOTOS];
	static float targets[MAX_PHOTOS][MAX_CLASSES];
	char path[] = "/tmp/topi_head_XXXXXX";
	int fd = mkstemp(path), n = 0;
	assert_true(fd >= 0);
	close(fd);
	read_labels();
	assert_int_equal(n_classes, 37);
	for (int i = 0; i < n_photos; i++) {
		if (photos[i].is_val)
			continue;
		frames[n].path = photos[i].path;
		targets[n][photos[i].label] = 1;
		items[n] = (struct train_item){
			.frames = &frames[n], .n_frames = 1, .target = targets[n], .weight = 1};
		n++;
	}
	struct train_spec spec = {.mode = TRAIN_HEAD,
		.from = WEIGHTS,
		.classes = (const char *const *)classes,
		.n_classes = n_classes,
		.device = "cpu"};
	struct train_report report;
	struct err err = {0};
	/* Targets are rows of MAX_CLASSES, of which the first n_classes are read. */
	if (train_run(&spec, items, n, path, &report, &err))
		fail_msg("%s", err.text);
	double accuracy = val_accuracy(path);
	printf("%d photographs, %d iterations to a gradient of %.1g, %.1f s: right on train %.4f, val "
		   "%.4f\n",
		report.n_items, report.n_epochs, report.gradient_norm, report.wall_s, report.accuracy,
		accuracy);
	unlink(path);
	assert_true(report.gradient_norm < 1e-6);
	assert_true(accuracy >= 0.85);
}

int main(void)
{
	if (access(WEIGHTS, R_OK)) {
		printf("skipped: no %s\n", WEIGHTS);
		return 77;
	}
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_new_head_names_37_animals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
