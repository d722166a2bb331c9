/* SPDX-License-Identifier: MIT */
/* What live.c says, for spin -a and pan -a -f. One d_step is one atomic operation. */
#ifndef GUESTS
#define GUESTS 2
#endif
#define EX     1
#define HP     2
#define CLOSED 4
#define READER 8

short w = 0;
byte done = 0;

mtype = { START, LOAD, SWAP, ASK, HELD, DONE };

active proctype host()
{
	mtype pc = START;
	short old = 0;
end:	do
	:: d_step { pc == START -> pc = LOAD }
	:: d_step { pc == LOAD -> if :: w == 0 || w == HP -> old = w; pc = SWAP :: else -> pc = ASK fi }
	:: d_step { pc == SWAP ->
		if
		:: w == old -> w = EX; pc = HELD
#ifdef NO_REQUEST
		:: else -> pc = LOAD
#else
		:: else -> pc = ASK
#endif
		fi;
		old = 0 }
	:: d_step { pc == ASK -> w = w | HP; pc = LOAD }
	:: d_step { pc == HELD -> assert(w & EX); w = CLOSED; pc = DONE; done++ }
	od
}

/* Variables stand outside of an inline: their initialisation in it would be a step. */
inline guest(exclusive)
{
end:	do
	:: d_step { pc == START -> pc = LOAD }
	:: d_step { pc == LOAD ->
		if
		:: w & CLOSED -> pc = DONE; done++
		:: else -> if :: (w & (EX | HP)) || (exclusive && w) :: else -> old = w; pc = SWAP fi
		fi }
	:: d_step { pc == SWAP ->
		if
		:: w == old -> if :: exclusive -> w = EX :: else -> w = w + READER fi; pc = HELD
		:: else -> pc = LOAD
		fi;
		old = 0 }
	:: d_step { pc == HELD -> if :: exclusive -> w = w & HP :: else -> w = w - READER fi; pc = LOAD }
	od
}

active proctype guest_exclusive()
{
	mtype pc = START;
	short old = 0;
	guest(true)
}

active [GUESTS - 1] proctype guest_shared()
{
	mtype pc = START;
	short old = 0;
	guest(false)
}

#ifdef LIVENESS
ltl all_finish { <> (done == GUESTS + 1) }
#else
/* The end of the world: one step. */
active proctype finish()
{
	d_step { done == GUESTS + 1 -> assert(w == CLOSED) };
end:	false
}
#endif
