/* SPDX-License-Identifier: MIT */
/* Prototypes of all leaves, and what leaves share. Layer: module, private. */
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
