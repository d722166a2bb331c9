/* SPDX-License-Identifier: MIT */
/*
 * S-EPT entry, as published. Each lane has TRIES turns: one is a guest that commits, one a host that tries
 * until granted, GUESTS more are guests that try once. One d_step is one atomic operation. Of the entry
 * there are the lock bit and host priority only; old and old2 are what the lane has read in the operation
 * that it is in, copy what a holder read after it locked the entry.
 */
#ifndef GUESTS
#define GUESTS 1
#endif
#ifndef TRIES
#define TRIES 2
#endif
/* 1: a host that was refused leaves no host priority on a free entry, which is not so (F4). */
#ifndef NO_STALE_HP
#define NO_STALE_HP 0
#endif
#define TDEL 1
#define HP   2

byte e = 0;
byte done = 0;

mtype = { START, TRY, ASK, UNSET, CHECK, BACK_OFF, PAUSE, COPY, COMMIT, LOOK, DROP, DONE };

/* Readings are kept with bit 3 set, so that none is like a reading of 0. */
#define SEEN(v) ((v) | 8)

inline leave()
{
	old = 0; old2 = 0; copy = 0; left--;
	if :: left == 0 -> pc = DONE; done++ :: else -> pc = TRY fi
}

/* Variables stand outside of an inline: their initialisation in it would be a step. */
inline guest(commits)
{
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY -> old = SEEN(e); e = e | TDEL;
		if :: old & TDEL -> leave() :: else -> pc = CHECK fi }
	:: d_step { pc == CHECK ->
		if :: e & HP -> old2 = SEEN(e); pc = BACK_OFF :: else -> old = 0; pc = COPY fi }
	:: d_step { pc == BACK_OFF -> e = e & ~TDEL; leave() }
	:: d_step { pc == COPY -> assert(e & TDEL); copy = SEEN(e);
		if :: commits -> pc = COMMIT :: else -> pc = LOOK fi }
	:: d_step { pc == COMMIT -> e = (copy & HP) | TDEL; pc = LOOK }
	:: d_step { pc == LOOK -> assert(e & TDEL); old = SEEN(e); pc = DROP }
	:: d_step { pc == DROP -> e = e & ~TDEL; leave() }
	od
}

active proctype host()
{
	mtype pc = START;
	byte old = 0, old2 = 0, copy = 0, left = TRIES;
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY -> old = SEEN(e); e = e | TDEL;
		if :: old & TDEL -> pc = ASK :: else -> pc = UNSET fi }
	:: d_step { pc == ASK -> e = e | HP; assert(!NO_STALE_HP || (e & TDEL)); old = 0; pc = PAUSE }
	:: d_step { pc == PAUSE -> pc = TRY }
	:: d_step { pc == UNSET -> e = e & ~HP; old = 0; pc = COPY }
	:: d_step { pc == COPY -> assert(e & TDEL); copy = SEEN(e); pc = LOOK }
	:: d_step { pc == LOOK -> assert(e & TDEL); old = SEEN(e); pc = DROP }
	:: d_step { pc == DROP -> e = e & ~TDEL; leave() }
	od
}

active proctype guest_that_commits()
{
	mtype pc = START;
	byte old = 0, old2 = 0, copy = 0, left = TRIES;
	guest(true)
}

active [GUESTS] proctype guest_that_does_not()
{
	mtype pc = START;
	byte old = 0, old2 = 0, copy = 0, left = TRIES;
	guest(false)
}

/* The end of the world: one step. */
active proctype finish()
{
	d_step { done == 2 + GUESTS -> assert(!(e & TDEL)) };
end:	false
}
