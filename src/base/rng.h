/* SPDX-License-Identifier: MIT */
/* splitmix64: the seeded source behind choose() in engines that draw at random. Layer: base. */
#ifndef SL_BASE_RNG_H
#define SL_BASE_RNG_H

#include "base/types.h"

struct sl_rng {
	u64 state;
};

static inline u64 sl_rng_next(struct sl_rng *r)
{
	u64 z = (r->state += 0x9E3779B97F4A7C15ull);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
	return z ^ (z >> 31);
}

/* Uniform in [0, n) up to a bias of 2^-32; n >= 1. */
static inline u32 sl_rng_below(struct sl_rng *r, u32 n)
{
	return (u32)(((sl_rng_next(r) >> 32) * n) >> 32);
}

#endif
