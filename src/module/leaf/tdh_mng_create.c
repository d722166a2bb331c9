// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * tdh_mng_create - make a page the root (TDR) of a new TD and give the TD a key id
 *
 * Side:   host
 * Locks:  TDR page exclusive; KOT exclusive
 * Checks: HKID in the private range, page, KOT, HKID free, entropy
 * Commit: KOT entry, TDR contents, PAMT
 * Status: SUCCESS, BUSY, OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, PAGE_METADATA_INCORRECT,
 *         HKID_NOT_FREE, RND_NO_ENTROPY
 */
u64 tdh_mng_create(struct call *c)
{
	u64 hkid = c->args->rdx;
	struct page_lock page;
	struct tdr *tdr;
	u64 st;

	if (hkid < SL_HKID_PRIVATE || hkid >= SL_HKIDS)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	st = page_lock_explicit(c, LOCK_TDR, c->args->rcx, LOCK_EX, 0, PAMT_NDA, &page);
	if (st)
		return st;
	st = sharex_lock(c, LOCK_KOT, &c->m->kot_lock, LOCK_EX);
	if (st)
		goto out_page;
	if (c->m->kot[hkid].state != KOT_FREE) {
		st = TDX_HKID_NOT_FREE;
		goto out_kot;
	}
	/* The page is written before the last failure point, as in the module. */
	tdr = mem_frame(c->m, page.page);
	memset(tdr, 0, sizeof(*tdr));
	if (env_choose(c->lp->env, SL_CHOICE_ENTROPY, 2)) {
		st = TDX_RND_NO_ENTROPY;
		goto out_kot;
	}
	tdr->hkid = (u16)hkid;
	tdr->lifecycle = TD_HKID_ASSIGNED;
	c->m->kot[hkid].state = KOT_ASSIGNED;
	call_committed(c, .kind = COMMIT_CONTROL, .tdr = page.page, .page = page.page);
	pamt_set_owner(page.entry, (struct hpa){ 0 });
	pamt_set_bepoch(page.entry, 0);
	pamt_set_type(page.entry, PAMT_TDR);
	pamt_count_up(c, &page);
out_kot:
	sharex_unlock(c, &c->m->kot_lock, LOCK_EX);
out_page:
	page_unlock(c, &page);
	return st;
}
