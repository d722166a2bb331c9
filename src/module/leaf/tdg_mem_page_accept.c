// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/guest_entry.h"
#include "module/leaf/leaf.h"
#include "module/td_exit.h"

#define CHUNKS SL_ENTRIES

static void zero_page(struct sl_machine *m, struct hpa page)
{
	if (m->cfg.contents)
		memset(mem_frame(m, page), 0, SL_PAGE_SIZE);
}

/* By value: an entry_ref that somebody else sees has to be in memory. */
SL_COLD static __attribute__((noinline)) u64 exit_to_host(struct call *c, struct gpa gpa, u32 level,
							  u64 entry, u32 level_stopped)
{
	u32 public_state = sept_state_public(sept_state(entry));

	td_exit_ept_violation(c->lp, gpa.v, EPT_QUAL_WRITE,
			      eeq_info(TDX_EEQ_ACCEPT, level, level_stopped, public_state,
				       sept_is_leaf(entry)));
	c->exits = true;
	return 0;
}

/* Somebody is waiting: an interrupt, or (hardened) a host that wants the entry. */
static bool must_let_go(struct call *c, const struct entry_ref *e)
{
	if (lp_interrupt_pending(c->lp))
		return true;
	return c->hardened && (atomic_load_explicit(e->entry, memory_order_relaxed) & SEPT_HP);
}

/*
 * Zeroes a 2 MB page chunk by chunk, from the counter in the entry on. Returns false when it had to
 * let go before the end; *value then carries the counter.
 */
static bool accept_2m(struct call *c, const struct entry_ref *e, u64 *value)
{
	u32 chunk = (u32)((e->copy & SEPT_ACCEPT_MASK) >> SEPT_ACCEPT_SHIFT);
	u64 base = e->copy & ~SEPT_ACCEPT_MASK;

	for (;;) {
		zero_page(c->m, (struct hpa){ sept_leaf_hpa(base, 1).v + chunk * SL_PAGE_SIZE });
		if (++chunk == CHUNKS) {
			*value = base;
			return true;
		}
		if (must_let_go(c, e)) {
			*value = base | (u64)chunk << SEPT_ACCEPT_SHIFT;
			return false;
		}
	}
}

/* The entry is PENDING and locked: make it MAPPED, or part of the way. */
static u64 accept_locked(struct call *c, struct entry_ref *e)
{
	enum sept_state to = e->state == SEPT_PENDING ? SEPT_MAPPED : SEPT_EXPORTED_DIRTY;
	u64 value = e->copy;
	bool done = true;

	if (e->level == 1)
		done = accept_2m(c, e, &value);
	else
		zero_page(c->m, sept_hpa(value));
	if (done) {
		value = sept_with_state(value, to);
		call_committed(c, .kind = COMMIT_ACCEPT, .tdr = c->lp->tdr_hpa,
			       .page = sept_leaf_hpa(value, e->level), .level = e->level,
			       .gpa = e->gpa);
	}
	/* Stored with the lock bit, then released: two steps, as in the module. */
	entry_commit(c, e, value, true);
	entry_unlock(c, e);
	c->restart = !done;
	if (done)
		sl_count_add(c->lp->env, SL_CTR_pages_accepted, SL_LEVEL_PAGES(e->level));
	return 0;
}

/*
 * tdg_mem_page_accept - accept a PENDING page
 *
 * Side:   guest
 * Locks:  the entry at the requested level, after a lock-free walk
 * Checks: operands, walk, lock, entry state
 * Commit: the entry: MAPPED; for 2 MB a progress counter when it lets go in between
 * Status: SUCCESS, BUSY, PAGE_ALREADY_ACCEPTED, PAGE_SIZE_MISMATCH (both with the level),
 *         OPERAND_INVALID; an EPT-violation TD exit for a page that the host has to map
 */
SL_FLATTEN u64 tdg_mem_page_accept(struct call *c)
{
	struct entry_ref e = { 0 };
	struct sept_walk w;
	u32 flags;
	bool leaf;
	u64 st;

	st = page_info_decode(c->args->rcx, 0, 1, &e);
	if (!st && !sept_gpa_is_private(c->lp->tdcs, e.gpa))
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	if (st)
		return st;
	w = sept_walk(c->m, c->lp->tdcs, e.gpa, e.level);
	if (w.halt)
		return module_halt(c->lp, "TDG.MEM.PAGE.ACCEPT", "misconfigured S-EPT entry");
	if (!w.reached) {
		if (sept_state_flags(sept_state(w.copy)) & SEPT_GUEST_LEAF)
			return with_op(TDX_PAGE_ALREADY_ACCEPTED, w.level);
		return exit_to_host(c, e.gpa, e.level, w.copy, w.level);
	}
	e.entry = w.entry;
	leaf = sept_is_leaf(w.copy);
	env_settle(c->lp->env, MODULE_SETTLED_WALK, leaf, (u64)(uintptr_t)e.entry);
	st = entry_lock_guest(c, &e);
	if (st)
		return st;
	/* Published: what the entry was before the lock decides whether it counts as a leaf. */
	if (c->hardened)
		leaf = sept_is_leaf(e.copy);
	env_settle(c->lp->env, MODULE_SETTLED_ENTRY, e.copy, (u64)(uintptr_t)e.entry | leaf);
	flags = sept_state_flags(e.state);
	if (e.state == SEPT_FREE) {
		entry_unlock(c, &e);
		return exit_to_host(c, e.gpa, e.level, e.copy, e.level);
	}
	if (!leaf) {
		st = with_op(TDX_PAGE_SIZE_MISMATCH, e.level);
	} else if (flags & SEPT_GUEST_LEAF) {
		st = with_op(TDX_PAGE_ALREADY_ACCEPTED, e.level);
	} else if (flags & SEPT_GUEST_PENDING) {
		return accept_locked(c, &e);
	} else {
		entry_unlock(c, &e);
		return exit_to_host(c, e.gpa, e.level, e.copy, e.level);
	}
	entry_unlock(c, &e);
	return st;
}
