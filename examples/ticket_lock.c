// SPDX-License-Identifier: MIT
/*
 * A ticket lock: take a number, wait until it is served. It holds: mutual exclusion in every state,
 * and no turn is lost. With --all-finish: nobody waits for ever.
 *
 *	seamlab-cc -O1 examples/ticket_lock.c -o ticket_lock && ./ticket_lock --all-finish
 */
#include <seamlab/explore.h>
#include <stdatomic.h>

#define THREADS 3

SL_SHARED static atomic_uint next_ticket, now_serving;
/* Who is inside, for the invariant; and what the lock protects, without any atomics. */
SL_SHARED static atomic_int inside;
SL_SHARED static int turns;

static void lock(void)
{
	unsigned int mine = atomic_fetch_add(&next_ticket, 1);

	while (atomic_load(&now_serving) != mine)
		sl_pause();
}

static void unlock(void)
{
	atomic_fetch_add(&now_serving, 1);
}

SL_THREADS(worker, THREADS)
{
	lock();
	inside++;
	turns++;
	inside--;
	unlock();
}

SL_INVARIANT(mutual_exclusion)
{
	return inside <= 1;
}

SL_FINALLY(nothing_lost)
{
	return turns == THREADS && next_ticket == now_serving;
}
