// SPDX-License-Identifier: MIT
/*
 * The building blocks of the leaves: locks under the plan, TD state, S-EPT entries.
 * Layer: module.
 */
#include "module/call.h"

#include "module/track.h"

static enum hp_result promote_hp(const struct call *c, sharex_hp_t *l)
{
	return c->hardened ? sharex_hp_try_promote(l) : sharex_hp_try_promote_published(l);
}

static const struct lock_step *plan_find(const struct call *c, enum lock_object object)
{
	const struct lock_step *s = c->plan;

	while (s->object != LOCK_END && s->object != object)
		s++;
	return s;
}

const struct lock_step *call_plan_skip(const struct call *c, enum lock_object object,
				       enum lock_mode mode, enum lock_path path)
{
	const struct lock_step *s = plan_find(c, object);

	SL_BUG_ON(s->what != LOCK_WHAT(object, path, mode));
	return s;
}

static void note_refused(const struct call *c, u32 what, u64 status)
{
	env_note(c->lp->env, SL_NOTE_REFUSED, what, status);
}

u64 call_refused(const struct call *c, const struct lock_step *step, u32 level)
{
	bool large = level || step->object == LOCK_LARGE_PAGE;

	note_refused(c,
		     step->object | (large ? SL_REFUSED_LARGE : 0) |
			     (step->guest ? SL_REFUSED_GUEST : 0),
		     step->busy);
	return step->busy;
}

u64 call_refused_guest(const struct call *c, const struct lock_step *step, enum hp_result r)
{
	u64 st = call_refused(c, step, 0);

	return r == HP_BUSY ? st : with_op(TDX_OPERAND_BUSY_HOST_PRIORITY, step->operand);
}

enum lock_mode call_plan_mode(const struct call *c, enum lock_object object)
{
	const struct lock_step *s = plan_find(c, object);

	SL_BUG_ON(s->object != object);
	return (enum lock_mode)s->mode;
}

bool call_plan_lists(const struct call *c, enum lock_object object)
{
	return plan_find(c, object)->object == object;
}

/* ---- PAMT ----------------------------------------------------------------------------- */

/* Format and coverage of a private page address (spec: "Common operand formats"). */
u64 private_page_check(const struct sl_machine *m, u64 hpa, u32 level, u32 operand)
{
	u32 align = level == LEVEL_ANY ? 0 : level;

	if (!sl_is_aligned(hpa, SL_LEVEL_SIZE(align)) || hpa >> SL_HKID_SHIFT)
		return with_op(TDX_OPERAND_INVALID, operand);
	/*
	 * What is initialised is private. An address below the base is, from there, beyond everything.
	 * Pairs with the release store in tdh_sys_tdmr_init(): the block's PAMT is ready.
	 */
	if (hpa - SL_PRIVATE_BASE >=
	    (atomic_load_explicit(&m->mem.initialized, memory_order_acquire) &
	     ~(SL_LEVEL_SIZE(2) - 1)))
		return with_op(TDX_OPERAND_ADDR_RANGE_ERROR, operand);
	return 0;
}

/* Is a 1 GB or 2 MB entry the leaf of a walk? */
static bool walk_stops(const struct sl_machine *m, const struct pamt_entry *e, u32 level)
{
	if (level == 1 && m->dynamic_pamt)
		return pamt_type(e) != PAMT_PAMT;
	if (changed(m, CHANGE_WALK_STOPS_AT_ANY_TYPE))
		return pamt_type(e) != PAMT_NDA;
	return pamt_type(e) == PAMT_REG;
}

/* Leaf step of the walk at a level above 4 KB: shared is held, promote it if asked. */
static bool walk_ends_at(struct call *c, struct page_lock *l, struct pamt_entry *e, u32 level,
			 bool *busy)
{
	l->entry = e;
	l->level = (u8)level;
	*busy = l->mode == LOCK_EX && promote_hp(c, &e->lock) != HP_OK;
	return !*busy;
}

/*
 * The hierarchical walk. Returns false with nothing held when a lock was busy: that of the entry at
 * l->level.
 */
