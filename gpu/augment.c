/* All of a change is one resize: a rectangle, a mirror and a colour matrix (resize.h). */
#include "augment.h"

#include "resize.h"

#include <math.h>
#include <string.h>

double train_uniform(unsigned long long *state)
{
	unsigned long long z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double between(unsigned long long *state, double low, double high)
{
	return low + (high - low) * train_uniform(state);
}

/* Light, haze and colour differ by hour and site; at night all is grey. */
static struct resize_colour draw_colour(unsigned long long *state)
{
	static const float luma[3] = {0.299f, 0.587f, 0.114f};
	struct resize_colour colour = {0};
	bool is_grey = train_uniform(state) < 0.15;
	double light = between(state, 0.7, 1.4), contrast = between(state, 0.7, 1.3);
	for (int c = 0; c < 3; c++) {
		float gain = (float)(light * contrast * (is_grey ? 1 : between(state, 0.9, 1.1)));
		for (int k = 0; k < 3; k++)
			colour.matrix[c][k] = is_grey ? gain * luma[k] : k == c ? gain : 0;
		/* contrast turns about a middle grey */
		colour.offset[c] = (float)(light * (1 - contrast) * 110);
	}
	return colour;
}

/* An animal may stand at the border and be small, so a crop keeps at least four fifths of a whole frame, and of a window
 * with its context two fifths. */
void augment_picture(const struct image_rgb *picture, const struct input_spec *input,
	unsigned long long *state, uint8_t *rgb)
{
	double width = picture->width_px, height = picture->height_px;
	double least_area = input->fit == INPUT_CROP ? 0.3 : input->focus ? 0.4 : 0.8;
	double area = between(state, least_area, 1);
	double aspect = exp(between(state, -log(4.0 / 3), log(4.0 / 3))), side = fmin(width, height);
	struct resize r = {.w = fmin(sqrt(area * aspect) * side, width),
		.h = fmin(sqrt(area / aspect) * side, height)};
	r.x = between(state, 0, width - r.w);
	r.y = between(state, 0, height - r.h);
	r.is_mirrored = train_uniform(state) < 0.5;
	struct resize_colour colour = draw_colour(state);
	r.colour = &colour;
	resize_rgb(picture, &r, rgb, input->px, input->px);
}
