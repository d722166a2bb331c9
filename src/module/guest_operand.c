// SPDX-License-Identifier: MIT
/* Guest memory as an operand, and the RTMR lock. Layer: module. */
#include "module/guest_operand.h"

#include <string.h>

#include "module/td_exit.h"
#include "module/tlb.h"

u64 guest_operand_check(struct call *c, u64 gpa, u64 align, u32 operand)
{
	if (!sl_is_aligned(gpa, align) || !sept_gpa_is_private(c->lp->tdcs, (struct gpa){ gpa }))
		return with_op(TDX_OPERAND_INVALID, operand);
	return 0;
}

bool guest_operand_map(struct call *c, u64 gpa, bool write, struct hpa *page, u64 *st)
{
	struct sept_walk w = sept_walk(c->m, c->lp->tdcs, (struct gpa){ gpa }, 0);

	*st = 0;
	if (w.halt) {
		*st = module_halt(c->lp, "TDCALL operand", "misconfigured S-EPT entry");
		return false;
	}
	if (sept_is_leaf(w.copy) && (w.copy & SEPT_RWX) == SEPT_RWX) {
		*page = sept_leaf_hpa(w.copy, w.level);
		page->v += gpa & (SL_LEVEL_SIZE(w.level) - 1) & ~SL_PAGE_MASK;
		translated(c->lp, (struct gpa){ gpa }, *page, w.level, false);
		return true;
	}
	/* Found by software: the zero-step mitigation does not hear of it. */
	if (td_ept_violation(c->lp, gpa, write ? EPT_QUAL_WRITE : EPT_QUAL_READ, w.copy) ==
	    SL_ACCESS_VE)
		c->ve = true;
	else
		c->exits = true;
	return false;
}

static u64 *word_at(struct call *c, struct hpa page, u64 gpa)
{
	return (u64 *)((u8 *)mem_frame(c->m, page) + (gpa & SL_PAGE_MASK));
}

void guest_operand_read(struct call *c, struct hpa page, u64 gpa, void *to, size_t size)
{
	const u64 *from = word_at(c, page, gpa);
	u64 word;

	memset(to, 0, size);
	if (!c->m->cfg.contents)
		return;
	/* Other vCPUs may write there at this time, and what they race on is their business. */
	for (size_t i = 0; i < size / sizeof(word); i++) {
		word = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
		memcpy((u8 *)to + i * sizeof(word), &word, sizeof(word));
	}
}

void guest_operand_write(struct call *c, struct hpa page, u64 gpa, const void *from, size_t size)
{
	u64 *to = word_at(c, page, gpa);
	u64 word;

	if (!c->m->cfg.contents)
		return;
	for (size_t i = 0; i < size / sizeof(word); i++) {
		memcpy(&word, (const u8 *)from + i * sizeof(word), sizeof(word));
		__atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
	}
}

u64 rtmr_lock(struct call *c, enum lock_mode mode)
{
	const struct lock_step *step = call_plan_step(c, LOCK_RTMR, mode, LOCK_WORD);
	enum hp_result r = take_hp(c, &c->lp->tdcs->rtmr_lock, HP_GUEST, mode);

	return r == HP_OK ? 0 : call_refused_guest(c, step, r);
}

void rtmr_unlock(struct call *c, enum lock_mode mode)
{
	drop_hp(c, &c->lp->tdcs->rtmr_lock, mode);
}
