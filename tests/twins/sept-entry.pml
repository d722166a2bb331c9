/* SPDX-License-Identifier: MIT */
/*
 * Twin of sept-entry.yaml. Lane 0 is a guest that commits, lane 1 a host that tries until granted, lane 2
 * a guest that tries twice. One d_step is one atomic operation. Of the entry there are the lock bit and
 * host priority only; old and old2 are what the lane has read in the operation that it is in, copy what
 * a holder read after it locked the entry.
 */
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
	byte old = 0, old2 = 0, copy = 0, left = 1;
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY -> old = SEEN(e); e = e | TDEL;
		if :: old & TDEL -> pc = ASK :: else -> pc = UNSET fi }
	:: d_step { pc == ASK -> e = e | HP; old = 0; pc = PAUSE }
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
	byte old = 0, old2 = 0, copy = 0, left = 1;
	guest(true)
}

active proctype guest_that_tries_twice()
{
	mtype pc = START;
	byte old = 0, old2 = 0, copy = 0, left = 2;
	guest(false)
}

/* The end of the world: one step. */
active proctype finish()
{
	d_step { done == 3 -> assert(!(e & TDEL)) };
end:	false
}
