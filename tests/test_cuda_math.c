/* labels: unit; timeout: 60 */
/* The arithmetic of the CUDA module's own kernels, on the processor: kernels.cu only counts indices
 * around it. */
#include "backend.h"
#include "element_math.h"
#include "loss_math.h"
#include "norm_math.h"

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

/* Ties to even, by hand: 1 + 2^-8 is between 1 and 1 + 2^-7. */
static void bf16_is_rounded(void **state)
{
	(void)state;
	static const struct {
		float is, becomes;
	} rows[] = {{1, 1}, {0x1.01p0f, 1}, {0x1.03p0f, 0x1.04p0f}, {0x1.010002p0f, 0x1.02p0f},
		{-0x1.03p-100f, -0x1.04p-100f}, {0, 0}, {0x1.fffffep127f, INFINITY}, {INFINITY, INFINITY}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_true(bf16_to_float(bf16_from_float(rows[i].is)) == rows[i].becomes);
	assert_true(isnan(bf16_to_float(bf16_from_float(NAN))));
	for (uint32_t bits = 0; bits < 65536; bits++) {
		float value = bf16_to_float((uint16_t)bits);
		if (!isnan(value))
			assert_int_equal(bf16_from_float(value), bits);
	}
}

static void units_are_stored(void **state)
{
	(void)state;
	_Alignas(16) char at[4 * UNIT * sizeof(float)];
	for (int type = NUMBER_SINGLE; type <= NUMBER_BF16; type++) {
		float in[UNIT], out[UNIT];
		for (int j = 0; j < UNIT; j++)
			in[j] = (float)(j - 3) * 0.25f;
		unit_store((enum number)type, at, 1, in);
		unit_load((enum number)type, at, 1, out);
		assert_memory_equal(in, out, sizeof in);
		for (size_t j = 0; j < UNIT; j++)
			assert_true(number_load((enum number)type, at, UNIT + j) == in[j]);
	}
}

static void pictures_are_normalised(void **state)
{
	(void)state;
	enum { PIXELS = 6 };
	static const float mean[3] = {0.5f, 0.25f, 0.125f}, std[3] = {0.5f, 0.25f, 0.2f};
	struct picture_scale s = picture_scale_of(mean, std);
	uint8_t rgb[PIXELS * 3];
	for (int i = 0; i < PIXELS * 3; i++)
		rgb[i] = (uint8_t)(i * 15);
	for (int type = NUMBER_SINGLE; type <= NUMBER_BF16; type++) {
		float out[PIXELS * 4];
		double most = type == NUMBER_SINGLE ? 1e-6 : type == NUMBER_HALF ? 2e-3 : 1.6e-2;
		for (size_t i = 0; i < PIXELS; i++)
			element_picture((enum number)type, i, rgb, s, out);
		for (int i = 0; i < PIXELS; i++)
			for (int c = 0; c < 4; c++) {
				double is = (double)number_load((enum number)type, out, (size_t)(4 * i + c));
				double expected = c == 3
					? 0
					: ((double)rgb[3 * i + c] / 255 - (double)mean[c]) / (double)std[c];
				assert_true(fabs(is - expected) <= (c == 3 ? 0 : most));
			}
	}
}

/* There and back, with a fourth channel of 0 between. */
static void weights_are_packed(void **state)
{
	(void)state;
	const struct weights_shape s = {.n_out = 2, .c_in = 3, .c_wide = 4, .taps = 9};
	float from[54], packed[72], back[54];
	for (int i = 0; i < 54; i++)
		from[i] = (float)(i + 1);
	for (size_t i = 0; i < 72; i++)
		element_pack(NUMBER_SINGLE, i, s, from, packed);
	for (size_t i = 0; i < 54; i++)
		element_unpack(NUMBER_SINGLE, i, s, packed, back);
	assert_memory_equal(from, back, sizeof from);
	assert_true(packed[3] == 0 && packed[0] == 1 && packed[1] == 10 && packed[4] == 2);
}

/* y = x by + plus + add, and its slope where a relu follows. */
static void relus(void **state)
{
	(void)state;
	static const struct {
		float x, add, alone, sum, slope_alone, slope_sum;
	} rows[] = {{1, 2, 1, 3, 7, 7}, {-1, 2, 0, 1, 0, 7}, {2, -3, 2, 0, 7, 0}, {0, 0, 0, 0, 0, 0}};
	float one[UNIT], zero[UNIT] = {0}, x[UNIT], add[UNIT], y[UNIT], slope[UNIT], a[UNIT];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (int j = 0; j < UNIT; j++) {
			one[j] = 1;
			x[j] = rows[i].x;
			add[j] = rows[i].add;
			a[j] = 7;
		}
		unit_norm(NUMBER_SINGLE, 0, x, one, zero, NULL, 1, y);
		const struct norm_slope alone = {.a = a, .x = x, .relu = 1};
		unit_norm_slope_load(NUMBER_SINGLE, 0, &alone, x, one, zero, 0, slope);
		assert_true(y[0] == rows[i].alone && slope[0] == rows[i].slope_alone);
		unit_norm(NUMBER_SINGLE, 0, x, one, zero, add, 1, y);
		const struct norm_slope sum = {.a = a, .x = x, .y = y, .relu = 1};
		unit_norm_slope_load(NUMBER_SINGLE, 0, &sum, x, one, zero, 0, slope);
		assert_true(y[UNIT - 1] == rows[i].sum && slope[UNIT - 1] == rows[i].slope_sum);
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

/* As the other backends' own, over two heads of which the second is not known. */
static void loss_is_the_others(void **state)
{
	(void)state;
	struct net net = {.n_classes = 5, .n_heads = 2, .head_size = {3, 2}};
	const struct loss_shape shape = {.n_classes = 5, .n_heads = 2, .head_size = {3, 2}};
	static const float logits[5] = {1, -2, 30, 0.5f, 4};
	static const float targets[2][5] = {{0.5f, 0.25f, 0.25f, 0, 1}, {0, 0, 1, 0, 0}};
	for (int row = 0; row < 2; row++) {
		float slope[2][5];
		int is_right = -1;
		double expected = backend_row_loss(&net, logits, targets[row], 0.5f, slope[0]);
		float loss = element_loss(&shape, logits, targets[row], 0.5f, slope[1], &is_right);
		assert_true(fabs((double)loss - expected) < 1e-5 * (1 + expected));
		assert_int_equal(is_right, row);
		for (int i = 0; i < 5; i++)
			assert_true(fabsf(slope[0][i] - slope[1][i]) < 1e-6f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_half_is_read),
		cmocka_unit_test(floats_are_rounded),
		cmocka_unit_test(bf16_is_rounded),
		cmocka_unit_test(units_are_stored),
		cmocka_unit_test(pictures_are_normalised),
		cmocka_unit_test(weights_are_packed),
		cmocka_unit_test(relus),
		cmocka_unit_test(bias_is_by_column),
		cmocka_unit_test(loss_is_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
