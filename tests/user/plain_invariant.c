// SPDX-License-Identifier: MIT
/* An invariant over plain data, one flag each: seen although no two threads share a flag. */
#include <seamlab/explore.h>

static volatile int a_inside, b_inside;
static _Atomic int ready;

SL_THREAD(a)
{
	ready = 1;
	a_inside = 1;
	a_inside = 0;
}

SL_THREAD(b)
{
	(void)ready;
	b_inside = 1;
	b_inside = 0;
}

SL_INVARIANT(alone)
{
	return !(a_inside && b_inside);
}
