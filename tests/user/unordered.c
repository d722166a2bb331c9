// SPDX-License-Identifier: MIT
/* A message whose flag is set without a release: no interleaving shows it, the clocks do. */
#include <seamlab/explore.h>

#include <stdatomic.h>

static int message;
static atomic_int ready;

SL_THREAD(sender)
{
	message = 42;
	atomic_store_explicit(&ready, 1, memory_order_relaxed);
}

SL_THREAD(receiver)
{
	if (atomic_load_explicit(&ready, memory_order_acquire))
		sl_assert(message == 42);
}
