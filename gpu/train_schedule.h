/* The part of a recipe that depends on how far the run is, and on where in the net a parameter lies. */
#pragma once

#include "recipe.h"

/* The rate of a step of 0..n_steps-1, for the whole run. */
double train_rate_at(const struct recipe *recipe, double peak, int64_t step, int64_t n_steps);

/* backend_step.average: looks back over the recipe's share of the run, and less at its start. */
double train_average_at(const struct recipe *recipe, int64_t step, int64_t n_steps);

/*
 * backend_step.layer_rate: 0 below frozen_stages, else layer_decay to the power of the stages above, times the tensor's size in
 * params where the recipe is relative. Shapes: params [net->n_floats]; out [n_params].
 */
void train_layer_rates(
	const struct recipe *recipe, const struct net *net, const float *params, float *out);

/*
 * Mixes each picture of a batch with another of it, in place, by a share that is drawn once for the batch. Pictures are
 * mixed as bytes, rounded; targets by the same share, with the items' weights, so that the loss is the mean of both's. Of a
 * head that is not known for both pictures nothing is known of the mixture.
 * Shapes: rgb [n][image]; target [n][k]; weight [n]; spare, room for a copy of rgb; head_size [n_heads], k in all.
 */
struct train_mix {
	uint8_t *rgb, *spare;
	float *target, *weight;
	int n, k;
	size_t image_bytes;
	const int *head_size;
	int n_heads;
};
void train_mixup(const struct train_mix *mix, double alpha, unsigned long long seed);
