// SPDX-License-Identifier: MIT
/* See pamt.h. Layer: module. */
#include "module/pamt.h"

static struct pamt_entry *child_of(struct call *c, struct hpa page, u32 level, u32 i)
{
	return mem_pamt(c->m, (struct hpa){ page.v + i * SL_LEVEL_SIZE(level - 1) }, level - 1);
}

/* ---- dynamic PAMT ---------------------------------------------------------------------------- */

u64 pamt_range_operand(const struct call *c, struct hpa *range)
{
	u64 rcx = c->args->rcx;

	range->v = rcx & GENMASK_ULL(51, 12);
	if (!c->m->dynamic_pamt)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RAX);
	if ((rcx & ~GENMASK_ULL(51, 12)) != 1 || !sl_is_aligned(range->v, SL_LEVEL_SIZE(1)) ||
	    range->v >> SL_HKID_SHIFT)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return 0;
}

u64 pamt_range_lock(struct call *c, struct hpa range, struct page_lock *out)
{
	const struct lock_step *step;
	u64 st = private_page_check(c->m, range.v, 1, TDX_OPERAND_ID_RCX);

	if (st)
		return st;
	step = call_plan_step(c, LOCK_LARGE_PAGE, LOCK_EX, LOCK_WALK);
	return page_walk(c, step, range, LOCK_EX, 1, out);
}

static _Atomic u64 *bitmap_word(struct call *c, struct hpa page, u64 *bit)
{
	u64 pfn = (page.v - SL_PRIVATE_BASE) >> SL_PAGE_SHIFT;

	*bit = BIT_ULL(pfn % 64);
	return &c->m->mem.is_pamt[pfn / 64];
}

static bool bitmap_test_and_set(struct call *c, struct hpa page)
{
	u64 bit;
	_Atomic u64 *word = bitmap_word(c, page, &bit);

	return (atomic_fetch_or_explicit(word, bit, memory_order_relaxed) & bit) != 0;
}

static void bitmap_clear(struct call *c, struct hpa page)
{
	u64 bit;
	_Atomic u64 *word = bitmap_word(c, page, &bit);

	atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
}

u64 pair_check(const struct call *c, const struct pamt_pair *pair, const u32 operand[2])
{
	for (u32 i = 0; i < 2; i++) {
		u64 st = private_page_check(c->m, pair->reg[i], 0, operand[i]);

		if (st)
			return st;
	}
	return 0;
}

static bool in_range(u64 page, struct hpa range)
{
	return page - range.v < SL_LEVEL_SIZE(1);
}

/*
 * A page outside the range itself is free. That of a range without a pair may be: its walk ends at the
 * 2 MB entry.
 */
static u64 page_is_free(struct call *c, const struct lock_step *step, u64 page,
			struct page_lock *lock)
{
	u64 st = page_walk(c, step, (struct hpa){ page }, LOCK_SH, 0, lock);

	if (st) {
		lock->entry = NULL;
		return st;
	}
	if (pamt_type(lock->entry) != PAMT_NDA || !mem_is_present(c->m, lock->page))
		return with_op(TDX_PAGE_NOT_FREE, step->operand);
	return 0;
}

u64 pair_take(struct call *c, struct pamt_pair *pair, struct hpa range, bool backs_itself)
{
	const struct lock_step *step[2];
	u64 st;

	for (u32 i = 0; i < 2; i++)
		step[i] = call_plan_step(c, LOCK_PAMT_PAGE, LOCK_SH, LOCK_WALK);
	for (u32 i = 0; i < 2; i++) {
		if (backs_itself && in_range(pair->reg[i], range))
			continue;
		st = page_is_free(c, step[i], pair->reg[i], &pair->lock[i]);
		if (st)
			return st;
	}
	if (bitmap_test_and_set(c, (struct hpa){ pair->reg[0] }))
		return with_op(TDX_PAGE_NOT_FREE, step[0]->operand);
	if (bitmap_test_and_set(c, (struct hpa){ pair->reg[1] })) {
		bitmap_clear(c, (struct hpa){ pair->reg[0] });
		return with_op(TDX_PAGE_NOT_FREE, step[1]->operand);
	}
	return 0;
}

