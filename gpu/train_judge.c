/* How well a model does on items that it is not trained on. */
#include "train_part.h"

#include "engine.h"
#include "train_set.h"

#include <math.h>
#include <stdlib.h>

enum { JUDGE_BATCH = 32 };

struct judge {
	const struct train_item *items;
	struct engine *engine;
	uint8_t *rgb;
	float *logits;
	double *sums;  /* [n][k] */
	int *n_frames; /* [n] */
	int row[JUDGE_BATCH], n_waiting;
	const struct train_frame *frames[JUDGE_BATCH];
};

static enum status flush(struct judge *j, struct err *err)
{
	const struct model *model = engine_model(j->engine);
	size_t image = (size_t)model->input.px * (size_t)model->input.px * 3;
	size_t k = (size_t)model->net.n_classes;
	struct err whys[JUDGE_BATCH] = {0};
	int n = j->n_waiting;
#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < n; i++)
		whys[i].status = train_frame_decode(
			j->frames[i], &model->input, j->rgb + (size_t)i * image, &whys[i]);
	enum status st = n ? engine_run(j->engine, j->rgb, n, j->logits, NULL, err) : OK;
	for (int i = 0; i < n && !st; i++) {
		if (whys[i].status)
			continue;
		j->n_frames[j->row[i]]++;
		for (size_t c = 0; c < k; c++)
			j->sums[(size_t)j->row[i] * k + c] += (double)j->logits[(size_t)i * k + c];
	}
	j->n_waiting = 0;
	return st;
}

/* The loss of one item; *right: the first head's largest logit is its largest target. Shapes: logits, slope [k]. */
static double item_loss(const struct net *net, const double *sums, int n_frames,
	const float *target, float *logits, float *slope, bool *right)
{
	int best = 0, truth = 0;
	for (int c = 0; c < net->n_classes; c++)
		logits[c] = (float)(sums[c] / n_frames);
	for (int c = 0; c < net->head_size[0]; c++) {
		best = logits[c] > logits[best] ? c : best;
		truth = target[c] > target[truth] ? c : truth;
	}
	*right = best == truth;
	return backend_row_loss(net, logits, target, 1, slope);
}

enum status train_judge(const struct train_spec *spec, const struct model *model,
	const struct train_item *items, const int *which, int n, double *loss, double *accuracy,
	struct err *err)
{
	size_t px = (size_t)model->input.px, k = (size_t)model->net.n_classes;
	struct judge j = {.items = items};
	double total = 0, sum = 0, right = 0;
	enum status st = engine_open_model(
		model, spec->device, train_recipe(spec)->precision, &j.engine, err);
	if (st)
		return st;
	j.rgb = xcalloc(JUDGE_BATCH, px * px * 3);
	j.logits = xmalloc(JUDGE_BATCH * k * sizeof *j.logits);
	j.sums = xcalloc((size_t)n, k * sizeof *j.sums);
	j.n_frames = xcalloc((size_t)n, sizeof *j.n_frames);
	float *slope = xmalloc(k * sizeof *slope);
	for (int i = 0; i < n && !st; i++) {
		const struct train_item *item = &items[which[i]];
		for (int f = 0; f < item->n_frames && !st; f++) {
			j.row[j.n_waiting] = i;
			j.frames[j.n_waiting++] = &item->frames[f];
			if (j.n_waiting == JUDGE_BATCH)
				st = flush(&j, err);
		}
	}
	if (!st)
		st = flush(&j, err);
	for (int i = 0; i < n && !st; i++) {
		const struct train_item *item = &items[which[i]];
		bool is_right;
		if (!j.n_frames[i])
			continue;
		sum += (double)item->weight *
			item_loss(&model->net, j.sums + (size_t)i * k, j.n_frames[i], item->target, j.logits,
				slope, &is_right);
		total += (double)item->weight;
		right += is_right ? (double)item->weight : 0;
	}
	*loss = sum / total;
	*accuracy = right / total;
	engine_close(j.engine);
	free(j.rgb);
	free(j.logits);
	free(j.sums);
	free(j.n_frames);
	free(slope);
	return st;
}
