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

#endif
