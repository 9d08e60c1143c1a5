/*
 * Seeded randomness of simulated worlds: splitmix64. Every draw follows from a seed and a path
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
