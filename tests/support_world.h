/* A small invented world to train on: bars, a disc or columns anywhere on a noisy background of any light. */
#pragma once

#include "train.h"

#define WORLD_N 96
#define WORLD_K 3
#define WORLD_PX 64

struct world {
	struct train_frame frames[WORLD_N];
	float targets[WORLD_N][WORLD_K];
	struct train_item items[WORLD_N];
};

extern const char *const world_classes[WORLD_K];

/* Item i is of class i % WORLD_K. Owns: the caller frees with train_world_release. */
void train_world_init(struct world *world);
void train_world_release(struct world *world);

/* resnet10s from scratch on it, 40 epochs. recipe is borrowed. */
struct train_spec world_spec(const struct recipe *recipe);
/* recipe_default with batches of 16 and single precision. */
struct recipe world_recipe(void);

/* Share of the world's items that a model file names right. */
double world_accuracy(const struct world *world, const char *model_path);
