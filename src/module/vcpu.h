/* SPDX-License-Identifier: MIT */
/* Association of a vCPU with a logical processor (spec: "Association"). Layer: module, private. */
#ifndef SL_MODULE_VCPU_H
#define SL_MODULE_VCPU_H

#include "module/call.h"

#define MSR_IA32_TSC_ADJUST  0x3Bu
#define MSR_IA32_MISC_ENABLE 0x1A0u

/*
 * State READY, or DISABLED if @disabled allows that too, then associate with the caller's LP. *fresh
 * says whether this very call did it. From here on a failure of the leaf leaves the vCPU associated.
 */
u64 vcpu_associate(struct call *c, struct tdvps *vp, struct tdcs *tdcs, bool disabled,
		   bool *fresh) SL_WARN_UNUSED;

/* A vCPU of @tdcs is initialised: its index, which may be one too many. */
static inline u32 vcpu_index_take(struct tdcs *tdcs)
{
	return atomic_fetch_add_explicit(&tdcs->num_vcpus, 1, memory_order_relaxed);
}

static inline void vcpu_index_give_back(struct tdcs *tdcs)
{
	atomic_fetch_sub_explicit(&tdcs->num_vcpus, 1, memory_order_relaxed);
}

/* How many of the TD's vCPUs are associated with LPs. */
static inline void vcpu_count_up(struct tdcs *tdcs)
{
	atomic_fetch_add_explicit(&tdcs->num_assoc_vcpus, 1, memory_order_relaxed);
}

static inline void vcpu_count_down(struct tdcs *tdcs)
{
	atomic_fetch_sub_explicit(&tdcs->num_assoc_vcpus, 1, memory_order_relaxed);
}

#endif
