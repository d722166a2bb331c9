/* SPDX-License-Identifier: MIT */
/*
 * One SEAMCALL or TDCALL in flight, and the building blocks of which leaves are made: taking and
 * releasing locks under the leaf's plan, operand checks, TD state checks, commits to S-EPT entries.
 *
 * Every *_lock function returns 0 or the status that the leaf returns; nothing is held on failure.
 * Layer: module, private.
 */
#ifndef SL_MODULE_CALL_H
#define SL_MODULE_CALL_H

#include "module/machine.h"
#include "module/plan.h"
#include "module/sept.h"

/* Labels of env_checkpoint() and env_settle() in the module. */
enum module_checkpoint {
	MODULE_CHECKPOINT_EXIT = 0x4D01, /* a = TDVPR */
	MODULE_SETTLED_SEAMCALL,         /* a = status, b = what the registers hold */
	MODULE_SETTLED_TDCALL,           /* the same */
	MODULE_SETTLED_AGAIN,     /* a TDCALL starts anew, with the registers that it came with */
	MODULE_SETTLED_WALK,      /* as ENTRY, not locked yet: what matters of it */
	MODULE_SETTLED_ENTRY,     /* a = S-EPT entry, locked, b = where it is */
	MODULE_SETTLED_TRACKED,   /* the same, tracked, or no need of that */
	MODULE_SETTLED_VIOLATION, /* a = GPA that the guest cannot access, b = was it to be written */
};

struct call {
	struct sl_lp *lp;
	struct sl_machine *m;
	struct tdx_module_args *args;
	const struct leaf_row *leaf;
	u32 version;
	bool hardened;                /* the machine's flavour */
	const struct lock_step *plan; /* next step that may be taken; never NULL */
	u32 held;                     /* lock words held now; 0 when the leaf returns */
	/*
	 * TDCALL: nothing happened as far as the guest can tell. A leaf that says so has not written to
	 * args: the dispatcher keeps no copy.
	 */
	bool restart;
	bool exits; /* TDCALL: a TD exit is pending */
	bool ve;    /* TDCALL: #VE was injected instead */
};

/* Status with an operand id. */
static inline u64 with_op(u64 status, u32 operand)
{
	return status + operand;
}

/* ---- Locks ----------------------------------------------------------------------------- */

/*
 * The lock of @step is taken; for a page: the PAMT entry at @level, on the way to it. Returns the
 * step's status.
 */
SL_COLD u64 call_refused(const struct call *c, const struct lock_step *step, u32 level);

/* The same for a guest, whom a waiting host may be the reason of @r. */
SL_COLD u64 call_refused_guest(const struct call *c, const struct lock_step *step,
			       enum hp_result r);

/* The step of @object in the rest of the plan, which must have one, of just this path and mode. */
SL_COLD const struct lock_step *call_plan_skip(const struct call *c, enum lock_object object,
					       enum lock_mode mode, enum lock_path path);

/* Takes the step of @object in the plan; a lock that the plan does not allow here is a bug. */
SL_INLINE const struct lock_step *call_plan_step(struct call *c, enum lock_object object,
						 enum lock_mode mode, enum lock_path path)
{
	const struct lock_step *s = c->plan;

	/* Steps that this call goes without come in between, rarely. */
	if (sl_unlikely(s->what != LOCK_WHAT(object, path, mode)))
		s = call_plan_skip(c, object, mode, path);
	c->plan = s + 1;
	return s;
}

/* The mode in which the rest of the plan takes @object, which it must list. */
enum lock_mode call_plan_mode(const struct call *c, enum lock_object object);

/* Does the rest of the plan list @object? */
bool call_plan_lists(const struct call *c, enum lock_object object);

/*
 * The words themselves, as the machine's flavour takes them: what every lock of every call comes to,
 * hence inline. Under a step of the plan that the caller has taken.
 */
SL_INLINE enum hp_result take_hp(struct call *c, sharex_hp_t *l, enum hp_side side,
				 enum lock_mode mode)
{
	enum hp_result r;

