// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * The S-EPT page that goes away, and how many of its entries are locked: none since 1.5.20, when the
 * tree became exclusive instead.
 */
struct children {
	_Atomic u64 *entry;
	u32 level;
	u32 locked;
	struct hpa page; /* of the first child, and of the large page */
};

/*
 * What of a child is compared: all but the accept progress. Published, that includes HOST_PRIORITY,
 * so a host that was refused on one child makes it differ from the others (finding F9). Since 1.5.20
 * it is all but A, D and HOST_PRIORITY.
 */
static u64 comparable(const struct call *c, u64 child, u32 level)
{
	if (changed(c->m, CHANGE_PROMOTE_IGNORES_BITS))
		return child & ~(SEPT_A | SEPT_D | SEPT_HP);
	if (level == 1)
		child &= ~SEPT_ACCEPT_MASK;
	return c->hardened ? child & ~SEPT_HP : child;
}

static bool may_come_first(u64 child, u32 level)
{
	return (sept_state_flags(sept_state(child)) & SEPT_MAPPED_OR_PENDING) &&
	       sl_is_aligned(sept_hpa(child).v, SL_LEVEL_SIZE(level + 1));
}

/* Child after child, locked where the plan has it; each has to be like the first, one page further on. */
static u64 children_check(struct call *c, const struct entry_ref *parent, struct children *ch)
{
	const struct lock_step *step = NULL;
	u64 expected = 0;

	if (call_plan_lists(c, LOCK_CHILD))
		step = call_plan_step(c, LOCK_CHILD, LOCK_EX, LOCK_IN_ENTRY);
	for (u32 i = 0; i < SL_ENTRIES; i++) {
		_Atomic u64 *e = &ch->entry[i];
		u64 child;
		bool fits;

		if (step && take_entry(c, e, HP_HOST) != HP_OK) {
			ext_info(c, parent->copy, parent->level);
			return call_refused(c, step, 0);
		}
		ch->locked += step != NULL;
		child = comparable(c, atomic_load_explicit(e, memory_order_relaxed), ch->level);
		if (i) {
			fits = child == expected;
		} else {
			fits = may_come_first(child, ch->level);
			ch->page = sept_leaf_hpa(child, ch->level);
		}
		if (!fits)
			return with_op(TDX_EPT_INVALID_PROMOTE_CONDITIONS, TDX_OPERAND_ID_RCX);
		expected = child + SL_LEVEL_SIZE(ch->level);
	}
	return 0;
}

static void children_unlock(struct call *c, struct children *ch)
{
	for (u32 i = 0; i < ch->locked; i++)
		drop_entry(c, &ch->entry[i]);
	ch->locked = 0;
}

/*
 * The last things that can fail. Published: the S-EPT page is freed under a shared tree, so a host
 * that walked into it before may still write there (hazard H2). A blocked parent has kept everybody
 * out since RANGE.BLOCK held the tree exclusive; under any other the hardened flow needs it too.
 */
static u64 may_commit(struct call *c, struct mem_call *mc, const struct children *ch)
{
	u64 st = 0;

	if (c->hardened && mc->e.state == SEPT_NL_MAPPED && mc->e.tree_mode == LOCK_SH)
		st = tree_promote(c, &mc->td, &mc->e);
	if (!st)
		st = pamt_promote(c, ch->page, mc->e.level);
	if (st)
		ext_info(c, mc->e.copy, mc->e.level);
	return st;
}

static void commit(struct call *c, struct mem_call *mc, struct children *ch, struct page_lock *page)
{
	/* Read late: a published parent inherits what HOST_PRIORITY child 0 has by now. */
	u64 leaf = atomic_load_explicit(&ch->entry[0], memory_order_relaxed);

	if (c->hardened && ch->level == 1)
		leaf &= ~SEPT_ACCEPT_MASK;
	call_committed(c, .kind = COMMIT_PROMOTE, .tdr = mc->td.lock.page, .page = ch->page,
		       .level = mc->e.level, .gpa = mc->e.gpa);
	call_committed(c, .kind = COMMIT_FREE, .tdr = mc->td.lock.page, .page = page->page);
	entry_commit(c, &mc->e, leaf, true);
	tdr_count_down(mc->td.tdr, 1);
	pamt_set_type(page->entry, PAMT_NDA);
	c->args->rcx = page->page.v | pamt_count_down(c, page);
	/* Their locks went with the page. */
	c->held -= ch->locked;
	ch->locked = 0;
}

/*
 * tdh_mem_page_promote - make one large page of 512 that lie side by side
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared (hardened: exclusive at the end if the parent is
 *         not blocked; since 1.5.20 exclusive); parent entry; S-EPT page exclusive (implicit); its 512
 *         entries (not since 1.5.20); the large page's PAMT entry exclusive, for the PAMT promote only
 * Checks: TDR, TD state, page info, walk, entry state, S-EPT page, blocked, TLB tracking, children one
 *         after another, interrupt, large page
 * Commit: PAMT, then the parent entry := child 0, kept locked, then CHLDCNT and the S-EPT page's PAMT.
 *         The children stay locked: their page is gone
 * Status: SUCCESS, BUSY (RDX, OP_STATE, SEPT_TREE, RCX), GPA_RANGE_NOT_BLOCKED,
 *         TLB_TRACKING_NOT_DONE, EPT_INVALID_PROMOTE_CONDITIONS, INTERRUPTED_RESTARTABLE and (since
 *         1.5.20) INTERRUPTED_BUSY with RCX and RDX as they came in, EPT_WALK_FAILED,
 *         EPT_ENTRY_STATE_INCORRECT, OPERAND_INVALID and the TD state codes
 *
 * With dynamic PAMT R12 and R13 return the pair that held the PAMT entries of 512 4 KB pages.
 * Version 1 returns the L2 pages that went with it, of which this model has none.
 */
u64 tdh_mem_page_promote(struct call *c)
{
	u64 rcx = c->args->rcx, rdx = c->args->rdx;
	struct children ch = { 0 };
	struct page_lock page;
	struct mem_call mc;
	u64 st;

	st = mem_begin(c, rcx, rdx, 1, 2, call_plan_mode(c, LOCK_TREE), &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	st = page_lock_implicit(c, LOCK_PAGE, sept_hpa(mc.e.copy), LOCK_EX, 0, &page);
	if (st) {
		ext_info(c, mc.e.copy, mc.e.level);
		goto out;
	}
	st = tracking_check(c, &mc.td, &mc.e, TDX_OPERAND_ID_RCX);
	if (st)
		goto out_page;
	ch = (struct children){ .entry = mem_frame(c->m, page.page), .level = mc.e.level - 1 };
	st = children_check(c, &mc.e, &ch);
	if (st)
		goto out_children;
	st = must_give_way(c, mc.td.tdcs);
	if (st) {
		c->args->rcx = rcx;
		c->args->rdx = rdx;
		goto out_children;
	}
	st = may_commit(c, &mc, &ch);
	if (st)
		goto out_children;

	/* All checks passed: nothing can fail from here. */
	commit(c, &mc, &ch, &page);
	no_l2_pages(c);
out_children:
	children_unlock(c, &ch);
out_page:
	page_unlock(c, &page);
out:
	mem_end(c, &mc);
	return st;
}
