/* SPDX-License-Identifier: MIT */
/* What the module says about itself (spec: "Limits", "Metadata field ids"). Layer: module, private. */
#ifndef SL_MODULE_SYS_INFO_H
#define SL_MODULE_SYS_INFO_H

#include "module/machine.h"

/* Relaxed memory-management concurrency, host-priority locks, pending-EPT-violation v2. */
#define SYS_FEATURES0    (BIT_ULL(4) | BIT_ULL(10) | BIT_ULL(16))
#define SYS_DYNAMIC_PAMT BIT_ULL(36)

static inline u64 sys_features0(const struct sl_machine *m)
{
	return SYS_FEATURES0 | (m->cfg.dynamic_pamt ? SYS_DYNAMIC_PAMT : 0);
}

#define SYS_MAX_TDMRS    64
#define SYS_MAX_RESERVED 16
#define SYS_MAX_CMRS     32

/* Bits that TD_PARAMS may set: the others are fixed to 0; and those that it has to set. */
#define TD_ATTRIBUTES_ALLOWED (TD_ATTR_DEBUG | TD_ATTR_SEPT_VE_DISABLE | BIT_ULL(30) | BIT_ULL(63))
#define TD_XFAM_FIXED1        3ull /* x87 and SSE */
#define TD_XFAM_ALLOWED       0x600E7ull

#endif