	if (c->hardened)
		r = mode == LOCK_EX ? sharex_hp_try_exclusive(l, side)
				    : sharex_hp_try_shared(l, side);
	else
		r = mode == LOCK_EX ? sharex_hp_try_exclusive_published(l, side)
				    : sharex_hp_try_shared_published(l, side);
	c->held += r == HP_OK;
	return r;
}

SL_INLINE void drop_hp(struct call *c, sharex_hp_t *l, enum lock_mode mode)
{
	c->held--;
	if (c->hardened) {
		if (mode == LOCK_EX)
			sharex_hp_release_exclusive(l);
		else
			sharex_hp_release_shared(l);
	} else if (mode == LOCK_EX) {
		sharex_hp_release_exclusive_published(l);
	} else {
		sharex_hp_release_shared_published(l);
	}
}

SL_INLINE enum hp_result take_sharex(struct call *c, sharex_t *l, enum lock_mode mode)
{
	enum hp_result r;

	if (c->hardened)
		r = mode == LOCK_EX ? sharex_try_exclusive(l) : sharex_try_shared(l);
	else
		r = mode == LOCK_EX ? sharex_try_exclusive_published(l)
				    : sharex_try_shared_published(l);
	c->held += r == HP_OK;
	return r;
}

SL_INLINE void drop_sharex(struct call *c, sharex_t *l, enum lock_mode mode)
{
	c->held--;
	if (c->hardened) {
		if (mode == LOCK_EX)
			sharex_release_exclusive(l);
		else
			sharex_release_shared(l);
	} else if (mode == LOCK_EX) {
		sharex_release_exclusive_published(l);
	} else {
		sharex_release_shared_published(l);
	}
}

SL_INLINE enum hp_result take_entry(struct call *c, _Atomic u64 *entry, enum hp_side side)
{
	enum hp_result r = c->hardened ? sept_entry_try_lock(entry, side)
				       : sept_entry_try_lock_published(entry, side);

	c->held += r == HP_OK;
	return r;
}

SL_INLINE void drop_entry(struct call *c, _Atomic u64 *entry)
{
	c->held--;
	if (c->hardened) {
		sept_entry_unlock(entry);
		return;
	}
	/* The look at the bit that the holder has set and nobody else takes away. */
	env_commutes(c->lp->env, entry);
	sept_entry_unlock_published(entry);
}

/* A PAMT entry held in some mode, together with its parents when they were walked. */
struct page_lock {
	struct hpa page;
	struct pamt_entry *entry;
	struct pamt_entry *parent[2]; /* 2 MB, 1 GB; NULL if not taken */
	u8 level;
	u8 mode;
};

#define LEVEL_ANY 3

/*
 * Explicit page (spec: "Hierarchical walk"): checks the address, walks, checks size and type.
 * @level LEVEL_ANY takes whatever leaf is there (then @type is not checked).
 */
u64 page_lock_explicit(struct call *c, enum lock_object object, u64 hpa, enum lock_mode mode,
		       u32 level, enum pamt_type type, struct page_lock *out) SL_WARN_UNUSED;
/* Format and coverage of the address of a private page at @level. OPERAND_INVALID, ADDR_RANGE_ERROR. */
u64 private_page_check(const struct sl_machine *m, u64 hpa, u32 level, u32 operand) SL_WARN_UNUSED;
/*
 * The walk alone, under @step, to an address that has been checked: takes the leaf, of whatever type, at
 * @level or where the walk ends above it.
 */
u64 page_walk(struct call *c, const struct lock_step *step, struct hpa page, enum lock_mode mode,
	      u32 level, struct page_lock *out) SL_WARN_UNUSED;
/* One PAMT entry only, whatever its type. */
u64 page_lock_leaf(struct call *c, enum lock_object object, struct hpa page, enum lock_mode mode,
		   u32 level, struct page_lock *out) SL_WARN_UNUSED;
