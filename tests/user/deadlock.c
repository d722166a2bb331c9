// SPDX-License-Identifier: MIT
/* Two locks, taken in opposite order. */
#include <seamlab/explore.h>
#include <stdatomic.h>

static atomic_int fork_a, fork_b;

static void lock(atomic_int *l)
{
	while (atomic_exchange(l, 1))
		sl_wait_while(l, 1);
}

static void unlock(atomic_int *l)
{
	atomic_store(l, 0);
}

SL_THREAD(left)
{
	lock(&fork_a);
	lock(&fork_b);
	unlock(&fork_b);
	unlock(&fork_a);
}

SL_THREAD(right)
{
	lock(&fork_b);
	lock(&fork_a);
	unlock(&fork_a);
	unlock(&fork_b);
}
