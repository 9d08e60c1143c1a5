/* What chance does to a training picture: a crop, a mirror, light, contrast and colour, and night (docs/model.md). */
#pragma once

#include "input.h"

/*
 * Draws a change and applies it. The same state and picture give the same bits.
 * Shapes: rgb [input->px][input->px][3].
 */
void augment_picture(const struct image_rgb *picture, const struct input_spec *input,
	unsigned long long *state, uint8_t *rgb);

/* splitmix64 (Steele, Lea, Flood 2014), in [0, 1). */
double train_uniform(unsigned long long *state);