/*
 * The PAMT entry of a page that is in use, without a lock (spec: "Implicit access"). NULL after a
 * halt: a type that no page in use has.
 */
struct pamt_entry *pamt_get(struct call *c, struct hpa page, u32 level) SL_WARN_UNUSED;
/* Implicit page: pamt_get(), then page_lock_leaf(). */
u64 page_lock_implicit(struct call *c, enum lock_object object, struct hpa page,
		       enum lock_mode mode, u32 level, struct page_lock *out) SL_WARN_UNUSED;

static inline void page_unlock(struct call *c, struct page_lock *l)
{
	/* As in drop_entry(); no guest takes these words. */
	if (!c->hardened && l->mode == LOCK_EX)
		env_commutes(c->lp->env, &l->entry->lock.word);
	drop_hp(c, &l->entry->lock, (enum lock_mode)l->mode);
	if (l->parent[0])
		drop_hp(c, &l->parent[0]->lock, LOCK_SH);
	if (l->parent[1])
		drop_hp(c, &l->parent[1]->lock, LOCK_SH);
	l->entry = NULL;
}

static inline SL_WARN_UNUSED u64 sharex_lock(struct call *c, enum lock_object object, sharex_t *l,
					     enum lock_mode mode)
{
	const struct lock_step *step = call_plan_step(c, object, mode, LOCK_WORD);

	return take_sharex(c, l, mode) == HP_OK ? 0 : call_refused(c, step, 0);
}

static inline void sharex_unlock(struct call *c, sharex_t *l, enum lock_mode mode)
{
	drop_sharex(c, l, mode);
}

u64 mutex_lock(struct call *c, enum lock_object object, hp_mutex_t *l) SL_WARN_UNUSED;
void mutex_unlock(struct call *c, hp_mutex_t *l);

/* ---- TD state -------------------------------------------------------------------------- */

struct td_ref {
	struct page_lock lock;
	struct tdr *tdr;
	struct tdcs *tdcs; /* set by td_state_check() */
	bool op_state_held;
};

/* Explicit TDR; @hpa is the register's value. */
u64 tdr_lock(struct call *c, u64 hpa, enum lock_mode mode, struct td_ref *td) SL_WARN_UNUSED;
/* The TDR that owns an already locked page, in the mode that the plan says. */
u64 tdr_lock_implicit(struct call *c, const struct page_lock *page,
		      struct td_ref *td) SL_WARN_UNUSED;
/*
 * Fatal, lifecycle, TDCS pages, OP_STATE lock (if @lock), leaf allowed in OP_STATE. Sets td->tdcs.
 */
u64 td_state_check(struct call *c, struct td_ref *td, bool lock) SL_WARN_UNUSED;

static inline void op_state_unlock(struct call *c, struct td_ref *td)
{
	if (!td->op_state_held)
		return;
	drop_hp(c, &td->tdcs->op_state_lock, LOCK_SH);
	td->op_state_held = false;
}

/* Does this leaf accept the TD's OP_STATE? The refusals carry the state where the release has it so. */
bool op_state_allowed(const struct call *c, const struct tdcs *tdcs);
u64 op_state_incorrect(const struct call *c, const struct tdcs *tdcs);
u64 vcpu_state_incorrect(const struct call *c, u32 state);
/* Releases OP_STATE, if held, and the TDR. */
static inline void tdr_unlock(struct call *c, struct td_ref *td)
{
	op_state_unlock(c, td);
	page_unlock(c, &td->lock);
}

/*
 * What the leaves that change a vCPU begin with: TDVPR exclusive, TDR (implicit) in the mode that the plan
 * says. Of the TD's state nothing is asked. Returns 0 with both held, or a status with nothing held.
 */
u64 tdvpr_lock_exclusive(struct call *c, u64 hpa, struct page_lock *tdvpr,
			 struct td_ref *td) SL_WARN_UNUSED;
