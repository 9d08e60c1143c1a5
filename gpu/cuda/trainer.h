/* Inside the CUDA backend's training: what trainer.c readies on the card, and train.c runs. */
#pragma once

#include "module.h"
#include "step_rule.h"

struct slope {
	void *parts[2];
	int n;
};

/* Memory of slopes, reused as backward goes. */
struct spare {
	void *at;
	size_t size;
	int is_used;
};

/* What comes from here in a step and what goes back: offsets into one block, here and on the card. */
struct staged {
	size_t rgb, target, share, ranges, size;
};

static inline size_t staged_aligned(size_t n_bytes)
{
	return (n_bytes + 255) / 256 * 256;
}

/* What makes two steps the same work: everything else that a step brings is in what is staged. */
struct step_kind {
	int is_norm_frozen;
	float clip;
	struct step_wanted wanted;
};

struct cuda_trainer {
	int batch;
	enum number type;
	int64_t n_steps;
	struct device_graph *graph; /* of steps of this kind */
	struct step_kind kind;
	int n_alike; /* steps of it, in a row */
	struct device_layer *layers[NET_MAX_LAYERS];
	struct param_state state;
	float *gradient;               /* [n_floats] */
	void *act[NET_MAX_LAYERS + 1]; /* values of activations: floats from the last pool on */
	void *conv[NET_MAX_LAYERS];    /* what a layer's batch norm reads */
	void *weights[NET_MAX_LAYERS]; /* packed */
	struct norm_channel *channels[NET_MAX_LAYERS];
	uint16_t *chosen[NET_MAX_LAYERS]; /* by a maximum */
	void *conv_slope, *weights_slope; /* of one layer at a time */
	struct slope slopes[NET_MAX_LAYERS + 1];
	struct spare spares[2 * NET_MAX_LAYERS];
	int n_spares;
	float *norm; /* [2]: device_gradient_norm's */
	struct staged staged;
	char *host, *card;  /* staged, here and on the card */
	float *host_result; /* loss [batch], norm [2]; then is_right [batch] */
	float *loss;
	int *is_right;
};

/* Numbers in an activation of the whole batch. */
size_t cuda_act_size(const struct cuda *c, int act);
