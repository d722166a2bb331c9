// SPDX-License-Identifier: MIT
/* No race, but one addition is lost. */
#include <seamlab/explore.h>

static _Atomic int counter;

SL_THREADS(adder, 2)
{
	int seen = counter;

	counter = seen + 1;
}

SL_FINALLY(both_counted)
{
	return counter == 2;
}
