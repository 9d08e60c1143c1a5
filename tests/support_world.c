/* The invented world: pictures, items, and how right a model is about them. */
#include "support_world.h"

#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>

#define SIDE 80

const char *const world_classes[WORLD_K] = {"bars", "blob", "columns"};

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void encode(const uint8_t *rgb, struct train_frame *out)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL;
	unsigned long n_bytes = 0;
	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &bytes, &n_bytes);
	jpeg.image_width = jpeg.image_height = SIDE;
	jpeg.input_components = 3;
	jpeg.in_color_space = JCS_RGB;
	jpeg_set_defaults(&jpeg);
	jpeg_start_compress(&jpeg, TRUE);
	for (int y = 0; y < SIDE; y++) {
		JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + y * SIDE * 3);
		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	*out = (struct train_frame){.jpeg = bytes, .n_bytes = n_bytes};
}

void train_world_init(struct world *world)
{
	static uint8_t rgb[SIDE * SIDE * 3];
	uint32_t state = 99;
	*world = (struct world){0};
	for (int i = 0; i < WORLD_N; i++) {
		int label = i % WORLD_K, x0 = (int)(next(&state) % 40), y0 = (int)(next(&state) % 40);
		int light = 60 + (int)(next(&state) % 100);
		for (int y = 0; y < SIDE; y++) {
			for (int x = 0; x < SIDE; x++) {
				int u = x - x0, v = y - y0, is_inside = u >= 0 && u < 40 && v >= 0 && v < 40,
					on = 0;
				if (label == 0)
					on = is_inside && v / 5 % 2;
				if (label == 1)
					on = (u - 20) * (u - 20) + (v - 20) * (v - 20) < 200;
				if (label == 2)
					on = is_inside && u / 5 % 2;
				for (int c = 0; c < 3; c++)
					rgb[(y * SIDE + x) * 3 + c] = (uint8_t)(light + (on ? 70 : 0) +
						(int)(next(&state) % 20));
			}
		}
		encode(rgb, &world->frames[i]);
		world->targets[i][label] = 1;
		world->items[i] = (struct train_item){
			.frames = &world->frames[i], .n_frames = 1, .target = world->targets[i], .weight = 1};
	}
}

void train_world_release(struct world *world)
{
	for (int i = 0; i < WORLD_N; i++)
		free((void *)(uintptr_t)world->frames[i].jpeg);
}

struct recipe world_recipe(void)
{
	struct recipe recipe = recipe_default;
	recipe.batch = 16;
	recipe.precision = BACKEND_SINGLE;
	return recipe;
}

struct train_spec world_spec(const struct recipe *recipe)
{
	return (struct train_spec){.mode = TRAIN_FULL,
		.arch = "resnet10s",
		.classes = world_classes,
		.n_classes = WORLD_K,
		.input_px = WORLD_PX,
		.fit = INPUT_SQUASH,
		.n_epochs = 40,
		.recipe = recipe,
		.seed = 7,
		.snapshot = "s9",
		.device = "cpu"};
}

double world_accuracy(const struct world *world, const char *path)
{
	struct engine *engine = NULL;
	uint8_t *rgb = malloc(WORLD_PX * WORLD_PX * 3);
	float logits[WORLD_K];
	int n_right = 0;
	assert_int_equal(engine_open(path, "cpu", BACKEND_FASTEST, &engine, NULL), OK);
	for (int i = 0; i < WORLD_N; i++) {
		assert_int_equal(input_decode(world->frames[i].jpeg, world->frames[i].n_bytes,
							 &engine_model(engine)->input, NULL, rgb, NULL),
			OK);
		assert_int_equal(engine_run(engine, rgb, 1, logits, NULL, NULL), OK);
		int best = 0;
		for (int c = 1; c < WORLD_K; c++)
			best = logits[c] > logits[best] ? c : best;
		n_right += best == i % WORLD_K;
	}
	engine_close(engine);
	free(rgb);
	return n_right / (double)WORLD_N;
}
