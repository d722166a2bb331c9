/* SPDX-License-Identifier: MIT */
/*
 * F1 of a sharex with host priority, as published: a guest that backs off after an exclusive release has
 * wiped all readers takes away a reader that is not there. Each lane has TRIES turns: one host wants it
 * exclusively, SHARERS hosts and GUESTS guests share. One d_step is one atomic operation.
 */
#ifndef SHARERS
#define SHARERS 2
#endif
#ifndef GUESTS
#define GUESTS 1
#endif
#ifndef TRIES
#define TRIES 1
#endif
#define EX   1
#define HP   2
#define ONE  4
#define FULL 65532

int w = 0;
byte done = 0, ex = 0, shared = 0;

mtype = { START, TRY, AGAIN, ASK, UNSET, BACK_OFF, DROP_SH, LOOK, DROP, DONE };

inline leave()
{
	old = 0; left--;
	if :: left == 0 -> pc = DONE; done++ :: else -> pc = TRY fi
}

inline share()
{
	assert((old & FULL) != FULL);
	shared++; assert(ex == 0); old = 0; pc = DROP_SH
}

inline release_share()
{
	assert(!(w & EX) && w >= ONE); w = w - ONE; shared--; leave()
}

active proctype host()
{
	mtype pc = START;
	int old = 0;
	byte left = TRIES;
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY ->
		if
		:: w == 0 -> w = EX; ex++; assert(ex == 1 && shared == 0); pc = LOOK
		:: w == HP -> old = w; pc = AGAIN
		:: else -> old = w; pc = ASK
		fi }
	:: d_step { pc == AGAIN ->
		if
		:: w == HP -> w = EX; ex++; assert(ex == 1 && shared == 0); old = 0; pc = LOOK
		:: else -> leave()
		fi }
	:: d_step { pc == ASK -> w = w | HP; leave() }
	:: d_step { pc == LOOK -> assert(w & EX); old = w; pc = DROP }
	:: d_step { pc == DROP -> w = w & HP; ex--; leave() }
	od
}

active [SHARERS] proctype sharer()
{
	mtype pc = START;
	int old = 0;
	byte left = TRIES;
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY -> old = w; w = (w + ONE) & 65535;
		if
		:: old & EX -> pc = ASK
		:: !(old & EX) && (old & HP) -> pc = UNSET
		:: else -> share()
		fi }
	:: d_step { pc == ASK -> w = w | HP; leave() }
	:: d_step { pc == UNSET -> w = w & ~HP; share() }
	:: d_step { pc == DROP_SH -> release_share() }
	od
}

active [GUESTS] proctype guest()
{
	mtype pc = START;
	int old = 0;
	byte left = TRIES;
end:	do
	:: d_step { pc == START -> pc = TRY }
	:: d_step { pc == TRY -> old = w; w = (w + ONE) & 65535;
		if
		:: old & HP -> pc = BACK_OFF
		:: !(old & HP) && (old & EX) -> leave()
		:: else -> share()
		fi }
	:: d_step { pc == BACK_OFF -> w = (w - ONE) & 65535; leave() }
	:: d_step { pc == DROP_SH -> release_share() }
	od
}

/* The end of the world: one step. */
active proctype finish()
{
	d_step { done == 1 + SHARERS + GUESTS -> assert(w == 0 || w == HP) };
end:	false
}
