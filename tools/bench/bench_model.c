/*
 * bench_model FILE SEED CODE...: writes a model file, a ResNet-18 at 224 px with random parameters whose classes are the
 * CODEs: what tools/bench/predict.sh has a project predicted by.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct err err = {0};
	struct model *model = NULL;
	if (argc < 5) {
		fputs("bench_model: wanted FILE SEED CODE CODE...\n", stderr);
		return 2;
	}
	enum status status = model_new("resnet18", (const char *const *)(argv + 3), argc - 3, 224,
		(unsigned long long)strtoull(argv[2], NULL, 10), &model, &err);
	if (!status) {
		model_set(model, "backbone", model->backbone);
		status = model_save(model, argv[1], NULL, &err);
	}
	if (status)
		fprintf(stderr, "bench_model: %s\n", err.text);
	model_free(model);
	return status != OK;
}