static bool pamt_walk(struct call *c, struct page_lock *l, u32 target)
{
	struct sl_machine *m = c->m;
	struct pamt_entry *e1g = mem_pamt(m, l->page, 2);
	struct pamt_entry *e2m = mem_pamt(m, l->page, 1);
	struct pamt_entry *e4k = mem_pamt(m, l->page, 0);
	enum lock_mode mode = (enum lock_mode)l->mode;
	bool busy;

	l->level = 2;
	if (take_hp(c, &e1g->lock, HP_HOST, LOCK_SH) != HP_OK)
		return false;
	if (walk_stops(m, e1g, 2) || target == 2) {
		if (walk_ends_at(c, l, e1g, 2, &busy))
			return true;
		goto drop_1g;
	}
	l->level = 1;
	if (take_hp(c, &e2m->lock, HP_HOST, LOCK_SH) != HP_OK)
		goto drop_1g;
	if (walk_stops(m, e2m, 1) || target == 1) {
		l->parent[1] = e1g;
		if (walk_ends_at(c, l, e2m, 1, &busy))
			return true;
		goto drop_2m;
	}
	l->level = 0;
	if (take_hp(c, &e4k->lock, HP_HOST, mode) != HP_OK)
		goto drop_2m;
	l->entry = e4k;
	l->parent[0] = e2m;
	l->parent[1] = e1g;
	return true;

drop_2m:
	drop_hp(c, &e2m->lock, LOCK_SH);
drop_1g:
	drop_hp(c, &e1g->lock, LOCK_SH);
	return false;
}

u64 page_walk(struct call *c, const struct lock_step *step, struct hpa page, enum lock_mode mode,
	      u32 level, struct page_lock *out)
{
	/* Filled where it stays: a copy of what has just been written piece by piece is slow. */
	out->page = page;
	out->mode = (u8)mode;
	out->parent[0] = NULL;
	out->parent[1] = NULL;
	return pamt_walk(c, out, level) ? 0 : call_refused(c, step, out->level);
}

/* 0 if the walk has found a page of this size and type. */
static u64 page_check(const struct call *c, const struct page_lock *l, u32 level,
		      enum pamt_type type, u32 operand)
{
	if (level == LEVEL_ANY)
		return 0;
	if (c->m->dynamic_pamt && level == 0 && l->level == 1 && pamt_type(l->entry) == PAMT_NDA)
		return with_op(TDX_MISSING_PAMT_PAGE_PAIR, operand);
	/* Who changes it has the entry exclusive, or the one of the range above, which is held too. */
	env_commutes(c->lp->env, &l->entry->type);
	if (l->level != level || pamt_type(l->entry) != type ||
	    (type == PAMT_NDA && level == 0 && mem_is_pamt_page(c->m, l->page)))
		return with_op(TDX_PAGE_METADATA_INCORRECT, operand);
	return 0;
}

SL_FLATTEN u64 page_lock_explicit(struct call *c, enum lock_object object, u64 hpa,
				  enum lock_mode mode, u32 level, enum pamt_type type,
				  struct page_lock *out)
{
	const struct lock_step *step = call_plan_step(c, object, mode, LOCK_WALK);
	u64 st = private_page_check(c->m, hpa, level, step->operand);

	if (!st)
		st = page_walk(c, step, (struct hpa){ hpa }, mode, level, out);
	if (st)
		return st;
	st = page_check(c, out, level, type, step->operand);
	if (st)
		page_unlock(c, out);
	return st;
}

struct pamt_entry *pamt_get(struct call *c, struct hpa page, u32 level)
{
	struct pamt_entry *e = mem_pamt(c->m, page, level);
	enum pamt_type type = pamt_type(e);

	/* Read without a lock, as in the module: a page that nobody owns cannot get here. */
	if (c->m->dynamic_pamt && level == 0 && pamt_type(mem_pamt(c->m, page, 1)) != PAMT_PAMT) {
		(void)!module_halt(c->lp, "implicit PAMT get", "page 0x%llx has no PAMT entry",
				   (unsigned long long)page.v);
		return NULL;
	}
	if (type != PAMT_NDA && type != PAMT_RSVD && type != PAMT_PAMT)
		return e;
	(void)!module_halt(c->lp, "implicit PAMT get", "page 0x%llx has type %u",
			   (unsigned long long)page.v, type);
	return NULL;
}

u64 page_lock_implicit(struct call *c, enum lock_object object, struct hpa page,
		       enum lock_mode mode, u32 level, struct page_lock *out)
{
	if (!pamt_get(c, page, level))
		return TDX_UNINITIALIZE_ERROR;
	return page_lock_leaf(c, object, page, mode, level, out);
}

