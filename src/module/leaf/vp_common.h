/* SPDX-License-Identifier: MIT */
/* What the leaves that read and write a vCPU's fields share. Layer: module, private. */
#ifndef SL_MODULE_LEAF_VP_COMMON_H
#define SL_MODULE_LEAF_VP_COMMON_H

#include "module/leaf/leaf.h"
#include "module/metadata.h"

/* Everything that is held once the prologue has succeeded. */
struct vp_call {
	struct page_lock tdvpr;
	struct td_ref td;
	struct md md;
};

/*
 * TDVPR shared, TDR shared (implicit), TD state with OP_STATE shared, association with the caller's
 * LP, which stays whatever comes after it. Returns 0 with all of it held, or a status with nothing
 * held.
 */
u64 vp_begin(struct call *c, u64 tdvpr, bool disabled, struct vp_call *v) SL_WARN_UNUSED;
/* Releases in the module's order: OP_STATE, TDR, TDVPR. */
void vp_end(struct call *c, struct vp_call *v);

#endif
