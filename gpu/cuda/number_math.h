/*
 * Half precision (IEEE 754's binary16) and bf16 (the upper half of a float) in plain integer
 * arithmetic, for the C compiler and nvcc alike: what the host packs and what a kernel reads are the
 * same bits. Rounding is to nearest, ties to even; what is too large becomes infinite.
 *
 * Activations are read and written eight channels at a time, a *unit*: 16 bytes of a 16-bit number.
 * Every activation inside a net has a multiple of 16 channels.
 */
#pragma once

#include "math_fn.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDA_ARCH__
#include <cuda_fp16.h>
#endif

enum number { NUMBER_SINGLE, NUMBER_HALF, NUMBER_BF16 };

#define UNIT 8 /* channels */

MATH_FN uint16_t half_from_float(float value)
{
#ifdef __CUDA_ARCH__
	return __half_as_ushort(__float2half_rn(value));
#else
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	uint32_t sign = bits >> 16 & 0x8000u;
	bits &= 0x7fffffffu;
	if (bits > 0x7f800000u)
		return (uint16_t)(sign | 0x7e00u); /* not a number */
	if (bits >= 0x47800000u)
		return (uint16_t)(sign | 0x7c00u); /* 65536 and more */
	if (bits < 0x38800000u) {              /* below 2^-14: no exponent of its own */
		float size;
		memcpy(&size, &bits, sizeof size);
		size += 0.5f; /* its last place is 2^-24, as that of the small halves: the sum rounds */
		memcpy(&bits, &size, sizeof bits);
		return (uint16_t)(sign | (bits - 0x3f000000u));
	}
	uint32_t odd = bits >> 13 & 1u;
	return (uint16_t)(sign | (bits - 0x38000000u + 0xfffu + odd) >> 13);
#endif
}

MATH_FN float half_to_float(uint16_t half)
{
#ifdef __CUDA_ARCH__
	return __half2float(__ushort_as_half(half));
#else
	uint32_t exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu, bits;
	float value;
	if (exponent == 0) {
		value = (float)fraction * 0x1p-24f;
		return half & 0x8000u ? -value : value;
	}
	bits = (uint32_t)(half & 0x8000u) << 16 |
		(exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
	memcpy(&value, &bits, sizeof value);
	return value;
#endif
}

MATH_FN uint16_t bf16_from_float(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	if ((bits & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(bits >> 16 | 0x40u); /* not a number */
	return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

MATH_FN float bf16_to_float(uint16_t number)
{
	uint32_t bits = (uint32_t)number << 16;
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

MATH_FN size_t number_size(enum number type)
{
	return type == NUMBER_SINGLE ? 4 : 2;
}

MATH_FN float number_widened(enum number type, uint16_t number)
{
	return type == NUMBER_HALF ? half_to_float(number) : bf16_to_float(number);
}

MATH_FN uint16_t number_rounded(enum number type, float value)
{
	return type == NUMBER_HALF ? half_from_float(value) : bf16_from_float(value);
}

MATH_FN float number_load(enum number type, const void *from, size_t i)
{
	if (type == NUMBER_SINGLE)
		return ((const float *)from)[i];
	return number_widened(type, ((const uint16_t *)from)[i]);
}

MATH_FN void number_store(enum number type, void *to, size_t i, float value)
{
	if (type == NUMBER_SINGLE)
		((float *)to)[i] = value;
	else
		((uint16_t *)to)[i] = number_rounded(type, value);
}

/* On a card one load or store of 16 bytes. */
struct __attribute__((aligned(16))) number_words {
	uint32_t at[4];
};

MATH_FN struct number_words words_load(const void *from, size_t i)
{
#ifdef __CUDA_ARCH__
	return ((const struct number_words *)from)[i];
#else
	struct number_words w;
	memcpy(&w, (const char *)from + i * sizeof w, sizeof w);
	return w;
#endif
}

MATH_FN void words_store(void *to, size_t i, struct number_words w)
{
#ifdef __CUDA_ARCH__
	((struct number_words *)to)[i] = w;
#else
	memcpy((char *)to + i * sizeof w, &w, sizeof w);
#endif
}

/* Shapes: out [UNIT]; i counts units. */
MATH_FN void unit_load(enum number type, const void *from, size_t i, float *out)
{
	struct number_words w = words_load(from, type == NUMBER_SINGLE ? 2 * i : i);
	if (type == NUMBER_SINGLE) {
		struct number_words more = words_load(from, 2 * i + 1);
		memcpy(out, w.at, sizeof w);
		memcpy(out + 4, more.at, sizeof more);
		return;
	}
	for (int j = 0; j < UNIT; j++)
		out[j] = number_widened(type, (uint16_t)(w.at[j / 2] >> 16 * (j % 2) & 0xffffu));
}

MATH_FN void unit_store(enum number type, void *to, size_t i, const float *from)
{
	struct number_words w, more;
	if (type == NUMBER_SINGLE) {
		memcpy(w.at, from, sizeof w);
		memcpy(more.at, from + 4, sizeof more);
		words_store(to, 2 * i, w);
		words_store(to, 2 * i + 1, more);
		return;
	}
	for (int j = 0; j < UNIT / 2; j++)
		w.at[j] = (uint32_t)number_rounded(type, from[2 * j]) |
			(uint32_t)number_rounded(type, from[2 * j + 1]) << 16;
	words_store(to, i, w);
}
