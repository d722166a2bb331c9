/* SPDX-License-Identifier: MIT */
/* Prototypes of all leaves, and the prologue that the S-EPT leaves share. Layer: module, private. */
#ifndef SL_MODULE_LEAF_H
#define SL_MODULE_LEAF_H

#include "module/call.h"

#define SL_SEAMCALL(ident, number, name)
#define SL_SEAMCALL_IMPL(ident, number, name) u64 ident(struct call *c);
#define SL_TDCALL(ident, number, name)
#define SL_TDCALL_IMPL(ident, number, name) u64 ident(struct call *c);
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
#define SL_NEW_SEAMCALL(since, ident, number, name) u64 ident(struct call *c);
#include <seamlab/tdx_release.def>
#undef SL_NEW_SEAMCALL

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

/*
 * TDH.MEM.RD (@data NULL) and TDH.MEM.WR: GPA in RCX and TDR in RDX, from the first check to the last
 * release. R8 := the 8 bytes as they were.
 */
u64 mem_data(struct call *c, const u64 *data) SL_WARN_UNUSED;

/* R9 to R11 of a version 1 leaf that frees a S-EPT page: no L2 page was freed with it. */
static inline void no_l2_pages(struct call *c)
{
	if (c->version == 1)
		c->args->r9 = c->args->r10 = c->args->r11 = ~0ull;
}

#endif
