/* labels: unit; timeout: 60 */
/* Weight gradients by matrix tiles against the sums written out in double precision. */
#include "tile_gradient.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct shape {
	const char *name;
	int n, px, c_in, c_out, kernel, stride;
};

struct fixture {
	struct shape s;
	struct tile_gradient g;
	int out_px, pad;
	uint16_t *x, *slope; /* bf16: the upper half of a float */
	float *gradient;
	size_t n_gradient;
	void *scratch;
};

static float from_half(uint16_t x)
{
	uint32_t bits = (uint32_t)x << 16;
	float out;
	memcpy(&out, &bits, sizeof out);
	return out;
}

/* Between -2 and 2. */
static uint16_t *noise(size_t n, unsigned seed)
{
	uint16_t *out = malloc(n * sizeof *out);
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		float x = (float)((unsigned)(i + seed) * 2654435761u >> 8 & 0xffff) / 16384 - 2;
		memcpy(&bits, &x, sizeof bits);
		out[i] = (uint16_t)(bits >> 16);
	}
	return out;
}

/* Returns what tile_gradient_init does. */
static int fixture_init(struct fixture *f, const struct shape *s)
{
	static struct net net;
	int pad = s->kernel / 2, out_px = (s->px + 2 * pad - s->kernel) / s->stride + 1;
	struct net_layer layer = {.kind = NET_CONV,
		.dst = 1,
		.add = -1,
		.kernel = s->kernel,
		.stride = s->stride,
		.pad = pad};
	size_t n = (size_t)s->n, px = (size_t)s->px, out = (size_t)out_px, k = (size_t)s->kernel;
	net.acts[0] = (struct net_act){s->c_in, s->px, s->px};
	net.acts[1] = (struct net_act){s->c_out, out_px, out_px};
	*f = (struct fixture){.s = *s, .out_px = out_px, .pad = pad};
	if (!tile_gradient_init(&f->g, &net, &layer, s->n))
		return 0;
	f->n_gradient = (size_t)s->c_out * (size_t)s->c_in * k * k;
	f->x = noise(n * px * px * (size_t)s->c_in, 1);
	f->slope = noise(n * out * out * (size_t)s->c_out, 12345);
	f->gradient = malloc(f->n_gradient * sizeof *f->gradient);
	size_t n_scratch = (f->g.n_scratch + 63) / 64 * 64;
	f->scratch = aligned_alloc(64, n_scratch);
	memset(f->scratch, 0xff, n_scratch); /* NaN in both types: whatever is read must be written */
	memset(f->gradient, 0xff, f->n_gradient * sizeof *f->gradient);
	return 1;
}

static void fixture_release(struct fixture *f)
{
	free(f->x);
	free(f->slope);
	free(f->gradient);
	free(f->scratch);
}

/* The gradient of weight [b][a][i][j]. */
static double plain(const struct fixture *f, int b, int a, int i, int j)
{
	const struct shape *s = &f->s;
	double sum = 0;
	for (int n = 0; n < s->n; n++) {
		for (int y = 0; y < f->out_px; y++) {
			for (int x = 0; x < f->out_px; x++) {
				int v = y * s->stride + i - f->pad, u = x * s->stride + j - f->pad;
				if (v < 0 || u < 0 || v >= s->px || u >= s->px)
					continue;
				size_t in = ((size_t)(n * s->px + v) * (size_t)s->px + (size_t)u) * (size_t)s->c_in;
				size_t out = ((size_t)(n * f->out_px + y) * (size_t)f->out_px + (size_t)x) *
					(size_t)s->c_out;
				sum += (double)from_half(f->x[in + (size_t)a]) *
					(double)from_half(f->slope[out + (size_t)b]);
			}
		}
	}
	return sum;
}

static void is_the_sum_over_pixels(void **state)
{
	(void)state;
	static const struct shape rows[] = {
		{"one tile", 2, 14, 16, 16, 3, 1},
		{"an odd number of tiles", 3, 9, 48, 32, 3, 1},
		{"stride 2", 3, 14, 32, 64, 3, 2},
		{"stride 2, an odd side", 3, 7, 32, 32, 3, 2},
		{"1 x 1", 3, 5, 32, 64, 1, 1},
		{"1 x 1, stride 2", 3, 14, 32, 64, 1, 2},
		{"a stem of 7 x 7", 2, 32, 3, 64, 7, 2},
		{"a stem of 3 x 3", 2, 32, 3, 16, 3, 2},
		{"planes of a pixel", 5, 1, 32, 32, 3, 1},
		{"planes that become a pixel", 5, 2, 32, 32, 3, 2},
		{"chunks", 24, 24, 16, 32, 3, 1},
	};
	if (!tile_gradient_is_here()) {
		print_message("skipped: no matrix tiles (AMX) here\n");
		skip();
	}
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		struct fixture f;
		assert_true(fixture_init(&f, &rows[row]));
		int k = f.s.kernel;
		double n_products = (double)f.s.n * f.out_px * f.out_px; /* of 1 or so each */
		tile_gradient_run(&f.g, f.x, f.slope, f.gradient, f.scratch);
		for (size_t i = 0; i < f.n_gradient; i += f.n_gradient / 500 | 1) {
			int tap = (int)i % (k * k), a = (int)i / (k * k) % f.s.c_in;
			int b = (int)i / (k * k) / f.s.c_in;
			double expected = plain(&f, b, a, tap / k, tap % k);
			if (!(fabs((double)f.gradient[i] - expected) <= 3e-6 * n_products))
				fail_msg(
					"%s: weight %zu is %g, not %g", f.s.name, i, (double)f.gradient[i], expected);
		}
		for (size_t i = 0; i < f.n_gradient; i++)
			assert_true(isfinite(f.gradient[i]));
		fixture_release(&f);
	}
}

static void has_the_same_bits_on_any_team(void **state)
{
	(void)state;
	static const struct shape rows[] = {
		{"3 x 3", 24, 20, 32, 32, 3, 1}, {"a stem", 4, 64, 3, 16, 7, 2}};
	int before = omp_get_max_threads();
	if (!tile_gradient_is_here()) {
		print_message("skipped: no matrix tiles (AMX) here\n");
		skip();
	}
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		struct fixture f;
		assert_true(fixture_init(&f, &rows[row]));
		assert_true(f.g.chunk < f.g.n_positions); /* what is added up over chunks, too */
		size_t n_bytes = f.n_gradient * sizeof(float);
		float *first = malloc(n_bytes);
		for (int threads = 1; threads <= 3; threads++) {
			omp_set_num_threads(threads);
			tile_gradient_run(&f.g, f.x, f.slope, f.gradient, f.scratch);
			if (threads == 1)
				memcpy(first, f.gradient, n_bytes);
			assert_memory_equal(first, f.gradient, n_bytes);
		}
		free(first);
		fixture_release(&f);
	}
	omp_set_num_threads(before);
}

static void knows_what_fits(void **state)
{
	(void)state;
	static const struct shape rows[] = {
		{"input channels", 1, 8, 24, 32, 3, 1},
		{"output channels", 1, 8, 32, 24, 3, 1},
		{"a stride", 1, 9, 32, 32, 3, 3},
	};
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		struct fixture f;
		if (fixture_init(&f, &rows[row]))
			fail_msg("%s: they do not fit, do they?", rows[row].name);
		assert_int_equal(f.g.n_scratch, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_sum_over_pixels),
		cmocka_unit_test(has_the_same_bits_on_any_team),
		cmocka_unit_test(knows_what_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