/*
 * And those that use one: TDVPR shared, TDR likewise, TD state with OP_STATE shared. Returns 0 with all of
 * it held, or a status with nothing held.
 */
u64 tdvpr_lock(struct call *c, u64 hpa, struct page_lock *tdvpr, struct td_ref *td) SL_WARN_UNUSED;
/* Releases in the module's order: OP_STATE if held, TDR, TDVPR. */
void tdvpr_unlock(struct call *c, struct page_lock *tdvpr, struct td_ref *td);

/* ---- S-EPT ------------------------------------------------------------------------------ */

struct entry_ref {
	struct gpa gpa;
	u32 level;
	_Atomic u64 *entry;
	u64 copy; /* as read after the lock was taken */
	enum sept_state state;
	enum lock_mode tree_mode;
	bool tree_held;
	bool locked;
};

/* Nothing is held yet. The rest is filled in on the way. */
static inline void entry_begin(struct entry_ref *e)
{
	e->tree_held = false;
	e->locked = false;
}

/* Extended error information in RCX and RDX. */
void ext_info(struct call *c, u64 entry, u32 level);

/* The S-EPT tree lock, of whichever kind the release has. */
static inline SL_WARN_UNUSED u64 tree_word_lock(struct call *c, struct tdcs *tdcs,
						enum lock_mode mode)
{
	const struct lock_step *step = call_plan_step(c, LOCK_TREE, mode, LOCK_WORD);
	enum hp_result r = c->m->tree_hp ? take_hp(c, &tdcs->tree_lock_hp, HP_HOST, mode)
					 : take_sharex(c, &tdcs->tree_lock, mode);

	return r == HP_OK ? 0 : call_refused(c, step, 0);
}

static inline void tree_word_unlock(struct call *c, struct tdcs *tdcs, enum lock_mode mode)
{
	if (c->m->tree_hp)
		drop_hp(c, &tdcs->tree_lock_hp, mode);
	else
		drop_sharex(c, &tdcs->tree_lock, mode);
}

