// SPDX-License-Identifier: MIT
/* A pointer that is looked at twice. */
#include <seamlab/explore.h>
#include <stddef.h>

static int target;
static _Atomic(int *) pointer = &target;

SL_THREAD(clearer)
{
	pointer = NULL;
}

SL_THREAD(user)
{
	if (pointer)
		*pointer = 1;
}
