/*
 * Seeded randomness of the simulated world: splitmix64. Every draw follows from a seed and a path
 * of keys (subject, volunteer, ...), so that the order in which threads work changes nothing.
 * Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators".
 */
#pragma once

#include <math.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xBF58476D1CE4E5B9u;
	x ^= x >> 27;
	x *= 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

/* A generator of its own for each (seed, a, b). */
static inline struct rng rng_at(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t s = rng_mix(seed + 0x9E3779B97F4A7C15u);
	s = rng_mix(s ^ (a + 0xD1B54A32D192ED03u));
	return (struct rng){rng_mix(s ^ (b + 0x8CB92BA72F3D8DD7u))};
}

static inline uint64_t rng_next(struct rng *r)
{
	r->state += 0x9E3779B97F4A7C15u;
	return rng_mix(r->state);
}

/* Uniform in [0, 1), 24 bits: exact in a float. */
static inline float rng_unit(struct rng *r)
{
	return (float)(rng_next(r) >> 40) * (1.0f / 16777216.0f);
}

static inline float rng_range(struct rng *r, float low, float high)
{
	return low + (high - low) * rng_unit(r);
}

/* Uniform in 0 .. n-1; n is small, so the bias of the multiplication does not matter. */
static inline int rng_int(struct rng *r, int n)
{
	return (int)(((rng_next(r) >> 32) * (uint64_t)n) >> 32);
}

static inline float rng_normal(struct rng *r)
{
	float u = rng_unit(r) + 1e-7f, v = rng_unit(r);
	return sqrtf(-2.0f * logf(u)) * cosf(6.2831853f * v);
}

/* Value noise in [0, 1] at (x, y), smooth, period 1 a cell. */
static inline float noise_hash(int x, int y, uint32_t seed)
{
	uint32_t h = (uint32_t)x * 0x8DA6B343u ^ (uint32_t)y * 0xD8163841u ^ seed * 0xCB1AB31Fu;
	h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
	h = (h ^ (h >> 12)) * 0x297A2D39u;
	return (float)((h ^ (h >> 15)) >> 8) * (1.0f / 16777216.0f);
}

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