/* Page info in RCX: level and GPA. OPERAND_INVALID|RCX if malformed. */
SL_INLINE SL_WARN_UNUSED u64 page_info_decode(u64 rcx, u32 level_min, u32 level_max,
					      struct entry_ref *e)
{
	e->level = (u32)(rcx & 7);
	e->gpa.v = rcx & GENMASK_ULL(51, 12);
	if ((rcx & (GENMASK_ULL(11, 3) | GENMASK_ULL(63, 52))) || e->level < level_min ||
	    e->level > level_max || !sl_is_aligned(e->gpa.v, SL_LEVEL_SIZE(e->level)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return 0;
}

/* The same for an entry that will be walked to. */
u64 tree_lock(struct call *c, struct td_ref *td, enum lock_mode mode,
	      struct entry_ref *e) SL_WARN_UNUSED;
/* Makes the share of the tree exclusive, or leaves it as it is. Hardened flows only. */
u64 tree_promote(struct call *c, struct td_ref *td, struct entry_ref *e) SL_WARN_UNUSED;
/* GPA validity, tree lock, walk. Fills extended error information when the walk falls short. */
u64 tree_lock_walk(struct call *c, struct td_ref *td, enum lock_mode mode,
		   struct entry_ref *e) SL_WARN_UNUSED;
/* Entry lock, host side; extended information when it is busy. */
u64 entry_lock_host(struct call *c, struct entry_ref *e) SL_WARN_UNUSED;

/* Does the leaf accept the entry's state? Extended information if not. */
static inline SL_WARN_UNUSED u64 entry_check_state(struct call *c, const struct entry_ref *e)
{
	if (sl_likely(c->leaf->entry_states >> e->state & 1))
		return 0;
	ext_info(c, e->copy, e->level);
	return with_op(TDX_EPT_ENTRY_STATE_INCORRECT, TDX_OPERAND_ID_RCX);
}

static inline void entry_unlock(struct call *c, struct entry_ref *e)
{
	if (!e->locked)
		return;
	drop_entry(c, e->entry);
	e->locked = false;
}

static inline void tree_unlock(struct call *c, struct td_ref *td, struct entry_ref *e)
{
	if (!e->tree_held)
		return;
	tree_word_unlock(c, td->tdcs, e->tree_mode);
	e->tree_held = false;
}

/*
 * Stores @value. The HP bit is @value's in the published flavour of a release whose commits are plain
 * stores, else what it is in memory.
 */
static inline void entry_commit(struct call *c, struct entry_ref *e, u64 value, bool keep_locked)
{
	SL_BUG_ON(!e->locked);
	if (c->hardened)
		sept_entry_commit(e->entry, value, keep_locked);
	else if (changed(c->m, CHANGE_COMMIT_KEEPS_HP))
		sept_entry_commit_keeping_published(e->entry, value, keep_locked);
	else
		sept_entry_commit_published(e->entry, value, keep_locked);
	if (!keep_locked) {
		e->locked = false;
		c->held--;
	}
}
/* Mask over enum sept_state that this SEAMCALL leaf accepts. */
u32 sept_allowed(u32 leaf);
bool op_state_tracks(u32 op_state);

/* BLOCKED and TLB tracking, demanded where both states require tracking. */
u64 tracking_check(struct call *c, const struct td_ref *td, const struct entry_ref *e,
		   u32 untracked_operand) SL_WARN_UNUSED;
/* PAMT entry that carries the BEPOCH of what @copy maps or links at @level. */
struct pamt_entry *entry_pamt(struct sl_machine *m, u64 copy, u32 level);

/* Everything that a S-EPT leaf holds once its prologue has succeeded. */
struct mem_call {
	struct td_ref td;
	struct entry_ref e;
};

#define LEVEL_TOP 0xFF /* as level_max: the level of the TD's root entries */

/*
 * TDR shared, TD state with OP_STATE shared, page info, tree in @tree_mode, walk, entry lock, entry
 * state. Returns 0 with all of it held, or a status with nothing held.
 */
u64 mem_begin(struct call *c, u64 rcx, u64 tdr, u32 level_min, u32 level_max,
	      enum lock_mode tree_mode, struct mem_call *mc) SL_WARN_UNUSED;
/* Releases in the module's order: entry, tree, OP_STATE, TDR; what is already gone is skipped. */
void mem_end(struct call *c, struct mem_call *mc);

/* ---- Oracles --------------------------------------------------------------------------- */

/* Tells the oracles of a commit, under the locks that it is made under. */
#define call_committed(c, ...)                                                          \
	do {                                                                            \
		const struct sl_module_hooks *hooks_ = (c)->m->hooks;                   \
                                                                                        \
		if (sl_unlikely(hooks_ && hooks_->commit))                              \
			hooks_->commit((c)->lp, &(const struct commit){ __VA_ARGS__ }); \
	} while (0)

/* ---- Interrupts ------------------------------------------------------------------------ */

/*
 * Polled where a SEAMCALL lets itself be interrupted. Besides interrupts that somebody raised there
 * may be one at every poll, if the machine is configured so.
 */
static inline bool host_interrupt_pending(const struct call *c)
{
	return lp_interrupt_pending(c->lp) ||
	       (c->m->cfg.interrupts && env_choose(c->lp->env, SL_CHOICE_INTERRUPT, 2));
}

/*
 * Has a long leaf to give way? TDX_INTERRUPTED_RESTARTABLE for an interrupt; where the release looks at
 * it, TDX_INTERRUPTED_BUSY for a host that was refused the tree; else 0.
 */
u64 must_give_way(const struct call *c, const struct tdcs *tdcs) SL_WARN_UNUSED;

/* ---- Shared operand checks ------------------------------------------------------------- */

/* A page of shared memory of @align bytes alignment; NULL if the operand is not valid. */
void *shared_operand(struct sl_machine *m, u64 pa, u64 align);

#endif
