/* Value noise: what grass, coats and clouds of the rendered world are made of. Pure functions of place and seed. */
#pragma once

#include <math.h>
#include <stdint.h>

static inline float noise_hash(int x, int y, uint32_t seed)
{
	uint32_t h = (uint32_t)x * 0x8DA6B343u ^ (uint32_t)y * 0xD8163841u ^ seed * 0xCB1AB31Fu;
	h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
	h = (h ^ (h >> 12)) * 0x297A2D39u;
	return (float)((h ^ (h >> 15)) >> 8) * (1.0f / 16777216.0f);
}

/* In [0, 1] at (x, y), smooth, period 1 a cell. */
static inline float noise_value(float x, float y, uint32_t seed)
{
	float fx = floorf(x), fy = floorf(y);
	int ix = (int)fx, iy = (int)fy;
	float u = x - fx, v = y - fy;
	u = u * u * (3.0f - 2.0f * u);
	v = v * v * (3.0f - 2.0f * v);
	float a = noise_hash(ix, iy, seed), b = noise_hash(ix + 1, iy, seed);
	float c = noise_hash(ix, iy + 1, seed), d = noise_hash(ix + 1, iy + 1, seed);
	return (a + (b - a) * u) * (1.0f - v) + (c + (d - c) * u) * v;
}

static inline float noise_fbm(float x, float y, uint32_t seed, int octaves)
{
	float sum = 0.0f, weight = 0.5f;
	for (int i = 0; i < octaves; i++) {
		sum += weight * noise_value(x, y, seed + (uint32_t)i);
		x *= 2.03f;
		y *= 2.03f;
		weight *= 0.5f;
	}
	return sum / (1.0f - powf(0.5f, (float)octaves));
}
