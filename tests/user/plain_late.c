// SPDX-License-Identifier: MIT
/* A plain store that an invariant looks at waits in the store buffer like any other, behind those before it. */
#include <seamlab/explore.h>

#include <stdatomic.h>

static atomic_int first;
static int second;
static atomic_int other_began, seen;

SL_THREAD(writes)
{
	atomic_store_explicit(&first, 1, memory_order_release);
	second = 1;
	seen = atomic_load_explicit(&other_began, memory_order_acquire) + 1;
}

SL_THREAD(begins)
{
	atomic_store_explicit(&other_began, 1, memory_order_release);
	sl_assert(atomic_load_explicit(&first, memory_order_acquire) < 2);
}

/* Never the second without the first. */
SL_INVARIANT(in_order)
{
	return !second || first;
}
