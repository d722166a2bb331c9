/* SPDX-License-Identifier: MIT */
/* The wall clock of the engines; no model code may ask for it. Layer: engine. */
#ifndef SL_ENGINE_CLOCK_H
#define SL_ENGINE_CLOCK_H

#include <time.h>

/* Seconds since some fixed moment; never goes back. */
static inline double clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Sleeps for so long, less than a second, or until a signal. */
static inline void clock_nap(double seconds)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)(seconds * 1e9) }, NULL);
}

#endif
