// SPDX-License-Identifier: MIT
/* A counter without a lock. */
#include <seamlab/explore.h>

static int counter;

SL_THREADS(adder, 2)
{
	counter++;
}
