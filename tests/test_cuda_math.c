/* labels: unit; timeout: 60 */
/* The arithmetic of the CUDA module's own kernels, on the processor: kernels.cu only counts indices
 * around it. */
#include "element_math.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static float float_of(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* The compiler's own half. */
static uint16_t compiled_half(float value)
{
	_Float16 half = (_Float16)value;
	uint16_t bits;
	memcpy(&bits, &half, sizeof bits);
	return bits;
}

static void every_half_is_read(void **state)
{
	(void)state;
	for (uint32_t bits = 0; bits < 65536; bits++) {
		uint16_t half = (uint16_t)bits;
		_Float16 compiled;
		memcpy(&compiled, &half, sizeof half);
		float value = half_to_float(half), expected = (float)compiled;
		if (isnan(expected)) {
			assert_true(isnan(value));
			assert_true(isnan(half_to_float(half_from_float(value))));
			continue;
		}
		assert_memory_equal(&value, &expected, sizeof value); /* the sign of 0 too */
		assert_int_equal(half_from_float(value), half);
	}
}

/* Around every half and every midpoint between two, and a walk through all floats. */
static void floats_are_rounded(void **state)
{
	(void)state;
	for (uint32_t half = 0; half < 0x7c00; half++) {
		uint32_t low, high;
		float ends[2] = {half_to_float((uint16_t)half), half_to_float((uint16_t)(half + 1))};
		if (half == 0x7bff)
			ends[1] = 65536;
		float middle = ends[0] / 2 + ends[1] / 2;
		memcpy(&low, &ends[0], sizeof low);
		memcpy(&high, &middle, sizeof high);
		for (uint32_t near = 0; near < 5; near++) {
			assert_int_equal(
				half_from_float(float_of(low + near)), compiled_half(float_of(low + near)));
			float around = float_of(high + near - 2);
			assert_int_equal(half_from_float(around), compiled_half(around));
			assert_int_equal(half_from_float(-around), compiled_half(-around));
		}
	}
	for (uint64_t bits = 0; bits < 1ull << 32; bits += 2039) {
		float value = float_of((uint32_t)bits);
		if (!isnan(value) && half_from_float(value) != compiled_half(value))
			fail_msg("%a becomes %04x, not %04x", (double)value, half_from_float(value),
				compiled_half(value));
	}
}

static void pictures_are_normalised(void **state)
{
	(void)state;
	enum { PIXELS = 6, PLANE = 3 }; /* two pictures of three pixels */
	static const float mean[3] = {0.5f, 0.25f, 0.125f}, std[3] = {0.5f, 0.25f, 0.2f};
	struct picture_scale s = picture_scale_of(mean, std);
	uint8_t rgb[PIXELS * 3];
	uint16_t half[PIXELS * 4];
	float plain[PIXELS * 3];
	for (int i = 0; i < PIXELS * 3; i++)
		rgb[i] = (uint8_t)(i * 15);
	for (size_t i = 0; i < PIXELS * 4; i++)
		element_picture_half(i, rgb, s, half);
	for (size_t i = 0; i < PIXELS * 3; i++)
		element_picture_float(i, rgb, PLANE, s, plain);
	for (int n = 0; n < PIXELS / PLANE; n++)
		for (int p = 0; p < PLANE; p++)
			for (int c = 0; c < 3; c++) {
				double byte = rgb[(n * PLANE + p) * 3 + c];
				double expected = (byte / 255 - (double)mean[c]) / (double)std[c];
				double wide = (double)half_to_float(half[(n * PLANE + p) * 4 + c]);
				assert_true(fabs((double)plain[(n * 3 + c) * PLANE + p] - expected) < 1e-6);
				assert_true(fabs(wide - expected) < 2e-3);
				assert_int_equal(half[(n * PLANE + p) * 4 + 3], 0);
			}
}

static void relus(void **state)
{
	(void)state;
	static const struct {
		float x, add, relu, sum, slope;
	} rows[] = {
		{1, 2, 1, 3, 7},
		{-1, 2, 0, 1, 0},
		{2, -3, 2, 0, 7},
		{0, 0, 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		float y = rows[i].x, sum = rows[i].x, slope = 7;
		element_relu(0, &y);
		element_add_relu(0, &rows[i].add, &sum);
		element_relu_backward(0, &y, &slope);
		assert_true(y == rows[i].relu && sum == rows[i].sum && slope == rows[i].slope);
	}
}

static void bias_is_by_column(void **state)
{
	(void)state;
	static const float bias[3] = {1, 2, 3};
	float rows[6] = {10, 10, 10, 20, 20, 20};
	static const float expected[6] = {11, 12, 13, 21, 22, 23};
	for (size_t i = 0; i < 6; i++)
		element_add_bias(i, bias, 3, rows);
	assert_memory_equal(rows, expected, sizeof rows);
}

/* By hand, in numbers that floats hold: v = .5 * 4 + 1 + .25 * 8 = 5; p = 8 - .5 * 5 = 5.5;
 * a = 4 + .25 * (5.5 - 4) = 4.375. */
static void sgd_by_hand(void **state)
{
	(void)state;
	float gradient = 1, v = 4, param = 8, average = 4;
	struct sgd s = {.rate = 0.5f, .momentum = 0.5f, .decay = 0.25f, .average = 0.75f};
	element_sgd(0, &gradient, s, &v, &param, &average);
	assert_true(v == 5.0f && param == 5.5f && average == 4.375f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_half_is_read),
		cmocka_unit_test(floats_are_rounded),
		cmocka_unit_test(pictures_are_normalised),
		cmocka_unit_test(relus),
		cmocka_unit_test(bias_is_by_column),
		cmocka_unit_test(sgd_by_hand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
