// SPDX-License-Identifier: MIT
/* The invariants of a bare lock word. Layer: oracle. */
#include "oracle/word.h"

#include "oracle/table.h"

/* Relaxed throughout: the ghost orders nothing, and each counter is judged by itself. */

static u32 count(const _Atomic u32 *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

void oracle_word_enter(const struct word_oracle *o, struct sl_env *env, bool exclusive)
{
	struct word_ghost *g = o->ghost;
	u32 exclusives, shares;

	if (exclusive) {
		exclusives = atomic_fetch_add_explicit(&g->exclusive, 1, memory_order_relaxed);
		shares = count(&g->shared);
	} else {
		shares = atomic_fetch_add_explicit(&g->shared, 1, memory_order_relaxed);
		exclusives = count(&g->exclusive);
	}
	if (exclusives || (exclusive && shares))
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_01),
			    "granted %s while %u hold it exclusively and %u share it",
			    exclusive ? "exclusively" : "shared", exclusives, shares);
}

void oracle_word_leave(const struct word_oracle *o, bool exclusive)
{
	struct word_ghost *g = o->ghost;

	atomic_fetch_sub_explicit(exclusive ? &g->exclusive : &g->shared, 1, memory_order_relaxed);
}

/* Was the hold that has just been granted already in the word when the last operation ended? */
static bool was_in(const struct word_layout *l, bool exclusive, u64 before, u64 after)
{
	if (before & l->exclusive)
		return true;
	return !exclusive && (before & l->readers) >= (after & l->readers);
}

static void check_kept(const struct word_oracle *o, struct sl_env *env, enum word_end how,
		       bool exclusive, u64 word)
{
	u64 before = atomic_exchange_explicit(&o->ghost->last, word, memory_order_relaxed);

	if (how == WORD_REFUSED_HOST && !(word & o->layout.hp))
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_04),
			    "a host was refused and left no host priority (word 0x%llx)",
			    (unsigned long long)word);
	if (!(before & o->layout.hp) || (word & o->layout.hp))
		return;
	if (how != WORD_GRANTED_HOST)
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_04),
			    "host priority was lost without a host's success (word 0x%llx, then "
			    "0x%llx)",
			    (unsigned long long)before, (unsigned long long)word);
	else if (was_in(&o->layout, exclusive, before, word))
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_04),
			    "a host cleared a request that was made after it took the word (word "
			    "0x%llx, then 0x%llx)",
			    (unsigned long long)before, (unsigned long long)word);
}

static void check_held(const struct word_oracle *o, struct sl_env *env, u32 caller,
		       enum word_end how, u64 word)
{
	u32 all = how == WORD_GRANTED_HOST ? ~0u : 1u << caller;
	u32 held = atomic_fetch_and_explicit(&o->ghost->hold, ~all, memory_order_relaxed);

	if (how == WORD_GRANTED_GUEST && (held >> caller & 1))
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_05),
			    "a guest took the word for which a host has been waiting since before "
			    "the guest asked (word 0x%llx)",
			    (unsigned long long)word);
}

void oracle_word_asks(const struct word_oracle *o, u32 caller, u64 word)
{
	if (o->hp_kept && (word & o->layout.hp))
		atomic_fetch_or_explicit(&o->ghost->hold, 1u << caller, memory_order_relaxed);
}

static bool is_free(const struct word_oracle *o, u64 word)
{
	return !(word & (o->layout.exclusive | o->layout.readers));
}

void oracle_word_ended(const struct word_oracle *o, struct sl_env *env, u32 caller,
		       enum word_end how, bool exclusive, u64 word)
{
	if (o->hp_kept) {
		check_kept(o, env, how, exclusive, word);
		check_held(o, env, caller, how, word);
	}
	if (o->no_stale_hp && how == WORD_REFUSED_HOST && is_free(o, word) && (word & o->layout.hp))
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_03),
			    "a refused host left host priority on a free word");
}

void oracle_word_at_rest(const struct word_oracle *o, struct sl_env *env, u64 word)
{
	if (!is_free(o, word))
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_02),
			    "the word is 0x%llx when every lane is done", (unsigned long long)word);
	else if (o->no_stale_hp && (word & o->layout.hp))
		env_violate(env, SL_VIOLATION_ORACLE, oracle_name(INV_WORD_03),
			    "host priority stands on a free word when every lane is done");
}
