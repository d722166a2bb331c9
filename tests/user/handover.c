// SPDX-License-Identifier: MIT
/*
 * One thread waits for the other's answer to a plain release store. With store buffers the store gets to memory some
 * time: nobody waits for ever, although each of them spins. What an invariant may see is in order.
 */
#include <seamlab/explore.h>

#include <stdatomic.h>

static atomic_int asked, answered;
static int question;

SL_THREAD(asks)
{
	question = 42;
	atomic_store_explicit(&asked, 1, memory_order_release);
	while (!atomic_load_explicit(&answered, memory_order_acquire))
		;
}

SL_THREAD(answers)
{
	while (!atomic_load_explicit(&asked, memory_order_acquire))
		;
	sl_assert(question == 42);
	atomic_store_explicit(&answered, 1, memory_order_release);
}

SL_INVARIANT(in_order)
{
	return (!asked || question == 42) && (!answered || asked);
}
