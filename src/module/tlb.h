/* SPDX-License-Identifier: MIT */
/*
 * The LP's cached translations of the TD whose vCPU ran there last. Layer: module, private.
 */
#ifndef SL_MODULE_TLB_H
#define SL_MODULE_TLB_H

#include "module/machine.h"

static inline struct tlb_entry *tlb_slot(struct sl_lp *lp, struct gpa gpa)
{
	return &lp->tlb[gpa.v >> SL_PAGE_SHIFT & (TLB_SIZE - 1)];
}

/* The entry that translates @gpa, or NULL. */
static inline struct tlb_entry *tlb_lookup(struct sl_lp *lp, struct gpa gpa)
{
	struct tlb_entry *t = tlb_slot(lp, gpa);

	return t->tag == (gpa.v >> SL_PAGE_SHIFT) + 1 ? t : NULL;
}

static inline void tlb_fill(struct sl_lp *lp, struct gpa gpa, struct hpa page, u32 level)
{
	*tlb_slot(lp, gpa) = (struct tlb_entry){ .tag = (gpa.v >> SL_PAGE_SHIFT) + 1,
						 .page = page,
						 .level = (u8)level };
}

/* Tells the oracles of a translation that is about to be used. */
static inline void translated(struct sl_lp *lp, struct gpa gpa, struct hpa page, u32 level,
			      bool cached)
{
	const struct sl_module_hooks *hooks = lp->machine->hooks;

	if (hooks && hooks->translate)
		hooks->translate(lp, gpa, page, level, cached);
}

static inline void tlb_flush(struct sl_lp *lp)
{
	for (u32 i = 0; i < TLB_SIZE; i++)
		lp->tlb[i].tag = 0;
	sl_count(lp->env, SL_CTR_tlb_flushes);
}

#endif