u64 page_lock_leaf(struct call *c, enum lock_object object, struct hpa page, enum lock_mode mode,
		   u32 level, struct page_lock *out)
{
	const struct lock_step *step = call_plan_step(c, object, mode, LOCK_LEAF);
	struct pamt_entry *e = mem_pamt(c->m, page, level);

	if (take_hp(c, &e->lock, HP_HOST, mode) != HP_OK)
		return call_refused(c, step, level);
	out->page = page;
	out->entry = e;
	out->parent[0] = NULL;
	out->parent[1] = NULL;
	out->level = (u8)level;
	out->mode = (u8)mode;
	return 0;
}

/* ---- Words ---------------------------------------------------------------------------- */

u64 mutex_lock(struct call *c, enum lock_object object, hp_mutex_t *l)
{
	const struct lock_step *step = call_plan_step(c, object, LOCK_EX, LOCK_WORD);

	if (hp_mutex_try_lock(l) != HP_OK)
		return call_refused(c, step, 0);
	c->held++;
	return 0;
}

void mutex_unlock(struct call *c, hp_mutex_t *l)
{
	hp_mutex_unlock(l);
	c->held--;
}

/* ---- TD state ------------------------------------------------------------------------- */

SL_FLATTEN u64 tdr_lock(struct call *c, u64 hpa, enum lock_mode mode, struct td_ref *td)
{
	u64 st = page_lock_explicit(c, LOCK_TDR, hpa, mode, 0, PAMT_TDR, &td->lock);

	td->op_state_held = false;
	if (!st)
		td->tdr = mem_frame(c->m, td->lock.page);
	return st;
}

u64 tdr_lock_implicit(struct call *c, const struct page_lock *page, struct td_ref *td)
{
	u64 st = page_lock_implicit(c, LOCK_TDR, pamt_owner(page->entry),
				    call_plan_mode(c, LOCK_TDR), 0, &td->lock);

	td->op_state_held = false;
	if (!st)
		td->tdr = mem_frame(c->m, td->lock.page);
	return st;
}

bool op_state_allowed(const struct call *c, const struct tdcs *tdcs)
{
	return c->leaf->op_states >> tdcs->op_state & 1;
}

u64 op_state_incorrect(const struct call *c, const struct tdcs *tdcs)
{
	return with_op(TDX_OP_STATE_INCORRECT,
		       changed(c->m, CHANGE_STATUS_HAS_OP_STATE) ? tdcs->op_state : 0);
}

u64 vcpu_state_incorrect(const struct call *c, u32 state)
{
	return with_op(TDX_VCPU_STATE_INCORRECT,
		       changed(c->m, CHANGE_STATUS_HAS_VCPU_STATE) ? state : 0);
}

bool op_state_tracks(u32 op_state)
{
	switch (op_state) {
#define SL_OP_STATE(number, name, tracking) \
	case number:                        \
		return tracking;
#include "module/op_state.def"
#undef SL_OP_STATE
#define SL_NEW_OP_STATE(since, number, name, tracking) \
	case number:                                   \
		return tracking;
#include <seamlab/tdx_release.def>
#undef SL_NEW_OP_STATE
	default:
		return false;
	}
}

