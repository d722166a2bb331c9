/* SPDX-License-Identifier: MIT */
/*
 * sharex with host priority, as published. Each lane has TRIES turns: one shares and promotes, one host
 * wants it exclusively until granted, GUESTS guests want it exclusively, SHARERS hosts share. One d_step
 * is one atomic operation; old is what the lane has read in the operation that it is in.
 */
#ifndef GUESTS
#define GUESTS 1
#endif
#ifndef SHARERS
#define SHARERS 1
#endif
#ifndef TRIES
#define TRIES 2
#endif
#define EX  1
#define HP  2
#define ONE 4

short w = 0;
byte done = 0;

mtype = { START, TRY, AGAIN, ASK, UNSET, PAUSE, PROMOTE, PROMOTE2, PROMOTE_ASK, DROP_SH, LOOK, DROP, DONE };

inline leave()
{
	old = 0; left--;
	if :: left == 0 -> pc = DONE; done++ :: else -> pc = TRY fi
}

/* Variables stand outside of an inline: their initialisation in it would be a step. */
inline sharer(promotes)
{
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY -> old = w; w = w + ONE;
		if
		:: old & EX -> pc = ASK
		:: !(old & EX) && (old & HP) -> pc = UNSET
		:: else -> old = 0; if :: promotes -> pc = PROMOTE :: else -> pc = DROP_SH fi
		fi }
	:: d_step { pc == ASK -> w = w | HP; leave() }
	:: d_step { pc == UNSET -> w = w & ~HP; old = 0;
		if :: promotes -> pc = PROMOTE :: else -> pc = DROP_SH fi }
	:: d_step { pc == PROMOTE -> assert(!(w & EX) && w != 0);
		if
		:: w == ONE -> w = EX; pc = LOOK
		:: w == ONE + HP -> old = w; pc = PROMOTE2
		:: else -> old = w; pc = PROMOTE_ASK
		fi }
	:: d_step { pc == PROMOTE2 -> assert(!(w & EX) && w != 0); old = 0;
		if :: w == ONE + HP -> w = EX; pc = LOOK :: else -> pc = DROP_SH fi }
	:: d_step { pc == PROMOTE_ASK -> w = w | HP; old = 0; pc = DROP_SH }
	:: d_step { pc == DROP_SH -> assert(!(w & EX) && w >= ONE); w = w - ONE; leave() }
	:: d_step { pc == LOOK -> assert(w & EX); old = w; pc = DROP }
	:: d_step { pc == DROP -> w = w & HP; leave() }
	od
}

active proctype host()
{
	mtype pc = START;
	short old = 0;
	byte left = TRIES;
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY ->
		if
		:: w == 0 -> w = EX; pc = LOOK
		:: w == HP -> old = w; pc = AGAIN
		:: else -> old = w; pc = ASK
		fi }
	:: d_step { pc == AGAIN -> old = 0; if :: w == HP -> w = EX; pc = LOOK :: else -> pc = PAUSE fi }
	:: d_step { pc == ASK -> w = w | HP; old = 0; pc = PAUSE }
	:: d_step { pc == PAUSE -> pc = TRY }
	:: d_step { pc == LOOK -> assert(w & EX); old = w; pc = DROP }
	:: d_step { pc == DROP -> w = w & HP; leave() }
	od
}

active [GUESTS] proctype guest()
{
	mtype pc = START;
	short old = 0;
	byte left = TRIES;
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY -> if :: w == 0 -> w = EX; pc = LOOK :: else -> leave() fi }
	:: d_step { pc == LOOK -> assert(w & EX); old = w; pc = DROP }
	:: d_step { pc == DROP -> w = w & HP; leave() }
	od
}

active proctype sharer_that_promotes()
{
	mtype pc = START;
	short old = 0;
	byte left = TRIES;
	sharer(true)
}

active [SHARERS] proctype sharer_that_does_not()
{
	mtype pc = START;
	short old = 0;
	byte left = TRIES;
	sharer(false)
}

/* The end of the world: one step. */
active proctype finish()
{
	d_step { done == 2 + GUESTS + SHARERS -> assert(w == 0 || w == HP) };
end:	false
}
