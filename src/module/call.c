// SPDX-License-Identifier: MIT
/*
 * The building blocks of the leaves: locks under the plan, TD state, S-EPT entries.
 * Layer: module.
 */
#include "module/call.h"

#include "module/track.h"

static enum hp_result take_hp(struct call *c, sharex_hp_t *l, enum lock_mode mode)
{
	enum hp_result r;

	if (c->m->hardened)
		r = mode == LOCK_EX ? sharex_hp_try_exclusive(l, HP_HOST)
				    : sharex_hp_try_shared(l, HP_HOST);
	else
		r = mode == LOCK_EX ? sharex_hp_try_exclusive_published(l, HP_HOST)
				    : sharex_hp_try_shared_published(l, HP_HOST);
	c->held += r == HP_OK;
	return r;
}

static void drop_hp(struct call *c, sharex_hp_t *l, enum lock_mode mode)
{
	c->held--;
	if (c->m->hardened) {
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

static enum hp_result promote_hp(const struct call *c, sharex_hp_t *l)
{
	return c->m->hardened ? sharex_hp_try_promote(l) : sharex_hp_try_promote_published(l);
}

const struct lock_step *call_plan_step(struct call *c, enum lock_object object, enum lock_mode mode,
				       enum lock_path path)
{
	const struct lock_step *s = c->plan;

	SL_BUG_ON(!s);
	while (s->object != LOCK_END && s->object != object)
		s++;
	SL_BUG_ON(s->object != object || s->mode != mode || s->path != path);
	c->plan = s + 1;
	return s;
}

static const struct lock_step *plan_find(const struct call *c, enum lock_object object)
{
	const struct lock_step *s = c->plan;

	SL_BUG_ON(!s);
	while (s->object != LOCK_END && s->object != object)
		s++;
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
	/* Pairs with the release store in tdh_sys_tdmr_init(): the block's PAMT is ready. */
	if (!mem_is_private(m, (struct hpa){ hpa }) ||
	    hpa - SL_PRIVATE_BASE >=
		    (atomic_load_explicit(&m->mem.initialized, memory_order_acquire) &
		     ~(SL_LEVEL_SIZE(2) - 1)))
		return with_op(TDX_OPERAND_ADDR_RANGE_ERROR, operand);
	return 0;
}

/* Is a 1 GB or 2 MB entry the leaf of a walk? */
static bool walk_stops(const struct call *c, const struct pamt_entry *e, u32 level)
{
	if (c->m->dynamic_pamt && level == 1)
		return pamt_type(e) != PAMT_PAMT;
	if (changed(c->m, CHANGE_WALK_STOPS_AT_ANY_TYPE))
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
	struct pamt_entry *e1g = mem_pamt(c->m, l->page, 2);
	struct pamt_entry *e2m = mem_pamt(c->m, l->page, 1);
	struct pamt_entry *e4k = mem_pamt(c->m, l->page, 0);
	bool busy;

	l->level = 2;
	if (take_hp(c, &e1g->lock, LOCK_SH) != HP_OK)
		return false;
	if (walk_stops(c, e1g, 2) || target == 2) {
		if (walk_ends_at(c, l, e1g, 2, &busy))
			return true;
		goto drop_1g;
	}
	l->level = 1;
	if (take_hp(c, &e2m->lock, LOCK_SH) != HP_OK)
		goto drop_1g;
	if (walk_stops(c, e2m, 1) || target == 1) {
		l->parent[1] = e1g;
		if (walk_ends_at(c, l, e2m, 1, &busy))
			return true;
		goto drop_2m;
	}
	l->level = 0;
	if (take_hp(c, &e4k->lock, l->mode) != HP_OK)
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
	if (l->level != level || pamt_type(l->entry) != type ||
	    (type == PAMT_NDA && level == 0 && mem_is_pamt_page(c->m, l->page)))
		return with_op(TDX_PAGE_METADATA_INCORRECT, operand);
	return 0;
}

u64 page_lock_explicit(struct call *c, enum lock_object object, u64 hpa, enum lock_mode mode,
		       u32 level, enum pamt_type type, struct page_lock *out)
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

	if (take_hp(c, &e->lock, mode) != HP_OK)
		return call_refused(c, step, level);
	out->page = page;
	out->entry = e;
	out->parent[0] = NULL;
	out->parent[1] = NULL;
	out->level = (u8)level;
	out->mode = (u8)mode;
	return 0;
}

void page_unlock(struct call *c, struct page_lock *l)
{
	drop_hp(c, &l->entry->lock, (enum lock_mode)l->mode);
	if (l->parent[0])
		drop_hp(c, &l->parent[0]->lock, LOCK_SH);
	if (l->parent[1])
		drop_hp(c, &l->parent[1]->lock, LOCK_SH);
	l->entry = NULL;
}

/* ---- Words ---------------------------------------------------------------------------- */

u64 sharex_lock(struct call *c, enum lock_object object, sharex_t *l, enum lock_mode mode)
{
	const struct lock_step *step = call_plan_step(c, object, mode, LOCK_WORD);
	enum hp_result r;

	if (c->m->hardened)
		r = mode == LOCK_EX ? sharex_try_exclusive(l) : sharex_try_shared(l);
	else
		r = mode == LOCK_EX ? sharex_try_exclusive_published(l)
				    : sharex_try_shared_published(l);
	if (r != HP_OK)
		return call_refused(c, step, 0);
	c->held++;
	return 0;
}

void sharex_unlock(struct call *c, sharex_t *l, enum lock_mode mode)
{
	if (c->m->hardened) {
		if (mode == LOCK_EX)
			sharex_release_exclusive(l);
		else
			sharex_release_shared(l);
	} else if (mode == LOCK_EX) {
		sharex_release_exclusive_published(l);
	} else {
		sharex_release_shared_published(l);
	}
	c->held--;
}

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

u64 tdr_lock(struct call *c, u64 hpa, enum lock_mode mode, struct td_ref *td)
{
	u64 st = page_lock_explicit(c, LOCK_TDR, hpa, mode, 0, PAMT_TDR, &td->lock);

	if (!st)
		td->tdr = mem_frame(c->m, td->lock.page);
	return st;
}

u64 tdr_lock_implicit(struct call *c, const struct page_lock *page, struct td_ref *td)
{
	u64 st = page_lock_implicit(c, LOCK_TDR, pamt_owner(page->entry),
				    call_plan_mode(c, LOCK_TDR), 0, &td->lock);

	if (!st)
		td->tdr = mem_frame(c->m, td->lock.page);
	return st;
}

bool op_state_allowed(const struct call *c, const struct tdcs *tdcs)
{
	return release_op_allowed(c->m->cfg.release, c->leaf) >> tdcs->op_state & 1;
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
	enum hp_result r;

	if (atomic_load_explicit(&td->tdr->fatal, memory_order_relaxed))
		return TDX_TD_FATAL;
	if (td->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_TD_KEYS_NOT_CONFIGURED;
	if (td->tdr->num_tdcx < TDCX_MIN)
		return TDX_TDCS_NOT_ALLOCATED;
	td->tdcs = tdr_tdcs(c->m, td->tdr);
	if (lock) {
		step = call_plan_step(c, LOCK_OP_STATE, LOCK_SH, LOCK_WORD);
		r = take_hp(c, &td->tdcs->op_state_lock, LOCK_SH);
		if (r != HP_OK)
			return call_refused(c, step, 0);
		td->op_state_held = true;
	}
	if (!op_state_allowed(c, td->tdcs)) {
		u64 st = op_state_incorrect(c, td->tdcs);

		op_state_unlock(c, td);
		return st;
	}
	return 0;
}

void op_state_unlock(struct call *c, struct td_ref *td)
{
	if (!td->op_state_held)
		return;
	drop_hp(c, &td->tdcs->op_state_lock, LOCK_SH);
	td->op_state_held = false;
}

void tdr_unlock(struct call *c, struct td_ref *td)
{
	op_state_unlock(c, td);
	page_unlock(c, &td->lock);
}

/* ---- S-EPT ---------------------------------------------------------------------------- */

u64 page_info_decode(u64 rcx, u32 level_min, u32 level_max, struct entry_ref *e)
{
	e->level = (u32)(rcx & 7);
	e->gpa.v = rcx & GENMASK_ULL(51, 12);
	if ((rcx & (GENMASK_ULL(11, 3) | GENMASK_ULL(63, 52))) || e->level < level_min ||
	    e->level > level_max || !sl_is_aligned(e->gpa.v, SL_LEVEL_SIZE(e->level)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return 0;
}

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

u64 tree_word_lock(struct call *c, struct tdcs *tdcs, enum lock_mode mode)
{
	const struct lock_step *step;

	if (!c->m->tree_hp)
		return sharex_lock(c, LOCK_TREE, &tdcs->tree_lock, mode);
	step = call_plan_step(c, LOCK_TREE, mode, LOCK_WORD);
	if (take_hp(c, &tdcs->tree_lock_hp, mode) != HP_OK)
		return call_refused(c, step, 0);
	return 0;
}

void tree_word_unlock(struct call *c, struct tdcs *tdcs, enum lock_mode mode)
{
	if (!c->m->tree_hp) {
		sharex_unlock(c, &tdcs->tree_lock, mode);
		return;
	}
	drop_hp(c, &tdcs->tree_lock_hp, mode);
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

	SL_BUG_ON(!c->m->hardened || e->tree_mode != LOCK_SH);
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
	struct sept_walk w;
	u64 st;

	if (!sept_gpa_is_private(td->tdcs, e->gpa))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = tree_lock(c, td, mode, e);
	if (st)
		return st;
	w = sept_walk(c->m, td->tdcs, e->gpa, e->level);
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

bool entry_word_lock(struct call *c, _Atomic u64 *entry)
{
	enum hp_result r = c->m->hardened ? sept_entry_try_lock(entry, HP_HOST)
					  : sept_entry_try_lock_published(entry, HP_HOST);

	if (r != HP_OK)
		return false;
	c->held++;
	return true;
}

void entry_word_unlock(struct call *c, _Atomic u64 *entry)
{
	if (c->m->hardened)
		sept_entry_unlock(entry);
	else
		sept_entry_unlock_published(entry);
	c->held--;
}

u64 entry_lock_host(struct call *c, struct entry_ref *e)
{
	const struct lock_step *step = call_plan_step(c, LOCK_ENTRY, LOCK_EX, LOCK_IN_ENTRY);

	if (!entry_word_lock(c, e->entry)) {
		/* From the copy that the walk took before the lock. */
		ext_info(c, e->copy, e->level);
		return call_refused(c, step, 0);
	}
	e->locked = true;
	e->copy = atomic_load_explicit(e->entry, memory_order_relaxed);
	e->state = sept_state(e->copy);
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

u64 entry_check_state(struct call *c, struct entry_ref *e)
{
	if (sept_allowed(c->leaf) >> e->state & 1)
		return 0;
	ext_info(c, e->copy, e->level);
	return with_op(TDX_EPT_ENTRY_STATE_INCORRECT, TDX_OPERAND_ID_RCX);
}

void entry_unlock(struct call *c, struct entry_ref *e)
{
	if (!e->locked)
		return;
	entry_word_unlock(c, e->entry);
	e->locked = false;
}

void tree_unlock(struct call *c, struct td_ref *td, struct entry_ref *e)
{
	if (!e->tree_held)
		return;
	tree_word_unlock(c, td->tdcs, e->tree_mode);
	e->tree_held = false;
}

void entry_commit(struct call *c, struct entry_ref *e, u64 value, bool keep_locked)
{
	SL_BUG_ON(!e->locked);
	if (c->m->hardened)
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
	return st;
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