u64 td_state_check(struct call *c, struct td_ref *td, bool lock)
{
	const struct lock_step *step;
	struct tdcs *tdcs;
	enum hp_result r;

	if (atomic_load_explicit(&td->tdr->fatal, memory_order_relaxed))
		return TDX_TD_FATAL;
	if (td->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_TD_KEYS_NOT_CONFIGURED;
	if (td->tdr->num_tdcx < TDCX_MIN)
		return TDX_TDCS_NOT_ALLOCATED;
	tdcs = tdr_tdcs(c->m, td->tdr);
	td->tdcs = tdcs;
	if (lock) {
		step = call_plan_step(c, LOCK_OP_STATE, LOCK_SH, LOCK_WORD);
		r = take_hp(c, &tdcs->op_state_lock, HP_HOST, LOCK_SH);
		if (r != HP_OK)
			return call_refused(c, step, 0);
		td->op_state_held = true;
	}
	if (!op_state_allowed(c, tdcs)) {
		u64 st = op_state_incorrect(c, tdcs);

		op_state_unlock(c, td);
		return st;
	}
	return 0;
}

/* ---- S-EPT ---------------------------------------------------------------------------- */

void ext_info(struct call *c, u64 entry, u32 level)
{
	enum sept_state state = sept_state(entry);
	u64 shown = SEPT_SVE;

	if (state != SEPT_FREE) {
		shown = entry & (SEPT_RWX | SEPT_PS);
		if (sept_is_leaf(entry))
			shown = entry & (SEPT_RWX | SEPT_MT_MASK | SEPT_IPAT | SEPT_PS |
					 SEPT_HPA_MASK | SEPT_SVE);
	}
	c->args->rcx = shown;
	c->args->rdx = level | (u64)sept_state_public(state) << 8;
}

u64 tree_lock(struct call *c, struct td_ref *td, enum lock_mode mode, struct entry_ref *e)
{
	u64 st = tree_word_lock(c, td->tdcs, mode);

	if (st)
		return st;
	e->tree_mode = mode;
	e->tree_held = true;
	return 0;
}

u64 tree_promote(struct call *c, struct td_ref *td, struct entry_ref *e)
{
	enum hp_result r;

	SL_BUG_ON(!c->hardened || e->tree_mode != LOCK_SH);
	r = c->m->tree_hp ? sharex_hp_try_promote(&td->tdcs->tree_lock_hp)
			  : sharex_try_promote(&td->tdcs->tree_lock);
	if (r != HP_OK) {
		note_refused(c, LOCK_TREE, with_op(TDX_OPERAND_BUSY, TDX_OPERAND_ID_SEPT_TREE));
		return with_op(TDX_OPERAND_BUSY, TDX_OPERAND_ID_SEPT_TREE);
	}
	e->tree_mode = LOCK_EX;
	return 0;
}

u64 tree_lock_walk(struct call *c, struct td_ref *td, enum lock_mode mode, struct entry_ref *e)
{
	struct sl_machine *m = c->m;
	struct tdcs *tdcs = td->tdcs;
	struct gpa gpa = e->gpa;
	u32 level = e->level;
	struct sept_walk w;
	u64 st;

	if (!sept_gpa_is_private(tdcs, gpa))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = tree_lock(c, td, mode, e);
	if (st)
		return st;
	w = sept_walk(m, tdcs, gpa, level);
	if (w.halt)
		st = module_halt(c->lp, "S-EPT walk", "misconfigured entry 0x%llx at level %u",
				 (unsigned long long)w.copy, w.level);
	else if (!w.reached)
		st = with_op(TDX_EPT_WALK_FAILED, TDX_OPERAND_ID_RCX);
	if (st) {
		ext_info(c, w.copy, w.level);
		tree_unlock(c, td, e);
		return st;
	}
	e->entry = w.entry;
	e->copy = w.copy;
	return 0;
}

u64 entry_lock_host(struct call *c, struct entry_ref *e)
{
	const struct lock_step *step = call_plan_step(c, LOCK_ENTRY, LOCK_EX, LOCK_IN_ENTRY);
	_Atomic u64 *entry = e->entry;
	u64 copy;

	/* What ext_info() shows of it. */
	env_settle(c->lp->env, MODULE_SETTLED_WALK, e->copy & ~(SEPT_HP | SEPT_TDEL),
		   (u64)(uintptr_t)entry);
	if (take_entry(c, entry, HP_HOST) != HP_OK) {
		/* From the copy that the walk took before the lock. */
		ext_info(c, e->copy, e->level);
		return call_refused(c, step, 0);
	}
	e->locked = true;
	copy = atomic_load_explicit(entry, memory_order_relaxed);
	e->copy = copy;
	e->state = sept_state(copy);
	/* What the walk saw on its way, and how often the lock was lost, is of no use any more. */
	env_settle(c->lp->env, MODULE_SETTLED_ENTRY, copy, (u64)(uintptr_t)entry);
	return 0;
}

u32 sept_allowed(u32 leaf)
{
#define S(name) (1u << SEPT_##name)
#define S_ALL   ((1u << SEPT_STATES) - 1)
	switch (leaf) {
#define SL_SEPT_ALLOWED(ident, mask) \
	case SEAMCALL_##ident:       \
		return (mask);
#include "module/sept_allowed.def"
#undef SL_SEPT_ALLOWED
	default:
		return 0;
	}
#undef S
#undef S_ALL
}

struct pamt_entry *entry_pamt(struct sl_machine *m, u64 copy, u32 level)
{
	if (sept_is_leaf(copy))
		return mem_pamt(m, sept_leaf_hpa(copy, level), level);
	return mem_pamt(m, sept_hpa(copy), 0);
}

u64 tracking_check(struct call *c, const struct td_ref *td, const struct entry_ref *e,
		   u32 untracked_operand)
{
	u32 flags = sept_state_flags(e->state);
	u64 st = 0;

	if (!(flags & SEPT_TRACKED) || !op_state_tracks(td->tdcs->op_state))
		return 0;
	if (!(flags & SEPT_ANY_BLOCKED))
		st = with_op(TDX_GPA_RANGE_NOT_BLOCKED, TDX_OPERAND_ID_RCX);
	else if (!td_is_tracked(td->tdcs, pamt_bepoch(entry_pamt(c->m, e->copy, e->level))))
		st = with_op(TDX_TLB_TRACKING_NOT_DONE, untracked_operand);
	if (st)
		ext_info(c, e->copy, e->level);
	else
		/* Of the epochs and counts that said so nobody wants to know more. */
		env_settle(c->lp->env, MODULE_SETTLED_TRACKED, e->copy, (u64)(uintptr_t)e->entry);
	return st;
}

/*
 * What every S-EPT leaf begins and ends with. In one piece: a call in between costs some of what the
 * lock does that it takes.
 */
SL_FLATTEN u64 mem_begin(struct call *c, u64 rcx, u64 tdr, u32 level_min, u32 level_max,
			 enum lock_mode tree_mode, struct mem_call *mc)
{
	u64 st;

	entry_begin(&mc->e);
	c->args->rcx = 0;
	c->args->rdx = 0;
	st = tdr_lock(c, tdr, LOCK_SH, &mc->td);
	if (st)
		return st;
	st = td_state_check(c, &mc->td, true);
	if (st)
		goto out;
	if (level_max == LEVEL_TOP)
		level_max = sept_top_level(mc->td.tdcs);
	st = page_info_decode(rcx, level_min, level_max, &mc->e);
	if (st)
		goto out;
	st = tree_lock_walk(c, &mc->td, tree_mode, &mc->e);
	if (st)
		goto out;
	st = entry_lock_host(c, &mc->e);
	if (!st)
		return 0;
out:
	mem_end(c, mc);
	return st;
}

SL_FLATTEN void mem_end(struct call *c, struct mem_call *mc)
{
	entry_unlock(c, &mc->e);
	tree_unlock(c, &mc->td, &mc->e);
	tdr_unlock(c, &mc->td);
}

SL_INLINE u64 tdvpr_and_tdr(struct call *c, u64 hpa, enum lock_mode mode, struct page_lock *tdvpr,
			    struct td_ref *td)
{
	u64 st = page_lock_explicit(c, LOCK_TDVPR, hpa, mode, 0, PAMT_TDVPR, tdvpr);

	if (st)
		return st;
	st = tdr_lock_implicit(c, tdvpr, td);
	if (st)
		page_unlock(c, tdvpr);
	return st;
}

/* In one piece each, as mem_begin(). */
SL_FLATTEN u64 tdvpr_lock_exclusive(struct call *c, u64 hpa, struct page_lock *tdvpr,
				    struct td_ref *td)
{
	return tdvpr_and_tdr(c, hpa, LOCK_EX, tdvpr, td);
}

SL_FLATTEN u64 tdvpr_lock(struct call *c, u64 hpa, struct page_lock *tdvpr, struct td_ref *td)
{
	u64 st = tdvpr_and_tdr(c, hpa, LOCK_SH, tdvpr, td);

	if (st)
		return st;
	st = td_state_check(c, td, true);
	if (st)
		tdvpr_unlock(c, tdvpr, td);
	return st;
}

SL_FLATTEN void tdvpr_unlock(struct call *c, struct page_lock *tdvpr, struct td_ref *td)
{
	tdr_unlock(c, td);
	page_unlock(c, tdvpr);
}

u64 must_give_way(const struct call *c, const struct tdcs *tdcs)
{
	if (host_interrupt_pending(c))
		return TDX_INTERRUPTED_RESTARTABLE;
	if (changed(c->m, CHANGE_POLL_TREE_HP) &&
	    (atomic_load_explicit(&tdcs->tree_lock_hp.word, memory_order_relaxed) &
	     SHAREX_HP_PRIORITY))
		return TDX_INTERRUPTED_BUSY;
	return 0;
}

void *shared_operand(struct sl_machine *m, u64 pa, u64 align)
{
	if (!sl_is_aligned(pa, align))
		return NULL;
	return sl_machine_shared(m, pa);
}