void pair_unlock(struct call *c, struct pamt_pair *pair)
{
	for (u32 i = 0; i < 2; i++)
		if (pair->lock[i].entry)
			page_unlock(c, &pair->lock[i]);
}

/* Only what is not zero already: most entries were never used, and then stay words that nobody writes. */
static void entry_zero(struct pamt_entry *e)
{
	if (atomic_load_explicit(&e->lock.word, memory_order_relaxed))
		atomic_store_explicit(&e->lock.word, 0, memory_order_relaxed);
	if (pamt_owner(e).v)
		pamt_set_owner(e, (struct hpa){ 0 });
	if (pamt_bepoch(e))
		pamt_set_bepoch(e, 0);
	if (pamt_type(e) != PAMT_NDA)
		pamt_set_type(e, PAMT_NDA);
}

void pair_install(struct call *c, const struct pamt_pair *pair, struct pamt_entry *range_entry,
		  struct hpa range)
{
	for (u32 i = 0; i < 2; i++)
		call_committed(c, .kind = COMMIT_PAMT_ADD, .page = { pair->reg[i] }, .from = range);
	/* Those of pages that are not there stay reserved. */
	for (u32 i = 0; i < SL_ENTRIES; i++)
		if (pamt_type(child_of(c, range, 1, i)) != PAMT_RSVD)
			entry_zero(child_of(c, range, 1, i));
	pamt_set_owner(range_entry, (struct hpa){ pair->reg[0] });
	pamt_set_bepoch(range_entry, pair->reg[1] >> SL_PAGE_SHIFT << PAMT_SECOND_SHIFT);
	pamt_set_type(range_entry, PAMT_PAMT);
}

void pair_remove(struct call *c, struct pamt_entry *range_entry, struct hpa range, u64 page[2])
{
	for (u32 i = 0; i < 2; i++) {
		struct hpa hpa = pamt_pair_page(range_entry, i);

		call_committed(c, .kind = COMMIT_PAMT_REMOVE, .page = hpa, .from = range);
		bitmap_clear(c, hpa);
		page[i] = hpa.v;
	}
	pamt_set_owner(range_entry, (struct hpa){ 0 });
	pamt_set_bepoch(range_entry, 0);
	pamt_set_type(range_entry, PAMT_NDA);
}

/* The 2 MB entry whose pages are counted, NULL if they are not. Read without its lock, as in the module. */
static struct pamt_entry *counter_of(struct call *c, const struct page_lock *page)
{
	struct pamt_entry *e = mem_pamt(c->m, page->page, 1);

	return c->m->dynamic_pamt && page->level == 0 && pamt_type(e) == PAMT_PAMT ? e : NULL;
}

void pamt_count_up(struct call *c, const struct page_lock *page)
{
	struct pamt_entry *e = counter_of(c, page);
	u64 old;

	if (sl_likely(!e))
		return;
	old = atomic_fetch_add_explicit(&e->bepoch, 1, memory_order_relaxed);
	if ((old & PAMT_COUNT_MASK) >= SL_ENTRIES)
		(void)!module_halt(c->lp, "PAMT page count", "2 MB around 0x%llx: over 512",
				   (unsigned long long)page->page.v);
}

u64 pamt_count_down(struct call *c, const struct page_lock *page)
{
	struct pamt_entry *e = counter_of(c, page);
	u64 old;

	if (sl_likely(!e))
		return 0;
	old = atomic_fetch_sub_explicit(&e->bepoch, 1, memory_order_relaxed);
	if (!(old & PAMT_COUNT_MASK))
		(void)!module_halt(c->lp, "PAMT page count", "2 MB around 0x%llx: below 0",
				   (unsigned long long)page->page.v);
	return (old & PAMT_COUNT_MASK) == 1 ? PAMT_HINT_EMPTY : 0;
}

/* ---- pages of 2 MB and 1 GB ------------------------------------------------------------------ */

