/* A map over its photograph. */
#include "heat.h"

#include "image.h"

#include <math.h>
#include <stdlib.h>

enum { SHORT_SIDE_PX = 448, QUALITY = 88, LONGEST = 3 /* that input_picture keeps */ };

/* The map between its places' centres, in shares of its height and width; 0 outside. */
static double value_at(const float *map, int h, int w, double v, double u)
{
	if (v < 0 || v > 1 || u < 0 || u > 1)
		return 0;
	double y = fmin(fmax(v * h - 0.5, 0), h - 1), x = fmin(fmax(u * w - 0.5, 0), w - 1);
	int y0 = (int)y, x0 = (int)x, y1 = y0 + (y0 < h - 1), x1 = x0 + (x0 < w - 1);
	double a = y - y0, b = x - x0;
	double above = (1 - b) * (double)map[y0 * w + x0] + b * (double)map[y0 * w + x1];
	double below = (1 - b) * (double)map[y1 * w + x0] + b * (double)map[y1 * w + x1];
	return (1 - a) * above + a * below;
}

/* How much of an axis the drawn picture and the net's square see, of the photograph's. */
struct axis {
	double drawn, seen;
};

/* From a share of the drawn picture to one of the net's square. */
static double share(const struct axis *axis, double of_drawn)
{
	return 0.5 + (of_drawn - 0.5) * axis->drawn / axis->seen;
}

static struct axis axis_of(double length, double other, enum input_fit fit)
{
	return (struct axis){.drawn = fmin(1, LONGEST * other / length),
		.seen = fit == INPUT_SQUASH ? 1 : fmin(length, other) * 224 / 256 / length};
}

static void paint(uint8_t *rgb, double heat)
{
	double grey = (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) * 0.8;
	double cover = 0.65 * heat, colour[3] = {255, 255 * (1 - heat), 0};
	for (int c = 0; c < 3; c++)
		rgb[c] = (uint8_t)lround((1 - cover) * grey + cover * colour[c]);
}

enum status heat_draw(const void *jpeg, size_t n_bytes, const struct input_spec *spec,
	const float *map, int h, int w, uint8_t **out, size_t *n_out, struct err *err)
{
	struct image_rgb picture = {0};
	struct image_info info = {0};
	double top = 0;
	*out = NULL;
	enum status status = image_probe(jpeg, n_bytes, &info, err);
	if (!status)
		status = input_picture(jpeg, n_bytes, SHORT_SIDE_PX, INPUT_CROP, NULL, &picture, err);
	if (status)
		return status;
	/* The picture is taken as stored, also where its EXIF orientation turns it. */
	int is_turned = info.orientation > 4;
	double width = is_turned ? info.height_px : info.width_px;
	double height = is_turned ? info.width_px : info.height_px;
	struct axis across = axis_of(width, height, spec->fit),
				down = axis_of(height, width, spec->fit);
	for (int i = 0; i < h * w; i++)
		top = fmax(top, (double)map[i]);
	for (int y = 0; y < picture.height_px; y++) {
		double v = share(&down, (y + 0.5) / picture.height_px);
		for (int x = 0; x < picture.width_px; x++) {
			double heat = value_at(map, h, w, v, share(&across, (x + 0.5) / picture.width_px));
			paint(picture.pixels + ((size_t)y * (size_t)picture.width_px + (size_t)x) * 3,
				top > 0 ? fmax(heat, 0) / top : 0);
		}
	}
	status = image_encode_rgb(&picture, QUALITY, out, n_out, err);
	free(picture.pixels);
	return status;
}
