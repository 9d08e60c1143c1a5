/* Renditions to JPEG (image.h): baseline, JFIF and nothing else. */
#include "image_part.h"

#include <stdlib.h>

struct encoder {
	struct jpeg_compress_struct jpeg;
	struct failure failure;
	struct jpeg_destination_mgr target;
	uint8_t *bytes;
	size_t room_bytes, n_bytes;
};

/* libjpeg's own memory target loses track of its buffer when memory runs out; this one does not. */
static boolean grow(j_compress_ptr jpeg)
{
	struct encoder *e = (struct encoder *)jpeg;
	size_t room_bytes = e->room_bytes ? e->room_bytes * 2 : 1 << 16;
	uint8_t *bytes = realloc(e->bytes, room_bytes);
	if (!bytes)
		image_fail(&e->failure, FAULT, "no memory for the picture");
	e->target.next_output_byte = bytes + e->room_bytes;
	e->target.free_in_buffer = room_bytes - e->room_bytes;
	e->bytes = bytes;
	e->room_bytes = room_bytes;
	return TRUE;
}

static void start_target(j_compress_ptr jpeg)
{
	grow(jpeg);
}

static void end_target(j_compress_ptr jpeg)
{
	struct encoder *e = (struct encoder *)jpeg;
	e->n_bytes = e->room_bytes - e->target.free_in_buffer;
}

static void run_encoder(struct encoder *e, const struct image_rgb *in, int quality)
{
	struct jpeg_compress_struct *j = &e->jpeg;
	if (setjmp(e->failure.jump))
		return;
	jpeg_create_compress(j);
	e->target = (struct jpeg_destination_mgr){.init_destination = start_target,
		.empty_output_buffer = grow,
		.term_destination = end_target};
	j->dest = &e->target;
	j->image_width = (JDIMENSION)in->width_px;
	j->image_height = (JDIMENSION)in->height_px;
	j->input_components = 3;
	j->in_color_space = JCS_RGB;
	jpeg_set_defaults(j); /* YCbCr 4:2:0 with a JFIF header and no other segment */
	jpeg_set_quality(j, quality, TRUE);
	j->optimize_coding = TRUE;
	jpeg_start_compress(j, TRUE);
	while (j->next_scanline < j->image_height) {
		JSAMPROW row = in->pixels + (size_t)j->next_scanline * (size_t)in->width_px * 3;
		jpeg_write_scanlines(j, &row, 1);
	}
	jpeg_finish_compress(j);
}

enum status image_encode_rgb(
	const struct image_rgb *in, int quality, uint8_t **bytes, size_t *n_bytes, struct err *err)
{
	struct encoder e = {0};
	image_failure_init(&e.failure, NULL, err);
	e.jpeg.err = &e.failure.base;
	run_encoder(&e, in, quality);
	jpeg_destroy_compress(&e.jpeg);
	if (e.failure.status != OK) {
		free(e.bytes);
		e.bytes = NULL;
		e.n_bytes = 0;
	}
	*bytes = e.bytes;
	*n_bytes = e.n_bytes;
	return e.failure.status;
}