bool pamt_range_is_free(struct sl_machine *m, struct hpa page)
{
	for (u32 i = 0; i < SL_ENTRIES; i++) {
		struct hpa child = { page.v + i * SL_PAGE_SIZE };

		/* With dynamic PAMT a range without a pair has no other entries; the rest is as it was left. */
		if (pamt_type(mem_pamt(m, child, 0)) != PAMT_NDA || mem_is_pamt_page(m, child))
			return false;
	}
	return true;
}

/* Do the pages of half the size have their entries in a pair? */
static bool has_pair(const struct call *c, u32 level)
{
	return c->m->dynamic_pamt && level == 1;
}

/* Looks at the type before the lock, as in the module; then takes the large entry. */
static u64 large_lock(struct call *c, struct hpa page, u32 level, enum pamt_type want,
		      const char *where, struct page_lock *large)
{
	enum pamt_type type = pamt_type(mem_pamt(c->m, page, level));

	if (type != want)
		return module_halt(c->lp, where, "page 0x%llx at level %u has type %u",
				   (unsigned long long)page.v, level, type);
	return page_lock_leaf(c, LOCK_LARGE_PAGE, page, LOCK_EX, level, large);
}

/* The children's entries go; those of a pair with its pages. */
static u64 children_merge(struct call *c, struct hpa page, u32 level, enum pamt_type type,
			  struct hpa owner)
{
	for (u32 i = 0; i < SL_ENTRIES; i++) {
		struct pamt_entry *e = child_of(c, page, level, i);

		if (pamt_type(e) != type || pamt_owner(e).v != owner.v)
			return module_halt(c->lp, "PAMT promote",
					   "page %u under 0x%llx has type %u, the first has %u", i,
					   (unsigned long long)page.v, pamt_type(e), type);
		pamt_set_type(e, PAMT_NDA);
	}
	return 0;
}

u64 pamt_promote(struct call *c, struct hpa page, u32 level)
{
	struct pamt_entry *first = child_of(c, page, level, 0);
	struct page_lock large;
	enum pamt_type type;
	struct hpa owner;
	u64 st, pair[2];

	st = large_lock(c, page, level, has_pair(c, level) ? PAMT_PAMT : PAMT_NDA, "PAMT promote",
			&large);
	if (st)
		return st;
	type = pamt_type(first);
	owner = pamt_owner(first);
	if (has_pair(c, level)) {
		pair_remove(c, large.entry, page, pair);
		c->args->r12 = pair[0];
		c->args->r13 = pair[1];
	}
	pamt_set_owner(large.entry, owner);
	pamt_set_type(large.entry, type);
	st = children_merge(c, page, level, type, owner);
	page_unlock(c, &large);
	return st;
}

void pamt_children_init(struct sl_machine *m, struct hpa page, u32 level, struct hpa owner)
{
	/* All of them are there: of a large page every part is. */
	struct pamt_entry *e = mem_pamt(m, page, level - 1);

	for (u32 i = 0; i < SL_ENTRIES; i++, e++) {
		pamt_set_owner(e, owner);
		pamt_set_bepoch(e, 0);
		pamt_set_type(e, PAMT_REG);
	}
}

u64 pamt_demote(struct call *c, struct hpa page, u32 level, struct pamt_pair *pair)
{
	static const u32 operand[] = { TDX_OPERAND_ID_R12, TDX_OPERAND_ID_R13 };
	struct page_lock large;
	struct hpa owner;
	u64 st;

	st = large_lock(c, page, level, PAMT_REG, "PAMT demote", &large);
	if (st)
		return st;
	owner = pamt_owner(large.entry);
	if (has_pair(c, level)) {
		st = pair_check(c, pair, operand);
		if (!st)
			st = pair_take(c, pair, page, false);
		if (st)
			goto out;
		pair_install(c, pair, large.entry, page);
		atomic_fetch_add_explicit(&large.entry->bepoch, SL_ENTRIES, memory_order_relaxed);
	}
	pamt_children_init(c->m, page, level, owner);
	if (!has_pair(c, level))
		pamt_set_type(large.entry, PAMT_NDA);
out:
	pair_unlock(c, pair);
	page_unlock(c, &large);
	return st;
}
