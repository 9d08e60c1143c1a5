/*
 * bench_input entropy|tensor|rendition|write …: the input pipeline alone, on one core; prints the median
 * milliseconds a picture.
 *   tensor     a 2048 x 1536 JPEG (4:2:0, quality 85, sensor noise; made here) to 224 x 224 pixels (fit "crop")
 *   entropy    the same file's entropy decoding alone, by jpeg_read_coefficients
 *   rendition  a 448 x 336 JPEG (quality 90) to 224 x 224 (fit "squash")
 *   write DIR N W H QUALITY   writes N such pictures DIR/0000.jpg, … and measures nothing
 */
#include "input.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define WARM_UP 5
#define RUNS 201

/* A scene of soft shapes on three scales, and the noise of a sensor: about half a megabyte at quality 85. */
static void draw(struct image_rgb *image, unsigned seed)
{
	uint32_t state = seed * 2654435761u + 1;
	for (int y = 0; y < image->height_px; y++) {
		for (int x = 0; x < image->width_px; x++) {
			uint8_t *p = image->pixels + ((size_t)y * (size_t)image->width_px + (size_t)x) * 3;
			int shape = (x / 160 * 37 + y / 120 * 59 + (int)seed * 11) % 90 +
				(x / 20 ^ y / 16) % 24;
			for (int c = 0; c < 3; c++) {
				int noise = 0;
				for (int i = 0; i < 4; i++) {
					state = state * 1664525u + 1013904223u;
					noise += (int)(state >> 29);
				}
				p[c] = (uint8_t)(60 + shape + c * 8 + (noise - 14) * 5 / 2);
			}
		}
	}
}

static enum status make(
	int w, int h, int quality, unsigned seed, uint8_t **bytes, size_t *n, struct err *err)
{
	struct image_rgb image = {w, h, xmalloc((size_t)w * (size_t)h * 3)};
	draw(&image, seed);
	enum status status = image_encode_rgb(&image, quality, bytes, n, err);
	image_rgb_release(&image);
	return status;
}

static enum status write_all(char **args, struct err *err)
{
	int n = (int)strtol(args[1], NULL, 10), w = (int)strtol(args[2], NULL, 10),
		h = (int)strtol(args[3], NULL, 10), quality = (int)strtol(args[4], NULL, 10);
	for (int i = 0; i < n; i++) {
		char path[1000];
		uint8_t *bytes = NULL;
		size_t n_bytes = 0;
		snprintf(path, sizeof path, "%s/%04d.jpg", args[0], i);
		enum status status = make(w, h, quality, (unsigned)i, &bytes, &n_bytes, err);
		if (status)
			return status;
		FILE *file = fopen(path, "wb");
		int is_good = file && fwrite(bytes, 1, n_bytes, file) == n_bytes;
		if ((file && fclose(file) != 0) || !is_good)
			return err_set(err, FAULT, "%s cannot be written", path);
		free(bytes);
	}
	return OK;
}

/* A well-formed file of ours: libjpeg's own handler, which exits, is enough. */
static void read_coefficients(const uint8_t *bytes, size_t n)
{
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&jpeg);
	jpeg_mem_src(&jpeg, bytes, n);
	jpeg_read_header(&jpeg, TRUE);
	jpeg_read_coefficients(&jpeg);
	jpeg_destroy_decompress(&jpeg);
}

static enum status measure(const char *what, struct err *err)
{
	static uint8_t rgb[224 * 224 * 3];
	static double seconds[RUNS];
	int is_small = strcmp(what, "rendition") == 0, is_entropy = strcmp(what, "entropy") == 0;
	struct input_spec spec = {.px = 224, .fit = is_small ? INPUT_SQUASH : INPUT_CROP};
	uint8_t *bytes = NULL;
	size_t n = 0;
	enum status status = is_small ? make(448, 336, 90, 1, &bytes, &n, err)
								  : make(2048, 1536, 85, 1, &bytes, &n, err);
	for (int i = -WARM_UP; i < RUNS && !status; i++) {
		double start = measure_now_s();
		if (is_entropy)
			read_coefficients(bytes, n);
		else
			status = input_decode(bytes, n, &spec, NULL, rgb, err);
		if (i >= 0)
			seconds[i] = measure_now_s() - start;
	}
	free(bytes);
	if (!status)
		printf("%.3f\n", 1e3 * measure_median(seconds, RUNS));
	fprintf(stderr, "%zu bytes\n", n);
	return status;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	enum status status;
	if (argc == 7 && strcmp(argv[1], "write") == 0) {
		status = write_all(argv + 2, &err);
	} else if (argc == 2) {
		status = measure(argv[1], &err);
	} else {
		fputs(
			"bench_input: wanted entropy, tensor, rendition or write DIR N W H QUALITY\n", stderr);
		return 2;
	}
	if (status)
		fprintf(stderr, "bench_input: %s\n", err.text);
	return status != OK;
}
