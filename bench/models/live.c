// SPDX-License-Identifier: MIT
/*
 * A 16-bit shared/exclusive try-lock with host priority, one compare-and-swap for each acquire. A host
 * tries until it has it exclusively, once; GUESTS guests try again and again, the first one exclusively,
 * the others shared. A host that is refused for any reason leaves host priority, which keeps guests out:
 * then the host gets in. With -DNO_REQUEST it leaves none when its compare-and-swap loses: then guests
 * can keep it out for ever. live.pml is the same for spin.
 *
 *	seamlab-cc -O2 -DGUESTS=6 live.c -o live && ./live --all-finish
 */
#include <seamlab/explore.h>
#include <stdatomic.h>

#ifndef GUESTS
#define GUESTS 2
#endif

#define EX     1u
#define HP     2u
#define CLOSED 4u /* the host has been inside: guests go home */
#define READER 8u

SL_SHARED static _Atomic uint16_t word;

static bool swap(uint16_t from, uint16_t to)
{
	return atomic_compare_exchange_strong(&word, &from, to);
}

SL_THREAD(host)
{
	for (;;) {
		uint16_t w;

		sl_checkpoint(1, 0, 0);
		w = atomic_load(&word);
		if ((w | HP) == HP) {
			if (swap(w, EX))
				break;
#ifdef NO_REQUEST
			continue;
#endif
		}
		sl_checkpoint(2, 0, 0);
		atomic_fetch_or(&word, (uint16_t)HP);
	}
	sl_checkpoint(3, 0, 0);
	atomic_store(&word, (uint16_t)CLOSED);
	sl_checkpoint(4, 0, 0);
}

SL_THREADS(guest, GUESTS)
{
	for (;;) {
		uint16_t w;

		sl_checkpoint(11, 0, 0);
		w = atomic_load(&word);
		if (w & CLOSED)
			break;
		if ((w & (EX | HP)) || (me == 0 && w))
			continue;
		if (!swap(w, me ? (uint16_t)(w + READER) : (uint16_t)EX))
			continue;
		sl_checkpoint(12, 0, 0);
		if (me == 0)
			atomic_fetch_and(&word, (uint16_t)HP);
		else
			atomic_fetch_sub(&word, (uint16_t)READER);
	}
	sl_checkpoint(13, 0, 0);
}

SL_FINALLY(the_host_was_inside)
{
	return word == CLOSED;
}
