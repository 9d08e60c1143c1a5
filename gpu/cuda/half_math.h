/*
 * IEEE 754 half precision in plain integer arithmetic, for the C compiler and nvcc alike: what the
 * host packs and what a kernel reads are the same bits. Rounding is to nearest, ties to even; what
 * is too large becomes infinite.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define MATH_FN static __host__ __device__ inline
#else
#define MATH_FN static inline
#endif

MATH_FN uint16_t half_from_float(float value)
{
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
}

MATH_FN float half_to_float(uint16_t half)
{
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
}
