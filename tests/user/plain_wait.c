// SPDX-License-Identifier: MIT
/* Waits for plain data, which is a race and nothing worse. */
#include <seamlab/explore.h>

static volatile int ready;

SL_THREAD(waiter)
{
	while (!ready) {
	}
}

SL_THREAD(setter)
{
	ready = 1;
}
