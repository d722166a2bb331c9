// SPDX-License-Identifier: MIT
/*
 * Peterson's lock for two threads with stores of release and loads of acquire. On a machine whose memory is
 * sequentially consistent that is enough. On x86 it is not: while "I want to get in" waits in the store buffer,
 * the thread reads that the other one does not want to. With -DFENCE there is a full barrier in between.
 *
 *	seamlab-cc -O1 examples/peterson.c -o peterson && ./peterson --memory-model tso
 */
#include <seamlab/explore.h>
#include <stdatomic.h>
#include <stdbool.h>

SL_SHARED static atomic_bool wants[2];
SL_SHARED static atomic_uint turn;
SL_SHARED static atomic_int inside;

static void lock(unsigned int me)
{
	unsigned int other = 1 - me;

	atomic_store_explicit(&wants[me], true, memory_order_release);
	atomic_store_explicit(&turn, other, memory_order_release);
#ifdef FENCE
	atomic_thread_fence(memory_order_seq_cst);
#endif
	while (atomic_load_explicit(&wants[other], memory_order_acquire) &&
	       atomic_load_explicit(&turn, memory_order_acquire) == other)
		sl_pause();
}

static void unlock(unsigned int me)
{
	atomic_store_explicit(&wants[me], false, memory_order_release);
}

SL_THREADS(peterson, 2)
{
	lock(me);
	inside++;
	inside--;
	unlock(me);
}

SL_INVARIANT(mutual_exclusion)
{
	return inside <= 1;
}
