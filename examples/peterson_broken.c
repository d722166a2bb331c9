// SPDX-License-Identifier: MIT
/*
 * Peterson's lock for two threads, with its first two lines exchanged: a thread gives the turn away
 * before it says that it wants to get in. Then the other one may get in, see nobody who wants to,
 * and stay; and the first one, whose turn it has become meanwhile, gets in too.
 *
 *	seamlab-cc -O1 examples/peterson_broken.c -o peterson_broken && ./peterson_broken
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

	atomic_store(&turn, other);     /* the right lock has this line ... */
	atomic_store(&wants[me], true); /* ... behind this one */
	while (atomic_load(&wants[other]) && atomic_load(&turn) == other)
		sl_pause();
}

static void unlock(unsigned int me)
{
	atomic_store(&wants[me], false);
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
