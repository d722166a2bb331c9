/* SPDX-License-Identifier: MIT */
/*
 * What must never happen to a bare lock word: invariants over who was told that he holds it. They
 * look at counters of their own, a ghost that no lock operation reads. Layer: oracle.
 *
 * They are INV-WORD-01 to INV-WORD-05 of oracle.def. The last three are judged from one end of an
 * operation to the next, which says something only where nothing can come between an operation's last
 * step and the call here: under the explorer.
 */
#ifndef SL_ORACLE_WORD_H
#define SL_ORACLE_WORD_H

#include "base/env.h"
#include "base/types.h"

/* Which bits of the word mean what; 0 where the kind of lock has none. */
struct word_layout {
	u64 exclusive;
	u64 hp;
	u64 readers;
};

/* Any lane may change it at any time, hence atomic; a lane orders nothing by it. */
struct word_ghost {
	_Alignas(SL_CACHELINE) _Atomic u32 exclusive;
	_Atomic u32 shared;
	_Atomic u64 last; /* hp-kept: the word when an operation ended last */
	_Atomic u32 hold; /* hp-kept: bit N: caller N asks, and has to wait for a host */
	_Atomic u32 stop; /* not the oracle's: lanes of the threads engine have to end */
};

struct word_oracle {
	struct word_layout layout;
	struct word_ghost *ghost;
	bool no_stale_hp;
	bool hp_kept;
};

/* What kind of operation has ended, and how. */
enum word_end {
	WORD_GRANTED_HOST, /* it holds the word exclusively, or shares it, from now on */
	WORD_GRANTED_GUEST,
	WORD_REFUSED_HOST,
	WORD_REFUSED_GUEST,
	WORD_OTHER, /* release, commit */
};

/* The caller holds the word now, or no longer. */
void oracle_word_enter(const struct word_oracle *o, struct sl_env *env, bool exclusive);
void oracle_word_leave(const struct word_oracle *o, bool exclusive);
/* Caller @caller is about to ask for the word. */
void oracle_word_asks(const struct word_oracle *o, u32 caller, u64 word);
/* An operation of @caller has ended in this step; @word is what it left. */
void oracle_word_ended(const struct word_oracle *o, struct sl_env *env, u32 caller,
		       enum word_end how, bool exclusive, u64 word);
/* No lane runs. */
void oracle_word_at_rest(const struct word_oracle *o, struct sl_env *env, u64 word);

#endif
