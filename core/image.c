/* From one decoded picture to the three that are kept (image.h). The large steps live beside it:
 * image_jpeg.c decodes and encodes, image_resize.c makes smaller. */
#include "image.h"

#include <math.h>
#include <stdlib.h>

static const struct {
	int long_side_px, quality;
} kinds[N_RENDITIONS] = {
	[RENDITION_WEB] = {1280, 85},
	[RENDITION_THUMB] = {320, 85},
	[RENDITION_MODEL] = {IMAGE_MODEL_PX, 90},
};

void image_rgb_release(struct image_rgb *image)
{
	if (!image)
		return;
	free(image->pixels);
	*image = (struct image_rgb){0};
}

void image_renditions_release(struct image_rendition out[N_RENDITIONS])
{
	for (int i = 0; out && i < N_RENDITIONS; i++) {
		free(out[i].bytes);
		out[i] = (struct image_rendition){0};
	}
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

/* side_px shrunk as the long side is, and never to nothing. */
static int scaled(int side_px, int long_side_px, int wanted_px)
{
	return larger(1, (int)lround((double)side_px * wanted_px / long_side_px));
}

/* full shows width_px x height_px pixels of the original, which decide the shape: full itself may
 * have been shrunk to whole pixels already. */
static enum status make_rendition(const struct image_rgb *full, int width_px, int height_px,
	enum image_rendition_kind kind, int wanted_px, struct image_rendition *out, struct err *err)
{
	struct image_rgb small = {0};
	const struct image_rgb *source = full;
	int long_side_px = larger(width_px, height_px);
	enum status status = OK;
	if (long_side_px > wanted_px) {
		status = image_resize_rgb(full, scaled(width_px, long_side_px, wanted_px),
			scaled(height_px, long_side_px, wanted_px), &small, err);
		source = &small;
	}
	if (status == OK)
		status = image_encode_rgb(source, kinds[kind].quality, &out->bytes, &out->n_bytes, err);
	out->width_px = source->width_px;
	out->height_px = source->height_px;
	image_rgb_release(&small);
	return status;
}

enum status image_renditions(const uint8_t *jpeg, size_t n_bytes,
	const struct image_options *options, struct image_rendition out[N_RENDITIONS],
	struct image_info *info, struct err *err)
{
	struct image_rgb full = {0};
	for (int i = 0; i < N_RENDITIONS; i++)
		out[i] = (struct image_rendition){0};
	enum status status = image_decode_rgb(
		jpeg, n_bytes, options, kinds[RENDITION_WEB].long_side_px, &full, info, err);
	int crop_px = status == OK && options ? options->crop_bottom_px : 0;
	bool turned = info->orientation >= 5; /* the stored bottom is at a side now */
	int model_px = options ? options->model_px : 0;
	for (int i = 0; status == OK && i < N_RENDITIONS; i++)
		status = make_rendition(&full, info->width_px - (turned ? crop_px : 0),
			info->height_px - (turned ? 0 : crop_px), (enum image_rendition_kind)i,
			i == RENDITION_MODEL && model_px ? model_px : kinds[i].long_side_px, &out[i], err);
	image_rgb_release(&full);
	return status;
}
