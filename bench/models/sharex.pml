/* SPDX-License-Identifier: MIT */
/* Plain sharex: TRIES tries each to hold it, exclusively by the writer, shared by READERS others. */
#ifndef READERS
#define READERS 2
#endif
#ifndef TRIES
#define TRIES 2
#endif
#define EX  1
#define ONE 2

short w = 0;
byte done = 0;

/* 0 start, 1 try, 2 held, 3 done; tries left */
inline next()
{
	left--;
	if :: left == 0 -> pc = 3; done++ :: else -> pc = 1 fi
}

active proctype writer()
{
	byte pc = 0, left = TRIES;
end:	do
	:: d_step { pc == 0 -> pc = 1 }
	:: d_step { pc == 1 -> if :: w == 0 -> w = EX; pc = 2 :: else -> next() fi }
	:: d_step { pc == 2 -> assert(w & EX); w = 0; next() }
	od
}

active [READERS] proctype reader()
{
	byte pc = 0, left = TRIES;
	short old = 0;
end:	do
	:: d_step { pc == 0 -> pc = 1 }
	:: d_step { pc == 1 -> old = w; w = w + ONE;
		if :: !(old & EX) -> pc = 2 :: else -> next() fi;
		old = 0 }
	:: d_step { pc == 2 -> assert(!(w & EX) && w >= ONE); w = w - ONE; next() }
	od
}

/* The end of the world: one step. */
active proctype finish()
{
	d_step { done == READERS + 1 -> assert(w == 0) };
end:	false
}
