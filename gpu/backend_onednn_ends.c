/*
 * What stands before the first convolution and after the last one, in floats or bf16 (the upper 16
 * bits of a float): written here because the library would want copies between layouts around both.
 *
 * bf16 holds whole numbers up to 256, so inference in bf16 sees a picture's bytes less a whole number near the
 * mean: exact, where normalised values would lose as much as all activations after them do. The
 * stem's weights and bias do the rest (onednn_infer.c); only at the border, where the padding is
 * off by that number's fraction, is there a difference, of a hundredth of a deviation at most. A
 * training step moves the stem's weights and sees normalised values.
 */
#include "backend_onednn.h"

#include <math.h>
#include <string.h>

uint16_t onednn_to_half(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16); /* to the nearest, ties to even */
}

float onednn_from_half(uint16_t x)
{
	uint32_t bits = (uint32_t)x << 16;
	float out;
	memcpy(&out, &bits, sizeof out);
	return out;
}

float onednn_picture_zero(const struct onednn *o, int c)
{
	return roundf(255 * o->mean[c]);
}

/* A picture's values are of 3 x 256 kinds. */
struct values {
	float single[3][256];
	uint16_t half[3][256];
};

static void values_init(struct values *v, const struct onednn *o, int is_whole)
{
	for (int c = 0; c < 3; c++) {
		float scale = 1 / (255 * o->std[c]), shift = -o->mean[c] / o->std[c];
		for (int x = 0; x < 256; x++) {
			v->single[c][x] = (float)x * scale + shift;
			v->half[c][x] = onednn_to_half(
				is_whole ? (float)x - onednn_picture_zero(o, c) : v->single[c][x]);
		}
	}
}

void onednn_picture(
	const struct onednn *o, const uint8_t *rgb, int n, int is_whole, dnnl_memory_t out)
{
	const dnnl_memory_desc_t *md = onednn_memory_md(out);
	const dnnl_dim_t *strides = md->format_desc.blocking.strides;
	size_t px = (size_t)o->net->input_px;
	size_t image = (size_t)strides[0], plane = (size_t)strides[1], row = (size_t)strides[2];
	size_t step = (size_t)strides[3];
	void *at = onednn_memory_data(out);
	struct values values;
	values_init(&values, o, is_whole);
#pragma omp parallel for schedule(static) collapse(2)
	for (int i = 0; i < n; i++) {
		for (size_t y = 0; y < px; y++) {
			const uint8_t *in = rgb + ((size_t)i * px + y) * px * 3;
			size_t start = (size_t)i * image + y * row;
			if (md->data_type == dnnl_bf16) {
				uint16_t *to = (uint16_t *)at + start;
				for (size_t x = 0; x < px; x++)
					for (size_t c = 0; c < 3; c++)
						to[x * step + c * plane] = values.half[c][in[3 * x + c]];
			} else {
				float *to = (float *)at + start;
				for (size_t x = 0; x < px; x++)
					for (size_t c = 0; c < 3; c++)
						to[x * step + c * plane] = values.single[c][in[3 * x + c]];
			}
		}
	}
}

/* Channels that lie side by side at each pixel. */
static int channel_block(dnnl_format_tag_t tag, int c)
{
	switch (tag) {
	case dnnl_nChw16c:
		return 16;
	case dnnl_nChw8c:
		return 8;
	case dnnl_nhwc:
		return c;
	default:
		return 1;
	}
}

void onednn_embed(
	const struct net *net, dnnl_memory_t features, dnnl_format_tag_t tag, int n, float *embedding)
{
	const struct net_act *a = &net->acts[net->layers[net->n_layers - 2].src];
	int is_half = onednn_memory_md(features)->data_type == dnnl_bf16;
	int c = a->c, block = channel_block(tag, c), plane = a->h * a->w;
	int is_peak = net->arch->peak_pool;
	const void *at = onednn_memory_data(features);
#pragma omp parallel for schedule(static) collapse(2)
	for (int i = 0; i < n; i++) {
		for (int b = 0; b < c; b += block) {
			size_t from = ((size_t)i * (size_t)c + (size_t)b) * (size_t)plane;
			float *to = embedding + i * c + b;
			for (int p = 0; p < plane; p++, from += (size_t)block) {
				for (int j = 0; j < block; j++) {
					float x = is_half ? onednn_from_half(((const uint16_t *)at)[from + (size_t)j])
									  : ((const float *)at)[from + (size_t)j];
					if (p == 0)
						to[j] = x;
					else if (is_peak)
						to[j] = x > to[j] ? x : to[j];
					else
						to[j] += x;
				}
			}
			for (int j = 0; j < block && !is_peak; j++)
				to[j] /= (float)plane;
		}
	}
}
