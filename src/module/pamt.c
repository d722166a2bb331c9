// SPDX-License-Identifier: MIT
/* See pamt.h. Layer: module. */
#include "module/pamt.h"

static struct pamt_entry *child_of(struct call *c, struct hpa page, u32 level, u32 i)
{
	return mem_pamt(c->m, (struct hpa){ page.v + i * SL_LEVEL_SIZE(level - 1) }, level - 1);
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

u64 pamt_promote(struct call *c, struct hpa page, u32 level)
{
	struct pamt_entry *first = child_of(c, page, level, 0);
	struct page_lock large;
	enum pamt_type type;
	struct hpa owner;
	u64 st;

	st = large_lock(c, page, level, PAMT_NDA, "PAMT promote", &large);
	if (st)
		return st;
	type = pamt_type(first);
	owner = pamt_owner(first);
	pamt_set_owner(large.entry, owner);
	pamt_set_type(large.entry, type);
	for (u32 i = 0; i < SL_ENTRIES; i++) {
		struct pamt_entry *e = child_of(c, page, level, i);

		if (pamt_type(e) != type || pamt_owner(e).v != owner.v) {
			st = module_halt(c->lp, "PAMT promote",
					 "page %u under 0x%llx has type %u, the first has %u", i,
					 (unsigned long long)page.v, pamt_type(e), type);
			break;
		}
		pamt_set_type(e, PAMT_NDA);
	}
	page_unlock(c, &large);
	return st;
}

u64 pamt_demote(struct call *c, struct hpa page, u32 level)
{
	struct page_lock large;
	u64 st;

	st = large_lock(c, page, level, PAMT_REG, "PAMT demote", &large);
	if (st)
		return st;
	for (u32 i = 0; i < SL_ENTRIES; i++) {
		struct pamt_entry *e = child_of(c, page, level, i);

		pamt_set_owner(e, pamt_owner(large.entry));
		pamt_set_bepoch(e, 0);
		pamt_set_type(e, PAMT_REG);
	}
	pamt_set_type(large.entry, PAMT_NDA);
	page_unlock(c, &large);
	return 0;
}
