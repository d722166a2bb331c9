/* SPDX-License-Identifier: MIT */
/* Twin of sharex.yaml: two tries each to hold a plain sharex, exclusively by the writer. */
#define EX  1
#define ONE 2

short w = 0;
byte done = 0;

/* 0 start, 1 try, 2 held, 3 done; tries left */
active proctype writer()
{
	byte pc = 0, left = 2;
end:	do
	:: d_step { pc == 0 -> pc = 1 }
	:: d_step { pc == 1 ->
		if
		:: w == 0 -> w = EX; pc = 2
		:: else -> left--;
			if :: left == 0 -> pc = 3; done++ :: else fi
		fi }
	:: d_step { pc == 2 ->
		assert(w & EX); w = 0; left--;
		if :: left == 0 -> pc = 3; done++ :: else -> pc = 1 fi }
	od
}

active [2] proctype reader()
{
	byte pc = 0, left = 2;
	short old = 0;
end:	do
	:: d_step { pc == 0 -> pc = 1 }
	:: d_step { pc == 1 ->
		old = w; w = w + ONE;
		if
		:: !(old & EX) -> pc = 2
		:: else -> left--;
			if :: left == 0 -> pc = 3; done++ :: else fi
		fi;
		old = 0 }
	:: d_step { pc == 2 ->
		assert(!(w & EX) && w >= ONE); w = w - ONE; left--;
		if :: left == 0 -> pc = 3; done++ :: else -> pc = 1 fi }
	od
}

/* The end of the world: one step. */
active proctype finish()
{
	d_step { done == 3 -> assert(w == 0) };
end:	false
}
